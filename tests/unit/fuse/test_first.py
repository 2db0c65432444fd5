"""The process that starts programs: their numbers, their ends, and nothing of them left behind.

For real: with PIDs of its own where this user may have them, else those tests are skipped.
"""

import asyncio
import errno
import importlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneos import fuse
from oneos.errors import FileError
from oneos.runtime.starter import Starter
from tests.support.waiting import WAIT_S

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
        sent: the signals that its programs sent to the network.
        answers: how those end, by errno; not before `may_answer`.
    """

    def __init__(self, sock: socket.socket, first: int, proc: int) -> None:
        self.starter = Starter(sock, first, self._kill, lambda starter: None)
        self.proc = proc
        self.sent: list[tuple[int, int]] = []
        self.answers: list[int] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def _kill(self, pid: int, number: int) -> None:
        self.sent.append((pid, number))
        await self.may_answer.wait()
        if code := self.answers.pop(0):
            raise FileError(code)

    async def run(
        self,
        number: int,
        *argv: str,
        env: dict[bytes, bytes] | None = None,
        files: Sequence[bytes] = (),
    ) -> Started:
        read, write = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        words = [word.encode() for word in argv]
        given = {b"PATH": b"/usr/bin:/bin", **(env or {})}
        # What can move has a socket as 3, and memory as 4.
        handed = [null, write, write, *([write, null] if files else [])]
        forked = await self.starter.start(number, b"/", 0o022, [], words, given, handed, files)
        os.close(null)
        os.close(write)
        with open(read, "rb") as file:
            out = await asyncio.to_thread(file.read)
        await forked.ended()
        return Started(await forked.status(), out.decode(errors="replace"))

    async def empty(self) -> None:
        """Return when nothing is there but the starter."""
        async with asyncio.timeout(WAIT_S):
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
    return Bench(sock, kept["first"], kept.get("proc", -1))


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


KILLS = """
import errno, os, sys
for pid in map(int, sys.argv[2:]):
    try:
        os.kill(pid, int(sys.argv[1]))
        print("sent")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


async def test_kill_of_a_number_of_other_hosts_is_asked_for_and_its_errno_is_the_answers(
    numbered: Bench,
) -> None:
    numbered.answers = [0, errno.ESRCH, errno.EHOSTUNREACH, 0]
    others = ["70001", "70002", str(FIRST + COUNT), "-70003"]
    shown = await numbered.run(850, sys.executable, "-S", "-c", KILLS, "10", *others)
    assert shown.out.split() == ["sent", "ESRCH", "EHOSTUNREACH", "sent"]
    assert numbered.sent == [(int(pid), 10) for pid in others]


async def test_kill_of_what_the_kernel_knows_and_of_what_no_kernel_can_is_the_kernels(
    numbered: Bench,
) -> None:
    own = ["860", "-860", "0", "-1", str(FIRST + 7), str(1 << 22), str(-(1 << 31))]
    shown = await numbered.run(860, sys.executable, "-S", "-c", KILLS, "0", *own)
    # Of all, a program is the only one here.
    assert shown.out.split() == ["sent", "sent", "sent", "ESRCH", "ESRCH", "ESRCH", "ESRCH"]
    assert numbered.sent == []


async def test_kill_under_numbers_of_a_programs_own_is_not_asked_for(numbered: Bench) -> None:
    text = f"""
import ctypes, os, sys
sys.argv = ["", "0", "77"]
if ctypes.CDLL(None).unshare({0x20000000}):
    sys.exit(9)
if os.fork():
    os.wait()
else:
    exec({KILLS!r})
"""
    shown = await numbered.run(870, sys.executable, "-S", "-c", text)
    if shown.status == 9:
        pytest.skip("a program may make no name space of PIDs here")
    assert shown.out == "ESRCH\n"
    assert numbered.sent == []


async def test_program_without_rights_over_the_networks_is_told_so_and_nothing_is_sent(
    numbered: Bench,
) -> None:
    if os.getuid():
        pytest.skip("only root becomes another user")
    numbered.answers = [0, errno.ESRCH]
    text = "import os; os.setuid(12345)" + KILLS
    shown = await numbered.run(880, sys.executable, "-S", "-c", text, "15", "70001", "70002")
    assert shown.out.split() == ["EPERM", "ESRCH"]
    assert numbered.sent == [(70001, 0), (70002, 0)]


async def test_programs_start_and_signal_their_own_while_an_answer_is_awaited(
    numbered: Bench,
) -> None:
    numbered.may_answer.clear()
    numbered.answers = [0]
    waits = asyncio.create_task(numbered.run(890, sys.executable, "-S", "-c", KILLS, "15", "70001"))
    while not numbered.sent:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    shown = await numbered.run(891, sys.executable, "-S", "-c", KILLS, "0", "890")
    assert shown.out == "sent\n"
    numbered.may_answer.set()
    assert (await waits).out == "sent\n"


