"""Calls between hosts over real sockets: answers, errors, limits, and every way a link can end."""

import asyncio
import errno
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from oneos.errors import (
    AuthError,
    FileError,
    InternalError,
    NetworkError,
    Unknown,
    UserError,
)
from oneos.ids import HostName
from oneos.net.calling import CallingEnd
from oneos.net.frames import Call, Cancel, Failure, Hello, encode
from oneos.net.links import Links, call_address, dial, fetch_ca
from oneos.net.pki import fingerprint
from oneos.net.routes import Peer, Routes
from oneos.net.server import Server
from oneos.net.tls import anonymous_context, client_context, stranger_context
from tests.support.waiting import WAIT_S, eventually

from .conftest import HUB, PI1, PI2, Host, Identities, Network

# For tests that take their time; what differs between the loops, the others show.
ON_UVLOOP_ONLY = pytest.mark.asyncio(loop_factories=["uvloop"])


class Point(msgspec.Struct, frozen=True):
    x: int
    data: bytes = b""


async def echo(peer: Peer, argument: Any) -> Any:
    return argument


async def whoami(peer: Peer, argument: None) -> str | None:
    return peer.host


async def pair(network: Network) -> tuple[Host, Host]:
    hub = await network.host(network.identities.hub)
    pi1 = await network.host(network.identities.pi1)
    for host in (hub, pi1):
        host.routes.add("echo", echo, Point)
        host.routes.add("whoami", whoami, None)
    return hub, pi1


async def test_a_call_is_answered_by_the_host_it_names(network: Network) -> None:
    hub, pi1 = await pair(network)
    assert await hub.links.call(PI1, "echo", Point(3, b"\0\xff"), Point) == Point(3, b"\0\xff")
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"


async def test_a_call_to_oneself_needs_no_socket(network: Network) -> None:
    hub, _ = await pair(network)
    point = Point(1)
    assert await hub.links.call(HUB, "echo", point, Point) is point
    assert await hub.links.call(HUB, "whoami", None, str) == "hub"
    assert hub.links.statistics().dials == 0


async def test_one_link_carries_many_calls_and_one_dial_makes_it(network: Network) -> None:
    hub, pi1 = await pair(network)
    calls = [hub.links.call(PI1, "echo", Point(i), Point) for i in range(300)]
    assert [p.x for p in await asyncio.gather(*calls)] == list(range(300))
    assert hub.links.statistics().dials == 1
    assert pi1.server.statistics().links == 1


async def test_large_data_has_a_link_of_its_own(network: Network) -> None:
    hub, pi1 = await pair(network)
    data = os.urandom(1024 * 1024)
    calls = [hub.links.call(PI1, "echo", Point(i, data), Point, bulk=True) for i in range(20)]
    assert all(p.data == data for p in await asyncio.gather(*calls))
    assert (await hub.links.call(PI1, "echo", Point(1), Point)).x == 1
    assert hub.links.statistics().links == pi1.server.statistics().links == 2


@pytest.mark.parametrize("where", [HUB, PI1])
async def test_what_a_handler_raises_is_raised_at_the_caller(
    network: Network, where: HostName, caplog: pytest.LogCaptureFixture
) -> None:
    hub, pi1 = await pair(network)

    async def missing(peer: Peer, argument: None) -> None:
        raise FileError(errno.ENOENT, "/a", hint="make it")

    async def bug(peer: Peer, argument: None) -> None:
        raise KeyError("secret thing")

    for host in (hub, pi1):
        host.routes.add("missing", missing, None)
        host.routes.add("bug", bug, None)
    with pytest.raises(FileError) as caught:
        await hub.links.call(where, "missing", None, None)
    assert (caught.value.errno, caught.value.message, caught.value.hint) == (
        errno.ENOENT,
        "/a: No such file or directory",
        "make it",
    )
    with caplog.at_level(logging.CRITICAL), pytest.raises(InternalError, match="KeyError"):
        await hub.links.call(where, "bug", None, None)


