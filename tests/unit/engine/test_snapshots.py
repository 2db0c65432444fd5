"""The promises of snapshots."""

import asyncio
import os
from typing import Any

import pytest

from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.snapshots import Snapshots, _Head
from oneos.errors import AuthError, Unknown
from oneos.limits import LOG_APPEND_ATTEMPT_S
from tests.unit.engine.servers import Bench


async def parts(snapshots: Snapshots) -> int:
    info = await streams.info(
        snapshots._engine, subjects.SNAPSHOT_STREAM, subjects=f"{subjects.SNAPSHOT_PART}.>"
    )
    return len(info.subjects)


async def test_snapshot_of_several_megabytes_comes_back_on_another_host(bench: Bench) -> None:
    server = await bench.start()
    hub = Snapshots(await bench.connect(server))
    pi = Snapshots(await bench.connect(server, host="pi1"))
    await hub.ensure(1)
    assert await pi.latest("files") is None
    data = os.urandom(5_000_001)
    assert await hub.put("files", 7, data)
    assert await pi.latest("files") == (7, data)
    assert await pi.latest("control") is None


async def test_newer_snapshot_replaces_the_older_and_its_parts(bench: Bench) -> None:
    snapshots = Snapshots(await bench.connect(await bench.start()))
    await snapshots.ensure(1)
    assert await snapshots.put("files", 1, bytes(1_000_000))
    assert await snapshots.put("control", 5, b"c")
    assert await snapshots.put("files", 2, bytes(600_000))
    assert await parts(snapshots) == 3 + 1
    assert not await snapshots.put("files", 2, b"same")
    assert not await snapshots.put("files", 1, b"older")
    assert await snapshots.latest("files") == (2, bytes(600_000))
    assert await snapshots.put("files", 3, b"")
    assert await snapshots.latest("files") == (3, b"")
    assert await snapshots.latest("control") == (5, b"c")


async def test_unfinished_snapshot_is_never_seen_and_swept_later(bench: Bench) -> None:
    snapshots = Snapshots(await bench.connect(await bench.start()))
    await snapshots.ensure(1)
    await snapshots.put("files", 1, b"whole")
    # What a host leaves that dies before it has written the head.
    await snapshots._write_part(f"{subjects.SNAPSHOT_PART}.files.dead.0", b"half")
    assert await snapshots.latest("files") == (1, b"whole")
    await snapshots.put("files", 2, b"next")
    assert await parts(snapshots) == 1


async def test_slower_of_two_writers_changes_nothing(bench: Bench) -> None:
    snapshots = Snapshots(await bench.connect(await bench.start()))
    await snapshots.ensure(1)
    await snapshots.put("files", 1, b"one")
    present = await snapshots._head("files")
    assert present is not None
    await snapshots.put("files", 3, b"three")
    late = _Head(2, "late", 0, 0, b"")
    assert await snapshots._write_head("files", late, present[0]) is None
    assert await snapshots.latest("files") == (3, b"three")


async def test_reader_sees_whole_snapshots_while_they_replace_each_other(bench: Bench) -> None:
    server = await bench.start()
    writer = Snapshots(await bench.connect(server))
    reader = Snapshots(await bench.connect(server, host="pi1"))
    await writer.ensure(1)
    await writer.put("files", 1, bytes([1]) * 700_000)

    async def write() -> None:
        for seq in range(2, 12):
            await writer.put("files", seq, bytes([seq]) * 700_000)

    writing = asyncio.create_task(write())
    seen: list[int] = []
    while not writing.done():
        latest = await reader.latest("files")
        assert latest is not None
        assert latest[1] == bytes([latest[0]]) * 700_000
        seen.append(latest[0])
    await writing
    assert seen == sorted(seen)


async def test_part_and_head_whose_answers_are_lost_are_soon_sent_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots = Snapshots(await bench.connect(await bench.start()))
    await snapshots.ensure(1)
    ask, lost = Engine._ask, set()

    async def lose(self: Engine, subject: str, *rest: Any) -> Any:
        answer = await ask(self, subject, *rest)
        if subject.startswith((subjects.SNAPSHOT_PART, subjects.SNAPSHOT_HEAD)):
            assert rest[-1] <= LOG_APPEND_ATTEMPT_S
            if subject not in lost:
                lost.add(subject)
                raise Unknown("the answer was lost")
        return answer

    monkeypatch.setattr(Engine, "_ask", lose)
    assert await snapshots.put("files", 1, bytes(600_000))
    assert len(lost) == 4
    assert await parts(snapshots) == 3
    assert await snapshots.latest("files") == (1, bytes(600_000))


async def test_edge_host_cannot_write_snapshots(bench: Bench) -> None:
    server = await bench.start()
    await Snapshots(await bench.connect(server)).ensure(1)
    pi = await bench.connect(server, host="pi1")
    with pytest.raises(AuthError):
        await Snapshots(pi).put("files", 1, b"x")
