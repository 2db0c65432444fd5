"""Programs across hosts: ends of pipelines, signals, exit statuses, /proc, and clear refusals."""

import contextlib
import time

import psutil
import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, one_line_error, read_line, wait_until

SOON_S = 60.0
"""For what must not hang: a person would wait so long, and the machine may be busy."""


def os_processes(cluster: Cluster, word: str) -> list[psutil.Process]:
    """Agents of the cluster's Runtimes, as the kernel has them, with a word on the command line."""
    found = []
    for host in cluster.hosts:
        runtime = host.runtime()
        for child in runtime.children(recursive=True) if runtime else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(word in argument for argument in child.cmdline()):
                    found.append(child)
    return found


# --- pipelines ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    [
        "on host:host2 yes | on host:host3 head -n 1",
        "on host:host2 yes | head -n 1",
        "yes | on host:host2 head -n 1",
    ],
)
def test_a_reader_that_has_enough_ends_the_writer_on_another_host(
    shared: Cluster, line: str
) -> None:
    assert shared[1].sh(line, timeout_s=SOON_S).ok() == "y\n"

    wait_until(lambda: not shared[1].running("yes"), SOON_S, "`yes` ends")
    wait_until(lambda: not os_processes(shared, "yes.py"), SOON_S, "its process ends too")
    assert [p["status"] for p in shared[1].processes() if p["command"] == "yes"][-1] in (1, 141)


def test_the_end_of_input_comes_through_three_hosts(shared: Cluster) -> None:
    line = "on host:host1 cat | on host:host2 cat | on host:host3 wc -c"

    assert shared[2].sh(line, stdin=b"x" * 100_000, timeout_s=SOON_S).ok() == "100000\n"
    assert shared[2].sh(line, stdin=b"", timeout_s=SOON_S).ok() == "0\n"


def test_every_byte_value_comes_through(shared: Cluster) -> None:
    data = bytes(range(256)) * 1000

    assert shared[1].sh("on host:host2 cat | on host:host3 cat", stdin=data).out == data


def test_standard_error_comes_back_from_another_host(shared: Cluster) -> None:
    outcome = shared[1].sh("on host:host3 ls /no/such; echo $?")

    assert outcome.text in ("1\n", "2\n")
    assert "/no/such" in outcome.err and "No such file" in outcome.err


def test_a_failed_redirection_does_not_stop_the_rest(shared: Cluster) -> None:
    outcome = shared[1].sh("on host:host2 cat < /no/such | on host:host3 wc -c")

    assert (outcome.status, outcome.text) == (0, "0\n")
    assert "/no/such" in outcome.err and len(outcome.err.splitlines()) <= 2


def test_the_shells_umask_is_that_of_its_programs_on_any_host(shared: Cluster) -> None:
    prints = "import os; print(oct(os.umask(0)))"
    shared[1].put(f"{HOME}/mask.py", prints.encode())
    shared[1].put(f"{HOME}/mask.sh", b"umask; python3 mask.py")
    lines = [
        "umask 027",
        "python3 mask.py",
        "python3 -R mask.py",
        "on host:host2 python3 mask.py",
        "on host:host3 node -p 'process.umask()'",
        "on host:host2 sh mask.sh",
        "on host:host2 touch masked; ls -l masked",
    ]

    outcome = shared[1].sh("; ".join(lines)).ok().splitlines()
    if not no_name_space():
        native = (
            "umask 027; on host:host2 /usr/bin/env sh -c umask; /usr/bin/touch here; ls -l here"
        )
        mask, listed = shared[1].sh(native).ok().splitlines()
        assert (mask, listed[:10]) == ("0027", "-rw-r-----")

    assert outcome[:3] == ["0o27"] * 3
    assert outcome[3:6] == ["23", "0027", "0o27"]
    assert outcome[-1].startswith("-rw-r-----")


def test_a_program_begins_with_signals_ignored_as_its_shell_has_it(shared: Cluster) -> None:
    look = "import signal as s; print(*(s.getsignal(x) == s.SIG_IGN for x in (2, 3, 15)))"
    # Warm, cold, by a shell that is a program itself, on another host, and native.
    pythons = ["python3", "python3 -B", "sh -c '\"$@\"' sh python3", "on host:host2 python3"]
    if not no_name_space():
        pythons.append("/usr/bin/python3")
    lines = [f'{python} -c "{look}"' for python in pythons]

    # POSIX, 2.11: without job control what runs in the background ignores the first two.
    script = [f"{line} & wait $!" for line in lines] + ["trap '' TERM"] + lines
    outcome = shared[1].sh("\n".join(script)).ok().splitlines()

    assert outcome == ["True True False"] * len(lines) + ["False False True"] * len(lines)


