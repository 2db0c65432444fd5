"""Moves lines from one descriptor to another, at most so many a second.

It decides when a line may pass; where the lines come from and who reads them is its caller's
business. A stall on either side is not made up for afterwards: a reader that was slow gets the
usual rate, never a burst. What is buffered is bounded by one read and the pipes around it, so a
reader that does not read stops the source.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Awaitable, Callable

from oneos.limits import DEVICE_LINE_BYTES_MAX, DEVICE_TICK_S


class ReaderGone(Exception):
    """Nobody reads the pipe any more."""


async def pace_lines(read: Callable[[int], Awaitable[bytes]], sink: int, rate_hz: float) -> None:
    """Copy lines until the source ends.

    Args:
        read: gives at most so many bytes, empty at the end.
        sink: the write end of a pipe; set non-blocking here, and left open.
        rate_hz: lines a second, above 0.

    Raises:
        ReaderGone: the pipe's read end is closed.
        OSError: the source cannot be read.
    """
    os.set_blocking(sink, False)
    loop = asyncio.get_running_loop()
    period_s = 1.0 / rate_hz
    due = loop.time()
    rest = b""
    while block := await read(DEVICE_LINE_BYTES_MAX):
        rest += block
        # Lines that did not come while the source was waited for are not owed.
        due = max(due, loop.time() - DEVICE_TICK_S)
        while True:
            now = loop.time()
            # At a high rate a timer's tick is longer than a period: several lines pass a tick.
            lines = max(0, int((now - due) / period_s) + 1) if now >= due else 0
            piece = _take(rest, lines)
            if piece:
                rest = rest[len(piece) :]
                stalled = await _write(sink, piece)
                due += period_s * piece.count(b"\n")
                if stalled:
                    due = max(due, loop.time())
            elif b"\n" in rest:
                await asyncio.sleep(due - now)
            else:
                break
        if len(rest) >= DEVICE_LINE_BYTES_MAX:
            await _write(sink, rest)
            rest = b""
    if rest:
        await asyncio.sleep(max(0.0, due - loop.time()))
        await _write(sink, rest)


def _take(data: bytes, lines: int) -> bytes:
    """The first lines of the data, as many as there are and at most `lines`."""
    end = 0
    for _ in range(lines):
        found = data.find(b"\n", end)
        if found < 0:
            break
        end = found + 1
    return data[:end]


async def _write(sink: int, data: bytes) -> bool:
    """Write all of it; whether that had to wait for the reader."""
    stalled = False
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(sink, view) :]
        except BlockingIOError:
            stalled = True
            await writable(sink)
        except BrokenPipeError:
            raise ReaderGone from None
    return stalled


async def readable(fd: int) -> None:
    """Wait until a read of the descriptor would not wait."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)


async def writable(fd: int) -> None:
    """Wait until a write to the descriptor would not wait."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(fd)


async def reader_gone(sink: int) -> None:
    """Wait until nobody has the pipe's read end any more.

    Where the system has no epoll this waits for ever: the next write will tell then.
    """
    if not hasattr(select, "epoll"):
        await asyncio.Event().wait()
    # A pipe that can be written to is always ready; asked for no event, epoll tells the error only.
    with select.epoll() as poll:
        poll.register(sink, 0)
        await readable(poll.fileno())
