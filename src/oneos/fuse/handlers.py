"""What each request of the kernel does: names and attributes, asked of the Runtime by path.

What the kernel may keep of an answer, `cache` says. It checks rights itself
(`default_permissions`), from the mode and owner that it is told.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import stat
import struct
import time
from collections.abc import Callable, Iterable, Sequence

from oneos.errors import FileError, OneOSError
from oneos.fuse import wire
from oneos.fuse.cache import Cache, Kept
from oneos.fuse.idle import IdleFiles
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.opened import Backings, HomeFile, OpenFile, StreamFile, opened_file
from oneos.fuse.streams import Streams
from oneos.fuse.view import View
from oneos.limits import CACHE_VALID_S, NAME_BYTES_MAX
from oneos.local.client import Client

_ONCE = os.O_CREAT | os.O_EXCL | os.O_NOCTTY
log = logging.getLogger(__name__)

_STARTED_NS = time.time_ns()


class Handlers:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        view: what is laid over the tree.
        streams, backings: for opened files.
        store: a directory of the Runtime, for statfs.
        nodes, cache: what the kernel knows, and may keep.
        owner: user and group of the program whose request the calling thread serves, where these
            are not the Runtime's.
        asker: the host's number of that program's thread.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        view: View,
        streams: Streams,
        backings: Backings,
        store: str,
        nodes: Nodes,
        cache: Cache,
        owner: Callable[[], Sequence[int]],
        asker: Callable[[], int],
    ) -> None:
        self._client = client
        self._view = view
        self._streams = streams
        self._backings = backings
        self._store = store
        self.nodes = nodes
        self.cache = cache
        self._owner = owner
        self._asker = asker
        self.open_files: dict[int, tuple[Node, OpenFile]] = {}
        self._listed: dict[int, list[tuple[bytes, int, int]]] = {}
        self._numbers = itertools.count(1)
        self._idle = IdleFiles(self._close)

    # --- looking up -----------------------------------------------------------------------------
    def lookup(self, node_id: int, body: memoryview) -> bytes:
        return self._entry(self.nodes.get(node_id), wire.names(body, 0)[0])

    def _entry(self, parent: Node, name: bytes) -> bytes:
        if len(name) > NAME_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, "")
        look = self._look(self.nodes.child(parent, name))
        if look.attributes is None:
            if look.name_s:
                return wire.pack_nothing(look.name_s)
            raise OSError(errno.ENOENT, "")
        node = self.nodes.looked_up(parent, name, look.attributes[1])
        self.cache.keep(node, look)
        node.shown = look.attributes
        return wire.pack_entry(node.id, look.attributes, look.name_s, look.attributes_s)

    def _look(self, path: bytes) -> Kept:
        """What stands at a path: laid there, of the tree, or a link that stands in for nothing."""
        if self._view.kind(path):
            target = self._view.links.get(path, b"")
            made_up = _made_up(path, self._view.kind(path), len(target))
            # It stays as it is as long as the mount.
            return Kept(made_up, CACHE_VALID_S, CACHE_VALID_S)
        target = self._view.of_kernel(path)
        if not target and self._view.is_own(path, self._asker()):
            # As /proc/self is: a program finds there all that its kernel knows of it.
            target = self._stand_in(path)
        if target:
            return Kept(_made_up(path, stat.S_IFLNK, len(target)), 0, 0)
        try:
            look = self.cache.look(self._client(), path)
        except FileError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            look = Kept(None, 0, 0)
        if look.attributes is None and (target := self._stand_in(path)):
            made_up = _made_up(path, stat.S_IFLNK, len(target))
            return Kept(made_up, look.name_s, look.name_s)
        return look

    def _stand_in(self, path: bytes) -> bytes:
        directory, _, name = path.rpartition(b"/")
        return self._view.stand_in(directory or b"/", name)

    def _attributes(self, node: Node) -> tuple[wire.Attributes, float]:
        """Attributes of a node, and how long they may be kept."""
        if node.detached:
            for number in list(node.handles):
                # It has lost its name; what is open says what has become of it.
                if (opened := self.open_files.get(number)) is not None:
                    return opened[1].attributes(), 0
            if node.shown:
                # A directory that was removed while it is open, or somebody's working directory.
                return _nameless(node.shown), 0
        look = self._look(self.nodes.path(node))
        if look.attributes is None or look.attributes[1] != node.ino:
            # Somebody has put another file there; the kernel looks the name up again.
            raise OSError(errno.ESTALE, "")
        self.cache.keep(node, look)
        node.shown = look.attributes
        return look.attributes, look.attributes_s

    def getattr(self, node_id: int, body: memoryview) -> bytes:
        flags, _, number = struct.unpack_from("<IIQ", body)
        node = self.nodes.get(node_id)
        valid_s: float = 0
        kept = self.cache.kept(node)
        if kept is not None:
            # The kernel asks again after each read, for the time of the last access: which the
            # tree does not keep.
            found, valid_s = kept
        elif flags & wire.GETATTR_FH and number in self.open_files:
            found = self.open_files[number][1].attributes()
        else:
            found, valid_s = self._attributes(node)
        return wire.pack_attr_out(found, valid_s)

    def readlink(self, node_id: int, body: memoryview) -> bytes:
        path = self.nodes.path(self.nodes.get(node_id))
        target = self._view.links.get(path) or self._view.of_kernel(path)
        if not target:
            try:
                return bytes(self._client().call("readlink", path))
            except FileError:
                target = self._stand_in(path)
                if not target:
                    raise
        return target

    # --- changing -------------------------------------------------------------------------------
    def setattr(self, node_id: int, body: memoryview) -> bytes:
        fields = wire.SETATTR_IN.unpack_from(body)
        valid, _, number, size, _, atime, mtime, _, atime_ns, mtime_ns, _, mode, _, uid, gid, _ = (
            fields
        )
        node = self.nodes.get(node_id)
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
        self.cache.changed(node.ino)
        found, _ = self._attributes(node)
        return wire.pack_attr_out(found, 0)

    def _change(self, node: Node, change: dict[str, int]) -> None:
        """By number and not by name: an open file may have lost that, or got another."""
        if not node.detached:
            self._own(self.nodes.path(node))
        if node.ino >= wire.FACTS_SINCE:
            raise OSError(errno.EPERM, "")
        self._client().call("setattr", node.ino, change)

    def kill_privileges(self, node: Node) -> None:
        """Somebody has changed the content who may not leave it another's rights."""
        mode = node.mode
        kept = mode & ~stat.S_ISUID
        if mode & stat.S_IXGRP:
            kept &= ~stat.S_ISGID
        if kept != mode:
            self._change(node, {"mode": stat.S_IMODE(kept)})
            self.cache.changed(node.ino)

    def _truncate(self, node: Node, number: int, size: int) -> None:
        for candidate in (number, *node.handles):
            opened = self.open_files.get(candidate)
            if opened is not None and opened[1].writing:
                opened[1].truncate(size)
                return
        self._client().call("truncate", self._own(self.nodes.path(node)), size)

    def _own(self, path: bytes) -> bytes:
        """A path that is to be changed: what the view has is the host's."""
        if self._view.kind(path):
            raise OSError(errno.EROFS, "")
        return path

    def _new(self, node_id: int, name: bytes) -> tuple[Node, bytes]:
        parent = self.nodes.get(node_id)
        path = self.nodes.child(parent, name)
        if self._view.kind(path):
            raise OSError(errno.EEXIST, "")
        return parent, path

    def mknod(self, node_id: int, body: memoryview) -> bytes:
        mode = struct.unpack_from("<I", body)[0]
        parent, path = self._new(node_id, name := wire.names(body, 16)[0])
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            # The tree has the name; the kernel has what is behind it.
            self._client().call("mknod", path, mode, self._owner())
            self.cache.changed_names()
            return self._entry(parent, name)
        if not stat.S_ISREG(mode):
            # Device nodes are a host's own; the tree has its /dev for them.
            raise OSError(errno.EPERM, "")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        node = Node(0, None, b"", 0)
        opened = self._client().open(path, flags, stat.S_IMODE(mode), self._owner())
        opened_file(self._client, opened, node, flags, Backings(-1, False)).close()
        self.cache.changed_names()
        return self._entry(parent, name)

    def mkdir(self, node_id: int, body: memoryview) -> bytes:
        mode = struct.unpack_from("<I", body)[0]
        parent, path = self._new(node_id, name := wire.names(body, 8)[0])
        self._client().call("mkdir", path, stat.S_IMODE(mode), self._owner())
        self.cache.changed_names()
        return self._entry(parent, name)

    def symlink(self, node_id: int, body: memoryview) -> bytes:
        name, target = wire.names(body, 0)[:2]
        parent, path = self._new(node_id, name)
        self._client().call("symlink", target, path, self._owner())
        self.cache.changed_names()
        return self._entry(parent, name)

    def link(self, node_id: int, body: memoryview) -> bytes:
        node = self.nodes.get(struct.unpack_from("<Q", body)[0])
        parent, path = self._new(node_id, name := wire.names(body, 8)[0])
        self._client().call("link", self._own(self.nodes.path(node)), path, False)
        self.cache.changed_names()
        self.cache.changed(node.ino)
        return self._entry(parent, name)

    def unlink(self, node_id: int, body: memoryview) -> bytes:
        return self._remove("unlink", node_id, body)

    def rmdir(self, node_id: int, body: memoryview) -> bytes:
        return self._remove("rmdir", node_id, body)

    def _remove(self, request: str, node_id: int, body: memoryview) -> bytes:
        parent, name = self.nodes.get(node_id), wire.names(body, 0)[0]
        self._client().call(request, self._own(self.nodes.child(parent, name)))
        self._gone(self.nodes.removed(parent, name))
        return b""

    def _gone(self, node: Node | None) -> None:
        """A name was taken from an inode, which may have others."""
        self.cache.changed_names()
        if node is not None:
            self._idle.drop(node)
            self.cache.changed(node.ino)

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
        parent, new_parent = self.nodes.get(node_id), self.nodes.get(new_id)
        name, new_name = wire.names(body, start)[:2]
        old = self._own(self.nodes.child(parent, name))
        new = self._own(self.nodes.child(new_parent, new_name))
        self._client().call("rename", old, new, replacing)
        self._gone(self.nodes.renamed(parent, name, new_parent, new_name))
        return b""

    # --- files ----------------------------------------------------------------------------------
    def open(self, node_id: int, body: memoryview) -> bytes:
        flags, more = struct.unpack_from("<II", body)
        node = self.nodes.get(node_id)
        path = self.nodes.path(node)
        if self._view.kind(path):
            raise OSError(errno.EACCES, "")
        if flags & (os.O_ACCMODE | os.O_TRUNC) == os.O_RDONLY:
            kept = self._idle.take(node)
            if kept is not None:
                return self._enter(node, kept)
        opened = self._client().open(path, flags & ~_ONCE, 0)
        if flags & os.O_TRUNC and more & wire.OPEN_KILL_PRIVILEGES:
            self.kill_privileges(node)
        return self._opened(node, opened, flags)

    def create(self, node_id: int, body: memoryview) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        parent, path = self._new(node_id, name := wire.names(body, 16)[0])
        opened = self._client().open(path, flags | os.O_CREAT, stat.S_IMODE(mode), self._owner())
        self.cache.changed_names()
        entry = self._entry(parent, name)
        node = self.nodes.get(struct.unpack_from("<Q", entry)[0])
        return entry + self._opened(node, opened, flags)

    def _opened(self, node: Node, opened: object, flags: int) -> bytes:
        file = opened_file(self._client, opened, node, flags, self._backings)  # type: ignore[arg-type]
        if file.writing:
            # From now on its size is asked for, also by its other names.
            self.cache.changed(node.ino)
        return self._enter(node, file)

    def _enter(self, node: Node, file: OpenFile) -> bytes:
        number = next(self._numbers)
        self.open_files[number] = node, file
        node.handles.add(number)
        return wire.OPEN_OUT.pack(number, file.flags, file.backing)

    def opening(self, number: int) -> tuple[Node, OpenFile]:
        """An opened file, and its node, by the number the kernel has for it."""
        found = self.open_files.get(number)
        if found is None:
            raise OSError(errno.EBADF, "")
        return found

    def file(self, number: int) -> OpenFile:
        """An opened file by the number the kernel has for it."""
        return self.opening(number)[1]

    def flush(self, node_id: int, body: memoryview) -> bytes:
        self.file(struct.unpack_from("<Q", body)[0]).flush()
        return b""

    def fsync(self, node_id: int, body: memoryview) -> bytes:
        self.file(struct.unpack_from("<Q", body)[0]).sync()
        return b""

    def release(self, node_id: int, body: memoryview) -> bytes:
        number = struct.unpack_from("<Q", body)[0]
        found = self.open_files.pop(number, None)
        if found is None:
            raise OSError(errno.EBADF, "")
        node, file = found
        node.handles.discard(number)
        if isinstance(file, HomeFile) and not file.writing and not node.detached:
            self._idle.put(node, file)
            return b""
        if isinstance(file, StreamFile):
            self._streams.closed(file)
        self._close(node, file)
        return b""

    def drop_idle(self, inos: Iterable[int]) -> None:
        """Close what is kept open of these inodes and nobody uses."""
        for ino in inos:
            for node in self.nodes.of_inode(ino):
                self._idle.drop(node)

    def _close(self, node: Node, file: OpenFile) -> None:
        if file.backing:
            self._backings.give_back(node)
        try:
            file.close()
        except (OneOSError, OSError) as error:
            # Programs learn of it from close(2), which came before; here nobody listens.
            log.warning("a file was not closed in order: %s", error)

    def fallocate(self, node_id: int, body: memoryview) -> bytes:
        number, offset, length, mode = struct.unpack_from("<QQQI", body)
        file = self.file(number)
        if not isinstance(file, HomeFile):
            raise OSError(errno.EOPNOTSUPP, "")
        file.allocate(mode, offset, length)
        return b""

    def lseek(self, node_id: int, body: memoryview) -> bytes:
        number, offset, whence = struct.unpack_from("<QQI", body)
        file = self.file(number)
        if not isinstance(file, HomeFile):
            raise OSError(errno.ENOSYS, "")
        return struct.pack("<Q", file.seek(offset, whence))

    # --- directories ----------------------------------------------------------------------------
    def opendir(self, node_id: int, body: memoryview) -> bytes:
        number = next(self._numbers)
        self._listed[number] = []
        flags = 0
        if self.cache.names and self.nodes.get(node_id).ino < wire.FACTS_SINCE:
            flags = wire.FOPEN_CACHE_DIR | wire.FOPEN_KEEP_CACHE
        return wire.OPEN_OUT.pack(number, flags, 0)

    def readdir(self, node_id: int, body: memoryview) -> bytes:
        number, offset, size = struct.unpack_from("<QQI", body)
        entries = self._listed.get(number)
        if entries is None:
            raise OSError(errno.EBADF, "")
        if offset == 0:
            # Listed anew when a program rewinds, as POSIX wants it.
            entries = self._listed[number] = self._list(self.nodes.get(node_id))
        answer = bytearray()
        for at in range(offset, len(entries)):
            name, kind, ino = entries[at]
            record = wire.pack_dirent(ino, at + 1, kind, name)
            if len(answer) + len(record) > size:
                break
            answer += record
        return bytes(answer)

    def _list(self, node: Node) -> list[tuple[bytes, int, int]]:
        path = self.nodes.path(node)
        laid = self._view.children(path)
        try:
            names = {bytes(n): (kind, ino) for n, kind, ino in self._client().call("list", path)}
        except FileError as error:
            if not self._view.kind(path) or error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            names = {}
        for name, kind in laid.items():
            names[name] = kind, (1 << 57) | len(name)
        parent = node.parent or node
        dots = [(b".", stat.S_IFDIR, node.ino), (b"..", stat.S_IFDIR, parent.ino)]
        return dots + [(name, kind, ino) for name, (kind, ino) in names.items()]

    def releasedir(self, node_id: int, body: memoryview) -> bytes:
        self._listed.pop(struct.unpack_from("<Q", body)[0], None)
        return b""

    def fsyncdir(self, node_id: int, body: memoryview) -> bytes:
        # Names are agreed on, on the voters' disks, before the request that makes them returns.
        return b""

    def statfs(self, node_id: int, body: memoryview) -> bytes:
        s = os.statvfs(self._store)
        return wire.KSTATFS.pack(
            s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree, s.f_bsize, 255, s.f_frsize, 0
        )


def _nameless(shown: wire.Attributes) -> wire.Attributes:
    """The attributes of what has lost a name."""
    left = 0 if stat.S_ISDIR(shown[0]) else max(shown[3] - 1, 0)
    return [*shown[:3], left, *shown[4:]]


def _made_up(path: bytes, kind: int, size: int) -> wire.Attributes:
    rights = 0o777 if stat.S_ISLNK(kind) else 0o755 if stat.S_ISDIR(kind) else 0o444
    # Out of the way of the index's numbers and of those of facts such as /proc.
    ino = (1 << 57) | (hash(path) & ((1 << 56) - 1))
    return [kind | rights, ino, 1, 1, 0, 0, size, _STARTED_NS, _STARTED_NS, _STARTED_NS, 0, 0]
