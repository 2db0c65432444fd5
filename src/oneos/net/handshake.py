"""The first words on a stream's TLS socket, spoken in the event loop.

A stream's bytes are moved by a blocking thread, which needs a plain `SSLSocket`, not an asyncio
transport. But a thread for each caller that has not shown yet who it is would be too many: so the
handshake and the few bytes after it are done here, by a non-blocking socket that asyncio watches.
Time limits are the caller's.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from oneos.errors import NetworkError

T = TypeVar("T")


async def secure(
    connection: socket.socket, context: ssl.SSLContext, host: str | None
) -> ssl.SSLSocket:
    """Do the TLS handshake.

    Args:
        connection: connected and non-blocking; taken over, and closed on failure.
        context: of `tls`.
        host: whom we dialled; None where we were dialled.

    Raises:
        OSError: it failed; `ssl.SSLError` is one.
    """
    try:
        secured = context.wrap_socket(
            connection,
            server_side=host is None,
            server_hostname=host,
            do_handshake_on_connect=False,
        )
    except BaseException:
        connection.close()
        raise
    try:
        await _until_done(secured, secured.do_handshake)
    except BaseException:
        secured.close()
        raise
    return secured


async def send(secured: ssl.SSLSocket, data: bytes) -> None:
    """Send a few bytes, all of them. Raises OSError."""
    while data:
        data = data[await _until_done(secured, lambda data=data: secured.send(data)) :]  # type: ignore[misc]


async def receive(secured: ssl.SSLSocket, count: int) -> bytes:
    """Receive exactly `count` bytes.

    Raises:
        NetworkError: the other end closed before.
        OSError: the connection broke.
    """
    data = b""
    while len(data) < count:
        left = count - len(data)
        piece = await _until_done(secured, lambda left=left: secured.recv(left))  # type: ignore[misc]
        if not piece:
            raise NetworkError("the other end closed the stream before it began")
        data += piece
    return data


async def _until_done(secured: ssl.SSLSocket, operation: Callable[[], T]) -> T:
    loop = asyncio.get_running_loop()
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        try:
            return operation()
        except ssl.SSLWantReadError:
            watch, unwatch = loop.add_reader, loop.remove_reader
        except ssl.SSLWantWriteError:
            watch, unwatch = loop.add_writer, loop.remove_writer
        descriptor = secured.fileno()
        watch(descriptor, _wake, ready)
        try:
            await ready
        finally:
            unwatch(descriptor)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
