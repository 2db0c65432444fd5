"""kill -9 exactly at a step: what was answered is there, the rest is done or is not, and all go on.

The steps are those of `oneos.failpoints`. Two programs on two hosts make a small history of files;
the host that is to die is one of theirs, or the one that holds a service.
"""

import contextlib
import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from oneos import failpoints
from oneos.errors import OneOSError
from oneos.limits import INDEX_COMPACT_EVERY_RECORDS
from oneos.state.names_types import Inode
from oneos.storage.index import SqliteNames
from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, Host, alive, reachable, wait_until
from tests.system.support_crashes import History, files_below, steps, tried
from tests.system.support_drivers import PROGRAM, Driver, in_the_tree

SETTLED_S = 90.0
"""For a host to be given up, its services to move, and a busy machine."""

ROUNDS_MAX = 12
"""Rounds of the history, within which each step is reached."""

ARMED = "failpoint"
PYTHONS = ["python3", shutil.which("python3", path="/usr/local/bin:/usr/bin") or "python3"]
_rounds = itertools.count()

WRITER = "open.claimed open.made commit.begun chunks.written chunks.named commit.cut commit.copied"
WRITER += " commit.agreed yield.begun yield.agreed write.begun write.done copy.begun copy.kept"
WRITER += " rename.begun rename.agreed recall.begun recall.done"
HOLDER = "index.begun index.appended index.applied index.recalled"
COLLECTOR = "collect.begun collect.recorded collect.listed collect.removing"

SOON = {("commit.copied", "one"), ("index.appended", "all")}
"""The others take their time nightly."""


def cases() -> Iterator[object]:
    for name in f"{WRITER} {HOLDER} {COLLECTOR}".split():
        for who in "one", "all":
            marks = () if (name, who) in SOON else (pytest.mark.nightly,)
            yield pytest.param(name, who, marks=marks)


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(failpoints.VARIABLE, f"@{ARMED}")
        cluster = Cluster(3)
        cluster[1].put(f"{HOME}/driver.py", PROGRAM.read_bytes())
        yield cluster
        cluster.close()


def holder(host: Host, service: str) -> str:
    """The host that a service is placed on."""
    found: str = next(s["host"] for s in host.status()["services"] if s["name"] == service)
    return found


def victim_of(cluster: Cluster, name: str) -> Host:
    """Who is to die at a step: who holds the service that does it, else one who does not."""
    files = holder(cluster[1], "filesystem")
    if name in HOLDER.split():
        return next(host for host in cluster.hosts if host.name == files)
    if name in COLLECTOR.split():
        storage = holder(cluster[1], "storage")
        return next(host for host in cluster.hosts if host.name == storage)
    return next(host for host in reversed(cluster.hosts) if host.name != files)


@pytest.mark.parametrize(("name", "who"), [*cases()])
def test_a_host_that_dies_at_a_step_leaves_nothing_half_done(
    hosts: Cluster, name: str, who: str
) -> None:
    for host in hosts.hosts:
        wait_until(lambda h=host: reachable(h), SETTLED_S, f"{host.name} is up")
    victim = victim_of(hosts, name)
    others = [host for host in hosts.hosts if host is not victim]
    # The holder dies under programs of others, a home under its own.
    pair = others if name in HOLDER.split() else [victim, others[0]]
    python = PYTHONS[0] if no_name_space() else PYTHONS[sum(map(ord, name + who)) % 2]
    histories: list[History] = []
    with ExitStack() as stack:
        one, other = (stack.enter_context(in_the_tree(h, python, HOME)) for h in pair)
        (victim.directory / "failpoint.new").write_text(name)
        for driver in (one, other):
            assert driver("begin", HOME.encode()) == ("ok", None)
        begin(histories, one, other)
        (victim.directory / "failpoint.new").rename(victim.directory / ARMED)
        for _ in range(ROUNDS_MAX):
            if not all(steps(histories[-1], one, other)):
                break
            if name in COLLECTOR.split():
                collect(others[0])
            if dead(victim):
                break
            begin(histories, one, other)
        wait_until(lambda: dead(victim), SETTLED_S, f"{victim.name} dies at {name}")
        if who == "all":
            hosts.kill_all()
    (victim.directory / ARMED).unlink()
    if who == "all":
        hosts.up()
    else:
        compare(others, histories)
        go_on(others, histories[-1])
        victim.start()
    for host in hosts.hosts:
        wait_until(lambda h=host: reachable(h), SETTLED_S, f"{host.name} is up")
    compare(hosts.hosts, histories)
    go_on(hosts.hosts, histories[-1])


def begin(histories: list[History], one: Driver, other: Driver) -> None:
    """A history more, in a directory of its own, which both drivers know of."""
    top = f"h{next(_rounds)}"
    histories.append(History(top))
    assert one("mkdir", top.encode(), 0o755) == ("ok", None)


def collect(host: Host) -> None:
    """Have the chunks collected that no file has."""
    # Whoever does it may die of it.
    with contextlib.suppress(OneOSError):
        host.ask("collect")


