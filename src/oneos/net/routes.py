"""Which calls a Runtime answers, and to whom.

A route is a method's name, its handler, and the type its argument must have. Who may call it is
decided here once: a host of the network may call everything, a stranger only what is marked
`public`. What a handler raises becomes one of the errors of `oneos.errors`: an exception that is
none is a bug at this end, is logged here and crosses as InternalError.
"""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from oneos.errors import (
    AuthError,
    FileError,
    InternalError,
    NetworkError,
    OneOSError,
    UserError,
)
from oneos.ids import HostName
from oneos.unreadable import UNREADABLE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Peer:
    """Who calls: the host its certificate names, or None for a stranger; and from where."""

    host: HostName | None
    address: str

    def __str__(self) -> str:
        return f"host {self.host}" if self.host else f"a stranger at {self.address}"


Handler = Callable[[Peer, Any], Awaitable[Any]]


@dataclass(frozen=True)
class _Route:
    handler: Handler
    decoder: msgspec.msgpack.Decoder[Any]
    public: bool


class Members(Protocol):
    """Who is one of the network."""

    def knows(self, host: HostName) -> bool:
        """Whether it is one, as far as is known here."""
        ...

    async def admit(self, host: HostName) -> None:
        """Wait for the news that it is one. Raises OneOSError when none comes."""
        ...


class Routes:
    """The methods of one Runtime.

    Attributes:
        members: asked before a call of another host is handled; set by who knows them.
    """

    def __init__(self) -> None:
        self.members: Members | None = None
        self._routes: dict[str, _Route] = {}
        self._finishing: set[asyncio.Task[Any]] = set()

    def add(
        self,
        method: str,
        handler: Handler,
        argument_type: Any,
        *,
        public: bool = False,
        finish: bool = False,
    ) -> None:
        """Answer `method` with `handler`.

        Args:
            method: the name, as `storage.read`; unique.
            handler: `async def(peer, argument) -> result`. It is cancelled when the caller gives
                up or its connection breaks.
            argument_type: what msgspec decodes the argument to; None for no argument.
            public: strangers may call it too.
            finish: once begun it is done to its end, also when nobody waits for it any more.
        """
        if method in self._routes:
            raise InternalError(f"the method {method} is there twice")
        if finish:
            handler = self._finished(handler)
        self._routes[method] = _Route(handler, decoder_of(argument_type), public)

    def decode(self, peer: Peer, method: str, body: msgspec.Raw) -> tuple[Handler, Any]:
        """The handler for a call that came by a link, and its argument.

        Raises:
            UserError: there is no such method (ENOSYS), or the argument is not of its type.
            AuthError: a stranger called what is not public.
        """
        route = self._find(peer, method)
        try:
            argument = route.decoder.decode(body)
        except UNREADABLE as error:
            raise UserError(f"the argument of {method} from {peer} is wrong: {error}") from None
        members = self.members
        if members is None or route.public or peer.host is None or members.knows(peer.host):
            return route.handler, argument
        return _admitted(members, peer.host, route.handler), argument

    def find(self, peer: Peer, method: str) -> Handler:
        """The handler for a call from this host itself. Raises as `decode`."""
        return self._find(peer, method).handler

    def _finished(self, handler: Handler) -> Handler:
        async def finished(peer: Peer, argument: Any) -> Any:
            task = asyncio.ensure_future(handler(peer, argument))
            self._finishing.add(task)
            task.add_done_callback(self._done)
            return await asyncio.shield(task)

        return finished

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._finishing.discard(task)
        if not task.cancelled():
            # Looked at, also where the caller has gone: an error nobody saw would be a warning.
            task.exception()

    def _find(self, peer: Peer, method: str) -> _Route:
        route = self._routes.get(method)
        # A stranger does not learn which methods there are.
        if peer.host is None and (route is None or not route.public):
            raise AuthError(
                f"{peer} may not call {method}", hint="join the network first: `oneos join`"
            )
        if route is None:
            raise UserError(
                f"this host does not know the method {method}",
                errno=errno.ENOSYS,
                hint="are all hosts on the same version of OneOS?",
            )
        return route


def _admitted(members: Members, host: HostName, handler: Handler) -> Handler:
    async def handle(peer: Peer, argument: Any) -> Any:
        await members.admit(host)
        return await handler(peer, argument)

    return handle


async def answer(handler: Handler, peer: Peer, method: str, argument: Any) -> Any:
    """Run a handler; whatever goes wrong in it comes out as an OneOSError."""
    try:
        return await handler(peer, argument)
    except OneOSError:
        raise
    except OSError as error:
        if error.errno is None:
            raise NetworkError(f"{method} failed: {error or type(error).__name__}") from error
        # The kernel's word on a file, such as ENOSPC, is what the program there has to see.
        raise FileError(error.errno, hint=f"{method} at this host") from error
    except Exception as error:
        log.exception("%s from %s failed", method, peer)
        raise InternalError(
            f"{method} failed: {type(error).__name__}: {error}",
            hint="the log of the host that was asked has the details",
        ) from None


@lru_cache(maxsize=512)
def decoder_of(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """One decoder a type, kept: making one costs more than using it."""
    return msgspec.msgpack.Decoder(kind)
