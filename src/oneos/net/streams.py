"""Streams between hosts: how two ends of one pipe find each other.

Whoever sets up a pipe draws a random id and tells it to both hosts; one expects, the other dials.
The expecting end gives out a connection only to the host it was told, and each id once; the dialled
connection may come before it is expected, and then waits. All is bounded: the number of streams of
this host, and the time an end waits. Handshakes run in the event loop; moving the bytes is the
business of `pump`.
"""

import asyncio
import errno
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from oneos.errors import AuthError, NetworkError, OneOSError
from oneos.ids import HostName
from oneos.limits import CONNECT_TIMEOUT_S, RENDEZVOUS_S, STREAMS_MAX
from oneos.net.dial import Address, open_socket, text_of
from oneos.net.frames import PREAMBLE_STREAM
from oneos.net.handshake import receive, secure, send
from oneos.net.stream import StreamConnection
from oneos.net.tls import Contexts, IdentityProvider, check_peer, dial_error, peer_name

STREAM_ID_BYTES = 16

_ACCEPTED = b"\x01"
_FULL = b"\x02"
_NOT_EXPECTED = b"\x03"

Resolve = Callable[[HostName], Address | None]


def new_stream_id() -> bytes:
    """A fresh id; nobody can guess it."""
    return secrets.token_bytes(STREAM_ID_BYTES)


@dataclass(frozen=True)
class StreamsStatistics:
    """Streams of this moment: connected, expected here, waiting to be expected; and since start."""

    connected: int
    expected: int
    parked: int
    opened: int
    refused: int


