"""The one tree: each call of POSIX about a path, given to the part of it that serves the path.

Regular files, directories and links are the File System's; /proc, /runtime, /dev and /topic are
facts of the network, and in /host lie files of hosts. Which it is, `places` says of where a path
begins; where a link leads, the File System finds out on its walk, and answers the path to go on at.
Each such stop takes names off what is left, or follows links, and those of all the way are bounded
together: so this ends.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Never, TypeVar

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.files.handles import Attributes, Caller, Handle, HostPath, Listing, Look
from oneos.files.in_parts import both_in, change_in, followed, head_of, new_in
from oneos.files.places import Places, Virtual, check_slash
from oneos.files.regular import RegularFiles
from oneos.files.served import Served
from oneos.files.virtual import (
    Facts,
    list_virtual,
    open_virtual,
    readlink_virtual,
    stat_virtual,
)
from oneos.files.xattrs import Xattrs
from oneos.ids import Ino
from oneos.state.names_types import Entry, Walk
from oneos.state.names_walk import Leaves

T = TypeVar("T")

_KEPT = (b"bin", b"home")
"""Nobody means to remove these, and nothing works without them."""


class Tree:
    """See the module. Every call raises FileError as the call of POSIX that it is named after.

    Args:
        regular: the files and directories.
        parts: the directories made up of facts, by their name under the root.
    """

    def __init__(self, regular: RegularFiles, parts: dict[bytes, Facts]) -> None:
        self.regular = regular
        self.xattrs = Xattrs(regular.names, regular.homes)
        self._places = Places(parts)
        self._walk = Walk(parts=tuple(parts))

    # --- looking ----------------------------------------------------------------------------------
    async def stat(self, path: bytes, caller: Caller, follow: bool = True) -> Attributes:
        """Attributes of what a path leads to; of a symbolic link itself without `follow`."""

        async def virtual(at: Virtual) -> Attributes:
            await check_slash(at, caller)
            return await stat_virtual(at.facts, at.path, at.place, caller, follow or at.slash)

        return await self._at(
            path,
            caller,
            virtual,
            lambda p, walk: self.regular.stat(p, replace(walk, follow=follow)),
        )

    async def look(self, path: bytes, caller: Caller, follow: bool = False) -> Look:
        """What a path stands for, for whoever may keep the answer; `follow` as for `stat`."""

        async def virtual(at: Virtual) -> Look:
            await check_slash(at, caller)
            # Facts of the network change without notice; but not the directory of all of them,
            # if no link led there.
            fixed = not at.place and at.path == path
            links = follow or at.slash
            found = await stat_virtual(at.facts, at.path, at.place, caller, links)
            return Look(found, fixed, fixed)

        return await self._at(
            path,
            caller,
            virtual,
            lambda p, walk: self.regular.look(p, replace(walk, follow=follow)),
        )

    async def scan(self, path: bytes, caller: Caller, attributes: bool) -> Listing:
        """The names in a directory, for a program that may keep the answer.

        Args:
            attributes: with those of what they stand for, if that can be.
        """

        async def virtual(at: Virtual) -> Listing:
            entries = await list_virtual(at.facts, at.path, at.place, caller)
            return Listing([e.name for e in entries], [[e.kind, e.ino] for e in entries])

        return await self._at(
            path, caller, virtual, lambda p, walk: self.regular.scan(p, walk, attributes)
        )

    async def look_many(self, path: bytes, names: list[bytes], caller: Caller) -> list[Look]:
        """As `look`, at names in a directory; one without attributes must be looked at alone."""

        async def virtual(at: Virtual) -> list[Look]:
            return [Look(None)] * len(names)

        return await self._at(
            path, caller, virtual, lambda p, walk: self.regular.look_many(p, names, walk)
        )

    async def open(
        self, path: bytes, flags: int, mode: int, caller: Caller, ino: int = 0
    ) -> Handle:
        """Open what a path leads to, as open(2).

        Args:
            ino: what a kernel knows to stand there.
        """
        if ino and (known := await self.regular.open_known(Ino(ino), flags)) is not None:
            return known

        async def virtual(at: Virtual) -> Handle:
            await check_slash(at, caller)
            return await open_virtual(at.facts, at.path, at.place, flags, caller, mode)

        return await self._at(
            path,
            caller,
            virtual,
            lambda p, walk: self.regular.open(p, flags, mode, caller, walk),
        )

    async def head(self, path: bytes, count: int, caller: Caller) -> bytes:
        """The first bytes of a regular file; nothing of what is not one."""

        async def virtual(at: Virtual) -> bytes:
            return await head_of(at, count, caller)

        return await self._at(
            path, caller, virtual, lambda p, walk: self.regular.head(p, count, caller, walk)
        )

    async def realpath(self, path: bytes, caller: Caller) -> bytes:
        """The path without `.`, `..`, symbolic links and double slashes; it must exist."""

        async def virtual(at: Virtual) -> bytes:
            await check_slash(at, caller)
            await stat_virtual(at.facts, at.path, at.place, caller)
            return at.path

        async def regular(path: bytes, walk: Walk) -> bytes:
            return (await self.regular.names.find(path, walk))[0]

        return await self._at(path, caller, virtual, regular)

    async def readlink(self, path: bytes, caller: Caller) -> bytes:
        """What a symbolic link says; EINVAL for what is none."""

        async def virtual(at: Virtual) -> bytes:
            await check_slash(at, caller)
            return await readlink_virtual(at.facts, at.path, at.place, caller)

        return await self._at(path, caller, virtual, self.regular.names.readlink)

    async def getxattr(
        self, what: bytes | Ino, name: bytes, caller: Caller, follow: bool = True
    ) -> bytes:
        """The value of an extended attribute, of a path or a numbered inode."""

        async def read(subject: bytes | Ino, walk: Walk) -> bytes:
            return await self.xattrs.get(subject, name, caller, walk)

        return await self._with_xattrs(what, caller, follow, _no_xattr, read)

    async def listxattr(
        self, what: bytes | Ino, caller: Caller, follow: bool = True
    ) -> Sequence[bytes]:
        """The names of the extended attributes of a path or a numbered inode."""

        async def none(at: Virtual) -> Sequence[bytes]:
            return ()

        async def listed(subject: bytes | Ino, walk: Walk) -> Sequence[bytes]:
            return await self.xattrs.list(subject, caller, walk)

        return await self._with_xattrs(what, caller, follow, none, listed)

    # --- changing ---------------------------------------------------------------------------------
    async def mkdir(self, path: bytes, mode: int, caller: Caller) -> None:
        await self._at(
            path,
            caller,
            new_in(caller, "mkdir", mode),
            lambda p, walk: self.regular.names.mkdir(p, mode, caller, walk),
        )

    async def symlink(self, target: bytes, path: bytes, caller: Caller) -> None:
        """Make a symbolic link at `path` that says `target`, which need not exist."""
        await self._at(
            path,
            caller,
            new_in(caller, "symlink", text=target),
            lambda p, walk: self.regular.names.symlink(target, p, caller, walk),
        )

    async def mknod(self, path: bytes, mode: int, caller: Caller) -> None:
        """Make the name of a FIFO or socket, at which programs of one host meet."""
        await self._at(
            path,
            caller,
            new_in(caller),
            lambda p, walk: self.regular.names.mknod(p, mode, caller, walk),
        )

    async def meeting(self, path: bytes, caller: Caller) -> str:
        """The host's path of what a socket's name stands for on this host."""

        async def virtual(at: Virtual) -> str:
            raise FileError(errno.ECONNREFUSED, path)

        return await self._at(path, caller, virtual, self.regular.meeting)

    async def bind(self, path: bytes, mode: int, caller: Caller) -> tuple[str, bool]:
        """Where on this host to bind a socket that is to have a name; see `RegularFiles.bind`."""
        return await self._at(
            path,
            caller,
            _no_socket(caller),
            lambda p, walk: self.regular.bind(p, mode, caller, walk),
        )

    async def rmdir(self, path: bytes, caller: Caller) -> None:
        await self._remove(path, caller, "rmdir", self.regular.names.rmdir)

    async def unlink(self, path: bytes, caller: Caller) -> None:
        await self._remove(path, caller, "unlink", self.regular.unlink)

    async def chmod(self, path: bytes, mode: int, caller: Caller, follow: bool = True) -> None:
        await self._at(
            path,
            caller,
            change_in("chmod", mode, follow=follow),
            lambda p, walk: self.regular.chmod(p, mode, replace(walk, follow=follow)),
        )

    async def chown(
        self, path: bytes, uid: int, gid: int, caller: Caller, follow: bool = True
    ) -> None:
        await self._at(
            path,
            caller,
            change_in("chown", uid, gid, follow=follow),
            lambda p, walk: self.regular.chown(p, uid, gid, replace(walk, follow=follow)),
        )

    async def utime(
        self, path: bytes, atime_ns: int, mtime_ns: int, caller: Caller, follow: bool = True
    ) -> None:
        await self._at(
            path,
            caller,
            change_in("utime", atime_ns, mtime_ns, follow=follow),
            lambda p, walk: self.regular.utime(p, atime_ns, mtime_ns, replace(walk, follow=follow)),
        )

    async def setxattr(
        self,
        what: bytes | Ino,
        name: bytes,
        value: bytes,
        flags: int,
        caller: Caller,
        follow: bool = True,
    ) -> None:
        """Set an extended attribute; `flags` as setxattr(2)."""

        async def change(subject: bytes | Ino, walk: Walk) -> None:
            await self.xattrs.set(subject, name, value, flags, caller, walk)

        await self._with_xattrs(what, caller, follow, _no_xattr, change)

    async def removexattr(
        self, what: bytes | Ino, name: bytes, caller: Caller, follow: bool = True
    ) -> None:
        """Remove an extended attribute."""

        async def change(subject: bytes | Ino, walk: Walk) -> None:
            await self.xattrs.remove(subject, name, caller, walk)

        await self._with_xattrs(what, caller, follow, _no_xattr, change)

    async def rename(self, old: bytes, new: bytes, caller: Caller, replacing: bool = True) -> None:
        """As rename(2); EEXIST for a new name that is there, if not `replacing`."""

        async def move(old: bytes, new: bytes, walk: Walk) -> None:
            await self._check_kept(old, walk)
            await self._check_kept(new, walk)
            await self.regular.rename(old, new, walk, replacing)

        await self._at_both(old, new, caller, move, "rename", replacing)

    async def link(self, old: bytes, new: bytes, caller: Caller, follow: bool = False) -> None:
        """Give a file one more name; `follow`: the one a symbolic link `old` leads to."""
        await self._at_both(
            old,
            new,
            caller,
            lambda a, b, walk: self.regular.names.link(a, b, replace(walk, follow=follow)),
            "link",
        )

    async def truncate(self, path: bytes, size: int, caller: Caller) -> None:
        """Cut or extend a file, and commit it."""
        handle = await self.open(path, os.O_WRONLY, 0, caller)
        try:
            if handle.kind == "remote":
                await handle.truncate(size)  # type: ignore[attr-defined]
            elif handle.fd >= 0:
                os.ftruncate(handle.fd, size)
            elif isinstance(handle, HostPath):
                raise FileError(errno.EINVAL, path)
        finally:
            await handle.close()

    async def _remove(
        self,
        path: bytes,
        caller: Caller,
        what: str,
        remove: Callable[[bytes, Walk], Awaitable[None]],
    ) -> None:
        async def regular(path: bytes, walk: Walk) -> None:
            await self._check_kept(path, walk)
            await remove(path, walk)

        await self._at(path, caller, change_in(what), regular)

    async def _check_kept(self, path: bytes, walk: Walk) -> None:
        """EBUSY for the root and what it must have, under whatever path."""
        above, _, last = path.rstrip(b"/").rpartition(b"/")
        if last in _KEPT:
            try:
                found, _ = await self.regular.names.find(above or b"/", walk)
            except FileError:
                # The call itself meets the same, and says so.
                return
            if found == b"/":
                raise FileError(errno.EBUSY, path)
        elif not last:
            raise FileError(errno.EBUSY, path)

    # --- walking ----------------------------------------------------------------------------------
    async def _at(
        self,
        path: bytes,
        caller: Caller,
        virtual: Callable[[Virtual], Awaitable[T]],
        regular: Callable[[bytes, Walk], Awaitable[T]],
    ) -> T:
        """Do one of two things, by what serves the path; wherever its links lead."""
        walk = self._walk
        while True:
            try:
                where = await self._places.where(path, caller)
                if isinstance(where, Virtual):
                    return await virtual(where)
            except Leaves as way:
                path, walk = way.path, followed(walk, way)
                continue
            try:
                return await regular(where, walk)
            except Leaves as way:
                path, walk = way.path, replace(walk, links=way.links)

    async def _with_xattrs(
        self,
        what: bytes | Ino,
        caller: Caller,
        follow: bool,
        virtual: Callable[[Virtual], Awaitable[T]],
        regular: Callable[[bytes | Ino, Walk], Awaitable[T]],
    ) -> T:
        """Do something with the extended attributes of a path, or of an inode by its number."""
        if not isinstance(what, bytes):
            return await regular(what, self._walk)

        async def there(at: Virtual) -> T:
            await check_slash(at, caller)
            await stat_virtual(at.facts, at.path, at.place, caller, follow or at.slash)
            return await virtual(at)

        return await self._at(
            what, caller, there, lambda p, walk: regular(p, replace(walk, follow=follow))
        )

    async def _at_both(
        self,
        old: bytes,
        new: bytes,
        caller: Caller,
        change: Callable[[bytes, bytes, Walk], Awaitable[None]],
        what: str,
        number: int = 0,
    ) -> None:
        """Do a thing with two paths of the File System, or within one part; else EXDEV."""
        walk = self._walk
        while True:
            one, walk = await self._where(old, caller, walk)
            try:
                two, walk = await self._where(new, caller, walk)
            except FileError:
                # What is wrong on the way to the first path is told first, as kernels do.
                await self.stat(old.rstrip(b"/").rpartition(b"/")[0] + b"/", caller)
                raise
            if isinstance(one, Virtual) and isinstance(two, Virtual):
                try:
                    return await both_in(one, two, what, number)
                except Leaves as way:
                    walk = followed(walk, way)
                    if way.asked == one.path:
                        old, new = way.path, two.path
                    else:
                        old, new = one.path, way.path
                    continue
            if isinstance(one, Virtual) or isinstance(two, Virtual):
                raise FileError(errno.EXDEV, old)
            try:
                return await change(one, two, walk)
            except Leaves as way:
                walk = replace(walk, links=way.links)
                if way.asked == one:
                    old = way.path
                else:
                    new = way.path

    async def _where(self, path: bytes, caller: Caller, walk: Walk) -> tuple[Virtual | bytes, Walk]:
        """Where a path begins and stays, and the walk with the links that led there."""
        while True:
            try:
                return await self._places.where(path, caller), walk
            except Leaves as way:
                path, walk = way.path, followed(walk, way)

    async def statvfs(self, path: bytes, caller: Caller) -> list[int] | None:
        """Of the disk behind a path, where that is not this Runtime's own: None."""

        async def virtual(at: Virtual) -> list[int] | None:
            await check_slash(at, caller)
            await stat_virtual(at.facts, at.path, at.place, caller)
            if isinstance(at.facts, Served):
                return await at.facts.statvfs(at.path, at.place)
            return None

        async def regular(path: bytes, walk: Walk) -> list[int] | None:
            await self.regular.stat(path, walk)
            return None

        return await self._at(path, caller, virtual, regular)

    # Last, since its name hides the type from what follows.
    async def list(self, path: bytes, caller: Caller) -> list[Entry]:
        """The names in a directory, sorted."""
        return await self._at(
            path,
            caller,
            lambda at: list_virtual(at.facts, at.path, at.place, caller),
            self.regular.names.list,
        )


async def _no_xattr(at: Virtual) -> Never:
    raise FileError(errno.ENOTSUP, at.path)


def _no_socket(caller: Caller) -> Callable[[Virtual], Awaitable[tuple[str, bool]]]:
    refuse = new_in(caller)

    async def refused(at: Virtual) -> tuple[str, bool]:
        await refuse(at)
        raise FileError(errno.EPERM, at.path)

    return refused
