"""Paths to places: how the index resolves a path, and what a broken one answers.

A path is walked name by name from the root, as a kernel does, so that `missing/..` is ENOENT and
`file/..` is ENOTDIR. There are no symbolic links in this version. Which errno a trailing slash or a
last `.` or `..` gives differs by call, so `Place` reports them and the callers decide. The order of
the checks is Linux's: `test_names_model.py` compares it with a real directory.
"""

from __future__ import annotations

import errno
import stat
from typing import NamedTuple

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import NAME_BYTES_MAX, PATH_BYTES_MAX
from oneos.state.names_store import NameStore
from oneos.state.names_types import ROOT, Entry


class Place(NamedTuple):
    """Where a path's last name stands. `name` is b"", b"." or b".." when it is no name.

    `ancestors` are the directories from the root to the one that holds the name.
    """

    ancestors: list[Ino]
    name: bytes
    slash: bool

    @property
    def directory(self) -> Ino:
        """The directory that holds the name."""
        return self.ancestors[-1]

    @property
    def is_name(self) -> bool:
        """False for the root, and for a path that ends in `.` or `..`."""
        return self.name not in (b"", b".", b"..")


def _split(path: bytes) -> list[bytes]:
    if not path:
        raise FileError(errno.ENOENT, path)
    # PATH_MAX counts the byte 0 that ends a path in C.
    if len(path) >= PATH_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, path[:32] + b"...")
    if path[0] != 0x2F or b"\0" in path:
        raise FileError(errno.EINVAL, path, hint="a path is absolute and has no byte 0")
    return [name for name in path.split(b"/") if name]


def _descend(store: NameStore, names: list[bytes], path: bytes) -> list[Ino]:
    ancestors = [ROOT]
    for name in names:
        if name == b".":
            continue
        if name == b"..":
            if len(ancestors) > 1:
                ancestors.pop()
            continue
        found = entry(store, ancestors[-1], name)
        if found is None:
            raise FileError(errno.ENOENT, path)
        if found.kind != stat.S_IFDIR:
            raise FileError(errno.ENOTDIR, path)
        ancestors.append(found.ino)
    return ancestors


def entry(store: NameStore, directory: Ino, name: bytes) -> Entry | None:
    """The entry of a name, or None; ENAMETOOLONG for one that no directory could hold."""
    if len(name) > NAME_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, name[:32] + b"...")
    return store.entry(directory, name)


def place(store: NameStore, path: bytes) -> Place:
    """Where a path's last name stands, whether or not it is there.

    Raises:
        FileError: ENOENT, ENOTDIR, ENAMETOOLONG or EINVAL on the way there.
    """
    names = _split(path)
    if not names:
        return Place([ROOT], b"", True)
    last = names.pop()
    return Place(_descend(store, names, path), last, path.endswith(b"/"))


def resolve(store: NameStore, path: bytes) -> Ino:
    """The inode a path leads to.

    Raises:
        FileError: ENOENT, ENOTDIR, ENAMETOOLONG or EINVAL.
    """
    names = _split(path)
    if not names or names[-1] in (b".", b".."):
        return _descend(store, names, path)[-1]
    last = names.pop()
    found = entry(store, _descend(store, names, path)[-1], last)
    if found is None:
        raise FileError(errno.ENOENT, path)
    if path.endswith(b"/") and found.kind != stat.S_IFDIR:
        raise FileError(errno.ENOTDIR, path)
    return found.ino