async def test_wrong_arguments_methods_and_results_are_told(network: Network) -> None:
    hub, pi1 = await pair(network)

    async def odd(peer: Peer, argument: None) -> object:
        return object()

    async def no_text(peer: Peer, argument: None) -> msgspec.Raw:
        return msgspec.Raw(b"\xa1\x80")

    pi1.routes.add("odd", odd, None)
    pi1.routes.add("no text", no_text, None)
    with pytest.raises(InternalError, match=r"pi1 .* is wrong: .utf-8"):
        await hub.links.call(PI1, "no text", None, str, timeout_s=None)
    with pytest.raises(UserError, match="argument of echo from host hub is wrong"):
        await hub.links.call(PI1, "echo", "no point", Point)
    with pytest.raises(UserError) as caught:
        await hub.links.call(PI1, "nothing", None, None)
    assert caught.value.errno == errno.ENOSYS
    with pytest.raises(InternalError, match="answer of host pi1"):
        await hub.links.call(PI1, "echo", Point(1), int)
    with pytest.raises(InternalError, match="result of odd"):
        await hub.links.call(PI1, "odd", None, None)
    with pytest.raises(UserError) as caught:
        await hub.links.call(PI1, "echo", Point(1, b"x" * 9_000_000), Point)
    assert caught.value.errno == errno.EMSGSIZE
    assert (await hub.links.call(PI1, "echo", Point(2), Point)).x == 2
    assert hub.links.statistics().in_flight == 0


async def test_an_unknown_host_and_one_that_is_down_fail_at_once(network: Network) -> None:
    hub, _ = await pair(network)
    with pytest.raises(NetworkError, match="no host pi9"):
        await hub.links.call(HostName("pi9"), "echo", Point(1), Point)
    free = socket.create_server(("127.0.0.1", 0))
    network.addresses["pi2"] = free.getsockname()
    free.close()
    with pytest.raises(NetworkError, match=r"host pi2 does not answer at 127\.0\.0\.1:\d+"):
        await hub.links.call(PI2, "echo", Point(1), Point)
    assert hub.links.statistics().dials_failed == 2


async def test_a_host_that_came_back_is_dialled_again(network: Network) -> None:
    hub, pi1 = await pair(network)
    await hub.links.call(PI1, "whoami", None, str)
    await pi1.server.close()
    await eventually(lambda: hub.links.statistics().links == 0, "the broken link is forgotten")
    pi1 = await network.host(network.identities.pi1)
    pi1.routes.add("whoami", whoami, None)
    assert await hub.links.call(PI1, "whoami", None, str) == "hub"


async def start_slow(host: Host) -> tuple[asyncio.Event, asyncio.Event]:
    """A method `slow` that never ends by itself: (it has begun, it was cancelled)."""
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def slow(peer: Peer, argument: None) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    host.routes.add("slow", slow, None)
    return begun, cancelled


def start(call: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.create_task(call)


async def test_a_call_over_time_is_unknown_and_cancelled_at_the_callee(network: Network) -> None:
    hub, pi1 = await pair(network)
    begun, cancelled = await start_slow(pi1)
    assert (await hub.links.call(PI1, "whoami", None, str)) == "hub"
    task = start(hub.links.call(PI1, "slow", None, None, timeout_s=0.5))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    with pytest.raises(Unknown, match=r"did not answer slow within 0\.\d") as caught:
        await task
    assert caught.value.errno == errno.ETIMEDOUT
    await asyncio.wait_for(cancelled.wait(), WAIT_S)
    assert (await hub.links.call(PI1, "whoami", None, str)) == "hub"


async def test_a_call_to_oneself_over_time_is_unknown_too(network: Network) -> None:
    hub, _ = await pair(network)
    _, cancelled = await start_slow(hub)
    with pytest.raises(Unknown):
        await hub.links.call(HUB, "slow", None, None, timeout_s=0.05)
    assert cancelled.is_set()


async def test_a_cancelled_call_is_cancelled_at_the_callee(network: Network) -> None:
    hub, pi1 = await pair(network)
    begun, cancelled = await start_slow(pi1)
    task = start(hub.links.call(PI1, "slow", None, None, timeout_s=None))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), WAIT_S)
    assert hub.links.statistics().in_flight == 0
    assert (await hub.links.call(PI1, "whoami", None, str)) == "hub"


