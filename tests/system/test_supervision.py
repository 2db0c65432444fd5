"""Programs that the network runs by itself: placed, started again, moved off a host, explained."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.system.support import HOME, Cluster, Host, one_line_error, read_line, wait_until

SOON_S = 60.0

COUNTER = b"""import os, sys, time
n = 0
while True:
    n += 1
    print(os.uname().nodename, n, flush=True)
    time.sleep(0.05)
"""


def of(host: Host, pid: int) -> dict[str, object]:
    return next(p for p in host.processes() if p["pid"] == pid)


def detached(host: Host, *words: str) -> int:
    return int(host.run("run", *words).ok())


def log_of(host: Host, pid: int) -> list[str]:
    outcome = host.run("run", "cat", f"/var/log/programs/{pid}.log")
    return outcome.text.splitlines()


@pytest.fixture(scope="module")
def pair(three: Cluster) -> Cluster:
    three[1].put(f"{HOME}/count.py", COUNTER)
    return three


def test_program_that_fails_is_started_again_under_its_pid_and_given_up(pair: Cluster) -> None:
    script = "import sys; print('again', flush=True); sys.exit(3)"
    pid = detached(
        pair[1], "--restart", "on-failure", "--restarts-max", "1", "python3", "-c", script
    )
    wait_until(lambda: of(pair[1], pid)["state"] == "ended", SOON_S, "it is given up")
    ended = of(pair[1], pid)
    assert (ended["status"], ended["ends"]) == (3, 2)
    assert "given up: ended with 3" in str(ended["reason"])
    assert log_of(pair[1], pid) == ["again", "again"]


def test_program_whose_host_is_drained_goes_on_elsewhere(pair: Cluster) -> None:
    pid = detached(
        pair[1], "--restart", "always", "--on", "python:3", "python3", f"{HOME}/count.py"
    )
    wait_until(lambda: log_of(pair[1], pid), SOON_S, "it prints")
    first = str(of(pair[1], pid)["host"])
    drained = pair[1].run("drain", first)
    assert drained.status == 0, drained.err
    assert f"{pid} python3 {HOME}/count.py: starts again elsewhere" in drained.err
    try:
        wait_until(lambda: of(pair[1], pid)["state"] == "running", SOON_S, "it goes on")
        now = of(pair[1], pid)
        assert now["host"] != first and now["ends"] == 0
        assert f"not on {first}: it is drained" in pair[1].run("explain", str(pid)).ok()
        wait_until(
            lambda: log_of(pair[1], pid)[-1].startswith(str(now["host"])), SOON_S, "it prints there"
        )
    finally:
        pair[1].run("drain", first, "--undo").ok()
    pair[1].run("kill", str(pid)).ok()
    wait_until(lambda: of(pair[1], pid)["state"] == "ended", SOON_S, "a person ends it for good")
    assert of(pair[1], pid)["status"] == 143


def test_program_on_a_drained_host_may_be_stopped(pair: Cluster) -> None:
    pid = detached(pair[1], "--detach", "--on", "host:host2", "sleep", "1000")
    wait_until(lambda: of(pair[1], pid)["state"] == "running", SOON_S, "it runs")
    try:
        left = pair[1].run("drain", "host2", "--wait", "0")
        assert left.status == 1 and f"still on host2: {pid} sleep 1000" in left.err
        assert pair[1].run("drain", "host2", "--stop").status == 0
        assert of(pair[1], pid)["state"] == "ended"
    finally:
        pair[1].run("drain", "host2", "--undo").ok()


def test_dry_run_says_where_and_why_and_starts_nothing(pair: Cluster) -> None:
    before = len(pair[1].processes())
    said = pair[1].run("run", "--dry-run", "--on", "device:sensor/1", "cat", "/dev/sensor/1").ok()
    assert said.splitlines()[:2] == [
        "on host2: no other host can run it",
        "not on host1: it has no device sensor/1",
    ]
    assert len(pair[1].processes()) == before


def test_typing_errors_are_told_at_once_and_do_not_wait(pair: Cluster) -> None:
    for words in (["--on", "host:hots2"], ["--on", "colour:red"], ["--cores", "1000"]):
        outcome = pair[1].run("run", *words, "true")
        assert outcome.status == 126, words
        one_line_error(outcome)
    assert pair[1].run("run", "--memory", "lots", "true").status == 2


def test_declared_memory_is_the_most_that_a_program_gets(pair: Cluster) -> None:
    script = "x = bytearray(400 * 2**20); print(len(x))"
    assert "MemoryError" in pair[1].run("run", "--memory", "200M", "python3", "-c", script).err
    assert pair[1].run("run", "--memory", "900M", "python3", "-c", script).ok() == "419430400\n"


def test_programs_survive_their_host_and_wait_for_one_that_is_down(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(3)
    cluster[1].put(f"{HOME}/count.py", COUNTER)
    line = ["--restart", "on-failure", "python3", f"{HOME}/count.py"]
    pids = [detached(cluster[1], *line) for _ in range(3)]
    wait_until(
        lambda: all(of(cluster[1], pid)["state"] == "running" for pid in pids), SOON_S, "all run"
    )
    assert {str(of(cluster[1], pid)["host"]) for pid in pids} == {"host1", "host2", "host3"}
    fixed = detached(cluster[1], "--restart", "always", "--on", "host:host3", "sleep", "1000")
    wait_until(lambda: of(cluster[1], fixed)["state"] == "running", SOON_S, "the fixed one runs")
    (moved,) = [pid for pid in pids if of(cluster[1], pid)["host"] == "host3"]
    cluster[3].kill()
    wait_until(
        lambda: (
            of(cluster[1], moved)["host"] != "host3" and of(cluster[1], moved)["state"] == "running"
        ),
        SOON_S,
        "it goes on elsewhere",
    )
    wait_until(lambda: of(cluster[1], fixed)["state"] == "waiting", SOON_S, "the fixed one waits")
    wait_until(
        lambda: "host host3 is not up" in cluster[1].run("ps").ok(), SOON_S, "ps says for what"
    )
    assert (
        "waits: on host:host3: host host3 is not up" in cluster[1].run("explain", str(fixed)).ok()
    )
    refused = cluster[1].run("run", "--no-wait", "--on", "host:host3", "true")
    assert refused.status == 126 and "host host3 is not up" in refused.err
    with cluster[1].begin("run", "--on", "host:host3", "echo", "never") as unwanted:
        assert b"waits: on host:host3: host host3 is not up" in read_line(unwanted.stderr)
        unwanted.send_signal(signal.SIGINT)
        assert unwanted.wait(SOON_S) == 130
    wait_until(
        lambda: any(
            (p["command"], p["state"]) == ("echo never", "ended") for p in cluster[1].processes()
        ),
        SOON_S,
        "what nobody wants any more does not wait",
    )
    with cluster[1].begin("run", "--on", "host:host3", "echo", "late") as waiting:
        wait_until(
            lambda: any(p["command"] == "echo late" for p in cluster[1].processes()),
            SOON_S,
            "what is typed waits too",
        )
        assert b"waits: on host:host3: host host3 is not up" in read_line(waiting.stderr)
        cluster[3].start()
        out, err = waiting.communicate(timeout=SOON_S)
    assert (waiting.returncode, out, err) == (0, b"late\n", b"")
    wait_until(lambda: of(cluster[1], fixed)["state"] == "running", SOON_S, "it runs again")
