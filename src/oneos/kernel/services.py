"""How a Runtime talks to the Kernel Agents, wherever they run at the moment.

A service is found in the control state: which host holds it, with which epoch. Each message
carries that epoch; a Runtime that is not (or no longer) the holder in that epoch answers ESTALE,
and the caller reads the placement again. So a fail-over shows as a wait, bounded by the call's
limit, and an old holder's answer is never taken for the new one's.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from oneos.actor.actor import Actor
from oneos.errors import Fenced, NetworkError, OneOSError, Unknown
from oneos.ids import Epoch, HostName
from oneos.kernel.control_log import ControlLog
from oneos.limits import CALL_TIMEOUT_S, SERVICE_RETRY_S
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.state.control_types import Placement

R = TypeVar("R")


class Ask(Struct, frozen=True, array_like=True):
    """A message to a Kernel Agent, with the epoch the sender believes in."""

    epoch: int
    body: msgspec.Raw


@dataclass(frozen=True, slots=True)
class AskHere:
    """The same at this host, which passes it on as it is."""

    epoch: int
    body: Struct


class Services:
    """The callers' side.

    Args:
        control: says who holds what.
        links: the connections to other Runtimes.
    """

    def __init__(self, control: ControlLog, links: Links) -> None:
        self._control = control
        self._links = links

    async def ask(
        self,
        service: str,
        message: Struct,
        reply: Callable[..., R] | Any,
        *,
        idempotent: bool = True,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> R:
        """Send a message to a Kernel Agent and return its answer.

        Args:
            service: its name, such as "filesystem".
            message: one of the structs the service takes.
            reply: the type of the answer.
            idempotent: whether asking twice does no harm; if not, an answer that was lost is
                reported as `Unknown` rather than asked for again.
            timeout_s: how long to look for a holder that answers.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        last: OneOSError | None = None
        while (left := deadline - clock()) > 0:
            self._check_member()
            placed = self._control.machine.holder(service)
            if placed is None:
                last = NetworkError(
                    f"no host runs the {service} service now",
                    hint="which hosts may run it: oneos manifest; which are up: oneos status",
                )
            else:
                ask: Ask | AskHere
                if placed.host == self._control.host:
                    ask = AskHere(placed.epoch, message)
                else:
                    body = msgspec.Raw(msgspec.msgpack.encode(message))
                    ask = Ask(placed.epoch, body)
                try:
                    answer: R = await self._links.call(
                        placed.host,
                        f"service.{service}",
                        ask,
                        reply,
                        timeout_s=left,
                    )
                    return answer
                except Fenced as error:
                    last = error
                except Unknown as error:
                    if not idempotent:
                        raise
                    last = error
                except NetworkError as error:
                    last = error
            await self._news(placed, min(SERVICE_RETRY_S, max(deadline - clock(), 0)))
        assert last is not None
        raise NetworkError(
            f"the {service} service did not answer for {timeout_s:g} s: {last.message}",
            errno=errno.EHOSTUNREACH,
            hint=last.hint or "which hosts are up: oneos status",
        )

    def _check_member(self) -> None:
        """Nobody answers a host that was given up, and waiting would not change that."""
        member = self._control.state.members.get(self._control.host)
        if member is not None and member.state in ("dead", "left"):
            raise NetworkError(
                f"the network counts this host as {member.state}", errno=errno.ESTALE
            )

    async def _news(self, seen: Placement | None, timeout_s: float) -> None:
        """Wait a little, less if the placement changes meanwhile."""
        try:
            await self._control.wait_for(lambda: self._moved(seen), timeout_s)
        except NetworkError:
            pass

    def _moved(self, seen: Placement | None) -> bool:
        if seen is None:
            return False
        return self._control.state.placements.get(seen.service) != seen


def serve(routes: Routes, service: str, messages: Any, find: Callable[[str], Actor | None]) -> None:
    """Let other Runtimes ask the Kernel Agent `service` when it runs here.

    Args:
        routes: where the method is added, as `service.NAME`.
        service: the name of the service.
        messages: the union of structs it takes.
        find: gives the running actor of a name.
    """
    decode = msgspec.msgpack.Decoder(messages).decode

    async def answer(peer: Peer, ask: Ask | AskHere) -> Any:
        actor = find(service)
        if actor is None or actor.address.epoch != Epoch(ask.epoch):
            raise Fenced(f"the {service} service is not here in epoch {ask.epoch}")
        message = ask.body if isinstance(ask, AskHere) else decode(ask.body)
        return await actor.ask(message, HostName(peer.host or ""))

    routes.add(f"service.{service}", answer, Ask)
