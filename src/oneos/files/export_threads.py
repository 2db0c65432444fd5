"""Threads for what may hang: looks at directories that a host exports.

Such a directory may be a network's disk that is gone, where the kernel holds up whoever looks. That
takes a thread here, and an error to who asked, and not the Runtime. The threads are daemons: one
that never comes back keeps no Runtime from ending.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from oneos.errors import FileError
from oneos.limits import CALL_TIMEOUT_S, EXPORT_THREADS, EXPORT_WAITING_MAX

T = TypeVar("T")

_Work = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class ExportThreads:
    """See the module. They start when they are needed."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Work] = SimpleQueue()
        self._threads = 0
        self._under_way = 0

    async def run(self, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
        """Do work in a thread.

        Args:
            undo: what to do with a result that nobody waits for any more.

        Raises:
            FileError: EBUSY, too much waits already; EIO, it was not done in time, and may be yet.
            Exception: what the work raises.
        """
        if self._under_way >= EXPORT_WAITING_MAX:
            raise FileError(errno.EBUSY, hint="the exported disk of this host does not keep up")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._under_way += 1
        done.add_done_callback(self._over)
        if self._threads < min(self._under_way, EXPORT_THREADS):
            self._threads += 1
            threading.Thread(target=self._run, name="exports", daemon=True).start()
        self._queue.put((work, loop, done))
        try:
            # One that hangs is still under way: it is shielded from the end of this wait.
            return await asyncio.wait_for(asyncio.shield(done), CALL_TIMEOUT_S)
        except TimeoutError:
            done.add_done_callback(lambda done: _drop(done, undo))
            raise FileError(errno.EIO, hint="the exported disk does not answer") from None
        except asyncio.CancelledError:
            done.add_done_callback(lambda done: _drop(done, undo))
            raise

    def _over(self, done: asyncio.Future[Any]) -> None:
        self._under_way -= 1

    def _run(self) -> None:
        while True:
            work, loop, done = self._queue.get()
            try:
                answer, error = work(), None
            except Exception as raised:
                answer, error = None, raised
            try:
                loop.call_soon_threadsafe(_settle, done, answer, error)
            except RuntimeError:
                return  # The Runtime has ended.


def _settle(done: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    if error is not None:
        done.set_exception(error)
    else:
        done.set_result(answer)


def _drop(done: asyncio.Future[T], undo: Callable[[T], None] | None) -> None:
    if not done.cancelled() and done.exception() is None and undo is not None:
        undo(done.result())
