"""A Runtime's connection to the engine: one at a time, renewed for ever.

It wraps nats-py for the wire protocol only. Each connection is a fresh nats-py client without its
reconnecting, which would send writes late that their callers gave up on; what is in flight when a
connection ends fails at once instead of by timeout. Subscriptions and the addresses outlive
connections. What the streams behind the subjects mean is left to `streams` and `log`.
"""

import asyncio
import contextlib
import errno
import itertools
import json
import logging
import os
import re
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from oneos.engine import subjects
from oneos.engine.transport import Transport
from oneos.errors import AuthError, NetworkError, OneOSError, Unknown, UserError
from oneos.limits import (
    CALL_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    ENGINE_NO_RESPONDERS_WAIT_S,
    ENGINE_PENDING_BYTES_MAX,
    ENGINE_PING_INTERVAL_S,
    ENGINE_PINGS_MAX,
    ENGINE_RECONNECT_WAITS_S,
    ENGINE_STRIKES_MAX,
    ENGINE_SUBSCRIPTION_MESSAGES_MAX,
)

log = logging.getLogger(__name__)

Address = tuple[str, int]
Handler = Callable[[Msg], None]

_PERMISSION = re.compile(r'publish to "([^"]*)"')


class Subscription:
    """Interest in a subject, kept over reconnections. Messages of a gap are not repeated."""

    def __init__(self, engine: "Engine", subject: str, handler: Handler) -> None:
        self.subject = subject
        self.handler = handler
        self._engine = engine
        self._client: Client | None = None
        self._on_wire: Any = None

    async def close(self) -> None:
        """Stop receiving. Doing so twice is harmless."""
        await self._engine._unsubscribe(self)


