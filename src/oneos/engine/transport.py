"""One connection to one server, as nats-py needs it, with three things it leaves open.

The end of the connection is told from here and once, because nats-py loses its own callback when
the last bytes cannot be written. Closing never waits for a peer that may be dead. And the server
must show the certificate of a voter before it hears anything: any host of the network has a
certificate of the same CA, and must not pass for a server.
"""

import asyncio
import ssl
from collections.abc import Callable, Collection
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

from oneos.errors import AuthError
from oneos.limits import ENGINE_DRAIN_TIMEOUT_S


class Transport(TcpTransport):
    """A TCP connection that becomes TLS.

    Args:
        voters: hosts whose certificate is accepted, or None for any of the network.
        on_lost: called once, when the connection has ended for whatever reason.
    """

    def __init__(self, voters: Collection[str] | None, on_lost: Callable[[], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._voters = voters
        self._on_lost = on_lost
        self._lost = False

    def __bool__(self) -> bool:
        # nats-py replaces a transport that is false by one of its own, even before it connects.
        return True

    async def connect_tls(
        self,
        uri: str | ParseResult,
        ssl_context: ssl.SSLContext,
        buffer_size: int,
        connect_timeout: int,
    ) -> None:
        """Continue the connection as TLS.

        Raises:
            AuthError: the server is not one of the voters.
        """
        assert self._io_writer is not None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = _Protocol(reader)
        tls = await asyncio.wait_for(
            loop.start_tls(
                self._io_writer.transport,
                protocol,
                ssl_context,
                server_hostname=uri if isinstance(uri, str) else uri.hostname,
            ),
            connect_timeout,
        )
        if tls is None:
            raise ConnectionResetError("the server hung up")
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(tls, protocol, reader, loop)
        if self._voters is None:
            return
        certificate = tls.get_extra_info("peercert") or {}
        names = {name for kind, name in certificate.get("subjectAltName", ()) if kind == "DNS"}
        if names.isdisjoint(self._voters):
            self.close()
            raise AuthError(
                f"the server shows the certificate of {', '.join(sorted(names)) or 'nobody'}, "
                "which is not a voter"
            )

    async def read(self, buffer_size: int) -> bytes:
        try:
            data: bytes = await super().read(buffer_size)
        except OSError:
            self._end()
            raise
        if not data:
            self._end()
        return data

    async def drain(self) -> None:
        """Wait until the peer has taken enough; a peer that does not is given up.

        It raises nothing: whoever writes learns of the end from the reading side.
        """
        try:
            async with asyncio.timeout(ENGINE_DRAIN_TIMEOUT_S):
                await super().drain()  # type: ignore[no-untyped-call]
        except (OSError, TimeoutError):
            self.close()

    def close(self) -> None:
        """Drop the connection at once: TLS's farewell would wait for a peer that may be dead."""
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()
        self._end()

    def _end(self) -> None:
        if not self._lost:
            self._lost = True
            self._on_lost()


class _Protocol(asyncio.StreamReaderProtocol):
    def eof_received(self) -> bool:
        """TLS cannot stay half open; asyncio warns when it is asked to."""
        super().eof_received()
        return False
