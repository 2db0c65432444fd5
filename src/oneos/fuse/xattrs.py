"""Extended attributes, by requests to the Runtime; of inodes by number, whatever their names.

The kernel keeps none of them, so nothing is called back. It asks for `security.capability` by
itself, before a program's first write after it has looked at a file's attributes: that, and all
that the tree has in no file, is answered here and at once. Rights it has judged, but for what root
alone may see in a list.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from oneos.fuse import wire
from oneos.fuse.cache import Cache
from oneos.fuse.nodes import Node, Nodes
from oneos.local.client import Client

_USER, _TRUSTED = b"user.", b"trusted."


class Xattrs:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        nodes, cache: what the kernel knows, and may keep.
        by_root: whether the calling thread serves a request of root.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        nodes: Nodes,
        cache: Cache,
        by_root: Callable[[], bool],
    ) -> None:
        self._client = client
        self._nodes = nodes
        self._cache = cache
        self._by_root = by_root

    def getxattr_never(self, node_id: int, body: memoryview) -> bytes | None:
        """`getxattr` of what nothing in the tree has; None: the Runtime must be asked."""
        name = bytes(body[wire.GETXATTR_IN.size :])
        if not name.startswith((_USER, _TRUSTED)):
            raise OSError(errno.ENOTSUP, "")
        return None

    def getxattr(self, node_id: int, body: memoryview) -> bytes:
        size, _ = wire.GETXATTR_IN.unpack_from(body)
        name = wire.names(body, wire.GETXATTR_IN.size)[0]
        node = self._nodes.get(node_id)
        return _sized(bytes(self._client().call("getxattr", node.ino, name)), size)

    def listxattr(self, node_id: int, body: memoryview) -> bytes:
        size, _ = wire.GETXATTR_IN.unpack_from(body)
        names = self._client().call("listxattr", self._nodes.get(node_id).ino)
        if not self._by_root():
            names = [name for name in names if not name.startswith(_TRUSTED)]
        return _sized(b"".join(name + b"\0" for name in names), size)

    def setxattr(self, node_id: int, body: memoryview) -> bytes:
        size, flags = wire.SETXATTR_IN.unpack_from(body)
        name, _, rest = bytes(body[wire.SETXATTR_IN.size :]).partition(b"\0")
        node = self._nodes.get(node_id)
        self._client().change("setxattr", node.ino, name, rest[:size], flags)
        return self._changed(node)

    def removexattr(self, node_id: int, body: memoryview) -> bytes:
        node = self._nodes.get(node_id)
        self._client().change("removexattr", node.ino, wire.names(body, 0)[0])
        return self._changed(node)

    def _changed(self, node: Node) -> bytes:
        # Its time of change, also by its other names.
        self._cache.changed(node.ino)
        return b""


def _sized(data: bytes, size: int) -> bytes:
    """The answer for a buffer of that size; 0: how large it would have to be."""
    if not size:
        return wire.GETXATTR_OUT.pack(len(data), 0)
    if len(data) > size:
        raise OSError(errno.ERANGE, "")
    return data
