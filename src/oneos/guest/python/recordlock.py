"""The lock that keeps the records of several writers of one pipe apart, on one host.

A write of more than PIPE_BUF bytes may stop in its middle when the pipe is full, and another
process' write, however short, would then land inside the record. So each record is written under a
lock that all writers of the pipe share: an abstract unix address named by the pipe, which the
kernel gives to one process at a time and takes back when that ends, however it ends.
`guest/node/recordlock.js` speaks the same names. Regular files need none: their writes are whole.
"""

import _socket
import _thread
import errno
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PAUSE_S = 0.001
"""Between two looks at a lock that another process holds for the microseconds of one record."""

TURN_S = 0.002
"""How long a writer may take the lock again before it queues behind those who wait."""

NAME_BYTES = 108
"""All of an address, for some versions of libuv fill it up with NUL bytes and others do not."""


class RecordLock:
    """A lock between the threads of a process, and between processes.

    Args:
        about: what `os.fstat` says of the descriptor that is written to.
    """

    def __init__(self, about: os.stat_result) -> None:
        self._name = ""
        if not stat.S_ISREG(about.st_mode):
            self._name = f"{about.st_dev}.{about.st_ino}"
        self._queued = -TURN_S
        self._threads = _thread.allocate_lock()
        self._held: Any = None
        os.register_at_fork(after_in_child=self._forked)

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._name:
                self._take()
        except BaseException:
            self._threads.release()
            raise

    def __exit__(self, *_exception: object) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None
        self._threads.release()

    def _take(self) -> None:
        # A writer that never rests would win each race against one that looks now and then: so from
        # time to time it queues at a second address, which is held by whoever waits longest.
        if time.monotonic() - self._queued < TURN_S:
            self._held = bind(self._name)
            return
        turn = bind(self._name + ".next")
        try:
            self._held = bind(self._name)
        finally:
            turn.close()
        self._queued = time.monotonic()

    def _forked(self) -> None:
        """In a child: what another thread held when it forked is not the child's to hold."""
        self._threads = _thread.allocate_lock()
        if self._held is not None:
            self._held.close()
            self._held = None


def bind(part: str) -> "Any":
    name = f"\0oneos.record.{part}".ljust(NAME_BYTES, ".")
    while True:
        made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            made.bind(name)
            return made
        except OSError as error:
            made.close()
            if error.errno != errno.EADDRINUSE:
                raise
        time.sleep(PAUSE_S)
