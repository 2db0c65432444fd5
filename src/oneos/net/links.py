"""Calls to other hosts: which link they take, and dialling it.

A caller names a host and gets an answer or an error; where the host is, `resolve` says. There are
two links a host: bulk data has its own, so that a small call never queues behind megabytes. Links
are dialled on demand, one dial at a time, and kept until they break or the host is dropped. A call
to this host itself goes straight to its routes: its argument and result are passed as they are.
"""

import asyncio
import errno
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oneos.errors import AuthError, NetworkError, OneOSError, Unknown
from oneos.ids import HostName
from oneos.limits import (
    BULK_CALLS_IN_FLIGHT_MAX,
    CALL_TIMEOUT_S,
    CALLS_IN_FLIGHT_MAX,
    CONNECT_TIMEOUT_S,
)
from oneos.net.calling import CallingEnd, NotSent
from oneos.net.dial import Address, open_socket, text_of
from oneos.net.frames import PREAMBLE_CALLS, WIRE_VERSION, Hello
from oneos.net.pki import fingerprint
from oneos.net.routes import Peer, Routes, answer, decoder_of
from oneos.net.tls import Contexts, IdentityProvider, check_peer, dial_error, stranger_context

Resolve = Callable[[HostName], Address | None]

CA_METHOD = "network.ca"
"""The public method by which a stranger fetches the CA certificate (PEM, as bytes)."""


@dataclass(frozen=True)
class LinksStatistics:
    """What the links have done since the start; `links` and `in_flight` are of this moment."""

    links: int
    in_flight: int
    dials: int
    dials_failed: int
    calls: int
    calls_local: int
    bytes_in: int
    bytes_out: int


class Links:
    """All links from this host to others.

    Args:
        identity_provider: this host's identity, the same object until it changes.
        resolve: where a host is, or None if it is not in the network.
        routes: what calls to this host itself are answered by.
    """

    def __init__(
        self, identity_provider: IdentityProvider, resolve: Resolve, routes: Routes
    ) -> None:
        self._contexts = Contexts(identity_provider)
        self._resolve = resolve
        self._routes = routes
        self._links: dict[tuple[HostName, bool], CallingEnd] = {}
        self._dials: dict[tuple[HostName, bool], asyncio.Task[CallingEnd]] = {}
        self._closed = False
        self._dials_done = self._dials_failed = self._calls = self._calls_local = 0
        self._bytes_in = self._bytes_out = 0

    async def call(
        self,
        host: HostName,
        method: str,
        argument: Any,
        reply_type: Any,
        *,
        timeout_s: float | None = CALL_TIMEOUT_S,
        bulk: bool = False,
    ) -> Any:
        """Have `host` do `method`, and return what it answers.

        Args:
            host: any host of the network, this one too.
            method: as it was added to the routes there.
            argument: what msgspec can encode, of the type the route expects.
            reply_type: what msgspec decodes the answer to.
            timeout_s: for everything, dialling included; None waits as long as the host lives.
            bulk: take the link for large data.

        Raises:
            NetworkError: the host is not known or does not answer; nothing was sent.
            AuthError: it is not who it should be, or does not let us in; nothing was sent.
            Unknown: the link broke, or the time was over, after the call was sent.
            OneOSError: what the handler there raised.
        """
        self._calls += 1
        if host == self._contexts.identity().host:
            return await self._call_here(host, method, argument, timeout_s)
        decoder = decoder_of(reply_type)
        loop = asyncio.get_running_loop()
        deadline_s = None if timeout_s is None else loop.time() + timeout_s
        for _ in range(2):
            link = self._links.get((host, bulk))
            if link is None:
                link = await self._dial_within(host, bulk, deadline_s)
            left_s = None if deadline_s is None else max(0.0, deadline_s - loop.time())
            try:
                return await link.call(method, argument, decoder, left_s)
            except NotSent:
                # The cached link had ended: once more over a new one, since nothing went out.
                continue
        raise NetworkError(f"host {host} broke off twice before {method} was sent")

    def drop(self, host: HostName) -> None:
        """End the links to a host that has left; calls in flight fail with Unknown."""
        for bulk in (False, True):
            dial = self._dials.pop((host, bulk), None)
            if dial is not None:
                dial.cancel()
            link = self._links.pop((host, bulk), None)
            if link is not None:
                link.close(NetworkError(f"host {host} has left the network"))

    async def close(self) -> None:
        """End all links, and wait until they are gone."""
        self._closed = True
        dials = list(self._dials.values())
        for dial in dials:
            dial.cancel()
        await asyncio.gather(*dials, return_exceptions=True)
        links = list(self._links.values())
        for link in links:
            link.close(NetworkError("this host is stopping"))
        if links:
            await asyncio.wait([link.closed for link in links], timeout=CONNECT_TIMEOUT_S)

    def statistics(self) -> LinksStatistics:
        """A snapshot of the counters."""
        links = self._links.values()
        return LinksStatistics(
            links=len(links),
            in_flight=sum(link.in_flight for link in links),
            dials=self._dials_done,
            dials_failed=self._dials_failed,
            calls=self._calls,
            calls_local=self._calls_local,
            bytes_in=self._bytes_in + sum(link.bytes_in for link in links),
            bytes_out=self._bytes_out + sum(link.bytes_out for link in links),
        )

    async def _call_here(
        self, host: HostName, method: str, argument: Any, timeout_s: float | None
    ) -> Any:
        self._calls_local += 1
        peer = Peer(host, "here")
        handler = self._routes.find(peer, method)
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await answer(handler, peer, method, argument)
        except TimeoutError:
            raise Unknown(
                f"{method} at this host was not done within {timeout_s:g} s",
                errno=errno.ETIMEDOUT,
            ) from None

    async def _dial_within(
        self, host: HostName, bulk: bool, deadline_s: float | None
    ) -> CallingEnd:
        key = (host, bulk)
        dial = self._dials.get(key)
        if dial is None:
            if self._closed:
                raise NetworkError("this host is stopping")
            dial = asyncio.create_task(self._dial(host, bulk), name=f"dial {host}")
            self._dials[key] = dial
            dial.add_done_callback(lambda done: self._dialled(key, done))
        try:
            async with asyncio.timeout_at(deadline_s):
                # Shielded: others wait for the same dial.
                return await asyncio.shield(dial)
        except TimeoutError:
            raise NetworkError(f"host {host} did not answer in time") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if dial.cancelled() and not (task and task.cancelling()):
                raise NetworkError(f"host {host} has left the network") from None
            raise

    async def _dial(self, host: HostName, bulk: bool) -> CallingEnd:
        address = self._resolve(host)
        if address is None:
            raise NetworkError(
                f"there is no host {host} in the network", hint="see who is: oneos status"
            )
        in_flight_max = BULK_CALLS_IN_FLIGHT_MAX if bulk else CALLS_IN_FLIGHT_MAX
        link = await dial(address, self._contexts.client(), host, in_flight_max)
        link.closed.add_done_callback(lambda _: self._lost((host, bulk), link))
        self._links[host, bulk] = link
        return link

    def _dialled(self, key: tuple[HostName, bool], dial: asyncio.Task[CallingEnd]) -> None:
        if self._dials.get(key) is dial:
            del self._dials[key]
        self._dials_done += 1
        # Looked at even where every caller has been cancelled: an error nobody saw is a warning.
        if dial.cancelled() or dial.exception() is not None:
            self._dials_failed += 1

    def _lost(self, key: tuple[HostName, bool], link: CallingEnd) -> None:
        self._bytes_in += link.bytes_in
        self._bytes_out += link.bytes_out
        if self._links.get(key) is link:
            del self._links[key]


