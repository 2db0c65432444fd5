"""Chunks of large files between hosts, as a stream: no frame, no copy, a thread at each end.

A call costs each byte several copies and a turn of the event loop; a stream costs a handshake of
some milliseconds, which a large file pays back. Each chunk is its length and its bytes. Whoever
receives them hashes them, so a wrong byte counts as a chunk that did not come; what did not come is
asked for, or sent, by a call (`copies`), whose other end looks at its disk then.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from oneos.errors import NetworkError
from oneos.failpoints import reach
from oneos.files.outbox import Outbox
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CHUNK_BYTES, CHUNK_TIMEOUT_S, STREAM_HEARTBEAT_S
from oneos.net.links import Links
from oneos.net.own_thread import in_own_thread
from oneos.net.pieces import Pieces
from oneos.net.routes import Peer, Routes
from oneos.net.stream import StreamConnection
from oneos.net.streams import Streams, new_stream_id
from oneos.storage.chunks import ChunkStore
from oneos.storage.disk import as_file_error, write_all
from oneos.storage.fill import Spot
from oneos.storage.keeper import Keeper

_LENGTH_BYTES = 4
_END = (0).to_bytes(_LENGTH_BYTES, "little")
_ALIVE = (0xFFFF_FFFE).to_bytes(_LENGTH_BYTES, "little")
_MISSING = (0xFFFF_FFFF).to_bytes(_LENGTH_BYTES, "little")


class ChunkStreams:
    """See the module.

    Args:
        chunks: the chunks on this host's disk.
        links: where streams are agreed on.
        streams: the streams.
    """

    def __init__(self, chunks: ChunkStore, links: Links, streams: Streams) -> None:
        self._chunks = chunks
        self._links = links
        self._streams = streams

    def serve(self, routes: Routes) -> None:
        """Answer other hosts' `chunk.take` and `chunk.give`."""
        routes.add("chunk.take", self._on_take, m.ChunkTake)
        routes.add("chunk.give", self._on_give, m.ChunkGive)

    # --- to another host ------------------------------------------------------------------------
    async def send(self, host: HostName, outbox: Outbox) -> m.ChunksHeld:
        """Send what is put into an outbox, until its end.

        Returns:
            The names that the host gave to what is on its disk now, and its promise.

        Raises:
            OneOSError: the host does not take it; some of it may be there all the same.
        """
        stream_id = new_stream_id()
        try:
            take = self._links.call(
                host, "chunk.take", m.ChunkTake(stream_id), m.ChunksHeld, timeout_s=None
            )
            async with self._opened(host, stream_id, take) as (connection, answer):

                def stop() -> None:
                    connection.close()
                    outbox.close()

                await in_own_thread(stop, _send_all, connection, outbox)
                try:
                    held: m.ChunksHeld = await asyncio.wait_for(answer, 2 * CHUNK_TIMEOUT_S)
                except TimeoutError:
                    raise NetworkError(f"{host} does not answer", errno=errno.ETIMEDOUT) from None
                return held
        finally:
            outbox.close()

    @asynccontextmanager
    async def _opened(
        self, host: HostName, stream_id: bytes, call: Coroutine[Any, Any, Any]
    ) -> AsyncIterator[tuple[StreamConnection, asyncio.Task[Any]]]:
        """A stream, and the answer to the call by which the other host expects it."""
        answer = asyncio.create_task(call)
        dial = asyncio.create_task(self._streams.dial(host, stream_id))
        try:
            await asyncio.wait([answer, dial], return_when=asyncio.FIRST_COMPLETED)
            if not dial.done():
                # It refuses, or cannot be asked: nobody will let us in.
                await answer
            yield await dial, answer
        finally:
            for task in (answer, dial):
                task.cancel()
            await asyncio.wait([answer, dial])
            if not answer.cancelled():
                answer.exception()
            if not dial.cancelled() and dial.exception() is None:
                dial.result().close()

    async def _on_take(self, peer: Peer, request: m.ChunkTake) -> m.ChunksHeld:
        assert peer.host is not None
        promise = self._chunks.promises.number
        connection = await self._streams.expect(request.stream_id, peer.host)
        reach("copy.begun")
        digests = await in_own_thread(connection.close, self._take_all, connection)
        reach("copy.kept")
        return m.ChunksHeld(digests, promise)

    def _take_all(self, connection: StreamConnection) -> list[bytes]:
        digests: list[bytes] = []
        length = memoryview(bytearray(_LENGTH_BYTES))
        with (
            Pieces(connection, CHUNK_TIMEOUT_S) as pieces,
            Keeper(self._chunks, set(), None, cached=True) as keeper,
        ):
            while True:
                pieces.receive(length)
                if length == _END:
                    break
                if length == _ALIVE:
                    continue
                data = bytearray(_count(length))
                pieces.receive(memoryview(data))
                # Nobody changes it any more: a copy would say no more than this.
                digests.append(keeper.keep(cast(bytes, data)))
            keeper.flush()
        return digests

    # --- from another host ----------------------------------------------------------------------
    async def fetch(
        self, host: HostName, path: str, spots: Sequence[Spot], size: int
    ) -> list[Spot]:
        """Write chunks that a host holds into a file that is there.

        Args:
            path: of the file.
            spots: where which chunk belongs.
            size: of the file; nothing is written beyond it.

        Returns:
            Those that it did not have, or not as they should be.

        Raises:
            OneOSError: the host does not answer; or the disk refuses.
        """
        stream_id = new_stream_id()
        give = m.ChunkGive(stream_id, [digest for _, digest in spots])
        call = self._links.call(host, "chunk.give", give, None, timeout_s=None, bulk=True)
        async with self._opened(host, stream_id, call) as (connection, _):
            return await in_own_thread(connection.close, _fill, connection, path, spots, size)

    async def _on_give(self, peer: Peer, request: m.ChunkGive) -> None:
        assert peer.host is not None
        connection = await self._streams.expect(request.stream_id, peer.host)
        await in_own_thread(connection.close, self._give_all, connection, request.digests)

    def _give_all(self, connection: StreamConnection, digests: Sequence[bytes]) -> None:
        buffer = memoryview(bytearray(CHUNK_BYTES + 1))
        with Pieces(connection, CHUNK_TIMEOUT_S) as pieces:
            for digest in digests:
                count = self._read(digest, buffer)
                if not 0 < count <= CHUNK_BYTES:
                    pieces.send(_MISSING)
                    continue
                pieces.send(count.to_bytes(_LENGTH_BYTES, "little"))
                pieces.send(buffer[:count])
            pieces.linger()

    def _read(self, digest: bytes, into: memoryview) -> int:
        """A chunk's bytes as they are on the disk, unverified; 0 when they cannot be had."""
        try:
            with open(self._chunks.path(digest), "rb", buffering=0) as file:
                return file.readinto(into)
        except OSError:
            return 0


