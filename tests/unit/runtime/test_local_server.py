"""The local socket: frames however they come, descriptors passed and closed, answers in order."""

import array
import asyncio
import errno
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from oneos.errors import FileError, UserError
from oneos.limits import FRAME_BYTES_MAX, LOCAL_FDS_MAX
from oneos.runtime.local_server import Answer, Connection, LocalServer
from tests.support.waiting import WAIT_S, eventually


def frame(*request: Any) -> bytes:
    body = msgspec.msgpack.encode(list(request))
    return struct.pack("<I", len(body)) + body


class Served:
    """A server whose requests a test defines, and what happened to its connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ended: list[Any] = []
        self.fds: list[int] = []
        self.operations: dict[str, Callable[..., Awaitable[Any]]] = {}
        self.server = LocalServer(str(path), self._handle, self._ended)

    async def _handle(self, connection: Connection, name: str, arguments: list[Any]) -> Any:
        if name == "hello":
            connection.caller = arguments[0]
            return None
        if name == "take":
            self.fds = connection.take_fds()
            return len(self.fds)
        return await self.operations[name](*arguments)

    async def _ended(self, connection: Connection) -> None:
        self.ended.append(connection.caller)


class Client:
    """Speaks raw bytes to the server."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.setblocking(False)
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    def send_fds(self, data: bytes, fds: list[int]) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self.sock.sendmsg([data], rights)

    async def receive(self) -> Any:
        async with asyncio.timeout(WAIT_S):
            (size,) = struct.unpack("<I", await self._exactly(4))
            return msgspec.msgpack.decode(await self._exactly(size))

    async def receive_fds(self) -> tuple[Any, list[int]]:
        ready = asyncio.Event()
        self._loop.add_reader(self.sock, ready.set)
        await ready.wait()
        self._loop.remove_reader(self.sock)
        data, fds, *_ = socket.recv_fds(self.sock, 65536, 32)
        return msgspec.msgpack.decode(data[4:]), fds

    async def closed(self) -> bool:
        async with asyncio.timeout(WAIT_S):
            try:
                return await self._loop.sock_recv(self.sock, 1) == b""
            except ConnectionResetError:
                return True

    async def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = await self._loop.sock_recv(self.sock, count - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data


@pytest_asyncio.fixture
async def served(tmp_path: Path, no_leak: None) -> AsyncIterator[Served]:
    served = Served(tmp_path / "s")
    await served.server.start()
    try:
        yield served
    finally:
        await served.server.close()
        for fd in served.fds:
            os.close(fd)


@pytest_asyncio.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    client = Client(served.path)
    yield client
    client.sock.close()


async def test_frame_is_understood_in_any_pieces(served: Served, client: Client) -> None:
    async def double(number: int) -> int:
        return 2 * number

    served.operations["double"] = double
    for byte in frame("double", 21):
        await client.send(bytes([byte]))
        await asyncio.sleep(0)
    assert await client.receive() == [0, 42]
    data = b"".join(frame("double", number) for number in range(50))
    await client.send(data)
    assert [await client.receive() for _ in range(50)] == [[0, 2 * n] for n in range(50)]


async def test_answers_come_in_the_order_of_the_requests(served: Served, client: Client) -> None:
    async def wait(seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    served.operations["wait"] = wait
    await client.send(frame("wait", 0.02) + frame("wait", 0.0))
    assert await client.receive() == [0, 0.02]
    assert await client.receive() == [0, 0.0]


async def test_large_answer_to_a_slow_reader_comes_whole(served: Served, client: Client) -> None:
    async def much() -> bytes:
        return b"x" * 3_000_000

    served.operations["much"] = much
    await client.send(frame("much"))
    await asyncio.sleep(0.02)
    assert await client.receive() == [0, b"x" * 3_000_000]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<I", FRAME_BYTES_MAX + 1),
        struct.pack("<I", 4) + b"\xc1\xc1\xc1\xc1",
        struct.pack("<I", 0),
        frame(7),
        frame(),
        struct.pack("<I", 1) + b"\x05",
    ],
    ids=["oversized", "garbage", "empty", "no name", "no words", "no list"],
)
async def test_what_is_no_request_ends_the_connection_and_no_other(
    served: Served, client: Client, data: bytes
) -> None:
    other = Client(served.path)
    await client.send(data)
    assert await client.closed()
    await other.send(frame("hello", "other"))
    assert await other.receive() == [0, None]
    other.sock.close()
    await eventually(lambda: served.ended == ["other"])


