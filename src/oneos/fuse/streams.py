"""Requests that wait for a stream: one thread polls for all of them.

The thread that took a request from the kernel tries once and leaves what would block here. A
program that is interrupted (Ctrl-C, a timer's signal) has its request answered with EINTR at once,
as a read from a terminal or pipe would be; select and poll on a stream are told when it is ready.
"""

from __future__ import annotations

import errno
import os
import select
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from oneos.errors import OneOSError
from oneos.fuse.opened import StreamFile
from oneos.limits import FUSE_EARLY_MAX, FUSE_WAITING_MAX

READABLE, WRITABLE = select.POLLIN, select.POLLOUT
"""The same numbers for the kernel's poll and for FUSE's."""


@dataclass(slots=True)
class _Waiting:
    """A request. While it is tried, who interrupts or closes leaves word of it here."""

    file: StreamFile
    events: int
    act: Callable[[], bytes]
    trying: bool = True
    broken_off: int = 0


class Streams:
    """See the module.

    Args:
        reply: answers a request of the kernel: its number, an errno or 0, the result.
        notify: tells the kernel that a file it polls (its own number for it) is ready.
    """

    def __init__(
        self, reply: Callable[[int, int, bytes], None], notify: Callable[[int], None]
    ) -> None:
        self._reply = reply
        self._notify = notify
        self._lock = threading.Lock()
        self._waiting: dict[int, _Waiting] = {}
        self._early: OrderedDict[int, None] = OrderedDict()
        self._polled: dict[int, tuple[StreamFile, int]] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        threading.Thread(target=self._run, name="streams", daemon=True).start()

    def attempt(self, unique: int, file: StreamFile, events: int, act: Callable[[], bytes]) -> None:
        """Do `act` for a request now, or when the stream is ready for `events`, and answer it."""
        waiting = _Waiting(file, events, act)
        with self._lock:
            if unique in self._early:
                del self._early[unique]
                waiting.broken_off = errno.EINTR
            room = len(self._waiting) < FUSE_WAITING_MAX
            if room:
                self._waiting[unique] = waiting
        if not room:
            self._reply(unique, errno.EAGAIN, b"")
        elif not self._try(unique, waiting):
            self._wake()

    def _try(self, unique: int, waiting: _Waiting) -> bool:
        """One attempt; False if the request still waits."""
        code, result = 0, b""
        try:
            result = waiting.act()
        except BlockingIOError:
            code = errno.EAGAIN
            with self._lock:
                if waiting.file.blocking and not waiting.broken_off:
                    waiting.trying = False
                    return False
                code = waiting.broken_off or code
        except (OneOSError, OSError) as error:
            code = error.errno or errno.EIO
        with self._lock:
            del self._waiting[unique]
        self._reply(unique, code, result)
        return True

    def interrupt(self, unique: int) -> None:
        """A program no longer waits for a request."""
        with self._lock:
            waiting = self._waiting.get(unique)
            if waiting is None:
                self._early[unique] = None
                if len(self._early) > FUSE_EARLY_MAX:
                    self._early.popitem(last=False)
                return
            waiting.broken_off = errno.EINTR
            if waiting.trying:
                return
            del self._waiting[unique]
        self._reply(unique, errno.EINTR, b"")

    def poll(self, file: StreamFile, poll_handle: int, events: int, tell: bool) -> int:
        """The events that are there now; with `tell`, the kernel hears when there are others."""
        now = select.poll()
        now.register(file.fd, events)
        ready = dict(now.poll(0)).get(file.fd, 0)
        if tell and not ready:
            with self._lock:
                self._polled[poll_handle] = file, events
            self._wake()
        return ready

    def closed(self, file: StreamFile) -> None:
        """Forget a file that is about to be closed; the kernel has no request on it any more."""
        with self._lock:
            for handle in [h for h, (f, _) in self._polled.items() if f is file]:
                del self._polled[handle]
        self._wake()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b"x")
        except BlockingIOError:
            pass  # It is awake already.

    def _run(self) -> None:
        while True:
            poll = select.poll()
            poll.register(self._wake_read, select.POLLIN)
            wanted: dict[int, int] = {}
            with self._lock:
                for waiting in self._waiting.values():
                    if waiting.trying:
                        continue
                    fd = waiting.file.fd
                    wanted[fd] = wanted.get(fd, 0) | waiting.events
                for file, events in self._polled.values():
                    wanted[file.fd] = wanted.get(file.fd, 0) | events
            for fd, events in wanted.items():
                poll.register(fd, events)
            ready = dict(poll.poll())
            if self._wake_read in ready:
                os.read(self._wake_read, 4096)
            self._serve(ready)

    def _serve(self, ready: dict[int, int]) -> None:
        with self._lock:
            able = [(u, w) for u, w in self._waiting.items() if w.file.fd in ready and not w.trying]
            for _, waiting in able:
                waiting.trying = True
            told = [h for h, (f, _) in self._polled.items() if f.fd in ready]
            for handle in told:
                del self._polled[handle]
        for unique, waiting in able:
            self._try(unique, waiting)
        for handle in told:
            self._notify(handle)
