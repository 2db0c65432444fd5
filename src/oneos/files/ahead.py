"""Chunks sent to other hosts while this host's disk still takes them.

A commit needs a file's chunks on the disks of two hosts; done one after the other, the second disk
waits for the first. So what is cut is offered here at once and sent, and whoever cuts waits while
too much is under way: the file goes to both disks at the pace of the slower one. What did not
arrive `Copies.spread` sends after the cut. Only what the other host has acknowledged, under the
same name, counts as there.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from oneos.errors import OneOSError
from oneos.files.outbox import Outbox
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import (
    CHUNK_TIMEOUT_S,
    CHUNKS_AHEAD_BYTES_MAX,
    CHUNKS_AHEAD_CALL_BYTES,
    CHUNKS_AHEAD_STREAM_FROM,
)

log = logging.getLogger(__name__)

Piece = tuple[bytes, bytes]
"""A chunk's name and content."""

Put = Callable[[HostName, list[bytes]], Awaitable[m.ChunksHeld]]
"""Has a host keep contents; answers the names it gave them once they are on its disk."""

Stream = Callable[[HostName, Outbox], Awaitable[m.ChunksHeld]]
"""As `Put`, with all that is put into an outbox until its end."""


class Ahead:
    """What is sent ahead for one commit; a context that ends with it.

    Args:
        hosts: that shall have copies.
        put: sends to one of them.
        stream: sends what comes after the first `CHUNKS_AHEAD_STREAM_FROM` bytes, which is quicker
            and takes a while to begin.
    """

    def __init__(self, hosts: Sequence[HostName], put: Put, stream: Stream | None = None) -> None:
        self._hosts = hosts
        self._put = put
        self._stream = stream
        self._offered = 0
        self._outboxes: dict[HostName, Outbox] = {}
        self._loop = asyncio.get_running_loop()
        self._sending: dict[HostName, list[asyncio.Task[None]]] = {host: [] for host in hosts}
        self._there: dict[HostName, set[bytes]] = {host: set() for host in hosts}
        self._streamed: dict[HostName, set[bytes]] = {host: set() for host in hosts}
        self._promises: dict[HostName, list[int]] = {host: [] for host in hosts}
        self._refused: set[HostName] = set()
        # Changed by the thread that offers and by the loop's, which never waits for it.
        self._room = threading.Condition()
        self._under_way = 0
        self._over = False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *exc: object) -> None:
        with self._room:
            self._over = True
            self._room.notify_all()
        for outbox in self._outboxes.values():
            outbox.close()
        for tasks in self._sending.values():
            for task in tasks:
                task.cancel()

    def offer(self, pieces: Sequence[Piece]) -> None:
        """Take new pieces; called in another thread than the loop's, which waits for room.

        A host that does not answer ends its calls after `CHUNK_TIMEOUT_S` and gets no more, so
        the wait ends, too.
        """
        if not self._hosts:
            return
        batch: list[Piece] = []
        size = 0
        for piece in pieces:
            if batch and size + len(piece[1]) > CHUNKS_AHEAD_CALL_BYTES:
                self._hand_over(batch, size)
                batch, size = [], 0
            batch.append(piece)
            size += len(piece[1])
        if batch:
            self._hand_over(batch, size)

    def _hand_over(self, batch: list[Piece], size: int) -> None:
        taken = size * len(self._hosts)

        def room() -> bool:
            fits = self._under_way + taken <= CHUNKS_AHEAD_BYTES_MAX
            return self._over or not self._under_way or fits

        with self._room:
            if not self._room.wait_for(room, 2 * CHUNK_TIMEOUT_S) or self._over:
                return
            self._under_way += taken
        self._loop.call_soon_threadsafe(self._send_all, batch, size)

    def _send_all(self, batch: list[Piece], size: int) -> None:
        self._offered += size
        for host in self._hosts:
            if self._over or host in self._refused:
                self._make_room(size)
                continue
            if self._stream is not None and self._offered > CHUNKS_AHEAD_STREAM_FROM:
                self._put_out(host, self._stream, batch)
                continue
            task = self._loop.create_task(self._send(host, batch, size), name=f"ahead to {host}")
            self._sending[host].append(task)

    def _put_out(self, host: HostName, stream: Stream, batch: list[Piece]) -> None:
        outbox = self._outboxes.get(host)
        if outbox is None:
            outbox = self._outboxes[host] = Outbox()
            task = self._loop.create_task(self._send_out(host, stream, outbox))
            self._sending[host].append(task)
        for digest, data in batch:
            self._streamed[host].add(digest)
            outbox.put(data, partial(self._make_room, len(data)))

    async def _send_out(self, host: HostName, stream: Stream, outbox: Outbox) -> None:
        try:
            self._note(host, self._streamed[host], await stream(host, outbox))
        except OneOSError as error:
            # What came is found there after the cut.
            self._refused.add(host)
            log.info("%s did not take a stream of chunks: %s", host, error)
        finally:
            outbox.close()

    def _note(self, host: HostName, sent: Iterable[bytes], kept: m.ChunksHeld) -> None:
        self._there[host].update(set(sent).intersection(kept.digests))
        self._promises[host].append(kept.promise)

    def _make_room(self, size: int) -> None:
        with self._room:
            self._under_way -= size
            self._room.notify_all()

    async def _send(self, host: HostName, batch: list[Piece], size: int) -> None:
        try:
            kept = await self._put(host, [data for _, data in batch])
            self._note(host, [digest for digest, _ in batch], kept)
        except OneOSError as error:
            # Tried again after the cut, and told then.
            self._refused.add(host)
            log.info("%s did not take chunks ahead: %s", host, error)
        finally:
            self._make_room(size)

    async def arrived(self, host: HostName) -> tuple[set[bytes], list[int]]:
        """The names of the chunks that a host has by now, and the promises under which it keeps
        them; waits for those on their way."""
        if host in self._outboxes:
            self._outboxes[host].end()
        tasks = self._sending.get(host)
        if tasks:
            await asyncio.wait(tasks)
        return self._there.get(host, set()), list(self._promises.get(host, ()))
