"""The file process's loop: requests of the kernel in, answers out, as many at once as needed.

One thread at a time listens to /dev/fuse. What can be answered from what is known here it answers
at once and listens on, without another thread being woken: a system call in and one out. With a
request that has to wait, for the Runtime or a disk, it lets the next thread listen and handles it
to its end, with a connection of its own to the Runtime, so one that waits for a host that is away
holds up nobody (leader and followers; Schmidt et al., Pattern-Oriented Software Architecture 2,
2000). There are as many threads as were ever busy at a time, up to a bound. Requests that would
wait for a stream are left to `streams`.
"""

from __future__ import annotations

import errno
import logging
import os
import struct
import threading
from collections.abc import Callable, Sequence
from functools import partial

from oneos.errors import OneOSError
from oneos.fuse import succession, wire
from oneos.fuse.ahead import Ahead
from oneos.fuse.arrivals import Arrivals
from oneos.fuse.cache import Cache
from oneos.fuse.changes import Changes
from oneos.fuse.directories import Directories
from oneos.fuse.files import Files
from oneos.fuse.idle import IdleFiles
from oneos.fuse.journal import Journal
from oneos.fuse.locks import Locks
from oneos.fuse.lookups import Lookups
from oneos.fuse.nodes import Nodes
from oneos.fuse.opened import Backings, inherited_file
from oneos.fuse.openings import Openings
from oneos.fuse.streams import Streams
from oneos.fuse.succession import State
from oneos.fuse.view import View, is_of
from oneos.fuse.watches import Watches
from oneos.fuse.xattrs import Xattrs
from oneos.limits import FUSE_MOVE_BYTES_MAX, FUSE_WORKERS_MAX
from oneos.local.client import Client

log = logging.getLogger(__name__)

_REQUEST = wire.RESENT - 1
"""The bits of a request's number that are the same when it comes again."""

Handler = Callable[[int, memoryview], bytes | None]
"""Gets the node's number, or the request's for those that wait; None: it is not answered here."""


