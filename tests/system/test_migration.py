"""Running programs that move from host to host: nothing of what they do shows it."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from oneos.runtime import extensions
from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, one_line_error, read_line, wait_until


def _unfit() -> str:
    """Why no extension can be built for the interpreter that programs run under here."""
    facts = extensions.ask(shutil.which("python3") or sys.executable)
    if isinstance(facts, str):
        return facts
    compiler = any(shutil.which(name) for name in extensions.COMPILERS)
    return extensions.unfit(facts) or ("" if compiler else "there is no C compiler")


UNFIT = _unfit()

pytestmark = [
    pytest.mark.skipif(
        bool(no_name_space()) or os.getuid() != 0,
        reason=no_name_space() or "programs start warm in the name space only as root",
    ),
    pytest.mark.skipif(bool(UNFIT), reason=f"programs cannot move here: {UNFIT}"),
]

SOON_S = 60.0
READY_S = 180.0
"""For the extension to be built the first time, by a compiler on a machine that is busy."""

COUNT = b"""
import os, time

class Account:
    def __init__(self):
        self.total = 0
        self.seen = set()

    def numbers(self, end):
        for n in range(end):
            self.total += n
            self.seen.add(n)
            yield n, self.total

account = Account()
with open('/home/alice/notes.txt', 'w') as notes:
    for n, total in account.numbers(400):
        notes.write(f'{n}\\n')
        print(n, total, len(account.seen), os.getpid(), flush=True)
        time.sleep(0.02)
"""


def counted(pid: int) -> str:
    return "".join(f"{n} {n * (n + 1) // 2} {n + 1} {pid}\n" for n in range(400))


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    """Three hosts whose programs can move: each has a warm interpreter with the extension."""
    cluster = Cluster(3, {f"host{n}": 'context = "namespace"\n' for n in (1, 2, 3)})
    try:
        cluster[1].put(f"{HOME}/count.py", COUNT)
        for host in cluster.hosts:
            wait_until(partial(can_move, host), READY_S, f"{host.name} is ready for moves")
        yield cluster
    finally:
        cluster.close()


def can_move(host: Host) -> bool:
    """Whether programs that start at a host now are such as can move."""
    # A program that waits in C code is refused for that, and only if it could be asked.
    with host.begin("run", "--on", f"host:{host.name}", "sleep", "30") as waits:
        pid = wait_until(lambda: found(host, "sleep 30", host.name), SOON_S, "it runs")
        said = host.run("migrate", str(pid)).err
        host.run("kill", str(pid))
        waits.wait()
    return "started as one that cannot move" not in said and "has not started" not in said


def found(host: Host, command: str, at: str = "") -> int:
    table = [p for p in host.processes() if command in p["command"] and p["host"].startswith(at)]
    running = [p["pid"] for p in table if p["state"] == "running"]
    return running[-1] if running else 0


def test_program_moves_in_the_middle_of_its_loop_and_its_output_is_the_same(
    hosts: Cluster,
) -> None:
    with hosts[1].begin("run", "--on", "host:host1", "python3", f"{HOME}/count.py") as program:
        seen = read_line(program.stdout)
        pid = int(seen.split()[3])
        for there in ("host2", "host3", "host1"):
            assert hosts[1].run("migrate", str(pid), there).ok() == f"{pid} is on {there}\n"
            seen += read_line(program.stdout)
        rest, err = program.communicate(timeout=SOON_S)
    assert (program.returncode, err) == (0, b"")
    assert (seen + rest).decode() == counted(pid)
    assert hosts[2].get(f"{HOME}/notes.txt").decode() == "".join(f"{n}\n" for n in range(400))


def test_files_that_are_standard_streams_move_with_a_program(hosts: Cluster) -> None:
    text = (
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    print(line.strip()[::-1], flush=True)\n"
        "    print('and', line.strip(), file=sys.stderr, flush=True)\n"
        "    time.sleep(0.02)\n"
    )
    hosts[1].put(f"{HOME}/reverse.py", text.encode())
    numbers = [str(n * 7919) for n in range(250)]
    hosts[2].put(f"{HOME}/in.txt", "".join(f"{x}\n" for x in numbers).encode())
    line = "on host:host1 python3 reverse.py < in.txt > out.txt 2>&1"
    with hosts[1].shell(line) as program:
        pid = wait_until(lambda: found(hosts[1], "reverse.py"), SOON_S, "it runs")
        for there in ("host2", "host3", "host2"):
            assert hosts[1].run("migrate", str(pid), there).ok() == f"{pid} is on {there}\n"
        assert program.wait(SOON_S) == 0
    expected = "".join(f"{x[::-1]}\nand {x}\n" for x in numbers)
    assert hosts[1].get(f"{HOME}/out.txt").decode() == expected


def test_signal_for_a_program_that_is_on_its_way_finds_it(hosts: Cluster) -> None:
    text = (
        "import signal, time\n"
        "seen = []\n"
        "signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))\n"
        "print('ready', flush=True)\n"
        "pad = bytes(60 * 2**20)\n"
        "while not seen: time.sleep(0.01)\n"
        "print('seen', len(pad))\n"
    )
    with hosts[1].begin("run", "--on", "host:host1", "python3", "-c", text) as program:
        assert read_line(program.stdout) == b"ready\n"
        pid = found(hosts[1], "python3 -c import signal")
        with hosts[1].begin("migrate", str(pid), "host2") as move:
            assert hosts[3].run("kill", "-s", "USR1", str(pid)).status == 0
            rest, err = program.communicate(timeout=SOON_S)
            move.wait()
    assert (rest, err, program.returncode) == (b"seen 62914560\n", b"", 0)


def test_first_program_of_a_pipeline_moves_and_the_others_notice_nothing(hosts: Cluster) -> None:
    line = f"on host:host1 python3 {HOME}/count.py | on host:host2 cat | on host:host3 sort -n"
    with hosts[3].shell(line) as program:
        pid = wait_until(lambda: found(hosts[3], "count.py"), SOON_S, "it runs")
        for there in ("host3", "host2"):
            assert hosts[1].run("migrate", str(pid), there).ok() == f"{pid} is on {there}\n"
        out, err = program.communicate(timeout=SOON_S)
    assert (program.returncode, err) == (0, b"")
    assert out.decode() == counted(pid)


NUMBERS = """
import time
for n in range(6000):
    print(n, n * n % 7919)
    if n % 100 == 0:
        time.sleep(0.1)