def _send_all(connection: StreamConnection, outbox: Outbox) -> None:
    with Pieces(connection, CHUNK_TIMEOUT_S) as pieces:
        while True:
            try:
                taken = outbox.take(STREAM_HEARTBEAT_S)
            except TimeoutError:
                # What is cut may be there already for long stretches.
                pieces.send(_ALIVE)
                continue
            if taken is None:
                break
            data, sent = taken
            try:
                pieces.send(len(data).to_bytes(_LENGTH_BYTES, "little"))
                pieces.send(data)
            finally:
                sent()
        pieces.send(_END)
        # The other end closes when all is on its disk.
        pieces.linger()


def _fill(connection: StreamConnection, path: str, spots: Sequence[Spot], size: int) -> list[Spot]:
    missing: list[Spot] = []
    length = memoryview(bytearray(_LENGTH_BYTES))
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with Pieces(connection, CHUNK_TIMEOUT_S) as pieces, as_file_error(path):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            for at, digest in spots:
                pieces.receive(length)
                if length == _MISSING:
                    missing.append((at, digest))
                    continue
                data = buffer[: _count(length)]
                pieces.receive(data)
                if hashlib.sha256(data).digest() == digest:
                    write_all(fd, data[: size - at], at)
                else:
                    missing.append((at, digest))
        finally:
            os.close(fd)
    return missing


def _count(length: memoryview) -> int:
    count = int.from_bytes(length, "little")
    if not 0 < count <= CHUNK_BYTES:
        raise NetworkError("a chunk that was sent has no possible length", errno=errno.EPROTO)
    return count
