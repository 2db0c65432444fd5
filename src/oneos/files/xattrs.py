"""Extended attributes of the tree, as the File System service keeps them.

The rights that they take are those of the file: to write it, to set one; to read it, to read one.
Those of the class `trusted.` are root's alone. A kernel has judged that before it asks; who asks as
an instrumented program is judged here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.homes import Homes
from oneos.files.names import BY_KERNEL, Make, Names
from oneos.files.virtual import FACTS_SINCE
from oneos.ids import Ino
from oneos.state import names_commands as n
from oneos.state.names_types import Attr, Inode, Walk
from oneos.state.names_xattrs import TRUSTED

READ, WRITE = 4, 2


class Xattrs:
    """See the module. The subject of each call is a path or an inode's number, which outlasts its
    names. Each raises FileError as the call of xattr(7) that it is named after, and `Leaves` where
    a path leads to one of the parts that its `walk` names.

    Args:
        names: the File System service.
        homes: the files at home here.
    """

    def __init__(self, names: Names, homes: Homes) -> None:
        self._names = names
        self._homes = homes

    async def get(self, subject: bytes | Ino, name: bytes, caller: Caller, walk: Walk) -> bytes:
        """The value of one."""
        _check_made_up(subject)
        if not name:
            raise FileError(errno.ERANGE)
        read = await self._names.xattrs(subject, name, walk)
        assert read.found.inode is not None
        check_rights(read.found.inode, name, READ, caller)
        if read.errno:
            raise FileError(read.errno)
        return read.value

    async def set(
        self,
        subject: bytes | Ino,
        name: bytes,
        value: bytes,
        flags: int,
        caller: Caller,
        walk: Walk,
    ) -> None:
        """Set one; `flags` are XATTR_CREATE and XATTR_REPLACE."""
        create, replace = bool(flags & os.XATTR_CREATE), bool(flags & os.XATTR_REPLACE)
        if flags & ~(os.XATTR_CREATE | os.XATTR_REPLACE):
            raise FileError(errno.EINVAL)
        path, ino = _parts(subject)
        await self._change(
            subject,
            name,
            caller,
            walk,
            lambda rid, ns: n.SetXattr(rid, ns, path, ino, name, value, create, replace, walk),
        )

    async def remove(self, subject: bytes | Ino, name: bytes, caller: Caller, walk: Walk) -> None:
        """Remove one."""
        path, ino = _parts(subject)
        await self._change(
            subject,
            name,
            caller,
            walk,
            lambda rid, ns: n.RemoveXattr(rid, ns, path, ino, name, walk),
        )

    async def _change(
        self, subject: bytes | Ino, name: bytes, caller: Caller, walk: Walk, make: Make
    ) -> None:
        _check_made_up(subject)
        if _is_judged_here(caller):
            read = await self._names.xattrs(subject, b"", walk)
            assert read.found.inode is not None
            check_rights(read.found.inode, name, WRITE, caller)
        value = await self._names.change(_parts(subject)[0], make)
        assert isinstance(value, Attr)
        # What is open here shows the time of the change by its descriptor too.
        await self._homes.changed(value)

    # Last, since its name hides the type from what follows.
    async def list(self, subject: bytes | Ino, caller: Caller, walk: Walk) -> Sequence[bytes]:
        """The names of all that may be seen; a kernel's program may be another than the caller."""
        if not isinstance(subject, bytes) and subject >= FACTS_SINCE:
            return ()
        names = (await self._names.xattrs(subject, b"", walk)).names
        if _is_judged_here(caller):
            return [name for name in names if not name.startswith(TRUSTED)]
        return names


def _parts(subject: bytes | Ino) -> tuple[bytes, Ino]:
    return (subject, Ino(0)) if isinstance(subject, bytes) else (b"", subject)


def _check_made_up(subject: bytes | Ino) -> None:
    if not isinstance(subject, bytes) and subject >= FACTS_SINCE:
        raise FileError(errno.ENOTSUP)


def _is_judged_here(caller: Caller) -> bool:
    return caller.uid != 0 and not BY_KERNEL.get()


def check_rights(inode: Inode, name: bytes, right: int, caller: Caller) -> None:
    """Raises FileError as xattr(7): EACCES; EPERM for a sticky directory of another user.

    Args:
        name: of the attribute.
        right: READ or WRITE.
    """
    if not _is_judged_here(caller):
        return
    if name.startswith(TRUSTED):
        raise FileError(errno.EPERM if right == WRITE else errno.ENODATA)
    owns = inode.uid == caller.uid
    shift = 6 if owns else 3 if inode.gid == caller.gid else 0
    if right == WRITE and inode.is_dir and inode.mode & stat.S_ISVTX and not owns:
        raise FileError(errno.EPERM)
    if not inode.mode >> shift & right:
        raise FileError(errno.EACCES)
