"""Locks of files: all programs of all hosts meet in one table, whatever carries their context.

Four kinds of programs use each file: in a name space and instrumented, at the file's home and at
another host.
"""

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, read_line, wait_until
from tests.system.test_file_process_dies import kill_file_process

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

LONG_S = 120.0

LOCKER = """\
import errno, fcntl, os, signal, struct, sys
# Locks a file as it is told, and says what came of it.
file = open(sys.argv[1], "r+b")
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
print("pid", os.getpid(), flush=True)
for line in sys.stdin:
    what, *flags = line.split()
    flags = sum({getattr(fcntl, "LOCK_" + flag) for flag in flags})
    try:
        if what == "close":
            file.close()
        elif what == "open":
            file = open(sys.argv[1], "r+b")
        elif what == "who":
            asked = struct.pack("@hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
            print("who", struct.unpack("@hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))[4])
        else:
            if not flags & (fcntl.LOCK_NB | fcntl.LOCK_UN):
                print("waits", flush=True)
            getattr(fcntl, what)(file, flags)
        print("ok", flush=True)
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
    except Alarm:
        print("alarm", flush=True)
"""

NATIVE, INSTRUMENTED = "/usr/bin/python3", "python3"


class Locker:
    """A program that locks."""

    def __init__(self, host: Host, process: subprocess.Popen[bytes]) -> None:
        self.host = host
        self.process = process
        word, _, pid = read_line(process.stdout, LONG_S).decode().partition(" ")
        assert word == "pid", (word, pid)
        self.pid = int(pid)

    def line(self) -> str:
        return read_line(self.process.stdout, LONG_S).decode().strip()

    def begin(self, command: str) -> None:
        """Tell it to lock, and to wait for that."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        assert self.line() == "waits"

    def do(self, command: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")
        return self.line()

    def is_quiet(self) -> bool:
        assert self.process.stdout is not None
        return not select.select([self.process.stdout], [], [], 0)[0]

    def send(self, number: int) -> None:
        self.host.ask("kill", self.pid, number)


Start = Callable[[Host, str, str], Locker]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs that end with the test."""
    with ExitStack() as stack:

        def begin(host: Host, interpreter: str, path: str) -> Locker:
            line = f"{interpreter} locker.py {path} 2>&1"
            return Locker(host, stack.enter_context(host.shell(line)))

        yield begin


@pytest.fixture(scope="module")
def pair() -> Iterator[Cluster]:
    cluster = Cluster(2)
    cluster[1].put(f"{HOME}/locker.py", LOCKER.encode())
    yield cluster
    cluster.close()


def kinds(cluster: Cluster, start: Start, path: str) -> list[Locker]:
    """One program of each kind; the file's home is the first's host."""
    cluster[1].put(f"{HOME}/{path}", b"content")
    hosts = [(cluster[n], interpreter) for n in (1, 2) for interpreter in (NATIVE, INSTRUMENTED)]
    return [start(host, interpreter, path) for host, interpreter in hosts]


def first_of(programs: list[Locker]) -> Locker:
    """The one that says something first."""
    found = wait_until(lambda: [x for x in programs if not x.is_quiet()], LONG_S, "a lock")
    return found[0]


@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_each_kind_of_program_sees_the_locks_of_every_other(
    pair: Cluster, start: Start, how: str
) -> None:
    programs = kinds(pair, start, f"pairs-{how}")
    for holder in programs:
        others = [x for x in programs if x is not holder]
        assert holder.do(f"{how} EX NB") == "ok"
        assert [x.do(f"{how} SH NB") for x in others] == ["EAGAIN"] * 3
        assert holder.do(f"{how} SH NB") == "ok"
        assert [x.do(f"{how} SH NB") for x in others] == ["ok"] * 3
        assert holder.do(f"{how} EX NB") == "EAGAIN"
        assert [x.do(f"{how} UN") for x in programs] == ["ok"] * 4


def test_who_holds_a_lock_has_the_networks_number(pair: Cluster, start: Start) -> None:
    programs = kinds(pair, start, "who")
    for holder in programs:
        assert holder.do("lockf EX NB") == "ok"
        for other in programs:
            if other is not holder:
                # A kernel shows its programs no number of a process that it does not have there.
                native = other in (programs[0], programs[2])
                assert other.do("who") == f"who {0 if native else holder.pid}"
                assert other.line() == "ok"
        assert holder.do("lockf UN") == "ok"


