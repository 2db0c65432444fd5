"""A program moves while it waits: for its input with a part of it in hand, and for a time."""

import os
import subprocess
from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import HERE, MOVED, PACKAGES
from tests.migration.python.interpreters import INTERPRETERS

LIMIT_S = 60
FIRST, SECOND = "one\nt\u00e9wo with more\nthr".encode(), b"ee\nfour\n\nlast"

WAYS = {
    "read()": "print(repr(sys.stdin.read()))",
    "a part of it": "print(repr(sys.stdin.read(5)), repr(sys.stdin.read(23)), sys.stdin.read())",
    "readlines()": "print(sys.stdin.readlines())",
    "input()": "print([input('a? '), input('b? '), input(), input(), input(), input()])",
    "lines": "for line in sys.stdin: print(repr(line))",
    "numbered lines": "for n, line in enumerate(map(str.strip, sys.stdin)): print(n, repr(line))",
    "next()": "print([next(sys.stdin) for _ in range(4)], sys.stdin.read())",
    "bytes": "print(sys.stdin.buffer.read())",
    "so many bytes": "b = sys.stdin.buffer; print(b.read(3), b.read(24), b.read(), b.read())",
    "lines of bytes": "for line in sys.stdin.buffer: print(line)",
    "readline of bytes": "print([sys.stdin.buffer.readline() for _ in range(7)])",
    "readlines of bytes": "print(sys.stdin.buffer.readlines())",
    "into a buffer": (
        "b = bytearray(28); print(sys.stdin.buffer.readinto(b), b, sys.stdin.buffer.read())"
    ),
    "os.read": ("all = b''\nwhile piece := os.read(0, 4): all += piece\nprint(all, os.read)"),
    "a stream of asyncio": (
        "import asyncio\n"
        "async def main():\n"
        "    reader = asyncio.StreamReader()\n"
        "    protocol = asyncio.StreamReaderProtocol(reader)\n"
        "    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)\n"
        "    print(await reader.readexactly(5), [line async for line in reader])\n"
        "asyncio.run(main())"
    ),
    "in turns": (
        "print(input(), repr(sys.stdin.read(2)), sys.stdin.readline(), [x for x in sys.stdin])"
    ),
}


def ran(command: list[str], reader: int, python: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [python, *command],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PATH": os.environ["PATH"]},
    )


def outcome(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    try:
        return process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()


@pytest.mark.parametrize("way", WAYS)
def test_a_program_moves_while_it_waits_for_input(way: str, tmp_path: Path) -> None:
    python = INTERPRETERS[0]
    extension = build(python, tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    program, image = tmp_path / "program.py", str(tmp_path / "image")
    program.write_text(f"import os, sys\n{WAYS[way]}\n")
    reader, writer = os.pipe()
    os.write(writer, FIRST + SECOND)
    os.close(writer)
    with ran([str(program)], reader, python) as plain:
        expected, errors = outcome(plain)
    os.close(reader)
    assert plain.returncode == 0, errors

    us = [str(HERE / "runner.py"), str(extension.path), str(PACKAGES), str(tmp_path / "report")]
    reader, writer = os.pipe()
    os.write(writer, FIRST)
    with ran([*us, "--after", "0.1", image, str(program)], reader, python) as first:
        output, errors = outcome(first)
    assert first.returncode == MOVED, errors + output
    with ran([*us, "--restore", image, "--never", "0", image], reader, python) as second:
        os.write(writer, SECOND)
        os.close(writer)
        more, errors = outcome(second)
    os.close(reader)
    assert second.returncode == 0, errors
    assert output + more == expected


LEFT = """
import sys
sys.path[0] = sys.argv[2]
from moving import extension
extension.load(sys.argv[1])
import _thread, queue, select, threading, time
from moving import sleeping, waits
WHOLE = 1000
poll, epoll, lock = select.poll(), select.epoll(), threading.Lock()
lock.acquire()
ways = {
    "sleep": lambda: time.sleep(WHOLE),
    "lock": lambda: lock.acquire(True, WHOLE),
    "lock by name": lambda: lock.acquire(timeout=WHOLE),
    "condition": lambda: threading.Condition(lock).wait(WHOLE),
    "queue": lambda: queue.SimpleQueue().get(timeout=WHOLE),
    "select": lambda: select.select([], [], [], WHOLE),
    "poll": lambda: poll.poll(WHOLE * 1000),
    "epoll": lambda: epoll.poll(WHOLE),
}
ends = time.monotonic() + 60
for name, way in ways.items():
    if name == "condition":
        lock.acquire(False)
    ident = _thread.start_new_thread(way, ())
    value = None
    while value is None or not 0 < value < WHOLE - 0.01:
        assert time.monotonic() < ends, (name, value)
        time.sleep(0.01)
        try:
            found = waits.look_at_wait(sys._current_frames()[ident], ident)
        except Exception as error:
            value = None
            continue
        value = found.value
        if name == "poll" and value is not None:
            value /= 1000
    print(name)
"""


@pytest.mark.parametrize("python", INTERPRETERS)
def test_a_wait_goes_on_for_the_time_that_is_left(python: str, tmp_path: Path) -> None:
    extension = build(python, tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    program = tmp_path / "program.py"
    program.write_text(LEFT)
    command = [python, str(program), str(extension.path), str(PACKAGES)]
    done = subprocess.run(command, capture_output=True, timeout=LIMIT_S * 2)
    assert done.stdout.decode().split("\n")[-2:] == ["epoll", ""], done.stderr.decode()
