"""Reading and writing a pipe's end in the event loop, however slow the program at the other is.

Never in a thread: a program may keep one waiting for as long as it lives, and a few such programs
would take all the threads that disks and hashes are waited for in.
"""

from __future__ import annotations

import asyncio
import os
import select


async def read_some(fd: int, count: int) -> bytes:
    """Up to `count` bytes of a non-blocking descriptor, once there are any; b"" at the end."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return os.read(fd, count)
        except BlockingIOError:
            await _ready(fd, loop.add_reader, loop.remove_reader)


async def write_all(fd: int, data: bytes) -> None:
    """Write all of it to a non-blocking descriptor. Raises BrokenPipeError when nobody reads."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            await _ready(fd, loop.add_writer, loop.remove_writer)


async def reader_gone(fd: int) -> None:
    """Return when the other end of a pipe was closed.

    A poll for nothing reports only that; asyncio cannot ask for nothing, so a descriptor of epoll
    of our own stands in between.
    """
    loop = asyncio.get_running_loop()
    epoll = select.epoll()
    try:
        epoll.register(fd, 0)
        await _ready(epoll.fileno(), loop.add_reader, loop.remove_reader)
    finally:
        epoll.close()


async def _ready(fd: int, add: object, remove: object) -> None:
    assert callable(add) and callable(remove)
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    add(fd, wake)
    try:
        await ready
    finally:
        remove(fd)
