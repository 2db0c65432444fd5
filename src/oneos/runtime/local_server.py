"""The unix socket through which programs and clients on this host reach their Runtime.

It reads frames, hands each request to the operations, and writes the answers in the same order,
with descriptors where an answer carries some. What the requests mean is `operations.py`'s
business; the protocol is in docs/guest-protocol.md. asyncio's transports cannot carry descriptors,
so the socket is driven by readiness callbacks.
"""

from __future__ import annotations

import array
import asyncio
import errno
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from oneos.errors import OneOSError, UserError
from oneos.limits import (
    CALL_TIMEOUT_S,
    FRAME_BYTES_MAX,
    LOCAL_CONNECTIONS_MAX,
    LOCAL_FDS_MAX,
    REQUESTS_IN_A_ROW_MAX,
)
from oneos.unreadable import UNREADABLE

log = logging.getLogger(__name__)

_HEAD = struct.Struct("<I")
_RECEIVE_BYTES = 256 * 1024
_ANCILLARY_BYTES = socket.CMSG_SPACE(LOCAL_FDS_MAX * array.array("i").itemsize)


@dataclass(slots=True)
class Answer:
    """A result, and descriptors that go with it; they are closed once sent."""

    value: Any = None
    fds: list[int] = field(default_factory=list)


class Connection:
    """One program's or client's connection, and who it turned out to be."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.uid, self.os_pid = _peer(sock)
        self.caller: Any = None
        self.fds: list[int] = []
        self._buffer = bytearray()
        self._in_a_row = 0
        self._loop = asyncio.get_running_loop()

    async def read(self) -> list[Any] | None:
        """The next request, or None at the end. Raises UserError on what is no request."""
        self._in_a_row += 1
        if self._in_a_row > REQUESTS_IN_A_ROW_MAX:
            # Who asks without waiting for answers does not keep the others off.
            self._in_a_row = 0
            await asyncio.sleep(0)
        while True:
            if len(self._buffer) >= _HEAD.size:
                (size,) = _HEAD.unpack_from(self._buffer)
                if size > FRAME_BYTES_MAX:
                    raise UserError(f"a frame of {size} bytes is too large", errno=errno.EMSGSIZE)
                end = _HEAD.size + size
                if len(self._buffer) >= end:
                    body = bytes(memoryview(self._buffer)[_HEAD.size : end])
                    del self._buffer[:end]
                    return _request(body)
            if not await self._receive():
                return None

    async def _receive(self) -> bool:
        while True:
            try:
                data, ancillary, _, _ = self.sock.recvmsg(
                    _RECEIVE_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
                )
                break
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError:
                return False
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds = array.array("i")
                fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
                self.fds.extend(fds)
        if len(self.fds) > LOCAL_FDS_MAX:
            raise UserError(f"more than {LOCAL_FDS_MAX} descriptors", errno=errno.EMFILE)
        self._buffer += data
        return bool(data)

    async def _ready(
        self,
        add: Callable[..., Any],
        remove: Callable[[socket.socket], Any],
    ) -> None:
        self._in_a_row = 0
        ready = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        add(self.sock, wake)
        try:
            await ready
        finally:
            remove(self.sock)

    async def gone(self) -> None:
        """Return when the other end has closed. Nothing may be read from it meanwhile."""
        while True:
            await self._ready(self._loop.add_reader, self._loop.remove_reader)
            try:
                ahead = self.sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                continue
            except OSError:
                return
            if not ahead:
                return
            # A request before the answer to the last one hides what comes after it.
            await self._loop.create_future()

    async def send(self, body: bytes, fds: list[int]) -> None:
        """Write one answer whole. Raises OSError when the other end is gone."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        data = memoryview(_HEAD.pack(len(body)) + body)
        try:
            while data:
                try:
                    sent = self.sock.sendmsg([data], rights)
                except BlockingIOError:
                    await self._ready(self._loop.add_writer, self._loop.remove_writer)
                    continue
                data, rights = data[sent:], []
        finally:
            for fd in fds:
                os.close(fd)

    def take_fds(self) -> list[int]:
        """The descriptors that came with the requests so far; the caller owns them."""
        fds, self.fds = self.fds, []
        return fds

    def close(self) -> None:
        """Close the socket and the descriptors nobody took."""
        for fd in self.take_fds():
            os.close(fd)
        self.sock.close()


