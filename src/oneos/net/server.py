"""The one public TCP port of a host.

Each connection first says in eight plain bytes what it is: calls are served here in the event
loop, streams are handed over to `streams`. Everything after that is TLS 1.3. This module decides
how many connections there may be and how long each has to show who it is; what a peer may call is
decided by `routes`.
"""

import asyncio
import errno
import logging
import os
import socket
from dataclasses import dataclass
from typing import cast

from oneos.errors import AuthError, NetworkError, UserError
from oneos.limits import (
    ANONYMOUS_FRAME_BYTES_MAX,
    ANONYMOUS_LINK_S,
    ANONYMOUS_LINKS_MAX,
    CONNECT_TIMEOUT_S,
    FRAME_BYTES_MAX,
    HANDSHAKE_TIMEOUT_S,
    HANDSHAKES_MAX,
    LINKS_ACCEPTED_MAX,
)
from oneos.net.dial import text_of
from oneos.net.frames import (
    PREAMBLE_BYTES,
    PREAMBLE_CALLS,
    PREAMBLE_STREAM,
    WIRE_VERSION,
    Hello,
)
from oneos.net.links import CA_METHOD
from oneos.net.routes import Peer, Routes
from oneos.net.serving import ServingEnd
from oneos.net.streams import Streams
from oneos.net.tls import Contexts, IdentityProvider, peer_name

log = logging.getLogger(__name__)

_ACCEPT_PAUSE_S = 0.2


@dataclass(frozen=True)
class ServerStatistics:
    """Accepted connections: of this moment, and since the start."""

    links: int
    strangers: int
    handshakes: int
    accepted: int
    refused: int