@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_who_waits_gets_the_lock_that_is_given_up(pair: Cluster, start: Start, how: str) -> None:
    programs = kinds(pair, start, f"waits-{how}")
    for holder in programs:
        others = [x for x in programs if x is not holder]
        assert holder.do(f"{how} EX NB") == "ok"
        for waiter in others:
            waiter.begin(f"{how} SH")
        assert all(waiter.is_quiet() for waiter in others)
        assert holder.do(f"{how} UN") == "ok"
        assert [waiter.line() for waiter in others] == ["ok"] * 3
        assert [x.do(f"{how} UN") for x in others] == ["ok"] * 3
        # Closing it gives it up as well.
        assert holder.do(f"{how} EX NB") == "ok"
        for waiter in others:
            waiter.begin(f"{how} SH")
        assert holder.do("close") == "ok"
        assert [waiter.line() for waiter in others] == ["ok"] * 3
        assert [x.do(f"{how} UN") for x in others] == ["ok"] * 3
        assert holder.do("open") == "ok"


@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_a_killed_program_holds_nothing_and_waits_for_nothing(
    pair: Cluster, start: Start, how: str
) -> None:
    programs = kinds(pair, start, f"killed-{how}")
    while len(programs) > 1:
        holder, *others = programs
        assert holder.do(f"{how} EX NB") == "ok"
        for waiter in others:
            waiter.begin(f"{how} EX")
        # One of those that wait, and the one for which they do.
        killed = others.pop() if len(others) > 1 else None
        if killed is not None:
            killed.send(signal.SIGKILL)
        holder.send(signal.SIGKILL)
        left = list(others)
        while left:
            got = first_of(left)
            assert got.line() == "ok"
            assert got.do(f"{how} UN") == "ok"
            left.remove(got)
        programs = others
        assert [x.do(f"{how} EX NB") for x in programs[:1]] == ["ok"]
        assert programs[0].do(f"{how} UN") == "ok"


@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_a_signal_ends_the_wait_of_a_program_that_goes_on(
    pair: Cluster, start: Start, how: str
) -> None:
    programs = kinds(pair, start, f"signals-{how}")
    holder, *others = programs
    assert holder.do(f"{how} EX NB") == "ok"
    for waiter in others:
        waiter.begin(f"{how} EX")
        waiter.send(signal.SIGALRM)
        assert waiter.line() == "alarm"
    assert holder.do(f"{how} UN") == "ok"
    # None of them has it, or is about to get it.
    for program in programs:
        assert program.do(f"{how} EX NB") == "ok"
        assert program.do(f"{how} UN") == "ok"


COUNT = """\
import fcntl, sys
for _ in range(int(sys.argv[2])):
    with open(sys.argv[1], "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        number = int(file.read())
        file.seek(0)
        file.write(str(number + 1))
        file.flush()
print("counted")
"""


def test_programs_of_two_hosts_count_together_without_losing_one(pair: Cluster) -> None:
    pair[1].put(f"{HOME}/count.py", COUNT.encode())
    pair[1].put(f"{HOME}/counter", b"0")
    with ExitStack() as stack:
        shells = [
            stack.enter_context(pair[n].shell(f"{interpreter} count.py counter 50 2>&1"))
            for n in (1, 2)
            for interpreter in (NATIVE, INSTRUMENTED)
        ]
        assert [read_line(shell.stdout, LONG_S) for shell in shells] == [b"counted\n"] * 4
    assert pair[2].get(f"{HOME}/counter") == b"200"


DATABASE = """\
import sqlite3, sys
base = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
base.execute("create table if not exists entries (who text, number integer)")
for number in range(int(sys.argv[3])):
    base.execute("begin immediate")
    (count,) = base.execute("select count(*) from entries").fetchone()
    base.execute("insert into entries values (?, ?)", (sys.argv[2], count))
    base.execute("commit")
base.close()
print("stored")
"""


def test_a_database_that_two_hosts_write_loses_no_transaction(pair: Cluster) -> None:
    pair[1].put(f"{HOME}/database.py", DATABASE.encode())
    with ExitStack() as stack:
        shells = [
            stack.enter_context(
                pair[n].shell(f"{NATIVE} database.py base host{n} 20 2>&1"),
            )
            for n in (1, 2)
        ]
        assert [read_line(shell.stdout, LONG_S) for shell in shells] == [b"stored\n"] * 2
    check = "import sqlite3; b = sqlite3.connect('base'); print(b.execute('pragma integrity_check')"
    check += ".fetchall(), sorted(b.execute('select number from entries').fetchall()))"
    numbers = [(number,) for number in range(40)]
    shown = pair[2].sh(f'{NATIVE} -c "{check}"').ok()
    assert shown == f"[('ok',)] {numbers}\n"


def _takes_over() -> bool:
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor.split("-")[0])) >= (6, 9)