def dead(host: Host) -> bool:
    runtime = host.runtime()
    return runtime is None or not alive(runtime)


def compare(hosts: list[Host], histories: list[History]) -> None:
    """All hosts find the same, and what may be there."""
    for history in histories:
        found = [
            wait_until(lambda h=host, x=history: tried(h, x), SETTLED_S, f"{host.name} answers")
            for host in hosts
        ]
        assert all(one == found[0] for one in found), (history.top, found)


def go_on(hosts: list[Host], history: History) -> None:
    """No file is held by one that is dead, and new ones can be made."""
    files = {k: v for k, v in files_below(hosts[0], f"{HOME}/{history.top}").items() if v}
    for host in hosts:
        new = {f"by-{host.name}": host.name.encode()}
        for name, content in (files | new).items():
            path = f"{HOME}/{history.top}/{name}"
            wait_until(
                lambda h=host, p=path, c=content: written(h, p, c),
                SETTLED_S,
                f"{host.name}: {name}",
            )
        for other in hosts:
            for name, content in (files | new).items():
                assert other.get(f"{HOME}/{history.top}/{name}") == content
        host.ask("unlink", f"{HOME}/{history.top}/by-{host.name}".encode())


def written(host: Host, path: str, content: bytes) -> bool:
    """Whether a host can write a file; not yet, while its last user is on its way out."""
    try:
        host.put(path, content)
    except (OneOSError, AssertionError):
        return False
    return True


def test_after_all_crashes_every_copy_that_is_written_down_is_there(hosts: Cluster) -> None:
    """And the hosts agree on what is written down. What came before is what counts here."""
    for host in hosts.hosts:
        wait_until(lambda h=host: reachable(h), SETTLED_S, f"{host.name} is up")
    hosts[1].sh("mkdir -p settled; echo x > settled/x").ok()
    hosts.stop()
    dumps = []
    for host in hosts.hosts:
        index = SqliteNames.open(str(host.directory / "index.sqlite"))
        dumps.append((index.applied_seq, list(index.dump())))
        after = 0
        while batch := index.names.scan(after):
            for inode in batch:
                missing = [(inode.ino, name) for name in inode.copies if lacks(hosts, name, inode)]
                assert not missing, missing
            after = batch[-1].ino
        index.close()
    newest = max(seq for seq, _ in dumps)
    assert len([dump for seq, dump in dumps if seq == newest]) >= 1
    for (seq, dump), (seq2, dump2) in itertools.combinations(dumps, 2):
        assert seq != seq2 or dump == dump2
    hosts.up()


def lacks(hosts: Cluster, name: str, inode: Inode) -> bool:
    """Whether a host has not all chunks of a file that it is to hold."""
    directory = next(host.directory for host in hosts.hosts if host.name == name) / "chunks"
    names = [digest.hex() for digest in inode.chunks]
    return not all((directory / one[:2] / one).exists() for one in names)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setenv(failpoints.VARIABLE, f"@{ARMED}")
    cluster = Cluster(3)
    cluster[1].put(f"{HOME}/driver.py", PROGRAM.read_bytes())
    yield cluster
    cluster.close()


@pytest.mark.nightly
def test_the_index_is_compacted_and_fetched_whole_whoever_dies_of_it(few: Cluster) -> None:
    """A host that was away for long gets a copy of the index, at the third try."""
    late = next(h for h in reversed(few.hosts) if h.name != holder(few[1], "filesystem"))
    late.kill()
    others = [host for host in few.hosts if host is not late]
    made = 0
    for compacted in range(2):
        leader = next(h for h in others if h.name == holder(others[0], "filesystem"))
        if not compacted:
            (leader.directory / ARMED).write_text("index.checkpointed")
        host = next(h for h in others if h is not leader)
        with in_the_tree(host, "python3", HOME) as driver:
            assert driver("begin", f"{HOME}/many".encode()) == ("ok", None)
            for _ in range(0, INDEX_COMPACT_EVERY_RECORDS + 500, 500):
                names = [b"%d" % n for n in range(made, made + 500)]
                assert driver("populate", b".", names)[0] == "ok"
                made += 500
        if not compacted:
            assert dead(leader)
            (leader.directory / ARMED).unlink()
            leader.start()
            wait_until(lambda h=leader: reachable(h), SETTLED_S, f"{leader.name} is back")
    for step in "snapshot.received", "snapshot.placed":
        (late.directory / ARMED).write_text(step)
        # It may die before it has said that it is up.
        late.run("up", timeout_s=120)
        wait_until(lambda: dead(late), SETTLED_S, f"{late.name} dies at {step}")
    (late.directory / ARMED).unlink()
    late.start()
    wait_until(lambda: reachable(late), SETTLED_S, f"{late.name} is up")
    for host in few.hosts:
        assert len(host.names(f"{HOME}/many")) == made
    few.stop()
    sequences = {}
    for host in few.hosts:
        index = SqliteNames.open(str(host.directory / "index.sqlite"))
        sequences[host.name] = index.applied_seq
        index.close()
    assert sequences[late.name] > INDEX_COMPACT_EVERY_RECORDS, sequences
