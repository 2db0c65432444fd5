"""The process that starts programs: their numbers, their ends, and nothing of them left behind.

For real: with PIDs of its own where this user may have them, else those tests are skipped.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneos.runtime.starter import Starter

FIRST, COUNT = 1 << 21, 2400
"""A small block, so that a test gets beyond its middle, where its numbers begin again."""

BUILD = """
import os, socket, sys
to = socket.socket(fileno=int(sys.argv[1]))
to.set_inheritable(False)
from oneos.fuse import kernel
from oneos.fuse.namespace import Start, _map_ids, start_first
own_user, uid, gid = os.getuid() != 0, os.getuid(), os.getgid()
kernel.unshare(kernel.CLONE_NEWNS | (kernel.CLONE_NEWUSER if own_user else 0))
if own_user:
    _map_ids(uid, gid)
kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
kept, why = start_first(sys.argv[2], Start(int(sys.argv[3]), int(sys.argv[4]), 256), own_user)
assert bool(why) != ("pid" in kept)
socket.send_fds(to, [" ".join(kept).encode()], list(kept.values()))
"""


@dataclass
class Started:
    """How a program ended, and what it wrote."""

    status: int
    out: str


class Bench:
    """A starter, and programs that it starts.

    Attributes:
        proc: its /proc; -1 where it has the host's.
    """

    def __init__(self, starter: Starter, proc: int) -> None:
        self.starter = starter
        self.proc = proc

    async def run(self, number: int, *argv: str, env: dict[bytes, bytes] | None = None) -> Started:
        read, write = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        words = [word.encode() for word in argv]
        given = {b"PATH": b"/usr/bin:/bin", **(env or {})}
        standard = [null, write, write]
        forked = await self.starter.start(number, b"/", 0o022, [], words, given, standard)
        os.close(null)
        os.close(write)
        with open(read, "rb") as file:
            out = await asyncio.to_thread(file.read)
        await forked.ended()
        return Started(await forked.status(), out.decode())

    async def empty(self) -> None:
        """Return when nothing is there but the starter."""
        async with asyncio.timeout(20):
            while self.numbers() != {1}:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def numbers(self) -> set[int]:
        return {int(name) for name in os.listdir(self.proc) if name.isdigit()}


async def make(directory: Path, count: int) -> Bench:
    proc = directory / "proc"
    proc.mkdir()
    ours, theirs = socket.socketpair()
    command = [
        sys.executable,
        "-c",
        BUILD,
        str(theirs.fileno()),
        str(directory / "proc"),
        str(FIRST),
    ]
    # What is said goes where the test's does: the starter keeps that, and a pipe would not end.
    await asyncio.to_thread(
        subprocess.run, [*command, str(count)], pass_fds=[theirs.fileno()], timeout=60
    )
    theirs.close()
    names, fds, _, _ = socket.recv_fds(ours, 1024, 8)
    ours.close()
    kept = dict(zip(names.decode().split(), fds, strict=True))
    if not kept:
        pytest.skip("this user may make no name space here")
    if "pid" in kept:
        os.close(kept["pid"])
    sock = socket.socket(fileno=kept["starter"])
    return Bench(Starter(sock, kept["first"], lambda starter: None), kept.get("proc", -1))


async def close(bench: Bench) -> None:
    bench.starter.end()
    await bench.starter.closed()
    if bench.proc >= 0:
        os.close(bench.proc)


@pytest.fixture
async def numbered(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await make(tmp_path, COUNT)
    if bench.proc < 0:
        await close(bench)
        pytest.skip("there are no name spaces of PIDs for this user here")
    yield bench
    await close(bench)


@pytest.fixture(params=["numbered", "plain"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await make(tmp_path, COUNT if request.param == "numbered" else 0)
    yield bench
    await close(bench)


async def test_program_has_the_number_it_was_given_and_its_children_have_the_blocks(
    numbered: Bench,
) -> None:
    text = "echo $$ $PPID; /bin/sh -c 'echo $PPID $$'; :"
    own, child = (await numbered.run(70_000, "sh", "-c", text)).out.splitlines()
    assert own == "70000 1"
    parent, number = map(int, child.split())
    assert parent == 70_000 and FIRST <= number < FIRST + COUNT
    await numbered.empty()


async def test_number_that_is_in_use_is_refused_and_the_next_program_starts(
    numbered: Bench,
) -> None:
    sleeper = asyncio.create_task(numbered.run(500, "sleep", "60"))
    while 500 not in numbered.numbers():  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    with pytest.raises(FileExistsError):
        await numbered.run(500, "true")
    assert (await numbered.run(501, "echo", "on")).out == "on\n"
    killed = await numbered.run(502, "kill", "-TERM", "500")
    assert killed.status == 0
    assert (await sleeper).status == 128 + signal.SIGTERM


async def test_thousand_forks_stay_in_the_block_begin_it_again_and_leave_nothing(
    numbered: Bench,
) -> None:
    # Some are waited for, and some outlive their parent.
    text = f"""
