"""Changing: names and attributes, by requests to the Runtime.

The kernel knows what its programs changed by the answer; what it kept beside that, such as the
directory's time or the inode's other names, is dropped.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import time
from collections.abc import Callable, Sequence

from oneos.fuse import wire
from oneos.fuse.cache import Cache
from oneos.fuse.idle import IdleFiles
from oneos.fuse.lookups import Lookups
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.opened import give_up
from oneos.fuse.openings import Openings
from oneos.fuse.view import View
from oneos.local.client import Client


class Changes:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        view: what is laid over the tree.
        nodes, cache: what the kernel knows, and may keep.
        lookups: for what is there after a change.
        openings: what programs have open.
        idle: what is open and nobody uses.
        owner: user and group of the program whose request the calling thread serves, where these
            are not the Runtime's.
        by_runtime: whether the calling thread serves a request of the Runtime itself.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        view: View,
        nodes: Nodes,
        cache: Cache,
        lookups: Lookups,
        openings: Openings,
        idle: IdleFiles,
        owner: Callable[[], Sequence[int]],
        by_runtime: Callable[[], bool],
    ) -> None:
        self._by_runtime = by_runtime
        self._client = client
        self._view = view
        self._nodes = nodes
        self._cache = cache
        self._lookups = lookups
        self._openings = openings
        self._idle = idle
        self._owner = owner

    # --- attributes -----------------------------------------------------------------------------
    def setattr(self, node_id: int, body: memoryview) -> bytes:
        fields = wire.SETATTR_IN.unpack_from(body)
        valid, _, number, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid, _ = (
            fields
        )
        node = self._nodes.get(node_id)
        if valid & wire.SET_MODE and not valid & wire.SET_SIZE and self._by_runtime():
            # For those who watch it; see `watches`.
            return wire.pack_attr_out(wire.pack_attr(self._lookups.attributes(node)[0]), 0)
        if valid & wire.SET_SIZE:
            self._truncate(node, number if valid & wire.SET_FH else 0, size)
        change: dict[str, int] = {}
        if valid & wire.SET_UID:
            change["uid"] = uid
        if valid & wire.SET_GID:
            change["gid"] = gid
        if valid & wire.SET_MODE:
            change["mode"] = stat.S_IMODE(mode)
        now = time.time_ns()
        if valid & wire.SET_ATIME:
            at = atime * wire.NANO + atime_ns
            change["atime_ns"] = now if valid & wire.SET_ATIME_NOW else at
        # Truncating has set the time already.
        if valid & wire.SET_MTIME and not (valid & wire.SET_SIZE and valid & wire.SET_MTIME_NOW):
            at = mtime * wire.NANO + mtime_ns
            change["mtime_ns"] = now if valid & wire.SET_MTIME_NOW else at
        if change:
            self._change(node, change)
        if valid & wire.SET_KILL_PRIVILEGES:
            self.kill_privileges(node)
        # Its other names show the same inode.
        self._cache.changed(node.ino)
        # Not for the kernel to keep, which would not notice that it was called back meanwhile; it
        # asks once more, and is answered from here.
        found, _ = self._lookups.attributes(node)
        return wire.pack_attr_out(wire.pack_attr(found), 0)

    def _change(self, node: Node, change: dict[str, int]) -> None:
        """By number and not by name: an open file may have lost that, or got another."""
        nameless = self._nodes.nameless(node)
        if not nameless:
            self._own(self._nodes.path(node))
        if node.ino < wire.FACTS_SINCE:
            self._client().change("setattr", node.ino, change)
        elif nameless:
            raise OSError(errno.EPERM, "")
        else:
            self._change_path(self._nodes.path(node), node, change)

    def _change_path(self, path: bytes, node: Node, change: dict[str, int]) -> None:
        """What is no File System's has no number there: a host's own file, or facts, which refuse.

        These calls may be done twice.
        """
        if "uid" in change or "gid" in change:
            owner = change.get("uid", -1), change.get("gid", -1)
            self._client().call("chown", path, *owner, False)
        if "mode" in change:
            self._client().call("chmod", path, change["mode"], False)
        if "atime_ns" in change or "mtime_ns" in change:
            if not node.shown:
                self._lookups.attributes(node)
            atime_ns, mtime_ns = (node.shown or [0] * 10)[7:9]
            times = change.get("atime_ns", atime_ns), change.get("mtime_ns", mtime_ns)
            self._client().call("utime", path, *times, False)

    def kill_privileges(self, node: Node) -> None:
        """Somebody has changed the content who may not leave it another's rights."""
        if not node.shown:
            # The kernel was told by a predecessor.
            self._lookups.attributes(node)
        mode = node.mode
        kept = mode & ~stat.S_ISUID
        if mode & stat.S_IXGRP:
            kept &= ~stat.S_ISGID
        if kept != mode:
            self._change(node, {"mode": stat.S_IMODE(kept)})
            self._cache.changed(node.ino)

    def _truncate(self, node: Node, number: int, size: int) -> None:
        for file in self._openings.of(node, number):
            if file.writing:
                file.truncate(size)
                return
        self._client().change("truncate", self._own(self._nodes.path(node)), size)

    # --- names ----------------------------------------------------------------------------------
    def _own(self, path: bytes) -> bytes:
        """A path that is to be changed: what the view has is the host's."""
        if self._view.kind(path):
            raise OSError(errno.EROFS, "")
        return path

    def new(self, node_id: int, name: bytes) -> tuple[Node, bytes]:
        """The directory and path of a name that is to be made. Raises OSError(EEXIST)."""
        parent = self._nodes.get(node_id)
        path = self._nodes.child(parent, name)
        if self._view.kind(path):
            raise OSError(errno.EEXIST, "")
        return parent, path

    def mknod(self, node_id: int, body: memoryview) -> bytes:
        mode = struct.unpack_from("<I", body)[0]
        parent, path = self.new(node_id, name := wire.names(body, 16)[0])
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            # The tree has the name; the kernel has what is behind it.
            self._client().change("mknod", path, mode, self._owner())
        elif stat.S_ISREG(mode):
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
            opened = self._client().open(path, flags, stat.S_IMODE(mode), self._owner())
            give_up(self._client(), opened)
        else:
            # Device nodes are a host's own; the tree has its /dev for them.
            raise OSError(errno.EPERM, "")
        return self._made(parent, name)

    def mkdir(self, node_id: int, body: memoryview) -> bytes:
        mode = struct.unpack_from("<I", body)[0]
        parent, path = self.new(node_id, name := wire.names(body, 8)[0])
        self._client().change("mkdir", path, stat.S_IMODE(mode), self._owner())
        return self._made(parent, name)

    def symlink(self, node_id: int, body: memoryview) -> bytes:
        name, target = wire.names(body, 0)[:2]
        parent, path = self.new(node_id, name)
        self._client().change("symlink", target, path, self._owner())
        return self._made(parent, name)

    def link(self, node_id: int, body: memoryview) -> bytes:
        node = self._nodes.get(struct.unpack_from("<Q", body)[0])
        parent, path = self.new(node_id, name := wire.names(body, 8)[0])
        self._client().change("link", self._own(self._nodes.path(node)), path, False)
        self._cache.changed(node.ino)
        return self._made(parent, name)

    def _made(self, parent: Node, name: bytes) -> bytes:
        self._cache.changed_names(parent.ino)
        return self._lookups.entry(parent, name)

    def unlink(self, node_id: int, body: memoryview) -> bytes:
        return self._remove("unlink", node_id, body)

    def rmdir(self, node_id: int, body: memoryview) -> bytes:
        return self._remove("rmdir", node_id, body)

    def _remove(self, request: str, node_id: int, body: memoryview) -> bytes:
        parent, name = self._nodes.get(node_id), wire.names(body, 0)[0]
        self._client().change(request, self._own(self._nodes.child(parent, name)))
        self._cache.changed_names(parent.ino)
        self._gone(self._nodes.removed(parent, name))
        return b""

    def _gone(self, node: Node | None) -> None:
        """A name was taken from an inode, which may have others."""
        if node is not None:
            self._idle.drop(node)
            self._cache.changed(node.ino)

    def rename(self, node_id: int, body: memoryview) -> bytes:
        return self._rename(node_id, struct.unpack_from("<Q", body)[0], body, 8)

    def rename2(self, node_id: int, body: memoryview) -> bytes:
        new_parent, flags = struct.unpack_from("<QI", body)
        if flags & ~wire.RENAME_NOREPLACE:
            # No exchange: what asks for it knows how to do without.
            raise OSError(errno.EINVAL, "")
        return self._rename(node_id, new_parent, body, 16, not flags)

    def _rename(
        self, node_id: int, new_id: int, body: memoryview, start: int, replacing: bool = True
    ) -> bytes:
        parent, new_parent = self._nodes.get(node_id), self._nodes.get(new_id)
        name, new_name = wire.names(body, start)[:2]
        old = self._own(self._nodes.child(parent, name))
        new = self._own(self._nodes.child(new_parent, new_name))
        self._client().change("rename", old, new, replacing)
        self._cache.changed_paths()
        self._gone(self._nodes.renamed(parent, name, new_parent, new_name))
        return b""
