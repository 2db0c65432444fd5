"""Programs whose state is kept: they outlive their hosts, and go on from files."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, one_line_error, read_line, wait_until
from tests.system.test_migration import READY_S, UNFIT, can_move, found
from tests.unit.guest_node.support import nodes

pytestmark = [
    pytest.mark.skipif(
        bool(no_name_space()) or os.getuid() != 0,
        reason=no_name_space() or "programs start warm in the name space only as root",
    ),
    pytest.mark.skipif(bool(UNFIT), reason=f"programs cannot move here: {UNFIT}"),
]

SOON_S = 120.0
"""For a host to be given up, and what ran there to go on elsewhere, on a machine that is busy."""

FLAG = f"{HOME}/enough"

A = f"""
import os, random, time
draw = random.Random(7)
n = 0
while not os.path.exists({FLAG!r}):
    for _ in range(50):
        print(n, draw.random())
        n += 1
    time.sleep(0.03)
"""

B_PYTHON = """
import sys
for line in sys.stdin:
    n, x = line.split()
    print(n, x[::-1], len(line), flush=True)
"""

B_NODE = """
'use strict';
const lines = require('readline').createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const [n, x] = line.split(' ');
  console.log(n, [...x].reverse().join(''), line.length + 1);
});
"""

C = """
import sys
total, seen = 0, {}
for line in sys.stdin:
    n, x, size = line.split()
    total += int(size)
    seen[int(n) % 100] = x
    print(n, total, seen[int(n) % 100], len(seen))
print('end', total)
"""


def expected(count: int) -> str:
    """What `sh` on one machine prints."""
    import random

    draw, total, lines = random.Random(7), 0, []
    for n in range(count):
        x = repr(draw.random())
        total += len(f"{n} {x}\n")
        lines.append(f"{n} {total} {x[::-1]} {min(n + 1, 100)}\n")
    return "".join(lines) + f"end {total}\n"


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    # Each program may be on two of the three, so that they start apart and can go on.
    tags = {1: '["a", "b"]', 2: '["b", "c"]', 3: '["c", "a"]'}
    config = {f"host{n}": f'context = "namespace"\ntags = {tags[n]}\n' for n in tags}
    cluster = Cluster(3, config)
    try:
        for name, text in (("a.py", A), ("b.py", B_PYTHON), ("b.js", B_NODE), ("c.py", C)):
            cluster[1].put(f"{HOME}/{name}", text.encode())
        for host in cluster.hosts:
            wait_until(partial(can_move, host), READY_S, f"{host.name} is ready for moves")
        yield cluster
    finally:
        cluster.close()


def started(host: Host, directory: Path, b: str, out: str) -> dict[str, int]:
    graph = directory / "graph.toml"
    graph.write_text(
        f"""
        checkpoint = "1s"
        [program.a]
        run = "python3 {HOME}/a.py"
        to = "b"
        on = "tag:a"
        [program.b]
        run = "{b}"
        to = "c"
        on = "tag:b"
        [program.c]
        run = ["python3", "{HOME}/c.py"]
        to = "{out}"
        on = "tag:c"
        """
    )
    lines = host.run("start", "--user", "alice", str(graph)).ok().splitlines()
    return {name: int(pid) for pid, name in (line.split(":")[0].split() for line in lines)}


def told(host: Host, pid: int) -> dict[str, object]:
    said: dict[str, object] = host.ask("explain", pid)
    return said


def new_checkpoint(host: Host, pid: int, before: object) -> object:
    now = told(host, pid)
    return now["state"] == "running" and now["checkpoint"] != before and now["checkpoint"]


@pytest.mark.parametrize("b", ["python3", "node"])
def test_pipeline_survives_the_death_of_each_host_in_turn_with_the_same_output(
    hosts: Cluster, tmp_path: Path, b: str
) -> None:
    if b == "node" and not nodes():
        pytest.skip("no Node here")
    out = f"{HOME}/out-{b}.txt"
    command = f"{b} {HOME}/b.{'py' if b == 'python3' else 'js'}"
    pids = started(hosts[1], tmp_path, command, out)
    before: object = ""
    # For both languages together each host dies.
    for victim in (3, 1) if b == "python3" else (2,):
        seen = hosts[victim % 3 + 1]
        before = wait_until(
            partial(new_checkpoint, seen, pids["a"], before), SOON_S, "the next checkpoint"
        )
        hosts[victim].kill()
        wait_until(
            lambda victim=victim, seen=seen: all(  # type: ignore[misc]
                (now := told(seen, pid))["host"] != f"host{victim}" and now["state"] == "running"
                for pid in pids.values()
            ),
            SOON_S,
            "all run elsewhere",
        )
        hosts[victim].start()
    wait_until(partial(new_checkpoint, hosts[2], pids["a"], before), SOON_S, "another one")
    hosts[2].put(FLAG, b"")
    try:
        wait_until(
            lambda: all(told(hosts[2], pid)["state"] == "ended" for pid in pids.values()),
            SOON_S,
            "all have ended",
        )
    finally:
        hosts[2].sh(f"rm {FLAG}").ok()
    assert [told(hosts[2], pid)["reason"] for pid in pids.values()] == ["", "", ""]
    text = hosts[2].get(out).decode()
    assert text == expected(text.count("\n") - 1)
    # Nothing is kept of what is over.
    wait_until(
        lambda: not hosts[2].names("/var/lib/oneos/checkpoints"), SOON_S, "its states are removed"
    )


def test_what_has_ended_already_falls_back_with_the_rest(hosts: Cluster, tmp_path: Path) -> None:
    hosts[1].put(FLAG, b"")
    hosts[1].put(f"{HOME}/once.py", b"for n in range(300): print(n, n / 7)\n")
    slow = B_PYTHON.replace("for line in sys.stdin:", "import time\nfor line in sys.stdin:")
    hosts[1].put(f"{HOME}/slow.py", (slow + "    time.sleep(0.05)\n").encode())
    graph = tmp_path / "graph.toml"
    graph.write_text(
        f"""
        checkpoint = "1s"
        [program.once]
        run = "python3 {HOME}/once.py"
        to = "slow"
        on = "tag:b"
        [program.slow]
        run = "python3 {HOME}/slow.py"
        to = "{HOME}/once.txt"
        on = "tag:b"
        """
    )
    lines = hosts[3].run("start", "--user", "alice", str(graph)).ok().split()
    once, slow_pid = int(lines[0]), int(lines[3])
    wait_until(lambda: told(hosts[3], once)["state"] == "ended", SOON_S, "the first is through")
    before = told(hosts[3], slow_pid)["checkpoint"]
    wait_until(partial(new_checkpoint, hosts[3], slow_pid, before), SOON_S, "a checkpoint after it")
    where = str(told(hosts[3], slow_pid)["host"])
    hosts[int(where[-1])].kill()
    wait_until(lambda: told(hosts[3], slow_pid)["state"] == "ended", SOON_S, "it ends elsewhere")
    hosts[int(where[-1])].start()
    lines = [f"{n} {str(n / 7)[::-1]} {len(f'{n} {n / 7}') + 1}\n" for n in range(300)]
    assert hosts[3].get(f"{HOME}/once.txt").decode() == "".join(lines)
    hosts[3].sh(f"rm {FLAG}").ok()


def test_program_goes_on_from_a_file_as_often_as_it_is_wanted(hosts: Cluster) -> None:
    text = """
