"""The one tree: which part of it serves a path.

Regular files and directories are the File System's; /proc, /runtime, /dev and /topic are facts of
the network. Paths come raw from programs. There are no symbolic links in this version, so `..` can
be resolved by the text; whether what it climbs out of exists, the File System checks by walking
the raw path itself.
"""

from __future__ import annotations

import errno
import os

from oneos.errors import FileError
from oneos.files.handles import Attributes, Caller, Handle, HostPath
from oneos.files.regular import RegularFiles
from oneos.files.virtual import Facts, Parts, list_virtual, open_virtual, stat_virtual
from oneos.limits import PATH_BYTES_MAX
from oneos.state.names_types import Entry


class Tree:
    """See the module.

    Args:
        regular: the files and directories.
        parts: the directories made up of facts, by their name under the root.
    """

    def __init__(self, regular: RegularFiles, parts: dict[bytes, Facts]) -> None:
        self.regular = regular
        self._parts = parts

    def _part(self, path: bytes) -> tuple[Facts | None, Parts]:
        place = split(path)
        if place and place[0] in self._parts:
            return self._parts[place[0]], place[1:]
        return None, place

    async def stat(self, path: bytes, caller: Caller) -> Attributes:
        """Attributes of what a path leads to."""
        facts, place = self._part(path)
        if facts is not None:
            return await stat_virtual(facts, canonical(path), place, caller)
        return await self.regular.stat(path)

    async def list(self, path: bytes, caller: Caller) -> list[Entry]:
        """The names in a directory, sorted."""
        facts, place = self._part(path)
        if facts is not None:
            return await list_virtual(facts, canonical(path), place, caller)
        return await self.regular.list(path)

    async def open(self, path: bytes, flags: int, mode: int, caller: Caller) -> Handle:
        """Open what a path leads to, as open(2)."""
        facts, place = self._part(path)
        if facts is not None:
            return await open_virtual(facts, canonical(path), place, flags, caller)
        return await self.regular.open(path, flags, mode, caller)

    async def head(self, path: bytes, count: int, caller: Caller) -> bytes:
        """The first bytes of a regular file; nothing of what is not one."""
        facts, _ = self._part(path)
        return b"" if facts is not None else await self.regular.head(path, count, caller)

    async def realpath(self, path: bytes, caller: Caller) -> bytes:
        """The path without `.`, `..` and double slashes; what it names must exist."""
        attributes = await self.stat(path, caller)
        if path.endswith(b"/") and attributes.mode & 0o170000 != 0o040000:
            raise FileError(errno.ENOTDIR, path)
        return canonical(path)

    async def mkdir(self, path: bytes, mode: int, caller: Caller) -> None:
        await self._own(path, exists=errno.EEXIST).mkdir(path, mode, caller)

    async def rmdir(self, path: bytes) -> None:
        await self._own(path).rmdir(path)

    async def unlink(self, path: bytes) -> None:
        await self._own(path).unlink(path)

    async def chmod(self, path: bytes, mode: int) -> None:
        await self._own(path).chmod(path, mode)

    async def chown(self, path: bytes, uid: int, gid: int) -> None:
        await self._own(path).chown(path, uid, gid)

    async def utime(self, path: bytes, atime_ns: int, mtime_ns: int) -> None:
        await self._own(path).utime(path, atime_ns, mtime_ns)

    async def rename(self, old: bytes, new: bytes) -> None:
        if (self._part(old)[0] is None) != (self._part(new)[0] is None):
            raise FileError(errno.EXDEV, old)
        await self._own(old).rename(old, new)

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

    def _own(self, path: bytes, exists: int = errno.EPERM) -> RegularFiles:
        """The regular files, or what is answered to a change of what is not one of them."""
        facts, place = self._part(path)
        if facts is not None:
            raise FileError(exists if not place else errno.EPERM, path)
        if place in ((b"bin",), (b"home",), ()) and exists == errno.EPERM:
            # Nobody means to remove these, and nothing works without them.
            raise FileError(errno.EBUSY, path)
        return self.regular


def split(path: bytes) -> Parts:
    """A path's names from the root, `.` and `..` resolved. Raises FileError."""
    if not path.startswith(b"/"):
        raise FileError(errno.EINVAL if path else errno.ENOENT, path)
    if len(path) >= PATH_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, path[:64] + b"...")
    if b"\0" in path:
        raise FileError(errno.EINVAL, path)
    names: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            if names:
                names.pop()
        elif name not in (b"", b"."):
            names.append(name)
    return tuple(names)


def canonical(path: bytes) -> bytes:
    """The path without `.`, `..` and double slashes."""
    return b"/" + b"/".join(split(path))
