"""Publish/subscribe: records of a topic reach everybody who subscribed before, in one order.

The records pass through one stream in the voters' memory, which keeps the last ones for a
while: that is what a slow subscriber or one whose connection broke can still catch up with. Records
that were published together travel together. Publishers number their records, so a subscriber who
was too slow learns how many it lost. What a record is (a line) is left to those who publish.
"""

import asyncio
import json
import os
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.follow import Follower
from oneos.engine.streams import ApiError, Stored
from oneos.errors import NetworkError, Unknown, UserError
from oneos.limits import (
    CALL_TIMEOUT_S,
    ENGINE_API_RETRY_S,
    LOG_APPEND_ATTEMPT_S,
    TOPIC_AGE_S,
    TOPIC_BYTES_MAX,
    TOPIC_DUPLICATE_WINDOW_S,
    TOPIC_MESSAGE_BYTES,
    TOPIC_MESSAGE_RECORDS,
    TOPIC_MESSAGES_IN_FLIGHT,
    TOPIC_PUBLISHERS_MAX,
    TOPIC_RECORD_BYTES_MAX,
)
from oneos.unreadable import UNREADABLE

# A message without this header is one record as it stands: an MQTT client's, for example.
_FROM = "Oneos-From"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


def config(replicas: int) -> dict[str, Any]:
    """How the stream of the topics is set up."""
    return {
        "name": subjects.TOPIC_STREAM,
        "subjects": [f"{subjects.TOPIC}.>"],
        "storage": "memory",
        "num_replicas": replicas,
        "allow_direct": True,
        "discard": "old",
        "max_bytes": TOPIC_BYTES_MAX,
        "max_age": int(TOPIC_AGE_S * 1e9),
        "duplicate_window": int(TOPIC_DUPLICATE_WINDOW_S * 1e9),
        "republish": {"src": f"{subjects.TOPIC}.>", "dest": f"{subjects.PUBLISHED}.>"},
    }


class Subscription:
    """An async iterator of the records published after it was opened. Made by `subscribe`.

    Attributes:
        lost: records that were gone before this subscriber came to them, as far as known.
    """

    def __init__(self, engine: Engine, topic: str, position: int) -> None:
        subject = subjects.topic_tokens(topic)
        self.topic = topic
        self.lost = 0
        self._follower = Follower(
            engine,
            subjects.TOPIC_STREAM,
            f"{subjects.PUBLISHED}.{subject}",
            position,
            only=f"{subjects.TOPIC}.{subject}",
        )
        self._records: deque[bytes] = deque()
        # The number that each publisher's next record should have, the latest publisher last.
        self._expected: OrderedDict[str, int] = OrderedDict()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> bytes:
        while not self._records:
            self._take(await self._follower.next())
        return self._records.popleft()

    async def close(self) -> None:
        """Stop receiving. Doing so twice is harmless."""
        await self._follower.close()

    def _take(self, message: Stored) -> None:
        publisher, _, number = message.headers.get(_FROM, "").partition(":")
        if not number.isdigit():
            self._records.append(message.data)
            return
        try:
            records = _decode(message.data)
        except UNREADABLE:
            return
        first, expected = int(number), self._expected.pop(publisher, int(number))
        if first >= expected:
            self.lost += first - expected
        else:
            # A voter's fail-over let a later message pass this one: it was not lost after all.
            self.lost = max(self.lost - len(records), 0)
        self._expected[publisher] = max(first + len(records), expected)
        if len(self._expected) > TOPIC_PUBLISHERS_MAX:
            self._expected.popitem(last=False)
        self._records.extend(records)


class _Line:
    """One topic as this host publishes it: records are numbered, one call at a time."""

    def __init__(self) -> None:
        self.id = os.urandom(6).hex()
        self.number = 0
        self.users = 0
        self.lock = asyncio.Lock()


