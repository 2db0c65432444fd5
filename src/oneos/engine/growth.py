"""Moves the contents of the engine into the servers of a new generation, when voters change.

A store that began alone cannot become a member of a cluster: the server would delete its streams.
So a new set of servers is started beside the old one, and what the old one holds is copied: each
log record for record, with its number, author and headers. Whoever calls must have stopped all
writers before, and move everybody afterwards. The copy is compared before it counts, and copying
may be repeated after any failure, since each record goes to its own place or nowhere. Topics keep
their numbers too, by which subscribers know what they have; their publishers are stopped here,
and try again until they find an open stream.
"""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from oneos.engine import log, streams, subjects, topics
from oneos.engine.client import Engine
from oneos.engine.snapshots import Snapshots
from oneos.engine.streams import ApiError, Stored
from oneos.errors import InternalError, NetworkError, Unknown
from oneos.limits import (
    ENGINE_API_RETRY_S,
    ENGINE_PLACES_TIMEOUT_S,
    REPLAY_ATTEMPTS_MAX,
    REPLAY_IN_FLIGHT,
)

_ID = "Nats-Msg-Id"

# What the server adds when it sends a message out; the rest is the writer's.
_SERVERS_OWN = (
    "Nats-Stream",
    "Nats-Subject",
    "Nats-Sequence",
    "Nats-Time-Stamp",
    "Nats-Num-Pending",
    "Nats-Last-Sequence",
    "Nats-Expected-Last-Sequence",
    "Nats-Expected-Stream",
)


@dataclass(frozen=True)
class Copied:
    """What was moved of one log: the records first_seq to last_seq, and the hash of them all."""

    name: str
    first_seq: int
    last_seq: int
    sha256: str


async def replay(old: Engine, new: Engine, names: Sequence[str], replicas: int) -> list[Copied]:
    """Copy the logs `names`, with their snapshots, and the topics into new servers.

    Both connections are a core host's. The copies take no records yet: `finish` opens them. The
    old topics take none any more; if nothing comes of it, `Topics.ensure` opens them again.

    Args:
        old, new: the servers that hold the logs, and those that shall hold them.
        replicas: how many of the new voters hold each log.

    Raises:
        NetworkError, Unknown: a server went away; calling again goes on where this one ended.
        InternalError: the copy is not equal to what it was made from.
    """
    await wait_for_voters(new, replicas)
    before, after = Snapshots(old), Snapshots(new)
    await after.ensure(replicas)
    copied = []
    for name in names:
        copied.append(await _copy_log(old, new, name, replicas))
        snapshot = await before.latest(name)
        if snapshot is not None:
            await after.put(name, *snapshot)
            if await after.latest(name) != snapshot:
                raise InternalError(f"the copy of the snapshot of {name} differs from it")
    # Last, since whoever publishes waits from here on.
    await _copy_topics(old, new, replicas)
    return copied


async def finish(old: Engine, new: Engine, ends: Mapping[str, int], replicas: int) -> list[Copied]:
    """Copy what came to the logs since `replay`, compare them whole, and open the copies.

    Until then nobody can append to a copy, so no record of the new servers' can stand where one
    of the old servers' belongs.

    Args:
        old, new, replicas: as for `replay`.
        ends: of each log, the last record that counts; what the old servers hold behind it does
            not.

    Raises: as `replay`; calling again goes on where this one ended.
    """
    copied = []
    for name, last in ends.items():
        copied.append(await _copy_log(old, new, name, replicas, last))
        settings = log.config(name, replicas, copied[-1].first_seq)
        await streams.call(new, f"STREAM.UPDATE.{settings['name']}", settings)
    await streams.call(new, f"STREAM.UPDATE.{subjects.TOPIC_STREAM}", topics.config(replicas))
    return copied


async def wait_for_voters(engine: Engine, replicas: int) -> None:
    """Wait until new servers have elected a leader and know enough voters for `replicas`.

    Raises:
        NetworkError, Unknown: they did not in time.
    """
    deadline = asyncio.get_running_loop().time() + ENGINE_PLACES_TIMEOUT_S
    await streams.ready(engine, ENGINE_PLACES_TIMEOUT_S)
    while True:
        try:
            # The smallest thing that needs all of them; its stream is one we want anyway.
            await Snapshots(engine).ensure(replicas)
            return
        except (ApiError, Unknown):
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(ENGINE_API_RETRY_S)


async def _copy_log(
    old: Engine, new: Engine, name: str, replicas: int, last: int | None = None
) -> Copied:
    source = await streams.info(old, subjects.log_stream(name))
    if last is None:
        last = source.last_seq
    settings = log.config(name, replicas, source.first_seq)
    token = subjects.encode_token(name)
    replayed = f"{subjects.REPLAY}.{token}"
    # While it is copied, the log takes records on a subject of the copier's and stores them
    # under their authors'; nobody else can write to it.
    open_to_copier = {
        **settings,
        "subjects": [f"{replayed}.*"],
        "subject_transform": {
            "src": f"{replayed}.*",
            "dest": f"{subjects.LOG}.{token}.{{{{wildcard(1)}}}}",
        },
    }
    try:
        target = await streams.info(new, settings["name"])
    except ApiError as error:
        if error.code != streams.STREAM_NOT_FOUND:
            raise
        await streams.call(new, f"STREAM.CREATE.{settings['name']}", open_to_copier)
        target = await streams.info(new, settings["name"])
    if target.first_seq != source.first_seq and target.messages:
        raise InternalError(
            f"the new servers hold another {name}, from {target.first_seq}",
            hint="stop them, remove their store, and begin again",
        )
    if target.last_seq < last:

        def place(subject: str) -> str:
            return f"{replayed}.{subject.rpartition('.')[2]}"

        await _copy_records(old, new, settings["name"], place, target.last_seq, last)
    return await _compare(old, new, name, source.first_seq, last)


