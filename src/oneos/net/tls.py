"""TLS between Runtimes: the contexts, and what the other end's certificate says.

Everything is TLS 1.3 and verified against the network's own CA, never the system's. A server asks
for a client certificate but lets a stranger in without one, for joining; what a stranger may call
is decided by `routes`. A client demands that the server's certificate carries the name of the host
it meant. The one unverified context is `stranger_context()`, by which a joining host fetches the
CA it then compares with its token; no secret may be sent over it.
"""

import os
import ssl
from collections.abc import Callable
from typing import Any

from oneos.errors import AuthError, NetworkError
from oneos.ids import HostName
from oneos.net.identity import Identity

IdentityProvider = Callable[[], Identity]


def server_context(identity: Identity) -> ssl.SSLContext:
    """For accepting: shows our certificate, verifies the client's if it has one."""
    context = _base(ssl.PROTOCOL_TLS_SERVER, identity.ca_pem)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    context.verify_mode = ssl.CERT_OPTIONAL
    # A client that only sends would leave the tickets unread, and closing with unread bytes makes
    # the kernel reset the connection and drop what the other end has not read yet.
    context.num_tickets = 0
    return context


def client_context(identity: Identity) -> ssl.SSLContext:
    """For dialling: shows our certificate, demands the named host's."""
    context = _base(ssl.PROTOCOL_TLS_CLIENT, identity.ca_pem)
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    return context


def anonymous_context(ca_pem: bytes) -> ssl.SSLContext:
    """For joining: any host of the network with this CA may answer, and we show nothing."""
    context = _base(ssl.PROTOCOL_TLS_CLIENT, ca_pem)
    context.check_hostname = False
    return context


def stranger_context() -> ssl.SSLContext:
    """Verifies nothing. Only for fetching a CA certificate that is then checked by fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Contexts:
    """The contexts of the current identity, made again only when the identity has changed.

    The provider gives the same object until then: contexts read files and cost milliseconds.
    """

    def __init__(self, identity_provider: IdentityProvider) -> None:
        self._provider = identity_provider
        self._server: tuple[Identity, ssl.SSLContext] | None = None
        self._client: tuple[Identity, ssl.SSLContext] | None = None

    def identity(self) -> Identity:
        """The identity as it is now."""
        return self._provider()

    def server(self) -> ssl.SSLContext:
        """`server_context` of the current identity."""
        identity = self._provider()
        if self._server is None or self._server[0] is not identity:
            self._server = (identity, server_context(identity))
        return self._server[1]

    def client(self) -> ssl.SSLContext:
        """`client_context` of the current identity."""
        identity = self._provider()
        if self._client is None or self._client[0] is not identity:
            self._client = (identity, client_context(identity))
        return self._client[1]


def peer_name(connection: ssl.SSLObject | ssl.SSLSocket) -> HostName | None:
    """The host named by the verified certificate of the other end; None if it showed none.

    Raises:
        AuthError: the certificate is of the network, but does not name a host as ours do.
    """
    # The type stubs know only the shape that is common to all of a certificate's fields.
    certificate: dict[str, Any] | None = connection.getpeercert()
    if not certificate:
        return None
    names = [
        value
        for attributes in certificate.get("subject", ())
        for key, value in attributes
        if key == "commonName"
    ]
    alternatives = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
    if len(names) != 1 or alternatives != names:
        raise AuthError("the other end's certificate does not name one host")
    return HostName(names[0])


def check_peer(connection: ssl.SSLObject | ssl.SSLSocket, host: HostName) -> None:
    """Check that the other end is exactly `host`.

    TLS compares names without regard to case; two hosts of a network may differ by it alone.

    Raises:
        AuthError: it is another host.
    """
    name = peer_name(connection)
    if name != host:
        raise AuthError(f"host {name} answers where {host} should")


def refused(who: str) -> AuthError:
    """The other end does not accept our certificate; TLS 1.3 says so only after the handshake."""
    return AuthError(
        f"{who} refuses our certificate",
        hint="it belongs to another network, or the clocks of both hosts differ",
    )


def dial_error(who: str, where: str, error: BaseException) -> NetworkError:
    """What a failed dial means, in words.

    Args:
        who: whom we meant, as `host pi1`.
        where: the address, as `10.0.0.7:4100`.
        error: what the socket or the handshake raised.
    """
    if isinstance(error, NetworkError):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        hint = "it belongs to another network, or was made anew: join again"
        if error.verify_code in (9, 10):
            hint = "compare the clocks of both hosts"
        elif error.verify_code == 62:
            hint = "another host answers at this address"
        return AuthError(
            f"{who} at {where} is not who it should be: {error.verify_message}", hint=hint
        )
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return refused(f"{who} at {where}")
    if isinstance(error, ssl.SSLError):
        return NetworkError(
            f"what answers at {where} is not OneOS", hint="check the address and the port"
        )
    why = ""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        # Not `strerror` of the exception: asyncio puts the address there once more.
        why = f" ({os.strerror(error.errno)})"
    return NetworkError(
        f"{who} does not answer at {where}{why}", hint="is it running, and is the port open?"
    )


def _base(protocol: int, ca_pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cadata=ca_pem.decode("ascii"))
    return context
