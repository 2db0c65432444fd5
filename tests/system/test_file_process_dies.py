"""The file process is killed under running programs: another takes over, and they do not notice."""

import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from oneos.errors import FileError
from oneos.limits import NAMESPACE_RESTARTS_MAX
from oneos.local.client import Client, OpenFd
from tests.support.namespaces import no_name_space
from tests.system.support import EXAMPLES, HOME, Cluster, Host, alive, read_line, wait_until


def _takes_over() -> bool:
    """Whether this kernel gives a second process what a first one left (Linux 6.9)."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor.split("-")[0])) >= (6, 9)


pytestmark = [
    pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}"),
    pytest.mark.skipif(not _takes_over(), reason="this kernel is older than Linux 6.9"),
]

SOON_S = 60.0
TEMPERATURES = (EXAMPLES / "seattle-temps.csv").read_bytes().splitlines(keepends=True)


def file_process(host: Host) -> psutil.Process | None:
    """The OS process that serves a host's name space, and no other."""
    runtime = host.runtime()
    assert runtime is not None
    for child in runtime.children():
        try:
            if "oneos.fuse.main" in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


def kill_file_process(host: Host) -> None:
    """End it without a word, and wait until another has taken over."""
    served = file_process(host)
    assert served is not None
    before = host.log_tail().count("another has taken over")
    served.send_signal(signal.SIGKILL)

    def followed() -> bool:
        return host.log_tail().count("another has taken over") > before

    wait_until(followed, SOON_S, "another file process")


@contextmanager
def killing(host: Host, times: int) -> Iterator[threading.Event]:
    """Kill the file process so often while something runs; the event is set when that is done."""
    done, failures = threading.Event(), list[BaseException]()

    def kill() -> None:
        try:
            for _ in range(times):
                # Not at the same moment of what it does each time.
                time.sleep(0.2)
                kill_file_process(host)
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield done
    finally:
        thread.join()
    assert not failures, failures


def python(host: Host, name: str, body: str) -> str:
    """A command line for lines of Python, run natively."""
    host.put(f"{HOME}/{name}", body.encode())
    return f"/usr/bin/python3 {name} 2>&1"


def test_what_a_program_has_open_goes_on(three: Cluster) -> None:
    host = three[1]
    body = """
import mmap, os, sys
os.makedirs("k1/sub"); os.chdir("k1")
gone = open("gone", "w+"); os.unlink("gone")
w, a, r = open("w", "w"), open("a", "a"), open("../k1.py")
os.close(os.open("special", os.O_CREAT | os.O_WRONLY)); os.chmod("special", 0o4755)
# The kernel writes none of these by itself.
special = open("special", "a")
facts = open("/proc/self/status"); facts.read(5)
mapped = open("mapped", "w+b"); mapped.truncate(8192)
memory = mmap.mmap(mapped.fileno(), 8192); memory[0:3] = b"one"
files = w, a, special, gone
for file in files:
    print("one", file=file, flush=True)
listing = os.scandir("/usr/bin")
head = r.read(10)
print("ready", flush=True); input()
for file in files:
    print("two", file=file, flush=True)
memory[4096:4099] = b"two"; memory.flush()
r.seek(0)
assert r.read(10) == head
gone.seek(0)
assert gone.read() == "one\\ntwo\\n", gone.read()
for file in files:
    file.close()
for name in "w", "a", "special":
    assert open(name).read() == "one\\ntwo\\n", name
content = open("mapped", "rb").read()
assert content[0:3] + content[4096:4099] == b"onetwo" and len(content) == 8192
os.mkdir("new"); os.rename("new", "sub/new")
print(*sorted(os.listdir(".")), *os.listdir("sub"), os.getcwd(), flush=True)
"""
    with host.shell(python(host, "k1.py", body)) as process:
        assert read_line(process.stdout) == b"ready\n"
        kill_file_process(host)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        shown = read_line(process.stdout, SOON_S)
        assert shown == f"a mapped special sub w new {HOME}/k1\n".encode(), process.stdout
    assert three[2].sh("cat k1/w k1/a").ok() == "one\ntwo\none\ntwo\n"


