"""The File System agent over a real log: batches, fail-over, homes of dead hosts."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from oneos.actor.actor import Address
from oneos.errors import Fenced, FileError, OneOSError
from oneos.ids import Epoch, HostName, Incarnation, Ino, ServiceName
from oneos.kernel import filesystem as fs
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.kernel.grants import Call
from oneos.kernel.index import Index
from oneos.limits import CHUNK_BYTES
from oneos.state import control_types as t
from oneos.state import names_commands as n
from oneos.state.names_types import Inode, Opened, Result, Walk
from tests.support.waiting import WAIT_S, eventually
from tests.unit.kernel.support import HUB, LAB, World


async def nobody_keeps(host: HostName, recall: m.Recall) -> None:
    """Every host drops what it keeps at once."""


@asynccontextmanager
async def running(
    control: ControlLog, index: Index, epoch: Epoch, recall: Call = nobody_keeps
) -> AsyncIterator[fs.FileSystem]:
    address = Address(control.host, ServiceName("filesystem"), epoch)
    agent = fs.FileSystem(address, index, control, recall)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        task.cancel()
        await asyncio.wait((task,))


_number = iter(range(1, 10**6))


def rid() -> tuple[str, int]:
    return ("test", next(_number))


def mkdir(path: bytes) -> fs.Change:
    return fs.Change(n.MkDir(rid(), 1, path, 0o755, 0, 0))


def file(path: bytes, home: HostName, incarnation: Incarnation, writing: bool) -> fs.Change:
    made = n.Create(rid(), 1, path, 0o644, 0, 0, False, home, incarnation, writing=writing)
    return fs.Change(made)


def create(path: bytes, home: HostName, incarnation: int) -> fs.Change:
    return fs.Change(n.Create(rid(), 1, path, 0o644, 0, 0, False, home, incarnation))  # type: ignore[arg-type]


async def test_concurrent_changes_share_records(world: World) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await agent.ask(mkdir(b"/first"), HUB)
        before = index.names.applied_seq
        results: list[Result] = await asyncio.gather(
            *(agent.ask(mkdir(b"/d%d" % number), HUB) for number in range(200))
        )
        assert all(result.errno == 0 for result in results)
        assert index.names.applied_seq - before < 20
        listed = await agent.ask(fs.ListPath(b"/"), HUB)
        # /dev is one of them.
        assert len([entry for entry in listed.entries if entry.name.startswith(b"d")]) == 201


async def test_long_lists_of_chunks_do_not_share_a_record(world: World) -> None:
    control = await world.start()
    index = await world.index(HUB)
    incarnation = world.incarnations[HUB]
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        count = 16_000
        commits = []
        for number in range(20):
            opened = await agent.ask(create(b"/tmp/%d" % number, HUB, incarnation), HUB)
            assert isinstance(opened.value, Opened)
            commits.append(
                fs.Change(
                    n.Commit(
                        rid(),
                        1,
                        opened.value.attr.ino,
                        HUB,
                        opened.value.home_epoch,
                        count * CHUNK_BYTES,
                        1,
                        (b"h" * 32,) * count,
                        (HUB,),
                        True,
                    )
                )
            )
        results = await asyncio.gather(*(agent.ask(commit, HUB) for commit in commits))
        assert {result.errno for result in results} == {0}


async def test_dead_host_loses_its_homes_and_a_live_one_keeps_them(world: World) -> None:
    control = await world.start()
    await world.join(control, LAB)
    lab = await world.control(LAB)
    incarnation = await world.arrive(lab)
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await agent.ask(create(b"/tmp/a", LAB, incarnation), HUB)
        await agent.ask(create(b"/tmp/b", HUB, world.incarnations[HUB]), HUB)
        await control.submit(t.DeclareDead(LAB, incarnation, "silent", 5))

        async def home(path: bytes) -> str:
            inode: Inode = (await agent.ask(fs.StatPath(path), HUB)).inode
            return inode.home

        async with asyncio.timeout(WAIT_S):
            while await home(b"/tmp/a"):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await home(b"/tmp/b") == HUB
        # What the dead incarnation still sends is refused.
        late = await agent.ask(create(b"/tmp/c", LAB, incarnation), HUB)
        assert late.errno == errno.ESTALE


async def test_agent_started_again_in_its_epoch_still_hears_of_deaths(world: World) -> None:
    """Its request numbers must not repeat: a repeated number is answered and not done."""
    control = await world.start()
    await world.join(control, LAB)
    lab = await world.control(LAB)
    index = await world.index(HUB)
    epoch = world.epoch(control, "filesystem")
    for _ in range(3):
        incarnation = await world.arrive(lab)
        async with running(control, index, epoch) as agent:
            opened = await agent.ask(create(b"/tmp/a", LAB, incarnation), HUB)
            assert opened.value.home == LAB
        await control.submit(t.DeclareDead(LAB, incarnation, "silent", 5))
        async with running(control, index, epoch) as agent, asyncio.timeout(WAIT_S):
            while (await agent.ask(fs.StatPath(b"/tmp/a"), HUB)).inode.home:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


async def test_replaced_agent_answers_no_change_and_no_old_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was stopped while the network gave its host up, and goes on now."""
    control = await world.start()
    await world.join(control, LAB)
    lab = await world.control(LAB)
    await world.arrive(lab)
    old_index, new_index = await world.index(HUB), await world.index(LAB)
    old_epoch = world.epoch(control, "filesystem")
    async with running(control, old_index, old_epoch) as old:
        await old.ask(mkdir(b"/tmp/before"), HUB)
        await control.submit(t.Place(ServiceName("filesystem"), LAB, old_epoch))
        await lab.barrier()
        async with running(lab, new_index, world.epoch(lab, "filesystem")) as new:
            await new.ask(mkdir(b"/tmp/after"), HUB)
            monkeypatch.setattr(fs, "LEADER_PROOF_S", 0.0)
            with pytest.raises(OneOSError) as raised:
                await old.ask(fs.StatPath(b"/tmp/before"), HUB)
            assert isinstance(raised.value, Fenced)
            with pytest.raises(OneOSError):
                await old.ask(mkdir(b"/tmp/late"), HUB)
            names = [x.name for x in (await new.ask(fs.ListPath(b"/tmp"), HUB)).entries]
            assert names == [b"after", b"before"]


