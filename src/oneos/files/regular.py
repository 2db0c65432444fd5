"""Regular files and directories of the tree, as a program of this host sees them.

Names are asked of the File System service. To open a file is to find its home: if it is here, or
nobody's, or that of a host which does not use it, the file is opened here and the program gets the
kernel's descriptor; if another host has it in use, it is read and written through that host. The
moves of a home are records fenced by its epoch: whoever loses a race looks again.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import stat
from collections.abc import Callable
from typing import Any

from oneos.errors import Fenced, FileError, NetworkError, OneOSError, Unknown
from oneos.files.handles import Attributes, Caller, Directory, Handle, Plain, wants_to_write
from oneos.files.homes import HomeHandle, Homes
from oneos.ids import HostName, Incarnation
from oneos.kernel import filesystem as fs
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.services import Services
from oneos.limits import CALL_TIMEOUT_S, OPEN_RETRY_S, READ_BYTES_MAX
from oneos.net.links import Links
from oneos.state import names_commands as n
from oneos.state.names_types import Attr, Entry, Inode, Opened, Removed, Result


class Names:
    """The File System service, as this host asks it.

    Args:
        host: this host.
        incarnation: gives the number of this run, so that request numbers grow over restarts.
        services: the way to the service.
    """

    def __init__(
        self, host: HostName, incarnation: Callable[[], Incarnation], services: Services
    ) -> None:
        self._services = services
        self._host = host
        self._incarnation = incarnation
        self._count = itertools.count(1)

    async def change(self, make: Callable[[tuple[str, int], int], n.AnyCommand]) -> Result:
        """Send a command; asked again after a fail-over, it is still done once."""
        number = (self._incarnation() << 32) + next(self._count)
        command = make((self._host, number), now_ns())
        return await self._services.ask("filesystem", fs.Change(command), Result)

    async def inode(self, path: bytes) -> Inode:
        """The inode a path leads to. Raises FileError."""
        return await self._services.ask("filesystem", fs.StatPath(path), Inode)

    async def list(self, path: bytes) -> list[Entry]:
        """The names in a directory. Raises FileError."""
        return await self._services.ask("filesystem", fs.ListPath(path), list[Entry])


class RegularFiles:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run, which the control log handed out.
        names: the File System service.
        homes: the files at home here.
        control: says which hosts are alive.
        links: the connections to them.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        names: Names,
        homes: Homes,
        control: ControlLog,
        links: Links,
    ) -> None:
        self.host = host
        self.names = names
        self.homes = homes
        self._incarnation = incarnation
        self._control = control
        self._links = links

    # --- names ----------------------------------------------------------------------------------
    async def stat(self, path: bytes) -> Attributes:
        """Attributes with the size as it is now, also while some host writes the file."""
        inode = await self.names.inode(path)
        return attributes(inode, await self._live(inode))

    async def _live(self, inode: Inode) -> m.HomeStat | None:
        if not inode.writing or not inode.home:
            return None
        if inode.home == self.host:
            return self.homes.live(inode)
        member = self._control.state.members.get(inode.home)
        if member is None or member.state != "alive":
            return None
        try:
            live: m.HomeStat = await self._links.call(
                HostName(inode.home),
                "home.stat",
                m.HomeFile(inode.ino, inode.home_epoch),
                m.HomeStat,
            )
            return live
        except Fenced:
            return None
        except (NetworkError, Unknown) as error:
            raise FileError(
                errno.EHOSTUNREACH, hint=f"it is being written on {inode.home}: {error.message}"
            ) from error

    async def list(self, path: bytes) -> list[Entry]:
        """The names in a directory."""
        return await self.names.list(path)

    async def mkdir(self, path: bytes, mode: int, caller: Caller) -> None:
        await self._change(
            path,
            lambda rid, ns: n.MkDir(
                rid=rid, now_ns=ns, path=path, mode=mode & 0o7777, uid=caller.uid, gid=caller.gid
            ),
        )

    async def rmdir(self, path: bytes) -> None:
        await self._change(path, lambda rid, ns: n.RmDir(rid=rid, now_ns=ns, path=path))

    async def unlink(self, path: bytes) -> None:
        value = await self._change(path, lambda rid, ns: n.Unlink(rid=rid, now_ns=ns, path=path))
        await self._tell_home(value)

    async def rename(self, old: bytes, new: bytes) -> None:
        value = await self._change(
            old, lambda rid, ns: n.Rename(rid=rid, now_ns=ns, old=old, new=new)
        )
        await self._tell_home(value)

    async def _tell_home(self, victim: object) -> None:
        """Let the home of a file that lost its last name drop it, unless it is open there."""
        if not isinstance(victim, Removed) or not victim.ino or victim.deleted:
            return
        try:
            if victim.home == self.host:
                await self.homes.orphaned(victim.ino)
            else:
                await self._links.call(victim.home, "home.orphaned", m.Orphan(victim.ino), None)
        except OneOSError:
            # Its home drops it at its next start, when its homes are voided.
            pass

    async def chmod(self, path: bytes, mode: int) -> None:
        await self._change(
            path,
            lambda rid, ns: n.SetAttr(rid=rid, now_ns=ns, path=path, mode=mode & 0o7777),
        )

    async def chown(self, path: bytes, uid: int, gid: int) -> None:
        await self._change(
            path,
            lambda rid, ns: n.SetAttr(
                rid=rid,
                now_ns=ns,
                path=path,
                uid=uid if uid >= 0 else None,
                gid=gid if gid >= 0 else None,
            ),
        )

    async def utime(self, path: bytes, atime_ns: int, mtime_ns: int) -> None:
        value = await self._change(
            path,
            lambda rid, ns: n.SetAttr(
                rid=rid, now_ns=ns, path=path, atime_ns=atime_ns, mtime_ns=mtime_ns
            ),
        )
        if isinstance(value, Attr):
            self.homes.touch(value.ino, atime_ns, mtime_ns)

    async def _change(
        self, path: bytes, make: Callable[[tuple[str, int], int], n.AnyCommand]
    ) -> object:
        result = await self.names.change(make)
        if result.errno:
            raise FileError(result.errno, path)
        return result.value

    # --- files ----------------------------------------------------------------------------------
    async def open(self, path: bytes, flags: int, mode: int, caller: Caller) -> Handle:
        """Open a file as open(2) does. Raises FileError."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + CALL_TIMEOUT_S
        created = False
        wait_s = 0.0
        while True:
            inode, created = await self._find(path, flags, mode, caller, created)
            if stat.S_ISDIR(inode.mode):
                if wants_to_write(flags) or flags & os.O_CREAT:
                    raise FileError(errno.EISDIR, path)
                return Directory(path)
            if flags & os.O_DIRECTORY:
                raise FileError(errno.ENOTDIR, path)
            try:
                return await self._open_inode(inode, flags)
            except Fenced as error:
                if clock() > deadline:
                    raise FileError(errno.EHOSTUNREACH, path, hint=error.message) from error
                # Mostly the home has just moved, and the second look finds it.
                await asyncio.sleep(wait_s)
                wait_s = OPEN_RETRY_S

    async def head(self, path: bytes, count: int, caller: Caller) -> bytes:
        """The first bytes of a file as it was last committed, without becoming its home.

        For looking at programs, which many hosts start and hardly anybody changes.
        """
        inode = await self.names.inode(path)
        if stat.S_ISDIR(inode.mode):
            raise FileError(errno.EISDIR, path)
        if inode.writing:
            handle = await self.open(path, os.O_RDONLY, 0, caller)
            try:
                if isinstance(handle, RemoteFile):
                    return await handle.pread(0, count)
                return os.pread(handle.fd, count, 0)
            finally:
                await handle.close()
        if not inode.chunks:
            return b""
        chunk = await self.homes.chunk(inode.chunks[0], inode.copies)
        return chunk[: min(count, inode.size)]

    async def _find(
        self, path: bytes, flags: int, mode: int, caller: Caller, created: bool
    ) -> tuple[Inode, bool]:
        if not flags & os.O_CREAT:
            return await self.names.inode(path), False
        exclusive = bool(flags & os.O_EXCL) and not created
        result = await self.names.change(
            lambda rid, ns: n.Create(
                rid=rid,
                now_ns=ns,
                path=path,
                mode=mode & 0o7777,
                uid=caller.uid,
                gid=caller.gid,
                exclusive=exclusive,
                home=self.host,
                incarnation=self._incarnation(),
            )
        )
        if result.errno:
            raise FileError(result.errno, path)
        assert isinstance(result.value, Opened)
        return inode_of(result.value), True

    async def _open_inode(self, inode: Inode, flags: int) -> Handle:
        writing = wants_to_write(flags)
        here = inode.home == self.host and inode.home_incarnation == self._incarnation()
        if inode.home and not here:
            member = self._control.state.members.get(inode.home)
            if member is None or member.state != "alive":
                # The File System takes the home from a host that is gone; that record is on
                # its way.
                raise Fenced(f"its home {inode.home} is gone; the File System has yet to note it")
            if inode.home == self.host:
                raise Fenced("its home is an earlier run of this host")
            if not await self._yielded(inode):
                return await self._open_remote(inode, flags)
            # Given up, so its epoch is still the one we know: claimed without another look. Should
            # somebody else be first, the claim is refused.
        if not here or (writing and not inode.writing):
            inode = await self._claim(inode, writing)
        return LocalFile(self.homes, await self.homes.open(inode, flags, self.host))

    async def _claim(self, inode: Inode, writing: bool) -> Inode:
        result = await self.names.change(
            lambda rid, ns: n.Claim(
                rid=rid,
                now_ns=ns,
                ino=inode.ino,
                home=self.host,
                incarnation=self._incarnation(),
                writing=writing,
                expect_home_epoch=inode.home_epoch,
            )
        )
        if result.errno in (errno.ESTALE, errno.ENOENT):
            raise Fenced("another host was first")
        if result.errno:
            raise FileError(result.errno)
        assert isinstance(result.value, Opened)
        return inode_of(result.value)

    async def _yielded(self, inode: Inode) -> bool:
        return await self._ask_home(inode, "home.yield", m.HomeFile(inode.ino, inode.home_epoch))

    async def _ask_home(self, inode: Inode, method: str, message: m.HomeFile) -> bool:
        try:
            yielded: bool = await self._links.call(HostName(inode.home), method, message, bool)
            return yielded
        except (NetworkError, Unknown) as error:
            if isinstance(error, Fenced):
                raise
            # Away, but not yet declared dead: until then nobody may take the file from it.
            raise Fenced(f"its home {inode.home} does not answer: {error.message}") from error

    async def _open_remote(self, inode: Inode, flags: int) -> Handle:
        host = HostName(inode.home)
        request = m.HomeOpen(inode.ino, inode.home_epoch, flags & ~(os.O_CREAT | os.O_EXCL))
        try:
            if wants_to_write(flags) and not inode.writing:
                # Said in the log before the first write, so that stat asks the home from now on.
                await self.names.change(
                    lambda rid, ns: n.Claim(
                        rid=rid,
                        now_ns=ns,
                        ino=inode.ino,
                        home=inode.home,
                        incarnation=inode.home_incarnation,
                        writing=True,
                        expect_home_epoch=inode.home_epoch,
                    )
                )
            opened = await self._links.call(host, "home.open", request, m.HomeOpened)
        except (NetworkError, Unknown) as error:
            raise Fenced(f"its home {inode.home} does not answer: {error.message}") from error
        return RemoteFile(self._links, host, opened, inode, flags)


