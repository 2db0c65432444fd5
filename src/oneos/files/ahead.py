"""Chunks sent to other hosts while this host's disk still takes them.

A commit needs a file's chunks on the disks of two hosts; done one after the other, the second disk
waits for the first. So what is cut is offered here at once, and sent if not too much is under way
already: what was not sent, or did not arrive, `Copies.spread` sends after the cut. Only what the
other host has acknowledged, under the same name, counts as there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CHUNK_PUT_BYTES_MAX, CHUNKS_AHEAD_BYTES_MAX

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
        self._under_way = 0
        self._over = False

    def __enter__(self) -> Ahead:
        return self

    def __exit__(self, *exc: object) -> None:
        self._over = True
        for tasks in self._sending.values():
            for task in tasks:
                task.cancel()

    def offer(self, pieces: Sequence[Piece]) -> None:
        """Take new pieces; called in another thread than the loop's, and does not wait."""
        self._loop.call_soon_threadsafe(self._begin, list(pieces))

    def _begin(self, pieces: list[Piece]) -> None:
        batch: list[Piece] = []
        size = 0
        for piece in pieces:
            if batch and size + len(piece[1]) > CHUNK_PUT_BYTES_MAX:
                self._send_all(batch, size)
                batch, size = [], 0
            batch.append(piece)
            size += len(piece[1])
        self._send_all(batch, size)

    def _send_all(self, batch: list[Piece], size: int) -> None:
        if not batch or self._over or self._under_way + size > CHUNKS_AHEAD_BYTES_MAX:
            return
        for host in self._hosts:
            self._under_way += size
            task = self._loop.create_task(self._send(host, batch, size), name=f"ahead to {host}")
            self._sending[host].append(task)

    async def _send(self, host: HostName, batch: list[Piece], size: int) -> None:
        try:
            kept = await self._put(host, [data for _, data in batch])
            self._there[host].update({digest for digest, _ in batch}.intersection(kept.digests))
            self._promises[host].append(kept.promise)
        except OneOSError as error:
            # Tried again after the cut, and told then.
            log.info("%s did not take chunks ahead: %s", host, error)
        finally:
            self._under_way -= size

    async def arrived(self, host: HostName) -> tuple[set[bytes], list[int]]:
        """The names of the chunks that a host has by now, and the promises under which it keeps
        them; waits for those on their way."""
        tasks = self._sending.get(host)
        if tasks:
            await asyncio.wait(tasks)
        return self._there.get(host, set()), list(self._promises.get(host, ()))
