"""Opening and closing files, and what is asked of an open one."""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable, Iterable, Sequence

from oneos.fuse import succession, wire
from oneos.fuse.cache import Cache, Kept
from oneos.fuse.changes import Changes
from oneos.fuse.idle import IdleFiles
from oneos.fuse.journal import Journal
from oneos.fuse.locks import Locks
from oneos.fuse.lookups import Lookups
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.opened import Backings, HomeFile, StreamFile, opened_file
from oneos.fuse.openings import Openings
from oneos.fuse.streams import READABLE, WRITABLE, Streams
from oneos.fuse.view import View, number_of
from oneos.local.client import Client, Opened, OpenFd

_ONCE = os.O_CREAT | os.O_EXCL | os.O_NOCTTY


class Files:
    """See the module; one method for each request, named after it. Any thread may call them.

    Args:
        client: the calling thread's connection to the Runtime.
        view: what is laid over the tree.
        streams, backings: for opened files.
        nodes, cache: what the kernel knows, and may keep.
        lookups, changes: for the names and attributes of files.
        openings: what programs have open.
        idle: what is open and nobody uses.
        owner: as for Changes.
        asker: as for Lookups.
        journal: for what may not be done twice.
        locks: hears of openings that end, and of who closes them.
    """

    def __init__(
        self,
        client: Callable[[], Client],
        view: View,
        streams: Streams,
        backings: Backings,
        nodes: Nodes,
        cache: Cache,
        lookups: Lookups,
        changes: Changes,
        openings: Openings,
        idle: IdleFiles,
        owner: Callable[[], Sequence[int]],
        asker: Callable[[], int],
        journal: Journal,
        locks: Locks,
    ) -> None:
        self._client = client
        self._asker = asker
        self._view = view
        self._streams = streams
        self._backings = backings
        self._nodes = nodes
        self._cache = cache
        self._lookups = lookups
        self._changes = changes
        self._openings = openings
        self._idle = idle
        self._owner = owner
        self._journal = journal
        self._locks = locks

    # --- opening --------------------------------------------------------------------------------
    def open_idle(self, node_id: int, body: memoryview) -> bytes | None:
        """`open` of a file that was closed a moment ago; None: the Runtime must be asked."""
        (flags,) = _OPEN_FLAGS.unpack_from(body)
        if flags & (os.O_ACCMODE | os.O_TRUNC) != os.O_RDONLY:
            return None
        node = self._nodes.get(node_id)
        file = self._idle.take(node)
        return None if file is None else self._openings.again(node, file)

    def open(self, node_id: int, body: memoryview) -> bytes:
        flags, more = struct.unpack_from("<II", body)
        node = self._nodes.get(node_id)
        path = self._nodes.path(node)
        if self._view.kind(path):
            raise OSError(errno.EACCES, "")
        ino = node.ino if node.ino < wire.FACTS_SINCE else 0
        # Who reads a device is told what it loses, and an exclusive one is one program's.
        pid = number_of(self._asker()) if path.startswith(b"/dev/") else 0
        opened = self._client().open(path, flags & ~_ONCE, 0, (), ino, pid)
        if flags & os.O_TRUNC and more & wire.OPEN_KILL_PRIVILEGES:
            self._changes.kill_privileges(node)
        return self._opened(node, opened, flags)

    def create(self, node_id: int, body: memoryview) -> bytes:
        flags, mode = struct.unpack_from("<II", body)
        parent, path = self._changes.new(node_id, name := wire.names(body, 16)[0])
        opened = self._client().open(path, flags | os.O_CREAT, stat.S_IMODE(mode), self._owner())
        self._cache.changed_names(parent.ino)
        if isinstance(opened, OpenFd) and opened.attributes:
            # It is being written: not for the kernel to keep.
            entry = self._lookups.looked(parent, name, Kept(opened.attributes, 0, 0))
        else:
            entry = self._lookups.entry(parent, name)
        node = self._nodes.get(struct.unpack_from("<Q", entry)[0])
        return entry + self._opened(node, opened, flags)

    def _opened(self, node: Node, opened: Opened, flags: int) -> bytes:
        file = opened_file(self._client, opened, node, flags, self._backings)
        file.opened = flags
        if file.writing:
            # From now on its size is asked for, also by its other names.
            self._cache.changed(node.ino)
        self._locks.flushes(node.ino, file)
        return self._openings.enter(node, file)

    # --- closing --------------------------------------------------------------------------------
    def flush_nothing(self, node_id: int, body: memoryview) -> bytes | None:
        """`flush` where there is nothing to do; None: there may be."""
        number, owner = struct.unpack_from("<Q8xQ", body)
        if self._openings.file(number).writing or self._locks.concerned(number, owner):
            return None
        return b""

    def flush(self, node_id: int, body: memoryview) -> bytes:
        number, owner = struct.unpack_from("<Q8xQ", body)
        try:
            self._openings.file(number).flush()
        finally:
            # After it: whoever locks next sees what was written.
            self._locks.flushed(number, owner)
        return b""

    def fsync(self, node_id: int, body: memoryview) -> bytes:
        self._openings.file(struct.unpack_from("<Q", body)[0]).sync()
        return b""

    def release_idle(self, node_id: int, body: memoryview) -> bytes | None:
        """`release` of a file that is kept for whoever opens it next; None: it is to be closed."""
        (number,) = _NUMBER.unpack_from(body)
        node, file = self._openings.get(number)
        if self._locks.leaving(number):
            return None
        if not isinstance(file, HomeFile) or file.slot < 0 or node.detached:
            return None
        if not self._idle.has_room(node):
            return None
        # First, since it may be closed for good as soon as it is kept.
        self._openings.leave(number)
        self._idle.put(node, file)
        return b""

    def release(self, node_id: int, body: memoryview) -> bytes:
        (number,) = _NUMBER.unpack_from(body)
        node, file = self._openings.leave(number)
        self._locks.left(node.ino, number, file.handle or 0)
        if isinstance(file, StreamFile):
            self._streams.closed(file)
        self._idle.close(node, file)
        return b""

    def drop_idle(self, inos: Iterable[int]) -> None:
        """Close what is kept open of these inodes and nobody uses."""
        for ino in inos:
            for node in self._nodes.of_inode(ino):
                self._idle.drop(node)
        self._idle.drop_surplus()
        self._journal.commit()

    def forget(self, node_id: int, count: int) -> None:
        """The kernel has dropped that many lookups of a node."""
        node = self._nodes.forget(node_id, count)
        if node is not None:
            self._idle.forgotten(node)

    # --- what is asked of an open file ----------------------------------------------------------
    def read(self, unique: int, body: memoryview) -> bytes | None:
        """READ; None when a stream answers the request later."""
        number, offset, size, *_ = wire.RW_IN.unpack_from(body)
        file = self._openings.file(number)
        if isinstance(file, StreamFile):
            stream = file
            self._attempt(unique, stream, READABLE, lambda: stream.read(offset, size))
            return None
        return file.read(offset, size)

    def write(self, unique: int, body: memoryview) -> bytes | None:
        """WRITE; None when a stream answers the request later."""
        number, offset, size, flags, *_ = wire.RW_IN.unpack_from(body)
        node, file = self._openings.get(number)
        data = body[wire.RW_IN.size : wire.RW_IN.size + size]
        if isinstance(file, StreamFile):
            # The buffer is the next request's when this one waits.
            kept = memoryview(bytes(data))
            stream = file

            def put() -> bytes:
                return wire.WRITE_OUT.pack(stream.write(offset, kept), 0)

            self._attempt(unique, stream, WRITABLE, put)
            return None
        if isinstance(file, HomeFile) and file.opened & os.O_APPEND:
            written = self._append(unique & ~wire.RESENT, file, data)
        else:
            written = file.write(offset, data)
        if flags & wire.WRITE_KILL_PRIVILEGES:
            self._changes.kill_privileges(node)
        return wire.WRITE_OUT.pack(written, 0)

    def _attempt(
        self, unique: int, file: StreamFile, events: int, act: Callable[[], bytes]
    ) -> None:
        """Do with a stream what cannot be done again: what it gave is noted before it is given."""
        request = unique & ~wire.RESENT

        def once() -> bytes:
            with self._journal.begun(request):
                result = act()
            self._journal.answer(request, result)
            return result

        if unique & wire.RESENT and request in self._journal.earlier.requests:
            # Whether the predecessor did it, nobody knows.
            raise OSError(errno.EIO, "")
        self._streams.attempt(unique, file, events, once)

    def _append(self, request: int, file: HomeFile, data: memoryview) -> int:
        earlier = self._journal.earlier.requests.get(request)
        size = file.size() if earlier is None else earlier.mark
        with self._journal.begun(request, size):
            written = file.write(0, data) if earlier is None else file.append_rest(size, data)
        self._journal.answer(request, wire.WRITE_OUT.pack(written, 0))
        return written

    def poll(self, node_id: int, body: memoryview) -> bytes:
        number, poll_handle, flags, events = wire.POLL_IN.unpack_from(body)
        file = self._openings.file(number)
        if not isinstance(file, StreamFile):
            # As for any file on a disk: always ready.
            return wire.POLL_OUT.pack(events & (READABLE | WRITABLE), 0)
        tell = bool(flags & wire.POLL_SCHEDULE_NOTIFY)
        if tell and not file.polled:
            file.polled = True
            self._journal.note(succession.POLLED, number, poll_handle)
        return wire.POLL_OUT.pack(self._streams.poll(file, poll_handle, events, tell), 0)

    def fallocate(self, node_id: int, body: memoryview) -> bytes:
        number, offset, length, mode = struct.unpack_from("<QQQI", body)
        file = self._openings.file(number)
        if not isinstance(file, HomeFile):
            raise OSError(errno.EOPNOTSUPP, "")
        file.allocate(mode, offset, length)
        return b""

    def lseek(self, node_id: int, body: memoryview) -> bytes:
        number, offset, whence = struct.unpack_from("<QQI", body)
        file = self._openings.file(number)
        if not isinstance(file, HomeFile):
            raise OSError(errno.ENOSYS, "")
        return struct.pack("<Q", file.seek(offset, whence))


_OPEN_FLAGS = struct.Struct("<I")
_NUMBER = struct.Struct("<Q")
