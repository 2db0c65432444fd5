"""A file that a program has open through another host: one in use at its home there, or what that
host exports."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from typing import Any

from oneos.errors import FileError, NetworkError, Unknown
from oneos.files.handles import Attributes, Plain
from oneos.files.opened import attributes
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.limits import CALL_TIMEOUT_S, OPEN_RETRY_S, READ_BYTES_MAX
from oneos.net.links import Links
from oneos.state.names_types import Inode
from oneos.storage.file_locks import Range


class Remote(Plain):
    """A file that another host has open for a program here: every read and write is a call."""

    kind = "remote"
    calls = "home"
    """Whose calls they are."""

    def __init__(self, links: Links, host: HostName, opened: m.HomeOpened, flags: int) -> None:
        super().__init__()
        self._links = links
        self._host = host
        self._handle = m.HomeHandle(opened.handle)
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


class RemoteFile(Remote):
    """A file in use at its home, another host.

    Args:
        links: the connections.
        host: where it is.
        opened: what that has answered.
        inode: the file.
        flags: those of open(2).
        is_over: says whether the run of the host that has it open is known to have ended.
    """

    def __init__(
        self,
        links: Links,
        host: HostName,
        opened: m.HomeOpened,
        inode: Inode,
        flags: int,
        is_over: Callable[[], bool],
    ) -> None:
        super().__init__(links, host, opened, flags)
        self._is_over = is_over
        self._inode = inode
        self._called_back: set[int] = set()

    async def flush(self) -> None:
        await self._call("flush", self._handle, None, timeout_s=None)

    async def stat(self) -> Attributes:
        return attributes(self._inode, await self._call("fstat", self._handle, m.HomeStat))

    # --- locks: see `home_locks` ----------------------------------------------------------------
    @property
    def opening(self) -> int:
        """The number of this opening, which no other of this host has or had."""
        return self._handle.handle

    @property
    def ino(self) -> Ino:
        """Which file it is."""
        return self._inode.ino

    async def lock(self, owner: str, pid: int, what: Range, number: int) -> None:
        """Lock at the home. A wait outlasts a connection that breaks off, but not the home.

        Raises:
            OSError: as `HomeLocks.lock`; EIO where the home has gone, or has given this host up.
        """
        request = self._lock(owner, pid, what, number)
        limit_s = None if number else CALL_TIMEOUT_S
        try:
            while True:
                try:
                    await self._ask("home.lock", request, None, limit_s)
                    return
                except (NetworkError, Unknown) as error:
                    if not number or self._is_over():
                        raise FileError(errno.EIO, hint=f"{self._host} broke off") from error
                await asyncio.sleep(OPEN_RETRY_S)
                if number in self._called_back:
                    raise FileError(errno.EINTR)
        finally:
            self._called_back.discard(number)

    async def locked(self, owner: str, what: Range) -> m.HomeLocked | None:
        request = self._lock(owner, 0, what, 0)
        found: m.HomeLocked | None
        found = await self._ask("home.locked", request, m.HomeLocked | None, CALL_TIMEOUT_S)
        return found

    async def unlock(self, owner: str) -> None:
        await self._call("unlock", m.HomeUnlock(self._handle.handle, owner), None)

    async def closing(self, owner: str) -> None:
        await self._call("closing", m.HomeUnlock(self._handle.handle, owner), None)

    async def call_back(self, number: int) -> None:
        self._called_back.add(number)
        await self._call("call_back", m.HomeCallBack(number), None)

    def _lock(self, owner: str, pid: int, what: Range, number: int) -> m.HomeLock:
        place = what.kind, what.type, what.first, what.last
        return m.HomeLock(self._handle.handle, owner, pid, *place, number)

    async def _ask(self, method: str, message: object, reply: Any, limit_s: float | None) -> Any:
        try:
            return await self._links.call(self._host, method, message, reply, timeout_s=limit_s)
        except FileError as error:
            if error.errno != errno.EBADF:
                raise
            # It has closed what a host had open that was declared dead.
            raise FileError(errno.EIO, hint=f"{self._host} has given this host up") from error


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
