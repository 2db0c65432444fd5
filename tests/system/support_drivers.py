"""Programs that do to files what they are told, in the tree and natively, and say what came of it.

What they can do is in `tests/conformance/posix/driver.py`, and for Node in `driver.js` beside it.
"""

from __future__ import annotations

import ast
import contextlib
import json
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
NODE_PROGRAM = PROGRAM.with_suffix(".js")

NODE_LACKS = {"seek", "holes", "map_read", "map_write", "scandir", "samefile", "utime"}
NODE_LACKS |= {"setxattr", "getxattr", "listxattr", "removexattr"}
"""What Node has no call for, or none that does exactly that."""

ANSWER_S = 120.0
"""Longer than it takes to declare a host dead and to go on without it."""

Op = tuple[Any, ...]
"""The name of a method of the program's, and its arguments."""

Came = tuple[str, Any]
"""`("ok", VALUE)`, or `("failed", ERRNO)`; `("gone", "")` where the program has ended."""


class Driver:
    """One such program, and the process that it is read from."""

    def __init__(self, process: subprocess.Popen[bytes], node: bool = False) -> None:
        self._process = process
        self._node = node
        self.lacks = NODE_LACKS if node else set[str]()
        self._read = b""
        line = self._line()
        assert line == b"up\n", (line, process.stderr and process.stderr.read())

    def begin(self, op: Op) -> None:
        """Tell it something; `end` says what came of it."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            text = json.dumps(op, default=_hex) if self._node else repr(op)
            self._process.stdin.write(text.encode() + b"\n")
            self._process.stdin.flush()

    def end(self) -> Came:
        """What came of the last that it was told."""
        line = self._line()
        if not line.endswith(b"\n"):
            return ("gone", "")
        if self._node:
            kind, value = json.loads(line, object_hook=lambda x: bytes.fromhex(x["b"]))
        else:
            kind, value = ast.literal_eval(line.decode())
        return kind, _listed(value)

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


def _hex(data: bytes) -> dict[str, str]:
    return {"b": data.hex()}


def _listed(value: Any) -> Any:
    """A value with lists for tuples, which JSON has not."""
    return [_listed(x) for x in value] if isinstance(value, list | tuple) else value


@contextlib.contextmanager
def in_the_tree(host: Host, interpreter: str, where: str) -> Iterator[Driver]:
    """One on a host.

    Args:
        interpreter: by the name that says how it is run; `node` takes the program for Node.
        where: a directory of the tree that has the programs.
    """
    node = interpreter.endswith("node")
    with host.shell(f"{interpreter} {where}/driver.{'js' if node else 'py'}") as process:
        yield Driver(process, node)


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
