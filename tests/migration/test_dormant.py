"""A program is asked for its image over a descriptor, and goes on or ends as it is told."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import HERE, PACKAGES
from tests.migration.python.interpreters import INTERPRETERS

LIMIT_S = 60


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Any]:
    extension = build(INTERPRETERS[0], tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    ours, theirs = socket.socketpair()
    ours.settimeout(LIMIT_S)
    go = Path(tempfile.mkdtemp(dir=tmp_path)) / "go"
    number = str(theirs.fileno())
    command = [INTERPRETERS[0], "-W", "error", str(HERE / "listening.py"), str(extension.path)]
    process = subprocess.Popen(
        [*command, str(PACKAGES), number, str(go)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
        env={"PYTHONHASHSEED": "0"},
    )
    theirs.close()
    assert process.stdin and process.stdout
    process.stdin.write(b"x")
    process.stdin.flush()
    assert process.stdout.readline() == b"x\n"
    yield process, ours, go
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    ours.close()


def ask(ours: socket.socket) -> tuple[bytes, bytes]:
    ours.sendall(b"C")
    head = take(ours, 9)
    return head[:1], take(ours, int.from_bytes(head[1:], "little"))


def take(ours: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        piece = ours.recv(count - len(got))
        assert piece, "the program has closed its end"
        got += piece
    return got


def test_it_runs_on_when_it_is_told_to(listening: Any) -> None:
    process, ours, go = listening
    for _ in range(3):
        kind, image = ask(ours)
        assert kind == b"I", image
        assert image.startswith(b"OneOSpy1")
        ours.sendall(b"R")
    go.touch()
    assert process.stdout.read() == b"end\n"
    assert process.wait(LIMIT_S) == 0


def test_it_runs_on_when_the_other_end_is_lost(listening: Any) -> None:
    process, ours, go = listening
    assert ask(ours)[0] == b"I"
    ours.close()
    go.touch()
    assert process.stdout.read() == b"end\n"
    assert process.wait(LIMIT_S) == 0


def test_it_ends_when_it_is_gone(listening: Any) -> None:
    process, ours, go = listening
    assert ask(ours)[0] == b"I"
    go.touch()
    ours.sendall(b"G")
    assert process.stdout.read() == b""
    assert process.wait(LIMIT_S) == 0
