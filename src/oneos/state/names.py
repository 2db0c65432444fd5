"""The File System index as a state machine: names, inodes, and who is a file's home.

Pure: `apply` is a function of the store and a command, so that every host that follows the log
holds the same index and a simulation can step it. It decides that a request is done exactly once;
the rules of the commands are in `names_tree` (names), `names_links` (links), `names_files`
(content and homes) and `names_xattrs` (extended attributes), and the walk of paths in `names_walk`.
Reading order: `names_types`, `names_commands`, this, the rules.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.ids import Ino
from oneos.limits import NAME_RESULTS_MAX
from oneos.state import names_chunks, names_files, names_links, names_tree, names_xattrs
from oneos.state import names_commands as c
from oneos.state.names_store import NameStore
from oneos.state.names_types import (
    ORPHANS,
    ROOT,
    WALK,
    Attr,
    Elsewhere,
    Entry,
    Found,
    Inode,
    Opened,
    Result,
    Walk,
    decode_result,
    encode_result,
    opened,
)
from oneos.state.names_walk import Leaves, place, resolve


def _barrier(store: NameStore, command: c.Barrier) -> None:
    """Nothing to do: it is in the log."""


_RULES: dict[type[c.Command], Callable[[NameStore, Any], Any]] = {
    c.MkDir: names_tree.mkdir,
    c.RmDir: names_tree.rmdir,
    c.Unlink: names_tree.unlink,
    c.Rename: names_tree.rename,
    c.Create: names_tree.create,
    c.Symlink: names_links.symlink,
    c.MkNod: names_links.mknod,
    c.Link: names_links.link,
    c.SetAttr: names_files.set_attr,
    c.SetXattr: names_xattrs.set_xattr,
    c.RemoveXattr: names_xattrs.remove_xattr,
    c.Claim: names_files.claim,
    c.Commit: names_files.commit,
    c.Release: names_files.release,
    c.HandOver: names_files.hand_over,
    c.HostLost: names_files.host_lost,
    c.Copies: names_files.copies,
    c.Collect: names_chunks.collect,
    c.Skip: names_tree.skip,
    c.Barrier: _barrier,
}


class Names:
    """The machine over a store. An empty store gets the root directory."""

    def __init__(self, store: NameStore) -> None:
        self._store = store
        if store.inode(ROOT) is None:
            store.put_inode(Inode(ROOT, stat.S_IFDIR | 0o755, 2, 0, 0, 0, 0, 0, 0))

    def apply(self, command: c.Command) -> Result:
        """Do a command, or repeat the answer of one that was done before. Never raises for what a
        command says: a refusal is a Result with an errno."""
        client, number = command.rid
        if not 0 <= number < 2**63:
            return Result(errno.EINVAL)
        # A request's slot holds the newest request of those that share it. A newer one in it
        # means that this one is old: it may have been done, so it must not be done again.
        slot = (client, number % NAME_RESULTS_MAX)
        seen = self._store.result(slot)
        if seen is not None and seen[0] >= number:
            return self._again(seen[1]) if seen[0] == number else Result(errno.ESTALE)
        try:
            result = Result(0, _RULES[type(command)](self._store, command))
        except Leaves as way:
            result = Result(way.errno, Elsewhere(way.asked, way.path, way.links))
        except names_files.NotSettled as error:
            result = Result(error.errno, error.unsettled)
        except FileError as error:
            result = Result(error.errno)
        self._store.put_result(slot, number, _kept(result))
        return result

    def _again(self, kept: bytes) -> Result:
        result = decode_result(kept)
        if not isinstance(result.value, Opened):
            return result
        # The chunk list was not kept. Whoever repeats an open wants the file as it is now, unless
        # its home has changed: then the claim that the repeat speaks of is over.
        try:
            inode = names_files.inode_of(self._store, result.value.attr.ino)
        except FileError as error:
            return Result(error.errno)
        if (inode.home, inode.home_epoch) != (result.value.home, result.value.home_epoch):
            return Result(errno.ESTALE)
        return Result(0, opened(inode, result.value.created, result.value.path))

    # --- reads --------------------------------------------------------------------------------
    def lookup(self, path: bytes, walk: Walk = WALK) -> Inode:
        """The inode a path leads to. Raises FileError as stat(2)."""
        return names_files.inode_of(self._store, resolve(self._store, path, walk).ino)

    def stat(self, path: bytes, walk: Walk = WALK) -> Attr:
        """What stat(2) shows of a path, lstat(2) where `walk` does not follow. Raises FileError."""
        return self.lookup(path, walk).attr()

    def readlink(self, path: bytes) -> bytes:
        """What a symbolic link says. Raises FileError as readlink(2): EINVAL for what is none."""
        inode = self.lookup(path, Walk(follow=False))
        if not inode.is_link:
            raise FileError(errno.EINVAL, path)
        return inode.target

    def find(
        self,
        path: bytes,
        walk: Walk = WALK,
        entries: bool = False,
        visited: list[Ino] | None = None,
    ) -> Found:
        """What a path leads to, or where it leaves the index.

        Args:
            entries: with the names in it, sorted.
            visited: gets the directories and links that were walked through, also when this raises.

        Raises:
            FileError: as stat(2); with `entries` ENOTDIR for what is no directory.
        """
        try:
            ino, names, links = resolve(self._store, path, walk, visited)
        except Leaves as way:
            return Found(way.path, way.links, None)
        inode = names_files.inode_of(self._store, ino)
        if entries and not inode.is_dir:
            raise FileError(errno.ENOTDIR, path)
        found = list(self._store.entries(ino)) if entries else None
        return Found(b"/" + b"/".join(names), links, inode, found)

    def xattr(self, ino: Ino, name: bytes) -> bytes:
        """The value of an extended attribute. Raises FileError as getxattr(2)."""
        return names_xattrs.get_xattr(self._store, ino, name)

    def xattrs(self, ino: Ino) -> Sequence[bytes]:
        """The names of an inode's extended attributes, sorted."""
        return sorted(self._store.xattrs(ino))

    def within(self, directory: Ino, name: bytes) -> Inode | None:
        """What a name in a directory stands for, of a link itself; None: nothing."""
        entry = self._store.entry(directory, name)
        return None if entry is None else names_files.inode_of(self._store, entry.ino)

    def place_of(self, path: bytes, walk: Walk = WALK) -> bytes | None:
        """The path of a name without the links on its way, whether or not it is there; None: there
        is no such place here, or a link is there."""
        try:
            at = place(self._store, path, walk)
        except FileError:
            return None
        found = self._store.entry(at.directory, at.name)
        return None if found is not None and stat.S_ISLNK(found.kind) else at.path

    def not_yet(self, rename: c.Rename) -> Result | None:
        """The answer to a rename of a file that is not settled; None: its rule has to judge it."""
        try:
            source = resolve(self._store, rename.old, replace(rename.walk, follow=False))
            names_files.check_settled(self._store, source.ino, settled=False, replaces=False)
        except names_files.NotSettled as error:
            return Result(error.errno, error.unsettled)
        except FileError:
            return None
        return None

    def inode(self, ino: Ino) -> Inode:
        """The inode with this number. Raises FileError(ESTALE) when there is none."""
        return names_files.inode_of(self._store, ino)

    def entries(self, directory: Ino) -> Sequence[Entry]:
        """The names in a directory, sorted; none where it is no directory."""
        return self._store.entries(directory)

    def list(self, path: bytes) -> Sequence[Entry]:
        """The names in a directory, sorted. Raises FileError as opendir(3)."""
        inode = self.lookup(path)
        if not inode.is_dir:
            raise FileError(errno.ENOTDIR, path)
        return self._store.entries(inode.ino)

    def scan(self, after: int = 0, count: int = 256) -> Sequence[Inode]:
        """Inodes in order of number, for repair and for the sweep of unused chunks.

        Args:
            after: numbers above this one; 0 to begin.
            count: at most so many; fewer come only at the end.
        """
        # As they come: looked up one by one they would drive what programs use out of the caches.
        found = self._store.inodes(after, count)
        return [names_files.as_it_stands(self._store, inode) for inode in found]

    def collection(self, host: str) -> int:
        """The number of a host's last collection of chunks; 0 when it had none."""
        return names_chunks.collection_of(self._store, host)

    def orphans(self) -> Sequence[Ino]:
        """Files without a name that are still in use at their homes."""
        return [entry.ino for entry in self._store.entries(ORPHANS)]


def _kept(result: Result) -> bytes:
    value = result.value
    if isinstance(value, Opened) and (value.chunks or value.copies):
        result = Result(result.errno, replace(value, chunks=(), copies=()))
    return encode_result(result)
