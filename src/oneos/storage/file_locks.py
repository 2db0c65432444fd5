"""Locks of a backing file as the kernel keeps them, for programs that have no descriptor of it.

A program of the file's home locks by its own descriptor, at native cost. Whoever is elsewhere, or
in a name space, is stood for by an open file description of its own here, so that all of them meet
in one table: the kernel's (fcntl(2), open file description locks, which conflict with those of
processes; flock(2)). To wait takes a thread in the kernel's queue, which a signal calls back.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import signal
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from oneos.limits import LOCK_KICK_S

READ, WRITE, UNLOCK = fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK
LAST: Final = (1 << 63) - 1
"""The last byte that a range can have: it goes on to the end of the file, wherever that is."""

Kind = Literal["posix", "open", "flock"]
"""Whose a lock is: a process's, an open file description's, or that of one as flock(2) has it."""

CALL_BACK = signal.SIGUSR2
"""Interrupts a thread that waits; its handler does nothing."""

_GET, _SET, _WAIT = (getattr(fcntl, f"F_OFD_{x}", -1) for x in ("GETLK", "SETLK", "SETLKW"))
_RECORD = struct.Struct("@hhqqi4x")
"""struct flock of kernels and C libraries with files of 64 bits."""

_libc = ctypes.CDLL(None, use_errno=True)
_fcntl = getattr(_libc, "fcntl64", _libc.fcntl)


@dataclass(frozen=True, slots=True)
class Range:
    """What is to be locked, and how: bytes `first` to `last`, which belongs to it."""

    kind: Kind
    type: int
    first: int = 0
    last: int = LAST

    def __post_init__(self) -> None:
        if self.kind not in ("posix", "open", "flock") or not 0 <= self.first <= self.last <= LAST:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def record(self) -> bytes:
        """As `struct flock`."""
        count = 0 if self.last == LAST else self.last - self.first + 1
        return _RECORD.pack(self.type, os.SEEK_SET, self.first, count, 0)

    def flock(self) -> int:
        """As flock(2) has it."""
        operations = {READ: fcntl.LOCK_SH, WRITE: fcntl.LOCK_EX, UNLOCK: fcntl.LOCK_UN}
        return operations[self.type]


@dataclass(frozen=True, slots=True)
class Found:
    """A lock that stands in the way; `pid`: the process that has it, -1 if the kernel knows none.

    A process is one of this host, by the number it has in the kernel.
    """

    type: int
    first: int
    last: int
    pid: int


class FileLock:
    """The locks of one owner on one file.

    Args:
        path: of the file.

    Raises:
        OSError: it cannot be opened; ENOLCK where the kernel has no such locks.
    """

    def __init__(self, path: str) -> None:
        if _SET < 0:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def set(self, what: Range) -> None:
        """Lock or unlock without waiting. Raises OSError(EAGAIN)."""
        try:
            if what.kind == "flock":
                fcntl.flock(self.fd, what.flock() | fcntl.LOCK_NB)
            else:
                fcntl.fcntl(self.fd, _SET, what.record())
        except OSError as error:
            code = errno.EAGAIN if error.errno == errno.EACCES else error.errno
            raise OSError(code, os.strerror(code or errno.EIO)) from None

    def test(self, what: Range) -> Found | None:
        """The first lock that stands in the way of `what`; a range, and no flock."""
        found = _RECORD.unpack(fcntl.fcntl(self.fd, _GET, what.record()))
        kind, _, first, count, pid = found
        if kind == UNLOCK:
            return None
        return Found(kind, first, LAST if count == 0 else first + count - 1, pid)

    def held(self) -> list[tuple[str, int, int, int]]:
        """What is held: "OFDLCK" or "FLOCK", the type, the first byte and the last."""
        with open(f"/proc/self/fdinfo/{self.fd}", encoding="ascii") as file:
            lines = [line.split() for line in file if line.startswith("lock:")]
        types = {"READ": READ, "WRITE": WRITE}
        return [
            (line[2], types.get(line[4], WRITE), int(line[-2]), _last(line[-1])) for line in lines
        ]

    def close(self) -> None:
        """Give up all it holds. Nobody waits by it any more."""
        try:
            # Whoever has a copy of the descriptor holds nothing by it either.
            self.set(Range("posix", UNLOCK))
            self.set(Range("flock", UNLOCK))
        finally:
            os.close(self.fd)


class Wait:
    """A thread that waits for a lock, from the moment it is made. Of the event loop's thread.

    Raises:
        OSError: ENOLCK where this process cannot be called back.
    """

    def __init__(self, lock: FileLock, what: Range) -> None:
        _have_handler()
        loop = asyncio.get_running_loop()
        self._loop = loop
        self.code: asyncio.Future[int] = loop.create_future()
        """The errno it ended with, 0 when the lock is held; EINTR when it was called back."""
        self._guard = threading.Lock()
        self._over = self._called = False
        if what.kind == "flock":
            operation = what.flock()
            call: Callable[[], int] = lambda: _libc.flock(lock.fd, operation)  # noqa: E731
        else:
            record = ctypes.create_string_buffer(what.record(), _RECORD.size)
            call = lambda: _fcntl(lock.fd, _WAIT, record)  # noqa: E731
        self._thread = threading.Thread(target=self._run, args=(call,), name="lock", daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], int]) -> None:
        code = errno.EINTR
        while code == errno.EINTR and not self._called:
            code = ctypes.get_errno() if call() else 0
        with self._guard:
            # From here on its number may be another thread's.
            self._over = True
        try:
            self._loop.call_soon_threadsafe(self._ended, code)
        except RuntimeError:
            pass  # The loop has ended first.

    def _ended(self, code: int) -> None:
        if not self.code.done():
            self.code.set_result(code)

    async def call_back(self) -> int:
        """Wait no longer; returns as `code` does, also 0 where the lock had just been got."""
        self._called = True
        while not self.code.done():
            with self._guard:
                # One that came before the thread was in its call is lost: so again.
                if not self._over and self._thread.ident is not None:
                    signal.pthread_kill(self._thread.ident, CALL_BACK)
            await asyncio.wait([self.code], timeout=LOCK_KICK_S)
        return self.code.result()


def _have_handler() -> None:
    if signal.getsignal(CALL_BACK) is not _nothing:
        try:
            # Without SA_RESTART, as Python does it: the call it interrupts is to fail.
            signal.signal(CALL_BACK, _nothing)
        except ValueError:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)) from None


def _nothing(number: int, frame: object) -> None:
    """It is the interruption that counts."""


def _last(word: str) -> int:
    return LAST if word == "EOF" else int(word)
