"""Locks of a name space's programs: the kernel asks, and the home of each file keeps them.

The kernel names owners by numbers: a process's for fcntl(2), an open file's for flock(2) and for
open file description locks. It tells of a close that ends a process's locks by FLUSH, and of an
open file's end by RELEASE, for which close(2) does not wait: so a lock that is asked for after it
waits until it is done, and its home is told of the FLUSH before. Openings for reading have no
FLUSH, which would cost each of them a request; whose process locks by one is watched instead, and
from then on the file's openings have it.

For a file at home here the Runtime hands over the descriptor that stands for an owner; by it what
need not wait is locked without asking anybody. One that waits has a thread and a connection of its
own, and is called back by the kernel's INTERRUPT. Owners are noted before they lock, so that a
successor of this process can free them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import select
import struct
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from oneos.errors import OneOSError
from oneos.fuse import succession, wire
from oneos.fuse.journal import Journal
from oneos.fuse.opened import LostFile, OpenFile
from oneos.fuse.openings import Openings
from oneos.limits import FUSE_EARLY_MAX, FUSE_LOCKED_MAX, LOCK_DIRECT_MAX, LOCK_WAITS_MAX
from oneos.local.client import Client

Key = tuple[int, int]
"""An inode, and the kernel's number of an owner."""


@dataclass(slots=True)
class _Owner:
    """Who has locked a file: which process, through which openings; and the descriptor that stands
    for it here, where there is one, with how often that was used since the Runtime was asked."""

    pid: int
    numbers: set[int] = field(default_factory=set)
    fd: int = -1
    uses: int = 0


