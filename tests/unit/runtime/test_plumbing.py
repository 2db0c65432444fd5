"""Pipes carried between two hosts: whole, or broken and told so; nothing stays open."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from oneos.errors import FileError, NetworkError
from oneos.files.pipes import read_some, write_all
from oneos.ids import HostName
from oneos.net.pump import Ended
from oneos.net.streams import new_stream_id
from oneos.runtime.plumbing import Plumbing
from oneos.runtime.stream_files import Line, StreamFile
from tests.support.descriptors import open_ends
from tests.support.waiting import eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import Host, Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB, LAB


class Ends:
    def __init__(self, here: Host, there: Host) -> None:
        self.streams = there.streams
        self.here, self.there = Plumbing(here.streams), Plumbing(there.streams)
        self.before = open_ends()

    async def nothing_left(self) -> None:
        await eventually(lambda: open_ends() <= self.before)


@pytest.fixture
async def ends(network: Network) -> AsyncIterator[Ends]:  # noqa: F811
    hub, lab = await network.start(HUB, LAB)
    ends = Ends(hub, lab)
    yield ends
    await ends.here.close()
    await ends.there.close()


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


async def test_bytes_and_their_end_arrive(ends: Ends) -> None:
    key = new_stream_id()
    (read, ours), (theirs, write) = pipe(), pipe()
    receiving = ends.here.receive(LAB, key, ours)
    sending = ends.there.send(theirs, HUB, key)
    data = os.urandom(200_000)
    writing = asyncio.create_task(write_all(write, data))
    got = b""
    while len(got) < len(data):
        got += await read_some(read, 65536)
    await writing
    os.close(write)
    assert await read_some(read, 1) == b""
    assert got == data
    for pump in (receiving, sending):
        result = await pump
        assert result is not None and result.ended is Ended.EOF
    os.close(read)
    await ends.nothing_left()


async def test_connections_that_break_lose_and_double_nothing(ends: Ends) -> None:
    ends.here._run_of = ends.there._run_of = lambda host: 1
    key = new_stream_id()
    (read, ours), (theirs, write) = pipe(), pipe()
    receiving = ends.here.receive(LAB, key, ours)
    sending = ends.there.send(theirs, HUB, key)
    data = os.urandom(12_000_000)
    writing = asyncio.create_task(write_all(write, data))
    got = bytearray()
    for part in range(1, 7):
        while len(got) < part * 2_000_000:
            got += await read_some(read, 65536)
        if part < 6:
            # As when a cable is pulled, or a middle box forgets the connection.
            for connection in list(ends.streams._connected):
                socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
    await writing
    os.close(write)
    assert await read_some(read, 1) == b""
    assert bytes(got) == data
    for pump in (receiving, sending):
        result = await pump
        assert result is not None and (result.ended, result.bytes_moved) == (Ended.EOF, len(data))
    os.close(read)
    await ends.nothing_left()


async def test_writer_is_told_when_the_other_runtime_is_another(ends: Ends) -> None:
    run = 1
    ends.here._run_of = ends.there._run_of = lambda host: run
    key = new_stream_id()
    (read, ours), (theirs, write) = pipe(), pipe()
    ends.here.receive(LAB, key, ours)
    sending = ends.there.send(theirs, HUB, key)
    await write_all(write, b"first")
    assert await read_some(read, 100) == b"first"
    run = 2
    for connection in list(ends.streams._connected):
        socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)
    result = await sending
    assert result is not None and result.ended is Ended.BROKEN
    with pytest.raises(BrokenPipeError):
        await write_all(write, b"x")
    os.close(read)
    os.close(write)
    await ends.nothing_left()


async def test_break_is_told_before_the_reader_can_see_an_end(ends: Ends) -> None:
    key = new_stream_id()
    (read, ours), (theirs, write) = pipe(), pipe()
    order: list[str] = []
    ends.here.receive(LAB, key, ours, lambda: order.append("broken"))
    ends.there.send(theirs, HUB, key)
    await write_all(write, b"first")
    assert await read_some(read, 100) == b"first"
    ends.streams.drop(HUB)
    assert await read_some(read, 100) == b""
    order.append("end")
    assert order == ["broken", "end"]
    os.close(read)
    os.close(write)
    await ends.nothing_left()


async def test_writer_that_never_comes_is_a_break_and_not_an_end(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends.here._streams, "_rendezvous_s", 0.05)
    read, ours = pipe()
    broken: list[bool] = []
    pump = ends.here.receive(LAB, new_stream_id(), ours, lambda: broken.append(True))
    assert await read_some(read, 1) == b""
    assert await pump is None
    assert broken == [True]
    os.close(read)
    await ends.nothing_left()


async def test_dial_that_fails_closes_the_writers_pipe(ends: Ends) -> None:
    theirs, write = pipe()
    assert await ends.there.send(theirs, HostName("nobody"), new_stream_id()) is None
    with pytest.raises(BrokenPipeError):
        await write_all(write, b"x")
    os.close(write)
    await ends.nothing_left()


async def test_cancelled_pumps_close_what_they_were_given(ends: Ends) -> None:
    read, ours = pipe()
    theirs, write = pipe()
    ends.here.receive(LAB, new_stream_id(), ours).cancel()
    ends.there.send(theirs, HUB, new_stream_id()).cancel()
    assert await read_some(read, 1) == b""
    os.close(read)
    os.close(write)
    await ends.nothing_left()


async def test_too_many_streams_are_refused_and_leak_nothing(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends.here._streams, "_streams_max", 0)
    read, ours = pipe()
    with pytest.raises(NetworkError):
        ends.here.receive(LAB, new_stream_id(), ours)
    assert await read_some(read, 1) == b""
    os.close(read)
    await ends.nothing_left()


async def test_writer_learns_from_close_that_not_all_has_arrived(ends: Ends) -> None:
    key = new_stream_id()
    (read, ours), (theirs, write) = pipe(), pipe()
    receiving = ends.here.receive(LAB, key, ours)
    file = StreamFile(write, ends.there.send(theirs, HUB, key), writing=True)
    await write_all(file.fd, b"first")
    assert await read_some(read, 100) == b"first"
    ends.here._streams.drop(LAB)
    # Until it has ended, the reading end may still take the writer's end, and then all has arrived.
    await receiving
    with pytest.raises(FileError):
        await file.close()
    os.close(read)
    await ends.nothing_left()


async def test_reader_who_is_known_later_is_told_of_a_line_that_broke(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends.here._streams, "_rendezvous_s", 0.05)
    read, ours = pipe()
    line = Line()
    pump = ends.here.receive(LAB, new_stream_id(), ours, line)
    file = StreamFile(read, pump, writing=False, line=line)
    assert await pump is None
    told: list[bool] = []
    file.line.listen(lambda: told.append(True))
    assert told == [True]
    # One who has closed it is not.
    await file.close()
    line()
    assert told == [True]
    await ends.nothing_left()
