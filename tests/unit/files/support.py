"""Hosts as far as files need them: real logs, links, stores and File System agent, one process."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from oneos.actor.actor import Actor, Address
from oneos.files.collected import Collected
from oneos.files.copies import Copies
from oneos.files.durability import Rules
from oneos.files.handles import Caller
from oneos.files.home_calls import HomeCalls
from oneos.files.homes import Homes
from oneos.files.meetings import Meetings
from oneos.files.names import Names
from oneos.files.regular import RegularFiles
from oneos.files.scrubber import Scrubber
from oneos.ids import HostName, Incarnation, ServiceName
from oneos.kernel import filesystem as fs
from oneos.kernel import messages as m
from oneos.kernel import services
from oneos.kernel.control_log import ControlLog
from oneos.kernel.services import Services
from oneos.net.identity import Identity
from oneos.net.links import Links
from oneos.net.routes import Routes
from oneos.net.server import Server
from oneos.net.streams import Streams
from oneos.runtime.peers import Peers
from oneos.storage.backing import BackingStore
from oneos.storage.chunks import ChunkStore
from tests.unit.kernel.support import World

ROOT = Caller()


async def no_name_space() -> str:
    """Where programs meet on a host that has none: nowhere inside."""
    return ""


async def no_report() -> None:
    """What is damaged here is looked for by the test."""


class Nobody:
    """No kernel or program here keeps anything."""

    def sees_to(self, by_kernel: bool) -> bool:
        return True

    async def changed(self, by_kernel: bool) -> None:
        pass


class Host:
    """One host's share of the tree's regular files."""

    def __init__(self, identity: Identity, control: ControlLog, directory: Path) -> None:
        self.host = HostName(identity.host)
        self.control = control
        self.incarnation = Incarnation(0)
        self.addresses: dict[str, tuple[str, int]] = {}
        self.routes = Routes()
        self.peers = Peers(self.host, control)
        self.routes.members = self.peers
        self.streams = Streams(lambda: identity, self.resolve)
        self.links = Links(lambda: identity, self.resolve, self.routes)
        self.server = Server("127.0.0.1", 0, lambda: identity, self.routes, self.streams)
        self.services = Services(control, self.links)
        self.chunks = ChunkStore(str(directory / "chunks"))
        self.backing = BackingStore(str(directory / "open"), self.chunks)
        self.copies = Copies(self.host, self.chunks, control, self.links, self.streams, 2)
        self.rules = Rules()
        self.names = Names(self.host, lambda: self.incarnation, self.services, Nobody())
        self.homes = Homes(
            self.host,
            self.backing,
            self.copies,
            self.names.ask,
            self.names.ask_many,
            lambda path: self.rules.of(path),
        )
        self.calls = HomeCalls(self.homes)
        self.files = RegularFiles(
            self.host,
            lambda: self.incarnation,
            self.names,
            self.homes,
            control,
            self.links,
            Meetings(str(directory / "meet"), no_name_space),
        )
        self.agents: dict[str, Actor] = {}
        self.calls.serve(self.routes)
        self.copies.serve(self.routes)
        Collected(self.chunks).serve(self.routes)
        Scrubber(self.chunks, str(directory / "scrub.json"), 0, no_report).serve(self.routes)
        services.serve(self.routes, "filesystem", fs.FileSystemMessage, self.agents.get)

    async def recall(self, host: HostName, recall: m.Recall) -> None:
        """No kernel here keeps anything."""

    def resolve(self, host: HostName) -> tuple[str, int] | None:
        return self.addresses.get(host) if self.peers.resolve(host) else None

    async def close(self) -> None:
        await self.links.close()
        await self.server.close()
        self.streams.close()


class Network:
    """Hosts that know each other; the first runs the File System."""

    def __init__(self, world: World, identities: dict[str, Identity], directory: Path) -> None:
        self.world = world
        self._identities = identities
        self._directory = directory
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.hosts: list[Host] = []

    async def start(self, *names: HostName) -> list[Host]:
        control = await self.world.start()
        for number, name in enumerate(names):
            if number:
                await self.world.join(control, name, number)
            await self._add(control if number == 0 else await self.world.control(name), number)
        return self.hosts

    async def _add(self, control: ControlLog, number: int) -> None:
        name = control.host
        host = Host(self._identities[name], control, self._directory / name)
        self._closers.append(host.close)
        await host.server.start()
        self.hosts.append(host)
        for one in self.hosts:
            for other in self.hosts:
                one.addresses[other.host] = ("127.0.0.1", other.server.port)
        if number:
            host.incarnation = await self.world.arrive(control)
        else:
            host.incarnation = self.world.incarnations[name]
            await self._run_file_system(host)

    async def _run_file_system(self, host: Host) -> None:
        self.index = index = await self.world.index(host.host)
        epoch = self.world.epoch(host.control, "filesystem")
        agent = fs.FileSystem(
            Address(host.host, "filesystem", epoch), index, host.control, host.recall
        )
        task = asyncio.create_task(agent.run())

        async def stop() -> None:
            task.cancel()
            await asyncio.wait((task,))

        self._closers.append(stop)
        host.agents[ServiceName("filesystem")] = agent
        await host.names.mkdir(b"/d", 0o755, ROOT)

    async def close(self) -> None:
        for closer in reversed(self._closers):
            await closer()