class Locks:
    """See the module. Any thread may call.

    Args:
        connect: makes a connection to the Runtime.
        client: the calling thread's connection.
        reply: answers a request of the kernel.
        openings: what programs have open.
        journal: has what a successor has to know.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        client: Callable[[], Client],
        reply: Callable[[int, int, bytes], None],
        openings: Openings,
        journal: Journal,
    ) -> None:
        self._connect = connect
        self._client = client
        self._reply = reply
        self._openings = openings
        self._journal = journal
        self._lock = threading.Condition()
        self._owners: dict[Key, _Owner] = {}
        self._through: dict[int, set[Key]] = {}
        self._leaving: dict[int, set[int]] = {}
        self._locked: OrderedDict[int, None] = OrderedDict()
        self._waiting: dict[int, Key] = {}
        self._early: OrderedDict[int, None] = OrderedDict()
        self._called_back: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ends = _Ends(self._ended, connect)
        threading.Thread(target=self._call_back, name="lock interrupts", daemon=True).start()

    def restore(self, owners: Mapping[Key, tuple[int, list[int]]]) -> None:
        """Know who has locked what by a predecessor."""
        for key, (pid, numbers) in owners.items():
            self._owners[key] = _Owner(pid, set(numbers))
            for number in numbers:
                self._through.setdefault(number, set()).add(key)
            self._locked[key[0]] = None
            self._ends.watch(pid, key)

    # --- requests -------------------------------------------------------------------------------
    def getlk(self, node_id: int, body: memoryview) -> bytes:
        number, owner, *what, pid, flags = wire.LK_IN.unpack_from(body)
        ino, handle = self._file(number)
        request = handle, _kind(flags), what[2], *what[:2], owner, ino
        found = self._client().call("locked", *request)
        if found is None:
            return wire.LK_OUT.pack(0, 0, fcntl.F_UNLCK, 0)
        kind, first, last, pid = found
        return wire.LK_OUT.pack(first, last, kind, self._kernel_pid(pid))

    def set_direct(self, node_id: int, body: memoryview) -> bytes | None:
        """SETLK or SETLKW by the owner's descriptor; None: the Runtime must be asked."""
        number, owner, first, last, kind, _, flags = wire.LK_IN.unpack_from(body)
        ino = self._openings.get(number)[0].ino
        with self._lock:
            entry = self._owners.get((ino, owner))
            if entry is None or entry.fd < 0 or number not in entry.numbers or ino in self._leaving:
                return None
            entry.uses += 1
            if entry.uses >= LOCK_DIRECT_MAX:
                return None
            try:
                if flags & wire.LK_FLOCK:
                    fcntl.flock(entry.fd, _OPERATIONS[kind] | fcntl.LOCK_NB)
                else:
                    count = 0 if last == _LAST else last - first + 1
                    record = _RECORD.pack(kind, os.SEEK_SET, first, count, 0)
                    fcntl.fcntl(entry.fd, fcntl.F_OFD_SETLK, record)
            except OSError:
                return None
        return b""

    def setlk(self, node_id: int, body: memoryview) -> bytes:
        number, owner, *what, pid, flags = wire.LK_IN.unpack_from(body)
        self._set(number, owner, what, pid, flags)
        return b""

    def setlkw(self, unique: int, body: memoryview) -> bytes | None:
        """SETLKW; None when a thread answers it later."""
        try:
            return self.setlk(0, body)
        except OneOSError as error:
            if error.errno != errno.EAGAIN:
                raise
        number, owner, *what, pid, flags = wire.LK_IN.unpack_from(body)
        with self._lock:
            if unique in self._early:
                raise OSError(errno.EINTR, "")
            if len(self._waiting) >= LOCK_WAITS_MAX:
                raise OSError(errno.ENOLCK, "")
            self._waiting[unique] = self._file(number)[0], owner
        request = self._request(number, owner, what, pid, flags, unique)
        waiter = threading.Thread(target=self._wait, args=(unique, request), daemon=True)
        try:
            waiter.start()
        except RuntimeError:
            # There can be no more threads.
            with self._lock:
                self._waiting.pop(unique, None)
            raise OSError(errno.ENOLCK, "") from None
        return None

    def _set(self, number: int, owner: int, what: list[int], pid: int, flags: int) -> None:
        ino, _ = self._file(number)
        key = ino, owner
        with self._lock:
            while self._leaving.get(ino):
                self._lock.wait()
            unlocking = what[2] == fcntl.F_UNLCK
            if unlocking and key not in self._owners:
                return
            entry = self._owners.get(key)
        if entry is None or number not in entry.numbers:
            self._note(key, number, pid, flags)
        fds = self._client().take("lock", *self._request(number, owner, what, pid, flags, 0), True)
        with self._lock:
            entry = self._owners.get(key)
            if entry is not None:
                entry.uses = 0
            for fd in fds:
                if entry is None or entry.fd >= 0:
                    os.close(fd)
                else:
                    entry.fd = fd

    def _note(self, key: Key, number: int, pid: int, flags: int) -> None:
        ino, _ = key
        _, file = self._openings.get(number)
        with self._lock:
            entry = self._owners.setdefault(key, _Owner(pid))
            entry.numbers.add(number)
            self._through.setdefault(number, set()).add(key)
            self._locked[ino] = None
            self._locked.move_to_end(ino)
            if len(self._locked) > FUSE_LOCKED_MAX:
                self._locked.popitem(last=False)
        if file.flags & wire.FOPEN_NOFLUSH:
            # Also for whoever opens it next, if it is kept for that.
            file.flags &= ~wire.FOPEN_NOFLUSH
            if not flags & wire.LK_FLOCK:
                self._ends.watch(pid, key)
        # Before anything is locked, so that it is freed also by a successor.
        self._journal.note(succession.LOCKED, ino, key[1], number, pid)
        self._journal.commit()

    def _file(self, number: int) -> tuple[int, int]:
        node, file = self._openings.get(number)
        if isinstance(file, LostFile):
            raise OSError(errno.EIO, "")
        return node.ino, file.handle or 0

    def _request(
        self, number: int, owner: int, what: list[int], pid: int, flags: int, wait: int
    ) -> tuple[object, ...]:
        first, last, kind = what
        ino, handle = self._file(number)
        place = handle, _kind(flags), kind, first, last
        return *place, wait, owner, _network_pid(pid) if kind != fcntl.F_UNLCK else 0, ino

    # --- waiting --------------------------------------------------------------------------------
    def _wait(self, unique: int, request: tuple[object, ...]) -> None:
        code = 0
        try:
            with self._connect() as client:
                client.call("lock", *request)
        except (OneOSError, OSError) as error:
            code = error.errno or errno.EIO
        with self._lock:
            self._waiting.pop(unique, None)
        self._reply(unique, code, b"")

    def interrupt(self, unique: int) -> None:
        """A program no longer waits for a request. Takes no time."""
        with self._lock:
            if unique not in self._waiting:
                self._early[unique] = None
                if len(self._early) > FUSE_EARLY_MAX:
                    self._early.popitem(last=False)
                return
        self._called_back.put(unique)

    def _call_back(self) -> None:
        client = self._connect()
        while True:
            unique = self._called_back.get()
            try:
                client.call("call_back", unique)
            except OneOSError:
                pass  # With the Runtime goes what waits.

    # --- closing --------------------------------------------------------------------------------
    def flushes(self, ino: int, file: OpenFile) -> None:
        """A file is opened: whoever locks it is to be heard of when he closes it."""
        if ino in self._locked:
            file.flags &= ~wire.FOPEN_NOFLUSH

    def flushed(self, number: int, owner: int) -> None:
        """A process closes a descriptor of a file: all its locks there are over, and those of the
        open file if that was its last."""
        if not self.concerned(number, owner):
            return
        node, file = self._openings.get(number)
        key, handle = (node.ino, owner), file.handle or 0
        with self._lock:
            known = key in self._owners
            others = self._through.get(number, set()) - {key}
        if known:
            self._unlock(key, handle)
        for ino, other in others:
            try:
                self._client().call("closing", handle, other, ino)
            except OneOSError:
                pass  # Its home has gone, and the locks with it.

    def concerned(self, number: int, owner: int) -> bool:
        """Whether a FLUSH ends locks, or may."""
        with self._lock:
            return number in self._through or (
                bool(self._owners) and (self._openings.get(number)[0].ino, owner) in self._owners
            )

    def leaving(self, number: int) -> bool:
        """Whether somebody has locked through an opening that is about to end. Then `left` follows,
        and until then nobody locks its file. To be called in the order of the kernel's requests.
        """
        if number not in self._through:
            return False
        with self._lock:
            ino = self._openings.get(number)[0].ino
            self._leaving.setdefault(ino, set()).add(number)
            return True

    def left(self, ino: int, number: int, handle: int) -> None:
        """An opening ends: so do the locks of whoever has locked through it."""
        with self._lock:
            keys = list(self._through.get(number, ()))
        for key in keys:
            self._unlock(key, handle)
        with self._lock:
            ending = self._leaving.get(ino, set())
            ending.discard(number)
            if not ending:
                self._leaving.pop(ino, None)
            self._lock.notify_all()

    def _unlock(self, key: Key, handle: int) -> None:
        try:
            self._client().call("unlock", handle, key[1], key[0])
        except OneOSError:
            pass  # Its home has gone, and the locks with it.
        with self._lock:
            waits = key in self._waiting.values()
        if not waits:
            self._forget(key)

    def _forget(self, key: Key) -> None:
        with self._lock:
            entry = self._owners.pop(key, None)
            if entry is None:
                return
            if entry.fd >= 0:
                os.close(entry.fd)
            for number in entry.numbers:
                keys = self._through.get(number, set())
                keys.discard(key)
                if not keys:
                    self._through.pop(number, None)
        self._ends.forget(key)
        self._journal.note(succession.UNLOCKED, *key)
        self._journal.commit()

    def _ended(self, client: Client, key: Key) -> None:
        """The process of an owner has ended."""
        with self._lock:
            owner = self._owners.get(key)
            numbers = list(owner.numbers) if owner is not None else []
        for number in numbers:
            try:
                client.call("unlock", self._file(number)[1], key[1], key[0])
                break
            except (OneOSError, OSError):
                continue
        self._forget(key)

    def _kernel_pid(self, pid: int) -> int:
        """The kernel's number of a process that has locked here; 0, which it shows as that."""
        with self._lock:
            pids = {owner.pid for owner in self._owners.values()}
        return next((x for x in pids if _network_pid(x) == pid), 0)