import os, time
n = 0
while not os.path.exists('/home/alice/go'):
    n += 1
    print('waits', n, flush=True)
    time.sleep(0.05)
for n in range(n, n + 3): print('goes', n, flush=True)
"""
    hosts[1].put(f"{HOME}/file.py", text.encode())
    with hosts[1].begin("run", "--on", "host:host2", "python3", f"{HOME}/file.py") as program:
        seen = [read_line(program.stdout) for _ in range(5)]
        pid = found(hosts[1], "file.py")
        said = hosts[1].run("checkpoint", str(pid), f"{HOME}/state").ok()
        assert said.startswith(f"{HOME}/state: ")
        hosts[1].put(f"{HOME}/go", b"")
        rest, err = program.communicate(timeout=SOON_S)
    assert (program.returncode, err) == (0, b"")
    waited = (b"".join(seen) + rest).decode().count("waits")
    assert rest.decode().splitlines()[-3:] == [f"goes {waited + n}" for n in range(3)]
    first = hosts[2].run("run", "--restore", f"{HOME}/state").ok()
    again = hosts[3].run("run", "--on", "host:host1", "--restore", f"{HOME}/state").ok()
    assert first == again
    # It stood in its sleep, or about it: it counts on from there.
    at = int(first.split()[1])
    assert 5 <= at <= waited
    assert first == "".join(f"goes {at + n}\n" for n in range(3))
    hosts[1].sh(f"rm {HOME}/go").ok()


def test_what_cannot_be_kept_is_refused_with_the_reason_and_runs_on(hosts: Cluster) -> None:
    with hosts[1].begin("run", "/usr/bin/sleep", "60") as program:
        pid = wait_until(lambda: found(hosts[1], "sleep 60"), SOON_S, "it runs")
        assert "native" in one_line_error(hosts[1].run("checkpoint", str(pid), f"{HOME}/x"))
        hosts[1].run("kill", str(pid)).ok()
        assert program.wait(SOON_S) == 128 + signal.SIGTERM
    error = one_line_error(hosts[1].run("run", "--restore", f"{HOME}/a.py"))
    assert "a.py is no file with the state of a program" in error
    error = one_line_error(hosts[1].run("checkpoint", "999999", f"{HOME}/x"))
    assert "no process 999999" in error
    assert "x" not in hosts[1].names(HOME)