async def test_log_written_by_somebody_else_only_delays_the_holder(world: World) -> None:
    """A move of the logs puts a barrier in between; the agent leads on, and does nothing twice."""
    control = await world.start()
    index, other = await world.index(HUB), await world.index(LAB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await agent.ask(mkdir(b"/tmp/a"), HUB)
        await other.lead()
        result = await agent.ask(mkdir(b"/tmp/b"), HUB)
        assert result.errno == 0
        with pytest.raises(FileError):
            await agent.ask(fs.StatPath(b"/tmp/c"), HUB)
        assert (await agent.ask(fs.GetInode(1), HUB)).ino == Ino(1)


async def test_agent_that_stops_leaves_a_copy_that_follows(world: World) -> None:
    control = await world.start()
    index, other = await world.index(HUB), await world.index(LAB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await agent.ask(mkdir(b"/tmp/a"), HUB)
    await other.lead()
    await other.append([n.MkDir(rid(), 1, b"/tmp/b", 0o755, 0, 0)])
    await eventually(lambda: len(index.names.names.list(b"/tmp")) == 2)


async def test_looks_at_many_names_are_granted_and_called_back_as_one_is(world: World) -> None:
    recalled: list[tuple[HostName, list[int]]] = []

    async def recall(host: HostName, what: m.Recall) -> None:
        recalled.append((host, what.inos))

    control = await world.start()
    index = await world.index(HUB)
    incarnation = world.incarnations[HUB]
    async with running(control, index, world.epoch(control, "filesystem"), recall) as agent:
        await agent.ask(mkdir(b"/d"), HUB)
        await agent.ask(mkdir(b"/d/sub"), HUB)
        made = await agent.ask(file(b"/d/file", HUB, incarnation, writing=False), HUB)
        names = [b"file", b"missing", b"sub"]
        looked = await agent.ask(fs.LookMany(b"/d", names), HUB)
        assert looked.granted
        assert [attr and attr.ino for attr in looked.shown] == [
            made.value.attr.ino,
            None,
            index.names.names.lookup(b"/d/sub").ino,
        ]
        recalled.clear()
        await agent.ask(mkdir(b"/d/sub/below"), HUB)
        assert [(host, looked.shown[2].ino in inos) for host, inos in recalled] == [(HUB, True)]


async def test_looks_at_many_names_leave_out_what_only_others_know(world: World) -> None:
    control = await world.start()
    index = await world.index(HUB)
    incarnation = world.incarnations[HUB]
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        written = n.Create(rid(), 1, b"/tmp/w", 0o644, 0, 0, False, HUB, incarnation, writing=True)
        await agent.ask(fs.Change(written), HUB)
        looked = await agent.ask(fs.LookMany(b"/tmp", [b"w"]), LAB)
        assert looked.shown == [None], "its size is known at its home alone"
        parts = Walk(parts=(b"dev",))
        looked = await agent.ask(fs.LookMany(b"/", [b"dev", b"tmp"], parts), LAB)
        assert looked.shown[0] is None and looked.shown[1] is not None
        with pytest.raises(FileError) as raised:
            await agent.ask(fs.LookMany(b"/nowhere", [b"a"]), LAB)
        assert raised.value.errno == errno.ENOENT


class Keepers:
    """Hosts that note what they are told to drop."""

    def __init__(self) -> None:
        self.told: list[HostName] = []

    async def drop(self, host: HostName, recall: m.Recall) -> None:
        if not recall.everything:
            self.told.append(host)


@asynccontextmanager
async def with_links(world: World, keepers: Keepers) -> AsyncIterator[fs.FileSystem]:
    """A File System with /a/b/f, and /l that leads to /a/b."""
    control = await world.start()
    await world.join(control, LAB)
    await world.arrive(await world.control(LAB))
    await control.barrier()
    index = await world.index(HUB)
    epoch = world.epoch(control, "filesystem")
    async with running(control, index, epoch, keepers.drop) as agent:
        for path in (b"/a", b"/a/b"):
            await agent.ask(mkdir(path), HUB)
        await agent.ask(create(b"/a/b/f", HUB, world.incarnations[HUB]), HUB)
        await agent.ask(fs.Change(n.Symlink(rid(), 1, b"/a/b", b"/l", 0, 0)), HUB)
        yield agent


@pytest.mark.parametrize("path", [b"/l/f", b"/a/b/f", b"/a/b/../b/f", b"/l/missing"])
@pytest.mark.parametrize(
    "change",
    [
        n.Rename(("test", -1), 1, b"/a", b"/z"),
        n.Rename(("test", -1), 1, b"/a/b", b"/a/c"),
        n.Rename(("test", -1), 1, b"/a/b/f", b"/a/b/missing"),
    ],
)
async def test_change_of_any_directory_on_the_way_calls_a_whole_path_back(
    world: World, path: bytes, change: n.Rename
) -> None:
    keepers = Keepers()
    async with with_links(world, keepers) as agent:
        looked: fs.Looked = await agent.ask(fs.Look(path), LAB)
        assert looked.granted
        result = await agent.ask(fs.Change(replace(change, rid=rid())), HUB)
        assert result.errno == 0
        assert keepers.told == [LAB]


async def test_listing_with_attributes_is_called_back_when_one_of_them_changes(
    world: World,
) -> None:
    keepers = Keepers()
    async with with_links(world, keepers) as agent:
        for attributes in (False, True):
            scanned: fs.Scanned = await agent.ask(fs.Scan(b"/l", attributes=attributes), LAB)
            assert scanned.granted and [e.name for e in scanned.found.entries or []] == [b"f"]
            assert len(scanned.attributes) == attributes
            # Not a name has changed, so a listing without attributes holds.
            command = n.SetAttr(rid(), 1, b"/a/b/f", mode=0o600 + attributes)
            await agent.ask(fs.Change(command), HUB)
            assert keepers.told == [LAB] * attributes
        await agent.ask(fs.Scan(b"/l"), LAB)
        await agent.ask(create(b"/a/b/new", HUB, world.incarnations[HUB]), HUB)
        assert keepers.told == [LAB] * 2


async def test_host_that_sees_to_its_own_change_is_not_told(world: World) -> None:
    keepers = Keepers()
    async with with_links(world, keepers) as agent:
        for host in (HUB, LAB):
            await agent.ask(fs.Look(b"/a/b/f"), host)
        command = n.SetAttr(rid(), 1, b"/a/b/f", mode=0o600)
        await agent.ask(fs.Change(command, seen_to=True), LAB)
        assert keepers.told == [HUB]
