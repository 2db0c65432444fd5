"""Files at home here, as other hosts use them: what `home.*` answers.

Each opening has a number that the other host chose, so that it can close what it may have opened
when the answer got lost, and learn how a close ended by asking again. Openings of a host that is
gone, or of its earlier run, are closed here. Nothing that has begun is left half done when the
caller gives up.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import OrderedDict
from typing import Any, cast

from oneos.errors import Fenced, FileError, OneOSError
from oneos.failpoints import reach
from oneos.files.home import HomeHandle
from oneos.files.homes import Homes
from oneos.ids import HostName, Incarnation
from oneos.kernel import messages as m
from oneos.limits import HOME_CLOSES_KEPT_MAX, HOME_HANDLES_MAX, READ_BYTES_MAX
from oneos.net.routes import Peer, Routes
from oneos.state.names_types import Opened
from oneos.storage.file_locks import Kind, Range

log = logging.getLogger(__name__)

Key = tuple[HostName, int]
"""Whose opening, and its number there: the opener's incarnation, shifted, and a count."""

INCARNATION_SHIFT = 32


class HomeCalls:
    """See the module."""

    def __init__(self, homes: Homes) -> None:
        self._homes = homes
        self._open: dict[Key, HomeHandle] = {}
        self._opening = 0
        self._closes: OrderedDict[Key, asyncio.Task[None]] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def serve(self, routes: Routes) -> None:
        """Answer other hosts' `home.*`."""
        routes.add("home.cut", self._on_cut, m.HomeFile, finish=True)
        routes.add("home.stat", self._on_stat, m.HomeFile)
        routes.add("home.time", self._on_time, m.HomeTime, finish=True)
        routes.add("home.yield", self._on_yield, m.HomeWanted, finish=True)
        routes.add("home.orphaned", self._on_orphaned, m.Orphan, finish=True)
        routes.add("home.open", self._on_open, m.HomeOpen)
        routes.add("home.close", self._on_close, m.HomeHandle)
        routes.add("home.sync", self._on_sync, m.HomeHandle, finish=True)
        routes.add("home.flush", self._on_flush, m.HomeHandle, finish=True)
        routes.add("home.commit", self._on_commit, m.HomeFile, finish=True)
        routes.add("home.fstat", self._on_fstat, m.HomeHandle)
        routes.add("home.read", self._on_read, m.HomeRead)
        routes.add("home.write", self._on_write, m.HomeWrite)
        routes.add("home.truncate", self._on_truncate, m.HomeTruncate)
        routes.add("home.lock", self._on_lock, m.HomeLock)
        routes.add("home.locked", self._on_locked, m.HomeLock)
        routes.add("home.unlock", self._on_unlock, m.HomeUnlock, finish=True)
        routes.add("home.closing", self._on_closing, m.HomeUnlock)
        routes.add("home.call_back", self._on_call_back, m.HomeCallBack, finish=True)

    async def drop(self, owner: HostName, before: int | None = None) -> None:
        """Close what a host that is gone had open here; only earlier runs than `before`, if given.

        Args:
            before: the incarnation that the host has now.
        """
        for key in list(self._open):
            if key[0] == owner and (before is None or key[1] >> INCARNATION_SHIFT < before):
                try:
                    await self._close(key)
                except (OneOSError, OSError) as error:
                    log.warning("closing a file of %s, which is gone: %s", owner, error)

    # --- calls ----------------------------------------------------------------------------------
    async def _on_stat(self, peer: Peer, file: m.HomeFile) -> m.HomeStat:
        live = self._homes.live(self._homes.current(file.ino, file.home_epoch))
        if live is None:
            raise Fenced("the file has found another home")
        return live

    async def _on_time(self, peer: Peer, request: m.HomeTime) -> bool:
        return await self._homes.changed(request.attr, request.mtime_ns)

    async def _on_cut(self, peer: Peer, file: m.HomeFile) -> None:
        await self._homes.cut_again(file.ino, file.home_epoch)

    async def _on_yield(self, peer: Peer, wanted: m.HomeWanted) -> Opened | None:
        assert peer.host is not None
        return await self._homes.hand_over(
            wanted.ino,
            wanted.home_epoch,
            peer.host,
            Incarnation(wanted.incarnation),
            wanted.writing,
        )

    async def _on_orphaned(self, peer: Peer, file: m.Orphan) -> None:
        self._homes.orphaned(file.ino)

    async def _on_open(self, peer: Peer, request: m.HomeOpen) -> m.HomeOpened:
        assert peer.host is not None
        opening = asyncio.create_task(self._open_for((peer.host, request.handle), request))
        self._keep(opening)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Nobody will ever close what is opened now.
            self._keep(asyncio.create_task(self._abandon((peer.host, request.handle), opening)))
            raise

    async def _open_for(self, key: Key, request: m.HomeOpen) -> m.HomeOpened:
        if len(self._open) + self._opening >= HOME_HANDLES_MAX:
            raise FileError(errno.ENFILE)
        if key in self._open:
            raise FileError(errno.EEXIST, hint="an opening's number is used twice")
        self._opening += 1
        try:
            inode = self._homes.current(request.ino, request.home_epoch)
            handle = await self._homes.open(inode, request.flags, key[0], request.path)
        finally:
            self._opening -= 1
        self._open[key] = handle
        return m.HomeOpened(request.handle, os.fstat(handle.fd).st_size)

    async def _abandon(self, key: Key, opening: asyncio.Task[m.HomeOpened]) -> None:
        try:
            await opening
            await self._close(key)
        except (OneOSError, OSError) as error:
            log.info("an opening for %s that was given up: %s", key[0], error)

    def _handle(self, peer: Peer, number: int) -> HomeHandle:
        assert peer.host is not None
        handle = self._open.get((peer.host, number))
        if handle is None:
            raise FileError(errno.EBADF)
        return handle

    async def _on_close(self, peer: Peer, request: m.HomeHandle) -> None:
        assert peer.host is not None
        await self._close((peer.host, request.handle))

    async def _close(self, key: Key) -> None:
        """Close once; whoever asks again learns how it ended."""
        closing = self._closes.get(key)
        if closing is None:
            handle = self._open.pop(key, None)
            if handle is None:
                raise FileError(errno.EBADF)
            closing = self._closes[key] = asyncio.create_task(self._homes.close(handle))
            self._keep(closing)
            while len(self._closes) > HOME_CLOSES_KEPT_MAX:
                self._closes.popitem(last=False)
        await asyncio.shield(closing)

    async def _on_sync(self, peer: Peer, request: m.HomeHandle) -> None:
        await self._homes.sync(self._handle(peer, request.handle))

    async def _on_flush(self, peer: Peer, request: m.HomeHandle) -> None:
        await self._homes.flush(self._handle(peer, request.handle))

    async def _on_commit(self, peer: Peer, file: m.HomeFile) -> None:
        await self._homes.commit_closed(file.ino, file.home_epoch)

    async def _on_fstat(self, peer: Peer, request: m.HomeHandle) -> m.HomeStat:
        status = os.fstat(self._handle(peer, request.handle).fd)
        return m.HomeStat(status.st_size, status.st_mtime_ns)

    async def _on_read(self, peer: Peer, request: m.HomeRead) -> bytes:
        handle = self._handle(peer, request.handle)
        return os.pread(handle.fd, min(request.count, READ_BYTES_MAX), request.offset)

    async def _on_write(self, peer: Peer, request: m.HomeWrite) -> tuple[int, int]:
        reach("write.begun")
        handle = self._handle(peer, request.handle)
        if request.offset >= 0 and not handle.flags & os.O_APPEND:
            count = os.pwrite(handle.fd, request.data, request.offset)
            reach("write.done")
            return count, request.offset + count
        # The kernel appends under the file's lock, so appends of two hosts never overlap.
        if not handle.flags & os.O_APPEND:
            os.lseek(handle.fd, 0, os.SEEK_END)
        count = os.write(handle.fd, request.data)
        reach("write.done")
        return count, os.lseek(handle.fd, 0, os.SEEK_CUR)

    async def _on_truncate(self, peer: Peer, request: m.HomeTruncate) -> None:
        os.ftruncate(self._handle(peer, request.handle).fd, request.size)

    async def _on_lock(self, peer: Peer, asked: m.HomeLock) -> None:
        handle = self._handle(peer, asked.handle)
        await self._homes.locks.lock(handle, asked.owner, asked.pid, _range(asked), asked.number)

    async def _on_locked(self, peer: Peer, asked: m.HomeLock) -> m.HomeLocked | None:
        handle = self._handle(peer, asked.handle)
        found = self._homes.locks.test(handle, asked.owner, _range(asked))
        return m.HomeLocked(found.type, found.first, found.last, found.pid) if found else None

    async def _on_unlock(self, peer: Peer, asked: m.HomeUnlock) -> None:
        await self._homes.locks.release(self._handle(peer, asked.handle), asked.owner)

    async def _on_closing(self, peer: Peer, asked: m.HomeUnlock) -> None:
        self._homes.locks.closing(self._handle(peer, asked.handle), asked.owner)

    async def _on_call_back(self, peer: Peer, asked: m.HomeCallBack) -> None:
        assert peer.host is not None
        await self._homes.locks.call_back(peer.host, asked.number)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at, also where the caller has gone: an error nobody saw would be a warning.
            task.exception()


def _range(asked: m.HomeLock) -> Range:
    return Range(cast(Kind, asked.kind), asked.type, asked.first, asked.last)