class Streams:
    """All streams of this host.

    Args:
        identity_provider: this host's identity, the same object until it changes.
        resolve: where a host is, or None if it is not in the network.
        streams_max: how many there may be, whatever their state.
        rendezvous_s: how long one end waits for the other.
    """

    def __init__(
        self,
        identity_provider: IdentityProvider,
        resolve: Resolve,
        *,
        streams_max: int = STREAMS_MAX,
        rendezvous_s: float = RENDEZVOUS_S,
    ) -> None:
        self._contexts = Contexts(identity_provider)
        self._resolve = resolve
        self._streams_max = streams_max
        self._rendezvous_s = rendezvous_s
        self._dialling = 0
        self._expected: dict[tuple[HostName, bytes], asyncio.Future[StreamConnection]] = {}
        self._parked: dict[tuple[HostName, bytes], asyncio.Future[None]] = {}
        self._connected: set[StreamConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = self._refused = 0

    def expect(self, stream_id: bytes, peer: HostName) -> Awaitable[StreamConnection]:
        """Let `peer` dial this id, from now on; cancel what is returned to take it back.

        Args:
            stream_id: 16 random bytes, agreed on with the peer; each is used once.
            peer: the only host that may dial it.

        Returns:
            A future of the connection. It fails with NetworkError when the peer has not dialled
            within the time for a rendezvous (ETIMEDOUT).

        Raises:
            NetworkError: this host has its full number of streams (EMFILE), or the id is in use.
        """
        key = (peer, stream_id)
        loop = asyncio.get_running_loop()
        if key in self._expected:
            raise NetworkError(
                f"the stream from host {peer} is expected already", errno=errno.EBUSY
            )
        if key not in self._parked:
            self._check_room()
        future: asyncio.Future[StreamConnection] = loop.create_future()
        self._expected[key] = future
        timer = loop.call_later(self._rendezvous_s, self._expire, key)

        def done(_: asyncio.Future[StreamConnection]) -> None:
            timer.cancel()
            if self._expected.get(key) is future:
                del self._expected[key]

        future.add_done_callback(done)
        parked = self._parked.get(key)
        if parked is not None and not parked.done():
            parked.set_result(None)
        return future

    async def dial(self, host: HostName, stream_id: bytes) -> StreamConnection:
        """The connection for an id that `host` expects, or will expect soon.

        Raises:
            NetworkError: the host is unknown, does not answer, has no room (EMFILE), or did not
                expect it within the time for a rendezvous (ETIMEDOUT).
            AuthError: it is not who it should be, or does not let us in.
        """
        address = self._resolve(host)
        if address is None:
            raise NetworkError(
                f"there is no host {host} in the network", hint="see who is: oneos status"
            )
        self._check_room()
        self._dialling += 1
        try:
            return self._opened_now(await self._dial(address, host, stream_id), host, stream_id)
        except TimeoutError:
            raise NetworkError(
                f"host {host} does not answer at {text_of(address)}", errno=errno.ETIMEDOUT
            ) from None
        except OSError as error:
            raise dial_error(f"host {host}", text_of(address), error) from None
        finally:
            self._dialling -= 1

    async def accept(
        self, connection: socket.socket, context: ssl.SSLContext, address: str
    ) -> None:
        """Take over a connection whose preamble said that it is a stream (called by `server`).

        It returns when the stream has been matched or parked; a parked one waits in a task.

        Raises:
            NetworkError: it is refused; the connection is closed.
        """
        secured = await secure(connection, context, None)
        try:
            host = peer_name(secured)
            if host is None:
                raise AuthError(f"a stranger at {address} may not open streams")
            stream_id = await receive(secured, STREAM_ID_BYTES)
        except BaseException:
            secured.close()
            raise
        key = (host, stream_id)
        expected = self._expected.get(key)
        if expected is not None:
            await self._match(key, secured)
            return
        if (earlier := self._parked.pop(key, None)) is not None:
            # The same host dials the same stream again: it has given up its earlier connection.
            earlier.cancel()
        elif self._is_full():
            self._refused += 1
            await send(secured, _FULL)
            secured.close()
            raise NetworkError(f"there is no room for a stream from host {host}")
        wanted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parked[key] = wanted
        task = asyncio.create_task(self._park(key, wanted, secured), name=f"stream from {host}")
        # The loop itself keeps tasks by weak references only.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drop(self, host: HostName) -> None:
        """End all streams with a host that has left."""
        for connection in [c for c in self._connected if c.host == host]:
            connection.close()
        for (peer, _), future in list(self._expected.items()):
            if peer == host and not future.done():
                _fail(future, NetworkError(f"host {host} has left the network"))
        for (peer, _), wanted in list(self._parked.items()):
            if peer == host:
                wanted.cancel()

    def close(self) -> None:
        """End everything. Pumps at work see their connection broken, and end."""
        for connection in list(self._connected):
            connection.close()
        for future in list(self._expected.values()):
            future.cancel()
        for wanted in list(self._parked.values()):
            wanted.cancel()

    def statistics(self) -> StreamsStatistics:
        """A snapshot of the counters."""
        return StreamsStatistics(
            connected=len(self._connected),
            expected=len(self._expected),
            parked=len(self._parked),
            opened=self._opened,
            refused=self._refused,
        )

    async def _dial(self, address: Address, host: HostName, stream_id: bytes) -> ssl.SSLSocket:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await open_socket(address, PREAMBLE_STREAM)
            secured = await secure(connection, self._contexts.client(), host)
        try:
            check_peer(secured, host)
            async with asyncio.timeout(self._rendezvous_s + CONNECT_TIMEOUT_S):
                await send(secured, stream_id)
                answer = await receive(secured, 1)
            if answer == _FULL:
                raise NetworkError(
                    f"host {host} has no room for another stream", errno=errno.EMFILE
                )
            if answer != _ACCEPTED:
                raise NetworkError(f"host {host} did not expect this stream", errno=errno.ETIMEDOUT)
            return secured
        except BaseException:
            secured.close()
            raise

    async def _park(
        self, key: tuple[HostName, bytes], wanted: asyncio.Future[None], secured: ssl.SSLSocket
    ) -> None:
        try:
            async with asyncio.timeout(self._rendezvous_s):
                await wanted
        except (TimeoutError, asyncio.CancelledError):
            self._refused += 1
            try:
                await send(secured, _NOT_EXPECTED)
            except OSError:
                pass  # It has gone away itself.
            secured.close()
            return
        finally:
            if self._parked.get(key) is wanted:
                del self._parked[key]
        try:
            await self._match(key, secured)
        except OneOSError:
            pass

    async def _match(self, key: tuple[HostName, bytes], secured: ssl.SSLSocket) -> None:
        # Taken out first: an id is good for one connection.
        future = self._expected.pop(key, None)
        try:
            if future is None or future.done():
                raise NetworkError(f"the stream from host {key[0]} is not expected any more")
            # Told before the future is done: the other end may send its first bytes.
            await send(secured, _ACCEPTED)
            if future.done():
                raise NetworkError(f"the stream from host {key[0]} is not expected any more")
        except BaseException as error:
            secured.close()
            if future is not None and not future.done() and isinstance(error, OSError):
                _fail(future, NetworkError(f"the stream from host {key[0]} broke off"))
            if isinstance(error, OSError):
                raise NetworkError(f"the stream from host {key[0]} broke off") from None
            raise
        future.set_result(self._opened_now(secured, *key))

    def _opened_now(
        self, secured: ssl.SSLSocket, host: HostName, stream_id: bytes
    ) -> StreamConnection:
        self._opened += 1
        loop = asyncio.get_running_loop()

        def closed(connection: StreamConnection) -> None:
            try:
                loop.call_soon_threadsafe(self._connected.discard, connection)
            except RuntimeError:
                pass  # The loop has ended, and with it the need to count.

        connection = StreamConnection(secured, host, stream_id, closed)
        self._connected.add(connection)
        return connection

    def _expire(self, key: tuple[HostName, bytes]) -> None:
        future = self._expected.get(key)
        if future is not None and not future.done():
            _fail(
                future,
                NetworkError(
                    f"host {key[0]} did not open its end of the stream within "
                    f"{self._rendezvous_s:g} s",
                    errno=errno.ETIMEDOUT,
                ),
            )

    def _is_full(self) -> bool:
        used = len(self._connected) + len(self._expected) + len(self._parked) + self._dialling
        return used >= self._streams_max

    def _check_room(self) -> None:
        if self._is_full():
            self._refused += 1
            raise NetworkError(
                f"this host has its {self._streams_max} streams to others in use",
                errno=errno.EMFILE,
                hint="end some pipelines between hosts",
            )


def _fail(future: asyncio.Future[StreamConnection], error: NetworkError) -> None:
    future.set_exception(error)
    # Whoever expected it may have been cancelled; an error nobody takes would be a warning.
    future.exception()