# --- exit statuses and signals ------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "python3 -c 'import os; os.killpg(os.getppid(), 15)'",
        "python3 -R -c 'import os; os.killpg(os.getppid(), 15)'",
        "node -e 'process.kill(-process.ppid, 15)'",
        "python3 -c 'import os; os.kill(os.getppid(), 15)'",
    ],
)
def test_a_program_without_a_parent_signals_nobody_by_its_parents_number(
    shared: Cluster, line: str
) -> None:
    outcome = shared[1].sh(line, timeout_s=SOON_S)

    assert outcome.status == 1, outcome
    assert "ProcessLookupError" in outcome.err or "ESRCH" in outcome.err
    # Its parent in the kernel is the Runtime.
    assert shared[1].sh("echo here").ok() == "here\n"


@pytest.mark.parametrize("host", ["host1", "host2", "host3"])
def test_exit_statuses_are_those_of_the_program(shared: Cluster, host: str) -> None:
    exits = f"on host:{host} python3 -c 'import sys; sys.exit(42)'"
    killed = f"on host:{host} python3 -c 'import os; os.kill(os.getpid(), 15)'"

    assert shared[1].sh(exits).status == 42
    assert shared[1].sh(killed).status == 143
    assert shared[1].sh(f"on host:{host} true").status == 0
    assert shared[1].sh(f"on host:{host} false").status == 1


@pytest.mark.parametrize(("signal", "status"), [("TERM", 143), ("KILL", 137), ("INT", 130)])
def test_kill_reaches_a_program_on_another_host(shared: Cluster, signal: str, status: int) -> None:
    with shared[1].shell("on host:host2 sleep 1000; echo ended $?") as shell:
        sleeping = wait_until(lambda: shared[3].running("sleep 1000"), SOON_S, "it runs")

        assert shared[3].sh(f"kill -{signal} {sleeping[0]['pid']}").ok() == ""

        out, _ = shell.communicate(timeout=SOON_S)
    assert out == f"ended {status}\n".encode()
    assert not os_processes(shared, "sleep.py")


def test_kill_of_nobody_says_so(shared: Cluster) -> None:
    outcome = shared[1].sh("kill 999999999")

    assert outcome.status == 1 and "o such process" in one_line_error(outcome)


def test_ps_shows_every_host_s_programs_everywhere(shared: Cluster) -> None:
    line = "on host:host2 sleep 777 | on host:host3 sleep 778"
    with shared[1].shell(line):
        for host in shared.hosts:
            text = wait_until(
                lambda h=host: h.sh("ps").text if len(h.running("sleep 77")) == 2 else "",
                SOON_S,
                "ps shows both",
            )
            rows = [row.split() for row in text.splitlines() if "sleep 77" in row]
            assert sorted((row[3], row[-1]) for row in rows) == [("host2", "777"), ("host3", "778")]
        for process in shared[1].running("sleep 77"):
            shared[1].ask("kill", process["pid"], 9)


# --- /proc --------------------------------------------------------------------------------------
def test_proc_tells_of_a_program_on_another_host(shared: Cluster) -> None:
    with shared[1].shell("on host:host2 cat; echo $?") as shell:
        process = wait_until(lambda: shared[3].running("cat"), SOON_S, "it runs")[0]
        there = f"/proc/{process['pid']}"

        assert shared[3].sh(f"cat {there}/host").ok() == "host2\n"
        assert shared[3].sh(f"cat {there}/cmdline").out == b"cat\0"
        status = dict(
            line.split(":\t") for line in shared[3].sh(f"cat {there}/status").ok().splitlines()
        )
        assert status["Host"] == "host2" and status["Pid"] == str(process["pid"])
        assert status["State"].startswith("R") and status["User"] == "alice"
        assert shared[3].sh(f"ls {there}/fd").ok() == "0\n1\n2\n"

        shell.communicate(b"", timeout=SOON_S)
    ended = shared[3].sh(f"cat {there}/status").ok()
    assert "State:\tZ" in ended and "ExitStatus:\t0" in ended


def test_program_is_controlled_and_asked_from_another_host(shared: Cluster) -> None:
    with shared[1].shell("cd /tmp; export GIVEN=yes; on host:host2 cat; echo $?") as shell:
        process = wait_until(lambda: shared[3].running("cat"), SOON_S, "it runs")[0]
        there = f"/proc/{process['pid']}"

        assert shared[3].sh(f"readlink {there}/cwd").ok() == "/tmp\n"
        assert "GIVEN=yes" in shared[3].sh(f"cat {there}/environ").ok().split("\0")
        refused = shared[3].run("sh", "--user", "eve", "-c", f"cat {there}/environ")
        assert "Permission denied" in refused.err
        assert "Invalid argument" in shared[3].sh(f"echo nonsense > {there}/ctl").err

        shared[3].sh(f"echo term > {there}/ctl").ok()
        assert shell.communicate(timeout=SOON_S)[0] == b"143\n"