class Engine:
    """A connection to the engine. Made by `connect`.

    Attributes:
        host: who we are; the certificate says the same.
        address: of the server we are connected to, or None.
        connections: how many there were so far.
        core: whether the server takes us for a core host, which may change streams.
        on_disconnected, on_reconnected: callbacks without arguments; they must not wait.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        context: ssl.SSLContext,
        host: str,
        voters: Collection[str] | None,
    ) -> None:
        self.host = host
        self.address: Address | None = None
        self.connections = 0
        self.core = False
        self.on_disconnected: list[Callable[[], None]] = []
        self.on_reconnected: list[Callable[[], None]] = []
        self._addresses = list(addresses)
        self._context = context
        self._voters = voters
        self._client: Client | None = None
        self._transport: Transport | None = None
        self._up = asyncio.Event()
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self._strikes = 0
        self._last_error: Exception | None = None
        # A new one at each start: answers to questions of an earlier life must find nobody.
        self._inbox = f"{subjects.INBOX}.{subjects.encode_token(host)}.{os.urandom(6).hex()}"
        self._tokens = itertools.count(1)
        self._replies: dict[str, Handler] = {}
        self._waiting: dict[asyncio.Future[Msg], str] = {}
        self._subscriptions: list[Subscription] = []

    @classmethod
    async def connect(
        cls,
        addresses: Sequence[Address],
        ca: str | os.PathLike[str],
        cert: str | os.PathLike[str],
        key: str | os.PathLike[str],
        name: str,
        *,
        voters: Collection[str] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> "Engine":
        """Connect to the first server that answers, and stay connected until `close`.

        Args:
            addresses: (address, client port) of the voters, the preferred one first.
            ca, cert, key: PEM files; the certificate names this host.
            name: this host.
            voters: hosts that may be servers; None accepts any host of the network.

        Raises:
            AuthError: a server refused us, or is not who it should be.
            NetworkError: none answered within `timeout_s`.
            UserError: the certificates cannot be read.
        """
        engine = cls(addresses, _context(ca, cert, key), name, voters)
        engine._keeper = asyncio.create_task(engine._keep(), name="engine connection")
        try:
            async with asyncio.timeout(timeout_s):
                await engine._up.wait()
        except TimeoutError:
            await engine.close()
            raise engine._unreachable(timeout_s) from None
        except BaseException:
            await engine.close()
            raise
        return engine

    @property
    def api(self) -> str:
        """The prefix of the management API's subjects for us."""
        return subjects.API if self.core else subjects.EDGE_API

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    @property
    def closed(self) -> bool:
        """Whether `close` was called: there will be no further connection."""
        return self._closed

    async def close(self) -> None:
        """Disconnect for good. Doing so twice is harmless."""
        self._closed = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait((keeper,))
        with _cancellable():
            await self._drop()

    def set_addresses(
        self, addresses: Sequence[Address], voters: Collection[str] | None = None
    ) -> None:
        """Use these servers from now on; moves at once when the present one is not among them.

        Args:
            addresses, voters: as in `connect`.
        """
        self._addresses = list(addresses)
        self._voters = voters
        if self.address is not None and self.address not in self._addresses:
            self.reconnect()

    def reconnect(self) -> None:
        """Give up the present connection; a new one is made at once."""
        if self._transport is not None:
            self._transport.close()

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until there is a connection.

        Raises:
            NetworkError: there was none in time.
        """
        if self._up.is_set():
            return
        if self._closed:
            raise NetworkError("the connection to the engine is closed")
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise self._unreachable(timeout_s) from None

    async def request(
        self,
        subject: str,
        data: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> Msg:
        """Send a message and return the answer to it.

        While nobody serves the subject (a stream without leader), the message was taken by nobody,
        so it is sent again until the time is up. In all other cases it is sent once.

        Raises:
            NetworkError: it was not taken: no connection, or nobody serves the subject.
            Unknown: it was sent and no answer came, so it may or may not have been acted on.
            AuthError: this host may not publish to the subject.
            UserError: it is larger than the engine takes.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            left = deadline - loop.time()
            await self.wait_connected(max(left, 0.0))
            answer = await self._ask(subject, data, headers, max(deadline - loop.time(), 0.001))
            if not (answer.headers and answer.headers.get("Status") == "503"):
                self._strikes = 0
                return answer
            if deadline - loop.time() >= ENGINE_NO_RESPONDERS_WAIT_S:
                await asyncio.sleep(ENGINE_NO_RESPONDERS_WAIT_S)
            # Nobody took it so far; one that is sent too late to be answered may be taken.
            if deadline - loop.time() < ENGINE_NO_RESPONDERS_WAIT_S:
                raise NetworkError(
                    f"no server of the engine serves {subject}",
                    hint="are most voters up? see: oneos status",
                )

    async def _ask(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_s: float
    ) -> Msg:
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        def resolve(message: Msg) -> None:
            if not future.done():
                future.set_result(message)

        with self.reply_to(resolve) as reply:
            self._waiting[future] = subject
            try:
                await self.publish(subject, data, headers=headers, reply=reply)
                async with asyncio.timeout(timeout_s):
                    return await future
            except TimeoutError:
                self.strike()
                raise Unknown(
                    f"the engine did not answer within {timeout_s:.3g} s", errno=errno.ETIMEDOUT
                ) from None
            finally:
                self._waiting.pop(future, None)

    @contextlib.contextmanager
    def reply_to(self, handler: Handler) -> Iterator[str]:
        """A subject for answers, while the context lasts; `handler` must not wait."""
        token = str(next(self._tokens))
        self._replies[token] = handler
        try:
            yield f"{self._inbox}.{token}"
        finally:
            del self._replies[token]

    async def publish(
        self,
        subject: str,
        data: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        reply: str = "",
    ) -> None:
        """Send a message, with nothing known of its arrival.

        Raises:
            NetworkError: there is no connection.
            UserError: it is larger than the engine takes.
        """
        client = self._client
        if client is None or not self._up.is_set():
            raise NetworkError("the engine is not connected")
        try:
            with _cancellable():
                await client.publish(
                    subject, data, reply=reply, headers=dict(headers or {}) or None
                )
        except nats.errors.MaxPayloadError:
            raise UserError(
                f"a message of {len(data)} bytes is larger than the engine takes",
                errno=errno.EMSGSIZE,
            ) from None
        except (nats.errors.Error, OSError) as error:
            raise NetworkError(f"the engine is not connected: {error}") from None

    async def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """Receive messages, from when the present server knows of it; `handler` must not wait."""
        subscription = Subscription(self, subject, handler)
        self._subscriptions.append(subscription)
        client = self._client
        if client is not None and self._up.is_set():
            try:
                with _cancellable():
                    await self._put_on_wire(client, subscription)
                    await self._round_trip(client)
            except (nats.errors.Error, OSError, Unknown):
                pass  # The connection ended, and the next one subscribes.
            except BaseException:
                await self._unsubscribe(subscription)
                raise
        return subscription

    async def _put_on_wire(self, client: Client, subscription: Subscription) -> None:
        async def deliver(message: Msg) -> None:
            subscription.handler(message)

        subscription._client = client
        subscription._on_wire = await client.subscribe(
            subscription.subject,
            cb=deliver,
            pending_msgs_limit=ENGINE_SUBSCRIPTION_MESSAGES_MAX,
            pending_bytes_limit=ENGINE_PENDING_BYTES_MAX,
        )

    async def _unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            with contextlib.suppress(nats.errors.Error, OSError), _cancellable():
                if subscription._on_wire is not None:
                    await subscription._on_wire.unsubscribe()

    # --- the connection ---------------------------------------------------------------------

    async def _keep(self) -> None:
        """Connect; when the connection ends, connect again."""
        attempt = 0
        while not self._closed:
            # A copy: `set_addresses` may come while we try.
            for address in list(self._addresses):
                if await self._try(address):
                    attempt = 0
                    await self._lost.wait()
                    self._went_down()
                    await self._drop()
                    self._rotate(address)
                    break
            else:
                wait_s = ENGINE_RECONNECT_WAITS_S[min(attempt, len(ENGINE_RECONNECT_WAITS_S) - 1)]
                attempt += 1
                await asyncio.sleep(wait_s)

    async def _try(self, address: Address) -> bool:
        self._lost.clear()
        self._transport = transport = Transport(self._voters, self._lost.set)
        self._client = client = Client()
        # nats-py makes its own kind of transport only when it finds none.
        client._transport = transport
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                with _cancellable():
                    await self._dial(client, address)
        except (nats.errors.Error, OneOSError, OSError, TimeoutError) as error:
            if not isinstance(error, nats.errors.NoServersError):
                self._last_error = error
            elif client.last_error is not None:
                self._last_error = client.last_error
            await self._drop()
            return False
        except BaseException:
            await self._drop()
            raise
        if self._lost.is_set() or address not in self._addresses:
            await self._drop()
            return False
        self.address = address
        self.connections += 1
        self._strikes = 0
        self._up.set()
        if self.connections > 1:
            _call(self.on_reconnected)
        return True

    async def _dial(self, client: Client, address: Address) -> None:
        await client.connect(
            servers=[_url(address)],
            error_cb=self._on_error,
            name=self.host,
            allow_reconnect=False,
            # Attempts are ours to make: with these two it gives up at once.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=int(CONNECT_TIMEOUT_S),
            ping_interval=int(ENGINE_PING_INTERVAL_S),
            max_outstanding_pings=ENGINE_PINGS_MAX,
            tls=self._context,
            inbox_prefix=self._inbox,
            pending_size=ENGINE_PENDING_BYTES_MAX,
        )
        await client.subscribe(
            f"{self._inbox}.*",
            cb=self._on_reply,
            pending_msgs_limit=ENGINE_SUBSCRIPTION_MESSAGES_MAX,
            pending_bytes_limit=ENGINE_PENDING_BYTES_MAX,
        )
        answer = json.loads((await self._round_trip(client)).data)
        self.core = (answer.get("data") or {}).get("account") == subjects.CORE_ACCOUNT
        # Each wait gives time for new ones, so look again until none is missing.
        while missing := [each for each in self._subscriptions if each._client is not client]:
            for subscription in missing:
                await self._put_on_wire(client, subscription)
            await self._round_trip(client)

    async def _round_trip(self, client: Client) -> Msg:
        """Ask the server who it takes us for; what was sent before is in force when it answers.

        nats-py's `flush` is not used: the answer to one that was cancelled ends its reading, and
        the connection hears nothing more until its pings have timed out.
        """
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()

        def resolve(message: Msg) -> None:
            if not answer.done():
                answer.set_result(message)

        self._waiting[answer] = subjects.WHO_AM_I
        try:
            with self.reply_to(resolve) as reply:
                await client.publish(subjects.WHO_AM_I, reply=reply)
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await answer
        finally:
            del self._waiting[answer]

    def _went_down(self) -> None:
        self._up.clear()
        self.address = None
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(
                    Unknown("the connection to the engine broke off", errno=errno.ECONNRESET)
                )
        if not self._closed:
            _call(self.on_disconnected)

    async def _drop(self) -> None:
        """End the present nats-py client, whatever state it is in."""
        transport, self._transport = self._transport, None
        client, self._client = self._client, None
        if transport is not None:
            transport.close()
        if client is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await client.close()
        if self._up.is_set():
            self._went_down()

    def _rotate(self, address: Address) -> None:
        """Try the server that we just lost last."""
        if len(self._addresses) > 1 and self._addresses[0] == address:
            self._addresses.append(self._addresses.pop(0))

    def strike(self) -> None:
        """Count a question without answer: a server cut off from the others answers none."""
        self._strikes += 1
        if self._strikes >= ENGINE_STRIKES_MAX and len(self._addresses) > 1:
            log.info("%s does not answer; trying another server", self.address)
            self.reconnect()

    async def _on_reply(self, message: Msg) -> None:
        handler = self._replies.get(message.subject.rpartition(".")[2])
        if handler is not None:
            handler(message)

    async def _on_error(self, error: Exception) -> None:
        """What nats-py reports beside a call: the server's refusals, and its own troubles."""
        refused = _PERMISSION.search(str(error))
        if refused is None:
            log.debug("engine connection: %s", error)
            return
        for future, subject in list(self._waiting.items()):
            if subject.lower() == refused.group(1) and not future.done():
                future.set_exception(
                    AuthError(f"host {self.host} may not publish to {subject}", errno=errno.EACCES)
                )

    def _unreachable(self, timeout_s: float) -> OneOSError:
        error = self._last_error
        places = ", ".join(f"{host}:{port}" for host, port in self._addresses)
        if isinstance(error, OneOSError):
            return error
        if error is not None and "uthorization" in str(error):
            return AuthError(
                f"the engine at {places} does not know host {self.host}",
                hint="join the network first: oneos join",
            )
        if isinstance(error, ssl.SSLCertVerificationError):
            return AuthError(f"the engine at {places} is not of this network: {error.reason}")
        reason = f": {error}" if error is not None and str(error) else ""
        return NetworkError(
            f"no server of the engine at {places} within {timeout_s:.3g} s{reason}",
            errno=errno.EHOSTUNREACH,
            hint="is a core host up? see: oneos status",
        )


@contextlib.contextmanager
def _cancellable() -> Iterator[None]:
    """Be cancelled where nats-py swallowed it: it does so in several places when it writes."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def _call(callbacks: Sequence[Callable[[], None]]) -> None:
    for callback in list(callbacks):
        try:
            callback()
        except Exception:
            log.exception("a callback of the engine failed")


def _url(address: Address) -> str:
    host, port = address
    return f"tls://[{host}]:{port}" if ":" in host else f"tls://{host}:{port}"


def _context(
    ca: str | os.PathLike[str], cert: str | os.PathLike[str], key: str | os.PathLike[str]
) -> ssl.SSLContext:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Certificates name hosts, and we dial addresses: `Transport` compares with the voters.
        context.check_hostname = False
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(Path(ca))
        context.load_cert_chain(Path(cert), Path(key))
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"cannot read the certificates of this host: {error}") from None
    return context