@pytest.mark.skipif(not _takes_over(), reason="this kernel is older than Linux 6.9")
@pytest.mark.parametrize("how", ["lockf", "flock"])
def test_locks_and_waits_outlast_the_file_process(pair: Cluster, start: Start, how: str) -> None:
    home, _, away, far = kinds(pair, start, f"outlast-{how}")
    for holder, waiter in ((home, away), (away, home)):
        assert holder.do(f"{how} EX NB") == "ok"
        waiter.begin(f"{how} EX")
        kill_file_process(holder.host)
        kill_file_process(waiter.host)
        assert far.do(f"{how} EX NB") == "EAGAIN"
        assert waiter.is_quiet()
        assert holder.do(f"{how} UN") == "ok"
        assert waiter.line() == "ok"
        assert far.do(f"{how} EX NB") == "EAGAIN"
        # What a successor was told by nobody but its predecessor's notes.
        assert waiter.do("close") == "ok"
        assert far.do(f"{how} EX NB") == "ok"
        assert far.do(f"{how} UN") == "ok"
        assert waiter.do("open") == "ok"


def test_locks_of_a_dead_host_are_free_and_those_at_a_dead_home_are_lost(
    make_cluster: Callable[[int], Cluster], start: Start
) -> None:
    cluster = make_cluster(2)
    living, dying = cluster[1], cluster[2]
    living.put(f"{HOME}/locker.py", LOCKER.encode())
    living.put(f"{HOME}/lives", b"content")
    keeper = start(living, NATIVE, "lives")
    holders = [start(dying, interpreter, "lives") for interpreter in (NATIVE, INSTRUMENTED)]
    waiters = [start(living, interpreter, "lives") for interpreter in (NATIVE, INSTRUMENTED)]
    dying.put(f"{HOME}/dies", b"content")
    at_home = start(dying, NATIVE, "dies")
    lost = [start(living, interpreter, "dies") for interpreter in (NATIVE, INSTRUMENTED)]
    assert [x.do("lockf SH NB") for x in holders] == ["ok"] * 2
    assert [x.do("flock SH NB") for x in holders] == ["ok"] * 2
    waiters[0].begin("lockf EX")
    waiters[1].begin("flock EX")
    assert at_home.do("lockf EX NB") == "ok"
    for waiter in lost:
        waiter.begin("lockf EX")
    dying.kill()
    assert [x.line() for x in waiters] == ["ok"] * 2
    assert [x.line() for x in lost] == ["EIO"] * 2
    assert keeper.do("lockf EX NB") == "EAGAIN"


