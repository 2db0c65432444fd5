"""Streams between hosts: every byte once, and each way a stream can end told from the others."""

import asyncio
import fcntl
import hashlib
import os
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from oneos.errors import AuthError, NetworkError
from oneos.ids import HostName
from oneos.limits import PIPE_BYTES, STREAM_BUFFER_BYTES
from oneos.net.dial import open_socket
from oneos.net.frames import PREAMBLE_STREAM
from oneos.net.handshake import receive, secure, send
from oneos.net.pump import Ended, PumpResult, pump_in, pump_out
from oneos.net.stream import StreamConnection
from oneos.net.streams import new_stream_id
from oneos.net.tls import client_context, stranger_context
from tests.support.waiting import WAIT_S, eventually

from .conftest import HUB, PI1, PI2, Host, Identities, Network

ON_UVLOOP_ONLY = pytest.mark.asyncio(loop_factories=["uvloop"])


async def pair(network: Network, **limits: float) -> tuple[Host, Host]:
    hub = await network.host(network.identities.hub, **limits)  # type: ignore[arg-type]
    pi1 = await network.host(network.identities.pi1, **limits)  # type: ignore[arg-type]
    return hub, pi1


async def connect(sender: Host, receiver: Host) -> tuple[StreamConnection, StreamConnection]:
    stream_id = new_stream_id()
    expected = receiver.streams.expect(stream_id, sender.identity.host)
    dialled = await sender.streams.dial(receiver.identity.host, stream_id)
    return dialled, await expected


class Pipeline:
    """`writer | host hub -> host pi1 | reader`: both pumps at work, the outer pipe ends in hand."""

    def __init__(self) -> None:
        self.write_end = self.read_end = -1
        self.sending: asyncio.Future[PumpResult]
        self.receiving: asyncio.Future[PumpResult]

    @classmethod
    async def between(cls, sender: Host, receiver: Host) -> "Pipeline":
        self = cls()
        outgoing, incoming = await connect(sender, receiver)
        source, self.write_end = os.pipe()
        self.read_end, sink = os.pipe()
        self.sending = pump_out(source, outgoing)
        self.receiving = pump_in(incoming, sink)
        return self

    def close_writer(self) -> None:
        os.close(self.write_end)
        self.write_end = -1

    def close_reader(self) -> None:
        os.close(self.read_end)
        self.read_end = -1

    async def results(self) -> tuple[PumpResult, PumpResult]:
        async with asyncio.timeout(WAIT_S):
            return await self.sending, await self.receiving

    async def close(self) -> None:
        for descriptor in (self.write_end, self.read_end):
            if descriptor >= 0:
                os.close(descriptor)
        await asyncio.wait([self.sending, self.receiving], timeout=WAIT_S)


