"""Heartbeats: who seems to be gone. They raise suspicion; only the log declares a host dead.

Each Runtime says once a second that it lives, with its load. A core host that misses another's
beats for a while asks it directly, and only when that fails too proposes to the log that this
incarnation of it be declared dead. The first live core host by name proposes; the others do so a
little later, in case it is the one that cannot.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Struct
from nats.aio.msg import Msg

from oneos.engine import subjects
from oneos.engine.client import Engine
from oneos.errors import AuthError, NetworkError, OneOSError, Unknown
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import (
    BEAT_PROBE_S,
    GROWTH_TIMEOUT_S,
    HEARTBEAT_INTERVAL_S,
    SUSPECT_AFTER_S,
)
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.state import control_types as t
from oneos.unreadable import UNREADABLE

log = logging.getLogger(__name__)


class Beat(Struct, frozen=True, array_like=True):
    """What a host says of itself each second; the chunks it found damaged ever, and made good."""

    incarnation: int
    load: float
    damaged: int = 0
    repaired: int = 0


@dataclass(slots=True)
class _Heard:
    at_s: float
    load: float
    damage: tuple[int, int] = (0, 0)


class Beats:
    """See the module.

    Args:
        host: this host.
        control: who should be alive, and where deaths are declared.
        links: for asking directly.
        core: whether this host may propose.
    """

    def __init__(self, host: HostName, control: ControlLog, links: Links, core: bool) -> None:
        self.host = host
        self._control = control
        self._links = links
        self._core = core
        self.damage: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """What to say of this host's chunks."""
        self._heard: dict[str, _Heard] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._frozen_since: float | None = None

    async def start(self, engine: Engine) -> None:
        """Begin to send and to listen."""
        await engine.subscribe(f"{subjects.BEAT}.*", self._take)
        self._tasks = [asyncio.create_task(self._send(engine), name="beats")]
        if self._core:
            self._tasks.append(asyncio.create_task(self._watch(engine), name="watch beats"))

    async def close(self) -> None:
        """Stop both."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def load(self, host: str) -> float | None:
        """The load a host told last: running tasks a core, over a minute."""
        heard = self._heard.get(host)
        return heard.load if heard else None

    def damaged(self, host: str) -> tuple[int, int] | None:
        """How many chunks a host has found damaged ever, and made good, as it told last."""
        heard = self._heard.get(host)
        return heard.damage if heard else None

    def suspects(self) -> set[str]:
        """Live hosts not heard of for a while."""
        now = asyncio.get_running_loop().time()
        return {
            member.name
            for member in self._control.machine.alive()
            if member.name != self.host
            and (heard := self._heard.get(member.name)) is not None
            and now - heard.at_s > SUSPECT_AFTER_S
        }

    def _take(self, message: Msg) -> None:
        try:
            beat = msgspec.msgpack.decode(message.data, type=Beat)
        except UNREADABLE:
            return
        host = subjects.author_of(message.subject)
        self._heard[host] = _Heard(
            asyncio.get_running_loop().time(), beat.load, (beat.damaged, beat.repaired)
        )

    async def _send(self, engine: Engine) -> None:
        subject = f"{subjects.BEAT}.{subjects.encode_token(self.host)}"
        while True:
            member = self._control.state.members.get(self.host)
            if member is not None and engine.connected:
                load = os.getloadavg()[0] / (os.cpu_count() or 1)
                beat = Beat(member.incarnation, round(load, 2), *self.damage())
                try:
                    await engine.publish(subject, msgspec.msgpack.encode(beat))
                except OneOSError as error:
                    log.debug("no beat was sent: %s", error)
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)

    async def _watch(self, engine: Engine) -> None:
        clock = asyncio.get_running_loop().time
        last = clock()
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            now = clock()
            stalled, last = now - last > 2 * HEARTBEAT_INTERVAL_S, now
            alive = {member.name for member in self._control.machine.alive()}
            for name in [name for name in self._heard if name not in alive]:
                del self._heard[name]
            if stalled or not engine.connected:
                # Then it is this host that has heard nothing: everybody gets a new chance.
                for heard in self._heard.values():
                    heard.at_s = now
                continue
            for member in self._control.machine.alive():
                # One that was never heard counts from now on.
                self._heard.setdefault(member.name, _Heard(now, 0.0))
            suspects = self.suspects()
            if suspects:
                await self._propose(suspects)
            await self._lift_freeze(now)

    async def _lift_freeze(self, now: float) -> None:
        """End a change of voters whose host was lost before it counted.

        The log decides between this record and that of the change: the first one wins, and the
        other is refused.
        """
        state = self._control.state
        if not state.frozen_by:
            self._frozen_since = None
            return
        if self._frozen_since is None:
            self._frozen_since = now
        if now - self._frozen_since > 2 * GROWTH_TIMEOUT_S:
            log.warning("the change of voters by %s is given up", state.frozen_by)
            self._frozen_since = now
            try:
                await self._control.submit(t.Thaw(state.frozen_generation, None))
            except OneOSError as error:
                log.info("the freeze was not lifted: %s", error)

    async def _propose(self, suspects: set[str]) -> None:
        core = [x.name for x in self._control.machine.alive() if x.facts.core]
        able = [name for name in core if name not in suspects]
        if not able:
            return
        # Everybody but the first waits, longer the later it stands.
        turn = able.index(self.host) if self.host in able else len(able)
        now = asyncio.get_running_loop().time()
        await asyncio.gather(
            *(
                self._probe(self._control.state.members[name])
                for name in suspects
                if now - self._heard[name].at_s > SUSPECT_AFTER_S + turn * BEAT_PROBE_S
            )
        )

    async def _probe(self, member: t.Member) -> None:
        try:
            await self._links.call(
                member.name, "beat.ask", m.Nothing(), int, timeout_s=BEAT_PROBE_S
            )
        except AuthError as error:
            log.warning("%s answers, but not as it should: %s", member.name, error)
        except (NetworkError, Unknown) as error:
            silent = asyncio.get_running_loop().time() - self._heard[member.name].at_s
            reason = f"silent for {silent:.0f} s: {error.message}"
            log.warning("%s is given up: %s", member.name, reason)
            try:
                await self._control.submit(
                    t.DeclareDead(member.name, member.incarnation, reason, now_ns())
                )
            except OneOSError as refused:
                log.info("%s was not declared dead: %s", member.name, refused)
        except OneOSError as error:
            log.warning("%s answers with an error: %s", member.name, error)

    def serve(self, routes: Routes) -> None:
        """Answer `beat.ask`."""
        routes.add("beat.ask", self._on_ask, m.Nothing)

    async def _on_ask(self, peer: Peer, message: m.Nothing) -> int:
        member = self._control.state.members.get(self.host)
        return member.incarnation if member else 0