RULES = """\
import errno, fcntl, os, signal, struct, sys
# Prints what locks do, in the words that every system should have for it.
path = sys.argv[1]
READ, WRITE, NONE = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK

def attempt(act, *arguments):
    try:
        act(*arguments)
        return "ok"
    except OSError as error:
        # Both are right for one that is taken.
        return errno.errorcode[error.errno].replace("EACCES", "EAGAIN")

def child(act):
    \"\"\"What `act` gives in a process of its own.\"\"\"
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writing, str(act()).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    return said

def record(file, command, kind, start=0, count=0, whence=0):
    asked = struct.pack("@hhqqi4x", kind, whence, start, count, 0)
    return struct.unpack("@hhqqi4x", fcntl.fcntl(file, command, asked))

def seen(kind=WRITE, start=0, count=0):
    \"\"\"What stands in the way of a process that has nothing.\"\"\"
    def look():
        with open(path, "r+b") as file:
            found = record(file, fcntl.F_GETLK, kind, start, count)
        return found[:1] if found[0] == NONE else (found[0], *found[2:4])
    return child(look)

def taken(how):
    \"\"\"What another process gets.\"\"\"
    def take():
        with open(path, "r+b") as file:
            return attempt(how, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return child(take)

file = open(path, "r+b")
setlk = lambda kind, *where: attempt(record, file, fcntl.F_SETLK, kind, *where)
print("ranges", setlk(WRITE, 0, 10), setlk(READ, 20, 10), seen(), seen(READ, 10), seen(WRITE, 10))
print("split", setlk(NONE, 3, 2), seen(), seen(WRITE, 4), seen(WRITE, 3, 2))
print("changed", setlk(READ, 0, 2), setlk(WRITE, 22, 2), seen(), seen(READ), seen(READ, 10))
print("all", setlk(NONE), seen())
file.seek(4)
print("from here", setlk(WRITE, 1, 3, os.SEEK_CUR), seen(), setlk(NONE))
print("from the end", setlk(WRITE, -2, 0, os.SEEK_END), seen(), setlk(NONE))
print("backwards", setlk(WRITE, 6, -2), seen(), setlk(NONE))
print("before the start", setlk(WRITE, -1, 0), setlk(WRITE, 1, -2))
print("lockf", attempt(os.lockf, file.fileno(), os.F_TLOCK, 3), seen(),
      child(lambda: attempt(os.lockf, file.fileno(), os.F_TEST, 2)),
      attempt(os.lockf, file.fileno(), os.F_ULOCK, 0), seen())
print("whole", attempt(fcntl.lockf, file, fcntl.LOCK_EX), seen(), taken(fcntl.lockf))
print("a child has none", child(lambda: setlk(READ)))
copy = os.dup(file.fileno()); os.close(copy)
print("closed a copy", seen(), setlk(WRITE))
open(path, "rb").close()
print("closed another", seen())
with open(path, "rb") as reader:
    print("to read", attempt(fcntl.lockf, reader, fcntl.LOCK_SH), seen(),
          attempt(fcntl.lockf, reader, fcntl.LOCK_EX))
print("closed", seen())

flock = lambda how: attempt(fcntl.flock, file, how | fcntl.LOCK_NB)
print("flock", flock(fcntl.LOCK_EX), taken(fcntl.flock), taken(fcntl.lockf))
copy = os.dup(file.fileno()); os.close(copy)
open(path, "rb").close()
print("closed others", taken(fcntl.flock), child(lambda: flock(fcntl.LOCK_EX)))
print("given up by a child", child(lambda: flock(fcntl.LOCK_UN)), taken(fcntl.flock))
print("shared", flock(fcntl.LOCK_SH), taken(fcntl.flock), attempt(fcntl.flock, file, 77))
other = open(path, "r+b")
print("twice in one", attempt(fcntl.flock, other, fcntl.LOCK_EX | fcntl.LOCK_NB))
other.close()
file.close()
print("closed", taken(fcntl.flock))

file, other = open(path, "r+b"), open(path, "r+b")
ofd = lambda which, kind, *where: attempt(record, which, fcntl.F_OFD_SETLK, kind, *where)
print("of an open file", ofd(file, WRITE, 0, 5), ofd(other, READ, 4, 1), ofd(other, READ, 5, 1),
      taken(fcntl.lockf), child(lambda: ofd(file, WRITE, 0, 3)), setlk(WRITE, 0, 1))
open(path, "rb").close()
print("closed another", ofd(other, READ, 4, 1), record(other, fcntl.F_OFD_GETLK, READ)[:4])
file.close()
print("closed", ofd(other, WRITE, 0, 5))
other.close()

# Held by one that is killed, while its child has the file too.
reading, writing = os.pipe()
gone, left = os.pipe()
pid = os.fork()
if not pid:
    with open(path, "rb") as file:
        fcntl.lockf(file, fcntl.LOCK_SH)
        if not os.fork():
            os.write(writing, b"x")
            os.close(left)
            os.read(gone, 1)
            os._exit(0)
        signal.pause()
os.close(gone)
os.read(reading, 1)
print("held", seen())
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
file = open(path, "r+b")
print("killed", attempt(fcntl.lockf, file, fcntl.LOCK_EX))
os.close(left)

# Two that wait for each other.
record(file, fcntl.F_SETLK, NONE)
record(file, fcntl.F_SETLK, WRITE, 0, 1)
reading, writing = os.pipe()
pid = os.fork()
if not pid:
    mine = open(path, "r+b")
    record(mine, fcntl.F_SETLK, WRITE, 1, 1)
    os.write(writing, b"x")
    said = attempt(record, mine, fcntl.F_SETLKW, WRITE, 0, 1)
    mine.close()
    os._exit(said.startswith("EDEADL"))
os.read(reading, 1)
said = attempt(record, file, fcntl.F_SETLKW, WRITE, 1, 1)
file.close()
print("one of two", said.startswith("EDEADL") + os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.parametrize("number", [1, 2], ids=["at home", "away"])
@pytest.mark.parametrize("interpreter", [NATIVE, INSTRUMENTED], ids=["native", "instrumented"])
def test_locks_have_the_rules_of_the_hosts_own_kernel(
    pair: Cluster, start: Start, tmp_path: Path, interpreter: str, number: int
) -> None:
    script, content = tmp_path / "rules.py", tmp_path / "file"
    script.write_text(RULES, encoding="utf-8")
    content.write_bytes(b"0123456789")
    command = [NATIVE, str(script), str(content)]
    expected = subprocess.run(command, capture_output=True, check=True, timeout=LONG_S)
    pair[1].put(f"{HOME}/rules.py", RULES.encode())
    pair[1].put(f"{HOME}/ruled", b"0123456789")
    keeper = start(pair[1], NATIVE, "ruled")
    shown = pair[number].sh(f"{interpreter} rules.py ruled 2>&1").text
    assert shown == expected.stdout.decode()
    assert keeper.do("lockf EX NB") == "ok"
