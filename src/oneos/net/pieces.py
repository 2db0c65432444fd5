"""Blocking use of one stream's connection by one thread: send these bytes, receive as many.

For bulk data whose length both ends know beforehand; what the bytes mean is the caller's business.
They go one way only: two threads on one SSLSocket can hang. The other end may take `silence_s` over
each piece; the event loop ends a wait by `connection.close()`.
"""

from __future__ import annotations

import errno
import select
import ssl

from oneos.errors import NetworkError
from oneos.net.stream import StreamConnection


class Pieces:
    """See the module. A context, which ends with the connection closed.

    Args:
        connection: of `Streams`; owned from now on.
        silence_s: how long the other end may neither send nor take anything.

    Raises:
        NetworkError: it has been closed already.
    """

    def __init__(self, connection: StreamConnection, silence_s: float) -> None:
        if not connection.take():
            raise NetworkError(f"the stream with host {connection.host} was closed")
        self._connection = connection
        self._socket = connection.socket
        self._silence_s = silence_s

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *exc: object) -> None:
        self._connection.give_back()

    def send(self, data: bytes | memoryview) -> None:
        """Send all of it. Raises NetworkError."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except OSError as error:
                raise self._broken(str(error)) from None

    def receive(self, into: memoryview) -> None:
        """Fill a buffer. Raises NetworkError, also where the other end closes before."""
        filled = 0
        while filled < len(into):
            try:
                count = self._socket.recv_into(into[filled:])
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait(select.POLLOUT)
            except OSError as error:
                raise self._broken(str(error)) from None
            else:
                if not count:
                    raise self._broken("it ended before the end of the data")
                filled += count

    def linger(self) -> None:
        """Wait until the other end closes: closing first could destroy what is on its way."""
        try:
            self.receive(memoryview(bytearray(1)))
        except NetworkError:
            pass

    def _wait(self, events: int) -> None:
        poll = select.poll()
        poll.register(self._connection.wake_descriptor, select.POLLIN)
        poll.register(self._socket.fileno(), events)
        ready = dict(poll.poll(self._silence_s * 1000))
        if self._connection.wake_descriptor in ready:
            raise self._broken("it was closed at this end")
        if not ready:
            raise self._broken(f"silent for {self._silence_s:g} s", errno.ETIMEDOUT)

    def _broken(self, why: str, number: int = errno.ECONNRESET) -> NetworkError:
        text = f"the stream with host {self._connection.host} broke off: {why}"
        return NetworkError(text, errno=number)