def test_no_line_is_lost_or_doubled_and_no_change_done_twice(three: Cluster) -> None:
    host = three[1]
    body = """
import os, sys, time
os.chdir("k2")
log = open("log", "a")
os.close(os.open("special", os.O_CREAT | os.O_WRONLY)); os.chmod("special", 0o4755)
# The kernel writes none of these by itself.
special = open("special", "a")
away = open("away", "a")
n = 0
while not os.path.exists("stop"):
    n += 1
    for file in log, special, away:
        print(n, file=file, flush=True)
    with open("reopened", "a") as file:
        print(n, file=file)
    os.close(os.open("x", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.link("x", "l"); os.rename("x", "y"); os.unlink("y"); os.unlink("l")
    os.mkdir("d"); os.rename("d", "e"); os.symlink("e", "s"); os.unlink("s"); os.rmdir("e")
for file in log, special, away:
    file.close()
want = "".join(f"{i + 1}\\n" for i in range(n))
for name in "log", "special", "away", "reopened":
    assert open(name).read() == want, name
print("whole", sorted(os.listdir(".")), n, flush=True)
"""
    command = python(host, "k2.py", body)
    with three[2].shell("mkdir k2; sh -c 'exec 3>>k2/away; echo open; read x'") as holder:
        # Its home is the other host as long as that has it open.
        assert read_line(holder.stdout) == b"open\n"
        with host.shell(command) as process, killing(host, 5) as done:
            done.wait(SOON_S * 5)
            three[2].sh("echo > k2/stop").ok()
            shown = read_line(process.stdout, SOON_S)
            assert shown.startswith(b"whole "), (shown, host.log_tail())
            assert int(shown.split()[-1]) > 3


def test_big_directory_is_listed_whole_and_nothing_twice(three: Cluster) -> None:
    host = three[3]
    body = """
import os
os.mkdir("k3")
names = [f"{n:04d}-{'x' * 220}" for n in range(180)]
for name in names:
    os.mkdir(f"k3/{name}")
listing = os.scandir("k3")
found = [next(listing).name for _ in range(5)]
print("ready", flush=True); input()
os.mkdir("k3/another")
found += [entry.name for entry in listing]
assert len(set(found)) == len(found) and set(found) - {"another"} == set(names), len(found)
print("whole", flush=True)
"""
    with host.shell(python(host, "k3.py", body)) as process:
        assert read_line(process.stdout, SOON_S) == b"ready\n"
        kill_file_process(host)
        assert process.stdin is not None
        process.stdin.write(b"\n")
        assert read_line(process.stdout, SOON_S) == b"whole\n"


def test_reader_of_a_device_gets_every_reading(three: Cluster) -> None:
    host = three[3]
    lines: list[bytes] = []
    with host.shell("/usr/bin/cat /dev/sensor/slow") as process:
        lines.append(read_line(process.stdout))
        with killing(host, 3) as done:
            while not done.is_set() or len(lines) < 15:
                lines.append(read_line(process.stdout, SOON_S))
    assert lines == TEMPERATURES[: len(lines)]


def test_select_on_a_device_is_told(three: Cluster) -> None:
    body = """
import os, select
fd = os.open("/dev/sensor/slow", os.O_RDONLY | os.O_NONBLOCK)
print("ready", flush=True); input()
for _ in range(5):
    assert select.select([fd], [], [], 15)[0]
    assert os.read(fd, 4096)
print("told", flush=True)
"""
    with three[1].shell(python(three[1], "k4.py", body)) as process:
        assert read_line(process.stdout) == b"ready\n"
        assert process.stdin is not None
        process.stdin.write(b"\n")
        kill_file_process(three[1])
        assert read_line(process.stdout, SOON_S) == b"told\n"


def test_read_that_waits_can_be_broken_off_and_is_answered_later(three: Cluster) -> None:
    body = """
import os, signal
class Alarm(Exception):
    pass
def ring(*_):
    raise Alarm
signal.signal(signal.SIGUSR1, ring)
fd = os.open("/topic/k7", os.O_RDONLY)
for _ in range(2):
    print("ready", os.getpid(), flush=True)
    try:
        print(os.read(fd, 100), flush=True)
    except Alarm:
        print("alarm", flush=True)
"""
    host = three[1]
    with host.shell(python(host, "k7.py", body)) as process:
        pid = read_line(process.stdout).split()[1].decode()
        kill_file_process(host)
        host.sh(f"kill -USR1 {pid}").ok()
        assert read_line(process.stdout, SOON_S) == b"alarm\n"
        assert read_line(process.stdout).startswith(b"ready ")
        kill_file_process(host)
        host.sh("echo told > /topic/k7").ok()
        assert read_line(process.stdout, SOON_S) == b"b'told\\n'\n"


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_git_and_sqlite_go_on(three: Cluster) -> None:
    host = three[2]
    body = """
import sqlite3, subprocess, os
os.chdir("k5")
def git(*words):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=b", *words], check=True,
                   stdout=subprocess.DEVNULL)
git("init", "-q")
database = sqlite3.connect("d.db")
database.execute("create table t (n integer)")
n = 0
while not os.path.exists("stop") or n < 3:
    n += 1
    with open("f", "w") as file:
        print(n, file=file)
    git("add", "f"); git("commit", "-q", "-m", str(n))
    with database:
        database.execute("insert into t values (?)", (n,))
count = subprocess.run(["git", "rev-list", "--count", "HEAD"], capture_output=True, text=True)
rows = database.execute("select count(*), max(n) from t").fetchone()
git("fsck", "--strict")
assert database.execute("pragma integrity_check").fetchone() == ("ok",)
print(n == int(count.stdout) and rows == (n, n), count.stdout.strip(), rows, flush=True)
"""
    with host.shell("mkdir k5; " + python(host, "k5.py", body)) as process:
        wait_until(lambda: f"{HOME}/k5/d.db" in host.sh("ls -d ~/k5/*").text, SOON_S, "a database")
        with killing(host, 3) as done:
            done.wait(SOON_S * 3)
        three[1].sh("echo > k5/stop").ok()
        shown = read_line(process.stdout, 60)
        assert shown.startswith(b"True "), (shown, host.log_tail())


