"""Changes that are answered before the log has them: in its order, or not at all."""

import asyncio
import errno

import pytest
from msgspec.structs import replace

from oneos.errors import FileError, OneOSError
from oneos.ids import HostName, ServiceName
from oneos.kernel import filesystem as fs
from oneos.kernel.control_log import ControlLog
from oneos.kernel.index import Index
from oneos.limits import EARLY_MAX
from oneos.state import control_types as t
from oneos.state import names_commands as n
from oneos.state.names_types import Opened, Removed, Result
from tests.unit.engine.servers import eventually
from tests.unit.kernel.support import HUB, LAB, World
from tests.unit.kernel.test_filesystem import create, mkdir, rid, running


def early(change: fs.Change) -> fs.Change:
    return replace(change, early=True)


def unlink(path: bytes) -> fs.Change:
    return early(fs.Change(n.Unlink(rid(), 1, path)))


def is_async(path: bytes) -> bool:
    return path.startswith((b"/tmp/", b"/d/"))


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is appended by itself."""
    monkeypatch.setattr(fs, "EARLY_HOLD_S", 1000.0)


async def names(agent: fs.FileSystem, path: bytes) -> list[bytes]:
    return [entry.name for entry in (await agent.ask(fs.ListPath(path), HUB)).entries]


async def ready(world: World, control: ControlLog, index: Index, agent: fs.FileSystem) -> None:
    """Its first records are in the log."""
    await agent.ask(mkdir(b"/d"), HUB)
    agent._is_async = is_async


async def test_a_create_is_answered_and_seen_before_the_log_has_it(
    world: World, held: None
) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        before = index.names.applied_seq
        made = [
            await agent.ask(early(create(b"/d/%d" % x, HUB, world.incarnations[HUB])), HUB)
            for x in range(5)
        ]
        assert len({result.value.attr.ino for result in made}) == 5
        assert len(await names(agent, b"/d")) == 5
        assert index.names.applied_seq == before
        # Whatever comes next takes them along, in one record.
        file = made[0].value
        args = (file.attr.ino, HUB, file.home_epoch, 0, 1, (), (), True)
        assert (await agent.ask(fs.Change(n.Commit(rid(), 1, *args)), HUB)).errno == 0
        assert index.names.applied_seq == before + 1
        assert index.names.names.inode(file.attr.ino).version == 1
        assert len(await names(agent, b"/d")) == 5


async def test_it_comes_into_the_log_by_itself(world: World) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        before = index.names.applied_seq
        await agent.ask(early(create(b"/d/f", HUB, world.incarnations[HUB])), HUB)
        await eventually(lambda: index.names.applied_seq == before + 1)
        assert not agent._early


async def test_it_comes_into_the_log_before_the_agent_stops(world: World, held: None) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        await agent.ask(early(create(b"/d/f", HUB, world.incarnations[HUB])), HUB)
    assert index.names.names.lookup(b"/d/f").home == HUB


async def test_a_file_made_to_be_written_is_answered_early_anywhere_and_its_commit_is_not(
    world: World, held: None
) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        await agent.ask(mkdir(b"/lasting"), HUB)
        before = index.names.applied_seq
        made = await agent.ask(early(create(b"/lasting/f", HUB, world.incarnations[HUB])), HUB)
        assert index.names.applied_seq == before
        file = made.value
        commit = n.Commit(
            rid(), 1, file.attr.ino, HUB, file.home_epoch, 1, 1, (bytes(32),), (HUB,), True
        )
        result = await agent.ask(early(fs.Change(commit)), HUB)
        assert (result.errno, index.names.applied_seq) == (0, before + 1)


async def test_locks_and_what_is_to_last_wait_for_the_log(world: World, held: None) -> None:
    control = await world.start()
    index = await world.index(HUB)
    incarnation = world.incarnations[HUB]
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        await agent.ask(mkdir(b"/lasting"), HUB)
        for number, command in enumerate(
            (
                n.Create(rid(), 1, b"/lasting/f", 0o644, 0, 0, True, HUB, incarnation),
                n.Create(rid(), 1, b"/tmp/lock", 0o644, 0, 0, True, HUB, incarnation),
                n.Create(rid(), 1, b"/tmp/read", 0o644, 0, 0, False, HUB, incarnation, False),
                n.Symlink(rid(), 1, b"/lasting", b"/tmp/way", 0, 0),
                n.MkDir(rid(), 1, b"/tmp/m", 0o755, 0, 0),
            )
        ):
            before = index.names.applied_seq
            await agent.ask(fs.Change(command, early=True), HUB)
            assert index.names.applied_seq == before + 1, number
        # An unlink is early in an async directory, wherever the path that was given leads.
        for path, soon in ((b"/tmp/way/f", False), (b"/d/../tmp/lock", True)):
            before = index.names.applied_seq
            result: Result = await agent.ask(unlink(path), HUB)
            assert isinstance(result.value, Removed)
            assert (index.names.applied_seq == before) is soon


async def test_so_many_and_no_more_are_answered_early(world: World, held: None) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        before = index.names.applied_seq
        for number in range(EARLY_MAX + 1):
            await agent.ask(early(create(b"/d/%d" % number, HUB, world.incarnations[HUB])), HUB)
        assert index.names.applied_seq == before + 1
        assert len(await names(agent, b"/d")) == EARLY_MAX + 1


async def test_asked_again_it_is_answered_the_same_and_done_once(world: World, held: None) -> None:
    control = await world.start()
    index = await world.index(HUB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        change = early(create(b"/d/f", HUB, world.incarnations[HUB]))
        first = await agent.ask(change, HUB)
        assert await agent.ask(change, HUB) == first
        await agent.ask(mkdir(b"/e"), HUB)
        assert await agent.ask(replace(change, early=False), HUB) == first
        assert await names(agent, b"/d") == [b"f"]


async def test_it_waits_for_those_who_keep_what_it_changes(world: World, held: None) -> None:
    control = await world.start()
    index = await world.index(HUB)
    called, go_on = asyncio.Event(), asyncio.Event()

    async def recall(host: HostName, recall: object) -> None:
        called.set()
        await go_on.wait()

    async with running(control, index, world.epoch(control, "filesystem"), recall) as agent:
        go_on.set()
        await ready(world, control, index, agent)
        assert (await agent.ask(fs.Look(b"/d/f"), HUB)).granted
        called.clear()
        go_on.clear()
        change = early(create(b"/d/f", HUB, world.incarnations[HUB]))
        answer = asyncio.ensure_future(agent.ask(change, HUB))
        await called.wait()
        assert not answer.done()
        go_on.set()
        assert (await answer).errno == 0


async def test_what_another_leader_does_not_know_never_was_and_its_number_is_nobodys(
    world: World, held: None
) -> None:
    """The host of the File System is given up before the log has what it answered."""
    control = await world.start()
    await world.join(control, LAB)
    lab = await world.control(LAB)
    incarnation = await world.arrive(lab)
    hub_index, lab_index = await world.index(HUB), await world.index(LAB)
    epoch = world.epoch(control, "filesystem")
    async with running(control, hub_index, epoch) as old:
        await ready(world, control, hub_index, old)
        lost = await old.ask(early(create(b"/d/f", LAB, incarnation)), HUB)
        assert isinstance(lost.value, Opened)
        await control.submit(t.Place(ServiceName("filesystem"), LAB, epoch))
        await lab.barrier()
        async with running(lab, lab_index, world.epoch(lab, "filesystem")) as new:
            assert await names(new, b"/d") == []
            again = await new.ask(create(b"/d/f", LAB, incarnation), HUB)
            assert isinstance(again.value, Opened)
            assert again.value.attr.ino > lost.value.attr.ino
            # Who had been told of it learns that it is over.
            file = lost.value
            args = (file.attr.ino, LAB, file.home_epoch, 0, 1, (), (), True)
            late = await new.ask(fs.Change(n.Commit(rid(), 1, *args)), HUB)
            assert late.errno == errno.ESTALE
            with pytest.raises(FileError):
                lab_index.names.names.inode(file.attr.ino)
            # The old one does not bring it in late.
            with pytest.raises(OneOSError):
                await old.ask(mkdir(b"/late"), HUB)
            assert b"late" not in await names(new, b"/")
            assert (await new.ask(fs.StatPath(b"/d/f"), HUB)).inode.ino == again.value.attr.ino


async def test_a_move_of_the_logs_changes_nothing_of_it(world: World, held: None) -> None:
    control = await world.start()
    index, other = await world.index(HUB), await world.index(LAB)
    async with running(control, index, world.epoch(control, "filesystem")) as agent:
        await ready(world, control, index, agent)
        made = await agent.ask(early(create(b"/d/f", HUB, world.incarnations[HUB])), HUB)
        await other.lead()
        await agent.ask(mkdir(b"/e"), HUB)
        assert (await agent.ask(fs.StatPath(b"/d/f"), HUB)).inode.ino == made.value.attr.ino