class LocalFile(Plain):
    """A file opened at its home, here: the kernel's own descriptor."""

    def __init__(self, homes: Homes, handle: HomeHandle) -> None:
        super().__init__(handle.fd)
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

    async def stat(self) -> Attributes:
        if self._handle is None:
            raise FileError(errno.EBADF)
        inode = self._handle.home.inode
        return attributes(inode, self._homes.live(inode))


class RemoteFile(Plain):
    """A file in use at another host: every read and write is a call to it."""

    kind = "remote"

    def __init__(
        self, links: Links, host: HostName, opened: m.HomeOpened, inode: Inode, flags: int
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
        data: bytes = await self._call("home.read", request, bytes)
        return data

    async def pwrite(self, offset: int, data: bytes) -> list[int]:
        """Write; offset -1 appends. Returns the count and the offset behind it."""
        request = m.HomeWrite(self._handle.handle, -1 if self.append else offset, data)
        answer: list[int] = await self._call("home.write", request, list[int])
        return answer

    async def truncate(self, size: int) -> None:
        """Cut or extend the file."""
        await self._call("home.truncate", m.HomeTruncate(self._handle.handle, size), None)

    async def sync(self) -> None:
        await self._call("home.sync", self._handle, None)

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._call("home.close", self._handle, None)

    async def stat(self) -> Attributes:
        return attributes(self._inode, await self._call("home.fstat", self._handle, m.HomeStat))

    async def _call(self, method: str, message: object, reply: Any) -> Any:
        try:
            return await self._links.call(self._host, method, message, reply)
        except (NetworkError, Unknown) as error:
            # Whether a write reached the disk there is unknown, and the program must know.
            raise FileError(errno.EIO, hint=f"{self._host} broke off: {error.message}") from error


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


def attributes(inode: Inode, live: m.HomeStat | None) -> Attributes:
    """An inode as stat shows it, with the size its home has now."""
    return Attributes(
        mode=inode.mode,
        ino=inode.ino,
        size=live.size if live else inode.size,
        nlink=inode.nlink,
        uid=inode.uid,
        gid=inode.gid,
        atime_ns=inode.atime_ns,
        mtime_ns=live.mtime_ns if live else inode.mtime_ns,
        ctime_ns=inode.ctime_ns,
    )
