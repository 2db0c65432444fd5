"""Names that kernels keep: what one host changed, every other sees at its next look.

Three programs that do what they are told, line by line: two in name spaces, whose kernels keep
names and attributes, and one under instrumentation, which keeps nothing.
"""

import contextlib
import random
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from oneos.runtime.namespace import NameSpace
from tests.system.support import HOME, Cluster, read_line, wait_until

pytestmark = pytest.mark.skipif(bool(NameSpace.why()), reason=f"no name space: {NameSpace.why()}")

SETTINGS = {
    "host1": 'context = "namespace"\n',
    "host2": 'context = "namespace"\n',
    "host3": 'context = "instrumented"\n',
}
ROUNDS = 400

SOON_S = 15.0

PUPPET = """
import os, stat, sys
def look(path):
    try:
        about = os.lstat(path)
    except OSError as error:
        return type(error).__name__
    kind = "d" if stat.S_ISDIR(about.st_mode) else "l" if stat.S_ISLNK(about.st_mode) else "f"
    return kind, oct(stat.S_IMODE(about.st_mode)), about.st_size if kind == "f" else 0
def write(path, text):
    with open(path, "a") as file:
        file.write(text)
def read(path):
    with open(path) as file:
        return file.read()
print("up", flush=True)
for line in sys.stdin:
    try:
        result = eval(line)
    except OSError as error:
        result = type(error).__name__
    print(repr(result), flush=True)
"""


class Puppet:
    """A program that evaluates what it is sent, and answers."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert read_line(process.stdout) == b"up\n"

    def __call__(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        return read_line(self.process.stdout, 60).decode().strip()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    cluster = Cluster(3, SETTINGS)
    cluster[1].put(f"{HOME}/puppet.py", PUPPET.encode())
    yield cluster
    cluster.close()


@pytest.fixture
def puppets(hosts: Cluster) -> Iterator[list[Puppet]]:
    with contextlib.ExitStack() as stack:
        yield [Puppet(stack.enter_context(host.shell("python3 puppet.py"))) for host in hosts.hosts]


def change(rng: random.Random, names: list[str]) -> str:
    """One call that changes something among a few names, or fails to."""
    one, other = rng.choice(names), rng.choice(names)
    return rng.choice(
        [
            f"write({one!r}, 'x' * {rng.randrange(1, 50)})",
            f"os.unlink({one!r})",
            f"os.rename({one!r}, {other!r})",
            f"os.mkdir({one!r})",
            f"os.rmdir({one!r})",
            f"os.chmod({one!r}, {rng.choice([0o600, 0o644, 0o755])})",
            f"os.symlink('c', {one!r})",
            f"os.link({one!r}, {other!r})",
            f"os.truncate({one!r}, {rng.randrange(100)})",
        ]
    )


def test_no_look_is_older_than_the_last_change_on_any_host(puppets: list[Puppet]) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    names = ["a", "b", "c", "d/a", "d/b"]
    puppets[0]("os.mkdir('n'), os.chdir('n'), os.mkdir('d')")
    for puppet in puppets[1:]:
        puppet("os.chdir('n')")
    for number in range(ROUNDS):
        actor = rng.choice(puppets)
        done = change(rng, names)
        outcome = actor(done)
        seen = [puppet(f"[look(name) for name in {names!r}]") for puppet in puppets]
        # The one under instrumentation keeps nothing: it is the measure.
        assert seen[0] == seen[1] == seen[2], (seed, number, puppets.index(actor), done, outcome)
        listed = [puppet("sorted(os.listdir('.'))") for puppet in puppets]
        assert listed[0] == listed[1] == listed[2], (seed, number, done)


def test_what_is_written_while_it_is_open_shows_its_size_everywhere(
    puppets: list[Puppet],
) -> None:
    for puppet in puppets:
        puppet("look('w')")
    for number, writer in enumerate(puppets * 2):
        name = f"w{number % 2}"
        writer(f"globals().update(file=open({name!r}, 'ab', buffering=0))")
        size = int(writer(f"os.stat({name!r}).st_size"))
        for _ in range(20):
            writer("file.write(b'0123456789')")
            size += 10
            assert [int(p(f"os.stat({name!r}).st_size")) for p in puppets] == [size] * 3
        writer("file.close()")
        assert [int(p(f"os.stat({name!r}).st_size")) for p in puppets] == [size] * 3


def test_two_hosts_that_change_one_directory_do_not_wait_for_each_other(
    hosts: Cluster, puppets: list[Puppet]
) -> None:
    puppets[0]("os.mkdir('busy')")
    work = "[(write(f'busy/%d-{n}', 'x'), os.unlink(f'busy/%d-{n}')) for n in range(60)] and 'done'"
    for number, puppet in enumerate(puppets):
        assert puppet.process.stdin is not None
        puppet.process.stdin.write(work.replace("%d", str(number)).encode() + b"\n")
    for puppet in puppets:
        assert read_line(puppet.process.stdout, 60) == b"'done'\n"
    assert [puppet("os.listdir('busy')") for puppet in puppets] == ["[]"] * 3


def test_the_hosts_own_directories_stay_where_they_are(puppets: list[Puppet]) -> None:
    for number in range(20):
        puppets[2](f"os.mkdir('m{number}')")
        assert puppets[0]("os.path.exists('/usr/bin/env')") == "True"
        assert puppets[0]("os.path.exists('/dev/null')") == "True"


def test_suspended_host_does_not_show_others_what_it_kept(hosts: Cluster) -> None:
    """A host that does not answer a recall holds a change up only until it is declared dead."""
    with contextlib.ExitStack() as stack:
        near, far = (
            Puppet(stack.enter_context(host.shell("python3 puppet.py"))) for host in hosts.hosts[:2]
        )
        near("write('s', 'x')")
        assert far("look('s')") == "('f', '0o644', 1)"
        runtime = hosts[2].runtime()
        assert runtime is not None
        stopped = [runtime, *runtime.children(recursive=True)]
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            assert near("os.unlink('s')") == "None"
            states = {x["name"]: x["state"] for x in hosts[1].status()["members"]}
            assert states["host2"] == "dead"
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
    # It starts anew when it learns what became of it.
    wait_until(
        lambda: (
            hosts[2].sh("python3 -c 'import os; print(os.path.exists(\"s\"))'").text == "False\n"
        ),
        60,
        "it is back and sees what happened",
    )


def test_names_that_were_looked_ahead_at_show_what_was_changed_since(
    puppets: list[Puppet],
) -> None:
    _, reader, writer = puppets
    names = [f"l/{number}" for number in range(8)]
    writer(f"os.mkdir('l'), [os.mkdir(name) for name in {names!r}]")
    for changer in (writer, reader):
        reader("os.listdir('l'), look('l/0')")
        changer("os.chmod('l/7', 0o700), os.rmdir('l/6'), os.rename('l/5', 'l/4')")
        seen = [puppet(f"[look(name) for name in {names!r}]") for puppet in puppets]
        assert seen[0] == seen[1] == seen[2]
        changer("os.chmod('l/7', 0o755), os.mkdir('l/6'), os.mkdir('l/5')")
