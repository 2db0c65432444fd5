"""This Runtime's attachment to the engine: which servers it talks to, and moving to others.

It starts this host's own server if it is a voter, connects, has the control log followed, and goes
over to the servers of a new generation when the log names them. The first host founds the network:
whether it did is read from the log, so a start that was cut off in the middle is made good by the
next one.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from oneos.config import RuntimeConfig
from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.log import Log
from oneos.engine.snapshots import Snapshots
from oneos.engine.topics import Topics
from oneos.errors import NetworkError, OneOSError
from oneos.ids import HostName, Incarnation
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.manifest import Manifest
from oneos.limits import (
    CALL_TIMEOUT_S,
    ENGINE_PLACES_TIMEOUT_S,
    GROWTH_TIMEOUT_S,
    SERVICE_RETRY_S,
)
from oneos.net.identity import Identity
from oneos.runtime.facts import facts_of
from oneos.runtime.growth import CONTROL_LOG, FILES_LOG
from oneos.runtime.joining import ask_record, stored_record
from oneos.runtime.voters import Voters, voter_of
from oneos.state import control_types as t

log = logging.getLogger(__name__)

FIRST_MARK = "1"
"""Of the first generation: there is only one attempt to make it."""


class Attached:
    """See the module. `engine` and `topics` are there once `start` has returned.

    Args:
        config, identity: of this host.
        control: the control log, which is followed through this.
        voters: this host's own server.
        start_task: starts work that must not be waited for.
        fail: ends the Runtime with an error.
    """

    engine: Engine
    topics: Topics

    def __init__(
        self,
        config: RuntimeConfig,
        identity: Identity,
        control: ControlLog,
        voters: Voters,
        start_task: Callable[[Coroutine[Any, Any, None]], None],
        fail: Callable[[OneOSError], None],
    ) -> None:
        self._config = config
        self._identity = identity
        self._host = identity.host
        self._control = control
        self._voters = voters
        self._start_task = start_task
        self._fail = fail
        self._record = stored_record(Path(config.directory), identity)
        self._connected = False
        self._caught_up = False

    async def start(self) -> None:
        """Start the own server and connect. Raises OneOSError."""
        known = self._voters.known
        if known is not None:
            await self._voters.start(known.engine, known.users, known.pins)
            await self._connect(known.engine)
        elif self._record is not None:
            await self._open(list(self._record.engine), None, self._record.generation)
        else:
            await self._make_first()
        for stream in (
            subjects.log_stream(CONTROL_LOG),
            subjects.log_stream(FILES_LOG),
            subjects.SNAPSHOT_STREAM,
        ):
            await streams.present(self.engine, stream, timeout_s=ENGINE_PLACES_TIMEOUT_S)

    async def _make_first(self) -> None:
        """The first server of a new network, with its streams."""
        facts = facts_of(self._config, [], {}, "")
        view = t.EngineView(1, [voter_of(self._host, facts, 1)], FIRST_MARK)
        await self._voters.start(view, [(self._host, self._config.core)], [])
        await self._connect(view)
        for name in (CONTROL_LOG, FILES_LOG):
            await Log(self.engine, name, self._host).ensure(1)
        await Snapshots(self.engine).ensure(1)
        await self.topics.ensure(1)
        self._voters.remember(view, [t.Member(self._host, facts, Incarnation(0), "", 0)])

    async def found(self, manifest: Manifest, facts: t.Facts) -> None:
        """Write the network's first record, if this is its first host and it is not there."""
        if self._record is not None or self._control.state.network:
            return
        known = self._voters.known
        assert known is not None
        await self._control.submit(
            t.Found(
                self._identity.network,
                manifest.rules(),
                manifest.text,
                known.engine,
                self._host,
                facts,
                now_ns(),
            )
        )

    async def _connect(self, view: t.EngineView) -> None:
        voters = _own_first(view, self._host)
        await self._open(
            [(v.address, v.client_port) for v in voters],
            [v.name for v in voters],
            view.generation,
        )

    async def _open(
        self, addresses: list[tuple[str, int]], voters: list[HostName] | None, generation: int
    ) -> None:
        try:
            await self._open_at(addresses, voters, generation)
        except NetworkError:
            # The voters may have changed while this host was away: the others know.
            known = self._voters.known
            runtimes = list(self._record.runtimes) if self._record else []
            newer = await ask_record(runtimes + (known.runtimes if known else []), self._identity)
            if newer is None or newer.generation <= generation:
                raise
            await self._open_at(list(newer.engine), None, newer.generation)

    async def _open_at(
        self, addresses: list[tuple[str, int]], voters: list[HostName] | None, generation: int
    ) -> None:
        identity = self._identity
        self.engine = await Engine.connect(
            addresses,
            identity.ca_path,
            identity.certificate_path,
            identity.key_path,
            self._host,
            voters=voters,
            timeout_s=CALL_TIMEOUT_S,
        )
        self.topics = Topics(self.engine)
        self._control.generation = generation
        self._connected = True

    async def follow_control(self) -> None:
        """Follow the control log, until it has all that was agreed before this call."""
        self._control.watch(self._changed)
        await self._control.start(Log(self.engine, CONTROL_LOG, self._host), Snapshots(self.engine))
        await self._control.barrier()
        self._caught_up = True
        self._remember()
        if self._control.state.members:
            # Who came or went while this host was away. A new network has nobody in its log yet.
            await self._voters.reload(self._users())
        if not self._control.state.frozen_by:
            await self._open_topics()
        if self._control.state.frozen_by == self._host:
            # A change of voters that this host began was cut off before it counted.
            thaw = t.Thaw(self._control.state.frozen_generation, None)
            await self._control.submit(thaw, GROWTH_TIMEOUT_S)

    async def close(self) -> None:
        """Disconnect, and stop the own server."""
        if self._connected:
            await self.engine.close()
        await self._voters.close()

    # --- following ------------------------------------------------------------------------------
    def _changed(self, command: t.Command, result: t.Result) -> None:
        if result.errno:
            return
        if self._caught_up and isinstance(command, t.Admit | t.Forget | t.Arrive):
            # Not while old records are read: the server would shut out who came later.
            self._remember()
            self._start_task(self._voters.reload(self._users()))
        if (
            isinstance(command, t.Thaw)
            and self._control.state.engine.generation > self._control.generation
        ):
            self._start_task(self._move())
        elif isinstance(command, t.Thaw) and command.engine is None:
            # The voters stay as they are, and the topics were stopped for the copy.
            self._start_task(self._open_topics())

    async def _open_topics(self) -> None:
        if self._config.core:
            # Topics live in memory: a single voter that was stopped has none any more.
            await self.topics.ensure(max(len(self._control.state.engine.voters), 1))

    def _remember(self) -> None:
        state = self._control.state
        if state.network:
            self._voters.remember(state.engine, list(state.members.values()))

    def _users(self) -> list[tuple[str, bool]]:
        return [(x.name, x.facts.core) for x in self._control.state.members.values()]

    async def _move(self) -> None:
        """Go over to the servers of a new generation."""
        view = self._control.state.engine
        await self._voters.reload(self._users())
        voters = _own_first(view, self._host)
        self.engine.set_addresses(
            [(v.address, v.client_port) for v in voters], [v.name for v in voters]
        )
        self._remember()
        try:
            await self.engine.wait_connected(GROWTH_TIMEOUT_S)
            await self._complete(Log(self.engine, CONTROL_LOG, self._host))
        except OneOSError as error:
            # A Runtime that cannot follow is of no use; its next start asks the others.
            self._fail(error)
            return
        self._control.moved(view.generation)
        self._voters.retire(view)
        log.info("the logs are at generation %d now", view.generation)

    async def _complete(self, control: Log) -> None:
        """Wait until the new servers hold all that this host has applied."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + GROWTH_TIMEOUT_S
        while clock() < deadline:
            try:
                if await control.last_seq() >= self._control.applied:
                    return
            except OneOSError as error:
                log.info("the new servers are not there yet: %s", error)
            await asyncio.sleep(SERVICE_RETRY_S / 10)
        raise NetworkError("the new servers of the engine stay incomplete", errno=errno.ETIMEDOUT)


def _own_first(view: t.EngineView, host: HostName) -> list[t.Voter]:
    """The voters, one's own first: it is the shortest way, and as good as the others."""
    return sorted(view.voters, key=lambda voter: voter.name != host)
