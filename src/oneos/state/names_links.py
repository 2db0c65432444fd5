"""The rules of names without content: symbolic links, meeting places, further names of a file.

A symbolic link is an inode that says a path; nobody looks at that path before the link is walked.
A hard link is one more entry for an inode, which counts its names in `nlink`; directories have one
name, so that the tree stays one. As `names_tree`, everything is checked before anything changes.
"""

from __future__ import annotations

import errno
import stat

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.limits import FILE_NAMES_MAX, LINK_TARGET_BYTES_MAX
from oneos.state import names_commands as c
from oneos.state.names_files import inode_of
from oneos.state.names_store import NameStore
from oneos.state.names_tree import new_ino, touch
from oneos.state.names_types import Attr, Entry, Inode, Walk
from oneos.state.names_walk import Place, entry, place, resolve

_TYPE_BITS = 0o170000


def symlink(store: NameStore, command: c.Symlink) -> Attr:
    """ENOENT for an empty target, ENAMETOOLONG, and EEXIST for any name that is there."""
    if not command.target:
        raise FileError(errno.ENOENT, command.path)
    if len(command.target) > LINK_TARGET_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, command.path)
    if b"\0" in command.target:
        raise FileError(errno.EINVAL, command.path, hint="a target has no byte 0")
    return _make(store, command, stat.S_IFLNK | 0o777, command.target)


def mknod(store: NameStore, command: c.MkNod) -> Attr:
    """EPERM for all but FIFOs and sockets, EEXIST for any name that is there."""
    # Not by S_IFMT, which raises for numbers that are no mode: a record may hold any.
    kind = command.mode & _TYPE_BITS
    if kind not in (stat.S_IFIFO, stat.S_IFSOCK):
        raise FileError(errno.EPERM, command.path)
    return _make(store, command, kind | command.mode & 0o7777, b"")


def _make(store: NameStore, command: c.Symlink | c.MkNod, mode: int, target: bytes) -> Attr:
    at = _new_name(store, command.path, command.walk)
    parent, now = inode_of(store, at.directory), command.now_ns
    made = Inode(
        new_ino(store),
        mode,
        1,
        command.uid,
        parent.gid if parent.mode & stat.S_ISGID else command.gid,
        len(target),
        now,
        now,
        now,
        target=target,
    )
    store.put_inode(made)
    store.put_entry(at.directory, Entry(at.name, made.ino, stat.S_IFMT(mode)))
    touch(store, at.directory, now, names=1)
    return made.attr()


def link(store: NameStore, command: c.Link) -> Attr:
    """EPERM for a directory, EEXIST for any name that is there, EMLINK for too many names."""
    ino = resolve(store, command.old, command.walk).ino
    at = _new_name(store, command.new, command.walk)
    inode = inode_of(store, ino)
    if inode.is_dir:
        raise FileError(errno.EPERM, command.old)
    if inode.nlink >= FILE_NAMES_MAX:
        raise FileError(errno.EMLINK, command.old)
    inode = replace(inode, nlink=inode.nlink + 1, ctime_ns=command.now_ns)
    store.put_inode(inode)
    store.put_entry(at.directory, Entry(at.name, ino, stat.S_IFMT(inode.mode)))
    touch(store, at.directory, command.now_ns, names=1)
    return inode.attr()


def _new_name(store: NameStore, path: bytes, walk: Walk) -> Place:
    """Where a name is to be made of what is no directory."""
    at = place(store, path, walk)
    if not at.is_name or entry(store, at.directory, at.name) is not None:
        raise FileError(errno.EEXIST, path)
    if at.slash:
        # Linux's answer: with the slash it would have to be a directory that is there.
        raise FileError(errno.ENOENT, path)
    return at
