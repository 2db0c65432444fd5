"""How exports are reached: those of this host for others, and those of others for programs here.

An opening by another host has a number that the opener chose, so that it can close what it may have
opened when the answer got lost. Those of a host that is gone, or of its earlier run, are closed
here. Each call is made in a thread that may wait for a disk.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from oneos.errors import FileError, OneOSError, Unknown
from oneos.files.beneath import LinkMet
from oneos.files.export_files import AwayExport, ExportedFile
from oneos.files.export_threads import ExportThreads
from oneos.files.exports import Exports
from oneos.files.handles import Handle
from oneos.files.home_calls import INCARNATION_SHIFT
from oneos.files.remote import close_at
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import HOME_HANDLES_MAX, READ_BYTES_MAX
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes

log = logging.getLogger(__name__)

T = TypeVar("T")

Key = tuple[HostName, int]


class _Opening:
    """A descriptor that threads use; it is closed when the last has done so."""

    def __init__(self, fd: int, appends: bool) -> None:
        self._fd = fd
        self.appends = appends
        self._users = 1
        self._over = False
        self._lock = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[int]:
        with self._lock:
            if self._over:
                raise FileError(errno.EBADF)
            self._users += 1
        try:
            yield self._fd
        finally:
            self._leave()

    def end(self) -> None:
        with self._lock:
            self._over = True
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            os.close(self._fd)


class ExportCalls:
    """See the module.

    Args:
        host: this host.
        incarnation: this run of it.
        exports: what it exports.
        links: the way to others.
    """

    def __init__(
        self, host: HostName, incarnation: Callable[[], int], exports: Exports, links: Links
    ) -> None:
        self._host = host
        self._incarnation = incarnation
        self._exports = exports
        self._links = links
        self._threads = ExportThreads()
        self._numbers = itertools.count(1)
        self._open: dict[Key, _Opening] = {}
        self._opening = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for programs here ------------------------------------------------------------------------
    async def ask(self, host: HostName, ask: m.ExportAsk) -> m.ExportAnswer:
        """Have a host look at an export of its own, or change it. Raises OneOSError."""
        answer: m.ExportAnswer = await self._links.call(host, "export.ask", ask, m.ExportAnswer)
        return answer

    async def open(self, host: HostName, request: m.ExportOpen) -> Handle | m.ExportAnswer:
        """Open a file of an export; an answer where a link stands on the way. Raises OneOSError."""
        if host == self._host:
            return await self._open_here(request)
        number = (self._incarnation() << INCARNATION_SHIFT) + next(self._numbers)
        request = m.ExportOpen(request.export, request.place, request.flags, request.mode, number)
        try:
            answer = await self._links.call(host, "export.open", request, m.ExportAnswer)
        except (Unknown, asyncio.CancelledError):
            # It may be open there; nobody will use it.
            task = asyncio.create_task(self._close_unused(host, number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            raise
        if answer.link >= 0:
            return answer  # type: ignore[no-any-return]
        return AwayExport(self._links, host, m.HomeOpened(number, answer.value), request.flags)

    async def _open_here(self, request: m.ExportOpen) -> Handle | m.ExportAnswer:
        def opened() -> int:
            return self._exports.open(request.export, request.place, request.flags, request.mode)

        try:
            fd = await self._run(opened, os.close)
        except LinkMet as met:
            return m.ExportAnswer(link=met.at, target=met.target)
        return ExportedFile(fd, self._exports, self._threads)

    async def _close_unused(self, host: HostName, number: int) -> None:
        try:
            await close_at(self._links, host, m.HomeHandle(number), "export")
        except OneOSError as error:
            log.info("an opening at %s that was given up: %s", host, error)

    # --- for other hosts --------------------------------------------------------------------------
    def serve(self, routes: Routes) -> None:
        """Answer `export.*`."""
        routes.add("export.ask", self._on_ask, m.ExportAsk, finish=True)
        routes.add("export.open", self._on_open, m.ExportOpen, finish=True)
        routes.add("export.close", self._on_close, m.HomeHandle)
        routes.add("export.sync", self._on_sync, m.HomeHandle)
        routes.add("export.fstat", self._on_fstat, m.HomeHandle)
        routes.add("export.read", self._on_read, m.HomeRead)
        routes.add("export.write", self._on_write, m.HomeWrite, finish=True)
        routes.add("export.truncate", self._on_truncate, m.HomeTruncate, finish=True)

    def drop(self, owner: HostName, before: int | None = None) -> None:
        """Close what a host that is gone had open here; only earlier runs than `before`, if given.

        Args:
            before: the incarnation that the host has now.
        """
        for key in list(self._open):
            if key[0] == owner and (before is None or key[1] >> INCARNATION_SHIFT < before):
                self._end(self._open.pop(key))

    async def _on_ask(self, peer: Peer, ask: m.ExportAsk) -> m.ExportAnswer:
        return await self._run(lambda: self._exports.ask(ask))

    async def _on_open(self, peer: Peer, request: m.ExportOpen) -> m.ExportAnswer:
        assert peer.host is not None
        key = peer.host, request.handle
        if len(self._open) + self._opening >= HOME_HANDLES_MAX:
            raise FileError(errno.ENFILE)
        if key in self._open:
            raise FileError(errno.EEXIST, hint="an opening's number is used twice")

        def opened() -> int:
            return self._exports.open(request.export, request.place, request.flags, request.mode)

        self._opening += 1
        try:
            fd = await self._run(opened, os.close)
        except LinkMet as met:
            return m.ExportAnswer(link=met.at, target=met.target)
        finally:
            self._opening -= 1
        self._open[key] = _Opening(fd, bool(request.flags & os.O_APPEND))
        return m.ExportAnswer(os.fstat(fd).st_size)

    async def _on_close(self, peer: Peer, request: m.HomeHandle) -> None:
        assert peer.host is not None
        opening = self._open.pop((peer.host, request.handle), None)
        # One that is asked again has been done.
        if opening is not None:
            self._end(opening)

    def _end(self, opening: _Opening) -> None:
        task = asyncio.ensure_future(self._threads.run(opening.end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _on_sync(self, peer: Peer, request: m.HomeHandle) -> None:
        await self._with(peer, request.handle, os.fsync)

    async def _on_fstat(self, peer: Peer, request: m.HomeHandle) -> list[int]:
        return await self._with(peer, request.handle, lambda fd: self._exports.row(os.fstat(fd)))

    async def _on_read(self, peer: Peer, request: m.HomeRead) -> bytes:
        count = min(request.count, READ_BYTES_MAX)
        return await self._with(
            peer, request.handle, lambda fd: os.pread(fd, count, request.offset)
        )

    async def _on_write(self, peer: Peer, request: m.HomeWrite) -> tuple[int, int]:
        appends = self._find(peer, request.handle).appends

        def write(fd: int) -> tuple[int, int]:
            if request.offset >= 0 and not appends:
                count = os.pwrite(fd, request.data, request.offset)
                return count, request.offset + count
            # The kernel appends under the file's lock, so appends of two hosts never overlap.
            if not appends:
                os.lseek(fd, 0, os.SEEK_END)
            count = os.write(fd, request.data)
            return count, os.lseek(fd, 0, os.SEEK_CUR)

        return await self._with(peer, request.handle, write)

    async def _on_truncate(self, peer: Peer, request: m.HomeTruncate) -> None:
        await self._with(peer, request.handle, lambda fd: os.ftruncate(fd, request.size))

    def _find(self, peer: Peer, number: int) -> _Opening:
        assert peer.host is not None
        opening = self._open.get((peer.host, number))
        if opening is None:
            raise FileError(errno.EBADF)
        return opening

    async def _with(self, peer: Peer, number: int, act: Callable[[int], T]) -> T:
        opening = self._find(peer, number)

        def work() -> T:
            with opening.use() as fd:
                return act(fd)

        return await self._run(work)

    async def _run(self, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
        try:
            return await self._threads.run(work, undo)
        except OSError as error:
            # The kernel's word, which the program gets.
            raise FileError(error.errno or errno.EIO) from error