class Topics:
    """The topics of the network, as one host sees them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lines: OrderedDict[str, _Line] = OrderedDict()

    async def ensure(self, replicas: int) -> None:
        """Create the stream of the topics, or open it and set its replicas. For core hosts."""
        settings = ("num_replicas", "subjects", "max_age")
        await streams.ensure(self._engine, config(replicas), settings)

    async def publish(self, topic: str, records: Sequence[bytes]) -> None:
        """Publish records in their order; returns when most voters have them.

        Calls for one topic are taken one after the other. The order also holds when a connection
        breaks; when a voter that leads is lost, up to TOPIC_MESSAGES_IN_FLIGHT messages that are
        under way may change places, but none is lost or doubled.

        Raises:
            UserError: the topic's name is not valid, or a record is too large.
            NetworkError, Unknown: not all were acknowledged in time; some may be published.
        """
        subject = f"{subjects.TOPIC}.{subjects.topic_tokens(topic)}"
        for record in records:
            if len(record) > TOPIC_RECORD_BYTES_MAX:
                raise UserError(
                    f"a record of {len(record)} bytes is larger than a topic takes",
                    hint=f"at most {TOPIC_RECORD_BYTES_MAX} bytes",
                )
        line = self._lines.setdefault(topic, _Line())
        self._lines.move_to_end(topic)
        line.users += 1
        try:
            async with line.lock:
                await self._send(line, subject, records)
        finally:
            line.users -= 1
            self._forget_old_lines()

    def _forget_old_lines(self) -> None:
        while len(self._lines) > TOPIC_PUBLISHERS_MAX:
            topic, line = next(iter(self._lines.items()))
            if line.users:
                return
            del self._lines[topic]

    async def _send(self, line: _Line, subject: str, records: Sequence[bytes]) -> None:
        """Send messages with several under way; the first failure ends it."""
        under_way: deque[asyncio.Task[None]] = deque()
        try:
            for batch in _batches(records):
                while len(under_way) >= TOPIC_MESSAGES_IN_FLIGHT:
                    await under_way[0]
                    under_way.popleft()
                number = f"{line.id}:{line.number}"
                line.number += len(batch)
                under_way.append(asyncio.create_task(self._send_one(subject, batch, number)))
            while under_way:
                await under_way[0]
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            if under_way:
                await asyncio.wait(under_way)

    async def _send_one(self, subject: str, records: list[bytes], number: str) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CALL_TIMEOUT_S
        headers = {_FROM: number, "Nats-Msg-Id": number}
        data = _encode(records)
        while True:
            try:
                # What was on its way to a voter that was lost is answered by nobody: no attempt may
                # take all the time there is.
                left = max(deadline - loop.time(), 0.001)
                message = await self._engine.request(
                    subject, data, headers=headers, timeout_s=min(left, LOG_APPEND_ATTEMPT_S)
                )
                answer = json.loads(message.data)
                if "error" not in answer:
                    return
                refusal = ApiError("a record of a topic", answer["error"])
                if not refusal.temporary and refusal.code != streams.DUPLICATE_IN_PROGRESS:
                    raise refusal
                error: NetworkError | Unknown = refusal
            except Unknown as unknown:
                error = unknown
            except ApiError:
                raise
            except NetworkError as away:
                # The connection ended just now: the voters change, or one was lost.
                error = away
            # The same id again: the engine takes it once at most.
            if deadline - loop.time() < ENGINE_API_RETRY_S:
                raise error
            await asyncio.sleep(ENGINE_API_RETRY_S)

    async def subscribe(self, topic: str) -> Subscription:
        """Receive what is published from now on: all that is not yet acknowledged at this moment.

        Raises:
            UserError: the topic's name is not valid.
            NetworkError, Unknown: the engine cannot be reached.
        """
        subjects.topic_tokens(topic)
        info = await streams.info(self._engine, subjects.TOPIC_STREAM)
        subscription = Subscription(self._engine, topic, info.last_seq)
        try:
            await subscription._follower.open()
        except BaseException:
            await subscription.close()
            raise
        return subscription

    async def topics(self) -> list[str]:
        """The topics that have records which are still kept, sorted."""
        info = await streams.info(
            self._engine, subjects.TOPIC_STREAM, subjects=f"{subjects.TOPIC}.>"
        )
        return sorted(subjects.topic_of(subject) for subject in info.subjects)


def _batches(records: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for record in records:
        if batch and (
            size + len(record) > TOPIC_MESSAGE_BYTES or len(batch) >= TOPIC_MESSAGE_RECORDS
        ):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield batch
