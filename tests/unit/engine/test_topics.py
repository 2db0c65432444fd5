"""The promises of publish/subscribe."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.engine import subjects
from oneos.engine.client import Engine
from oneos.engine.topics import Subscription, Topics
from oneos.errors import UserError
from oneos.limits import TOPIC_BYTES_MAX, TOPIC_RECORD_BYTES_MAX
from tests.support.waiting import WAIT_S, eventually
from tests.unit.engine.servers import Bench, kill


async def topics_of(engine: Engine) -> Topics:
    topics = Topics(engine)
    await topics.ensure(1)
    return topics


async def take(subscription: Subscription, count: int) -> list[bytes]:
    async with asyncio.timeout(WAIT_S):
        return [await anext(subscription) for _ in range(count)]


async def test_subscriber_gets_what_is_published_after_it_opened(bench: Bench) -> None:
    server = await bench.start()
    hub = await topics_of(await bench.connect(server))
    pi = Topics(await bench.connect(server, host="pi1"))
    await hub.publish("weather", [b"before"])
    there, here = await pi.subscribe("weather"), await hub.subscribe("weather")
    await hub.publish("weather", [b"1", b"2"])
    await pi.publish("weather", [b"3"])
    await hub.publish("other", [b"x"])
    await hub.publish("weather", [b"", b"5"])
    for subscription in (there, here):
        assert await take(subscription, 5) == [b"1", b"2", b"3", b"", b"5"]
        assert subscription.lost == 0
        await subscription.close()


async def test_many_records_keep_their_order(bench: Bench) -> None:
    topics = await topics_of(await bench.connect(await bench.start()))
    subscription = await topics.subscribe("counts")
    records = [b"%d" % number for number in range(50_000)]
    await asyncio.gather(
        topics.publish("counts", records[:30_000]), topics.publish("counts", records[30_000:])
    )
    assert await take(subscription, len(records)) == records
    await subscription.close()


async def test_slow_subscriber_learns_how_many_it_lost(bench: Bench) -> None:
    topics = await topics_of(await bench.connect(await bench.start()))
    subscription = await topics.subscribe("video")
    record = bytes(64 * 1024)
    count = 2 * TOPIC_BYTES_MAX // len(record)
    await topics.publish("video", [record] * count)
    await topics.publish("video", [b"end"])
    got = 0
    while (await take(subscription, 1))[0] != b"end":
        got += 1
    assert 0 < got < count
    assert subscription.lost == count - got
    await subscription.close()


async def test_subscriber_is_caught_up_after_its_connection_broke(bench: Bench) -> None:
    server = await bench.start()
    topics = await topics_of(await bench.connect(server))
    engine = await bench.connect(server, host="pi1")
    subscription = await Topics(engine).subscribe("weather")
    await topics.publish("weather", [b"1"])
    assert await take(subscription, 1) == [b"1"]
    before = engine.connections
    engine.reconnect()
    await topics.publish("weather", [b"2", b"3"])
    await eventually(lambda: engine.connections > before)
    await topics.publish("weather", [b"4"])
    assert await take(subscription, 3) == [b"2", b"3", b"4"]
    assert subscription.lost == 0
    await subscription.close()


async def test_publisher_goes_on_over_the_death_of_its_server(bench: Bench) -> None:
    server = await bench.start()
    topics = await topics_of(await bench.connect(server))
    await topics.publish("weather", [b"1"])
    kill(server)
    # One voter's memory is gone; who runs the voters makes the stream again.
    await topics.ensure(1)
    await topics.publish("weather", [b"2"])
    assert await topics.topics() == ["weather"]


async def test_topics_are_listed_by_name(bench: Bench) -> None:
    topics = await topics_of(await bench.connect(await bench.start()))
    names = [
        "a",
        "a/b",
        "/lead",
        "trail/",
        "a//b",
        "sp ace",
        "*",
        ">",
        "dot.s",
        "straße",
        "\n",
        "%",
    ]
    for name in names:
        subscription = await topics.subscribe(name)
        await topics.publish(name, [name.encode()])
        assert await take(subscription, 1) == [name.encode()]
        await subscription.close()
    assert await topics.topics() == sorted(names)


@pytest.mark.parametrize("name", ["", "nul\0", "x" * 256])
async def test_name_that_is_no_topic_is_refused(bench: Bench, name: str) -> None:
    with pytest.raises(UserError):
        subjects.topic_tokens(name)


async def test_record_too_large_is_refused_before_anything_is_sent(bench: Bench) -> None:
    topics = await topics_of(await bench.connect(await bench.start()))
    with pytest.raises(UserError, match="larger"):
        await topics.publish("weather", [b"small", bytes(TOPIC_RECORD_BYTES_MAX + 1)])
    assert await topics.topics() == []


async def test_message_of_a_foreign_client_is_one_record(bench: Bench) -> None:
    engine = await bench.connect(await bench.start())
    topics = await topics_of(engine)
    subscription = await topics.subscribe("mqtt/sensor")
    await engine.publish("oneos.topic.mqtt.sensor", b"21.5")
    assert await take(subscription, 1) == [b"21.5"]
    await subscription.close()


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text))
def test_any_name_survives_its_subject(name: str) -> None:
    tokens = subjects.topic_tokens(name)
    assert all(tokens.split("."))
    assert not set(tokens) & set(" *>\t\r\n")
    assert subjects.topic_of(f"{subjects.TOPIC}.{tokens}") == name