class LocalServer:
    """Listens on a unix socket and serves each connection in a task of its own.

    Args:
        path: where the socket is; one left over from a dead Runtime is replaced.
        handle: answers one request.
        ended: called once for each connection that said hello.
    """

    def __init__(
        self,
        path: str,
        handle: Callable[[Connection, str, list[Any]], Awaitable[Any]],
        ended: Callable[[Connection], Awaitable[None]],
    ) -> None:
        self.path = path
        self._handle = handle
        self._ended = ended
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Bind the socket. Raises UserError when another Runtime serves it."""
        if os.path.exists(self.path):
            if _answers(self.path):
                raise UserError(
                    f"another Runtime runs from {os.path.dirname(os.path.dirname(self.path))}",
                    errno=errno.EADDRINUSE,
                    hint="stop it (oneos down), or use another directory (--dir)",
                )
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listener.bind(self.path)
        except OSError as error:
            listener.close()
            raise UserError(
                f"cannot make the socket {self.path}: {error.strerror or error}",
                hint="a socket's path may have 107 bytes: use a shorter directory",
            ) from error
        # Programs run as users of their own later; hello checks who may do what.
        os.chmod(self.path, 0o666)
        listener.listen(256)
        listener.setblocking(False)
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            log.warning("cannot accept on %s: %s", self.path, error)
            return
        if len(self._tasks) >= LOCAL_CONNECTIONS_MAX:
            sock.close()
            return
        sock.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._serve(Connection(sock)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: Connection) -> None:
        try:
            while (request := await connection.read()) is not None:
                await self._answer(connection, request)
        except UserError as error:
            log.info("a local connection was closed: %s", error)
        except OSError as error:
            log.debug("a local connection broke: %s", error)
        finally:
            try:
                if connection.caller is not None:
                    await self._ended(connection)
            finally:
                connection.close()

    async def _answer(self, connection: Connection, request: list[Any]) -> None:
        fds: list[int] = []
        try:
            value = await self._handle(connection, request[0], request[1:])
            if isinstance(value, Answer):
                value, fds = value.value, value.fds
            answer = [0, value]
        except OneOSError as error:
            answer = [error.errno or errno.EIO, error.message, error.hint]
        except OSError as error:
            answer = [error.errno or errno.EIO, error.strerror or str(error), ""]
        except (TypeError, ValueError) as error:
            answer = [errno.EINVAL, f"{request[0]}: {error}", ""]
            log.info("a bad request %r", request[0], exc_info=error)
        except Exception as error:
            log.error("the request %r failed", request[0], exc_info=error)
            answer = [errno.EIO, f"{request[0]}: {error}", "the Runtime's log says more"]
        try:
            body = msgspec.msgpack.encode(answer)
        except (TypeError, ValueError, OverflowError) as error:
            log.error("the answer to %r cannot be sent", request[0], exc_info=error)
            for fd in fds:
                os.close(fd)
            fds = []
            body = msgspec.msgpack.encode([errno.EIO, f"{request[0]}: {error}", ""])
        await connection.send(body, fds)

    async def drop(self) -> None:
        """Take no further connections and end those there are; what they had open is closed.

        The socket stays bound: until `close` it says that this directory is in use.
        """
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CALL_TIMEOUT_S)

    async def close(self) -> None:
        """Drop the connections, stop listening, take the socket away."""
        await self.drop()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            try:
                os.unlink(self.path)
            except FileNotFoundError:
                pass


def _request(body: bytes) -> list[Any]:
    try:
        request = msgspec.msgpack.decode(body)
    except UNREADABLE as error:
        raise UserError(f"not a request: {error}") from error
    if not isinstance(request, list) or not request or not isinstance(request[0], str):
        raise UserError("a request is a list that starts with a name")
    return request


def _peer(sock: socket.socket) -> tuple[int, int]:
    if not hasattr(socket, "SO_PEERCRED"):
        return os.getuid(), 0
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    os_pid, uid, _ = struct.unpack("3i", raw)
    return uid, os_pid


def _answers(path: str) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    probe.settimeout(1.0)
    try:
        probe.connect(path)
    except OSError:
        return False
    finally:
        probe.close()
    return True
