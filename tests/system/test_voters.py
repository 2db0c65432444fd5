"""The promises of three voters, and of growing to them; few, because elections take seconds."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from oneos.engine import growth, streams
from oneos.engine.log import Entry, Log
from oneos.engine.snapshots import Snapshots
from oneos.engine.topics import Topics
from oneos.errors import NetworkError, Unknown
from tests.support.waiting import WAIT_S, eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.engine.servers import CORES, Bench, addresses, kill


async def test_growth_from_one_voter_to_three_loses_nothing(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = await bench.start()
    hub, pi = await bench.connect(old), await bench.connect(old, host="pi1")
    log, theirs = Log(hub, "files", "hub"), Log(pi, "files", "pi1")
    await log.ensure(1)
    await Log(hub, "empty", "hub").ensure(1)
    snapshots = Snapshots(hub)
    await snapshots.ensure(1)
    entries: list[Entry] = []

    async def follow() -> None:
        async for entry in theirs.read(0):
            entries.append(entry)

    following = asyncio.create_task(follow())
    for number in range(300):
        await (log if number % 3 else theirs).append(b"%d" % number, msg_id=f"m{number}")
    await log.append(b"unanswered, perhaps", msg_id="again")
    await eventually(lambda: len(entries) == 301)
    await snapshots.put("files", 50, b"state" * 100_000)
    await log.purge_through(50)

    new = await bench.start_three(generation=2)
    bridge = await bench.connect(*new)
    first = await growth.replay(hub, bridge, ["files", "empty"], 3)
    assert [(copied.first_seq, copied.last_seq) for copied in first] == [(51, 301), (1, 0)]
    # As after a failure half way: nothing is doubled.
    assert await growth.replay(hub, bridge, ["files", "empty"], 3) == first
    with monkeypatch.context() as patch, pytest.raises(NetworkError):
        # The first refusal is the last: a further attempt could run out of time and be unknown.
        patch.setattr("oneos.engine.client.ENGINE_NO_RESPONDERS_WAIT_S", WAIT_S)
        await Log(bridge, "files", "hub").append(b"too early", msg_id="early")
    assert await growth.finish(hub, bridge, {"files": 301, "empty": 0}, 3) == first
    # What came behind the copy is copied too; only then do the copies take records.
    ends = {"files": 301, "empty": 0}
    assert await growth.finish(hub, bridge, ends, 3) == first
    for engine in (hub, pi):
        engine.set_addresses(addresses(*new), CORES)
    await eventually(lambda: hub.connections > 1 and pi.connections > 1)
    await old.stop()

    assert await log.append(b"next", expect_last=301, msg_id="next") == 302
    assert await theirs.append(b"from pi", msg_id="pi") == 303
    assert await log.append(b"unanswered, perhaps", msg_id="again") == 301
    await eventually(lambda: len(entries) == 303)
    following.cancel()
    await asyncio.wait((following,))
    assert [entry.seq for entry in entries] == list(range(1, 304))
    assert [(entry.author, entry.data) for entry in entries[299:]] == [
        ("hub", b"299"),
        ("hub", b"unanswered, perhaps"),
        ("hub", b"next"),
        ("pi1", b"from pi"),
    ]
    assert entries[0].author == "pi1"
    assert await snapshots.latest("files") == (50, b"state" * 100_000)
    assert await log.first_seq() == 51
    assert (await streams.info(hub, "LOG_files")).replicas_current == 3


async def test_subscribers_and_publishers_of_topics_survive_the_growth(
    bench: Bench,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A publisher waits as long as the change takes, also on a busy machine.
    monkeypatch.setattr("oneos.engine.topics.CALL_TIMEOUT_S", 2 * WAIT_S)
    old = await bench.start()
    hub, pi = await bench.connect(old), await bench.connect(old, host="pi1")
    await Topics(hub).ensure(1)
    await Log(hub, "files", "hub").ensure(1)
    await Snapshots(hub).ensure(1)
    # Far into the old stream, so that its numbers would hide those of one that begins anew.
    for number in range(50):
        await Topics(pi).publish("other", [b"%d" % number])
    fast, slow = Topics(hub), Topics(pi)
    eager, late = await fast.subscribe("a/b"), await slow.subscribe("a/b")
    await fast.publish("a/b", [b"0"])
    assert await anext(eager) == b"0"

    new = await bench.start_three(generation=2)
    bridge = await bench.connect(*new)
    await growth.replay(hub, bridge, ["files"], 3)
    publishing = asyncio.create_task(slow.publish("a/b", [b"1"]))
    await growth.finish(hub, bridge, {"files": 0}, 3)
    assert not publishing.done(), "a sealed topic took a record"
    for engine in (hub, pi):
        engine.set_addresses(addresses(*new), CORES)
    async with asyncio.timeout(WAIT_S):
        await publishing
        await fast.publish("a/b", [b"2"])
        assert [await anext(eager), await anext(eager)] == [b"1", b"2"]
        # It had read nothing before the change.
        assert [await anext(late) for _ in range(3)] == [b"0", b"1", b"2"]
    assert (eager.lost, late.lost) == (0, 0)
    await eager.close()
    await late.close()


async def test_topics_take_records_again_when_the_voters_stay(bench: Bench) -> None:  # noqa: F811
    old = await bench.start()
    hub = await bench.connect(old)
    await Topics(hub).ensure(1)
    bridge = await bench.connect(*await bench.start_three(generation=2))
    await growth.replay(hub, bridge, [], 3)

    await Topics(hub).ensure(1)

    subscription = await Topics(hub).subscribe("a")
    await Topics(hub).publish("a", [b"still here"])
    async with asyncio.timeout(WAIT_S):
        assert await anext(subscription) == b"still here"
    await subscription.close()


async def in_the_end(attempt: Callable[[], Awaitable[None]]) -> None:
    """Do it; on a busy machine an election may take longer than one attempt waits for it."""
    for _ in range(4):
        with contextlib.suppress(Unknown, NetworkError):
            await attempt()
            return
    await attempt()


async def test_acknowledged_appends_survive_kill_of_the_leader_of_three(bench: Bench) -> None:  # noqa: F811
    servers = await bench.start_three()
    hub = await bench.connect(*servers)
    await growth.wait_for_voters(hub, 3)
    log = Log(hub, "files", "hub")
    await in_the_end(lambda: log.ensure(3))
    topics = Topics(hub)
    await in_the_end(lambda: topics.ensure(3))
    pi = await bench.connect(*reversed(servers), host="pi1")
    subscription = await Topics(pi).subscribe("weather")
    entries: list[Entry] = []

    async def follow() -> None:
        async for entry in Log(pi, "files", "pi1").read(0):
            entries.append(entry)

    following = asyncio.create_task(follow())
    acknowledged: dict[int, bytes] = {}
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            data = b"%d" % number
            while True:
                try:
                    seq = await log.append(data, msg_id=f"m{number}", timeout_s=1)
                    break
                except (Unknown, NetworkError):
                    # Also once the connection is closed under it, when the test has failed: then
                    # the loop must get its turn, or nothing ends this.
                    await asyncio.sleep(0.01)
            acknowledged[seq] = data

    writing = asyncio.create_task(write())
    await eventually(lambda: len(acknowledged) > 50)
    leader = (await streams.info(hub, "LOG_files")).leader
    before = len(acknowledged)
    kill(next(server for server in servers if server.spec.name == leader))
    await in_the_end(lambda: topics.publish("weather", [b"storm"]))
    # An election takes 4 to 9 s, on a machine that has nothing else to do.
    await eventually(lambda: len(acknowledged) > before + 50)
    stop.set()
    await writing
    last = await log.barrier()
    await eventually(lambda: entries and entries[-1].seq == last)
    assert [entry.seq for entry in entries] == list(range(1, last + 1))
    assert {entry.seq: entry.data for entry in entries if entry.data} == acknowledged
    assert len(set(acknowledged.values())) == len(acknowledged)
    async with asyncio.timeout(WAIT_S):
        assert await anext(subscription) == b"storm"
    await subscription.close()
    following.cancel()
    await asyncio.wait((following,))
