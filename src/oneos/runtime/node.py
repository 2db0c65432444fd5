"""One Runtime, wired up: what is made of what, in which order it starts and stops.

Nothing is decided here. Start: identity, public port, this host's server of the engine if it is a
voter, the connection to the engine, the control log, then this host arrives in the log with a new
incarnation, and what depends on that follows. A Runtime that was declared dead while it lived ends
with `Deposed`: everything it holds is void, and its next start begins clean.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oneos.actor.actor import Actor, Address
from oneos.actor.supervisor import RestartPolicy, Supervisor
from oneos.config import RuntimeConfig
from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.log import Log
from oneos.engine.snapshots import Snapshots
from oneos.engine.topics import Topics
from oneos.errors import NetworkError, OneOSError, UserError
from oneos.files.copies import Copies
from oneos.files.devfs import DeviceFiles
from oneos.files.devices import Devices
from oneos.files.handles import Caller
from oneos.files.homes import Homes
from oneos.files.hosts import Runtimes
from oneos.files.proc import Proc
from oneos.files.regular import Names, RegularFiles
from oneos.files.topics import TopicFiles
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation, ServiceName
from oneos.kernel import filesystem, services
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.filesystem import FileSystem
from oneos.kernel.index import Index
from oneos.kernel.index_snapshots import IndexSnapshots
from oneos.kernel.manifest import Manifest, default_manifest, parse_manifest
from oneos.kernel.pubsub import PubSub
from oneos.kernel.scheduler import Scheduler
from oneos.kernel.services import Services
from oneos.kernel.session import Sessions
from oneos.kernel.storage import Storage
from oneos.limits import CALL_TIMEOUT_S, ENGINE_PLACES_TIMEOUT_S, GROWTH_TIMEOUT_S, SERVICE_RETRY_S
from oneos.net.identity import Identity
from oneos.net.links import Links
from oneos.net.routes import Routes
from oneos.net.server import Server
from oneos.net.streams import Streams
from oneos.runtime import growth, utilities
from oneos.runtime.agents import Agents
from oneos.runtime.beats import Beats
from oneos.runtime.facts import facts_of
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.joining import NameServer, ask_record, stored_record
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import LocalServer
from oneos.runtime.operations import Operations
from oneos.runtime.plumbing import Plumbing
from oneos.runtime.remote_files import RemoteFiles
from oneos.runtime.system import System
from oneos.runtime.voters import Voters, own_pin, voter_of
from oneos.state import control_types as t
from oneos.storage.backing import BackingStore
from oneos.storage.chunks import ChunkStore

log = logging.getLogger(__name__)

MESSAGES: dict[str, Any] = {
    "filesystem": filesystem.FileSystemMessage,
    "pubsub": m.PubSubMessage,
    "scheduler": m.SchedulerMessage,
    "session": m.SessionMessage,
    "storage": m.StorageMessage,
}


class Deposed(OneOSError):
    """The network declared this Runtime dead while it lived; it must start anew."""


class Node:
    """One Runtime.

    Args:
        config: what it was told.
    """

    def __init__(self, config: RuntimeConfig) -> None:
        self.config = config
        self.directory = Path(config.directory)
        self.identity = Identity.load(self.directory / "identity")
        self.host = self.identity.host
        self.incarnation = Incarnation(0)
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._placing = asyncio.Lock()
        self._placed: dict[str, int] = {}
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._wire()

    def _wire(self) -> None:
        config, directory = self.config, self.directory
        self.routes = Routes()
        self.control = ControlLog(self.host)
        self.streams = Streams(lambda: self.identity, self._resolve)
        self.links = Links(lambda: self.identity, self._resolve, self.routes)
        self.server = Server(
            config.listen, config.port, lambda: self.identity, self.routes, self.streams
        )
        self.voters = Voters(self.identity, directory / "engine", config.listen, self.fail)
        self.services = Services(self.control, self.links)
        self.plumbing = Plumbing(self.streams)
        self.beats = Beats(self.host, self.control, self.links, config.core)
        self.chunks = ChunkStore(os.fspath(directory / "chunks"))
        self.backing = BackingStore(os.fspath(directory / "open"), self.chunks)
        self.copies = Copies(self.host, self.chunks, self.control, self.links, config.copies)
        self.names = Names(self.host, lambda: self.incarnation, self.services)
        self.homes = Homes(self.host, self.backing, self.copies, self.names.change)
        self.regular = RegularFiles(
            self.host, lambda: self.incarnation, self.names, self.homes, self.control, self.links
        )
        self.devices = Devices(config.devices, directory)
        self.index = (
            Index(os.fspath(directory / "index.sqlite"), self.host) if config.core else None
        )
        self.interpreters = Interpreters(utilities.shell_command(directory))
        self._wire_programs()
        self.supervisor = Supervisor(self._service_gave_up)
        for name, messages in MESSAGES.items():
            services.serve(self.routes, name, messages, self.supervisor.get)
        for part in (
            self.agents,
            self.beats,
            self.copies,
            self.homes,
            self.name_server,
            self.remote,
            self.voters,
        ):
            part.serve(self.routes)
        if self.index is not None:
            snapshots = IndexSnapshots(
                self.host, self.index, os.fspath(directory / "run"), self.control, self.links
            )
            snapshots.serve(self.routes)
            self.index.fetch_snapshot = snapshots.fetch

    def _wire_programs(self) -> None:
        socket_path = self.directory / "run" / "local.sock"
        self.tree = Tree(
            self.regular,
            {
                b"dev": DeviceFiles(self.control, lambda *a: self.remote.open_device(*a)),
                b"proc": Proc(self.control, lambda *a: self.remote.open_descriptor(*a)),
                b"runtime": Runtimes(self.control, self.beats.load),
                b"topic": TopicFiles(lambda: self.topics, self._topic_names),
            },
        )
        self.agents = Agents(
            self.host,
            lambda: self.incarnation,
            self.control,
            self.tree,
            self.plumbing,
            self.interpreters,
            os.fspath(self.directory / "stage"),
            os.fspath(socket_path),
        )
        self.remote = RemoteFiles(self.host, self.links, self.plumbing, self.devices, self.agents)
        self.launcher = Launcher(
            self.host,
            self.tree,
            self.services,
            self.links,
            self.plumbing,
            self.agents,
            self.control,
        )
        self.name_server = NameServer(self.identity, self.control, self.links)
        self.system = System(
            self.host,
            version("oneos"),
            self.control,
            self.services,
            self.links,
            self.agents,
            self.beats,
            self.name_server,
            lambda: self.supervisor.states(),
            self._grow,
            lambda: self.incarnation > 0,
            self.stop,
        )
        self.operations = Operations(self.host, self.tree, self.agents, self.launcher, self.system)
        self.local = LocalServer(
            os.fspath(socket_path), self.operations.handle, self.operations.ended
        )

    # --- starting -------------------------------------------------------------------------------
    async def start(self) -> None:
        """Start everything. Raises OneOSError; `close` undoes what was started."""
        for name in ("run", "stage", "engine"):
            (self.directory / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        # A socket that is bound says that this directory is taken, so it comes first.
        await self.local.start()
        self._closers.append(self.local.close)
        utilities.clear(self.directory / "stage")
        finding = asyncio.create_task(self.interpreters.find(self.config.python, self.config.node))
        try:
            await self.server.start()
            self._closers.append(self.server.close)
            founding = await self._start_engine()
            if founding is not None:
                await self._found(founding)
            for stream in (
                subjects.log_stream(growth.CONTROL_LOG),
                subjects.log_stream(growth.FILES_LOG),
                subjects.SNAPSHOT_STREAM,
                subjects.TOPIC_STREAM,
            ):
                await streams.present(self.engine, stream, timeout_s=ENGINE_PLACES_TIMEOUT_S)
            self.control.watch(self._engine_changed)
            await self.control.start(
                Log(self.engine, growth.CONTROL_LOG, self.host), Snapshots(self.engine)
            )
            self._closers.append(self.control.close)
            await self.control.barrier()
            if self.control.state.frozen_by == self.host:
                # A change of voters that this host began was cut off before it counted.
                await self.control.submit(
                    t.Thaw(self.control.state.frozen_generation, None), GROWTH_TIMEOUT_S
                )
            await finding
        except BaseException:
            finding.cancel()
            await asyncio.wait((finding,))
            raise
        self.facts = facts_of(
            self.config,
            self.devices.announced(),
            self.interpreters.versions(),
            own_pin(self.identity),
        )
        if founding is not None and not self.control.state.network:
            manifest = self._manifest()
            await self.control.submit(
                t.Found(
                    self.identity.network,
                    manifest.rules(),
                    manifest.text,
                    founding,
                    self.host,
                    self.facts,
                    now_ns(),
                )
            )
        await self._arrive()

    async def _start_engine(self) -> t.EngineView | None:
        """Connect to the engine; answers what the network is founded with, if it is."""
        known = self.voters.known
        founding = None
        if known is not None:
            engine, users, pins = known.engine, known.users, known.pins
        else:
            record = stored_record(self.directory, self.identity)
            if record is not None:
                await self._connect(list(record.engine), None, record.generation)
                return None
            facts = facts_of(self.config, [], {}, "")
            engine = founding = t.EngineView(1, [voter_of(self.host, facts, 1)], "1")
            users, pins = [(self.host, self.config.core)], []
        await self.voters.start(engine, users, pins)
        self._closers.append(self.voters.close)
        addresses = [(v.address, v.client_port) for v in engine.voters]
        # One's own server first: it is the shortest way, and as good as the others.
        own = [(v.address, v.client_port) for v in engine.voters if v.name == self.host]
        names = [voter.name for voter in engine.voters]
        order = own + [address for address in addresses if address not in own]
        await self._connect(order, names, engine.generation)
        return founding

    async def _connect(
        self, addresses: list[tuple[str, int]], voters: list[HostName] | None, generation: int
    ) -> None:
        identity = self.identity
        self.control.generation = generation
        try:
            self.engine = await Engine.connect(
                addresses,
                identity.ca_path,
                identity.certificate_path,
                identity.key_path,
                self.host,
                voters=voters,
                timeout_s=CALL_TIMEOUT_S,
            )
        except NetworkError:
            # The voters may have changed while this host was away: the others know.
            record = stored_record(self.directory, identity)
            runtimes = list(record.runtimes) if record else []
            if self.voters.known is not None:
                runtimes += self.voters.known.runtimes
            newer = await ask_record(runtimes, identity)
            if newer is None or newer.generation <= generation:
                raise
            self.control.generation = newer.generation
            self.engine = await Engine.connect(
                list(newer.engine),
                identity.ca_path,
                identity.certificate_path,
                identity.key_path,
                self.host,
            )
        self._closers.append(self.engine.close)
        self.topics = Topics(self.engine)

    async def _found(self, view: t.EngineView) -> None:
        for name in (growth.CONTROL_LOG, growth.FILES_LOG):
            await Log(self.engine, name, self.host).ensure(1)
        await Snapshots(self.engine).ensure(1)
        await self.topics.ensure(1)
        self.voters.remember(
            view, [t.Member(self.host, facts_of(self.config, [], {}, ""), Incarnation(0), "", 0)]
        )

    def _manifest(self) -> Manifest:
        path = self.directory / "manifest.toml"
        if path.exists():
            return parse_manifest(path.read_text(encoding="utf-8"), os.fspath(path))
        return default_manifest()

    async def _arrive(self) -> None:
        self.incarnation = Incarnation(
            await self.control.submit(t.Arrive(self.host, self.facts, now_ns()))
        )
        await self.backing.drop_leftovers()
        self._closers.append(self.homes.stop)
        self.control.watch(self._changed)
        self._remember()
        if self.index is not None:
            await self.index.start(Log(self.engine, growth.FILES_LOG, self.host))
            self._closers.append(self.index.close)
        await self.beats.start(self.engine)
        self._closers.append(self.beats.close)
        self._closers.append(self.supervisor.close)
        await self._place()
        log.info("%s is up as incarnation %d", self.host, self.incarnation)

    # --- following the control log --------------------------------------------------------------
    def _changed(self, command: t.Command, result: t.Result) -> None:
        if result.errno:
            return
        own = self.control.state.members.get(self.host)
        if own is None or own.incarnation != self.incarnation or own.state == "dead":
            self.fail(Deposed(f"the network gave {self.host} up while it lived"))
            return
        if isinstance(command, t.Admit | t.Forget | t.Arrive):
            self._remember()
            self._start_task(self.voters.reload(self._users()))
        if isinstance(command, t.Arrive | t.Depart | t.DeclareDead | t.Place):
            self._start_task(self._place())
        if isinstance(command, t.Depart | t.DeclareDead) and command.host != self.host:
            self.links.drop(command.host)
            self.streams.drop(command.host)
            self.server.drop(command.host)
            self._start_task(self.homes.drop_owner(command.host))
        if isinstance(command, t.Spawn):
            self._start_task(self._expect_launches(result))

    def _engine_changed(self, command: t.Command, result: t.Result) -> None:
        if (
            isinstance(command, t.Thaw)
            and not result.errno
            and self.control.state.engine.generation > self.control.generation
        ):
            self._start_task(self._move())

    def _remember(self) -> None:
        state = self.control.state
        self.voters.remember(state.engine, list(state.members.values()))

    def _users(self) -> list[tuple[str, bool]]:
        return [(x.name, x.facts.core) for x in self.control.state.members.values()]

    async def _move(self) -> None:
        """Go over to the servers of a new generation."""
        view = self.control.state.engine
        await self.voters.reload(self._users())
        own = [v for v in view.voters if v.name == self.host]
        voters = own + [v for v in view.voters if v not in own]
        self.engine.set_addresses(
            [(v.address, v.client_port) for v in voters], [v.name for v in voters]
        )
        self._remember()
        await self.engine.wait_connected(GROWTH_TIMEOUT_S)
        await self._complete(Log(self.engine, growth.CONTROL_LOG, self.host))
        self.control.moved(view.generation)
        self.voters.retire(view)
        log.info("the logs are at generation %d now", view.generation)

    async def _complete(self, control: Log) -> None:
        """Wait until the new servers hold all that this host has applied."""
        while True:
            try:
                if await control.last_seq() >= self.control.applied:
                    return
            except OneOSError as error:
                log.info("the new servers are not there yet: %s", error)
            await asyncio.sleep(SERVICE_RETRY_S / 10)

    async def _expect_launches(self, spawned: t.Result) -> None:
        """End in the log what was placed here and never launched: its launcher died."""
        pids = spawned.value if isinstance(spawned.value, list) else []
        own = [
            pid
            for pid in pids
            if (p := self.control.state.processes.get(pid)) and p.host == self.host
        ]
        if not own:
            return
        await asyncio.sleep(CALL_TIMEOUT_S * 2)
        for pid in own:
            process = self.control.state.processes.get(pid)
            if process and process.state == "running" and pid not in self.agents.pids():
                ended = t.Ended(self.host, self.incarnation, [(process.pid, 126)], now_ns())
                await self.control.submit(ended)

    # --- kernel agents --------------------------------------------------------------------------
    async def _place(self) -> None:
        async with self._placing:
            for placed in list(self.control.state.placements.values()):
                here = placed.host == self.host and self.incarnation > 0
                running = self._placed.get(placed.service)
                if running is not None and (not here or running != placed.epoch):
                    del self._placed[placed.service]
                    await self.supervisor.remove(placed.service)
                if here and self._placed.get(placed.service) != placed.epoch:
                    self._placed[placed.service] = placed.epoch
                    self.supervisor.add(
                        placed.service, self._maker(placed), self._policy(placed.service)
                    )
                    if placed.service == "filesystem":
                        self._start_task(self._install_utilities())

    def _policy(self, service: ServiceName) -> RestartPolicy:
        manifest = parse_manifest(self.control.state.manifest, "the network's manifest")
        rule = next(x for x in manifest.services if x.name == service)
        return RestartPolicy(rule.restart, rule.restarts_max, rule.restart_window_s)

    def _maker(self, placed: t.Placement) -> Callable[[], Actor]:
        address = Address(self.host, placed.service, placed.epoch)
        index = self.index
        if placed.service == "session":
            return lambda: Sessions(address, self.control, self._make_home)
        if placed.service == "scheduler":
            return lambda: Scheduler(address, self.control)
        if placed.service == "pubsub":
            return lambda: PubSub(address, self.topics)
        if index is None:
            raise UserError(f"{self.host} is an edge host: {placed.service} cannot run on it")
        if placed.service == "filesystem":
            return lambda: FileSystem(address, index, self.control)
        return lambda: Storage(
            address, self.control, index, self.links, self.names.change, self.config.copies
        )

    def _service_gave_up(self, name: str, error: BaseException | None) -> None:
        self.fail(
            NetworkError(f"the {name} service failed too often here: {error}", errno=errno.EIO)
        )

    async def _make_home(self, path: bytes) -> None:
        await self.regular.mkdir(path, 0o755, Caller("root", os.getuid(), os.getgid()))

    async def _install_utilities(self) -> None:
        while True:
            try:
                await utilities.install(self.tree, self.regular)
                return
            except OneOSError as error:
                log.warning("/bin is not complete yet: %s", error)
                await asyncio.sleep(SERVICE_RETRY_S * 4)

    async def _topic_names(self) -> list[str]:
        return await self.services.ask("pubsub", m.Topics(), list[str])

    async def _grow(self, count: int) -> dict[str, Any]:
        return await asyncio.shield(
            asyncio.ensure_future(growth.grow(count, self.identity, self.control, self.links))
        )

    # --- ending ---------------------------------------------------------------------------------
    def _resolve(self, host: HostName) -> tuple[str, int] | None:
        member = self.control.state.members.get(host)
        return (member.facts.address, member.facts.port) if member else None

    def _start_task(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the Runtime failed: %s", error, exc_info=error)

    def stop(self) -> None:
        """Have `over` end in good order."""
        if not self.over.done():
            self.over.set_result(None)

    def fail(self, error: OneOSError) -> None:
        """Have `over` end with an error."""
        if not self.over.done():
            self.over.set_exception(error)

    async def close(self, *, depart: bool) -> None:
        """Stop everything, the newest first; `depart` says so in the log."""
        await self.agents.close()
        if depart and self.incarnation:
            self.control.unwatch(self._changed)
            try:
                await self.control.submit(
                    t.Depart(self.host, self.incarnation, now_ns()), timeout_s=3.0
                )
            except OneOSError as error:
                log.warning("the network was not told that %s leaves: %s", self.host, error)
        for task in list(self._tasks):
            task.cancel()
        for closer in reversed(self._closers):
            try:
                await closer()
            except (OneOSError, OSError) as error:
                log.warning("while stopping: %s", error)
        await self.plumbing.close()
        await self.devices.close()
        await self.links.close()
        self.streams.close()
