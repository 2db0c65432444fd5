"""Chunks on their way into a stream: put by the thread that cuts, taken by the one that sends."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Sent = Callable[[], None]
"""Called in any thread once a chunk needs no room any more: it is sent, or given up."""


class Outbox:
    """See the module. Whoever puts bounds how much waits here."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[bytes, Sent] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False

    def put(self, data: bytes, sent: Sent) -> None:
        """Send it after what was put before."""
        with self._lock:
            closed = self._closed
            if not closed:
                self._waiting.put((data, sent))
        if closed:
            sent()

    def end(self) -> None:
        """Nothing is put any more."""
        self._waiting.put(None)

    def take(self, timeout_s: float) -> tuple[bytes, Sent] | None:
        """The next one; None at the end, and once it is closed.

        Raises:
            TimeoutError: nothing has been put within `timeout_s`.
        """
        try:
            return self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    def close(self) -> None:
        """Give up what waits, and all that is put later."""
        with self._lock:
            self._closed = True
        while True:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is not None:
                item[1]()
        self._waiting.put(None)
