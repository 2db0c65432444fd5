"""Starting a Runtime in the background, and telling when it is up or why it is not.

The Runtime is a process of its own session, so it outlives the shell it was started from. Until it
answers on its local socket, its last words are what the person who started it is told.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oneos.errors import OneOSError, UserError
from oneos.limits import START_POLL_S, START_TIMEOUT_S
from oneos.local.client import Client


def socket_of(directory: Path) -> str:
    """The local socket of the Runtime in a directory."""
    return os.fspath(directory / "run" / "local.sock")


def is_up(directory: Path) -> bool:
    """Whether the Runtime in a directory answers and has arrived in its network."""
    try:
        with Client(socket_of(directory)) as client:
            status: dict[str, Any] = client.call("status")
    except OneOSError:
        return False
    return bool(status["ready"])


def launch(directory: Path) -> subprocess.Popen[bytes]:
    """Start the Runtime in the background; it is not up yet."""
    errors = directory / "start.err"
    with open(errors, "wb") as sink:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "oneos.cli.main",
                "node",
                "--dir",
                os.fspath(directory),
                "--log",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=sink,
            start_new_session=True,
            cwd="/",
        )


def wait_until_up(
    directory: Path,
    process: subprocess.Popen[bytes],
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Wait until a launched Runtime is up.

    Raises:
        UserError: it ended, with its own words, or was not up in START_TIMEOUT_S.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_up(directory):
        if process.poll() is not None:
            raise _last_words(directory)
        if time.monotonic() > deadline:
            process.send_signal(signal.SIGTERM)
            raise UserError(
                f"the Runtime was not up within {START_TIMEOUT_S:g} s",
                hint=f"its log: {directory / 'runtime.log'}",
            )
        progress()
        time.sleep(START_POLL_S)


def _last_words(directory: Path) -> UserError:
    text = (directory / "start.err").read_text(encoding="utf-8", errors="replace").strip()
    lines = text.splitlines()
    for at, line in enumerate(lines):
        if line.startswith("oneos: "):
            hint = lines[at + 1].strip() if at + 1 < len(lines) else ""
            return UserError(line.removeprefix("oneos: "), hint=hint)
    return UserError(
        "the Runtime ended at once" + (f": {lines[-1]}" if lines else ""),
        hint=f"its log: {directory / 'runtime.log'}",
    )


def ask_to_stop(directory: Path) -> bool:
    """Tell the Runtime of a directory to stop; answers whether there was one."""
    try:
        with Client(socket_of(directory)) as client:
            client.call("stop")
    except OneOSError:
        return False
    return True


def stop(directory: Path) -> bool:
    """Stop the Runtime of a directory; answers whether there was one.

    Raises:
        UserError: it did not stop in START_TIMEOUT_S.
    """
    if not ask_to_stop(directory):
        return False
    wait_until_down(directory)
    return True


def wait_until_down(directory: Path) -> None:
    """Wait until the Runtime of a directory is gone. Raises UserError after START_TIMEOUT_S."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while os.path.exists(socket_of(directory)):
        if time.monotonic() > deadline:
            raise UserError(
                f"the Runtime in {directory} is still stopping",
                hint=f"its log: {directory / 'runtime.log'}",
            )
        time.sleep(START_POLL_S)
