"""A program is asked for its image over a descriptor, and goes on or ends as it is told."""

import asyncio
import os
import socket
import subprocess
import tempfile
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
    extension = build(INTERPRETERS[0], tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    ours, theirs = socket.socketpair()
    package = os.open(os.devnull, os.O_RDONLY)
    control = Control(ours, package)
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
