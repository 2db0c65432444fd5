"""A file of the tree that a program has open: at its home here, or through its home elsewhere."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from typing import Any

from oneos.errors import FileError, NetworkError, Unknown
from oneos.files.handles import Attributes, Plain
from oneos.files.home import HomeHandle
from oneos.files.homes import Homes
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CALL_TIMEOUT_S, OPEN_RETRY_S, READ_BYTES_MAX
from oneos.net.links import Links
from oneos.state.names_types import Attr, Inode, Opened

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

    async def sync(self) -> None:
        if self._handle is not None:
            await self._homes.sync(self._handle)

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
        if self._handle is None:
            raise FileError(errno.EBADF)
        inode = self._handle.home.inode
        return attributes(inode, self._homes.live(inode))


class RemoteFile(Plain):
    """A file in use at another host: every read and write is a call to it."""

    kind = "remote"
    calls = "home"
    """Whose calls they are."""

    def __init__(
        self, links: Links, host: HostName, opened: m.HomeOpened, inode: Inode | None, flags: int
    ) -> None:
        super().__init__()
        self._links = links
        self._host = host
        self._handle = m.HomeHandle(opened.handle)
        self._inode = inode
        self._closed = False
        self.size = opened.size
        self.append = bool(flags & os.O_APPEND)

    async def pread(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; fewer only at the end of the file."""
        request = m.HomeRead(self._handle.handle, offset, min(count, READ_BYTES_MAX))
        data: bytes = await self._call("read", request, bytes)
        return data

    async def pwrite(self, offset: int, data: bytes) -> list[int]:
        """Write; offset -1 appends. Returns the count and the offset behind it."""
        request = m.HomeWrite(self._handle.handle, -1 if self.append else offset, data)
        answer: list[int] = await self._call("write", request, list[int])
        return answer

    async def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        await self._call("truncate", m.HomeTruncate(self._handle.handle, size), None)

    async def sync(self) -> None:
        # A large commit takes as long as it takes, while the host lives.
        await self._call("sync", self._handle, None, timeout_s=None)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await close_at(self._links, self._host, self._handle, self.calls)

    async def stat(self) -> Attributes:
        assert self._inode is not None
        return attributes(self._inode, await self._call("fstat", self._handle, m.HomeStat))

    async def _call(
        self,
        method: str,
        message: object,
        reply: Any,
        *,
        timeout_s: float | None = CALL_TIMEOUT_S,
    ) -> Any:
        try:
            whole = f"{self.calls}.{method}"
            return await self._links.call(self._host, whole, message, reply, timeout_s=timeout_s)
        except (NetworkError, Unknown) as error:
            # Whether a write reached the disk there is unknown, and the program must know.
            raise FileError(errno.EIO, hint=f"{self._host} broke off: {error.message}") from error


async def close_at(links: Links, host: HostName, handle: m.HomeHandle, calls: str = "home") -> None:
    """Close a file at its home. A connection that breaks off is no reason not to: the home still
    has it open, and tells how the close ended when it is asked again.

    Raises:
        FileError: what kept it from being committed; EIO when the home does not answer.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + CALL_TIMEOUT_S
    while True:
        try:
            await links.call(host, f"{calls}.close", handle, None, timeout_s=None)
            return
        except (NetworkError, Unknown) as error:
            if clock() > deadline:
                hint = f"{host} broke off: {error.message}"
                raise FileError(errno.EIO, hint=hint) from error
            await asyncio.sleep(OPEN_RETRY_S)


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
