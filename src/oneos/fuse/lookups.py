"""Looking: names, attributes and links, asked of the Runtime by path.

What the kernel may keep of an answer, `cache` says. It checks rights itself
(`default_permissions`), from the mode and owner that it is told.
"""

from __future__ import annotations

import errno
import hashlib
import stat
import struct
import time
from collections.abc import Callable

from oneos.errors import FileError
from oneos.fuse import wire
from oneos.fuse.ahead import Ahead
from oneos.fuse.cache import Cache, Kept
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.openings import Openings
from oneos.fuse.view import View
from oneos.limits import CACHE_VALID_S, NAME_BYTES_MAX
from oneos.local.client import Client

_STARTED_NS = time.time_ns()


class Lookups:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        view: what is laid over the tree.
        nodes, cache: what the kernel knows, and may keep.
        openings: what programs have open.
        ahead: what was looked at before it was asked for.
        asker: the host's number of the thread whose request the calling thread serves.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        view: View,
        nodes: Nodes,
        cache: Cache,
        openings: Openings,
        ahead: Ahead,
        asker: Callable[[], int],
    ) -> None:
        self._client = client
        self._view = view
        self._nodes = nodes
        self._cache = cache
        self._openings = openings
        self._ahead = ahead
        self._asker = asker

    def lookup_known(self, node_id: int, body: memoryview) -> bytes | None:
        """`lookup` of what was looked at already, or is only here; None: it is neither."""
        parent, name = self._nodes.get(node_id), wire.names(body, 0)[0]
        if parent.detached:
            return None
        look = self._ahead.take(parent, name) or self._standing(self._nodes.child(parent, name))
        return None if look is None else self.looked(parent, name, look)

    def lookup(self, node_id: int, body: memoryview) -> bytes:
        parent, name = self._nodes.get(node_id), wire.names(body, 0)[0]
        if not parent.detached:
            path = self._nodes.path(parent)
            look = self._ahead.fetch(self._client(), parent, path, name)
            if look is not None:
                return self.looked(parent, name, look)
        return self.entry(parent, name)

    def entry(self, parent: Node, name: bytes) -> bytes:
        """The kernel's answer for a name in a directory, which counts as a lookup.

        Raises:
            FileError, OSError: as stat(2), ENOENT where the kernel may not keep that there is
                nothing.
        """
        if len(name) > NAME_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, "")
        return self.looked(parent, name, self._look(self._nodes.child(parent, name)))

    def looked(self, parent: Node, name: bytes, look: Kept) -> bytes:
        """As `entry`, for what a look has found."""
        if look.attributes is None:
            if look.name_s:
                return wire.pack_nothing(look.name_s)
            raise OSError(errno.ENOENT, "")
        node = self._nodes.looked_up(parent, name, look.attributes[1])
        self._cache.keep(node, look)
        node.shown = look.attributes
        return wire.pack_entry(node.id, look.attributes, look.name_s, look.attributes_s)

    def _look(self, path: bytes) -> Kept:
        """What stands at a path: laid there, of the tree, or a link that stands in for nothing."""
        if (standing := self._standing(path)) is not None:
            return standing
        target = self._view.of_kernel(path)
        if not target and self._view.is_own(path, self._asker()):
            # As /proc/self is: a program finds there all that its kernel knows of it.
            target = self._stand_in(path)
        if target:
            return Kept(_made_up(path, stat.S_IFLNK, len(target)), 0, 0)
        try:
            look = self._cache.look(self._client(), path)
        except FileError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            look = Kept(None, 0, 0)
        if look.attributes is None and (target := self._stand_in(path)):
            made_up = _made_up(path, stat.S_IFLNK, len(target))
            return Kept(made_up, look.name_s, look.name_s)
        return look

    def _standing(self, path: bytes) -> Kept | None:
        """What the tree has no say in, and stays as it is as long as the mount."""
        if kind := self._view.kind(path):
            made_up = _made_up(path, kind, len(self._view.links.get(path, b"")))
        elif self._view.is_system(path) and (target := self._stand_in(path)):
            made_up = _made_up(path, stat.S_IFLNK, len(target))
        else:
            return None
        return Kept(made_up, CACHE_VALID_S, CACHE_VALID_S)

    def _stand_in(self, path: bytes) -> bytes:
        directory, _, name = path.rpartition(b"/")
        return self._view.stand_in(directory or b"/", name)

    def attributes(self, node: Node) -> tuple[wire.Attributes, float]:
        """Attributes of a node, and how long they may be kept."""
        if self._nodes.nameless(node):
            for file in self._openings.of(node):
                # It has lost its name; what is open says what has become of it.
                return file.attributes(), 0
            if node.detached and node.shown:
                # A directory that was removed while it is open, or somebody's working directory.
                return _nameless(node.shown), 0
        look = self._look(self._nodes.path(node))
        if look.attributes is None or look.attributes[1] != node.ino:
            # Somebody else has removed the name, or put another file there. What is open goes on.
            for file in self._openings.of(node):
                return file.attributes(), 0
            # The kernel looks the name up again.
            raise OSError(errno.ESTALE, "")
        self._cache.keep(node, look)
        node.shown = look.attributes
        return look.attributes, look.attributes_s

    def getattr_kept(self, node_id: int, body: memoryview) -> bytes | None:
        """`getattr` of what need not be asked for; None: it must be.

        The kernel asks again after each read, for the time of the last access: which the tree does
        not keep.
        """
        kept = self._cache.kept(self._nodes.get(node_id))
        return None if kept is None else wire.pack_attr_out(*kept)

    def getattr(self, node_id: int, body: memoryview) -> bytes:
        flags, _, number = struct.unpack_from("<IIQ", body)
        node = self._nodes.get(node_id)
        if flags & wire.GETATTR_FH and (opened := self._openings.of(node, number)):
            return wire.pack_attr_out(wire.pack_attr(opened[0].attributes()), 0)
        found, valid_s = self.attributes(node)
        return wire.pack_attr_out(wire.pack_attr(found), valid_s)

    def readlink(self, node_id: int, body: memoryview) -> bytes:
        path = self._nodes.path(self._nodes.get(node_id))
        target = self._view.links.get(path) or self._view.of_kernel(path)
        if not target and self._view.is_system(path):
            target = self._stand_in(path)
        if not target:
            try:
                return bytes(self._client().call("readlink", path))
            except FileError:
                target = self._stand_in(path)
                if not target:
                    raise
        return target


def _nameless(shown: wire.Attributes) -> wire.Attributes:
    """The attributes of what has lost a name."""
    left = 0 if stat.S_ISDIR(shown[0]) else max(shown[3] - 1, 0)
    return [*shown[:3], left, *shown[4:]]


def _made_up(path: bytes, kind: int, size: int) -> wire.Attributes:
    rights = 0o777 if stat.S_ISLNK(kind) else 0o755 if stat.S_ISDIR(kind) else 0o444
    # Out of the way of the index's numbers and of those of facts such as /proc.
    ino = (1 << 57) | int.from_bytes(hashlib.blake2b(path, digest_size=7).digest(), "little")
    return [kind | rights, ino, 1, 1, 0, 0, size, _STARTED_NS, _STARTED_NS, _STARTED_NS, 0, 0]
