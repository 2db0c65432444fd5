"""Python programs start as forks of a warm interpreter, and nobody can tell but by the clock."""

import os
import signal
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.support.namespaces import no_name_space
from tests.support.terminal import person
from tests.system.support import HOME, ONEOS, USER, Cluster, Host, read_line, wait_until

SOON_S = 60.0


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


# --- plain programs of the name space -----------------------------------------------------------
inside = pytest.mark.skipif(
    bool(no_name_space()) or os.getuid() != 0,
    reason=no_name_space() or "warm in the name space only as root",
)

SEEN = """
import sys
loaded = sorted(sys.modules)
import os, resource, signal
print(loaded)
print(sys.argv, sys.flags, sys.executable, sys.path, sys.prefix, sys.getrecursionlimit())
print(sorted(globals()), __name__, __builtins__, sorted(os.environ.items()))
print([signal.getsignal(number) for number in sorted(signal.valid_signals())])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), os.umask(0), os.getcwd())
print(os.getppid(), os.getpgrp() == os.getpid(), os.getsid(0), resource.getrlimit(7))
for name in ("comm", "environ"):
    print(open("/proc/self/" + name).read())
# One that can move has a thread that waits for that, out of the way; `threading` knows it not.
print(os.readlink("/proc/self/exe"), sorted(n for n in os.listdir("/proc/self/fd") if len(n) < 3))
kinds = ("CapEff", "CapAmb", "SigBlk", "SigIgn")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print([(kind, status[kind]) for kind in kinds], int(status["SigCgt"], 16) & 0x7fffffff)
print(sys.stdin, sys.stdout, sys.stderr, sys.stdout.line_buffering, sys.stderr.line_buffering)
import ctypes, random, socket, threading
print(threading.active_count())
assert ctypes.CDLL(None).getpid() == threading.get_native_id() == os.getpid()
print(sys.orig_argv == open("/proc/self/cmdline").read().split(chr(0))[:-1], sys.orig_argv[-1])
"""

MESS = """
import ctypes, json, os, resource, signal, socket, sys
os.environ["LEFT"] = "x"
os.umask(0)
os.chdir("/")
os.dup2(os.open("/dev/null", os.O_RDONLY), 77)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
sys.path.append("/left"); sys.setrecursionlimit(99); sys.modules["left"] = sys
"""

SEED = "python3 -c 'print(hash(chr(120)))'"
"""Two programs that print the same were forked from one interpreter."""


@pytest.fixture(scope="module")
def native() -> Iterator[Host]:
    """A host whose Python programs run in its name space."""
    cluster = Cluster(1, {"host1": 'context = "namespace"\n'})
    yield cluster[1]
    cluster.close()


def warm_inside(host: Host) -> None:
    """Return when the next plain program starts warm."""

    def same() -> bool:
        one, other = host.sh(f"{SEED}; {SEED}").text.split()
        return one == other

    wait_until(same, SOON_S, "a warm interpreter")


@inside
def test_a_plain_program_sees_the_same_warm_and_cold_whatever_ran_before(native: Host) -> None:
    for name, text in (("seen.py", SEEN), ("mess.py", MESS)):
        native.put(f"{HOME}/{name}", text.encode())
    warm_inside(native)
    before = "cd /tmp; umask 027; export GIVEN=given; "
    cold = native.sh(f"{before} python3 -X cold=1 {HOME}/seen.py word").ok()
    assert "GIVEN=given" in cold and "LEFT" not in cold
    for _ in range(2):
        assert native.sh(f"{before} python3 {HOME}/seen.py word").ok() == cold
        native.sh(f"python3 {HOME}/mess.py").ok()
    failing = "python3 {} -c 'def f(): raise KeyError(7)\nf()'"
    cold_failure, warm_failure = (native.sh(failing.format(x)) for x in ("-X cold=1", ""))
    assert "KeyError: 7" in cold_failure.err and warm_failure == cold_failure


@inside
def test_a_warm_plain_program_is_stopped_and_killed_by_its_number(native: Host) -> None:
    warm_inside(native)
    wait = "import os, sys; print(os.getpid(), flush=True); print(input()); sys.exit(3)"
    with native.shell(f'python3 -c "{wait}"; echo $?') as shell:
        pid = int(read_line(shell.stdout))
        [shown] = native.running("python3 -c import os")
        assert shown["pid"] == pid
        native.sh(f"kill -s STOP {pid}").ok()
        # As its kernel has it.
        state = f"bash -c 'read -a of </.host/proc/{pid}/stat; echo ${{of[2]}}'"
        wait_until(lambda: native.sh(state).text == "T\n", SOON_S, "it is stopped")
        native.sh(f"kill -s CONT {pid}").ok()
        assert shell.stdin is not None
        shell.stdin.write(b"said\n")
        assert read_line(shell.stdout) == b"said\n"
        assert read_line(shell.stdout) == b"3\n"
    with native.shell(f'python3 -c "{wait}"; echo $?') as shell:
        native.sh(f"kill -s KILL {int(read_line(shell.stdout))}").ok()
        assert read_line(shell.stdout) == b"137\n"


@inside
def test_a_warm_plain_program_obeys_its_terminal(native: Host) -> None:
    with person([*ONEOS, "sh", "--user", USER], {**os.environ, **native.env}) as somebody:
        prompt = f"{HOME}$"
        somebody.see(prompt)

        def seed() -> str:
            somebody.type('python3 -c \'print("se" + "ed", hash(chr(120)), "end")\'\r')
            somebody.see("seed ")
            found = somebody.see(" end")
            somebody.see(prompt)
            return found

        wait_until(lambda: seed() == seed(), SOON_S, "a warm interpreter")
        somebody.type("python3 -c 'print(input(str(6 * 7)) * 2)'\r")
        somebody.see("42")
        somebody.press("\x1a", "[1]+  Stopped")
        somebody.see(prompt)
        somebody.type("fg\r")
        somebody.press("ab\r", "abab")
        somebody.see(prompt)
        somebody.type("python3 -c 'print(input(str(6 * 7)) * 2)'\r")
        somebody.see("42")
        somebody.press("\x03", "KeyboardInterrupt")
        somebody.see(prompt)
        # What is no program does not show.
        assert native.running("python3") == [] == native.running("/")
