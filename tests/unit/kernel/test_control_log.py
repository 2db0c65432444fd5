"""Copies of the control log: each change is done once, whatever becomes of its answer."""

import asyncio
import os
import signal

import pytest

from oneos.engine.log import Log
from oneos.engine.snapshots import Snapshots
from oneos.errors import NetworkError, OneOSError, Unknown, UserError
from oneos.kernel import control_log as module
from oneos.kernel.control_log import ControlLog
from oneos.state import control_types as t
from tests.support.waiting import WAIT_S, eventually
from tests.unit.kernel.support import HUB, LAB, World, facts


async def test_every_copy_comes_to_the_same_state(world: World) -> None:
    hub = await world.start()
    await world.join(hub, LAB)
    lab = await world.control(LAB)
    await world.arrive(lab)
    await asyncio.gather(*(c.submit(t.Nothing()) for c in (hub, lab) for _ in range(20)))
    await asyncio.gather(hub.barrier(), lab.barrier())
    await eventually(lambda: hub.applied == lab.applied)
    assert hub.machine.dump() == lab.machine.dump()


async def test_refusal_comes_back_with_its_errno(world: World) -> None:
    hub = await world.start()
    with pytest.raises(UserError) as raised:
        await hub.submit(t.Forget(HUB, 0))
    assert raised.value.errno == 16
    with pytest.raises(NetworkError) as stale:
        await hub.submit(t.Depart(HUB, world.incarnations[HUB] - 1, 0))  # type: ignore[arg-type]
    assert stale.value.errno == 116


async def test_change_whose_answer_was_lost_is_done_once(world: World) -> None:
    hub = await world.start()
    pid = world.server.pid
    assert pid is not None
    before = hub.state.next_incarnation
    os.kill(pid, signal.SIGSTOP)
    arriving = asyncio.create_task(hub.submit(t.Arrive(HUB, facts(), 1)))
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    assert await arriving == before
    await hub.barrier()
    assert hub.state.next_incarnation == before + 1


async def test_answer_lost_after_the_append_is_looked_for_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await world.start()
    append, lost = Log.append, 0

    async def lose(self: Log, *args: object, **kw: object) -> int:
        nonlocal lost
        seq = await append(self, *args, **kw)  # type: ignore[arg-type]
        if lost < 2:
            lost += 1
            raise Unknown("the answer was lost")
        return seq

    monkeypatch.setattr(Log, "append", lose)
    before = hub.state.next_incarnation
    assert await hub.submit(t.Arrive(HUB, facts(), 1)) == before
    assert hub.state.next_incarnation == before + 1


async def test_change_that_was_never_sent_has_failed_and_one_that_was_is_unknown(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await world.start()
    errors: list[OneOSError] = [NetworkError("no voter answers")]

    async def fail(self: Log, *args: object, **kw: object) -> int:
        raise errors[0]

    monkeypatch.setattr(Log, "append", fail)
    with pytest.raises(NetworkError, match="no voter answers"):
        await hub.submit(t.Nothing(), timeout_s=0.3)
    errors[0] = Unknown("no answer")
    with pytest.raises(Unknown, match="may still happen"):
        await hub.submit(t.Nothing(), timeout_s=0.3)


async def test_change_waits_for_the_end_of_a_freeze(world: World) -> None:
    hub = await world.start()
    await hub.submit(t.Freeze(2, HUB))
    waiting = asyncio.create_task(hub.submit(t.AddToken("x", 10, 1)))
    await hub.barrier()
    assert not waiting.done()
    await hub.submit(t.Thaw(2, None))
    await waiting
    assert "x" in hub.state.tokens


async def test_log_is_shortened_and_late_copies_start_from_the_snapshot(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SNAPSHOT_EVERY_RECORDS", 20)
    hub = await world.start()
    await world.join(hub, LAB)
    for _ in range(70):
        await hub.submit(t.Nothing())
    assert hub._log is not None
    async with asyncio.timeout(WAIT_S):
        while await hub._log.first_seq() == 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # A copy that is a little behind needs no snapshot.
    assert await hub._log.first_seq() <= hub.applied - 20
    lab = await world.control(LAB)
    await lab.barrier()
    await hub.barrier()
    await eventually(lambda: hub.applied == lab.applied)
    assert hub.machine.dump() == lab.machine.dump()


async def test_copy_that_fell_behind_the_log_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOW_RETRY_S", 0.01)
    hub = await world.start()
    broken: list[OneOSError] = []
    hub.broken = broken.append
    await hub.close()
    engine = await world.connect(LAB)
    log = Log(engine, "control", LAB)
    for number in range(5):
        last = await log.append(b"", msg_id=f"{number}")
    await log.purge_through(last - 1)
    hub._follower = asyncio.create_task(hub._follow(Log(engine, "control", HUB)))
    await eventually(lambda: broken)
    await hub.close()


async def test_record_of_another_version_stops_the_copy_with_a_reason(world: World) -> None:
    hub = await world.start()
    broken: list[OneOSError] = []
    hub.broken = broken.append
    engine = await world.connect(LAB)
    await Log(engine, "control", LAB).append(b"\x93 not a record", msg_id="strange")
    await eventually(lambda: broken)
    assert "same version" in broken[0].hint


async def test_start_gives_up_when_the_log_stays_silent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    engine = await world.connect(LAB)
    late = ControlLog(LAB)
    late.generation = 1

    async def far(self: Log) -> int:
        return 10_000

    monkeypatch.setattr(Log, "last_seq", far)
    monkeypatch.setattr(ControlLog.wait_for, "__defaults__", (0.1,))
    with pytest.raises(NetworkError, match="said nothing new"):
        await late.start(Log(engine, "control", LAB), Snapshots(engine))
    await late.close()
