"""A file of the tree that a program has open at its home, here; `remote` is its like elsewhere."""

from __future__ import annotations

import errno
import stat
import time

from oneos.errors import FileError
from oneos.files.handles import Attributes, Plain
from oneos.files.home import HomeHandle
from oneos.files.homes import Homes
from oneos.kernel import messages as m
from oneos.state.names_types import Attr, Inode, Opened
from oneos.storage.file_locks import Range

DIRECTORY_BYTES = 4096
"""What a directory is shown to take, as most file systems do: programs that copy with sendfile(2),
as libuv does, take what has no bytes for copied and say nothing of a directory.
"""


class LocalFile(Plain):
    """A file opened at its home, here: the kernel's own descriptor.

    Args:
        homes: where it is at home.
        handle: its opening.
        again: its attributes, where a program may open it again by its path; see `Homes.lend`.
    """

    def __init__(self, homes: Homes, handle: HomeHandle, again: Attributes | None = None) -> None:
        super().__init__(handle.fd)
        self.again = again
        self._homes = homes
        self._handle: HomeHandle | None = handle
        self.path = homes.path(handle)
        # The descriptor goes to the program; the handle must not close it a second time.
        handle.fd = -1

    @property
    def later(self) -> bool:
        """Whether closing it commits nothing yet: who closes it need not wait."""
        return self._handle is not None and self._homes.is_later(self._handle)

    async def sync(self) -> None:
        if self._handle is not None:
            await self._homes.sync(self._handle)

    async def flush(self) -> None:
        if self._handle is not None:
            await self._homes.flush(self._handle)

    async def close(self) -> None:
        self.close_fd()
        handle, self._handle = self._handle, None
        if handle is not None:
            await self._homes.close(handle)

    async def release(self) -> None:
        """Close it when nobody waits: `sync` has made safe what was written."""
        self.close_fd()
        handle, self._handle = self._handle, None
        if handle is not None:
            await self._homes.close_later(handle)

    async def stat(self) -> Attributes:
        inode = self._open.home.inode
        return attributes(inode, self._homes.live(inode))

    @property
    def _open(self) -> HomeHandle:
        if self._handle is None:
            raise FileError(errno.EBADF)
        return self._handle

    # --- locks: see `home_locks` ----------------------------------------------------------------
    async def lock(self, owner: str, pid: int, what: Range, number: int) -> None:
        await self._homes.locks.lock(self._open, owner, pid, what, number)

    def hand(self, owner: str) -> int:
        """See `HomeLocks.hand`; the descriptor is the caller's."""
        return self._homes.locks.hand(self._open, owner)

    async def locked(self, owner: str, what: Range) -> m.HomeLocked | None:
        found = self._homes.locks.test(self._open, owner, what)
        return m.HomeLocked(found.type, found.first, found.last, found.pid) if found else None

    def holder(self, type_: int, first: int, last: int) -> int:
        """Whose a lock is that the kernel shows; see `HomeLocks.holder`."""
        return self._homes.locks.holder(self._open.home.inode.ino, type_, first, last)

    async def unlock(self, owner: str) -> None:
        await self._homes.locks.release(self._open, owner)

    async def closing(self, owner: str) -> None:
        self._homes.locks.closing(self._open, owner)

    async def call_back(self, number: int) -> None:
        await self._homes.locks.call_back(self._homes.host, number)


def inode_of(opened: Opened) -> Inode:
    """The inode that an answer of the index shows."""
    a = opened.attr
    return Inode(
        ino=a.ino,
        mode=a.mode,
        nlink=a.nlink,
        uid=a.uid,
        gid=a.gid,
        size=a.size,
        atime_ns=a.atime_ns,
        mtime_ns=a.mtime_ns,
        ctime_ns=a.ctime_ns,
        version=a.version,
        chunks=opened.chunks,
        copies=opened.copies,
        home=opened.home,
        home_incarnation=opened.home_incarnation,
        home_epoch=opened.home_epoch,
        writing=opened.writing,
    )


def row(attr: Attr, known: bool) -> list[int]:
    """Attributes as a listing has them; not `known`: they may be others by now."""
    shown = attributes(attr, None).wire()
    if not known:
        shown[2] = 0
    return shown


def attributes(inode: Inode | Attr, live: m.HomeStat | None) -> Attributes:
    """An inode as stat shows it, with the size and times its home has now."""
    ctime_ns, size = inode.ctime_ns, inode.size
    if stat.S_ISDIR(inode.mode):
        size = DIRECTORY_BYTES
    if live:
        size = live.size
        # A write changes both times; utime(2) may have set one that is yet to come.
        ctime_ns = max(ctime_ns, min(live.mtime_ns, time.time_ns()))
    return Attributes(
        mode=inode.mode,
        ino=inode.ino,
        size=size,
        nlink=inode.nlink,
        uid=inode.uid,
        gid=inode.gid,
        atime_ns=inode.atime_ns,
        mtime_ns=live.mtime_ns if live else inode.mtime_ns,
        ctime_ns=ctime_ns,
    )
