"""A person at a terminal: a program on a pseudo-terminal of its own, typed to and looked at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.support.waiting import WAIT_S

SEEN_S = WAIT_S
"""For something to show; the machine may be busy."""

AGAIN_S = 1.0
"""Between two presses of a key that a program may not yet have been waiting for."""


class Person:
    """Types at a program and reads what it shows.

    Args:
        command: what runs at the terminal, as its session's leader.
        env: its environment.
        size: rows and columns.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], size: tuple[int, int] = (33, 97)
    ) -> None:
        self.master, slave = os.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        self.text = ""
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**env, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        self.slave = slave

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; who is in the foreground is told."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self) -> list[Any]:
        """Those of the terminal, as `termios.tcgetattr` has them."""
        return termios.tcgetattr(self.slave)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.master, text.encode())

    def press(self, key: str, wanted: str) -> str:
        """Press a key until this shows: one that comes in the moment before a program waits for it
        may do nothing, here as on any terminal."""
        deadline = time.monotonic() + SEEN_S
        while True:
            self.type(key)
            try:
                return self.see(wanted, AGAIN_S)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise

    def see(self, wanted: str, timeout_s: float = SEEN_S) -> str:
        """Wait until this shows; all that showed before it, since the last look."""
        deadline = time.monotonic() + timeout_s
        while wanted not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{wanted!r} did not show; but {self.text!r}")
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"the terminal ended before {wanted!r}: {self.text!r}")
            self.text += data.decode("utf-8", "replace")
        before, _, self.text = self.text.partition(wanted)
        return before

    def wait(self, timeout_s: float = SEEN_S) -> int:
        """Look until the program ends; its status."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.text!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    self.text += os.read(self.master, 65536).decode("utf-8", "replace")
        return self.process.returncode

    def close(self) -> None:
        """Hang up."""
        os.close(self.slave)
        os.close(self.master)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


@contextlib.contextmanager
def person(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Person]:
    """Somebody at a terminal, for the time of the `with`."""
    somebody = Person(command, env)
    try:
        yield somebody
    finally:
        somebody.close()
