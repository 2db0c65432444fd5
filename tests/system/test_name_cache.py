"""Names that are kept: what one host changed, every other sees at its next look.

Five programs that do what they are told, line by line: two in name spaces, whose kernels keep names
and attributes, and three under instrumentation, which keep them by themselves; two and two share a
host. What the Runtimes themselves answer is the measure, for they keep nothing.
"""

import ast
import contextlib
import random
import shutil
import stat
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from oneos.errors import FileError
from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, read_line, wait_until

pytestmark = pytest.mark.skipif(bool(no_name_space()), reason=f"no name space: {no_name_space()}")

SETTINGS = {
    "host1": 'context = "namespace"\n',
    "host2": 'context = "auto"\n',
    "host3": 'context = "instrumented"\n',
}
ROUNDS = 250

CHANGES = 100
"""Each other time with a recall on the way while others look: seconds."""

SYSTEM_PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")
"""Named by its path it runs in the name space."""

PUPPET = """
import os, stat, sys, time
def watch(path, last):
    seen, mode = {}, -1
    while mode != last:
        began = time.monotonic()
        mode = stat.S_IMODE(os.stat(path).st_mode)
        seen[mode] = began
    return seen
def look(path):
    try:
        about = os.lstat(path)
    except OSError as error:
        return type(error).__name__
    kind = "d" if stat.S_ISDIR(about.st_mode) else "l" if stat.S_ISLNK(about.st_mode) else "f"
    return kind, oct(stat.S_IMODE(about.st_mode)), about.st_size if kind == "f" else 0
def by_entry():
    return {e.name: e.stat(follow_symlinks=False) for e in os.scandir(".")}
def by_name():
    return {name: os.lstat(name) for name in os.listdir(".")}
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

WATCH = """
const fs = require('fs');
const [path, last] = [process.argv[2], Number(process.argv[3])];
const seen = {};
let mode = fs.statSync(path).mode & 0o7777;
console.log('up');
while (mode !== last) {
  const began = Number(process.hrtime.bigint()) / 1e9;
  mode = fs.statSync(path).mode & 0o7777;
  seen[mode] = began;
}
console.log(JSON.stringify(seen));
"""

READER = """
const fs = require('fs');
const read = (path) => fs.readFileSync(path, 'latin1');
console.log('up');
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  console.log(`'${eval(line)}'`);
});
"""


class Puppet:
    """A program that evaluates what it is sent, and answers."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        assert read_line(process.stdout) == b"up\n"

    def begin(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    def end(self) -> str:
        return read_line(self.process.stdout, 60).decode().strip()

    def __call__(self, line: str) -> str:
        self.begin(line)
        return self.end()


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    cluster = Cluster(3, SETTINGS)
    cluster[1].put(f"{HOME}/puppet.py", PUPPET.encode())
    cluster[1].put(f"{HOME}/watch.js", WATCH.encode())
    cluster[1].put(f"{HOME}/reader.js", READER.encode())
    yield cluster
    cluster.close()


@pytest.fixture
def puppets(hosts: Cluster) -> Iterator[list[Puppet]]:
    with contextlib.ExitStack() as stack:
        yield [
            Puppet(stack.enter_context(hosts[host].shell(f"{python} puppet.py")))
            for host, python in (
                (1, "python3"),
                (2, SYSTEM_PYTHON or "python3"),
                (2, "python3"),
                (3, "python3"),
                (3, "python3"),
            )
        ]


def looked(host: Host, name: str) -> object:
    """What a puppet's `look` gives, by a request that nobody answers from memory."""
    try:
        attr = host.ask("stat", f"{HOME}/n/{name}".encode(), False)
    except FileError as error:
        return {2: "FileNotFoundError", 20: "NotADirectoryError"}[error.errno]
    mode: int = attr[0]
    kind = "d" if stat.S_ISDIR(mode) else "l" if stat.S_ISLNK(mode) else "f"
    return kind, oct(stat.S_IMODE(mode)), attr[6] if kind == "f" else 0


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


def test_no_look_is_older_than_the_last_change_on_any_host(
    hosts: Cluster, puppets: list[Puppet]
) -> None:
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
        truth = [looked(hosts[number % 3 + 1], name) for name in names]
        there = sorted(hosts[number % 3 + 1].names(f"{HOME}/n"))
        for puppet in puppets:
            about = (seed, number, puppets.index(actor), puppets.index(puppet), done, outcome)
            shown = puppet(f"[look(name) for name in {names!r}], sorted(os.listdir('.'))")
            assert ast.literal_eval(shown) == (truth, there), about
            assert puppet("by_entry() == by_name()") == "True", about


def test_looks_under_way_while_a_change_is_answered_show_it_or_are_not_kept(
    hosts: Cluster, puppets: list[Puppet]
) -> None:
    writer, *watchers = puppets[3], *puppets[:3], puppets[4]
    writer("write('watched', '') or os.chmod('watched', 0)")
    with contextlib.ExitStack() as stack:
        if shutil.which("node"):
            command = f"node watch.js watched {CHANGES}"
            shells = [stack.enter_context(hosts[number].shell(command)) for number in (2, 3)]
            in_node = [Puppet(shell) for shell in shells]
        else:
            in_node = []
        for puppet in watchers:
            puppet.begin(f"watch('watched', {CHANGES})")
        check_watched(writer, watchers + in_node)


def check_watched(writer: Puppet, watchers: list[Puppet]) -> None:
    """Change the mode of what is watched, again and again; nobody may have seen it late."""
    work = f"[os.chmod('watched', n) or time.monotonic() for n in range(1, {CHANGES + 1})]"
    returned = ast.literal_eval(writer(work))
    for puppet in watchers:
        for mode, began in ast.literal_eval(puppet.end()).items():
            # What stands at `mode` is when the change returned that made something else of it.
            late = int(mode) < CHANGES and began > returned[int(mode)]
            assert not late, (mode, watchers.index(puppet))


def test_what_is_written_while_it_is_open_shows_its_size_everywhere(
    puppets: list[Puppet],
) -> None:
    for puppet in puppets:
        puppet("look('w')")
    for number, writer in enumerate(puppets):
        name = f"w{number % 2}"
        writer(f"globals().update(file=open({name!r}, 'ab', buffering=0))")
        size = int(writer(f"os.stat({name!r}).st_size"))
        for _ in range(20):
            writer("file.write(b'0123456789')")
            size += 10
            assert {int(p(f"os.stat({name!r}).st_size")) for p in puppets} == {size}
        writer("file.close()")
        assert {int(p(f"os.stat({name!r}).st_size")) for p in puppets} == {size}


def test_reader_that_opens_a_file_again_without_asking_reads_what_others_wrote(
    hosts: Cluster, puppets: list[Puppet]
) -> None:
    with contextlib.ExitStack() as stack:
        in_node = []
        if shutil.which("node"):
            in_node = [Puppet(stack.enter_context(hosts[3].shell("node reader.js")))]
        check_reading(puppets, puppets + in_node)


def check_reading(puppets: list[Puppet], readers: list[Puppet]) -> None:
    """Have one append and all read, those too that hold the file open; again and again."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    texts = {"t0": "", "t1": ""}
    held: dict[Puppet, str] = {}
    for number in range(60):
        name, writer = rng.choice(list(texts)), rng.choice(puppets)
        writer(f"write({name!r}, '{number} ')")
        texts[name] += f"{number} "
        for puppet in readers:
            about = (seed, number, puppets.index(writer), readers.index(puppet))
            for path, text in texts.items():
                if text:
                    assert puppet(f"read({path!r})") == repr(text), about
            if puppet in held:
                assert puppet("file.seek(0), file.read()") == repr((0, texts[held[puppet]])), about
        puppet = rng.choice(puppets)
        if held.pop(puppet, None):
            puppet("file.close()")
        elif texts[name]:
            puppet(f"globals().update(file=open({name!r}))")
            held[puppet] = name


def test_file_is_open_at_its_home_also_where_nobody_was_asked(puppets: list[Puppet]) -> None:
    other, reader = puppets[2], puppets[3]
    reader("write('u', 'mine')")
    # The answer to the first is of a file that was being written a moment ago.
    for _ in range(3):
        assert reader("read('u')") == "'mine'"
    reader("globals().update(file=open('u'))")
    assert reader("open.__self__.descriptors.table[file.fileno()].h") == "0"
    assert reader("os.fstat(file.fileno()) == os.stat('u')") == "True"
    other("globals().update(more=open('u', 'a'))")
    other("more.write(' and theirs'), more.flush()")
    assert reader("file.read()") == "'mine and theirs'"
    assert reader("os.fstat(file.fileno()).st_size") == "15"
    # Once nobody has it open there, it can be at home elsewhere.
    other("more.close()")
    reader("file.close()")
    other("globals().update(more=open('u', 'a'))")
    assert other("open.__self__.descriptors.table[more.fileno()].kind") == "'fd'"
    other("more.close()")


def test_hosts_that_change_one_directory_do_not_wait_for_each_other(
    hosts: Cluster, puppets: list[Puppet]
) -> None:
    puppets[0]("os.mkdir('busy')")
    work = "[(write(f'busy/%d-{n}', 'x'), os.unlink(f'busy/%d-{n}')) for n in range(60)] and 'done'"
    for number, puppet in enumerate(puppets):
        puppet.begin(work.replace("%d", str(number)))
    for puppet in puppets:
        assert puppet.end() == "'done'"
    assert {puppet("os.listdir('busy')") for puppet in puppets} == {"[]"}


def test_the_hosts_own_directories_stay_where_they_are(puppets: list[Puppet]) -> None:
    for number in range(20):
        puppets[2](f"os.mkdir('m{number}')")
        assert puppets[0]("os.path.exists('/usr/bin/env')") == "True"
        assert puppets[0]("os.path.exists('/dev/null')") == "True"


def test_program_whose_runtime_is_stopped_shows_nothing_that_changed_elsewhere(
    hosts: Cluster,
) -> None:
    """It keeps nothing beyond the time that others wait for its host, and asks in vain then."""
    with contextlib.ExitStack() as stack:
        near, far = (
            Puppet(stack.enter_context(hosts[number].shell("python3 puppet.py")))
            for number in (1, 3)
        )
        near("write('r', 'x')")
        runtime = hosts[3].runtime()
        assert runtime is not None
        assert far("look('r')") == "('f', '0o644', 1)"
        runtime.suspend()
        try:
            assert near("os.unlink('r')") == "None"
            far.begin("look('r')")
        finally:
            runtime.resume()
        # The Runtime learns that it was given up, and its programs end with it.
        assert "'f'" not in far.end()
    wait_until(
        lambda: (
            hosts[3].sh("python3 -c 'import os; print(os.path.exists(\"r\"))'").text == "False\n"
        ),
        60,
        "it is back and sees what happened",
    )


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
    reader, writer = puppets[1], puppets[3]
    names = [f"l/{number}" for number in range(8)]
    writer(f"os.mkdir('l'), [os.mkdir(name) for name in {names!r}]")
    for changer in (writer, reader):
        reader("os.listdir('l'), look('l/0')")
        changer("os.chmod('l/7', 0o700), os.rmdir('l/6'), os.rename('l/5', 'l/4')")
        seen = [puppet(f"[look(name) for name in {names!r}]") for puppet in puppets]
        assert seen[0] == seen[1] == seen[2]
        changer("os.chmod('l/7', 0o755), os.mkdir('l/6'), os.mkdir('l/5')")
