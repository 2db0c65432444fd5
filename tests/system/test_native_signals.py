"""`kill(2)` of native programs: it reaches any process that `ps` shows, on whatever host and in
whatever context, and fails as POSIX says."""

import signal

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, read_line, wait_until

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

SOON_S = 60.0

LISTENS = """\
import os, signal, sys
numbers = [signal.SIGUSR1, signal.SIGTERM]
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print(os.getpid(), flush=True)
print(signal.Signals(signal.sigwait(numbers)).name)
"""

KILLERS = {
    "kill": "/usr/bin/kill -USR1 {pid}",
    "bash": "/usr/bin/bash -c 'kill -USR1 {pid}'",
    "python in the name space": (
        "/usr/bin/env python3 -c 'import os, sys; os.kill(int(sys.argv[1]), 10)' {pid}"
    ),
    "native child of an instrumented program": (
        "python3 -c 'import os, sys; sys.exit(os.system(sys.argv[1]))' 'kill -USR1 {pid}'"
    ),
}

TARGETS = {
    "native at another host": ("host2", "/usr/bin/env python3 listens.py"),
    "instrumented at another host": ("host2", "python3 listens.py"),
    "instrumented at the same host": ("host1", "python3 listens.py"),
    "child of a native program at another host": (
        "host2",
        "/usr/bin/bash -c '/usr/bin/env python3 listens.py; :'",
    ),
}


@pytest.fixture(scope="module", autouse=True)
def program(shared: Cluster) -> None:
    shared[1].put(f"{HOME}/listens.py", LISTENS.encode())


@pytest.mark.parametrize("target", TARGETS)
def test_kill_by_any_native_program_reaches_a_process_anywhere(
    shared: Cluster, target: str
) -> None:
    host, line = TARGETS[target]
    for killer in KILLERS.values():
        with shared[1].shell(f"on host:{host} {line}") as process:
            pid = int(read_line(process.stdout))
            shared[1].sh("on host:host1 " + killer.format(pid=pid)).ok()
            assert read_line(process.stdout) == b"SIGUSR1\n", killer


def test_kill_tells_whether_a_process_of_another_host_is_there(shared: Cluster) -> None:
    text = """\
import errno, os, sys
for pid, number in ((int(sys.argv[1]), 0), (int(sys.argv[1]), 99), (2 ** 20 - 5, 15)):
    try:
        os.kill(pid, number)
        print("there")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    shared[1].put(f"{HOME}/probes.py", text.encode())
    line = "on host:host1 /usr/bin/env python3 probes.py"
    with shared[1].shell("on host:host2 python3 listens.py") as process:
        pid = int(read_line(process.stdout))
        assert shared[1].sh(f"{line} {pid}").ok().split() == ["there", "EINVAL", "ESRCH"]
        shared[1].sh(f"on host:host1 /usr/bin/kill {pid}").ok()
        assert read_line(process.stdout) == b"SIGTERM\n"
        process.wait(SOON_S)
    # It has ended, and is still in the table.
    wait_until(
        lambda: shared[1].sh(f"{line} {pid}").ok().split()[0] == "ESRCH", SOON_S, "it is gone"
    )


def test_kill_of_a_group_at_another_host_reaches_all_of_it(shared: Cluster) -> None:
    line = "/usr/bin/bash -c 'echo $$; /usr/bin/sleep 663 & /usr/bin/sleep 663 & wait'"
    with shared[1].shell(f"on host:host2 {line}") as process:
        group = int(read_line(process.stdout))
        wait_until(
            lambda: len(shared[1].running("/usr/bin/sleep 663")) == 2, SOON_S, "all of it is there"
        )
        shared[1].sh(f"on host:host1 /usr/bin/kill -TERM -- -{group}").ok()
        assert process.wait(SOON_S) == 128 + signal.SIGTERM
    wait_until(lambda: not shared[1].running("/usr/bin/sleep 663"), SOON_S, "all of it has ended")