import os, time
def fork(n):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if {FIRST} <= os.getpid() < {FIRST + COUNT} else 1)
    if n % 10:
        assert os.waitpid(pid, 0)[1] == 0, pid
    return pid
last = max(fork(n) for n in range({COUNT // 2 + 50}))
while (pid := fork(1)) > last:
    last = pid
    time.sleep(0.01)
"""
    assert await numbered.run(600, sys.executable, "-S", "-c", text) == Started(0, "")
    await numbered.empty()


async def test_all_ends_with_it(numbered: Bench) -> None:
    # In a session of its own, with an orphan: neither group nor parent leads to it.
    words = [b"sh", b"-c", b"setsid sleep 60 & sleep 60 & exec sleep 60"]
    null = os.open(os.devnull, os.O_RDWR)
    given = dict(os.environb)
    forked = await numbered.starter.start(700, b"/", 0o022, [], words, given, [null] * 3)
    os.close(null)
    while len(numbered.numbers()) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    numbered.starter.end()
    await numbered.starter.closed()
    await forked.ended()
    # Linux before 6.15 tells only the parent, which is gone.
    assert await forked.status() in (128 + signal.SIGKILL, 128)
    # Itself may wait to be reaped.
    assert numbered.numbers() <= {1}


async def test_status_and_output_are_those_of_the_program(either: Bench) -> None:
    assert await either.run(800, "sh", "-c", "echo x; exit 7") == Started(7, "x\n")
    assert (await either.run(801, "sh", "-c", "kill -9 $$")).status == 128 + signal.SIGKILL


async def test_environment_of_any_size_is_passed_on_whole_and_nothing_else(either: Bench) -> None:
    # Together more than fits into a message of a socket.
    given = {b"V%d" % n: b"x" * 100_000 for n in range(8)}
    out = (await either.run(810, "env", env=given)).out
    expected = {**given, b"PATH": b"/usr/bin:/bin"}
    assert dict(line.split("=", 1) for line in out.splitlines()) == {
        name.decode(): value.decode() for name, value in expected.items()
    }


async def test_program_finds_signals_group_and_limits_as_posix_has_it(either: Bench) -> None:
    text = "grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -Sn; ls /proc/self/fd"
    lines = (await either.run(820, "sh", "-c", text)).out.split()
    assert lines[:5] == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16, "256"]
    # `ls` has the directory open.
    assert lines[5:] == ["0", "1", "2", "3"]
    text = "import os; print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getppid())"
    assert (await either.run(821, sys.executable, "-S", "-c", text)).out == "True True\n"


async def test_what_cannot_be_executed_ends_as_in_sh(either: Bench, tmp_path: Path) -> None:
    missing = await either.run(830, "no-such-program")
    assert (missing.status, missing.out) == (
        127,
        "oneos: no-such-program: No such file or directory\n",
    )
    (tmp_path / "plain").write_text("echo from sh $1\n")
    refused = await either.run(831, str(tmp_path / "plain"))
    assert refused.status == 126 and "Permission denied" in refused.out
    (tmp_path / "plain").chmod(0o755)
    assert await either.run(832, str(tmp_path / "plain"), "x") == Started(0, "from sh x\n")


async def test_argument_with_a_null_byte_is_refused_and_nothing_started(either: Bench) -> None:
    with pytest.raises(ValueError, match="null byte"):
        await either.run(840, "echo", "a\0b")
