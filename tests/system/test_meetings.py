"""FIFOs and unix sockets with a name in the tree, where a host has no name space: the programs of
one host meet there."""

from collections.abc import Iterator

import pytest

from tests.programs.python.conftest import PROGRAMS
from tests.system.support import HOME, Cluster, read_line

FORKSERVER = """\
import multiprocessing
def double(number):
    return 2 * number
if __name__ == "__main__":
    with multiprocessing.get_context("forkserver").Pool(2) as pool:
        print(pool.map(double, range(5)))
"""


@pytest.fixture(scope="module")
def alone() -> Iterator[Cluster]:
    cluster = Cluster(1, {"host1": 'context = "instrumented"\n'})
    yield cluster
    cluster.close()


def test_programs_of_one_host_meet_by_name(alone: Cluster) -> None:
    alone[1].put(f"{HOME}/meetings.py", (PROGRAMS / "meetings.py").read_bytes())

    shown = alone[1].sh("python3 meetings.py").ok().splitlines()

    assert "['through it\\n']" in shown
    assert "'socket' True" in shown and "b'hello'" in shown
    assert "(b'datagram', 'one')" in shown
    assert shown[-4:-2] == ["42", "0"]


def test_a_pool_of_a_fork_server_works(alone: Cluster) -> None:
    alone[1].put(f"{HOME}/pool.py", FORKSERVER.encode())
    assert alone[1].sh("python3 pool.py").ok() == "[0, 2, 4, 6, 8]\n"


def test_shells_meet_at_a_fifo_and_the_runtime_answers_meanwhile(alone: Cluster) -> None:
    alone[1].sh("python3 -c \"import os; os.mkfifo('queue')\"").ok()
    with alone[1].shell("cat < queue") as reader:
        alone[1].sh("echo through > queue").ok()
        assert read_line(reader.stdout) == b"through\n"


def test_a_line_for_the_shell_may_name_the_interpreter(alone: Cluster) -> None:
    program = (
        "import subprocess, sys; print(subprocess.call(sys.executable + ' -c pass', shell=True))"
    )
    alone[1].put(f"{HOME}/line.py", program.encode())
    assert alone[1].sh("python3 line.py; /bin/sh -c 'echo sh'").ok() == "0\nsh\n"