async def test_dropping_a_host_makes_its_calls_unknown(network: Network) -> None:
    hub, pi1 = await pair(network)
    begun, cancelled = await start_slow(pi1)
    task = start(hub.links.call(PI1, "slow", None, None))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    hub.links.drop(PI1)
    with pytest.raises(Unknown, match="host pi1 has left"):
        await task
    await asyncio.wait_for(cancelled.wait(), WAIT_S)


async def test_a_server_that_stops_ends_calls_with_an_error(network: Network) -> None:
    hub, pi1 = await pair(network)
    begun, cancelled = await start_slow(pi1)
    task = start(hub.links.call(PI1, "slow", None, None))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    await pi1.server.close()
    with pytest.raises(Unknown, match="broke off"):
        await task
    await asyncio.wait_for(cancelled.wait(), WAIT_S)


async def test_one_caller_that_gives_up_does_not_end_the_dial_of_another(network: Network) -> None:
    hub, _ = await pair(network)
    first = start(hub.links.call(PI1, "whoami", None, str))
    second = start(hub.links.call(PI1, "whoami", None, str))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "hub"
    assert hub.links.statistics().dials == 1


PEER = """
import asyncio, sys
from oneos.net import link
from oneos.net.identity import Identity
from oneos.net.routes import Routes
from oneos.net.server import Server
from oneos.net.streams import Streams

link.LINK_HEARTBEAT_S = 0.1

async def main():
    identity = Identity.load(sys.argv[1])
    routes = Routes()
    async def slow(peer, argument):
        await asyncio.sleep(60)
    async def echo(peer, argument):
        return argument
    routes.add("slow", slow, None)
    routes.add("echo", echo, int)
    streams = Streams(lambda: identity, lambda host: None)
    server = Server("127.0.0.1", 0, lambda: identity, routes, streams)
    await server.start()
    print(server.port, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


class OtherProcess:
    """A host in a process of its own, so that it can be killed or stopped."""

    def __init__(self, network: Network) -> None:
        arguments = [sys.executable, "-c", PEER, str(network.identities.pi2.directory)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        network.addresses["pi2"] = ("127.0.0.1", int(self.process.stdout.readline()))

    def __enter__(self) -> "OtherProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@ON_UVLOOP_ONLY
async def test_a_peer_killed_in_the_middle_of_a_call_makes_it_unknown(network: Network) -> None:
    hub, _ = await pair(network)
    with OtherProcess(network) as other:
        assert await hub.links.call(PI2, "echo", 5, int) == 5
        task = start(hub.links.call(PI2, "slow", None, None, timeout_s=None))
        await eventually(lambda: hub.links.statistics().in_flight == 1, "the call is sent")
        other.process.kill()
        with pytest.raises(Unknown, match="host pi2"):
            await asyncio.wait_for(task, WAIT_S)


@ON_UVLOOP_ONLY
async def test_a_silent_peer_is_noticed(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oneos.net.link.LINK_HEARTBEAT_S", 0.1)
    monkeypatch.setattr("oneos.net.link.LINK_SILENCE_S", 2.0)
    hub, _ = await pair(network)
    with OtherProcess(network) as other:
        assert await hub.links.call(PI2, "echo", 5, int) == 5
        task = start(hub.links.call(PI2, "slow", None, None, timeout_s=None))
        await eventually(lambda: hub.links.statistics().in_flight == 1, "the call is sent")
        # Its heartbeats keep the link alive while nothing else is said.
        done, _ = await asyncio.wait([task], timeout=2.5)
        assert not done
        os.kill(other.process.pid, signal.SIGSTOP)
        with pytest.raises(Unknown, match="silent"):
            await asyncio.wait_for(task, WAIT_S)


@ON_UVLOOP_ONLY
async def test_an_own_stall_is_not_taken_for_the_peers_silence(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.link.LINK_HEARTBEAT_S", 0.05)
    monkeypatch.setattr("oneos.net.link.LINK_SILENCE_S", 0.15)
    hub, _ = await pair(network)
    await hub.links.call(PI1, "whoami", None, str)
    time.sleep(0.3)  # noqa: ASYNC251  The whole process stalls, that is the point.
    for _ in range(10):
        await asyncio.sleep(0.02)
        await hub.links.call(PI1, "whoami", None, str)
    assert hub.links.statistics().dials == 1


@ON_UVLOOP_ONLY
async def test_a_server_that_never_speaks_is_given_up(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.links.CONNECT_TIMEOUT_S", 0.2)
    hub, _ = await pair(network)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        network.addresses["pi2"] = mute.getsockname()
        with pytest.raises(NetworkError, match=r"within 0\.2 s"):
            await hub.links.call(PI2, "whoami", None, str)


async def test_a_server_of_another_kind_is_told(network: Network) -> None:
    hub, _ = await pair(network)

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(http, "127.0.0.1", 0)
    network.addresses["pi2"] = server.sockets[0].getsockname()
    with pytest.raises(NetworkError, match="not OneOS"):
        await hub.links.call(PI2, "whoami", None, str)
    server.close()
    await server.wait_closed()


# --- who may call ---------------------------------------------------------------------------


async def test_a_host_that_is_not_the_one_meant_is_refused(network: Network) -> None:
    hub, pi1 = await pair(network)
    network.addresses["pi2"] = pi1.address
    with pytest.raises(AuthError, match=r"host pi2 at .* is not who it should be") as caught:
        await hub.links.call(PI2, "whoami", None, str)
    assert caught.value.errno == errno.EACCES
    network.addresses["PI1"] = pi1.address
    with pytest.raises(AuthError, match="host pi1 answers where PI1 should"):
        await hub.links.call(HostName("PI1"), "whoami", None, str)
    assert hub.links.statistics().links == 0


async def test_a_server_of_another_network_is_refused(network: Network) -> None:
    hub, _ = await pair(network)
    await network.host(network.identities.foreign_pi1)
    with pytest.raises(AuthError, match="not who it should be") as caught:
        await hub.links.call(PI1, "whoami", None, str)
    assert "another network" in caught.value.hint


async def test_a_client_of_another_network_is_refused(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    context = stranger_context()
    foreign = identities.foreign_pi1
    context.load_cert_chain(foreign.certificate_path, foreign.key_path)
    with pytest.raises(NetworkError) as caught:
        await call_address(hub.address, "whoami", None, str, context=context)
    assert "certificate" in caught.value.hint
    await eventually(lambda: hub.server.statistics().handshakes == 0, "the server is done with it")
    assert hub.server.statistics().links == hub.server.statistics().strangers == 0


async def test_a_stranger_may_call_public_methods_only(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    hub.routes.add("public", whoami, None, public=True)
    context = anonymous_context(identities.hub.ca_pem)
    assert await call_address(hub.address, "public", None, str | None, context=context) is None
    for method in ("whoami", "there-is-no-such-method"):
        with pytest.raises(AuthError, match="may not call"):
            await call_address(hub.address, method, None, str, context=context)
    with pytest.raises(AuthError, match="not who it should be"):
        foreign = anonymous_context(identities.foreign_pi1.ca_pem)
        await call_address(hub.address, "public", None, str, context=foreign)


async def test_a_joining_host_gets_the_ca_its_token_names_or_none(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    ca_pem = identities.hub.ca_pem
    assert await fetch_ca(hub.address, fingerprint(ca_pem)) == ca_pem
    with pytest.raises(AuthError, match="not the one this token is for"):
        await fetch_ca(hub.address, fingerprint(identities.foreign_pi1.ca_pem))


async def test_a_stranger_gets_no_large_buffer(network: Network, identities: Identities) -> None:
    hub, _ = await pair(network)
    hub.routes.add("public", echo, Point, public=True)
    context = anonymous_context(identities.hub.ca_pem)
    with pytest.raises(Unknown):
        large = Point(1, b"x" * 100_000)
        await call_address(hub.address, "public", large, Point, context=context)


@ON_UVLOOP_ONLY
async def test_strangers_are_bounded_in_number_and_time(
    network: Network, identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.server.ANONYMOUS_LINKS_MAX", 3)
    hub, pi1 = await pair(network)
    context = anonymous_context(identities.hub.ca_pem)
    links = [await dial(hub.address, context, None) for _ in range(3)]
    with pytest.raises(NetworkError):
        await dial(hub.address, context, None)
    # Hosts of the network are not kept out by strangers.
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"
    for link in links:
        link.close()
        await link.closed
    await eventually(lambda: hub.server.statistics().strangers == 0, "they are gone")
    monkeypatch.setattr("oneos.net.server.ANONYMOUS_LINK_S", 1.0)
    link = await dial(hub.address, context, None)
    await asyncio.wait_for(link.closed, WAIT_S)


@ON_UVLOOP_ONLY
async def test_what_does_not_speak_oneos_is_closed(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.server.HANDSHAKE_TIMEOUT_S", 0.3)
    hub, pi1 = await pair(network)

    async def say(first: bytes) -> None:
        reader, writer = await asyncio.open_connection(*hub.address)
        writer.write(first)
        try:
            await asyncio.wait_for(reader.read(), WAIT_S)
        except ConnectionResetError:
            pass
        writer.close()

    firsts = (b"", b"ONEO", b"GET / HTTP/1.1\r\n", b"ONEOSRPC" + b"\0" * 50, b"ONEOSSTR!!")
    await asyncio.gather(*(say(first) for first in firsts))
    await eventually(lambda: hub.server.statistics().handshakes == 0, "all are closed")
    monkeypatch.undo()
    assert hub.server.statistics().accepted == 0
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"


@ON_UVLOOP_ONLY
async def test_idle_connections_do_not_use_up_the_server(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.server.HANDSHAKES_MAX", 4)
    monkeypatch.setattr("oneos.net.server.HANDSHAKE_TIMEOUT_S", 0.3)
    hub, pi1 = await pair(network)
    idle = [socket.create_connection(hub.address) for _ in range(10)]
    await eventually(lambda: hub.server.statistics().refused >= 6, "those above four are closed")
    await eventually(lambda: hub.server.statistics().handshakes == 0, "the four are closed later")
    monkeypatch.undo()
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"
    for connection in idle:
        connection.close()


async def test_a_port_in_use_is_told(network: Network) -> None:
    hub, _ = await pair(network)
    identity = network.identities.pi2
    server = Server("127.0.0.1", hub.server.port, lambda: identity, Routes(), hub.streams)
    with pytest.raises(UserError, match=f"port {hub.server.port} of 127.0.0.1 is in use"):
        await server.start()
    server = Server("no such address", 1, lambda: identity, Routes(), hub.streams)
    with pytest.raises(UserError, match="not an address"):
        await server.start()


# --- bad frames and back-pressure -----------------------------------------------------------


async def link_to(host: Host, identities: Identities) -> CallingEnd:
    """A link of host pi2, to send what `Links` never would."""
    return await dial(host.address, client_context(identities.pi2), host.identity.host)


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff\xff\xff\x7f",
        b"\x01\0\0\0\xc1",
        b"\0\0\0\0",
        bytes(encode(Hello(1, "home", "pi2"))),
        bytes(encode(Failure(1, 1, "", "", ""))),
        bytes(encode(Call(1, "slow", msgspec.Raw(b"\xc0")))) * 2,
    ],
    ids=["too long", "not msgpack", "empty", "hello", "failure", "same id twice"],
)
async def test_a_bad_frame_ends_its_link_and_no_other(
    network: Network, identities: Identities, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    hub, pi1 = await pair(network)
    await start_slow(hub)
    link = await link_to(hub, identities)
    link.send_raw(bad)
    await asyncio.wait_for(link.closed, WAIT_S)
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_cancelling_a_call_that_is_not_there_does_nothing(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    link = await link_to(hub, identities)
    link.send(Cancel(99))
    assert await link.call("whoami", None, msgspec.msgpack.Decoder(str), WAIT_S) == "pi2"
    link.close()
    await link.closed


@ON_UVLOOP_ONLY
async def test_a_caller_that_does_not_read_stops_being_served(
    network: Network, identities: Identities
) -> None:
    hub, pi1 = await pair(network)
    served = 0

    async def large(peer: Peer, argument: None) -> bytes:
        nonlocal served
        served += 1
        return bytes(256 * 1024)

    hub.routes.add("large", large, None)
    link = await link_to(hub, identities)
    link.pause_reading(True)
    decoder = msgspec.msgpack.Decoder(bytes)
    calls = [asyncio.create_task(link.call("large", None, decoder, None)) for _ in range(400)]
    previous = -1
    while previous != served:
        previous = served
        await asyncio.sleep(0.1)
    assert served < 200, "the answers would pile up at the server"
    assert await pi1.links.call(HUB, "whoami", None, str) == "pi1"
    link.pause_reading(False)
    assert {len(answer) for answer in await asyncio.gather(*calls)} == {256 * 1024}
    assert served == 400
    link.close()
    await link.closed


async def test_more_calls_than_a_link_carries_wait_their_turn(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    at_once = most = 0

    async def counted(peer: Peer, argument: int) -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.001)
        at_once -= 1
        return argument

    hub.routes.add("counted", counted, int)
    link = await dial(hub.address, client_context(identities.pi2), HUB, in_flight_max=8)
    decoder = msgspec.msgpack.Decoder(int)
    calls = [link.call("counted", i, decoder, WAIT_S) for i in range(100)]
    assert await asyncio.gather(*calls) == list(range(100))
    assert most <= 8
    link.close()
    await link.closed


async def test_a_full_link_tells_that_nothing_was_sent(
    network: Network, identities: Identities
) -> None:
    hub, _ = await pair(network)
    await start_slow(hub)
    link = await dial(hub.address, client_context(identities.pi2), HUB, in_flight_max=1)
    decoder = msgspec.msgpack.Decoder(None)
    task = asyncio.create_task(link.call("slow", None, decoder, None))
    await eventually(lambda: link.in_flight == 1, "the call is sent")
    with pytest.raises(NetworkError, match="too busy") as caught:
        await link.call("slow", None, decoder, 0.05)
    assert not isinstance(caught.value, AuthError)
    link.close()
    with pytest.raises(Unknown):
        await task
    await link.closed


async def test_closed_links_refuse_calls(network: Network) -> None:
    hub, _ = await pair(network)
    await hub.links.close()
    with pytest.raises(NetworkError, match="stopping"):
        await hub.links.call(PI1, "whoami", None, str)


async def test_older_tls_is_refused(network: Network) -> None:
    hub, _ = await pair(network)

    def attempt() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(hub.address, timeout=WAIT_S) as plain:
            plain.sendall(b"ONEOSRPC")
            with pytest.raises(ssl.SSLError):
                context.wrap_socket(plain).close()

    await asyncio.to_thread(attempt)


def test_links_are_made_without_a_running_loop(identities: Identities) -> None:
    assert Links(lambda: identities.hub, lambda _: None, Routes()).statistics().links == 0
