"""The File System service, as this host asks it about names: one method for each call of POSIX.

Each takes an absolute path, raw, and a `Walk` that says how it is walked. Where the path leads to
one of the parts that the walk names, the call raises `Leaves` and has done nothing: `files.tree`
goes on there. What a change means for the bytes of a file is the business of `files.regular`.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Protocol

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.ids import HostName, Incarnation, Ino
from oneos.kernel import filesystem as fs
from oneos.kernel.control_log import now_ns
from oneos.kernel.services import Services
from oneos.state import names_commands as n
from oneos.state.names_types import WALK, Elsewhere, Entry, Found, Inode, Result, Value, Walk
from oneos.state.names_walk import Leaves

Make = Callable[[tuple[str, int], int], n.AnyCommand]
"""Makes a command of its request id and the time now, in nanoseconds."""


BY_KERNEL: ContextVar[bool] = ContextVar("by_kernel", default=False)
"""Whether what is being done here was asked by this host's kernel, on behalf of a program of the
name space: then the kernel has the change in its cache, and is not called back for it."""


class Keepers(Protocol):
    """Those of this host that keep what they were told of names; see `runtime.recalls`."""

    def sees_to(self, by_kernel: bool) -> bool: ...
    async def changed(self, by_kernel: bool) -> None: ...


class Names:
    """The File System service, as this host asks it.

    Args:
        host: this host.
        incarnation: gives the number of this run, so that request numbers grow over restarts.
        services: the way to the service.
        keepers: who on this host keeps what the service says.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        services: Services,
        keepers: Keepers,
    ) -> None:
        self._services = services
        self._keepers = keepers
        self._host = host
        self._incarnation = incarnation
        self._count = itertools.count(1)

    async def ask(self, make: Make, early: bool = False) -> Result:
        """Send a command; asked again after a fail-over, it is still done once.

        Args:
            early: it may be answered before it is agreed on (`kernel.filesystem`): then it comes
                before all that this host sends after it, or not at all.
        """
        number = (self._incarnation() << 32) + next(self._count)
        command = make((self._host, number), now_ns())
        by_kernel = BY_KERNEL.get()
        # What most likely shows nowhere is not worth dropping anything for; should it show after
        # all, the File System calls that back.
        seen_to = (by_kernel or _shows(command)) and self._keepers.sees_to(by_kernel)
        try:
            return await self._services.ask(
                "filesystem", fs.Change(command, seen_to, early), Result
            )
        finally:
            if seen_to:
                await self._keepers.changed(by_kernel)

    async def ask_many(self, makes: Sequence[Make]) -> list[Result]:
        """Send several commands that show, as `ask`; they share a record as far as they fit."""
        first = self._incarnation() << 32
        commands = [make((self._host, first + next(self._count)), now_ns()) for make in makes]
        seen_to = self._keepers.sees_to(False)
        try:
            ask = fs.ChangeMany(commands, seen_to)
            return await self._services.ask("filesystem", ask, list[Result])
        finally:
            if seen_to:
                await self._keepers.changed(False)

    async def change(self, path: bytes, make: Make, early: bool = False) -> Value:
        """Send a command about `path`, as `ask`; the value of its answer.

        Raises:
            FileError: the index refused it.
            Leaves: a path of it leads to a part of the tree that is not the File System's.
        """
        return value_of(await self.ask(make, early), path)

    # --- looking ------------------------------------------------------------------------------
    async def find(self, path: bytes, walk: Walk = WALK) -> tuple[bytes, Inode]:
        """The canonical path that a path leads to, and the inode there.

        Raises:
            FileError: as stat(2).
            Leaves: the path leads to a part of the tree that is not the File System's.
        """
        found: Found = await self._services.ask("filesystem", fs.StatPath(path, walk), Found)
        if found.inode is None:
            raise Leaves(path, found.path, found.links)
        return found.path, found.inode

    async def look(self, path: bytes, walk: Walk) -> tuple[Inode | None, bytes, bool]:
        """What stands at a path, None for nothing, and its canonical path; and whether that may be
        kept until called back.

        Raises as `find`, but for ENOENT.
        """
        looked: fs.Looked = await self._services.ask("filesystem", fs.Look(path, walk), fs.Looked)
        if looked.found is None:
            return None, b"", looked.granted
        if looked.found.inode is None:
            raise Leaves(path, looked.found.path, looked.found.links)
        return looked.found.inode, looked.found.path, looked.granted

    async def scan(self, path: bytes, walk: Walk, attributes: bool) -> fs.Scanned:
        """The names in a directory, and whether they may be kept until called back.

        Raises as `find`, and ENOTDIR.

        Args:
            attributes: with those of what they stand for.
        """
        scan = fs.Scan(path, walk, attributes)
        scanned: fs.Scanned = await self._services.ask("filesystem", scan, fs.Scanned)
        if scanned.found.inode is None:
            raise Leaves(path, scanned.found.path, scanned.found.links)
        return scanned

    async def look_many(self, path: bytes, names: list[bytes], walk: Walk) -> fs.LookedMany:
        """What names in a directory stand for. Raises as `find`."""
        ask = fs.LookMany(path, names, walk)
        looked: fs.LookedMany = await self._services.ask("filesystem", ask, fs.LookedMany)
        if looked.found.inode is None:
            raise Leaves(path, looked.found.path, looked.found.links)
        return looked

    async def inode(self, path: bytes, walk: Walk = WALK) -> Inode:
        """The inode a path leads to. Raises as `find`."""
        return (await self.find(path, walk))[1]

    async def numbered(self, ino: Ino) -> Inode:
        """The inode of a number, also one without a name. Raises FileError: ESTALE."""
        inode: Inode = await self._services.ask("filesystem", fs.GetInode(ino), Inode)
        return inode

    async def readlink(self, path: bytes, walk: Walk = WALK) -> bytes:
        """What a symbolic link says. Raises FileError: EINVAL for what is none."""
        inode = await self.inode(path, replace(walk, follow=False))
        if not inode.is_link:
            raise FileError(errno.EINVAL, path)
        return inode.target

    async def xattrs(
        self, subject: bytes | Ino, name: bytes = b"", walk: Walk = WALK
    ) -> fs.XattrsRead:
        """An extended attribute, or the names of all; of a path or a numbered inode.

        What is wrong with the attribute is in the answer. Raises as `find`; ESTALE for a number.
        """
        path, ino = (subject, 0) if isinstance(subject, bytes) else (b"", subject)
        ask = fs.ReadXattrs(path, ino, name, walk)
        read: fs.XattrsRead = await self._services.ask("filesystem", ask, fs.XattrsRead)
        if read.found.inode is None:
            raise Leaves(path, read.found.path, read.found.links)
        return read

    # --- changing -----------------------------------------------------------------------------
    async def mkdir(self, path: bytes, mode: int, caller: Caller, walk: Walk = WALK) -> None:
        """Make a directory; `mode` is masked by the program's umask already."""
        await self.change(
            path,
            lambda rid, ns: n.MkDir(
                rid=rid,
                now_ns=ns,
                path=path,
                mode=mode & 0o7777,
                uid=caller.uid,
                gid=caller.gid,
                walk=walk,
            ),
        )

    async def rmdir(self, path: bytes, walk: Walk = WALK) -> None:
        """Remove an empty directory."""
        await self.change(path, lambda rid, ns: n.RmDir(rid=rid, now_ns=ns, path=path, walk=walk))

    async def symlink(self, target: bytes, path: bytes, caller: Caller, walk: Walk = WALK) -> None:
        """Make a symbolic link that says `target`."""
        await self.change(
            path,
            lambda rid, ns: n.Symlink(
                rid=rid,
                now_ns=ns,
                target=target,
                path=path,
                uid=caller.uid,
                gid=caller.gid,
                walk=walk,
            ),
        )

    async def mknod(self, path: bytes, mode: int, caller: Caller, walk: Walk = WALK) -> None:
        """Make the name of a FIFO or socket; `mode` has the type bits."""
        await self.change(
            path,
            lambda rid, ns: n.MkNod(
                rid=rid,
                now_ns=ns,
                path=path,
                mode=mode,
                uid=caller.uid,
                gid=caller.gid,
                walk=walk,
            ),
        )

    async def link(self, old: bytes, new: bytes, walk: Walk = WALK) -> None:
        """One more name; `walk.follow` says of what, where `old` is a symbolic link."""
        await self.change(
            old, lambda rid, ns: n.Link(rid=rid, now_ns=ns, old=old, new=new, walk=walk)
        )

    # Last, since its name hides the type from what follows.
    async def list(self, path: bytes, walk: Walk = WALK) -> list[Entry]:
        """The names in a directory. Raises as `find`, and ENOTDIR."""
        found: Found = await self._services.ask("filesystem", fs.ListPath(path, walk), Found)
        if found.inode is None:
            raise Leaves(path, found.path, found.links)
        return found.entries or []


def value_of(result: Result, path: bytes) -> Value:
    """The value of an answer. Raises as `Names.change`."""
    if isinstance(result.value, Elsewhere):
        raise Leaves(result.value.asked, result.value.path, result.value.links)
    if result.errno:
        raise FileError(result.errno, path)
    return result.value


def _shows(command: n.AnyCommand) -> bool:
    """Whether a change can be told by looking: a home that is nobody's or another's cannot."""
    if isinstance(command, n.Claim | n.HandOver):
        return command.writing
    return not isinstance(command, n.Release | n.Copies)
