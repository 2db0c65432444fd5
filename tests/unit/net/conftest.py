"""A network of three hosts, and one stranger network, made once for all tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import uvloop

from oneos.ids import HostName
from oneos.net.identity import Identity, install
from oneos.net.links import Links
from oneos.net.pki import create_network, make_request, sign_request
from oneos.net.routes import Routes
from oneos.net.server import Server
from oneos.net.streams import Streams
from tests.support.waiting import WAIT_S

HUB, PI1, PI2 = HostName("hub"), HostName("pi1"), HostName("pi2")


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything here must hold on both loops: not every host has uvloop."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@dataclass(frozen=True)
class Identities:
    hub: Identity
    pi1: Identity
    pi2: Identity
    foreign_pi1: Identity

    def of(self, host: str) -> Identity:
        return {"hub": self.hub, "pi1": self.pi1, "pi2": self.pi2}[host]


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    folder = tmp_path_factory.mktemp("identities")
    hub = create_network(folder / "hub", "home", "hub")

    def member(host: str) -> Identity:
        key, request = make_request(host)
        return install(folder / host, hub.ca_pem, sign_request(hub, request, host), key)

    foreign = create_network(folder / "foreign", "home", "pi1")
    return Identities(hub, member("pi1"), member("pi2"), foreign)


@dataclass
class Host:
    """One host of the network, as a Runtime wires it up, without the rest of a Runtime."""

    identity: Identity
    routes: Routes
    server: Server
    links: Links
    streams: Streams

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.port)

    async def stop(self) -> None:
        await self.links.close()
        self.streams.close()
        await self.server.close()


class Network:
    """Hosts of this process that find each other by name."""

    def __init__(self, identities: Identities) -> None:
        self.identities = identities
        self.addresses: dict[str, tuple[str, int]] = {}
        self._hosts: list[Host] = []

    async def host(
        self, identity: Identity, *, streams_max: int = 16, rendezvous_s: float = WAIT_S
    ) -> Host:
        routes = Routes()
        streams = Streams(
            lambda: identity,
            self.addresses.get,
            streams_max=streams_max,
            rendezvous_s=rendezvous_s,
        )
        server = Server("127.0.0.1", 0, lambda: identity, routes, streams)
        links = Links(lambda: identity, self.addresses.get, routes)
        await server.start()
        host = Host(identity, routes, server, links, streams)
        self.addresses[identity.host] = host.address
        self._hosts.append(host)
        return host

    async def stop(self) -> None:
        for host in self._hosts:
            await host.stop()


@pytest.fixture
async def network(identities: Identities) -> AsyncIterator[Network]:
    network = Network(identities)
    yield network
    await network.stop()
