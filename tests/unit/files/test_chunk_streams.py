"""What is large goes from host to host as a stream, and nothing wrong or half done counts."""

import asyncio
import errno
import os
from typing import Any

import pytest

from oneos.errors import FileError, NetworkError
from oneos.files import chunk_streams
from oneos.files.chunk_streams import ChunkStreams
from oneos.files.outbox import Outbox
from oneos.ids import HostName
from oneos.limits import CHUNK_BYTES, CHUNKS_AHEAD_BYTES_MAX, CHUNKS_AHEAD_STREAM_FROM
from oneos.net.pieces import Pieces
from tests.support.waiting import eventually
from tests.unit.files.support import ROOT, Host, Network
from tests.unit.files.test_homes import inode, write
from tests.unit.kernel.support import HUB, LAB

ATTIC = HostName("attic")
LARGE = os.urandom(CHUNKS_AHEAD_STREAM_FROM + CHUNKS_AHEAD_BYTES_MAX + 2 * CHUNK_BYTES + 5)


def holders_of(hosts: list[Host], digests: tuple[bytes, ...]) -> set[HostName]:
    return {host.host for host in hosts if not host.chunks.missing(digests)}


async def read(host: Host) -> bytes:
    handle = await host.files.open(b"/d/file", os.O_RDONLY, 0, ROOT)
    try:
        return os.pread(handle.fd, 2 * len(LARGE), 0)
    finally:
        await handle.close()


async def committed(network: Network) -> tuple[Host, Host, Host, tuple[bytes, ...]]:
    """The home of a large file, the other holder, who holds nothing of it, and its chunks."""
    hosts = await network.start(HUB, LAB, ATTIC)
    await write(hosts[0], LARGE)
    now = await inode(hosts[0])
    await hosts[0].homes.give_up(now.ino, now.home_epoch)
    other = next(host for host in hosts if host.host in now.copies and host is not hosts[0])
    third = next(host for host in hosts[1:] if host is not other)
    return hosts[0], other, third, now.chunks


def damage(host: Host, digest: bytes) -> None:
    with open(host.chunks.path(digest), "r+b") as file:
        file.write(b"XXXX")


async def test_large_file_lies_on_two_disks_once_it_is_closed(network: Network) -> None:
    hosts = await network.start(HUB, LAB)
    await write(hosts[0], LARGE)
    now = await inode(hosts[0])
    assert set(now.copies) == holders_of(hosts, now.chunks) == {HUB, LAB}
    # A stream that stalls on a busy machine is followed by another.
    assert hosts[0].streams.statistics().opened >= 1
    assert b"".join(map(hosts[1].chunks.get, now.chunks)) == LARGE
    await eventually(lambda: hosts[0].streams.statistics().connected == 0)


async def test_large_file_is_read_where_no_copy_is(network: Network) -> None:
    hub, other, third, _ = await committed(network)
    before = third.streams.statistics().opened
    assert await read(third) == LARGE
    assert third.streams.statistics().opened > before
    for host in (hub, other, third):
        await eventually(lambda host=host: host.streams.statistics().connected == 0)


async def test_wrong_byte_in_a_stream_is_met_by_asking_the_next_host(network: Network) -> None:
    hub, other, third, digests = await committed(network)
    damage(hub, digests[3])
    os.unlink(other.chunks.path(digests[5]))
    assert await read(third) == LARGE


async def test_what_every_holder_has_damaged_is_not_served_but_put_aside(network: Network) -> None:
    hub, other, third, digests = await committed(network)
    damage(hub, digests[3])
    damage(other, digests[3])
    with pytest.raises(FileError) as raised:
        await read(third)
    assert raised.value.errno == errno.EIO
    assert hub.chunks.missing(digests) == other.chunks.missing(digests) == [digests[3]]


async def test_host_whose_disk_is_full_ends_its_stream_and_another_takes_the_copy(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = await network.start(HUB, LAB, ATTIC)
    full = hosts[1]

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise FileError(errno.ENOSPC)

    monkeypatch.setattr(hosts[0].copies, "targets", lambda ino: [LAB, ATTIC])
    monkeypatch.setattr(full.chunks, "put_named", refuse)
    await write(hosts[0], LARGE)
    now = await inode(hosts[0])
    assert set(now.copies) == holders_of(hosts, now.chunks) == {HUB, ATTIC}


async def test_stream_that_has_nothing_to_send_for_a_while_goes_on(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, lab = await network.start(HUB, LAB)
    monkeypatch.setattr(chunk_streams, "STREAM_HEARTBEAT_S", 0.01)
    signs: list[bytes] = []

    class Watched(Pieces):
        def send(self, data: bytes | memoryview) -> None:
            signs.append(bytes(data[:4]))
            super().send(data)

    monkeypatch.setattr(chunk_streams, "Pieces", Watched)
    outbox = Outbox()
    sending = asyncio.create_task(
        ChunkStreams(hub.chunks, hub.links, hub.streams).send(LAB, outbox)
    )
    await eventually(lambda: len(signs) > 3)
    outbox.put(b"late", lambda: None)
    outbox.end()
    held = await sending
    assert [lab.chunks.get(digest) for digest in held.digests] == [b"late"]


async def test_end_of_the_sender_lets_the_other_host_go(network: Network) -> None:
    hub, lab = await network.start(HUB, LAB)
    outbox, sent = Outbox(), []
    outbox.put(b"first", lambda: sent.append(b"first"))
    sending = asyncio.create_task(
        ChunkStreams(hub.chunks, hub.links, hub.streams).send(LAB, outbox)
    )
    await eventually(lambda: sent)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    for host in (hub, lab):
        await eventually(lambda host=host: host.streams.statistics().connected == 0)


async def test_host_that_does_not_answer_is_an_error_and_leaves_nothing_waiting(
    network: Network,
) -> None:
    hub, lab = await network.start(HUB, LAB)
    await lab.server.close()
    outbox, given_up = Outbox(), []
    outbox.put(b"first", lambda: given_up.append(b"first"))
    streams = ChunkStreams(hub.chunks, hub.links, hub.streams)
    with pytest.raises(NetworkError):
        await streams.send(LAB, outbox)
    outbox.put(b"second", lambda: given_up.append(b"second"))
    assert given_up == [b"first", b"second"]
    with pytest.raises(NetworkError):
        await streams.fetch(LAB, "nowhere", [(0, b"d" * 32)], 4)
