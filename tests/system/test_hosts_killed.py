"""kill -9 of Runtimes: nothing that was acknowledged is lost, and nobody waits for ever."""

import time
from collections.abc import Callable

from tests.system.support import HOME, Cluster, Host, alive, reachable, read_line, wait_until
from tests.system.support_programs import CHECK_FILES, WRITE_FILES

FAIL_OVER_S = 120.0
"""Silence of 4 s, a question of 2 s, up to 9 s for the voters' election, and a busy machine."""

FILES = 1000


def holder(host: Host, service: str) -> tuple[str, int]:
    """Where a service runs, as a host sees it, and its epoch."""
    found = next(s for s in host.status()["services"] if s["name"] == service)
    return found["host"], found["epoch"]


def acknowledged(lines: list[bytes]) -> set[int]:
    """The files of which WRITE_FILES said that their close returned."""
    return {int(line.split()[1]) for line in lines if line.startswith(b"closed ")}


def assert_whole(host: Host, directory: str, numbers: set[int]) -> None:
    """Every one of these files is there, and holds what was written to it."""
    host.put(f"{HOME}/check.py", CHECK_FILES.encode())
    outcome = host.sh(f"python3 check.py {directory}", timeout_s=120)
    assert outcome.status == 0, outcome.err
    found = dict(line.split(" ", 1) for line in outcome.text.splitlines())
    wrong = {n: found.get(str(n), "missing") for n in numbers if found.get(str(n)) != "whole"}
    assert not wrong, f"{len(wrong)} of {len(numbers)} acknowledged files: {wrong}"


def test_files_survive_the_death_of_the_file_system_s_holder(three: Cluster) -> None:
    first, _ = holder(three[1], "filesystem")
    victim = next(host for host in three.hosts if host.name == first)
    other, witness = (host for host in three.hosts if host.name != first)
    epoch = holder(witness, "filesystem")[1]
    other.sh("mkdir files").ok()
    other.put(f"{HOME}/write.py", WRITE_FILES.encode())

    lines: list[bytes] = []
    with other.shell(f"python3 write.py files {FILES} 0") as writer:
        assert writer.stdout is not None
        while len(lines) < FILES // 5:
            lines.append(read_line(writer.stdout))
            assert lines[-1], (lines[-2:], writer.stderr and writer.stderr.read())
        victim.kill()
        killed = time.monotonic()
        rest, errors = writer.communicate(timeout=180)
        took_s = time.monotonic() - killed
    lines += rest.splitlines(keepends=True)

    # It went on to its end: each file was closed or gave an errno, and none was passed over.
    assert lines[-1] == b"end\n" and not errors, (lines[-3:], errors)
    assert len(lines) == FILES + 1
    print(f"{len(acknowledged(lines))} of {FILES} acknowledged, {took_s:.0f} s after the kill")
    assert len(acknowledged(lines)) >= FILES // 2
    assert_whole(witness, "files", acknowledged(lines))

    # The service has moved, with a higher epoch, and the status says so.
    now, higher = holder(witness, "filesystem")
    assert now != first and higher > epoch
    assert witness.member(first)["state"] == "dead"

    victim.start()
    wait_until(lambda: reachable(victim), FAIL_OVER_S, "the killed host is back")
    assert_whole(victim, "files", acknowledged(lines))


