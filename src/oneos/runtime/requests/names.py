"""Requests about names: looks at paths, and changes of what stands at them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from oneos.errors import FileError
from oneos.files.handles import Change
from oneos.files.tree import Tree
from oneos.ids import Ino
from oneos.limits import LOOKS_MAX, NAME_BYTES_MAX
from oneos.runtime.requests.callers import Client, Who, handle_of, maker


class NameRequests:
    """See the module.

    Args:
        tree: what they act on.
        store: a directory of the disk whose sizes `statvfs` shows as the tree's.
    """

    FOR_ALL = """
        stat look list mkdir rmdir unlink rename symlink readlink link chmod chown utime mknod
        meeting bind statvfs truncate realpath getxattr listxattr setxattr removexattr
    """
    FOR_CLIENTS = "looks setattr"
    FOR_PROGRAMS = "scan"

    def __init__(self, tree: Tree, store: str) -> None:
        self._tree = tree
        self._store = store

    async def op_stat(self, who: Who, path: bytes, follow: bool = True) -> list[int]:
        return (await self._tree.stat(path, who.caller, follow)).wire()

    async def op_looks(self, who: Who, path: bytes, names: list[bytes]) -> list[list[Any]]:
        if len(names) > LOOKS_MAX:
            raise FileError(errno.E2BIG, path)
        return [look.wire() for look in await self._tree.look_many(path, names, who.caller)]

    async def op_look(self, who: Who, path: bytes, follow: bool = False) -> list[Any]:
        return (await self._tree.look(path, who.caller, follow)).wire()

    async def op_list(self, who: Who, path: bytes) -> list[list[Any]]:
        return [[e.name, e.kind, e.ino] for e in await self._tree.list(path, who.caller)]

    async def op_scan(self, who: Who, path: bytes, attributes: bool) -> list[object]:
        return (await self._tree.scan(path, who.caller, attributes)).wire()

    async def op_setattr(self, who: Who, ino: int, change: dict[str, int]) -> None:
        await self._tree.regular.set_attr(Ino(ino), msgspec.convert(change, Change))

    async def op_mknod(self, who: Who, path: bytes, mode: int, owner: Sequence[int] = ()) -> None:
        await self._tree.mknod(path, mode, maker(who, owner))

    async def op_bind(self, who: Who, path: bytes, mode: int) -> tuple[str, bool]:
        return await self._tree.bind(path, mode, who.caller)

    async def op_meeting(self, who: Who, path: bytes) -> str:
        return await self._tree.meeting(path, who.caller)

    async def op_statvfs(self, who: Who, path: bytes) -> list[int]:
        if (served := await self._tree.statvfs(path, who.caller)) is not None:
            return served
        s = os.statvfs(self._store)
        sizes = [s.f_bsize, s.f_frsize, s.f_blocks, s.f_bfree, s.f_bavail]
        return [*sizes, s.f_files, s.f_ffree, s.f_favail, 0, NAME_BYTES_MAX, 0]

    async def op_mkdir(self, who: Who, path: bytes, mode: int, owner: Sequence[int] = ()) -> None:
        await self._tree.mkdir(path, mode, maker(who, owner))

    async def op_rmdir(self, who: Who, path: bytes) -> None:
        await self._tree.rmdir(path, who.caller)

    async def op_unlink(self, who: Who, path: bytes) -> None:
        await self._tree.unlink(path, who.caller)

    async def op_rename(self, who: Who, old: bytes, new: bytes, replacing: bool = True) -> None:
        await self._tree.rename(old, new, who.caller, replacing)

    async def op_symlink(
        self, who: Who, target: bytes, path: bytes, owner: Sequence[int] = ()
    ) -> None:
        await self._tree.symlink(target, path, maker(who, owner))

    async def op_readlink(self, who: Who, path: bytes) -> bytes:
        return await self._tree.readlink(path, who.caller)

    async def op_link(self, who: Who, old: bytes, new: bytes, follow: bool = False) -> None:
        await self._tree.link(old, new, who.caller, follow)

    async def op_chmod(self, who: Who, path: bytes, mode: int, follow: bool = True) -> None:
        await self._tree.chmod(path, mode, who.caller, follow)

    async def op_chown(
        self, who: Who, path: bytes, uid: int, gid: int, follow: bool = True
    ) -> None:
        await self._tree.chown(path, uid, gid, who.caller, follow)

    async def op_utime(
        self, who: Who, path: bytes, atime_ns: int, mtime_ns: int, follow: bool = True
    ) -> None:
        await self._tree.utime(path, atime_ns, mtime_ns, who.caller, follow)

    async def _subject(self, who: Who, what: bytes | int) -> bytes | Ino:
        """Whose extended attributes: a path's, or those of a program's open file or the inode that
        a client numbers."""
        if isinstance(what, bytes):
            return what
        if isinstance(who.owner, Client):
            return Ino(what)
        return Ino((await handle_of(who, what).stat()).ino)

    async def op_getxattr(
        self, who: Who, what: bytes | int, name: bytes, follow: bool = True
    ) -> bytes:
        return await self._tree.getxattr(await self._subject(who, what), name, who.caller, follow)

    async def op_listxattr(
        self, who: Who, what: bytes | int, follow: bool = True
    ) -> Sequence[bytes]:
        return await self._tree.listxattr(await self._subject(who, what), who.caller, follow)

    async def op_setxattr(
        self,
        who: Who,
        what: bytes | int,
        name: bytes,
        value: bytes,
        flags: int,
        follow: bool = True,
    ) -> None:
        subject = await self._subject(who, what)
        await self._tree.setxattr(subject, name, value, flags, who.caller, follow)

    async def op_removexattr(
        self, who: Who, what: bytes | int, name: bytes, follow: bool = True
    ) -> None:
        await self._tree.removexattr(await self._subject(who, what), name, who.caller, follow)

    async def op_truncate(self, who: Who, path: bytes, size: int) -> None:
        if size < 0:
            raise FileError(errno.EINVAL, path)
        await self._tree.truncate(path, size, who.caller)

    async def op_realpath(self, who: Who, path: bytes) -> bytes:
        return await self._tree.realpath(path, who.caller)
