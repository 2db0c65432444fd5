"""Files whose home is this host: their backing files, who has them open, and their commits.

While a file is in use its bytes are one real file here. Programs of this host get its kernel
descriptor; programs elsewhere read and write it through the calls served here, so that both see
every completed write. When a writer closes or syncs, the content is cut into chunks, copied to
other hosts and committed with one record, fenced by the home's epoch. When nobody here has the
file open, the home goes to whoever asks for it.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from oneos.errors import Fenced, FileError, OneOSError
from oneos.files.copies import Copies
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.limits import (
    BATCH_COMMANDS_MAX,
    HOME_HANDLES_MAX,
    ORPHANS_WAIT_S,
    READ_BYTES_MAX,
    SERVICE_RETRY_S,
)
from oneos.net.routes import Peer, Routes
from oneos.state import names_commands as n
from oneos.state.names_types import Attr, Inode, Result
from oneos.storage.backing import BackingStore

log = logging.getLogger(__name__)

_ONCE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW

ChangeNames = Callable[[Callable[[tuple[str, int], int], n.AnyCommand]], Awaitable[Result]]
"""Sends a command, made from a request id and a time, to the File System."""


@dataclass(slots=True)
class Home:
    """One file that is at home here. `inode` is the last committed or claimed record."""

    inode: Inode
    opens: int = 0
    writers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    gone: bool = False


@dataclass(slots=True)
class HomeHandle:
    """One opening of a file at its home."""

    home: Home
    flags: int
    fd: int
    owner: HostName

    @property
    def writing(self) -> bool:
        """Whether it may change the content."""
        return self.flags & os.O_ACCMODE != os.O_RDONLY


class Homes:
    """The files at home here.

    Args:
        host: this host.
        backing: the backing files.
        copies: where committed chunks are copied to.
        change: sends a command to the File System.
    """

    def __init__(
        self, host: HostName, backing: BackingStore, copies: Copies, change: ChangeNames
    ) -> None:
        self.host = host
        self._backing = backing
        self._copies = copies
        self._change = change
        self._homes: dict[int, Home] = {}
        self._remote: dict[int, HomeHandle] = {}
        self._next_handle = 1
        self._orphans: dict[int, int] = {}
        self._reaper: asyncio.Task[None] | None = None

    # --- opening and closing ------------------------------------------------------------------
    async def open(self, inode: Inode, flags: int, owner: HostName) -> HomeHandle:
        """Open a file that is at home here; `inode` as the File System just gave it.

        Raises:
            Fenced: the home has moved meanwhile; look the file up again.
            FileError: the content cannot be had, or the kernel refuses.
        """
        home = self._homes.get(inode.ino)
        if home is None or home.inode.home_epoch != inode.home_epoch:
            home = self._homes[inode.ino] = Home(inode)
        async with home.lock:
            if home.gone or self._homes.get(inode.ino) is not home:
                raise Fenced("the file has found another home")
            if inode.version > home.inode.version or inode.writing != home.inode.writing:
                home.inode = inode
            path = await self._path_of(inode)
            fd = os.open(path, (flags & ~_ONCE) | os.O_CLOEXEC)
            handle = HomeHandle(home, flags, fd, owner)
            home.opens += 1
            home.writers += handle.writing
            return handle

    async def _path_of(self, inode: Inode) -> str:
        """The backing file of this epoch, made from the committed chunks if it is not there."""
        try:
            if self._backing.home_epoch(inode.ino) == inode.home_epoch:
                return self._backing.path(inode.ino)
        except FileError:
            pass
        return await self._backing.materialise(
            inode.ino,
            inode.home_epoch,
            inode.chunks,
            inode.size,
            lambda digest: self._copies.fetch(digest, inode.copies),
            inode.mtime_ns,
        )

    async def close(self, handle: HomeHandle) -> None:
        """Close it; a writer's content is committed first. Raises what kept it from that."""
        home = handle.home
        if handle.fd >= 0:
            os.close(handle.fd)
            handle.fd = -1
        async with home.lock:
            try:
                if handle.writing:
                    await self._commit(home, final=home.writers == 1)
            finally:
                home.writers -= handle.writing
                home.opens -= 1
        if home.opens == 0 and home.inode.nlink == 0:
            await self.give_up(home.inode.ino, home.inode.home_epoch)

    async def sync(self, handle: HomeHandle) -> None:
        """Commit what was written so far."""
        if handle.writing:
            async with handle.home.lock:
                await self._commit(handle.home, final=False)

    async def _commit(self, home: Home, final: bool) -> None:
        inode = home.inode
        size, mtime_ns, digests, _ = await self._backing.cut(inode.ino)
        holders = await self._copies.spread(inode.ino, digests, inode.copies)
        result = await self._change(
            lambda rid, ns: n.Commit(
                rid=rid,
                now_ns=ns,
                ino=inode.ino,
                home=self.host,
                home_epoch=inode.home_epoch,
                size=size,
                mtime_ns=mtime_ns,
                chunks=tuple(digests),
                copies=tuple(holders),
                final=final,
            )
        )
        if result.errno == errno.ESTALE:
            # The network gave this host up meanwhile and another is home now.
            home.gone = True
            self._homes.pop(inode.ino, None)
            raise FileError(errno.EIO, hint="this host was declared dead while the file was open")
        if result.errno:
            raise FileError(result.errno)
        assert isinstance(result.value, Attr)
        home.inode = replace(
            inode,
            size=size,
            mtime_ns=mtime_ns,
            nlink=result.value.nlink,
            version=result.value.version,
            chunks=tuple(digests),
            copies=tuple(holders),
            writing=inode.writing and not final,
        )

    # --- what the rest of the host asks ---------------------------------------------------------
    def live(self, inode: Inode) -> m.HomeStat | None:
        """Size and time of a file at home here, as its backing file has them now."""
        home = self._homes.get(inode.ino)
        if home is None or home.inode.home_epoch != inode.home_epoch or home.gone:
            return None
        try:
            status = os.stat(self._backing.path(inode.ino))
        except (FileError, FileNotFoundError):
            return None
        return m.HomeStat(status.st_size, status.st_mtime_ns)

    async def chunk(self, digest: bytes, holders: Iterable[str]) -> bytes:
        """A chunk's content, from this host's disk or another's; kept here once fetched."""
        return await self._copies.content(digest, holders)

    def path(self, handle: HomeHandle) -> str:
        """Where the backing file of an opened file is."""
        return self._backing.path(handle.home.inode.ino)

    def touch(self, ino: int, atime_ns: int, mtime_ns: int) -> None:
        """Set the times of a backing file, which the next commit writes down."""
        if ino in self._homes:
            try:
                os.utime(self._backing.path(ino), ns=(atime_ns, mtime_ns))
            except (FileError, FileNotFoundError):
                pass

    async def give_up(self, ino: int, home_epoch: int) -> bool:
        """Let another host be home, if nobody has the file open here."""
        home = self._homes.get(ino)
        if home is not None:
            async with home.lock:
                if home.opens:
                    return False
                home.gone = True
                self._homes.pop(ino, None)
        result = await self._change(
            lambda rid, ns: n.Release(
                rid=rid, now_ns=ns, ino=Ino(ino), home=self.host, home_epoch=home_epoch
            )
        )
        if result.errno not in (0, errno.ESTALE, errno.ENOENT):
            raise FileError(result.errno)
        await self._backing.drop(ino)
        return True

    async def orphaned(self, ino: int) -> None:
        """The file has lost its last name: drop it soon, or when the last program closes it."""
        home = self._homes.get(ino)
        if home is not None:
            home.inode = replace(home.inode, nlink=0)
            self._orphans[ino] = home.inode.home_epoch
            if self._reaper is None:
                self._reaper = asyncio.create_task(self._reap(), name="orphaned files")

    async def _reap(self) -> None:
        """Give up the orphans, many with one record: nobody waits for that."""
        pause_s = ORPHANS_WAIT_S
        while self._orphans:
            await asyncio.sleep(pause_s)
            some = list(itertools.islice(self._orphans.items(), BATCH_COMMANDS_MAX))
            done = await asyncio.gather(
                *(self.give_up(ino, epoch) for ino, epoch in some), return_exceptions=True
            )
            for (ino, _), result in zip(some, done, strict=True):
                if isinstance(result, OneOSError):
                    log.warning("file %d has no name and is not dropped yet: %s", ino, result)
                    pause_s = SERVICE_RETRY_S
                    continue
                if isinstance(result, BaseException):
                    log.error("file %d has no name and is not dropped", ino, exc_info=result)
                del self._orphans[ino]
        self._reaper = None

    async def stop(self) -> None:
        """Stop dropping orphans; what is left goes at the next start, when its home is voided."""
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.wait((self._reaper,))

    def open_count(self) -> int:
        """How many openings there are, for statistics."""
        return sum(home.opens for home in self._homes.values())

    async def drop_owner(self, owner: HostName) -> None:
        """Close what a host that is gone had open here."""
        for number, handle in list(self._remote.items()):
            if handle.owner == owner:
                del self._remote[number]
                try:
                    await self.close(handle)
                except OneOSError as error:
                    log.warning("closing file %d of %s: %s", handle.home.inode.ino, owner, error)

    # --- calls of other hosts -------------------------------------------------------------------
    def serve(self, routes: Routes) -> None:
        """Answer other hosts' `home.*`."""
        routes.add("home.stat", self._on_stat, m.HomeFile)
        routes.add("home.yield", self._on_yield, m.HomeFile)
        routes.add("home.orphaned", self._on_orphaned, m.Orphan)
        routes.add("home.open", self._on_open, m.HomeOpen)
        routes.add("home.close", self._on_close, m.HomeHandle)
        routes.add("home.sync", self._on_sync, m.HomeHandle)
        routes.add("home.fstat", self._on_fstat, m.HomeHandle)
        routes.add("home.read", self._on_read, m.HomeRead)
        routes.add("home.write", self._on_write, m.HomeWrite)
        routes.add("home.truncate", self._on_truncate, m.HomeTruncate)

    def _current(self, ino: int, home_epoch: int) -> Home:
        home = self._homes.get(ino)
        if home is None or home.gone or home.inode.home_epoch != home_epoch:
            raise Fenced("the file has found another home")
        return home

    async def _on_stat(self, peer: Peer, file: m.HomeFile) -> m.HomeStat:
        live = self.live(self._current(file.ino, file.home_epoch).inode)
        if live is None:
            raise Fenced("the file has found another home")
        return live

    async def _on_yield(self, peer: Peer, file: m.HomeFile) -> bool:
        return await self.give_up(file.ino, file.home_epoch)

    async def _on_orphaned(self, peer: Peer, file: m.Orphan) -> None:
        await self.orphaned(file.ino)

    async def _on_open(self, peer: Peer, request: m.HomeOpen) -> m.HomeOpened:
        if len(self._remote) >= HOME_HANDLES_MAX:
            raise FileError(errno.ENFILE)
        home = self._current(request.ino, request.home_epoch)
        assert peer.host is not None
        inode = home.inode
        if request.flags & os.O_ACCMODE != os.O_RDONLY and not inode.writing:
            # The opener has said so in the log, with a record this home need not have seen.
            inode = home.inode = replace(inode, writing=True)
        handle = await self.open(inode, request.flags, peer.host)
        number = self._next_handle
        self._next_handle += 1
        self._remote[number] = handle
        return m.HomeOpened(number, os.fstat(handle.fd).st_size)

    def _handle(self, peer: Peer, number: int) -> HomeHandle:
        handle = self._remote.get(number)
        if handle is None or handle.owner != peer.host:
            raise FileError(errno.EBADF)
        return handle

    async def _on_close(self, peer: Peer, request: m.HomeHandle) -> None:
        handle = self._handle(peer, request.handle)
        del self._remote[request.handle]
        await self.close(handle)

    async def _on_sync(self, peer: Peer, request: m.HomeHandle) -> None:
        await self.sync(self._handle(peer, request.handle))

    async def _on_fstat(self, peer: Peer, request: m.HomeHandle) -> m.HomeStat:
        status = os.fstat(self._handle(peer, request.handle).fd)
        return m.HomeStat(status.st_size, status.st_mtime_ns)

    async def _on_read(self, peer: Peer, request: m.HomeRead) -> bytes:
        handle = self._handle(peer, request.handle)
        return os.pread(handle.fd, min(request.count, READ_BYTES_MAX), request.offset)

    async def _on_write(self, peer: Peer, request: m.HomeWrite) -> tuple[int, int]:
        handle = self._handle(peer, request.handle)
        if request.offset >= 0 and not handle.flags & os.O_APPEND:
            count = os.pwrite(handle.fd, request.data, request.offset)
            return count, request.offset + count
        # The kernel appends under the file's lock, so appends of two hosts never overlap.
        if not handle.flags & os.O_APPEND:
            os.lseek(handle.fd, 0, os.SEEK_END)
        count = os.write(handle.fd, request.data)
        return count, os.lseek(handle.fd, 0, os.SEEK_CUR)

    async def _on_truncate(self, peer: Peer, request: m.HomeTruncate) -> None:
        os.ftruncate(self._handle(peer, request.handle).fd, request.size)
