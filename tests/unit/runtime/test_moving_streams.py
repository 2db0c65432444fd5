"""Streams whose programs move from host to host: no byte is lost, doubled or out of order."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator

import pytest

from oneos.files.pipes import read_some, write_all
from oneos.ids import HostName
from oneos.net.pump import Ended
from oneos.net.sides import Incoming, Kept, Outgoing
from oneos.net.streams import new_stream_id
from oneos.runtime.plumbing import Plumbing
from tests.support.descriptors import open_ends
from tests.support.waiting import eventually
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.conftest import identities, network  # noqa: F401
from tests.unit.files.support import Network
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB, LAB

ATTIC = HostName("attic")
WRITER, READER = 11, 12


class World:
    """Three hosts, a program that writes and one that reads, and where they are."""

    def __init__(self, network: Network) -> None:  # noqa: F811
        self.at = {WRITER: LAB, READER: HUB}
        self.at_host = {
            host.host: Plumbing(host.streams, lambda host: 1, self.at.get) for host in network.hosts
        }
        self.before = open_ends()

    def moved(self, pid: int, host: HostName) -> None:
        self.at[pid] = host
        for plumbing in self.at_host.values():
            plumbing.changed()

    async def close(self) -> None:
        for plumbing in self.at_host.values():
            await plumbing.close()
        await eventually(lambda: open_ends() <= self.before)


@pytest.fixture
async def moving(network: Network) -> AsyncIterator[World]:  # noqa: F811
    await network.start(HUB, LAB, ATTIC)
    made = World(network)
    yield made
    await made.close()


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    return read, write


def drain(fd: int) -> bytes:
    """What is in a pipe."""
    got = b""
    try:
        while piece := os.read(fd, 1 << 20):
            got += piece
    except BlockingIOError:
        pass
    return got


async def test_reader_that_moves_goes_on_where_it_was(moving: World) -> None:
    key, data = new_stream_id(), os.urandom(6_000_000)
    (read, sink), (source, write) = pipe(), pipe()
    moving.at_host[HUB].receive(LAB, key, sink, peer=WRITER)
    sending = moving.at_host[LAB].send(source, HUB, key, peer=READER)
    writing = asyncio.create_task(write_all(write, data))
    got = b""
    route = [HUB, ATTIC, HUB, LAB, ATTIC]
    for turn, (here, there) in enumerate(itertools.pairwise(route), 1):
        while len(got) < 300_000 * turn:
            got += await read_some(read, 10_000)
        carried = moving.at_host[here].find(key, True)
        assert carried is not None
        side = await carried.freeze()
        assert isinstance(side, Incoming)
        unread = drain(read)
        kept = Kept(side.received - len(side.ahead) - len(unread), unread + side.ahead)
        assert kept.offset == len(got)
        os.close(read)
        read, sink = pipe()
        moving.at_host[there].receive(moving.at[WRITER], key, sink, peer=WRITER, kept=kept)
        moving.moved(READER, there)
        carried.thaw(stays=False)
    while len(got) < len(data):
        got += await read_some(read, 65536)
    await writing
    os.close(write)
    assert await read_some(read, 1) == b""
    assert got == data
    result = await sending
    assert result is not None and (result.ended, result.bytes_moved) == (Ended.EOF, len(data))
    os.close(read)


async def test_writer_that_moves_goes_on_where_it_was(moving: World) -> None:
    key, data = new_stream_id(), os.urandom(6_000_000)
    (read, sink), (source, write) = pipe(), pipe()
    receiving = moving.at_host[HUB].receive(LAB, key, sink, peer=WRITER)
    moving.at_host[LAB].send(source, HUB, key, peer=READER)
    sent, got = 0, b""
    route = [LAB, ATTIC, HUB, LAB]
    for here, there in itertools.pairwise(route):
        for _ in range(40):
            try:
                sent += os.write(write, data[sent : sent + 30_000])
            except BlockingIOError:
                got += await read_some(read, 1 << 20)
        carried = moving.at_host[here].find(key, False)
        assert carried is not None
        side = await carried.freeze()
        assert isinstance(side, Outgoing)
        rest = side.rest()
        kept = Kept(rest.offset, rest.data + drain(side.program.descriptor))
        assert kept.offset + len(kept.data) == sent
        os.close(write)
        source, write = pipe()
        moving.at_host[there].send(source, moving.at[READER], key, peer=READER, kept=kept)
        moving.moved(WRITER, there)
        carried.thaw(stays=False)
    writing = asyncio.create_task(write_all(write, data[sent:]))
    while len(got) < len(data):
        got += await read_some(read, 65536)
    await writing
    os.close(write)
    assert await read_some(read, 1) == b""
    assert got == data
    result = await receiving
    assert result is not None and (result.ended, result.bytes_moved) == (Ended.EOF, len(data))
    os.close(read)


async def test_program_that_stays_after_all_goes_on(moving: World) -> None:
    key = new_stream_id()
    (read, sink), (source, write) = pipe(), pipe()
    moving.at_host[HUB].receive(LAB, key, sink, peer=WRITER)
    moving.at_host[LAB].send(source, HUB, key, peer=READER)
    for number, (host, incoming) in enumerate(((HUB, True), (LAB, False), (HUB, True))):
        carried = moving.at_host[host].find(key, incoming)
        assert carried is not None
        side = await carried.freeze()
        assert side is not None
        await write_all(write, b"%d" % number)
        carried.thaw(stays=True)
        assert await read_some(read, 10) == b"%d" % number
    os.close(write)
    assert await read_some(read, 1) == b""
    os.close(read)