class _Ends:
    """Tells when processes end, by a thread that starts with the first.

    Args:
        ended: is called for each key of a process, with a connection.
    """

    def __init__(self, ended: Callable[[Client, Key], None], connect: Callable[[], Client]) -> None:
        self._ended = ended
        self._connect = connect
        self._lock = threading.Lock()
        self._keys: dict[int, set[Key]] = {}
        self._fds: dict[int, int] = {}
        self._poll = select.epoll()
        self._runs = False

    def watch(self, pid: int, key: Key) -> None:
        """Tell of a process's end, unless the kernel does not let it be watched."""
        with self._lock:
            if pid not in self._fds:
                try:
                    fd = os.pidfd_open(pid)
                except OSError:
                    return  # It has ended: then a close by it is on its way.
                self._fds[pid] = fd
                self._poll.register(fd, select.EPOLLIN)
            self._keys.setdefault(pid, set()).add(key)
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="lock owners", daemon=True).start()

    def forget(self, key: Key) -> None:
        """It need not be told any more."""
        with self._lock:
            for pid, keys in list(self._keys.items()):
                keys.discard(key)
                if not keys:
                    self._drop(pid)

    def _drop(self, pid: int) -> set[Key]:
        fd = self._fds.pop(pid)
        self._poll.unregister(fd)
        os.close(fd)
        return self._keys.pop(pid)

    def _run(self) -> None:
        client = self._connect()
        while True:
            ready = {fd for fd, _ in self._poll.poll()}
            with self._lock:
                over = [pid for pid, fd in self._fds.items() if fd in ready]
                keys = [key for pid in over for key in self._drop(pid)]
            for key in keys:
                self._ended(client, key)


_LAST = (1 << 63) - 1
_RECORD = struct.Struct("@hhqqi4x")
"""The last byte that a range can have; and struct flock."""

_OPERATIONS = {
    fcntl.F_RDLCK: fcntl.LOCK_SH,
    fcntl.F_WRLCK: fcntl.LOCK_EX,
    fcntl.F_UNLCK: fcntl.LOCK_UN,
}


def _kind(flags: int) -> str:
    return "flock" if flags & wire.LK_FLOCK else "posix"


def _network_pid(pid: int) -> int:
    """The number that a process has in its own name space: there it is the network's."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            found = next((line for line in file if line.startswith("NSpid:")), "")
        return int(found.split()[-1])
    except (OSError, ValueError, IndexError):
        return pid