async def dial(
    address: Address,
    context: ssl.SSLContext,
    host: HostName | None,
    in_flight_max: int = CALLS_IN_FLIGHT_MAX,
) -> CallingEnd:
    """A link to whoever answers at `address`.

    Args:
        address: (host name or IP address, port).
        context: of `tls`: with our certificate, or anonymous.
        host: who it must be; None where the context does not check names.
        in_flight_max: unanswered calls on the link.

    Raises:
        NetworkError: it does not answer within CONNECT_TIMEOUT_S, or is not OneOS.
        AuthError: it is another host or network, or refuses our certificate.
    """
    loop = asyncio.get_running_loop()
    who, where = f"host {host}" if host else "the host", text_of(address)
    link: CallingEnd | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            connection = await open_socket(address, PREAMBLE_CALLS)
            try:
                transport, link = await loop.create_connection(
                    lambda: CallingEnd(f"{who} at {where}", in_flight_max),
                    sock=connection,
                    ssl=context,
                    server_hostname=host or "",
                )
            except BaseException:
                connection.close()
                raise
            if host is not None:
                check_peer(transport.get_extra_info("ssl_object"), host)
            _check_hello(await link.hello, who, where)
            return link
    except BaseException as error:
        if link is not None:
            link.close()
        if isinstance(error, TimeoutError):
            raise NetworkError(
                f"{who} does not answer at {where} within {CONNECT_TIMEOUT_S:g} s",
                errno=errno.ETIMEDOUT,
                hint="is it running, and does a firewall let the port through?",
            ) from None
        if isinstance(error, OSError | OneOSError):
            raise dial_error(who, where, error) from None
        raise


async def call_address(
    address: Address,
    method: str,
    argument: Any,
    reply_type: Any,
    *,
    context: ssl.SSLContext,
    host: HostName | None = None,
    timeout_s: float = CALL_TIMEOUT_S,
) -> Any:
    """One call over a link of its own: for a host that is not in the network yet.

    Raises as `dial` and `Links.call`.
    """
    link = await dial(address, context, host)
    try:
        return await link.call(method, argument, decoder_of(reply_type), timeout_s)
    except NotSent:
        raise link.error or NetworkError(f"{link.who} broke off") from None
    finally:
        link.close()
        await link.closed


async def fetch_ca(address: Address, expected_fingerprint: str) -> bytes:
    """The CA certificate (PEM) of the network at `address`, if it is the one a token names.

    Nothing else is sent: the connection is not verified until the fingerprint is.

    Raises:
        AuthError: another network answers.
        NetworkError: nobody answers, or not OneOS.
    """
    ca_pem = await call_address(address, CA_METHOD, None, bytes, context=stranger_context())
    if fingerprint(ca_pem) != expected_fingerprint:
        raise AuthError(
            f"the network at {text_of(address)} is not the one this token is for",
            hint="check the address, or get a token from a host of that network",
        )
    return bytes(ca_pem)


def _check_hello(hello: Hello, who: str, where: str) -> None:
    if hello.version != WIRE_VERSION:
        raise NetworkError(
            f"{who} at {where} speaks version {hello.version} of the protocol, "
            f"this host {WIRE_VERSION}",
            errno=errno.EPROTO,
            hint="install the same version of OneOS on all hosts",
        )
