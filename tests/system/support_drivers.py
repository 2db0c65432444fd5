"""Programs that do to files what they are told, in the tree and natively, and say what came of it.

What they can do is in `tests/conformance/posix/driver.py`.
"""

from __future__ import annotations

import ast
import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests import conformance
from tests.system.support import Host

PROGRAM = Path(conformance.__file__).parent / "posix" / "driver.py"

ANSWER_S = 120.0
"""Longer than it takes to declare a host dead and to go on without it."""

Op = tuple[Any, ...]
"""The name of a method of the program's, and its arguments."""

Came = tuple[str, Any]
"""`("ok", VALUE)`, or `("failed", ERRNO)`; `("gone", "")` where the program has ended."""


class Driver:
    """One such program, and the process that it is read from."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._read = b""
        line = self._line()
        assert line == b"up\n", (line, process.stderr and process.stderr.read())

    def begin(self, op: Op) -> None:
        """Tell it something; `end` says what came of it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(repr(op).encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> Came:
        """What came of the last that it was told."""
        line = self._line()
        if not line.endswith(b"\n"):
            return ("gone", "")
        came: Came = ast.literal_eval(line.decode())
        return came

    def _line(self) -> bytes:
        """Its next line; what there is at its end."""
        stream = self._process.stdout
        assert stream is not None
        deadline = time.monotonic() + ANSWER_S
        while b"\n" not in self._read:
            left_s = max(0.0, deadline - time.monotonic())
            assert select.select([stream], [], [], left_s)[0], f"no answer in {ANSWER_S:g} s"
            piece = os.read(stream.fileno(), 1 << 20)
            if not piece:
                break
            self._read += piece
        line, end, self._read = self._read.partition(b"\n")
        return line + end

    def __call__(self, *op: Any) -> Came:
        self.begin(op)
        return self.end()


@contextlib.contextmanager
def in_the_tree(host: Host, python: str, where: str) -> Iterator[Driver]:
    """One on a host.

    Args:
        python: the interpreter, by the name that says how it is run.
        where: a directory of the tree that has the program.
    """
    with host.shell(f"{python} {where}/driver.py") as process:
        yield Driver(process)


@contextlib.contextmanager
def natively(directory: Path) -> Iterator[Driver]:
    """One in a directory of this machine."""
    with subprocess.Popen(
        [sys.executable, PROGRAM],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
    ) as process:
        try:
            yield Driver(process)
        finally:
            process.kill()