def test_programs_of_a_killed_host_end_with_137(three: Cluster) -> None:
    """Their waiters learn it, `ps` shows it, and the host comes back as a new incarnation."""
    wait_until(lambda: all(reachable(h) for h in three.hosts), FAIL_OVER_S, "all hosts are up")
    victim, near, far = three[3], three[1], three[2]
    before = far.member("host3")["incarnation"]
    # It says itself that it runs: the table says so before it was launched, and a host that dies in
    # between has not run it (126).
    program = "print('up', flush=True); import time; time.sleep(1000)"
    with near.shell(f'on host:host3 python3 -c "{program}"; echo ended $?') as shell:
        assert read_line(shell.stdout) == b"up\n"
        process = wait_until(lambda: far.running("python3 -c print('up'"), 60, "it shows")[0]
        orphans = victim.kill()
        try:
            out, _ = shell.communicate(timeout=FAIL_OVER_S)
            assert out == b"ended 137\n"
        finally:
            for orphan in orphans:
                if alive(orphan):
                    orphan.kill()

    ended = next(p for p in far.processes() if p["pid"] == process["pid"])
    assert (ended["state"], ended["status"]) == ("ended", 137)
    assert "host3" in ended["reason"]

    victim.start()
    wait_until(lambda: reachable(victim), FAIL_OVER_S, "it is back")
    assert far.member("host3")["incarnation"] > before
    assert near.sh("echo hello | on host:host3 tr a-z A-Z").ok() == "HELLO\n"
    assert victim.sh("echo $HOST").ok() == "host3\n"


def test_programs_of_a_killed_runtime_are_ended_by_its_next_start(three: Cluster) -> None:
    """A program that the network counts as ended must not go on working unseen."""
    wait_until(lambda: all(reachable(h) for h in three.hosts), FAIL_OVER_S, "all hosts are up")
    with three[1].shell("on host:host3 sleep 1001"):
        wait_until(lambda: three[3].running("sleep 1001"), 60, "it runs")
        orphans = three[3].kill()
        try:
            three[3].start()

            wait_until(
                lambda: not [x for x in orphans if alive(x)], FAIL_OVER_S, "its programs end"
            )
        finally:
            for orphan in orphans:
                if alive(orphan):
                    orphan.kill()
    wait_until(lambda: not three[1].running("sleep 1001"), FAIL_OVER_S, "the table says so")


def test_a_device_and_a_file_of_a_dead_host_are_refused_in_time(three: Cluster) -> None:
    wait_until(lambda: all(reachable(h) for h in three.hosts), FAIL_OVER_S, "all hosts are up")
    three[2].kill()
    # At once, before anybody knows: an errno when the call's time is over, never a hang.
    outcome = three[1].sh("cat /dev/sensor/1")
    assert outcome.status == 1 and "/dev/sensor/1" in outcome.err, outcome

    wait_until(lambda: three[1].member("host2")["state"] == "dead", FAIL_OVER_S, "it is given up")
    outcome = three[1].sh("cat /dev/sensor/1")
    assert outcome.status == 1, outcome
    assert "/dev/sensor/1" in outcome.err and "dead" in outcome.err, outcome
    assert len(outcome.err.splitlines()) <= 2

    outcome = three[1].sh("on host:host2 true")
    assert outcome.status == 126 and "host2" in outcome.err, outcome
    three[2].start()
    wait_until(lambda: reachable(three[2]), FAIL_OVER_S, "it is back")
    sensor = three[1].sh("cat /dev/sensor/1 | wc -l").ok()
    assert sensor == "8759\n"


def test_all_hosts_killed_at_once_keep_what_was_acknowledged(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(3)
    for number, directory in enumerate(("first", "second")):
        writer_host = cluster[2 + number]
        writer_host.sh(f"mkdir {directory}").ok()
        writer_host.put(f"{HOME}/write.py", WRITE_FILES.encode())
        with writer_host.shell(f"python3 write.py {directory} 100000 0") as writer:
            assert writer.stdout is not None
            lines = [read_line(writer.stdout) for _ in range(150)]
            cluster.kill_all()
            # What was said before the end counts as well.
            rest, _ = writer.communicate(timeout=60)
        lines += rest.splitlines(keepends=True)
        assert len(acknowledged(lines)) >= 150, lines[-3:]

        began = time.monotonic()
        cluster.up()
        print(f"up again after {time.monotonic() - began:.1f} s")

        for host in cluster.hosts:
            wait_until(lambda h=host: reachable(h), FAIL_OVER_S, f"{host.name} is up")
        assert_whole(cluster[1], directory, acknowledged(lines))
        if number:
            assert cluster[3].names(f"{HOME}/first"), "the first round's files are gone"
