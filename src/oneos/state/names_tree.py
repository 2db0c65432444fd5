"""The rules of the tree: making, removing and renaming of names; links are in `names_links`.

Each function checks everything first and changes the store only when nothing can fail any more, so
a command that is refused has changed nothing. The errno of each refusal is what Linux answers,
shown by `test_names_model.py`. Rights are not decided here. A directory's `size` counts its
names, which makes "is it empty" one read.
"""

from __future__ import annotations

import errno
import stat

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.state import names_commands as c
from oneos.state.names_files import check_home, check_settled, claimed, inode_of, nameless
from oneos.state.names_store import NameStore
from oneos.state.names_types import ROOT, Attr, Entry, Inode, Opened, Removed, opened
from oneos.state.names_walk import Place, Walker, entry, place

NEXT_INO = "next-ino"
INOS_SKIPPED_MAX = 1 << 16


def new_ino(store: NameStore) -> Ino:
    """A number that no inode had before."""
    ino = store.counter(NEXT_INO) or ROOT + 1
    store.set_counter(NEXT_INO, ino + 1)
    return Ino(ino)


def skip(store: NameStore, command: c.Skip) -> None:
    """See `Skip`; EINVAL for more than anybody leaves out, since a number is never had again."""
    if not 0 <= command.count <= INOS_SKIPPED_MAX:
        raise FileError(errno.EINVAL)
    store.set_counter(NEXT_INO, (store.counter(NEXT_INO) or ROOT + 1) + command.count)


def touch(store: NameStore, ino: Ino, now_ns: int, names: int = 0, subdirs: int = 0) -> None:
    directory = inode_of(store, ino)
    store.put_inode(
        replace(
            directory,
            size=directory.size + names,
            nlink=directory.nlink + subdirs,
            mtime_ns=now_ns,
            ctime_ns=now_ns,
        )
    )


def mkdir(store: NameStore, command: c.MkDir) -> Attr:
    """EEXIST also for `/`, `.` and `..`, which are always there."""
    at = place(store, command.path, command.walk)
    if not at.is_name or entry(store, at.directory, at.name) is not None:
        raise FileError(errno.EEXIST, command.path)
    # As Linux: no set-user-ID on a directory; set-group-ID is handed down with the group.
    mode, gid = command.mode & 0o1777, command.gid
    parent = inode_of(store, at.directory)
    if parent.mode & stat.S_ISGID:
        mode, gid = mode | stat.S_ISGID, parent.gid
    now = command.now_ns
    made = Inode(new_ino(store), stat.S_IFDIR | mode, 2, command.uid, gid, 0, now, now, now)
    store.put_inode(made)
    store.put_entry(at.directory, Entry(at.name, made.ino, stat.S_IFDIR))
    touch(store, at.directory, now, names=1, subdirs=1)
    return made.attr()


def rmdir(store: NameStore, command: c.RmDir) -> None:
    """EBUSY for `/`, EINVAL for a last `.`, ENOTEMPTY for a last `..`."""
    at = place(store, command.path, command.walk)
    if not at.is_name:
        code = {b"": errno.EBUSY, b".": errno.EINVAL, b"..": errno.ENOTEMPTY}[at.name]
        raise FileError(code, command.path)
    found = entry(store, at.directory, at.name)
    if found is None:
        raise FileError(errno.ENOENT, command.path)
    if found.kind != stat.S_IFDIR:
        raise FileError(errno.ENOTDIR, command.path)
    if inode_of(store, found.ino).size:
        raise FileError(errno.ENOTEMPTY, command.path)
    store.delete_entry(at.directory, at.name)
    store.delete_inode(found.ino)
    touch(store, at.directory, command.now_ns, names=-1, subdirs=-1)


def unlink(store: NameStore, command: c.Unlink) -> Removed:
    """EISDIR for a directory, as Linux answers; ENOTDIR for a file with a trailing slash."""
    at = place(store, command.path, command.walk)
    if not at.is_name:
        raise FileError(errno.EISDIR, command.path)
    found = entry(store, at.directory, at.name)
    if found is None:
        raise FileError(errno.ENOENT, command.path)
    if found.kind == stat.S_IFDIR:
        raise FileError(errno.EISDIR, command.path)
    if at.slash:
        raise FileError(errno.ENOTDIR, command.path)
    store.delete_entry(at.directory, at.name)
    touch(store, at.directory, command.now_ns, names=-1)
    return nameless(store, found.ino, command.now_ns)


