"""A program is asked for its image over a descriptor, and goes on or ends as it is told."""

import asyncio
import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oneos.runtime.control_socket import Control
from oneos.runtime.extensions import build
from tests.migration.python.harness import HERE, PACKAGES
from tests.migration.python.interpreters import INTERPRETERS

LIMIT_S = 60


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Any]:
    go = Path(tempfile.mkdtemp(dir=tmp_path)) / "go"
    yield from started(tmp_path, go, str(go))


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Any]:
    """One that waits for lines."""
    yield from started(tmp_path, None, "--lines")


def started(tmp_path: Path, go: Path | None, how: str) -> Iterator[Any]:
    extension = build(INTERPRETERS[0], tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    ours, theirs = socket.socketpair()
    package = os.open(os.devnull, os.O_RDONLY)
    control = Control(ours, package)
    number = str(theirs.fileno())
    command = [INTERPRETERS[0], "-W", "error", str(HERE / "listening.py"), str(extension.path)]
    process = subprocess.Popen(
        [*command, str(PACKAGES), number, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
        env={"PYTHONHASHSEED": "0"},
    )
    theirs.close()
    assert process.stdin and process.stdout
    process.stdin.write(b"x" if go else b"x\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"x\n"
    yield process, control, go
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()
    control.close()
    os.close(package)


async def image_of(control: Control) -> bytes:
    fd = await control.image(LIMIT_S)
    with open(fd, "rb") as file:
        file.seek(0)
        return file.read()


async def test_it_runs_on_when_it_stays(listening: Any) -> None:
    process, control, go = listening
    for _ in range(3):
        assert (await image_of(control)).startswith(b"OneOSpy1")
        control.say(b"S")
    go.touch()
    assert await asyncio.to_thread(process.stdout.read) == b"end\n"
    assert process.wait(LIMIT_S) == 0


async def test_it_ends_when_nobody_can_say_any_more_where_it_goes_on(listening: Any) -> None:
    process, control, go = listening
    await image_of(control)
    control.close()
    go.touch()
    assert await asyncio.to_thread(process.stdout.read) == b""
    assert process.wait(LIMIT_S) == 1


async def test_it_runs_on_without_a_runtime_if_it_was_not_asked(listening: Any) -> None:
    process, control, go = listening
    await image_of(control)
    control.say(b"S")
    control.close()
    go.touch()
    assert await asyncio.to_thread(process.stdout.read) == b"end\n"
    assert process.wait(LIMIT_S) == 0


async def test_it_ends_when_it_is_gone(listening: Any) -> None:
    process, control, go = listening
    await image_of(control)
    go.touch()
    control.say(b"G")
    assert await asyncio.to_thread(process.stdout.read) == b""
    assert process.wait(LIMIT_S) == 0


async def test_input_that_comes_after_its_image_was_taken_is_not_read_where_it_stands(
    reading: Any,
) -> None:
    process, control, _ = reading
    await image_of(control)
    # It waits for a line; this one is for the program that goes on elsewhere.
    process.stdin.write(b"late\n")
    process.stdin.flush()
    for _ in range(20):
        await asyncio.sleep(0.01)
        assert waiting_in(process.stdin) == 5
    control.say(b"S")
    assert await asyncio.to_thread(process.stdout.readline) == b"late\n"


def waiting_in(pipe: Any) -> int:
    """The bytes in a pipe that nobody has read."""
    raw = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(raw, sys.byteorder)
