"""The rules of extended attributes: names of the classes `user.` and `trusted.`, with values.

They belong to the inode: all its names show them, a rename takes them along, and they end with it.
The other classes (`security.`, `system.`) mean something to a host's kernel, and are its own. Who
may set which is not decided here. The errno of each refusal is what Linux answers, shown by
`test_names_model.py`.
"""

from __future__ import annotations

import errno
import stat

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import (
    XATTR_FILE_BYTES_MAX,
    XATTR_LIST_BYTES_MAX,
    XATTR_NAME_BYTES_MAX,
    XATTR_VALUE_BYTES_MAX,
)
from oneos.state import names_commands as c
from oneos.state.names_files import inode_of
from oneos.state.names_store import NameStore
from oneos.state.names_types import Attr, Inode
from oneos.state.names_walk import resolve

_USER, TRUSTED = b"user.", b"trusted."


def get_xattr(store: NameStore, ino: Ino, name: bytes) -> bytes:
    """The value of an attribute. Raises FileError: ENODATA where there is none."""
    _check_name(name)
    _check_kind(inode_of(store, ino), name, errno.ENODATA)
    value = store.xattrs(ino).get(name)
    if value is None:
        raise FileError(errno.ENODATA)
    return value


def set_xattr(store: NameStore, command: c.SetXattr) -> Attr:
    """E2BIG for a value that is too long, ENOSPC where all of the inode's together are."""
    _check_name(command.name)
    if len(command.value) > XATTR_VALUE_BYTES_MAX:
        raise FileError(errno.E2BIG, command.path)
    inode = _changing(store, command)
    before = store.xattrs(inode.ino)
    if command.name in before:
        if command.create:
            raise FileError(errno.EEXIST, command.path)
    elif command.replace:
        raise FileError(errno.ENODATA, command.path)
    after = {**before, command.name: command.value}
    listed = sum(len(name) + 1 for name in after)
    values = sum(len(value) for value in after.values())
    if listed > XATTR_LIST_BYTES_MAX or listed + values > XATTR_FILE_BYTES_MAX:
        raise FileError(errno.ENOSPC, command.path)
    store.put_xattrs(inode.ino, after)
    return _changed(store, inode, command.now_ns)


def remove_xattr(store: NameStore, command: c.RemoveXattr) -> Attr:
    """ENODATA where there is none of this name."""
    _check_name(command.name)
    inode = _changing(store, command)
    after = dict(store.xattrs(inode.ino))
    if after.pop(command.name, None) is None:
        raise FileError(errno.ENODATA, command.path)
    store.put_xattrs(inode.ino, after)
    return _changed(store, inode, command.now_ns)


def _check_name(name: bytes) -> None:
    if not 0 < len(name) <= XATTR_NAME_BYTES_MAX:
        raise FileError(errno.ERANGE)
    if b"\0" in name:
        raise FileError(errno.EINVAL)


def _check_kind(inode: Inode, name: bytes, otherwise: int) -> None:
    if not name.startswith((_USER, TRUSTED)):
        raise FileError(errno.ENOTSUP)
    # The permissions of a link or a FIFO say nothing about who may set a user's on it: xattr(7).
    if name.startswith(_USER) and not inode.is_dir and not stat.S_ISREG(inode.mode):
        raise FileError(otherwise)
    if name in (_USER, TRUSTED):
        raise FileError(errno.EINVAL)


def _changing(store: NameStore, command: c.SetXattr | c.RemoveXattr) -> Inode:
    ino = resolve(store, command.path, command.walk).ino if command.path else command.ino
    inode = inode_of(store, ino)
    _check_kind(inode, command.name, errno.EPERM)
    return inode


def _changed(store: NameStore, inode: Inode, now_ns: int) -> Attr:
    inode = replace(inode, ctime_ns=now_ns)
    store.put_inode(inode)
    return inode.attr()