def rename(store: NameStore, command: c.Rename) -> Removed:
    """EBUSY for `/`, `.` and `..`; EINVAL into its own subtree; ENOTEMPTY onto an ancestor.

    Nothing happens where both are names of one file, as POSIX has it. Links are moved themselves.
    """
    old, new = (place(store, path, command.walk) for path in (command.old, command.new))
    if not old.is_name or not new.is_name:
        raise FileError(errno.EBUSY, command.new if old.is_name else command.old)
    source = entry(store, old.directory, old.name)
    if source is None:
        raise FileError(errno.ENOENT, command.old)
    target = entry(store, new.directory, new.name)
    is_dir = source.kind == stat.S_IFDIR
    if not is_dir and (old.slash or new.slash):
        raise FileError(errno.ENOTDIR, command.old if old.slash else command.new)
    if source.ino in new.ancestors:
        raise FileError(errno.EINVAL, command.new)
    if target is not None:
        if not command.replace:
            raise FileError(errno.EEXIST, command.new)
        if target.ino in old.ancestors:
            raise FileError(errno.ENOTEMPTY, command.new)
        if target.ino == source.ino:
            return Removed()
        _check_replaced(store, command.new, is_dir, target)
    if command.settled is not None and source.kind == stat.S_IFREG:
        check_settled(store, source.ino, command.settled, target is not None)
    return _move(store, command.now_ns, (old.directory, source), (new.directory, new.name), target)


def _check_replaced(store: NameStore, path: bytes, is_dir: bool, target: Entry) -> None:
    if is_dir and target.kind != stat.S_IFDIR:
        raise FileError(errno.ENOTDIR, path)
    if not is_dir and target.kind == stat.S_IFDIR:
        raise FileError(errno.EISDIR, path)
    if is_dir and inode_of(store, target.ino).size:
        raise FileError(errno.ENOTEMPTY, path)


def _move(
    store: NameStore,
    now_ns: int,
    old: tuple[Ino, Entry],
    new: tuple[Ino, bytes],
    target: Entry | None,
) -> Removed:
    (old_directory, source), (new_directory, name) = old, new
    subdirs = 1 if source.kind == stat.S_IFDIR else 0
    removed = Removed()
    if target is not None:
        store.delete_entry(new_directory, name)
        touch(store, new_directory, now_ns, names=-1, subdirs=-subdirs)
        if subdirs:
            store.delete_inode(target.ino)
        else:
            removed = nameless(store, target.ino, now_ns)
    store.delete_entry(old_directory, source.name)
    touch(store, old_directory, now_ns, names=-1, subdirs=-subdirs)
    store.put_entry(new_directory, Entry(name, source.ino, source.kind))
    touch(store, new_directory, now_ns, names=1, subdirs=subdirs)
    store.put_inode(replace(inode_of(store, source.ino), ctime_ns=now_ns))
    return removed


def create(store: NameStore, command: c.Create) -> Opened:
    """EISDIR for a directory and for any trailing slash; EEXIST when `exclusive` and there; ELOOP
    for a symbolic link that is not to be followed; ENXIO for a FIFO or a socket."""
    at, found = _place_to_open(store, command)
    if command.exclusive and (found is not None or not at.is_name):
        raise FileError(errno.EEXIST, command.path)
    if not at.is_name or (found is not None and found.kind == stat.S_IFDIR):
        raise FileError(errno.EISDIR, command.path)
    if found is not None and found.kind == stat.S_IFLNK:
        raise FileError(errno.ELOOP, command.path)
    if found is not None and found.kind != stat.S_IFREG:
        raise FileError(errno.ENXIO, command.path)
    check_home(store, command.home, command.incarnation)
    if found is not None:
        inode = inode_of(store, found.ino)
        if inode.home in ("", command.home):
            inode = claimed(inode, command.home, command.incarnation, command.writing)
            store.put_inode(inode)
        return opened(inode, created=False, path=at.path)
    parent, now = inode_of(store, at.directory), command.now_ns
    made = Inode(
        new_ino(store),
        stat.S_IFREG | (command.mode & 0o7777),
        1,
        command.uid,
        parent.gid if parent.mode & stat.S_ISGID else command.gid,
        0,
        now,
        now,
        now,
        home=command.home,
        home_incarnation=command.incarnation,
        home_epoch=1,
        writing=command.writing,
    )
    store.put_inode(made)
    store.put_entry(at.directory, Entry(at.name, made.ino, stat.S_IFREG))
    touch(store, at.directory, now, names=1)
    return opened(made, created=True, path=at.path)


def _place_to_open(store: NameStore, command: c.Create) -> tuple[Place, Entry | None]:
    """Where the file is or shall be, behind the links that lead there; and what is there."""
    walker = Walker(store, command.path, command.walk)
    while True:
        at = walker.place()
        if at.is_name and at.slash:
            raise FileError(errno.EISDIR, command.path)
        found = entry(store, at.directory, at.name) if at.is_name else None
        if found is None or found.kind != stat.S_IFLNK:
            return at, found
        if command.exclusive or not command.walk.follow:
            return at, found
        walker.follow(found.ino)