class Server:
    """Listens, and serves calls and streams.

    Args:
        listen_host: an address of this host; `0.0.0.0` or `::` for all.
        port: 0 lets the system choose; see `port` after `start`.
        identity_provider: this host's identity, the same object until it changes.
        routes: what calls are answered; the server adds the public `network.ca`.
        streams: where stream connections go.
    """

    def __init__(
        self,
        listen_host: str,
        port: int,
        identity_provider: IdentityProvider,
        routes: Routes,
        streams: Streams,
    ) -> None:
        self.port = port
        self._listen_host = listen_host
        self._contexts = Contexts(identity_provider)
        self._routes = routes
        self._streams = streams
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._links: set[ServingEnd] = set()
        self._strangers: set[ServingEnd] = set()
        self._accepted = self._refused = 0
        routes.add(CA_METHOD, self._ca, None, public=True)

    async def start(self) -> None:
        """Listen.

        Raises:
            UserError: the port is taken (EADDRINUSE), or the address is not one of this host.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(
                self._listen_host,
                self.port,
                type=socket.SOCK_STREAM,
                flags=socket.AI_PASSIVE,
            )
        except (socket.gaierror, UnicodeError):
            raise UserError(f"{self._listen_host!r} is not an address of this host") from None
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        try:
            listener.setblocking(False)
            # A Runtime that was killed must be able to listen again at once.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            listener.bind(where)
            listener.listen(socket.SOMAXCONN)
        except OSError as error:
            listener.close()
            raise _listen_error(self._listen_host, self.port, error) from None
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._accepting = asyncio.create_task(self._accept(listener), name="accept")

    async def close(self) -> None:
        """Stop listening, end all links, and wait until they are gone. Streams are not touched."""
        tasks = [*self._handshakes]
        if self._accepting is not None:
            tasks.append(self._accepting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        links = [*self._links, *self._strangers]
        for link in links:
            link.close(NetworkError("this host is stopping"))
        if links:
            await asyncio.wait([link.closed for link in links], timeout=CONNECT_TIMEOUT_S)

    def drop(self, host: str) -> None:
        """End the accepted links of a host that has left; its handlers are cancelled."""
        for link in list(self._links):
            if link.peer.host == host:
                link.close(NetworkError(f"host {host} has left the network"))

    def statistics(self) -> ServerStatistics:
        """A snapshot of the counters."""
        return ServerStatistics(
            links=len(self._links),
            strangers=len(self._strangers),
            handshakes=len(self._handshakes),
            accepted=self._accepted,
            refused=self._refused,
        )

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, where = await loop.sock_accept(listener)
            except OSError as error:
                # Out of descriptors, or the caller went away while it queued.
                log.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(_ACCEPT_PAUSE_S)
                continue
            if len(self._handshakes) >= HANDSHAKES_MAX:
                self._refused += 1
                connection.close()
                continue
            task = asyncio.create_task(self._greet(connection, text_of(where)))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _greet(self, connection: socket.socket, address: str) -> None:
        """Find out what a new connection is, and hand it over; or close it."""
        handed_over = False
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
                preamble = await _read_preamble(connection)
                if preamble == PREAMBLE_CALLS:
                    await self._serve_calls(connection, address)
                    handed_over = True
                elif preamble == PREAMBLE_STREAM:
                    handed_over = True
                    await self._streams.accept(connection, self._contexts.server(), address)
                else:
                    raise NetworkError("it does not speak OneOS")
            self._accepted += 1
        except (OSError, TimeoutError, NetworkError) as error:
            self._refused += 1
            log.info("refused a connection from %s: %s", address, error or "too slow")
        except Exception:
            self._refused += 1
            log.exception("a connection from %s", address)
        finally:
            if not handed_over:
                connection.close()

    async def _serve_calls(self, connection: socket.socket, address: str) -> None:
        loop = asyncio.get_running_loop()
        # Who it is stands in the certificate, which is known once the handshake is done: that is,
        # when the protocol object is made. So it is made by the gate that knows.
        gate = _Gate(self, address)
        await loop.connect_accepted_socket(
            lambda: gate,
            connection,
            ssl=self._contexts.server(),
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
        )

    def admit(self, transport: asyncio.Transport, address: str) -> ServingEnd:
        """The protocol for a connection whose handshake is done.

        Raises:
            NetworkError: there is no room for it.
            AuthError: its certificate names no host.
        """
        peer = Peer(peer_name(transport.get_extra_info("ssl_object")), address)
        links, links_max, frame_bytes_max = self._links, LINKS_ACCEPTED_MAX, FRAME_BYTES_MAX
        if peer.host is None:
            links, links_max = self._strangers, ANONYMOUS_LINKS_MAX
            frame_bytes_max = ANONYMOUS_FRAME_BYTES_MAX
        if len(links) >= links_max:
            raise NetworkError(f"there are {links_max} links already")
        identity = self._contexts.identity()
        hello = Hello(WIRE_VERSION, identity.network, identity.host)
        link = ServingEnd(self._routes, peer, hello, frame_bytes_max, links.discard)
        links.add(link)
        if peer.host is None:
            end = link.loop.call_later(ANONYMOUS_LINK_S, link.close)
            link.closed.add_done_callback(lambda _: end.cancel())
        return link

    async def _ca(self, peer: Peer, argument: None) -> bytes:
        return self._contexts.identity().ca_pem


class _Gate(asyncio.BufferedProtocol):
    """Stands in until the handshake tells who the peer is, then passes everything on."""

    def __init__(self, server: Server, address: str) -> None:
        self._server = server
        self._address = address
        self._refused = bytearray(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        try:
            link = self._server.admit(transport, self._address)
        except (NetworkError, AuthError) as error:
            log.warning("refused a link from %s: %s", self._address, error.message)
            transport.abort()
            return
        transport.set_protocol(link)
        link.connection_made(transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._refused

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes of a connection that has been refused."""


async def _read_preamble(connection: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    preamble = b""
    # Never a byte more: what follows belongs to TLS.
    while len(preamble) < PREAMBLE_BYTES:
        piece = await loop.sock_recv(connection, PREAMBLE_BYTES - len(preamble))
        if not piece:
            raise NetworkError("it closed before it said what it is")
        preamble += piece
    return preamble


def _listen_error(host: str, port: int, error: OSError) -> UserError:
    if error.errno == errno.EADDRINUSE:
        hint = f"is OneOS running here already? find who listens: ss -ltnp 'sport = :{port}'"
        return UserError(f"port {port} of {host} is in use", errno=error.errno, hint=hint)
    if error.errno == errno.EACCES:
        hint = "ports below 1024 need root; choose a higher one"
        return UserError(f"may not listen on port {port}", errno=error.errno, hint=hint)
    return UserError(
        f"cannot listen at {host}:{port}: {os.strerror(error.errno or 0)}", errno=error.errno
    )
