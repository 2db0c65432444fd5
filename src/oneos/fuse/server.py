"""The file process's loop: requests of the kernel in, answers out, as many at once as needed.

Threads read /dev/fuse; each handles the request it got to its end, with a connection of its own to
the Runtime, so one that waits for a host that is away holds up nobody. There are as many as were
ever busy at a time, up to a bound. Requests that would wait for a stream are left to `streams`.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import threading
from collections.abc import Callable, Sequence

from oneos.errors import OneOSError
from oneos.fuse import wire
from oneos.fuse.cache import Cache
from oneos.fuse.handlers import Handlers
from oneos.fuse.nodes import Nodes
from oneos.fuse.opened import Backings, StreamFile
from oneos.fuse.streams import Streams
from oneos.fuse.view import View
from oneos.local.client import Client

log = logging.getLogger(__name__)

READ_BYTES_MAX = 1 << 20
"""One READ or WRITE: the most the kernel moves at a time (256 pages)."""

WORKERS_MAX = 64
"""Requests in work at a time; beyond it the kernel queues. A request that waits out a fail-over
takes seconds, and 64 programs in that state are more than a host of agents usually has."""

Handler = Callable[[int, memoryview], bytes]


class FuseServer:
    """See the module.

    Args:
        fuse: the descriptor of /dev/fuse, whose mount this serves; owned from now on.
        connect: makes a connection to the Runtime, one for each thread.
        view: what is laid over the tree.
        store: a directory of the Runtime, for statfs.
    """

    def __init__(self, fuse: int, connect: Callable[[], Client], view: View, store: str) -> None:
        self._fuse = fuse
        self._connect = connect
        self._local = threading.local()
        self._own = os.getuid(), os.getgid()
        self._lock = threading.Lock()
        self._idle = 0
        self._workers = 0
        self.over = threading.Event()
        self._streams = Streams(self._reply, self._notify_poll)
        self._backings = Backings(fuse, able=False)
        nodes = Nodes()
        self.cache = Cache(fuse, nodes)
        self.handlers = h = Handlers(
            self._client,
            view,
            self._streams,
            self._backings,
            store,
            nodes,
            self.cache,
            self._owner,
            lambda: self._local.asker,
        )
        self._table: dict[int, Handler] = {
            wire.LOOKUP: h.lookup,
            wire.GETATTR: h.getattr,
            wire.SETATTR: h.setattr,
            wire.READLINK: h.readlink,
            wire.SYMLINK: h.symlink,
            wire.MKNOD: h.mknod,
            wire.MKDIR: h.mkdir,
            wire.UNLINK: h.unlink,
            wire.RMDIR: h.rmdir,
            wire.RENAME: h.rename,
            wire.RENAME2: h.rename2,
            wire.LINK: h.link,
            wire.OPEN: h.open,
            wire.CREATE: h.create,
            wire.STATFS: h.statfs,
            wire.RELEASE: h.release,
            wire.FSYNC: h.fsync,
            wire.FLUSH: h.flush,
            wire.INIT: self._init,
            wire.OPENDIR: h.opendir,
            wire.READDIR: h.readdir,
            wire.RELEASEDIR: h.releasedir,
            wire.FSYNCDIR: h.fsyncdir,
            wire.FALLOCATE: h.fallocate,
            wire.LSEEK: h.lseek,
            wire.POLL: self._poll,
        }

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._connect()
        return client

    def _owner(self) -> Sequence[int]:
        owner: tuple[int, int] = self._local.owner
        return () if owner == self._own else owner

    def start(self) -> None:
        """Serve, until the mount is gone; then `over` is set."""
        self._start_worker()

    def _start_worker(self) -> None:
        with self._lock:
            if self._workers >= WORKERS_MAX:
                return
            self._workers += 1
        threading.Thread(target=self._work, name="fuse", daemon=True).start()

    def _work(self) -> None:
        buffer = bytearray(READ_BYTES_MAX + 4096)
        view = memoryview(buffer)
        while True:
            with self._lock:
                self._idle += 1
            try:
                count = os.readv(self._fuse, [buffer])
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    # ENOENT: the program was interrupted before its request was read.
                    with self._lock:
                        self._idle -= 1
                    continue
                # ENODEV: unmounted.
                self.over.set()
                return
            with self._lock:
                self._idle -= 1
                alone = self._idle == 0
            if alone:
                # Somebody must listen while this one works: for interrupts, at the least.
                self._start_worker()
            self._serve(view[:count])

    def _serve(self, request: memoryview) -> None:
        _, code, unique, node_id, uid, gid, asker, _, _ = wire.IN_HEADER.unpack_from(request)
        self._local.owner, self._local.asker = (uid, gid), asker
        body = request[wire.IN_HEADER.size :]
        if code in (wire.FORGET, wire.BATCH_FORGET):
            self._forget(code, node_id, body)
        elif code == wire.INTERRUPT:
            self._streams.interrupt(struct.unpack_from("<Q", body)[0])
        elif code in (wire.READ, wire.WRITE):
            self._guard(unique, lambda: self._move(code, unique, body))
        elif code in self._table:
            handler = self._table[code]
            self._guard(unique, lambda: handler(node_id, body))
        elif code != wire.DESTROY:
            # The kernel remembers ENOSYS and does not ask again: extended attributes, locks
            # between hosts, ioctl. It keeps locks of this host by itself then.
            self._reply(unique, errno.ENOSYS, b"")

    def _guard(self, unique: int, act: Callable[[], bytes | None]) -> None:
        try:
            result = act()
        except OneOSError as error:
            self._reply(unique, error.errno or errno.EIO, b"")
        except OSError as error:
            self._reply(unique, error.errno or errno.EIO, b"")
        except Exception as error:
            log.error("a request of the kernel failed", exc_info=error)
            self._reply(unique, errno.EIO, b"")
        else:
            if result is not None:
                self._reply(unique, 0, result)

    def _reply(self, unique: int, code: int, result: bytes) -> None:
        head = wire.OUT_HEADER.pack(wire.OUT_HEADER.size + len(result), -code, unique)
        try:
            os.writev(self._fuse, [head, result])
        except OSError as error:
            # ENOENT: it was interrupted meanwhile; ENODEV: unmounted.
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                log.warning("an answer to the kernel was refused: %s", error)

    def _notify_poll(self, handle: int) -> None:
        body = struct.pack("<Q", handle)
        head = wire.OUT_HEADER.pack(wire.OUT_HEADER.size + len(body), wire.NOTIFY_POLL, 0)
        try:
            os.writev(self._fuse, [head, body])
        except OSError:
            pass  # Nobody polls it any more.

    # --- requests that are not about names ------------------------------------------------------
    def _init(self, node_id: int, body: memoryview) -> bytes:
        major, minor, ahead, flags = struct.unpack_from("<IIII", body)
        flags2 = struct.unpack_from("<I", body, 16)[0] if len(body) >= 20 else 0
        if major != wire.VERSION_MAJOR or minor < wire.VERSION_MINOR_OLDEST:
            raise OSError(errno.EPROTO, "")
        wanted = wire.ASYNC_READ | wire.ATOMIC_O_TRUNC | wire.BIG_WRITES | wire.PARALLEL_DIROPS
        wanted |= wire.AUTO_INVAL_DATA | wire.MAX_PAGES | wire.HANDLE_KILLPRIV_V2 | wire.INIT_EXT
        wanted2 = 0
        if flags & wire.INIT_EXT:
            wanted2 = flags2 & (wire.DIRECT_IO_ALLOW_MMAP | wire.PASSTHROUGH)
        self.cache.names = minor >= wire.INC_EPOCH_SINCE
        self._backings.able = bool(wanted2 & wire.PASSTHROUGH)
        return wire.INIT_OUT.pack(
            wire.VERSION_MAJOR,
            min(minor, wire.VERSION_MINOR),
            ahead,
            wanted & flags,
            WORKERS_MAX,
            WORKERS_MAX * 3 // 4,
            READ_BYTES_MAX,
            1,
            READ_BYTES_MAX // 4096,
            0,
            wanted2,
            1 if self._backings.able else 0,
            0,
        )

    def _forget(self, code: int, node_id: int, body: memoryview) -> None:
        if code == wire.FORGET:
            self.handlers.nodes.forget(node_id, struct.unpack_from("<Q", body)[0])
            return
        for at in range(struct.unpack_from("<I", body)[0]):
            self.handlers.nodes.forget(*struct.unpack_from("<QQ", body, 8 + 16 * at))

    def _move(self, code: int, unique: int, body: memoryview) -> bytes | None:
        """READ and WRITE; None when a stream answers later."""
        number, offset, size, flags, *_ = wire.RW_IN.unpack_from(body)
        node, file = self.handlers.opening(number)
        if code == wire.READ:
            if isinstance(file, StreamFile):
                self._streams.attempt(unique, file, _READABLE, lambda: file.read(offset, size))
                return None
            return file.read(offset, size)
        data = body[wire.RW_IN.size : wire.RW_IN.size + size]
        if isinstance(file, StreamFile):
            # The buffer is the next request's when this one waits.
            kept = memoryview(bytes(data))
            self._streams.attempt(
                unique,
                file,
                _WRITABLE,
                lambda: wire.WRITE_OUT.pack(file.write(offset, kept), 0),
            )
            return None
        written = file.write(offset, data)
        if flags & wire.WRITE_KILL_PRIVILEGES:
            self.handlers.kill_privileges(node)
        return wire.WRITE_OUT.pack(written, 0)

    def _poll(self, node_id: int, body: memoryview) -> bytes:
        number, poll_handle, flags, events = wire.POLL_IN.unpack_from(body)
        file = self.handlers.file(number)
        if not isinstance(file, StreamFile):
            # As for any file on a disk: always ready.
            return wire.POLL_OUT.pack(events & (_READABLE | _WRITABLE), 0)
        tell = bool(flags & wire.POLL_SCHEDULE_NOTIFY)
        return wire.POLL_OUT.pack(self._streams.poll(file, poll_handle, events, tell), 0)


_READABLE, _WRITABLE = 1, 4
"""POLLIN and POLLOUT, the same for the kernel's poll and for FUSE's."""
