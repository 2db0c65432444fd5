"""Paths to places: how the index resolves a path, and what a broken one answers.

A path is walked name by name from the root, as a kernel does, so that `missing/..` is ENOENT,
`file/..` is ENOTDIR, and `link/..` is the directory above the one that the link leads to. Symbolic
links on the way are always followed; whether the one in last place is, differs by call, and so does
what a trailing slash or a last `.` or `..` means: `Place` reports them and the callers decide. A
path that comes to a part of the tree that somebody else serves raises `Leaves`. The order of the
checks is Linux's: `test_names_model.py` and `test_names_errno.py` compare it with a real directory.
"""

from __future__ import annotations

import errno
import stat
from typing import NamedTuple

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import LINKS_FOLLOWED_MAX, NAME_BYTES_MAX, PATH_BYTES_MAX
from oneos.state.names_store import NameStore
from oneos.state.names_types import ROOT, WALK, Entry, Walk


class Leaves(FileError):
    """A path led to a part of the tree that the index does not hold.

    Args:
        asked: the path that did.
        path: where to go on: absolute, its first name that of the part.
        links: symbolic links followed on the way.
    """

    def __init__(self, asked: bytes, path: bytes, links: int) -> None:
        super().__init__(errno.EXDEV, asked)
        self.asked = asked
        self.path = path
        self.links = links


class Place(NamedTuple):
    """Where a path's last name stands. `name` is b"", b"." or b".." when it is no name.

    `ancestors` are the directories from the root to the one that holds the name, `above` their
    names, without the root's.
    """

    ancestors: list[Ino]
    above: list[bytes]
    name: bytes
    slash: bool

    @property
    def directory(self) -> Ino:
        """The directory that holds the name."""
        return self.ancestors[-1]

    @property
    def path(self) -> bytes:
        """The name's path from the root, without links."""
        return b"/" + b"/".join([*self.above, self.name])

    @property
    def is_name(self) -> bool:
        """False for the root, and for a path that ends in `.` or `..`."""
        return self.name not in (b"", b".", b"..")


class Resolved(NamedTuple):
    """What a path leads to: the inode, its names from the root, and the links on the way."""

    ino: Ino
    names: list[bytes]
    links: int


class Walker:
    """A walk along one path: to the place of its last name, and on from there through links.

    Args:
        store: the index.
        path: absolute.
        walk: `parts` and `links` count here; `follow` is the caller's business.
        visited: gets the directories and links that the answer depends on, as they are come to.

    Raises:
        FileError: ENOENT, ENAMETOOLONG or EINVAL for what is no path.
    """

    def __init__(
        self, store: NameStore, path: bytes, walk: Walk = WALK, visited: list[Ino] | None = None
    ) -> None:
        self._store = store
        self._path = path
        self._parts = walk.parts
        self.links = max(walk.links, 0)
        # The names to come, the next one last.
        self._todo = _split(path)[::-1]
        self._slash = path.endswith(b"/")
        self._ancestors = [ROOT]
        self._above: list[bytes] = []
        self._visited = [] if visited is None else visited
        self._visited.append(ROOT)

    def place(self) -> Place:
        """Where the last name stands, whether or not it is there.

        Raises:
            FileError: ENOENT, ENOTDIR, ENAMETOOLONG or ELOOP on the way there.
            Leaves: the way leads to another part.
        """
        while len(self._todo) > 1:
            self._step(self._todo.pop())
        last = self._todo.pop() if self._todo else b""
        self._check_part(last)
        return Place(self._ancestors, self._above, last, self._slash)

    def follow(self, link: Ino) -> None:
        """Go on where a symbolic link leads that stands where the walk is. Raises ELOOP."""
        inode = self._store.inode(link)
        assert inode is not None
        self.links += 1
        if self.links > LINKS_FOLLOWED_MAX:
            raise FileError(errno.ELOOP, self._path)
        self._visited.append(link)
        if inode.target.startswith(b"/"):
            self._ancestors, self._above = [ROOT], []
        if not self._todo:
            self._slash = self._slash or inode.target.endswith(b"/")
        self._todo += [name for name in inode.target.split(b"/") if name][::-1]

    def _step(self, name: bytes) -> None:
        if name == b".":
            return
        if name == b"..":
            if self._above:
                self._ancestors.pop()
                self._above.pop()
            return
        self._check_part(name)
        found = entry(self._store, self._ancestors[-1], name)
        if found is None:
            raise FileError(errno.ENOENT, self._path)
        if found.kind == stat.S_IFLNK:
            self.follow(found.ino)
        elif found.kind == stat.S_IFDIR:
            self._ancestors.append(found.ino)
            self._above.append(name)
            self._visited.append(found.ino)
        else:
            raise FileError(errno.ENOTDIR, self._path)

    def _check_part(self, name: bytes) -> None:
        if name in self._parts and not self._above:
            path = b"/" + b"/".join([name, *self._todo[::-1]]) + (b"/" if self._slash else b"")
            raise Leaves(self._path, path, self.links)


def _split(path: bytes) -> list[bytes]:
    if not path:
        raise FileError(errno.ENOENT, path)
    # PATH_MAX counts the byte 0 that ends a path in C.
    if len(path) >= PATH_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, path[:32] + b"...")
    if path[0] != 0x2F or b"\0" in path:
        raise FileError(errno.EINVAL, path, hint="a path is absolute and has no byte 0")
    return [name for name in path.split(b"/") if name]


def entry(store: NameStore, directory: Ino, name: bytes) -> Entry | None:
    """The entry of a name, or None; ENAMETOOLONG for one that no directory could hold."""
    if len(name) > NAME_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, name[:32] + b"...")
    return store.entry(directory, name)


def place(store: NameStore, path: bytes, walk: Walk = WALK) -> Place:
    """Where a path's last name stands, whether or not it is there; a link there is not followed.

    Raises:
        FileError: ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP or EINVAL on the way there.
        Leaves: the way leads to another part.
    """
    return Walker(store, path, walk).place()


def resolve(
    store: NameStore, path: bytes, walk: Walk = WALK, visited: list[Ino] | None = None
) -> Resolved:
    """What a path leads to. `visited` gets all on the way there, also when this raises.

    Raises:
        FileError: ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP or EINVAL.
        Leaves: the way leads to another part.
    """
    walker = Walker(store, path, walk, visited)
    while True:
        at = walker.place()
        if not at.is_name:
            up = 1 if at.name == b".." and at.above else 0
            depth = len(at.above) - up
            return Resolved(at.ancestors[depth], at.above[:depth], walker.links)
        found = entry(store, at.directory, at.name)
        if found is None:
            raise FileError(errno.ENOENT, path)
        if found.kind == stat.S_IFLNK and (walk.follow or at.slash):
            walker.follow(found.ino)
            continue
        if at.slash and found.kind != stat.S_IFDIR:
            raise FileError(errno.ENOTDIR, path)
        return Resolved(found.ino, [*at.above, at.name], walker.links)
