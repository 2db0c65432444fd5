"""The promises of a replicated log with one voter."""

import asyncio
from contextlib import aclosing

import pytest

from oneos.engine.client import Engine
from oneos.engine.log import Compacted, Entry, Log
from oneos.errors import AuthError, Fenced, NetworkError, Unknown, UserError
from oneos.limits import FOLLOW_BUFFER_BYTES, FRAME_BYTES_MAX
from tests.support.waiting import WAIT_S, eventually
from tests.unit.engine.servers import Bench, kill, pause, resume


async def read_to(log: Log, after: int, last: int) -> list[Entry]:
    entries: list[Entry] = []
    async with asyncio.timeout(WAIT_S), aclosing(log.read(after)) as reading:
        if after < last:
            async for entry in reading:
                entries.append(entry)
                if entry.seq >= last:
                    break
    return entries


async def new_log(engine: Engine, name: str = "files") -> Log:
    log = Log(engine, name, engine.host)
    await log.ensure(1)
    return log


async def test_append_is_fenced_by_the_last_sequence(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    assert await log.append(b"one", expect_last=0, msg_id="a") == 1
    assert await log.append(b"two", expect_last=1, msg_id="b") == 2
    with pytest.raises(Fenced):
        await log.append(b"late", expect_last=1, msg_id="c")
    with pytest.raises(Fenced):
        await log.append(b"early", expect_last=7, msg_id="d")
    assert await log.last_seq() == 2
    assert [entry.data for entry in await read_to(log, 0, 2)] == [b"one", b"two"]


async def test_repeated_append_is_taken_once_and_says_where_it_stands(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    assert await log.append(b"one", expect_last=0, msg_id="a") == 1
    assert await log.append(b"two", msg_id="b") == 2
    assert await log.append(b"three", msg_id="c") == 3
    assert await log.append(b"one", expect_last=0, msg_id="a") == 1
    assert await log.append(b"two", msg_id="b") == 2
    assert await log.last_seq() == 3


async def test_unanswered_append_is_unknown_and_its_repetition_finds_it(bench: Bench) -> None:
    server = await bench.start()
    log = await new_log(await bench.connect(server))
    await pause(server)
    try:
        with pytest.raises(Unknown):
            await log.append(b"one", expect_last=0, msg_id="a", timeout_s=0.2)
    finally:
        resume(server)
    assert await log.append(b"one", expect_last=0, msg_id="a") == 1
    assert await log.last_seq() == 1


async def test_append_in_flight_is_unknown_as_soon_as_the_connection_breaks(bench: Bench) -> None:
    server = await bench.start()
    engine = await bench.connect(server)
    log = await new_log(engine)
    await pause(server)
    appending = asyncio.create_task(log.append(b"one", msg_id="a", timeout_s=60))
    await eventually(lambda: engine._waiting)
    kill(server)
    with pytest.raises(Unknown):
        async with asyncio.timeout(WAIT_S):
            await appending


async def test_append_without_any_server_was_not_sent(bench: Bench) -> None:
    server = await bench.start()
    engine = await bench.connect(server)
    log = await new_log(engine)
    await server.stop()
    await eventually(lambda: not engine.connected)
    with pytest.raises(NetworkError):
        await log.append(b"one", msg_id="a", timeout_s=0.1)
    await server.start()
    assert await log.append(b"two", msg_id="b") == 1


async def test_append_to_a_log_that_is_not_there_was_not_taken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first refusal is the last: a further attempt could run out of time and be unknown.
    monkeypatch.setattr("oneos.engine.client.ENGINE_NO_RESPONDERS_WAIT_S", WAIT_S)
    engine = await bench.connect(await bench.start())
    with pytest.raises(NetworkError):
        await Log(engine, "nothing", "hub").append(b"one", msg_id="a")


async def test_record_larger_than_the_engine_takes_is_refused(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    with pytest.raises(UserError, match="larger"):
        await log.append(bytes(FRAME_BYTES_MAX + 1), msg_id="a")
    big = bytes(4 * 1024 * 1024)
    assert await log.append(big, msg_id="b") == 1
    assert (await read_to(log, 0, 1))[0].data == big


async def test_barrier_is_a_record_of_its_own(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    await log.append(b"one", msg_id="a")
    assert await log.barrier() == 2
    assert [entry.data for entry in await read_to(log, 0, 2)] == [b"one", b""]
    with pytest.raises(Fenced):
        await log.append(b"old news", expect_last=1, msg_id="b")


async def test_reader_sees_past_and_present_in_order_with_authors(bench: Bench) -> None:
    server = await bench.start()
    hub, pi = await bench.connect(server), await bench.connect(server, host="pi1")
    ours, theirs = await new_log(hub), Log(pi, "files", "pi1")
    for number in range(600):
        await ours.append(b"%d" % number, msg_id=f"past{number}")
    entries: list[Entry] = []

    async def follow() -> None:
        async for entry in theirs.read(100):
            entries.append(entry)

    following = asyncio.create_task(follow())
    await eventually(lambda: len(entries) == 500)
    await theirs.append(b"from pi", msg_id="x")
    await ours.append(b"from hub", msg_id="y")
    await eventually(lambda: len(entries) == 502)
    following.cancel()
    await asyncio.wait((following,))
    assert [entry.seq for entry in entries] == list(range(101, 603))
    assert [(entry.author, entry.data) for entry in entries[-2:]] == [
        ("pi1", b"from pi"),
        ("hub", b"from hub"),
    ]


async def test_slow_reader_misses_nothing_and_holds_little(bench: Bench) -> None:
    server = await bench.start()
    log = await new_log(await bench.connect(server))
    reading = log.read(0)
    await log.append(b"first", msg_id="first")
    assert (await anext(reading)).data == b"first"
    # Four times what a follower keeps.
    for number in range(32):
        await log.append(bytes(256 * 1024), msg_id=str(number))
    follower = log._followers[0]
    assert follower._live_bytes <= FOLLOW_BUFFER_BYTES
    assert len(follower._live) < 32
    for seq in range(2, 34):
        assert (await anext(reading)).seq == seq
    await reading.aclose()


async def test_record_whose_announcement_was_lost_is_found(bench: Bench) -> None:
    server = await bench.start()
    log = await new_log(await bench.connect(server))
    other = Log(await bench.connect(server, host="pi1"), "files", "pi1")
    reading = other.read(0)
    await log.append(b"one", msg_id="a")
    assert (await anext(reading)).seq == 1
    subscription = other._followers[0]._subscription
    assert subscription is not None
    subscription.handler = lambda message: None
    await log.append(b"two", msg_id="b")
    async with asyncio.timeout(WAIT_S):
        assert (await anext(reading)).data == b"two"
    await reading.aclose()


async def test_compacted_log_sends_its_reader_to_the_snapshot(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    for number in range(10):
        await log.append(b"%d" % number, msg_id=str(number))
    await log.purge_through(4)
    with pytest.raises(Compacted) as caught:
        await read_to(log, 2, 10)
    assert caught.value.first_seq == 5
    assert [entry.seq for entry in await read_to(log, 4, 10)] == list(range(5, 11))
    await log.purge_through(10)
    assert (await log.first_seq(), await log.last_seq()) == (11, 10)
    with pytest.raises(Compacted):
        await read_to(log, 9, 10)
    assert await log.append(b"next", expect_last=10, msg_id="next") == 11
    assert [entry.seq for entry in await read_to(log, 10, 11)] == [11]


async def test_reader_overtaken_by_compaction_is_told(bench: Bench) -> None:
    log = await new_log(await bench.connect(await bench.start()))
    await log.append(b"0", msg_id="0")
    reading = log.read(0)
    assert (await anext(reading)).seq == 1
    subscription = log._followers[0]._subscription
    assert subscription is not None
    subscription.handler = lambda message: None
    for number in range(1, 5):
        await log.append(b"%d" % number, msg_id=str(number))
    await log.purge_through(3)
    with pytest.raises(Compacted):
        async with asyncio.timeout(WAIT_S):
            await anext(reading)


async def test_log_may_begin_at_any_number(bench: Bench) -> None:
    log = Log(await bench.connect(await bench.start()), "files", "hub")
    await log.ensure(1, first_seq=42)
    assert await log.last_seq() == 41
    assert await log.append(b"one", expect_last=41, msg_id="a") == 42
    assert [entry.seq for entry in await read_to(log, 41, 42)] == [42]


async def test_host_appends_under_its_own_name_only(bench: Bench) -> None:
    server = await bench.start()
    log = await new_log(await bench.connect(server))
    pi = await bench.connect(server, host="pi1")
    assert await Log(pi, "files", "pi1").append(b"mine", msg_id="a") == 1
    with pytest.raises(AuthError, match="may not publish"):
        await Log(pi, "files", "hub").append(b"forged", msg_id="b")
    assert await log.last_seq() == 1


async def test_edge_host_may_not_change_streams(bench: Bench) -> None:
    server = await bench.start()
    await new_log(await bench.connect(server))
    pi = await bench.connect(server, host="pi1")
    for call in (
        "STREAM.CREATE.LOG_other",
        "STREAM.DELETE.LOG_files",
        "STREAM.PURGE.LOG_files",
        "STREAM.UPDATE.LOG_files",
        "STREAM.MSG.DELETE.LOG_files",
        "STREAM.RESTORE.LOG_files",
        # A push consumer would deliver to any subject, and so forge authors.
        "CONSUMER.CREATE.LOG_files",
        "CONSUMER.DURABLE.CREATE.LOG_files.x",
    ):
        for api in ("$JS.API", pi.api):
            with pytest.raises(AuthError):
                await pi.request(f"{api}.{call}", b"{}")


async def test_edge_host_cannot_have_the_server_write_for_it(bench: Bench) -> None:
    """An answer goes to any subject that the question names: not further than its own account."""
    server = await bench.start()
    log = await new_log(await bench.connect(server))
    pi = await bench.connect(server, host="pi1")
    await pi.publish("oneos.log.files.pi1", b"one", reply="oneos.log.files.hub")
    questions = {"STREAM.INFO": b"", "DIRECT.GET": b'{"seq": 1}', "STREAM.MSG.GET": b'{"seq": 1}'}
    for question, body in questions.items():
        subject = f"{pi.api}.{question}.LOG_files"
        assert (await pi.request(subject, body)).data, "the question is one that is answered"
        for victim in (
            "oneos.log.files.hub",
            "oneos.log.files.pi2",
            "$JS.API.STREAM.PURGE.LOG_files",
        ):
            await pi.publish(subject, body, reply=victim)
    await Log(pi, "files", "pi1").append(b"two", msg_id="last")
    goal = await log.barrier()
    assert [(entry.author, entry.data) for entry in await read_to(log, 0, goal)] == [
        ("pi1", b"one"),
        ("pi1", b"two"),
        ("hub", b""),
    ]


async def test_acknowledged_appends_survive_kill_of_the_server(bench: Bench) -> None:
    server = await bench.start()
    engine = await bench.connect(server)
    log = await new_log(engine)
    entries: list[Entry] = []

    async def follow() -> None:
        async for entry in log.read(0):
            entries.append(entry)

    following = asyncio.create_task(follow())
    acknowledged: dict[int, bytes] = {}
    for life in range(2):
        for number in range(50):
            data = b"%d.%d" % (life, number)
            acknowledged[await log.append(data, msg_id=data.decode())] = data
        # In the middle of many more, so that the file ends wherever it ends.
        flood = [
            asyncio.create_task(log.append(bytes(3000), msg_id=f"flood.{life}.{number}"))
            for number in range(150)
        ]
        await flood[20]
        before = engine.connections
        kill(server)
        for task, result in zip(
            flood, await asyncio.gather(*flood, return_exceptions=True), strict=True
        ):
            if isinstance(result, int):
                acknowledged[result] = bytes(3000)
            else:
                assert isinstance(task.exception(), Unknown | NetworkError)
        await eventually(lambda before=before: engine.connections > before and engine.connected)
    last = await log.barrier()
    await eventually(lambda: entries and entries[-1].seq == last)
    following.cancel()
    await asyncio.wait((following,))
    assert [entry.seq for entry in entries] == list(range(1, last + 1))
    kept = {entry.seq: entry.data for entry in entries}
    assert {seq: kept[seq] for seq in acknowledged} == acknowledged
    assert len(acknowledged) > 100
