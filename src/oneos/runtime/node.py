"""One Runtime, wired up: what is made of what, in which order it starts and stops.

Nothing is decided here. Start: identity, public port, this host's server of the engine if it is a
voter, the connection to the engine, the control log, then this host arrives in the log with a new
incarnation, and what depends on that follows. A Runtime that was declared dead while it lived ends
with `Deposed`: everything it holds is void, and its next start begins clean.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any

from oneos.actor.supervisor import Supervisor
from oneos.config import RuntimeConfig
from oneos.engine.log import Log
from oneos.errors import InternalError, OneOSError
from oneos.files.collected import Collected
from oneos.files.copies import Copies
from oneos.files.devfs import DeviceFiles
from oneos.files.device_facts import DeviceFacts
from oneos.files.devices import Devices
from oneos.files.exports import Exports
from oneos.files.home_calls import HomeCalls
from oneos.files.homes import Homes
from oneos.files.host_files import HostFiles
from oneos.files.hosts import Runtimes
from oneos.files.kept import Generation
from oneos.files.meetings import Meetings
from oneos.files.names import Names
from oneos.files.proc import Proc
from oneos.files.regular import RegularFiles
from oneos.files.scrubber import Scrubber
from oneos.files.storage_rules import StorageRules
from oneos.files.topics import TopicFiles
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.index import Index
from oneos.kernel.index_snapshots import IndexSnapshots
from oneos.kernel.manifest import Manifest, default_manifest, parse_manifest
from oneos.kernel.services import Services
from oneos.limits import CALL_TIMEOUT_S
from oneos.net.identity import Identity
from oneos.net.links import Links
from oneos.net.routes import Routes
from oneos.net.server import Server
from oneos.net.streams import Streams
from oneos.runtime import growth, mounts, utilities
from oneos.runtime.agents import Agents
from oneos.runtime.attached import Attached
from oneos.runtime.beats import Beats
from oneos.runtime.busy import Busy
from oneos.runtime.checkpoints import Checkpoints
from oneos.runtime.commands import nowhere
from oneos.runtime.descendants import Descendants
from oneos.runtime.ends import Ends
from oneos.runtime.environments import Environments
from oneos.runtime.export_calls import ExportCalls
from oneos.runtime.facts import facts_of
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.joining import NameServer
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import LocalServer
from oneos.runtime.luggage import Porter
from oneos.runtime.mounts import Mounts
from oneos.runtime.moves import Moves
from oneos.runtime.namespace import NameSpace
from oneos.runtime.offspring import Offspring
from oneos.runtime.operations import Operations
from oneos.runtime.orphans import RunRecords
from oneos.runtime.peers import Peers
from oneos.runtime.placed import Placed
from oneos.runtime.plumbing import Plumbing, Pump
from oneos.runtime.process_facts import ProcessFacts
from oneos.runtime.recalls import Recalls
from oneos.runtime.remote_files import RemoteFiles
from oneos.runtime.snapshots import Snapshots
from oneos.runtime.supervised import Supervised
from oneos.runtime.system import System
from oneos.runtime.terminals import Terminals
from oneos.runtime.voters import Voters, own_pin
from oneos.state import control_types as t
from oneos.state import pids
from oneos.storage.backing import BackingStore
from oneos.storage.chunks import ChunkStore

log = logging.getLogger(__name__)


_OF_PROGRAMS = (
    t.Spawn,
    t.Assign,
    t.Evict,
    t.Moved,
    t.Release,
    t.DeclareDead,
    t.Depart,
    t.Arrive,
)
"""What starts, ends or moves programs that the network starts by itself, but for their own end."""


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
        self._expected: deque[tuple[float, int, int]] = deque()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._growing = asyncio.Lock()
        self._wire()

    def _wire(self) -> None:
        config, directory = self.config, self.directory
        self.routes = Routes()
        self.control = ControlLog(self.host)
        self.control.broken = self._copy_broken
        self.peers = Peers(self.host, self.control)
        self.routes.members = self.peers
        self.streams = Streams(lambda: self.identity, self.peers.resolve)
        self.links = Links(lambda: self.identity, self.peers.resolve, self.routes)
        self.server = Server(
            config.listen, config.port, lambda: self.identity, self.routes, self.streams
        )
        self.voters = Voters(self.identity, directory / "engine", config.listen, self.fail)
        self.attached = Attached(
            config, self.identity, self.control, self.voters, self.start_task, self.fail
        )
        self.services = Services(self.control, self.links)
        self.plumbing = Plumbing(self.streams, self._run_of, self._host_of)
        self.beats = Beats(self.host, self.control, self.links, config.core)
        self.chunks = ChunkStore(os.fspath(directory / "chunks"))
        self.backing = BackingStore(os.fspath(directory / "open"), self.chunks)
        self.scrubber = Scrubber(
            self.chunks,
            os.fspath(directory / "scrub.json"),
            config.scrub_days,
            lambda: self.services.ask("storage", m.Audit(self.host), None),
        )
        self.beats.damage = lambda: self.scrubber.damage
        self.copies = Copies(
            self.host, self.chunks, self.control, self.links, self.streams, config.copies
        )
        socket_path = directory / "run" / "local.sock"
        self.namespace = NameSpace(
            self.host,
            os.fspath(directory),
            os.fspath(socket_path),
            lambda: self.interpreters.prefixes(),
            config.context,
            lambda: self.environments.directory,
            self._block,
            lambda pid, number: self.system.kill(pid, number, zombies=False),
        )
        self.mounts = Mounts()
        self.recalls = Recalls(Generation(), self.namespace, self.mounts)
        self.names = Names(self.host, lambda: self.incarnation, self.services, self.recalls)
        self.rules = StorageRules(os.fspath(directory / "storage-rules.toml"))
        self.homes = Homes(
            self.host, self.backing, self.copies, self.names.ask, self.names.ask_many, self.rules.of
        )
        self.home_calls = HomeCalls(self.homes)
        self.native_kind = NameSpace.kind(config.context)
        self.meetings = Meetings(os.fspath(directory / "run" / "meet"), self._tree_inside)
        self.regular = RegularFiles(
            self.host,
            lambda: self.incarnation,
            self.names,
            self.homes,
            self.control,
            self.links,
            self.meetings,
        )
        self.devices = Devices(config.devices, directory)
        self.exports = ExportCalls(
            self.host,
            lambda: self.incarnation,
            Exports(self.host, config.exports),
            self.links,
        )
        self.index = (
            Index(os.fspath(directory / "index.sqlite"), self.host) if config.core else None
        )
        self.interpreters = Interpreters(
            utilities.shell_command(directory), self.native_kind, config.context
        )
        self.supervisor = Supervisor(lambda name, error: self.placed.gave_up(name, error))
        self._wire_programs(socket_path)
        self.placed = Placed(self)
        self.placed.serve(self.routes)
        for part in (
            self.agents,
            self.beats,
            Busy(self.agents),
            self.copies,
            Collected(self.chunks),
            self.descendants,
            self.exports,
            self.home_calls,
            self.moves,
            self.name_server,
            self.process_facts,
            self.recalls,
            self.remote,
            self.scrubber,
            self.snapshots,
            self.terminals,
            self.voters,
        ):
            part.serve(self.routes)
        if self.index is not None:
            snapshots = IndexSnapshots(
                self.host, self.index, os.fspath(directory / "run"), self.control, self.links
            )
            snapshots.serve(self.routes)
            self.index.fetch_snapshot = snapshots.fetch

    def _wire_programs(self, socket_path: Path) -> None:
        self.descendants = Descendants(self.host, self.control, self.links, self.namespace.proc)
        self.tree = Tree(
            self.regular,
            {
                b"dev": DeviceFiles(self.control, lambda *a: self.remote.open_device(*a)),
                b"host": HostFiles(self.control, self.exports),
                b"proc": Proc(
                    self.control,
                    self.descendants,
                    lambda *a: self.remote.open_descriptor(*a),
                    lambda process: self.process_facts.ask(process),
                    lambda pid, number: self.system.kill(pid, number, zombies=False),
                ),
                b"runtime": Runtimes(
                    self.control,
                    self.beats.load,
                    self.beats.damaged,
                    DeviceFacts(
                        lambda *a: self.remote.device_state(*a),
                        lambda *a: self.remote.readers_at(*a),
                    ),
                ),
                b"topic": TopicFiles(lambda: self.attached.topics, self._topic_names),
            },
        )
        self.records = RunRecords(self.directory / "run" / "agents")
        self.environments = Environments(
            self.host, os.fspath(self.directory / "envs"), self.tree, self.interpreters
        )
        self.terminals = Terminals(self.host, self.links, self.plumbing, self.interpreters)
        self.agents = Agents(
            self.host,
            lambda: self.incarnation,
            self.control,
            Ends(self.host, self.tree, self.plumbing),
            self.interpreters,
            self.environments,
            self.namespace,
            self.terminals,
            self.descendants,
            self.records,
            os.fspath(self.directory / "stage"),
            os.fspath(socket_path),
        )
        self.descendants.hidden = self.agents.spawning.inners.numbers
        self.process_facts = ProcessFacts(self.host, self.links, self.agents)
        self.remote = RemoteFiles(self.host, self.links, self.plumbing, self.devices, self.agents)
        self.homes.drop_idle = self.recalls.drop_idle
        self.homes.take_back = self.recalls.generation.advance
        self.homes.locks.named = self.agents.named
        porter = Porter(self.host, self.plumbing, self._output_of)
        self.snapshots = Snapshots(
            self.host,
            self.control,
            self.agents,
            self.process_facts,
            porter,
            self.tree,
            lambda kind: self.interpreters.versions().get(kind, ""),
        )
        self.agents.load = self.snapshots.load
        self.agents.ended = self.snapshots.ended
        self.checkpoints = Checkpoints(
            self.host, self.control, self.links, self.tree, self.start_task
        )
        self.supervised = Supervised(
            self.host,
            lambda: self.incarnation,
            self.control,
            self.agents,
            self.tree,
            self.plumbing,
            self.snapshots,
        )
        self.moves = Moves(
            self.host,
            lambda: self.incarnation,
            self.control,
            self.agents,
            self.process_facts,
            self.plumbing,
            porter,
            self.links,
        )
        self.agents.spawning.seed = self.identity.hash_seed
        self.launcher = Launcher(
            self.host,
            self.tree,
            self.names,
            self.services,
            self.links,
            self.plumbing,
            self.agents,
            self.control,
            NameSpace.finds if self.native_kind else nowhere,
            self.terminals,
        )
        self.launcher.load = self.snapshots.load
        self.launcher.interpreters = self.interpreters.paths
        if self.native_kind:
            self.launcher.host_names = NameSpace.names
        self.offspring = Offspring(
            self.host,
            lambda: self.incarnation,
            self.tree,
            self.services,
            self.control,
            self.agents,
            self.interpreters,
            self.launcher.on_host,
        )
        self.name_server = NameServer(self.identity, self.control, self.links)
        self.system = System(
            self.host,
            version("oneos"),
            self.control,
            self.services,
            self.links,
            self.agents,
            self.descendants,
            self.beats,
            self.name_server,
            lambda: self.supervisor.states(),
            self._grow,
            lambda: self.incarnation > 0,
            self.stop,
            self.checkpoints,
            lambda: [self.rules.problem] if self.rules.problem else [],
        )
        self.operations = Operations(
            self.host,
            os.fspath(self.directory),
            self.tree,
            self.agents,
            self.offspring,
            self.launcher,
            self.system,
            self.namespace.listen,
            self.mounts,
            self.namespace.touch,
        )
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
        self.recalls.generation.start(os.fspath(self.directory / "run"))
        self.records.end_orphans()
        utilities.clear(self.directory / "stage")
        self.meetings.clear()
        mounts.clear(self.local.path)
        self.environments.clear()
        finding = asyncio.create_task(self.interpreters.find(self.config.python, self.config.node))
        try:
            await self.server.start()
            self._closers.append(self.server.close)
            self._closers.append(self.attached.close)
            await self.attached.start()
            self._closers.append(self.control.close)
            await self.attached.follow_control()
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
        if self.interpreters.inside("python", []) is not None:
            # Nothing waits for it: programs that start earlier cannot move.
            found = self.interpreters.get("python")
            self.start_task(self.agents.spawning.movable.prepare(found.path if found else None))
        await self.attached.found(self._manifest(), self.facts)
        await self._arrive()

    async def _tree_inside(self) -> str | None:
        """Where this host's programs meet; see `NameSpace.tree`."""
        return await self.namespace.tree() if self.native_kind else ""

    def _block(self) -> int:
        """Which numbers this host's kernel gives."""
        own = self.control.state.members.get(self.host)
        return own.block if own is not None else pids.NO_BLOCK

    def _manifest(self) -> Manifest:
        path = self.directory / "manifest.toml"
        if path.exists():
            return parse_manifest(path.read_text(encoding="utf-8"), os.fspath(path))
        return default_manifest()

    async def _arrive(self) -> None:
        self.incarnation = Incarnation(
            await self.control.submit(t.Arrive(self.host, self.facts, now_ns(), numbers=True))
        )
        self.chunks.promises.born(self.incarnation)
        await self.backing.drop_leftovers()
        self._closers.append(self.homes.stop)
        self.control.watch(self._changed)
        # It may have been given up again before anybody watched.
        self._changed(t.Nothing(), t.Result())
        if self.index is not None:
            await self.index.start(Log(self.attached.engine, growth.FILES_LOG, self.host))
            self._closers.append(self.index.close)
        await self.beats.start(self.attached.engine)
        self._closers.append(self.beats.close)
        self._closers.append(self.supervisor.close)
        self._closers.append(self.homes.settle)
        await self.placed.place()
        self.scrubber.start()
        self._closers.append(self.scrubber.close)
        self.rules.start(self.regular)
        self._closers.append(self.rules.stop)
        log.info("%s is up as incarnation %d", self.host, self.incarnation)

    # --- following the control log --------------------------------------------------------------
    def _changed(self, command: t.Command, result: t.Result) -> None:
        if result.errno:
            return
        own = self.control.state.members.get(self.host)
        if own is None or own.incarnation != self.incarnation or own.state == "dead":
            self.fail(Deposed(f"the network gave {self.host} up while it lived"))
            return
        if isinstance(command, t.Arrive | t.Depart | t.DeclareDead | t.Place | t.Drain):
            self.start_task(self.placed.place())
        if isinstance(command, t.Depart | t.DeclareDead) and command.host != self.host:
            self.links.drop(command.host)
            self.streams.drop(command.host)
            self.server.drop(command.host)
            self.start_task(self.home_calls.drop(command.host))
            self.exports.drop(command.host)
        if isinstance(command, t.Arrive) and command.host != self.host:
            # It may have restarted so quickly that nobody noted the end of its earlier run.
            now = self.control.state.members[command.host].incarnation
            self.start_task(self.home_calls.drop(command.host, before=now))
            self.exports.drop(command.host, before=now)
        if isinstance(command, t.Spawn):
            self._expect_launch(result.value if isinstance(result.value, list) else [])
        elif isinstance(command, t.Assign):
            self._expect_launch([one.pid for one in command.programs])
        if self._is_of_supervised(command):
            self.supervised.look()
            self.checkpoints.look()
            self.snapshots.look()
        if isinstance(command, t.Move):
            self.moves.look()
        if isinstance(command, t.Moved | t.Stayed | t.DeclareDead | t.Depart | t.Arrive):
            self.plumbing.changed()

    def _is_of_supervised(self, command: t.Command) -> bool:
        """Whether a record may concern programs that the network starts by itself."""
        if isinstance(command, t.Ended):
            found = (self.control.state.processes.get(pid) for pid, _ in command.statuses)
            return any(process is not None and process.template is not None for process in found)
        return isinstance(command, _OF_PROGRAMS)

    def _output_of(self, pid: int, pump: Pump) -> None:
        """What a program of this host prints, that has moved, is to have come before its end."""
        self.launcher.children.add_output(pid, pump)

    def _run_of(self, host: HostName) -> int | None:
        """The incarnation of a live host's Runtime."""
        member = self.control.state.members.get(host)
        return member.incarnation if member is not None and member.state == "alive" else None

    def _host_of(self, pid: int) -> HostName | None:
        """Where a program runs or has run last; None while it waits for a host."""
        process = self.control.state.processes.get(pid)
        return process.host if process is not None and process.state != "waiting" else None

    def _expect_launch(self, pids: list[int]) -> None:
        """What was placed here is launched soon, or its launcher has died."""
        at = asyncio.get_running_loop().time() + CALL_TIMEOUT_S * 2
        processes = self.control.state.processes
        own = [
            p
            for pid in pids
            if (p := processes.get(pid)) and p.host == self.host and p.state == "running"
        ]
        if own and not self._expected:
            self.start_task(self._end_unlaunched())
        self._expected += [(at, p.pid, p.attempt) for p in own if p.template is None]

    async def _end_unlaunched(self) -> None:
        """End in the log what was never launched: one wait for all that are placed."""
        while self._expected:
            at, pid, attempt = self._expected[0]
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            process = self.control.state.processes.get(pid)
            if process and process.state == "running" and pid not in self.agents.pids():
                await self.agents.never_launched(process.pid, attempt)
            self._expected.popleft()

    async def _topic_names(self) -> list[str]:
        return await self.services.ask("pubsub", m.Topics(), list[str])

    async def _grow(self, count: int) -> dict[str, Any]:
        return await asyncio.shield(asyncio.ensure_future(self._grow_alone(count)))

    async def _grow_alone(self, count: int) -> dict[str, Any]:
        # Two at once would want the same ports, and one could thaw what the other froze.
        async with self._growing:
            return await growth.grow(count, self.identity, self.control, self.links)

    # --- ending ---------------------------------------------------------------------------------
    def start_task(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start work that nobody waits for; its failure is logged."""
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

    def _copy_broken(self, error: OneOSError) -> None:
        # Starting anew gets a host that fell behind a snapshot; a record that cannot be read stays
        # one.
        self.fail(error if isinstance(error, InternalError) else Deposed(error.message))

    def fail(self, error: OneOSError) -> None:
        """Have `over` end with an error."""
        if not self.over.done():
            self.over.set_exception(error)

    async def close(self, *, depart: bool) -> None:
        """Stop everything, the newest first; `depart` says so in the log.

        Programs first, then clients: what they have open is committed while this host is still one
        of the network.
        """
        self.recalls.generation.end()
        await self.agents.close()
        await self.terminals.close()
        await self.namespace.close()
        await self.mounts.close()
        await self.local.drop()
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
            except Exception as error:
                # The others must still be closed: one of them ends the engine's server.
                log.warning("while stopping: %s", error, exc_info=error)
        await self.plumbing.close()
        await self.remote.feeds.close()
        await self.devices.close()
        await self.links.close()
        self.streams.close()
