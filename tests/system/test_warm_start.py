"""Python programs start as forks of a warm interpreter, and nobody can tell but by the clock."""

import os
import signal
from collections.abc import Callable

import psutil

from tests.system.support import HOME, Cluster, Host, read_line, wait_until

SOON_S = 15.0


def warm_interpreters(host: Host) -> list[psutil.Process]:
    """The children of a host's Runtime that have become no program."""
    runtime = host.runtime()
    assert runtime is not None
    return [child for child in runtime.children() if "Z" in child.cmdline()]


def test_python_programs_are_forked_from_one_warm_interpreter(
    make_cluster: Callable[[int], Cluster],
) -> None:
    host = make_cluster(1)[0]
    # A host that runs no Python program pays for none.
    assert warm_interpreters(host) == []
    source = b"import os, sys\nprint(os.getpid(), sys.argv[1])\nsys.stdout.flush()\n"
    host.put(f"{HOME}/wait.py", source + b"sys.stdin.read()\nsys.exit(3)\n")
    host.sh("python3 -c pass").ok()
    [warm] = wait_until(lambda: warm_interpreters(host), SOON_S, "a warm interpreter")

    def forked(word: str) -> bool:
        """Run the program until it is one that was forked; a cold start may be first."""
        with host.shell(f"python3 wait.py {word}; echo $?") as shell:
            pid = int(read_line(shell.stdout).split()[0])
            [shown] = [p for p in host.running("python3 wait.py") if p["pid"] == pid]
            children = warm.children()
            assert shell.stdin is not None
            shell.stdin.close()
            assert read_line(shell.stdout) == b"3\n"
        assert shown["command"].endswith(word)
        return bool(children)

    wait_until(lambda: forked("a"), SOON_S, "a program that was forked")
    # The kernel keeps nothing of it: it was waited for.
    wait_until(lambda: not warm.children(), SOON_S, "the program is gone")

    with host.shell("python3 wait.py b; echo $?") as shell:
        pid = int(read_line(shell.stdout).split()[0])
        [program] = warm.children()
        os.kill(warm.pid, signal.SIGKILL)
        wait_until(lambda: [x for x in warm_interpreters(host) if x != warm], SOON_S, "another one")
        assert program.is_running()
        # A signal through the network reaches it, and its end is known.
        host.sh(f"kill -s KILL {pid}").ok()
        assert read_line(shell.stdout) in (b"137\n", b"128\n")