class FuseServer:
    """See the module.

    Args:
        fuse: the descriptor of /dev/fuse, whose mount this serves; owned from now on.
        connect: makes a connection to the Runtime, one for each thread.
        view: what is laid over the tree.
        store: a directory of the Runtime, for statfs.
        journal: what a successor of this process will find.
    """

    def __init__(
        self,
        fuse: int,
        connect: Callable[[], Client],
        view: View,
        store: str,
        journal: Journal,
    ) -> None:
        self._fuse = fuse
        self._journal = journal
        self._earlier = journal.earlier.requests
        self.resends = False
        """Whether the kernel can give a successor the requests that this process leaves."""
        self._connect = connect
        self._local = threading.local()
        self._own = os.getuid(), os.getgid()
        self._runtime = os.getppid()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting = 0
        self._workers = 0
        self.over = threading.Event()
        self._arrivals = Arrivals(fuse)
        self._streams = streams = Streams(self._reply, self._notify_poll)
        note = journal.note
        self._backings = backings = Backings(fuse, able=False, note=note)
        self._nodes = nodes = Nodes(note)
        self.cache = cache = Cache(fuse, nodes)
        client, owner = self._client, self._owner
        self._openings = openings = Openings(journal)
        idle = IdleFiles(openings, backings, journal.commit)
        ahead = Ahead(cache)
        lookups = Lookups(client, view, nodes, cache, openings, ahead, self._asker)
        changes = Changes(
            client, view, nodes, cache, lookups, openings, idle, owner, self._by_runtime
        )
        self._watches = Watches(connect, view, nodes, cache, openings)
        self._locks = locks = Locks(connect, client, self._reply, openings, journal)
        self.files = files = Files(
            client,
            view,
            streams,
            backings,
            nodes,
            cache,
            lookups,
            changes,
            openings,
            idle,
            owner,
            self._asker,
            journal,
            locks,
        )
        self._listing = listing = Directories(
            client, view, nodes, cache, openings, ahead, store, note
        )
        xattrs = Xattrs(client, nodes, cache, self._by_root)
        self._quick: dict[int, Handler] = {
            wire.LOOKUP: lookups.lookup_known,
            wire.GETATTR: lookups.getattr_kept,
            wire.OPEN: files.open_idle,
            wire.FLUSH: files.flush_nothing,
            wire.RELEASE: files.release_idle,
            wire.GETXATTR: xattrs.getxattr_never,
            wire.SETLK: locks.set_direct,
            wire.SETLKW: locks.set_direct,
            wire.OPENDIR: listing.opendir,
            wire.RELEASEDIR: listing.releasedir,
            wire.FSYNCDIR: listing.fsyncdir,
        }
        self._table: dict[int, Handler] = {
            wire.INIT: self._init,
            wire.LOOKUP: lookups.lookup,
            wire.GETATTR: lookups.getattr,
            wire.READLINK: lookups.readlink,
            wire.SETATTR: changes.setattr,
            wire.SYMLINK: changes.symlink,
            wire.MKNOD: changes.mknod,
            wire.MKDIR: changes.mkdir,
            wire.UNLINK: changes.unlink,
            wire.RMDIR: changes.rmdir,
            wire.RENAME: changes.rename,
            wire.RENAME2: changes.rename2,
            wire.LINK: changes.link,
            wire.OPEN: files.open,
            wire.CREATE: files.create,
            wire.FLUSH: files.flush,
            wire.FSYNC: files.fsync,
            wire.RELEASE: files.release,
            wire.GETLK: locks.getlk,
            wire.SETLK: locks.setlk,
            wire.POLL: files.poll,
            wire.FALLOCATE: files.fallocate,
            wire.LSEEK: files.lseek,
            wire.READDIR: listing.readdir,
            wire.STATFS: listing.statfs,
            wire.GETXATTR: xattrs.getxattr,
            wire.LISTXATTR: xattrs.listxattr,
            wire.SETXATTR: xattrs.setxattr,
            wire.REMOVEXATTR: xattrs.removexattr,
        }
        self._moves: dict[int, Handler] = {
            wire.READ: files.read,
            wire.WRITE: files.write,
            wire.SETLKW: locks.setlkw,
        }

    def _client(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._connect()
        return client

    def _asker(self) -> int:
        asker: int = self._local.asker
        return asker

    def _owner(self) -> Sequence[int]:
        owner: tuple[int, int] = self._local.owner
        return () if owner == self._own else owner

    def _by_runtime(self) -> bool:
        return is_of(self._local.asker, self._runtime)

    def _by_root(self) -> bool:
        return bool(self._local.owner[0] == 0)

    # --- threads --------------------------------------------------------------------------------
    def start(self) -> None:
        """Serve, until the mount is gone; then `over` is set."""
        self._start_worker()
        self._watches.start()

    def inherit(self, state: State) -> None:
        """Know what a predecessor knew, and have open what it had open.

        Raises:
            OneOSError: the Runtime does not let it.
        """
        client, in_slots = self._client(), self._journal.in_slots
        openings = state.openings
        for number in [n for n in openings if not in_slots.get(n, 1)]:
            # It was kept for whoever opens it next.
            self._journal.note(succession.CLOSED, number)
            self._journal.give_back(openings.pop(number).slot)
        client.call("take_over", [left.handle for left in openings.values() if left.handle])
        self._settle(state.facts["minor"], state.facts["flags"])
        self._nodes.restore(state)
        nodes = {node.id: node for node in self._nodes.all()}
        users = [left.node for left in openings.values() if left.backing]
        self._backings.restore(state.backings, users, nodes)
        found = []
        for number, left in openings.items():
            if left.node in nodes:
                node = nodes[left.node]
                path = partial(self._nodes.path, node)
                found.append((number, node, inherited_file(self._client, left, path)))
        self._openings.restore(state.generation, found)
        self._locks.restore(state.locks)
        self._listing.restore(state)
        self._journal.commit()

    def resume(self, state: State) -> None:
        """As `start`, beginning with what a predecessor left undone."""
        self._notify(wire.NOTIFY_RESEND, b"")
        self.start()
        for handle in state.polled.values():
            # Who waits for a stream asks again.
            self._notify_poll(handle)

    def _start_worker(self) -> None:
        with self._lock:
            if self._workers >= FUSE_WORKERS_MAX:
                return
            self._workers += 1
            self._waiting += 1
        threading.Thread(target=self._work, name="fuse", daemon=True).start()

    def _work(self) -> None:
        buffer = bytearray(FUSE_MOVE_BYTES_MAX + 4096)
        view = memoryview(buffer)
        while True:
            with self._turn:
                with self._lock:
                    self._waiting -= 1
                count = self._listen(buffer, view)
                with self._lock:
                    alone = self._waiting == 0
            if not count:
                self.over.set()
                return
            if alone:
                # Somebody must listen while this one works: for interrupts, at the least.
                self._start_worker()
            self._serve(view[:count])
            with self._lock:
                self._waiting += 1

    def _listen(self, buffer: bytearray, view: memoryview) -> int:
        """Answer what can be at once. Returns the size of a request that cannot; 0: unmounted."""
        buffers = [buffer]
        unpack, size = wire.IN_HEADER_START.unpack_from, wire.IN_HEADER.size
        while True:
            try:
                count = self._arrivals.read(buffers)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    # ENOENT: the program was interrupted before its request was read.
                    continue
                # ENODEV: unmounted.
                return 0
            code, unique, node_id = unpack(view)
            if unique >= wire.RESENT and self._answered(unique, code):
                continue
            quick = self._quick.get(code)
            if quick is not None:
                self._journal.serving = unique & _REQUEST
                if not self._guard(quick, unique, node_id, view[size:count]):
                    return count
            elif code in (wire.FORGET, wire.BATCH_FORGET):
                self._forget(code, node_id, view[size:count])
            elif code == wire.INTERRUPT:
                (interrupted,) = struct.unpack_from("<Q", view, size)
                self._streams.interrupt(interrupted)
                self._locks.interrupt(interrupted)
            elif code in self._table or code in self._moves:
                return count
            elif code != wire.DESTROY:
                # The kernel remembers ENOSYS of most and does not ask again. Not of ioctl, by which
                # Python asks of each file whether it is a terminal.
                self._reply(unique, errno.ENOSYS, b"")

    def _answered(self, unique: int, code: int) -> bool:
        """Whether a predecessor has dealt with a request that comes again."""
        request = unique & _REQUEST
        earlier = self._earlier.get(request)
        if code == wire.OPEN and (given := self._openings.given(request)) is not None:
            self._reply(unique, 0, given)
            return True
        if earlier is None or code == wire.INTERRUPT:
            return False
        if earlier.answer is not None:
            self._reply(unique, 0, wire.unkept(code, earlier.answer))
        elif code == wire.WRITE:
            return False
        else:
            # It was begun, and what came of it is lost.
            self._reply(unique, errno.EIO, b"")
        return True

    def _serve(self, request: memoryview) -> None:
        _, code, unique, node_id, uid, gid, asker, _, _ = wire.IN_HEADER.unpack_from(request)
        self._local.owner, self._local.asker = (uid, gid), asker
        self._client().serves(unique & _REQUEST)
        if not self._watches.asked.is_set():
            self._watches.asked.set()
        body = request[wire.IN_HEADER.size :]
        move = self._moves.get(code)
        if move is not None:
            self._guard(move, unique, unique, body)
        else:
            self._guard(self._table[code], unique, node_id, body)

    def _guard(self, handler: Handler, unique: int, number: int, body: memoryview) -> bool:
        """Have a request handled, and answer it; False if the handler has no answer."""
        try:
            result = handler(number, body)
        except (OneOSError, OSError) as error:
            self._journal.commit()
            self._reply(unique, error.errno or errno.EIO, b"")
        except Exception as error:
            log.error("a request of the kernel failed", exc_info=error)
            self._journal.commit()
            self._reply(unique, errno.EIO, b"")
        else:
            if result is None:
                return False
            # First, so that a request that is not answered yet leaves either both or nothing.
            self._journal.commit(unique & _REQUEST, result)
            self._reply(unique, 0, result)
        return True

    # --- to the kernel --------------------------------------------------------------------------
    def _reply(self, unique: int, code: int, result: bytes) -> None:
        head = wire.OUT_HEADER.pack(wire.OUT_HEADER.size + len(result), -code, unique)
        try:
            os.writev(self._fuse, (head, result))
        except OSError as error:
            # ENOENT: it was interrupted meanwhile; ENODEV: unmounted.
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                log.warning("an answer to the kernel was refused: %s", error)

    def _notify_poll(self, handle: int) -> None:
        try:
            self._notify(wire.NOTIFY_POLL, struct.pack("<Q", handle))
        except OSError:
            pass  # Nobody polls it any more.

    def _notify(self, code: int, body: bytes) -> None:
        head = wire.OUT_HEADER.pack(wire.OUT_HEADER.size + len(body), code, 0)
        os.writev(self._fuse, (head, body))

    # --- requests about the mount itself --------------------------------------------------------
    def _init(self, node_id: int, body: memoryview) -> bytes:
        major, minor, ahead, flags = struct.unpack_from("<IIII", body)
        flags2 = struct.unpack_from("<I", body, 16)[0] if len(body) >= 20 else 0
        if major != wire.VERSION_MAJOR or minor < wire.VERSION_MINOR_OLDEST:
            raise OSError(errno.EPROTO, "")
        wanted = wire.ASYNC_READ | wire.ATOMIC_O_TRUNC | wire.BIG_WRITES | wire.PARALLEL_DIROPS
        wanted |= wire.AUTO_INVAL_DATA | wire.MAX_PAGES | wire.HANDLE_KILLPRIV_V2 | wire.INIT_EXT
        wanted |= wire.CACHE_SYMLINKS | wire.POSIX_LOCKS | wire.FLOCK_LOCKS
        wanted2 = 0
        if flags & wire.INIT_EXT:
            able = wire.DIRECT_IO_ALLOW_MMAP | wire.PASSTHROUGH | wire.HAS_RESEND
            wanted2 = flags2 & able
        self._journal.note(succession.FACTS, {"minor": minor, "flags": wanted2})
        self._settle(minor, wanted2)
        return wire.INIT_OUT.pack(
            wire.VERSION_MAJOR,
            min(minor, wire.VERSION_MINOR),
            ahead,
            wanted & flags,
            FUSE_WORKERS_MAX,
            FUSE_WORKERS_MAX * 3 // 4,
            FUSE_MOVE_BYTES_MAX,
            1,
            FUSE_MOVE_BYTES_MAX // 4096,
            0,
            wanted2,
            1 if self._backings.able else 0,
            0,
        )

    def _settle(self, minor: int, flags: int) -> None:
        """What is possible with a kernel of that minor version and those flags of INIT."""
        self.cache.names = minor >= wire.INC_EPOCH_SINCE
        self._backings.able = bool(flags & wire.PASSTHROUGH)
        self.resends = bool(flags & wire.HAS_RESEND)

    def _forget(self, code: int, node_id: int, body: memoryview) -> None:
        if code == wire.FORGET:
            self.files.forget(node_id, struct.unpack_from("<Q", body)[0])
        else:
            for at in range(struct.unpack_from("<I", body)[0]):
                self.files.forget(*struct.unpack_from("<QQ", body, 8 + 16 * at))
        self._journal.commit()