async def _copy_topics(old: Engine, new: Engine, replicas: int) -> None:
    """Stop the publishers, and copy what the voters keep of the topics, under its numbers."""
    stream = subjects.TOPIC_STREAM
    copied = f"{subjects.REPLAY}.{stream}"
    settings = topics.config(replicas)
    closed = {
        **settings,
        "subjects": [f"{copied}.>"],
        "subject_transform": {"src": f"{copied}.>", "dest": f"{subjects.TOPIC}.>"},
    }
    try:
        source = await streams.info(old, stream)
    except ApiError as error:
        if error.code != streams.STREAM_NOT_FOUND:
            raise
        await streams.ensure(new, closed)
        return
    # A stream without the subject takes nothing on it; and nothing expires while it is copied.
    sealed = {**source.config, "subjects": [f"{subjects.REPLAY}.SEALED"], "max_age": 0}
    await streams.call(old, f"STREAM.UPDATE.{stream}", sealed)
    source = await streams.info(old, stream)
    await streams.ensure(new, {**closed, "first_seq": source.first_seq})
    target = await streams.info(new, stream)

    def place(subject: str) -> str:
        return copied + subject.removeprefix(subjects.TOPIC)

    await _copy_records(old, new, stream, place, target.last_seq, source.last_seq)


async def _copy_records(
    old: Engine, new: Engine, stream: str, place: Callable[[str], str], position: int, last: int
) -> None:
    """Copy the records after `position`, many under way, each fenced to its own number.

    Args:
        place: the subject on which the copy takes what the original has under a subject.
    """
    under_way: deque[asyncio.Task[None]] = deque()
    try:
        async for stored in _stored(old, stream, position, last):
            while len(under_way) >= REPLAY_IN_FLIGHT:
                await under_way[0]
                under_way.popleft()
            work = _copy_one(new, stream, place(stored.subject), stored)
            under_way.append(asyncio.create_task(work))
        while under_way:
            await under_way[0]
            under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)


async def _copy_one(new: Engine, stream: str, subject: str, stored: Stored) -> None:
    headers = _own_headers(stored) | {"Nats-Expected-Last-Sequence": str(stored.seq - 1)}
    for _ in range(REPLAY_ATTEMPTS_MAX):
        answer = await streams.insist(new, subject, stored.data, headers=headers)
        if "error" not in answer:
            if int(answer["seq"]) == stored.seq:
                return
            # Two records far apart in time had one id, which the copy is too fast for.
            headers.pop(_ID, None)
            continue
        refusal = ApiError(f"record {stored.seq}", answer["error"])
        if refusal.code not in streams.WRONG_LAST_SEQUENCE:
            raise refusal
        # The one before may still be under way, or our own earlier attempt stands there.
        if (await streams.info(new, stream)).last_seq >= stored.seq:
            return
        await asyncio.sleep(ENGINE_API_RETRY_S)
    raise Unknown(f"record {stored.seq} of {stream} could not be copied")


async def _compare(old: Engine, new: Engine, name: str, first: int, last: int) -> Copied:
    """Read both logs whole, and compare numbers, authors, headers and data."""
    there = await streams.info(new, subjects.log_stream(name))
    hashes = [await _hash(engine, name, first, last) for engine in (old, new)]
    if (there.first_seq, there.last_seq) != (first, last) or hashes[0] != hashes[1]:
        raise InternalError(
            f"the copy of {name} differs: records {first} to {last} became "
            f"{there.first_seq} to {there.last_seq}",
            hint="were all writers stopped? the old servers are untouched; begin again",
        )
    return Copied(name, first, last, hashes[0])


async def _hash(engine: Engine, name: str, first: int, last: int) -> str:
    digest = hashlib.sha256()
    async for stored in _stored(engine, subjects.log_stream(name), first - 1, last):
        headers = {key: value for key, value in _own_headers(stored).items() if key != _ID}
        about = json.dumps([stored.seq, stored.subject, sorted(headers.items()), len(stored.data)])
        digest.update(about.encode())
        digest.update(stored.data)
    return digest.hexdigest()


async def _stored(engine: Engine, stream: str, position: int, last: int) -> AsyncIterator[Stored]:
    """The records after `position` up to `last`, each exactly once."""
    attempts = 0
    while position < last:
        try:
            found = await streams.fetch(engine, stream, position + 1)
        except (NetworkError, Unknown):
            found = []
        if not found:
            # A replica that is behind, or a lost connection.
            attempts += 1
            if attempts > REPLAY_ATTEMPTS_MAX:
                raise NetworkError(f"{stream} cannot be read from record {position + 1}")
            await asyncio.sleep(ENGINE_API_RETRY_S)
            continue
        attempts = 0
        for stored in found:
            if stored.seq != position + 1:
                raise InternalError(f"{stream} has no record {position + 1}")
            position = stored.seq
            yield stored
            if position == last:
                return


def _own_headers(stored: Stored) -> dict[str, str]:
    return {key: value for key, value in stored.headers.items() if key not in _SERVERS_OWN}
