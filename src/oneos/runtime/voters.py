"""This host's part in carrying the logs: its server of the engine, and who may connect to it.

A change of voters makes a new generation: servers of their own, in new directories and on the
other pair of ports, so that the old and the new run side by side while the logs are copied. What a
Runtime has to know before it can read the log (where the voters are, who may connect) is kept in a
small file beside the store.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from oneos.engine.server import EngineServer
from oneos.engine.server_config import ServerSpec, User, key_pin
from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import OLD_VOTERS_LINGER_S
from oneos.net.identity import Identity, write_private
from oneos.net.routes import Peer, Routes
from oneos.state import control_types as t

log = logging.getLogger(__name__)


class EngineFile(Struct, frozen=True):
    """What is kept of the engine between runs."""

    engine: t.EngineView
    users: list[tuple[str, bool]]
    pins: list[str]
    runtimes: list[tuple[str, str, int]] = []


def voter_of(member_name: str, facts: t.Facts, generation: int) -> t.Voter:
    """Where a host's server of a generation listens.

    Even generations use the pair of ports behind that of the odd ones, because two generations
    run at once while one replaces the other.
    """
    shift = 0 if generation % 2 else 2
    return t.Voter(
        HostName(member_name),
        facts.address,
        facts.engine_port + shift,
        facts.cluster_port + shift,
    )


class Voters:
    """See the module.

    Args:
        identity: this host's identity.
        directory: for stores, configurations and the file.
        listen: the address that servers bind.
        failed: called when a server was given up.
    """

    def __init__(
        self,
        identity: Identity,
        directory: Path,
        listen: str,
        failed: Callable[[OneOSError], None],
    ) -> None:
        self._identity = identity
        self._directory = directory
        self._listen = listen
        self._failed = failed
        self._servers: dict[str, EngineServer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.known = self._load()

    def _load(self) -> EngineFile | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=EngineFile)
        except FileNotFoundError:
            return None

    @property
    def _path(self) -> Path:
        return self._directory / "engine.json"

    def remember(self, engine: t.EngineView, members: list[t.Member]) -> None:
        """Keep who the voters and users are, for the next start."""
        users = [(str(member.name), member.facts.core) for member in members]
        facts = {member.name: member.facts for member in members}
        pins = [facts[v.name].key_pin for v in engine.voters if v.name in facts]
        runtimes = [(str(x.name), x.facts.address, x.facts.port) for x in members]
        known = EngineFile(engine, users, pins, runtimes)
        if known != self.known:
            self.known = known
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._path, msgspec.json.encode(known))

    async def start(
        self, engine: t.EngineView, users: list[tuple[str, bool]], pins: list[str]
    ) -> None:
        """Start this host's server of a generation, if it has one. Raises UserError."""
        own = next((v for v in engine.voters if v.name == self._identity.host), None)
        if own is None or engine.mark in self._servers:
            return
        several = len(engine.voters) > 1
        spec = ServerSpec(
            directory=self._directory / f"{engine.generation}-{engine.mark}",
            name=f"{own.name}-{engine.generation}-{engine.mark}",
            cluster=f"{self._identity.network}-{engine.generation}-{engine.mark}",
            listen=self._listen,
            client_port=own.client_port,
            cluster_port=own.cluster_port,
            routes=[(v.address, v.cluster_port) for v in engine.voters] if several else [],
            ca=self._identity.ca_path,
            cert=self._identity.certificate_path,
            key=self._identity.key_path,
            generation=engine.generation,
            pins=pins if several else (),
        )
        spec.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = EngineServer(spec, [User(*user) for user in users], self._failed)
        # Known before it runs, so that whatever happens meanwhile, `close` ends it.
        self._servers[engine.mark] = server
        try:
            await server.start()
        except BaseException:
            self._servers.pop(engine.mark, None)
            await server.stop()
            raise

    async def reload(self, users: list[tuple[str, bool]]) -> None:
        """Let these hosts connect, and no others."""
        for server in self._servers.values():
            try:
                await server.reload([User(*user) for user in users])
            except OneOSError as error:
                log.error("the engine does not take its new users: %s", error)

    def retire(self, engine: t.EngineView) -> None:
        """Stop and remove the servers of all generations but this one, a little later."""
        for mark in [mark for mark in self._servers if mark != engine.mark]:
            task = asyncio.create_task(self._remove(mark, OLD_VOTERS_LINGER_S))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _remove(self, mark: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        server = self._servers.get(mark)
        if server is not None:
            await server.stop()
            self._servers.pop(mark, None)
            await asyncio.to_thread(shutil.rmtree, server.spec.directory, ignore_errors=True)

    async def close(self) -> None:
        """Stop the servers; what they hold stays."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(server.stop() for server in self._servers.values()))

    def pids(self) -> list[int]:
        """The servers' processes."""
        return [server.pid for server in self._servers.values() if server.pid]

    # --- calls of the host that changes the voters ------------------------------------------------
    def serve(self, routes: Routes) -> None:
        """Answer `voter.*`."""
        routes.add("voter.prepare", self._on_prepare, m.PrepareVoter, finish=True)
        routes.add("voter.abandon", self._on_abandon, m.AbandonVoter, finish=True)

    async def _on_prepare(self, peer: Peer, request: m.PrepareVoter) -> None:
        if not self._identity.has_ca_key and request.ca_key_pem:
            # A voter may let hosts in, so that a network survives the loss of its first host.
            write_private(self._identity.ca_key_path, request.ca_key_pem)
        users = self.known.users if self.known else []
        await self.start(request.engine, users, request.pins)

    async def _on_abandon(self, peer: Peer, request: m.AbandonVoter) -> None:
        if self.known is not None and self.known.engine.mark != request.mark:
            await self._remove(request.mark, 0.0)


def own_pin(identity: Identity) -> str:
    """This host's key as voters know it."""
    return key_pin(identity.certificate_path.read_bytes())


def own_address(listen: str) -> str:
    """Where this host reaches its own server."""
    return "127.0.0.1" if listen in ("0.0.0.0", "::", "") else listen


def read_ca_key(identity: Identity) -> bytes:
    """The network's key, for another voter; empty when this host has none."""
    return identity.ca_key_path.read_bytes() if os.path.exists(identity.ca_key_path) else b""
