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
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import asdict, replace

from oneos.errors import Fenced, FileError, NetworkError, OneOSError, Unknown
from oneos.failpoints import reach
from oneos.files.handles import (
    Attributes,
    Caller,
    Change,
    Directory,
    Handle,
    HostPath,
    Listing,
    Look,
    wants_to_write,
)
from oneos.files.home_calls import INCARNATION_SHIFT
from oneos.files.homes import Homes
from oneos.files.meetings import Meetings
from oneos.files.moving import settled_rename
from oneos.files.names import Names
from oneos.files.opened import LocalFile, attributes, inode_of, row
from oneos.files.remote import RemoteFile, close_at
from oneos.ids import HostName, Incarnation, Ino
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import CALL_TIMEOUT_S, OPEN_RETRY_S
from oneos.net.links import Links
from oneos.state import names_commands as n
from oneos.state.names_types import (
    WALK,
    Attr,
    Inode,
    Opened,
    Removed,
    Walk,
)
from oneos.state.names_walk import Leaves
from oneos.storage.disk import stamp_ns


class RegularFiles:
    """See the module. Each call about a path raises `Leaves` where the path leads to one of the
    parts that its `walk` names, and has then done nothing.

    Args:
        host: this host.
        incarnation: gives the number of this run, which the control log handed out.
        names: the File System service.
        homes: the files at home here.
        control: says which hosts are alive.
        links: the connections to them.
        meetings: what FIFOs and sockets stand for here.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        names: Names,
        homes: Homes,
        control: ControlLog,
        links: Links,
        meetings: Meetings,
    ) -> None:
        self.host = host
        self.names = names
        self.homes = homes
        self._incarnation = incarnation
        self._control = control
        self._links = links
        self._meetings = meetings
        self._openings = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- names ----------------------------------------------------------------------------------
    async def stat(self, path: bytes, walk: Walk = WALK) -> Attributes:
        """Attributes with the size as it is now, also while some host writes the file."""
        inode = await self.names.inode(path, walk)
        return attributes(inode, await self._live(inode))

    async def look(self, path: bytes, walk: Walk) -> Look:
        """As `stat`, for whoever may keep the answer: the kernel, or a program."""
        inode, _, granted = await self.names.look(path, walk)
        if inode is None:
            return Look(None, granted, False)
        # The size of what is being written changes at its home, and nobody is told.
        live = await self._live(inode)
        return Look(attributes(inode, live), granted, granted and not inode.writing)

    async def look_many(self, path: bytes, names: list[bytes], walk: Walk) -> list[Look]:
        """Looks at names in a directory; one without attributes must be looked at by itself."""
        looked = await self.names.look_many(path, names, walk)
        kept = looked.granted
        return [
            Look(None) if attr is None else Look(attributes(attr, None), kept, kept)
            for attr in looked.shown
        ]

    async def scan(self, path: bytes, walk: Walk, attributes: bool) -> Listing:
        """The names in a directory, with the attributes of each where they are wanted."""
        scanned = await self.names.scan(path, walk, attributes)
        entries = scanned.found.entries or []
        names = [entry.name for entry in entries]
        if len(scanned.attributes) != len(entries) or not entries:
            rows = [[entry.kind, entry.ino] for entry in entries]
            return Listing(names, rows, False, scanned.granted)
        # Only the home of what is being written knows its size. And what stands at the root in
        # front of the parts of the tree that are made of facts is not what a program sees there.
        unknown = set(scanned.writing)
        if scanned.found.path == b"/":
            unknown.update(entry.ino for entry in entries if entry.name in walk.parts)
        rows = [row(attr, attr.ino not in unknown) for attr in scanned.attributes]
        return Listing(names, rows, True, scanned.granted)

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

    async def unlink(self, path: bytes, walk: Walk = WALK) -> None:
        """Remove a name, and the file with its last one."""
        await self._tell_home(
            await self.names.change(
                path,
                lambda rid, ns: n.Unlink(rid=rid, now_ns=ns, path=path, walk=walk),
                early=True,
            )
        )

    async def rename(
        self, old: bytes, new: bytes, walk: Walk = WALK, replacing: bool = True
    ) -> None:
        """Rename, and remove what the new name was one of; EEXIST if not `replacing`."""
        reach("rename.begun")
        replaced = await settled_rename(
            self.names, self._commit_at_home, (old, new), walk, replacing
        )
        reach("rename.agreed")
        await self._tell_home(replaced)

    async def _commit_at_home(self, home: HostName, file: m.HomeFile) -> None:
        if home == self.host:
            await self.homes.commit_closed(file.ino, file.home_epoch)
        else:
            await self._links.call(home, "home.commit", file, None, timeout_s=None)

    async def _tell_home(self, victim: object) -> None:
        """Let the home of a file that lost its last name drop it, unless it is open there."""
        if not isinstance(victim, Removed) or not victim.ino:
            return
        self._meetings.drop(victim.ino)
        if victim.deleted:
            return
        try:
            if victim.home == self.host:
                self.homes.orphaned(victim.ino)
            else:
                await self._links.call(victim.home, "home.orphaned", m.Orphan(victim.ino), None)
        except OneOSError:
            # Its home drops it at its next start, when its homes are voided.
            pass

    async def chmod(self, path: bytes, mode: int, walk: Walk = WALK) -> None:
        """Set the permission bits."""
        await self._set(path, Change(mode=mode & 0o7777), walk)

    async def chown(self, path: bytes, uid: int, gid: int, walk: Walk = WALK) -> None:
        """Set owner and group; -1 leaves one as it is."""
        change = Change(uid=uid if uid >= 0 else None, gid=gid if gid >= 0 else None)
        await self._set(path, change, walk)

    async def _set(self, path: bytes, change: Change, walk: Walk) -> None:
        value = await self.names.change(
            path,
            lambda rid, ns: n.SetAttr(rid=rid, now_ns=ns, path=path, walk=walk, **asdict(change)),
        )
        assert isinstance(value, Attr)
        # What is open here shows it by its descriptor too.
        await self.homes.changed(value)

    async def utime(self, path: bytes, atime_ns: int, mtime_ns: int, walk: Walk = WALK) -> None:
        """Set the times, also of the local file that it may be here."""
        value = await self.names.change(
            path,
            lambda rid, ns: n.SetAttr(
                rid=rid, now_ns=ns, path=path, atime_ns=atime_ns, mtime_ns=mtime_ns, walk=walk
            ),
        )
        assert isinstance(value, Attr)
        if not await self._tell_time(value, mtime_ns):
            await self.set_attr(value.ino, Change(atime_ns=atime_ns, mtime_ns=mtime_ns))

    async def set_attr(self, ino: Ino, change: Change) -> None:
        """Change attributes of an inode, whatever its name, also where it has lost that.

        Raises:
            FileError: ESTALE when there is no such inode any more.
        """
        while True:
            result = await self.names.ask(
                lambda rid, ns: n.SetAttr(rid=rid, now_ns=ns, ino=ino, **asdict(change))
            )
            if result.errno:
                raise FileError(result.errno)
            assert isinstance(result.value, Attr)
            # Once it has gone through the home's lock, later commits have the new time.
            if await self._tell_time(result.value, change.mtime_ns):
                return

    async def _tell_time(self, attr: Attr, mtime_ns: int | None) -> bool:
        """As `Homes.changed`, wherever a file is at home: its bytes have a time of their own."""
        if mtime_ns is None or not stat.S_ISREG(attr.mode) or self.homes.is_home(attr.ino):
            return await self.homes.changed(attr, mtime_ns)
        try:
            home = (await self.names.numbered(attr.ino)).home
            if not home or home == self.host:
                return await self.homes.changed(attr, mtime_ns)
            time = m.HomeTime(attr, mtime_ns)
            kept: bool = await self._links.call(HostName(home), "home.time", time, bool)
            return kept
        except OneOSError:
            # The file is gone, or its home is away: what that one has and the log has not, is lost.
            return True

    # --- files ----------------------------------------------------------------------------------
    async def open(
        self, path: bytes, flags: int, mode: int, caller: Caller, walk: Walk = WALK
    ) -> Handle:
        """Open a file as open(2) does; O_NOFOLLOW counts, `walk.follow` does not.

        Raises:
            FileError: as open(2).
        """
        walk = replace(walk, follow=not flags & os.O_NOFOLLOW)
        clock = asyncio.get_running_loop().time
        deadline = clock() + CALL_TIMEOUT_S
        created = granted = False
        where = path
        wait_s = 0.0
        while True:
            try:
                # What is made for this host here must not be given away before it is opened.
                with self.homes.coming():
                    if flags & os.O_CREAT:
                        try:
                            inode, where = await self._create(
                                path, flags, mode, caller, walk, created
                            )
                        except FileError as error:
                            if error.errno != errno.ENXIO:
                                raise
                            # A FIFO that is there is opened, and not made.
                            where, inode = await self.names.find(path, walk)
                        created = True
                    else:
                        found, where, granted = await self.names.look(path, walk)
                        if found is None:
                            raise FileError(errno.ENOENT, path)
                        inode = found
                        if inode.is_dir:
                            if wants_to_write(flags):
                                raise FileError(errno.EISDIR, path)
                            return Directory(where)
                    if flags & os.O_DIRECTORY:
                        raise FileError(errno.ENOTDIR, path)
                    if inode.is_link:
                        # As it was not followed: there is nothing in it to read or write.
                        raise FileError(errno.ELOOP, path)
                    if inode.is_meeting:
                        return await self._fifo(where, inode)
                    if inode.home in ("", self.host):
                        return await self._open_here(inode, flags, granted, where)
                return await self._open_elsewhere(inode, flags, granted, where)
            except Fenced as error:
                if clock() > deadline:
                    raise FileError(errno.EHOSTUNREACH, path, hint=error.message) from error
                # Mostly the home has just moved, and the second look finds it.
                await asyncio.sleep(wait_s)
                wait_s = OPEN_RETRY_S

    async def open_known(self, ino: Ino, flags: int) -> Handle | None:
        """Open a file that is at home here without asking the File System; None: it is not.

        For a kernel that holds a grant for the name that it opens (`kernel.grants`): a grant ends
        before this host can be declared dead.
        """
        inode = self.homes.known(ino)
        if inode is None or (wants_to_write(flags) and self.homes.by_path(ino)):
            return None
        try:
            return await self._open_here(inode, flags, False)
        except Fenced:
            return None

    async def _fifo(self, path: bytes, inode: Inode) -> Handle:
        if not stat.S_ISFIFO(inode.mode):
            raise FileError(errno.ENXIO, path)
        return HostPath(await self._meetings.path(inode.ino, inode.mode, path), waits=True)

    async def meeting(self, path: bytes, walk: Walk = WALK) -> str:
        """The host's path of a socket, for a program to bind or connect to.

        Raises:
            FileError: ECONNREFUSED for what is no socket, as connect(2) has it.
        """
        where, inode = await self.names.find(path, walk)
        if not stat.S_ISSOCK(inode.mode):
            raise FileError(errno.ECONNREFUSED, path)
        return await self._meetings.path(inode.ino, inode.mode, where)

    async def bind(
        self, path: bytes, mode: int, caller: Caller, walk: Walk = WALK
    ) -> tuple[str, bool]:
        """The host's path at which a program is to bind a socket that will have this name, and
        whether the name was made: else the kernel makes it, where the socket is bound.

        Raises:
            FileError: as bind(2); but EEXIST for EADDRINUSE.
        """
        inside = await self._meetings.inside(errno.ENOTSUP)
        if inside:
            above, _, name = path.rpartition(b"/")
            try:
                found, _ = await self.names.find(above or b"/", walk)
            except Leaves as way:
                raise Leaves(path, way.path.rstrip(b"/") + b"/" + name, way.links) from None
            return f"{inside}{os.fsdecode(found.rstrip(b'/') + b'/' + name)}", False
        await self.names.mknod(path, stat.S_IFSOCK | mode & 0o7777, caller, walk)
        return await self.meeting(path, walk), True

    async def head(self, path: bytes, count: int, caller: Caller, walk: Walk = WALK) -> bytes:
        """The first bytes of a file as it was last committed, without becoming its home.

        For looking at programs, which many hosts start and hardly anybody changes.
        """
        inode = await self.names.inode(path, walk)
        if inode.is_dir:
            raise FileError(errno.EISDIR, path)
        if inode.writing:
            handle = await self.open(path, os.O_RDONLY, 0, caller, walk)
            try:
                if isinstance(handle, RemoteFile):
                    return await handle.pread(0, count)
                return os.pread(handle.fd, count, 0)
            finally:
                await handle.close()
        if not inode.chunks:
            return b""
        try:
            chunk = await self.homes.chunk(inode.chunks[0], inode.copies)
        except FileError:
            if (await self.names.inode(path, walk)).version == inode.version:
                raise
            # It was changed meanwhile, and its old content collected.
            return await self.head(path, count, caller, walk)
        return chunk[: min(count, inode.size)]

    async def _create(
        self, path: bytes, flags: int, mode: int, caller: Caller, walk: Walk, created: bool
    ) -> tuple[Inode, bytes]:
        exclusive = bool(flags & os.O_EXCL) and not created
        if flags & os.O_EXCL:
            # What was made by the first try is no link, and nothing else is to be opened.
            walk = replace(walk, follow=False)
        value = await self.names.change(
            path,
            lambda rid, ns: n.Create(
                rid=rid,
                now_ns=min(ns, stamp_ns()),
                path=path,
                mode=mode & 0o7777,
                uid=caller.uid,
                gid=caller.gid,
                exclusive=exclusive,
                home=self.host,
                incarnation=self._incarnation(),
                writing=wants_to_write(flags),
                walk=walk,
            ),
            early=True,
        )
        assert isinstance(value, Opened)
        return inode_of(value), value.path

    async def _open_here(
        self, inode: Inode, flags: int, granted: bool, path: bytes = b""
    ) -> Handle:
        if inode.home and inode.home_incarnation != self._incarnation():
            raise Fenced("its home is an earlier run of this host")
        if not inode.home:
            inode = await self._claim(inode, wants_to_write(flags))
        handle = await self.homes.open(inode, flags, self.host, path)
        at_rest = granted and not inode.writing and not wants_to_write(flags)
        again = attributes(inode, None) if at_rest and self.homes.lend(handle) else None
        return LocalFile(self.homes, handle, again)

    async def _open_elsewhere(self, inode: Inode, flags: int, granted: bool, path: bytes) -> Handle:
        member = self._control.state.members.get(inode.home)
        if member is None or member.state != "alive":
            # The File System takes the home from a host that is gone; that record is on its way.
            raise Fenced(f"its home {inode.home} is gone; the File System has yet to note it")
        # What is given to this host must not be given away before it is opened.
        with self.homes.coming(inode.ino):
            given = await self._given(inode, wants_to_write(flags))
            if given is not None:
                return await self._open_here(inode_of(given), flags, granted, path)
        return await self._open_remote(inode, flags, path)

    async def _claim(self, inode: Inode, writing: bool) -> Inode:
        result = await self.names.ask(
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

    async def _given(self, inode: Inode, writing: bool) -> Opened | None:
        """Ask a file's home to let this host be it; None: somebody has it open there."""
        wanted = m.HomeWanted(inode.ino, inode.home_epoch, self._incarnation(), writing)
        try:
            given: Opened | None = await self._links.call(
                HostName(inode.home), "home.yield", wanted, Opened | None
            )
            return given
        except (NetworkError, Unknown) as error:
            # Away, but not yet declared dead: until then nobody may take the file from it.
            raise Fenced(f"its home {inode.home} does not answer: {error.message}") from error

    async def _open_remote(self, inode: Inode, flags: int, path: bytes) -> Handle:
        host = HostName(inode.home)
        number = (self._incarnation() << INCARNATION_SHIFT) + next(self._openings)
        once = os.O_CREAT | os.O_EXCL
        request = m.HomeOpen(inode.ino, inode.home_epoch, flags & ~once, number, path)
        try:
            opened = await self._links.call(host, "home.open", request, m.HomeOpened)
        except Unknown as error:
            # It may be open there; nobody will use it.
            self._start(self._close_unused(host, number))
            raise Fenced(f"its home {inode.home} does not answer: {error.message}") from error
        except NetworkError as error:
            raise Fenced(f"its home {inode.home} does not answer: {error.message}") from error

        def is_over() -> bool:
            member = self._control.state.members.get(host)
            if member is None or member.state != "alive":
                return True
            return member.incarnation != inode.home_incarnation

        return RemoteFile(self._links, host, opened, inode, flags, is_over)

    async def _close_unused(self, host: HostName, number: int) -> None:
        try:
            await close_at(self._links, host, m.HomeHandle(number))
        except OneOSError:
            # It was not open, or its host is gone: then nothing is left to close.
            pass

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