"""
SUMS = """
import sys
total = 0
for line in sys.stdin:
    n, square = map(int, line.split())
    total += square
    print(n, total)
"""
DIGEST = """
import sys
digest, lines = 0, 0
while line := sys.stdin.readline():
    digest = (digest * 31 + sum(map(ord, line))) % 1000003
    lines += 1
print(lines, digest)
"""


def test_all_programs_of_a_pipeline_move_again_and_again_and_its_output_is_the_same(
    hosts: Cluster,
) -> None:
    total, digest = 0, 0
    for n in range(6000):
        total += n * n % 7919
        digest = (digest * 31 + sum(map(ord, f"{n} {total}\n"))) % 1000003
    for name, text in (("numbers", NUMBERS), ("sums", SUMS), ("digest", DIGEST)):
        hosts[1].put(f"{HOME}/{name}.py", text.encode())
    line = " | ".join(
        f"on host:host{at} python3 {name}.py"
        for at, name in enumerate(("numbers", "sums", "digest"), 1)
    )
    rng, moved = random.Random(1), 0
    with hosts[2].shell(line) as pipeline:
        wait_until(lambda: found(hosts[2], "digest.py"), SOON_S, "it runs")
        while pipeline.poll() is None:
            name = rng.choice(("numbers", "sums", "digest"))
            pid = found(hosts[2], f"{name}.py")
            there = f"host{rng.randrange(1, 4)}"
            moved += pid > 0 and hosts[2].run("migrate", str(pid), there).status == 0
        out, err = pipeline.communicate(timeout=SOON_S)
    assert (pipeline.returncode, err) == (0, b"")
    assert out.decode() == f"6000 {digest}\n"
    assert moved > 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "import subprocess, time; p = subprocess.Popen(['sleep', '5']); print(1, flush=True); "
            "time.sleep(1); print(p.wait())",
            "child process",
        ),
        (
            "import sqlite3, time; db = sqlite3.connect(':memory:'); print(1, flush=True); "
            "time.sleep(3); print(db.execute('select 0').fetchone()[0])",
            "Connection",
        ),
    ],
)
def test_program_that_cannot_move_goes_on_where_it_is_and_it_is_said_why(
    hosts: Cluster, text: str, reason: str
) -> None:
    with hosts[1].begin("run", "python3", "-c", text) as program:
        seen = read_line(program.stdout)
        pid = found(hosts[1], "python3 -c import")
        refused = hosts[1].run("migrate", str(pid), "host2")
        assert refused.status == 1
        assert reason in refused.err, refused.err
        one_line_error(refused)
        rest, err = program.communicate(timeout=SOON_S)
    assert (seen + rest, err, program.returncode) == (b"1\n0\n", b"", 0)


TASKS = """
import asyncio, sys, threading

mine = threading.local()
mine.name = 'main'

async def ticks(queue):
    for n in range(10):
        await queue.put(n)
        await asyncio.sleep(0.001)
    await queue.put(None)

async def main():
    queue = asyncio.Queue(2)
    async with asyncio.TaskGroup() as group:
        group.create_task(ticks(queue), name='ticks')
        while (n := await queue.get()) is not None:
            print(n, [t.get_name() for t in asyncio.all_tasks() if t.get_name() == 'ticks'])
    return mine.name

while True:
    print('asks', flush=True)
    if input('what? ') == 'end':
        break
    print(asyncio.run(main()), flush=True)
print(sys.stdin.read(3), sys.stdin.read())
"""
TICKS = b"".join(b"%d ['ticks']\n" % n for n in range(10)) + b"main\n"


def test_program_that_waits_for_what_it_is_told_moves_and_is_told_elsewhere(
    hosts: Cluster,
) -> None:
    hosts[1].put(f"{HOME}/tasks.py", TASKS.encode())
    with hosts[1].begin("run", "--on", "host:host1", "python3", f"{HOME}/tasks.py") as program:
        assert program.stdin is not None
        seen = read_line(program.stdout)
        pid = wait_until(lambda: found(hosts[1], "tasks.py"), SOON_S, "it runs")
        for there in ("host2", "host3"):
            # It waits in `input`, with a part of the line in hand.
            program.stdin.write(b"g")
            assert hosts[1].run("migrate", str(pid), there).ok() == f"{pid} is on {there}\n"
            program.stdin.write(b"o\n")
            while not seen.endswith(b"main\nasks\n"):
                seen += read_line(program.stdout)
            seen += b"|"
        program.stdin.write(b"end\nthe rest")
        program.stdin.close()
        program.stdin = None
        rest, err = program.communicate(timeout=SOON_S)
    assert (program.returncode, err) == (0, b"")
    turn = b"what? " + TICKS + b"asks\n|"
    assert seen + rest == b"asks\n" + turn + turn + b"what? the  rest\n"


def test_program_that_is_at_its_host_or_unknown_is_refused(hosts: Cluster) -> None:
    assert "no process 999999 runs" in hosts[1].run("migrate", "999999", "host2").err