def test_one_that_dies_again_and_again_is_given_up_and_the_next_program_runs(
    make_cluster: Callable[[int], Cluster],
) -> None:
    host = make_cluster(1)[1]
    with host.shell("/usr/bin/sh -c 'echo up; read x; /usr/bin/cat n; echo $?'") as process:
        assert read_line(process.stdout) == b"up\n"
        for _ in range(NAMESPACE_RESTARTS_MAX):
            kill_file_process(host)
        served = file_process(host)
        assert served is not None
        served.kill()
        wait_until(lambda: "once too often" in host.log_tail(), SOON_S, "a word in the log")
        assert process.stdin is not None
        process.stdin.write(b"\n")
        # What the host has is there still; every path of the tree leads to an error.
        assert read_line(process.stdout, SOON_S) == b"1\n"
    assert host.sh("/usr/bin/echo again").ok() == "again\n"


def test_nobody_hangs_when_the_runtime_dies_with_it(make_cluster: Callable[[int], Cluster]) -> None:
    host = make_cluster(1)[1]
    with host.shell("/usr/bin/sh -c 'echo up; read x; exec /usr/bin/cat n'") as process:
        assert read_line(process.stdout) == b"up\n"
        runtime, served = host.runtime(), file_process(host)
        assert runtime is not None and served is not None and process.stdin is not None
        served.send_signal(signal.SIGSTOP)
        process.stdin.write(b"\n")

        def waiting() -> list[psutil.Process]:
            return [
                x for x in served.children(recursive=True) if x.cmdline()[:1] == ["/usr/bin/cat"]
            ]

        wait_until(lambda: bool(waiting()), SOON_S, "a program that opens a file")
        programs = served.children(recursive=True)
        runtime.kill()
        served.kill()
        wait_until(lambda: not any(map(alive, programs)), SOON_S, "the end of its programs")
    host.start()
    wait_until(lambda: host.sh("/usr/bin/echo y").text == "y\n", 60, "native programs run again")


def test_change_asked_for_again_by_a_successor_is_not_done_twice(three: Cluster) -> None:
    directory, name = f"{HOME}/k6".encode(), f"{HOME}/k6/new".encode()
    create = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND
    with Client(three[1].socket, shared="k6") as held, Client(three[1].socket) as other:
        # As the Runtime holds them: without a word they would end with those who opened them.
        held.call("stat", b"/")
        with Client(three[1].socket, shared="k6") as first:
            for number in 2, 2:
                first.serves(number)
                assert first.change("mkdir", directory, 0o755, ()) is None
            with pytest.raises(FileError) as raised:
                other.call("mkdir", directory, 0o755)
            assert raised.value.errno == errno.EEXIST
            first.serves(4)
            made = first.open(name, create, 0o644)
            text = first.open(b"/runtime/host2/versions", os.O_RDONLY)
            assert isinstance(made, OpenFd) and isinstance(text, OpenFd)
            assert made.handle is not None and text.handle is not None
            os.write(made.fd, b"kept")
            shown = os.pread(text.fd, 4096, 0)
            os.close(made.fd)
            os.close(text.fd)
        assert held.call("fstat", made.handle)[6] == 4
        with Client(three[1].socket, shared="k6") as second:
            second.call("take_over", [text.handle])
            again = second.adopt(text.handle, os.O_RDONLY)
            assert isinstance(again, OpenFd) and os.pread(again.fd, 4096, 0) == shown
            os.close(again.fd)
            with pytest.raises(FileError) as raised:
                second.adopt(made.handle, create)
            assert raised.value.errno == errno.EBADF
            second.serves(4)
            opened = second.open(name, create | os.O_TRUNC, 0o644)
            assert isinstance(opened, OpenFd) and os.pread(opened.fd, 9, 0) == b"kept"
            os.close(opened.fd)
            second.serves(6)
            with pytest.raises(FileError) as raised:
                second.open(name, create, 0o644)
            assert raised.value.errno == errno.EEXIST
    with Client(three[1].socket) as stranger, pytest.raises(FileError) as raised:
        stranger.call("take_over", [])
    assert raised.value.errno == errno.EPERM