def read_all(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


async def test_what_goes_in_comes_out_and_both_ends_know_the_end(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    for piece in (b"one\n", b"two\n"):
        os.write(pipeline.write_end, piece)
        assert await asyncio.to_thread(os.read, pipeline.read_end, 100) == piece
    pipeline.close_writer()
    assert await asyncio.to_thread(os.read, pipeline.read_end, 100) == b""
    assert await pipeline.results() == (PumpResult(8, Ended.EOF), PumpResult(8, Ended.EOF))
    await pipeline.close()
    await eventually(lambda: hub.streams.statistics().connected == 0, "the stream is forgotten")


async def test_the_dialled_end_can_send(network: Network) -> None:
    hub, pi1 = await pair(network)
    dialled, expected = await connect(hub, pi1)
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    os.write(write_end, b"backwards")
    os.close(write_end)
    results = await asyncio.gather(pump_out(source, expected), pump_in(dialled, sink))
    assert [r.ended for r in results] == [Ended.EOF, Ended.EOF]
    assert read_all(read_end) == b"backwards"
    os.close(read_end)


async def test_an_empty_stream_ends(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    pipeline.close_writer()
    assert await pipeline.results() == (PumpResult(0, Ended.EOF), PumpResult(0, Ended.EOF))
    await pipeline.close()


@ON_UVLOOP_ONLY
async def test_100_megabytes_arrive_equal_and_memory_stays_flat(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    block = os.urandom(1_000_003)
    sent, received = hashlib.sha256(), hashlib.sha256()

    def write() -> None:
        for _ in range(100):
            sent.update(block)
            view = memoryview(block)
            while view:
                view = view[os.write(pipeline.write_end, view) :]
        pipeline.close_writer()

    def read() -> None:
        while data := os.read(pipeline.read_end, 1 << 18):
            received.update(data)

    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    writer = threading.Thread(target=write)
    writer.start()
    await asyncio.to_thread(read)
    outgoing, incoming = await pipeline.results()
    writer.join()
    assert outgoing == incoming == PumpResult(100 * len(block), Ended.EOF)
    assert received.digest() == sent.digest()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 32 * 1024
    await pipeline.close()


@ON_UVLOOP_ONLY
@pytest.mark.parametrize("size", [1, STREAM_BUFFER_BYTES, 3_000_001])
async def test_a_regular_file_is_sent_from_where_it_stands(
    network: Network, tmp_path: Path, size: int
) -> None:
    hub, pi1 = await pair(network)
    content = os.urandom(size)
    (tmp_path / "from").write_bytes(b"skipped" + content)
    outgoing, incoming = await connect(hub, pi1)
    source = os.open(tmp_path / "from", os.O_RDONLY)
    os.lseek(source, 7, os.SEEK_SET)
    sink = os.open(tmp_path / "to", os.O_WRONLY | os.O_CREAT)
    results = await asyncio.gather(pump_out(source, outgoing), pump_in(incoming, sink))
    assert list(results) == [PumpResult(size, Ended.EOF)] * 2
    assert (tmp_path / "to").read_bytes() == content


async def test_a_reader_that_leaves_stops_an_idle_writer_at_once(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    os.write(pipeline.write_end, b"first")
    assert await asyncio.to_thread(os.read, pipeline.read_end, 100) == b"first"
    pipeline.close_reader()
    outgoing, incoming = await pipeline.results()
    assert (outgoing.ended, incoming.ended) == (Ended.READER_GONE, Ended.READER_GONE)
    with pytest.raises(BrokenPipeError):
        os.write(pipeline.write_end, b"second")
    await pipeline.close()


async def test_a_writer_gets_sigpipe_as_in_a_local_pipeline(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    # `yes | head -n 1`, each on its own host.
    writer = await asyncio.create_subprocess_exec("yes", stdout=write_end, preexec_fn=reset_sigpipe)
    reader = await asyncio.create_subprocess_exec(
        "head", "-n", "1", stdin=read_end, stdout=subprocess.PIPE
    )
    os.close(write_end)
    os.close(read_end)
    results = await asyncio.gather(pump_out(source, outgoing), pump_in(incoming, sink))
    assert [r.ended for r in results] == [Ended.READER_GONE, Ended.READER_GONE]
    assert (await reader.communicate())[0] == b"y\n"
    assert await asyncio.wait_for(writer.wait(), WAIT_S) == -signal.SIGPIPE


def reset_sigpipe() -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@ON_UVLOOP_ONLY
async def test_a_reader_that_stops_reading_stops_the_writer(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    os.set_blocking(pipeline.write_end, False)
    total = 0
    full_since: float | None = None
    loop = asyncio.get_running_loop()
    # Full, and still so a moment later: it does not trickle into some growing buffer.
    while full_since is None or loop.time() - full_since < 0.3:
        try:
            total += os.write(pipeline.write_end, b"x" * 65536)
            full_since = None
        except BlockingIOError:
            full_since = full_since or loop.time()
            await asyncio.sleep(0.01)
        assert total < 64 * 1024 * 1024
    pipeline.close_writer()
    received = await asyncio.to_thread(read_all, pipeline.read_end)
    assert len(received) == total
    assert await pipeline.results() == (PumpResult(total, Ended.EOF), PumpResult(total, Ended.EOF))
    await pipeline.close()


@ON_UVLOOP_ONLY
async def test_a_slow_reader_is_not_taken_for_a_dead_host(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.pump.STREAM_HEARTBEAT_S", 0.1)
    monkeypatch.setattr("oneos.net.pump.STREAM_SILENCE_S", 1.5)
    hub, pi1 = await pair(network)
    idle = await Pipeline.between(hub, pi1)
    full = await Pipeline.between(hub, pi1)
    writer = asyncio.create_task(asyncio.to_thread(fill, full, 12_000_000))
    done, _ = await asyncio.wait(
        [idle.sending, idle.receiving, full.sending, full.receiving], timeout=2.0
    )
    assert not done
    assert len(await asyncio.to_thread(read_all, full.read_end)) == 12_000_000
    await writer
    idle.close_writer()
    for pipeline in (idle, full):
        assert [r.ended for r in await pipeline.results()] == [Ended.EOF, Ended.EOF]
        await pipeline.close()


def fill(pipeline: Pipeline, count: int) -> None:
    view = memoryview(bytes(count))
    while view:
        view = view[os.write(pipeline.write_end, view) :]
    pipeline.close_writer()


@ON_UVLOOP_ONLY
async def test_a_silent_host_breaks_its_streams(
    network: Network, identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.net.pump.STREAM_HEARTBEAT_S", 0.1)
    monkeypatch.setattr("oneos.net.pump.STREAM_SILENCE_S", 0.4)
    hub, pi1 = await pair(network)
    # Both connections are there, but at pi1 nobody pumps.
    outgoing, _ = await connect(hub, pi1)
    incoming, _ = await connect(hub, pi1)
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    results = await asyncio.gather(pump_out(source, outgoing), pump_in(incoming, sink))
    assert [r.ended for r in results] == [Ended.BROKEN, Ended.BROKEN]
    assert all("host pi1 has been silent" in r.detail for r in results)
    os.close(write_end)
    os.close(read_end)


SENDER = """
import asyncio, os, sys
from oneos.net.identity import Identity
from oneos.net.pump import pump_out
from oneos.net.streams import Streams

async def main():
    identity = Identity.load(sys.argv[1])
    streams = Streams(lambda: identity, lambda host: ("127.0.0.1", int(sys.argv[2])))
    connection = await streams.dial("hub", bytes.fromhex(sys.argv[3]))
    source, write_end = os.pipe()
    os.write(write_end, b"part of it")
    await pump_out(source, connection)
asyncio.run(main())
"""


async def test_a_killed_sender_is_broken_and_not_the_end_of_data(network: Network) -> None:
    hub, _ = await pair(network)
    stream_id = new_stream_id()
    expected = hub.streams.expect(stream_id, PI2)
    folder = str(network.identities.pi2.directory)
    arguments = [sys.executable, "-c", SENDER, folder, str(hub.server.port), stream_id.hex()]
    with subprocess.Popen(arguments) as process:  # noqa: ASYNC220  Starting takes 1 ms.
        try:
            read_end, sink = os.pipe()
            receiving = pump_in(await expected, sink)
            assert await asyncio.to_thread(os.read, read_end, 100) == b"part of it"
        finally:
            process.kill()
    result = await asyncio.wait_for(receiving, WAIT_S)
    assert (result.bytes_moved, result.ended) == (10, Ended.BROKEN)
    assert "host pi2 ended the connection" in result.detail
    os.close(read_end)


async def test_a_receiver_that_breaks_off_closes_the_writers_pipe(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    source, write_end = os.pipe()
    sending = pump_out(source, outgoing)
    incoming.close()
    assert (await asyncio.wait_for(sending, WAIT_S)).ended is Ended.BROKEN
    with pytest.raises(BrokenPipeError):
        os.write(write_end, b"x")
    os.close(write_end)


async def test_a_full_disk_breaks_the_stream_and_says_so(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    source, write_end = os.pipe()
    os.write(write_end, b"x")
    os.close(write_end)
    full = os.open("/dev/full", os.O_WRONLY)
    out, into = await asyncio.gather(pump_out(source, outgoing), pump_in(incoming, full))
    assert (out.ended, into.ended) == (Ended.BROKEN, Ended.BROKEN)
    assert into.detail == "cannot write: No space left on device"


def pump_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("stream ")]


async def test_a_cancelled_pump_leaves_nothing_behind(network: Network) -> None:
    hub, pi1 = await pair(network)
    before = set(os.listdir("/proc/self/fd"))
    for direction in ("sending", "receiving"):
        pipeline = await Pipeline.between(hub, pi1)
        task = getattr(pipeline, direction)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other = pipeline.receiving if direction == "sending" else pipeline.sending
        assert (await asyncio.wait_for(other, WAIT_S)).ended is Ended.BROKEN
        await pipeline.close()
    # By name: the test runner's own threads come into the count of all whenever they log something.
    await eventually(lambda: not pump_threads(), "the pumps' threads are gone")
    await eventually(lambda: set(os.listdir("/proc/self/fd")) <= before, "all is closed")
    assert hub.streams.statistics().connected == pi1.streams.statistics().connected == 0


async def test_a_pump_blocked_by_a_full_pipe_can_be_cancelled(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    writer = threading.Thread(target=write_until_broken, args=(pipeline.write_end,))
    writer.start()
    await eventually(lambda: unread(pipeline.read_end) >= PIPE_BYTES // 2, "the pipe fills")
    pipeline.receiving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pipeline.receiving
    assert (await asyncio.wait_for(pipeline.sending, WAIT_S)).ended is Ended.BROKEN
    await asyncio.to_thread(writer.join, WAIT_S)
    assert not writer.is_alive()
    await pipeline.close()


def write_until_broken(descriptor: int) -> None:
    try:
        while True:
            os.write(descriptor, b"x" * 65536)
    except BrokenPipeError:
        pass


def unread(descriptor: int) -> int:
    import termios

    raw = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    return int(struct.unpack("i", raw)[0])


async def test_dropping_a_host_breaks_its_streams(network: Network) -> None:
    hub, pi1 = await pair(network)
    pipeline = await Pipeline.between(hub, pi1)
    expected = hub.streams.expect(new_stream_id(), PI1)
    hub.streams.drop(PI1)
    assert [r.ended for r in await pipeline.results()] == [Ended.BROKEN, Ended.BROKEN]
    with pytest.raises(NetworkError, match="has left"):
        await expected
    await pipeline.close()


async def test_a_stream_closed_before_its_pump_begins_is_broken(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    outgoing.close()
    for pump in (pump_out, lambda descriptor, connection: pump_in(connection, descriptor)):
        descriptor = os.open("/dev/null", os.O_RDWR)
        result = await pump(descriptor, outgoing)
        assert result == PumpResult(0, Ended.BROKEN, "closed at this end")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    incoming.close()


async def test_flags_of_the_programs_own_descriptor_stay_as_they_are(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    source, write_end = os.pipe()
    read_end, sink = os.pipe()
    shared = os.dup(sink)
    pumps = asyncio.gather(pump_out(source, outgoing), pump_in(incoming, sink))
    os.write(write_end, b"x")
    assert await asyncio.to_thread(os.read, read_end, 1) == b"x"
    assert os.get_blocking(shared)
    assert fcntl.fcntl(shared, fcntl.F_GETPIPE_SZ) == PIPE_BYTES
    os.close(write_end)
    os.close(shared)
    await pumps
    os.close(read_end)


async def test_sockets_and_terminals_serve_as_ends(network: Network) -> None:
    hub, pi1 = await pair(network)
    outgoing, incoming = await connect(hub, pi1)
    ours, theirs = socket.socketpair()
    master, terminal = os.openpty()
    pumps = asyncio.gather(pump_out(theirs.detach(), outgoing), pump_in(incoming, os.dup(terminal)))
    ours.sendall(b"to the screen\n")
    assert await asyncio.to_thread(os.read, master, 100) == b"to the screen\r\n"
    assert os.get_blocking(terminal)
    ours.close()
    assert [r.ended for r in await asyncio.wait_for(pumps, WAIT_S)] == [Ended.EOF, Ended.EOF]
    os.close(master)
    os.close(terminal)


# --- rendezvous -----------------------------------------------------------------------------


async def test_the_dial_may_come_before_it_is_expected(network: Network) -> None:
    hub, pi1 = await pair(network)
    stream_id = new_stream_id()
    dial = asyncio.create_task(hub.streams.dial(PI1, stream_id))
    await eventually(lambda: pi1.streams.statistics().parked == 1, "the dial waits")
    accepted = await pi1.streams.expect(stream_id, HUB)
    dialled = await dial
    assert (accepted.host, dialled.host) == (HUB, PI1)
    accepted.close()
    dialled.close()


@ON_UVLOOP_ONLY
async def test_an_id_is_good_for_one_connection_from_the_named_host(network: Network) -> None:
    hub, pi1 = await pair(network, rendezvous_s=0.2)
    pi2 = await network.host(network.identities.pi2, rendezvous_s=0.2)
    stream_id = new_stream_id()
    expected = pi1.streams.expect(stream_id, HUB)
    with pytest.raises(NetworkError, match="did not expect"):
        await pi2.streams.dial(PI1, stream_id)
    with pytest.raises(NetworkError, match="within 0"):
        await expected
    # This one is to be met, however busy the machine is.
    pi1.streams._rendezvous_s = WAIT_S
    expected = pi1.streams.expect(stream_id, HUB)
    first = await hub.streams.dial(PI1, stream_id)
    (await expected).close()
    pi1.streams._rendezvous_s = 0.2
    with pytest.raises(NetworkError, match="did not expect"):
        await hub.streams.dial(PI1, stream_id)
    first.close()


@ON_UVLOOP_ONLY
async def test_an_end_nobody_comes_for_gives_up(network: Network) -> None:
    hub, pi1 = await pair(network, rendezvous_s=0.2)
    expected = hub.streams.expect(new_stream_id(), PI1)
    with pytest.raises(NetworkError, match="host pi1 did not open its end"):
        await expected
    with pytest.raises(NetworkError, match="host hub did not expect"):
        await pi1.streams.dial(HUB, new_stream_id())
    await eventually(lambda: hub.streams.statistics().parked == 0, "nothing waits")
    assert hub.streams.statistics().expected == 0


@ON_UVLOOP_ONLY
async def test_a_taken_back_expectation_is_not_met(network: Network) -> None:
    hub, pi1 = await pair(network, rendezvous_s=0.2)
    stream_id = new_stream_id()
    expected = asyncio.ensure_future(hub.streams.expect(stream_id, PI1))
    expected.cancel()
    await asyncio.sleep(0)
    with pytest.raises(NetworkError, match="did not expect"):
        await pi1.streams.dial(HUB, stream_id)


async def test_streams_beyond_the_bound_are_refused(network: Network) -> None:
    hub = await network.host(network.identities.hub, streams_max=3)
    pi1 = await network.host(network.identities.pi1)
    open_ones = [await connect(pi1, hub) for _ in range(2)]
    waiting = hub.streams.expect(new_stream_id(), PI1)
    with pytest.raises(NetworkError, match="3 streams"):
        hub.streams.expect(new_stream_id(), PI1)
    with pytest.raises(NetworkError, match="3 streams"):
        await hub.streams.dial(PI1, new_stream_id())
    with pytest.raises(NetworkError, match="no room"):
        await pi1.streams.dial(HUB, new_stream_id())
    asyncio.ensure_future(waiting).cancel()
    await eventually(lambda: hub.streams.statistics().expected == 0, "it was taken back")
    open_ones.append(await connect(pi1, hub))
    for ends in open_ones:
        for end in ends:
            end.close()
    await eventually(lambda: hub.streams.statistics().connected == 0, "all are closed")


async def test_only_hosts_of_the_network_open_streams(
    network: Network, identities: Identities
) -> None:
    hub, pi1 = await pair(network)
    stream_id = new_stream_id()
    expected = asyncio.ensure_future(hub.streams.expect(stream_id, PI1))
    foreign = stranger_context()
    foreign.load_cert_chain(
        identities.foreign_pi1.certificate_path, identities.foreign_pi1.key_path
    )
    for context in (stranger_context(), foreign):
        plain = await open_socket(hub.address, PREAMBLE_STREAM)
        secured = await secure(plain, context, "hub")
        with pytest.raises((NetworkError, OSError)):
            await send(secured, stream_id)
            await receive(secured, 1)
        secured.close()
    assert not expected.done()
    network.addresses["pi2"] = pi1.address
    with pytest.raises(AuthError, match="not who it should be"):
        await hub.streams.dial(PI2, stream_id)
    with pytest.raises(NetworkError, match="no host pi9"):
        await hub.streams.dial(HostName("pi9"), stream_id)
    (await pi1.streams.dial(HUB, stream_id)).close()
    (await expected).close()


@pytest.mark.parametrize(
    "bad", [b"\xfe\xff\xff\xff", struct.pack("<I", STREAM_BUFFER_BYTES + 1) + b"x"]
)
async def test_damaged_frames_break_a_stream(
    network: Network, identities: Identities, bad: bytes
) -> None:
    hub, _ = await pair(network)
    stream_id = new_stream_id()
    expected = hub.streams.expect(stream_id, PI2)
    plain = await open_socket(hub.address, PREAMBLE_STREAM)
    secured: ssl.SSLSocket = await secure(plain, client_context(identities.pi2), "hub")
    await send(secured, stream_id)
    assert await receive(secured, 1) == b"\x01"
    read_end, sink = os.pipe()
    receiving = pump_in(await expected, sink)
    await send(secured, bad)
    assert await asyncio.wait_for(receiving, WAIT_S) == PumpResult(
        0, Ended.BROKEN, "host pi2 sent a damaged frame"
    )
    secured.close()
    os.close(read_end)
