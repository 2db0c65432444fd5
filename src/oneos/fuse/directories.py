"""Listing directories, and what the file system as a whole has room for."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable

from oneos.errors import FileError
from oneos.fuse import succession, wire
from oneos.fuse.ahead import Ahead
from oneos.fuse.cache import Cache
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.openings import Openings
from oneos.fuse.view import View
from oneos.local.client import Client


class Directories:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        view: what is laid over the tree.
        nodes, cache: what the kernel knows, and may keep.
        openings: gives the numbers of openings.
        ahead: is told what was listed.
        store: a directory of the Runtime, for statfs.
        note: is told what a successor of this process has to know; see `succession`.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        view: View,
        nodes: Nodes,
        cache: Cache,
        openings: Openings,
        ahead: Ahead,
        store: str,
        note: Callable[..., None],
    ) -> None:
        self._note = note
        self._client = client
        self._view = view
        self._nodes = nodes
        self._cache = cache
        self._openings = openings
        self._ahead = ahead
        self._store = store
        self._listed: dict[int, list[tuple[bytes, int, int]]] = {}
        self._noted: set[int] = set()

    def restore(self, state: succession.State) -> None:
        """Know what a predecessor was about to list."""
        self._listed.update(state.listings)
        self._noted.update(state.listings)

    def opendir(self, node_id: int, body: memoryview) -> bytes:
        number = self._openings.number()
        self._listed[number] = []
        flags = 0
        if self._cache.names and self._nodes.get(node_id).ino < wire.FACTS_SINCE:
            flags = wire.FOPEN_CACHE_DIR | wire.FOPEN_KEEP_CACHE
        return wire.OPEN_OUT.pack(number, flags, 0)

    def readdir(self, node_id: int, body: memoryview) -> bytes:
        number, offset, size = struct.unpack_from("<QQI", body)
        # Where a predecessor opened it and left no list, all of it was in one answer.
        entries = self._listed.get(number, [])
        if offset == 0:
            # Listed anew when a program rewinds, as POSIX wants it.
            entries = self._listed[number] = self._list(self._nodes.get(node_id))
        answer, after = bytearray(), offset
        for at in range(offset, len(entries)):
            name, kind, ino = entries[at]
            record = wire.pack_dirent(ino, at + 1, kind, name)
            if len(answer) + len(record) > size:
                break
            answer += record
            after = at + 1
        if offset == 0 and (after < len(entries) or number in self._noted):
            self._noted.add(number)
            self._note(succession.LISTED, number, entries)
        return bytes(answer)

    def _list(self, node: Node) -> list[tuple[bytes, int, int]]:
        path = self._nodes.path(node)
        laid = self._view.children(path)
        try:
            names = {bytes(n): (kind, ino) for n, kind, ino in self._client().call("list", path)}
        except FileError as error:
            if not self._view.kind(path) or error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            names = {}
        # What is laid over the tree is no business of the Runtime.
        self._ahead.listed(node, [name for name in names if name not in laid])
        for name, kind in laid.items():
            names[name] = kind, (1 << 57) | len(name)
        parent = node.parent or node
        dots = [(b".", stat.S_IFDIR, node.ino), (b"..", stat.S_IFDIR, parent.ino)]
        return dots + [(name, kind, ino) for name, (kind, ino) in names.items()]

    def releasedir(self, node_id: int, body: memoryview) -> bytes:
        number = struct.unpack_from("<Q", body)[0]
        self._listed.pop(number, None)
        if number in self._noted:
            self._noted.discard(number)
            self._note(succession.UNLISTED, number)
        return b""

    def fsyncdir(self, node_id: int, body: memoryview) -> bytes:
        # Names are agreed on, on the voters' disks, before the request that makes them returns.
        return b""

    def statfs(self, node_id: int, body: memoryview) -> bytes:
        path = self._nodes.path(self._nodes.get(node_id))
        if path.startswith(b"/host/"):
            # A host's own disk; all else is on this one's.
            block, fragment, *counts, _favail, _flags, longest, _fsid = self._client().call(
                "statvfs", path
            )
            return wire.KSTATFS.pack(*counts, block, longest, fragment, 0)
        s = os.statvfs(self._store)
        return wire.KSTATFS.pack(
            s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize, 255, s.f_frsize, 0
        )