async def test_errors_carry_errno_message_and_hint(served: Served, client: Client) -> None:
    async def fail(kind: str) -> None:
        if kind == "file":
            raise FileError(errno.ENOENT, "/x", hint="look elsewhere")
        if kind == "os":
            raise OSError(errno.ENOSPC, "No space left on device")
        if kind == "bug":
            raise KeyError("oops")

    served.operations["fail"] = fail
    for request in (
        frame("fail", "file"),
        frame("fail", "os"),
        frame("fail"),
        frame("fail", "bug"),
    ):
        await client.send(request)
    assert await client.receive() == [
        errno.ENOENT,
        "/x: No such file or directory",
        "look elsewhere",
    ]
    assert (await client.receive())[:2] == [errno.ENOSPC, "No space left on device"]
    assert (await client.receive())[0] == errno.EINVAL
    assert (await client.receive())[0] == errno.EIO


async def test_descriptors_arrive_and_work(served: Served, client: Client) -> None:
    read, write = os.pipe()
    client.send_fds(frame("take"), [write])
    os.close(write)
    assert await client.receive() == [0, 1]
    os.write(served.fds[0], b"through")
    assert os.read(read, 100) == b"through"
    os.close(read)


async def test_descriptors_nobody_took_are_closed_with_the_connection(
    served: Served, client: Client
) -> None:
    read, write = os.pipe()
    client.send_fds(frame("hello", "me"), [write])
    os.close(write)
    assert await client.receive() == [0, None]
    client.sock.close()
    await eventually(lambda: served.ended)
    await asyncio.sleep(0)
    assert os.read(read, 1) == b""
    os.close(read)


async def test_too_many_descriptors_end_the_connection(served: Served, client: Client) -> None:
    read, write = os.pipe()
    for _ in range(2):
        client.send_fds(frame("hello", "me")[:1], [write] * LOCAL_FDS_MAX)
    os.close(write)
    assert await client.closed()
    assert os.read(read, 1) == b""
    os.close(read)


async def test_answer_hands_descriptors_over_and_keeps_none(served: Served, client: Client) -> None:
    read, write = os.pipe()

    async def give() -> Answer:
        return Answer("here", [write])

    served.operations["give"] = give
    await client.send(frame("give"))
    answer, fds = await client.receive_fds()
    assert answer == [0, "here"]
    os.write(fds[0], b"x")
    os.close(fds[0])
    assert os.read(read, 10) == b"x"
    assert os.read(read, 10) == b""
    os.close(read)


@pytest.mark.parametrize("value", [object(), 1 << 70])
async def test_answer_that_cannot_be_sent_leaks_no_descriptor(
    served: Served, client: Client, value: object
) -> None:
    read, write = os.pipe()

    async def give() -> Answer:
        return Answer(value, [write])

    served.operations["give"] = give
    await client.send(frame("give"))
    assert (await client.receive())[0] == errno.EIO
    assert os.read(read, 1) == b""
    os.close(read)


async def test_second_server_is_refused_and_a_dead_ones_socket_replaced(
    served: Served, client: Client
) -> None:
    with pytest.raises(UserError, match="another Runtime runs"):
        await LocalServer(str(served.path), served._handle, served._ended).start()
    await served.server.close()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(served.path))
    left.close()
    await served.server.start()
    again = Client(served.path)
    await again.send(frame("hello", "again"))
    assert await again.receive() == [0, None]
    again.sock.close()


async def test_connections_are_ended_in_order_when_the_server_drops_them(
    served: Served, client: Client
) -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    served.operations["forever"] = forever
    await client.send(frame("hello", "me") + frame("forever"))
    assert await client.receive() == [0, None]
    await served.server.drop()
    assert served.ended == ["me"]
    assert await client.closed()
    assert served.path.exists()
