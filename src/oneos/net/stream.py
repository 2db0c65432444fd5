"""One stream's connection, between the rendezvous that made it and the pump that uses it.

It owns the TLS socket and a wake-up pipe. The event loop may close it at any time: while a pump's
thread is at work, the thread is woken and closes the socket itself, because a descriptor that one
thread closes under another's feet may by then be somebody else's.
"""

import os
import ssl
import threading
from collections.abc import Callable

from oneos.errors import InternalError
from oneos.ids import HostName


class StreamConnection:
    """An authenticated connection to `host` for the stream `stream_id`.

    Args:
        secured: non-blocking, handshake done; owned from now on.
        host: the other end.
        stream_id: what both ends agreed on.
        on_close: called once, from any thread, when it has been closed.
    """

    def __init__(
        self,
        secured: ssl.SSLSocket,
        host: HostName,
        stream_id: bytes,
        on_close: "Callable[[StreamConnection], None]",
    ) -> None:
        self.socket = secured
        self.host = host
        self.stream_id = stream_id
        # A pipe, not an eventfd: the same on every kernel.
        self.wake_descriptor, self._wake = os.pipe()
        self._on_close = on_close
        self._lock = threading.Lock()
        self._in_use = False
        self._closed = False
        self.interrupted = False
        """Closed by this end, to go on by another connection."""

    @property
    def closed(self) -> bool:
        """Whether it is closed, or a pump has been told to close it."""
        return self._closed

    def take(self) -> bool:
        """A pump begins with it; False if it has been closed meanwhile.

        Raises:
            InternalError: another pump has it; a connection is good for one.
        """
        with self._lock:
            if self._in_use:
                raise InternalError(f"two pumps use one stream with host {self.host}")
            self._in_use = not self._closed
            return self._in_use

    def give_back(self) -> None:
        """The pump has ended: close for good."""
        with self._lock:
            self._in_use = False
            self._closed = True
            self._release()

    def interrupt(self) -> None:
        """Close it, and let both ends go on by another. Any thread may call this."""
        self.interrupted = True
        self.close()

    def close(self) -> None:
        """Close now, or have the pump that uses it do so. Any thread may call this, repeatedly."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._in_use:
                os.write(self._wake, b"x")
            else:
                self._release()

    def _release(self) -> None:
        self.socket.close()
        os.close(self.wake_descriptor)
        os.close(self._wake)
        self._on_close(self)
