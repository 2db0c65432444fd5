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
from collections.abc import Awaitable, Callable, Sequence

from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CHUNK_TIMEOUT_S, CHUNKS_AHEAD_BYTES_MAX, CHUNKS_AHEAD_CALL_BYTES

log = logging.getLogger(__name__)

Piece = tuple[bytes, bytes]
"""A chunk's name and content."""

Put = Callable[[HostName, list[bytes]], Awaitable[m.ChunksHeld]]
"""Has a host keep contents; answers the names it gave them once they are on its disk."""


class Ahead:
    """What is sent ahead for one commit; a context that ends with it.

    Args:
        hosts: that shall have copies.
        put: sends to one of them.
    """

    def __init__(self, hosts: Sequence[HostName], put: Put) -> None:
        self._hosts = hosts
        self._put = put
        self._loop = asyncio.get_running_loop()
        self._sending: dict[HostName, list[asyncio.Task[None]]] = {host: [] for host in hosts}
        self._there: dict[HostName, set[bytes]] = {host: set() for host in hosts}
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
        for host in self._hosts:
            if self._over or host in self._refused:
                self._make_room(size)
                continue
            task = self._loop.create_task(self._send(host, batch, size), name=f"ahead to {host}")
            self._sending[host].append(task)

    def _make_room(self, size: int) -> None:
        with self._room:
            self._under_way -= size
            self._room.notify_all()

    async def _send(self, host: HostName, batch: list[Piece], size: int) -> None:
        try:
            kept = await self._put(host, [data for _, data in batch])
            self._there[host].update({digest for digest, _ in batch}.intersection(kept.digests))
            self._promises[host].append(kept.promise)
        except OneOSError as error:
            # Tried again after the cut, and told then.
            self._refused.add(host)
            log.info("%s did not take chunks ahead: %s", host, error)
        finally:
            self._make_room(size)

    async def arrived(self, host: HostName) -> tuple[set[bytes], list[int]]:
        """The names of the chunks that a host has by now, and the promises under which it keeps
        them; waits for those on their way."""
        tasks = self._sending.get(host)
        if tasks:
            await asyncio.wait(tasks)
        return self._there.get(host, set()), list(self._promises.get(host, ()))
