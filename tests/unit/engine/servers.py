"""Starts real servers and connections for tests, and ends them all afterwards."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from oneos.engine.client import Address, Engine
from oneos.engine.server import EngineServer
from oneos.engine.server_config import ServerSpec, User, key_pin
from tests.support.ports import free_ports
from tests.support.waiting import WAIT_S, eventually
from tests.unit.engine.certificates import Certificates

CORES = ("hub", "lab", "attic")
EDGES = ("pi1", "pi2")


class Bench:
    """A directory with certificates, and everything a test starts in it."""

    def __init__(self, directory: Path, certificates: Certificates) -> None:
        self.directory = directory
        self.certificates = certificates
        self.users: list[User] = [User(host, True) for host in CORES]
        self.users += [User(host, False) for host in EDGES]
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def spec(
        self,
        host: str = "hub",
        generation: int = 1,
        ports: tuple[int, int] | None = None,
        routes: Sequence[tuple[str, int]] = (),
    ) -> ServerSpec:
        client_port, cluster_port = ports or free_ports(2)
        cert, key = self.certificates.of(host)
        return ServerSpec(
            directory=self.directory / host,
            name=f"{host}-g{generation}",
            cluster="home",
            listen="127.0.0.1",
            client_port=client_port,
            cluster_port=cluster_port,
            routes=routes,
            ca=self.certificates.ca,
            cert=cert,
            key=key,
            generation=generation,
            pins=[key_pin(self.certificates.of(core)[0].read_bytes()) for core in CORES],
        )

    async def start(self, spec: ServerSpec | None = None) -> EngineServer:
        server = EngineServer(spec or self.spec(), self.users)
        self._closers.append(server.stop)
        await server.start()
        return server

    async def start_three(self, generation: int = 1) -> list[EngineServer]:
        ports = free_ports(6)
        routes = [("127.0.0.1", port) for port in ports[3:]]
        specs = [
            self.spec(host, generation, (ports[index], ports[3 + index]), routes)
            for index, host in enumerate(CORES)
        ]
        return list(await asyncio.gather(*(self.start(spec) for spec in specs)))

    async def connect(
        self, *servers: EngineServer, host: str = "hub", timeout_s: float = WAIT_S
    ) -> Engine:
        cert, key = self.certificates.of(host)
        engine = await Engine.connect(
            addresses(*servers),
            self.certificates.ca,
            cert,
            key,
            host,
            voters=set(CORES),
            timeout_s=timeout_s,
        )
        self._closers.append(engine.close)
        return engine

    async def close(self) -> None:
        for closer in reversed(self._closers):
            await closer()


def addresses(*servers: EngineServer) -> list[Address]:
    return [("127.0.0.1", server.spec.client_port) for server in servers]


def kill(server: EngineServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


async def pause(server: EngineServer) -> None:
    """Stop the process where it stands, and wait until each of its threads has stopped."""
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    threads = Path(f"/proc/{server.pid}/task")

    def stopped() -> bool:
        states = [
            (each / "stat").read_text().rsplit(")", 1)[1].split()[0] for each in threads.iterdir()
        ]
        return set(states) == {"T"}

    await eventually(stopped)


def resume(server: EngineServer) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGCONT)