def test_a_program_s_input_is_written_from_another_host(shared: Cluster) -> None:
    with shared[1].shell("on host:host2 cat") as shell:
        process = wait_until(lambda: shared[3].running("cat"), SOON_S, "it runs")[0]

        assert shared[3].sh(f"echo from afar > /proc/{process['pid']}/fd/0").ok() == ""
        assert shared[2].sh(f"echo from near > /proc/{process['pid']}/fd/0").ok() == ""

        assert shell.stdout is not None
        assert read_line(shell.stdout) + read_line(shell.stdout) == b"from afar\nfrom near\n"
        shell.communicate(b"", timeout=SOON_S)


@pytest.mark.parametrize(("number", "stream"), [(1, "stdout"), (2, "stderr")])
def test_a_program_s_output_is_read_and_written_from_another_host(
    shared: Cluster, number: int, stream: str
) -> None:
    with shared[1].shell("on host:host2 cat") as shell:
        process = wait_until(lambda: shared[3].running("cat"), SOON_S, "it runs")[0]

        assert shared[3].sh(f"echo a word > /proc/{process['pid']}/fd/{number}").ok() == ""

        where = shell.stdout if number == 1 else shell.stderr
        assert where is not None and read_line(where) == b"a word\n"
        shell.communicate(b"", timeout=SOON_S)


def test_what_is_read_from_a_program_s_pipe_is_taken_out_of_it(shared: Cluster) -> None:
    # Both programs are on host2, joined by a kernel pipe that nobody reads: its content is there.
    line = "on host:host2 python3 -c 'import time; print(\"word\", flush=True); time.sleep(600)'"
    with shared[1].shell(f"{line} | on host:host2 sleep 600") as shell:
        process = wait_until(lambda: shared[3].running("python3"), SOON_S, "it runs")[0]

        reading = f"head -c 5 /proc/{process['pid']}/fd/1"
        assert shared[3].sh(reading, timeout_s=SOON_S).ok() == "word\n"

        for found in shared[1].running("python3") + shared[1].running("sleep 600"):
            shared[1].ask("kill", found["pid"], 15)
        shell.communicate(b"", timeout=SOON_S)


# --- refusals -----------------------------------------------------------------------------------
def test_an_unknown_command_is_127(shared: Cluster) -> None:
    outcome = shared[1].sh("nosuchcommand")

    assert outcome.status == 127
    assert "nosuchcommand" in one_line_error(outcome)


def test_an_unknown_command_within_a_pipeline_does_not_stop_the_rest(shared: Cluster) -> None:
    outcome = shared[1].sh("nosuchcommand | on host:host2 wc -c", timeout_s=SOON_S)

    assert (outcome.status, outcome.text) == (0, "0\n")
    assert "nosuchcommand" in outcome.err


@pytest.mark.parametrize("interpreter", ["python3", "node"])
def test_a_program_that_is_not_there_is_named(shared: Cluster, interpreter: str) -> None:
    outcome = shared[1].sh(f"on host:host2 {interpreter} nosuchprogram.x")

    assert outcome.status != 0 and "nosuchprogram.x" in outcome.err


def test_a_path_that_is_not_there_is_127(shared: Cluster) -> None:
    outcome = shared[1].sh("./nosuchprogram.py")

    assert outcome.status == 127 and "nosuchprogram.py" in one_line_error(outcome)


def test_a_file_that_is_no_program_is_126(shared: Cluster) -> None:
    shared[1].put(f"{HOME}/data.bin", b"\x7fELF\0\0\0")

    outcome = shared[1].sh("./data.bin")

    assert outcome.status == 126 and "data.bin" in one_line_error(outcome)


def test_a_host_that_is_not_there_is_named(shared: Cluster) -> None:
    outcome = shared[1].sh("on host:nosuch true")

    assert outcome.status == 126 and "nosuch" in one_line_error(outcome)


def test_a_device_that_is_not_there_is_named(shared: Cluster) -> None:
    outcome = shared[1].sh("cat /dev/sensor/99")

    assert outcome.status == 1 and "/dev/sensor/99" in one_line_error(outcome)


def test_a_sensor_cannot_be_written(shared: Cluster) -> None:
    outcome = shared[1].sh("echo 1 > /dev/sensor/1")

    assert outcome.status != 0
    assert "ermission denied" in one_line_error(outcome) and "/dev/sensor/1" in outcome.err


# --- the person leaves --------------------------------------------------------------------------
def test_output_of_a_program_elsewhere_ends_with_its_reader(shared: Cluster) -> None:
    with shared[1].shell("on host:host2 yes") as shell:
        assert shell.stdout is not None and read_line(shell.stdout) == b"y\n"
        shell.stdout.close()

        wait_until(lambda: not shared[1].running("yes"), SOON_S, "`yes` gets its SIGPIPE")
        assert shell.wait(timeout=SOON_S) in (1, 141)


def test_slow_devices_give_line_after_line(shared: Cluster) -> None:
    began = time.monotonic()

    text = shared[1].sh("on host:host3 head -n 5 /dev/sensor/slow").ok()

    assert text.splitlines()[0] == "date,temp" and len(text.splitlines()) == 5
    assert time.monotonic() - began < SOON_S