async def test_program_that_is_killed_while_it_waits_for_an_answer_ends(numbered: Bench) -> None:
    numbered.may_answer.clear()
    numbered.answers = [0, 0]
    waits = asyncio.create_task(numbered.run(895, sys.executable, "-S", "-c", KILLS, "15", "70001"))
    while not numbered.sent:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    shown = await numbered.run(896, sys.executable, "-S", "-c", KILLS, "9", "895")
    assert shown.out == "sent\n"
    assert (await waits).status == 128 + signal.SIGKILL
    numbered.may_answer.set()
    # The late answer is nobody's, and the next one its own.
    shown = await numbered.run(897, sys.executable, "-S", "-c", KILLS, "15", "70002")
    assert shown.out == "sent\n"


async def test_more_calls_than_may_wait_for_answers_are_told_to_come_again(
    numbered: Bench,
) -> None:
    numbered.may_answer.clear()
    numbered.answers = [0] * 256
    text = f"""
import os, sys
for _ in range(260):
    if not os.fork():
        sys.argv = ["", "15", "70001"]
        exec({KILLS!r})
        sys.stdout.flush()
        os._exit(0)
for _ in range(260):
    os.wait()
"""
    waits = asyncio.create_task(numbered.run(898, sys.executable, "-S", "-c", text))
    while len(numbered.sent) < 256:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    # Their children are in the way of nobody else.
    assert (await numbered.run(899, "echo", "on")).out == "on\n"
    while len(numbered.numbers()) > 2 + 256:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    numbered.may_answer.set()
    assert sorted((await waits).out.split()) == ["EAGAIN"] * 4 + ["sent"] * 256


FILTERED = """
import os, socket, sys
sys.path.insert(0, sys.argv[2])
import asking
to = socket.socket(fileno=int(sys.argv[1]))
socket.send_fds(to, [b"l"], [asking.install(1 << 21, 2400)])
to.recv(1)
"""


async def test_listener_is_closed_when_the_last_who_could_ask_has_ended(numbered: Bench) -> None:
    if os.getuid():
        pytest.skip("outside of a name space only root installs a filter")

    def descriptors() -> int:
        return len(os.listdir(f"/proc/self/fd/{numbered.proc}/1/fd"))

    before = descriptors()
    ours, theirs = socket.socketpair()
    words = ["-S", "-c", FILTERED, str(theirs.fileno()), str(Path(fuse.__file__).parent)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, pass_fds=[theirs.fileno()]
    )
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    numbered.starter.listen(fds[0])
    os.close(fds[0])
    while descriptors() != before + 1:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    ours.send(b"x")
    assert await process.wait() == 0
    while descriptors() != before:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    ours.close()
    theirs.close()


def alone(monkeypatch: pytest.MonkeyPatch, name: str) -> Any:
    """A module of those that a bare interpreter runs, which know each other by plain names."""
    monkeypatch.syspath_prepend(str(Path(fuse.__file__).parent))
    return importlib.import_module(name)


def test_filter_is_known_for_both_kinds_of_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(alone(monkeypatch, "asking").program(machine, FIRST, COUNT)) == 8 * 13


def test_greeting_with_a_listener_is_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    body = msgspec.msgpack.encode(["hello", {"client": True, "listener": True}])
    expected = len(body).to_bytes(4, "little") + body
    assert expected == alone(monkeypatch, "asking").GREETING


async def test_files_of_a_program_that_comes_are_open_at_their_numbers(
    numbered: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "a file"
    file.write_text("first\nsecond\n")
    told = b"9 %d 6 %d %s" % (os.O_RDONLY, file.stat().st_ino, os.fsencode(file))
    null = b"7 %d 0 0 /dev/null" % os.O_RDWR
    text = "cat <&9; cat <&7; cd /proc/self/fd; ls -d 3 4 5 6 7 8 9"
    done = await numbered.run(80_000, "sh", "-c", text, files=[told, null])
    # None is free below the last: Node takes what it was handed for its own, up to a gap.
    assert done.out.replace("\n", " ").startswith("second 3 4 5 6 7 8 9 "), done.out
    refused = [
        (b"9 0 0 1 %s" % os.fsencode(file), "another file"),
        (b"9 0 0 0 /nowhere/at/all", "No such file"),
        (b"9 0 0 0 /", "no regular file"),
    ]
    for number, (wrong, why) in enumerate(refused):
        done = await numbered.run(80_001 + number, "echo", "runs", files=[wrong])
        assert done.status == 1 and "runs" not in done.out
        assert done.out[0] == "n" and why in done.out, done.out
