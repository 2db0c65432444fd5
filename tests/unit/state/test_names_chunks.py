"""Collecting never removes a chunk that a file has or comes to have, however the steps mix."""

import errno

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oneos.ids import HostName
from oneos.state import names_commands as c
from oneos.storage.promises import Promises
from tests.support.examples import examples
from tests.unit.state.names_support import A, B, Client

CHUNKS = [bytes([n]) * 32 for n in range(4)]
chunk_lists = st.lists(st.sampled_from(CHUNKS), max_size=2)
hosts = st.sampled_from([A, B])
files = st.sampled_from([b"/f", b"/g"])


class Disk:
    """A host's chunks, as `ChunkStore` keeps them."""

    def __init__(self) -> None:
        self.promises = Promises()
        self.promises.born(1)
        self.chunks: set[bytes] = set()

    def put(self, chunks: list[bytes]) -> int:
        """Have chunks; under which promise they stay."""
        number = self.promises.number
        self.promises.keep(chunks)
        self.chunks.update(chunks)
        return number


class Collecting(RuleBasedStateMachine):
    """Two hosts commit two files, and are collected, one step of each at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.client = Client()
        self.disks = {A: Disk(), B: Disk()}
        self.files = {name: self.client.create(name) for name in (b"/f", b"/g")}
        self.stored: list[tuple[bytes, list[bytes], dict[HostName, int]]] = []
        self.steps = {A: "_begin", B: "_begin"}
        self.numbers: dict[HostName, int] = {}
        self.used: dict[HostName, set[bytes]] = {}

    @rule(file=files, chunks=chunk_lists, at=st.sets(hosts, min_size=1))
    def store(self, file: bytes, chunks: list[bytes], at: set[HostName]) -> None:
        """A content is put at hosts, and will be committed."""
        held = {host: self.disks[host].put(chunks) for host in sorted(at)}
        self.stored.append((file, chunks, held))

    @precondition(lambda self: self.stored)
    @rule(which=st.integers(0, 9))
    def commit(self, which: int) -> None:
        """What was put is committed, perhaps long after."""
        file, chunks, held = self.stored.pop(which % len(self.stored))
        opened = self.files[file]
        size = len(chunks) << 20
        result = self.client.do(
            c.Commit, opened.attr.ino, opened.home, opened.home_epoch, size, 7, tuple(chunks),
            tuple(held), False, promises=tuple(held.values()),
        )  # fmt: skip
        assert result.errno in (0, errno.EAGAIN)

    @rule(host=hosts, count=st.integers(1, 5))
    def collect(self, host: HostName, count: int) -> None:
        """The next steps of the host's collection; five are a whole one."""
        for _ in range(count):
            self.steps[host] = getattr(self, self.steps[host])(host)

    def _begin(self, host: HostName) -> str:
        self.numbers[host] = self.disks[host].promises.begin()
        return "_tell"

    def _tell(self, host: HostName) -> str:
        result = self.client.do(c.Collect, host, self.numbers[host])
        return "_begin" if result.errno else "_mark"

    def _mark(self, host: HostName) -> str:
        self.used[host] = {x for inode in self.client.names.scan() for x in inode.chunks}
        return "_sweep"

    def _sweep(self, host: HostName) -> str:
        disk = self.disks[host]
        for digest in disk.chunks - self.used[host]:
            with disk.promises.removing(self.numbers[host], digest) as may:
                if may:
                    disk.chunks.discard(digest)
        return "_end"

    def _end(self, host: HostName) -> str:
        self.disks[host].promises.end(self.numbers[host])
        return "_begin"

    @rule(host=hosts)
    def restart(self, host: HostName) -> None:
        """The host's Runtime starts again: it knows of no collection, and has a new incarnation."""
        disk = self.disks[host]
        incarnation = (disk.promises.number >> 24) + 1
        disk.promises = Promises()
        disk.promises.born(incarnation)

    @invariant()
    def every_file_is_whole_at_its_holders(self) -> None:
        for name in (b"/f", b"/g"):
            inode = self.client.names.lookup(name)
            for host in inode.copies:
                assert set(inode.chunks) <= self.disks[host].chunks, (name, host)


TestCollecting = Collecting.TestCase
TestCollecting.settings = examples(40, stateful_step_count=40)


def test_commit_that_counts_on_a_void_promise_is_refused_and_changes_nothing() -> None:
    client = Client()
    file = client.create(b"/f")
    client.must(c.Collect, A, 5)
    args = (file.attr.ino, A, 1, 9, 7, (CHUNKS[0],), (A,), True)
    assert client.refused(c.Commit, *args, promises=(4,)) == errno.EAGAIN
    assert client.refused(c.Commit, *args) == errno.EAGAIN
    assert client.names.lookup(b"/f").version == 0
    client.must(c.Commit, *args, promises=(5,))


def test_file_that_keeps_its_chunks_needs_no_new_promise() -> None:
    client = Client()
    file = client.create(b"/f")
    client.must(c.Commit, file.attr.ino, A, 1, 9, 7, (CHUNKS[0],), (A, B), False)
    client.must(c.Collect, A, 5)
    client.must(c.Commit, file.attr.ino, A, 1, 8, 8, (CHUNKS[0],), (A,), False)
    client.must(c.Commit, file.attr.ino, A, 1, 0, 8, (), (B,), False)


def test_an_older_collection_of_a_host_is_refused() -> None:
    client = Client()
    client.must(c.Collect, A, 5)
    assert client.refused(c.Collect, A, 5) == errno.ESTALE
    assert client.refused(c.Collect, A, 0) == errno.EINVAL
    assert client.names.collection(A) == 5
    assert client.names.collection(B) == 0
