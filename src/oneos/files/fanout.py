"""Gives each reading of a device to each of its readers, and counts what a slow one loses.

Each reader has a kernel pipe and a bounded backlog before it. When the backlog is full its oldest
readings are lost, and counted; the others do not notice. A reading is a line or a block of bytes,
and arrives whole or not at all. A reader that is another host's Runtime gets frames: before each
reading stands how many were lost before it, so that the readers there can be told, too.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from oneos.files.pipes import reader_gone
from oneos.kernel.messages import ReaderState
from oneos.limits import (
    DEVICE_BACKLOG_BYTES,
    DEVICE_BACKLOG_READINGS,
    DEVICE_LINE_BYTES_MAX,
    DEVICE_MESSAGE_BYTES_MAX,
    DEVICE_PATIENCE_S,
    STREAM_BUFFER_BYTES,
)

T = TypeVar("T")

FRAME = struct.Struct("<II")
"""Before a reading on its way to another host: readings lost before it, and its bytes."""

FRAME_BYTES_MAX = max(DEVICE_MESSAGE_BYTES_MAX, DEVICE_LINE_BYTES_MAX, STREAM_BUFFER_BYTES)


class DamagedFrame(Exception):
    """What another host sent is no reading."""


def cut_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole lines, and what is left of one that has not ended; a very long one goes in pieces."""
    lines = data.splitlines(keepends=True) if b"\r" not in data else _cut(data)
    # splitlines knows more ends than ours, but of bytes only those with \r, which are left out.
    rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    if len(rest) >= DEVICE_LINE_BYTES_MAX:
        lines.append(rest)
        rest = b""
    return lines, rest


def _cut(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    last = parts.pop()
    return [part + b"\n" for part in parts] + ([last] if last else [])


def cut_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Readings with how many were lost before each, and the rest. Raises DamagedFrame."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while len(data) - at >= FRAME.size:
        lost, size = FRAME.unpack_from(data, at)
        if size > FRAME_BYTES_MAX:
            raise DamagedFrame
        end = at + FRAME.size + size
        if end > len(data):
            break
        found.append((lost, data[at + FRAME.size : end]))
        at = end
    return found, data[at:]


class Reader:
    """One reader of a device.

    Args:
        sink: the write end of its pipe, or a socket; owned from now on.
        pid: the process that reads, in the network's numbers; 0: not known.
        framed: whether it is another host's Runtime.
        eased: called when some of what waited for it is written.
        over: called once, when it has left, or has had everything after `finish`.
    """

    def __init__(
        self,
        sink: int,
        pid: int,
        framed: bool,
        eased: Callable[[], None],
        over: Callable[[Reader], None],
    ) -> None:
        self.pid = pid
        self.framed = framed
        self.got = 0
        self.lost = 0
        self._sink = sink
        self._eased = eased
        self._over = over
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._unsaid = 0
        self._piece = memoryview(b"")
        self._in_piece = 0
        self._waits = False
        self._finished = False
        os.set_blocking(sink, False)
        self._gone = asyncio.create_task(self._watch(), name="reader of a device")

    @property
    def full(self) -> bool:
        """Whether the next reading may cost it an older one."""
        return (
            len(self._backlog) >= DEVICE_BACKLOG_READINGS // 2
            or self._bytes >= DEVICE_BACKLOG_BYTES // 2
        )

    def state(self) -> ReaderState:
        """What it has had."""
        return ReaderState(self.pid, self.got, self.lost, len(self._backlog) + self._in_piece)

    def put(self, lost: int, reading: bytes) -> int:
        """Give it a reading, before which `lost` were lost; returns how many more it lost now."""
        self.lost += lost
        self._backlog.append((lost, reading))
        self._bytes += len(reading)
        dropped = 0
        while len(self._backlog) > 1 and (
            len(self._backlog) > DEVICE_BACKLOG_READINGS or self._bytes > DEVICE_BACKLOG_BYTES
        ):
            before, oldest = self._backlog.popleft()
            self._bytes -= len(oldest)
            self._unsaid += before + 1
            dropped += 1
        self.lost += dropped
        return dropped

    def write(self) -> None:
        """Write what waits, as far as the pipe takes it."""
        while self._sink >= 0 and not self._waits and (self._piece or self._take()):
            try:
                written = os.write(self._sink, self._piece)
            except BlockingIOError:
                self._await_room()
                return
            except OSError:
                self.leave()
                return
            self._piece = self._piece[written:]
            if not self._piece:
                self.got += self._in_piece
                self._in_piece = 0
        if self._finished and not self._waits:
            self.leave()

    def finish(self) -> None:
        """There are no more readings: it sees the end of the file after what waits for it."""
        self._finished = True
        self.write()

    def leave(self) -> None:
        """Take nothing more; harmless when called again."""
        if self._sink < 0:
            return
        if self._waits:
            asyncio.get_running_loop().remove_writer(self._sink)
        sink, self._sink = self._sink, -1
        self._piece = memoryview(b"")
        self._gone.cancel()
        os.close(sink)
        self._over(self)

    def _take(self) -> bool:
        """Make the next piece out of whole readings; False if there are none."""
        parts: list[bytes] = []
        size = 0
        while self._backlog and (not parts or size < DEVICE_LINE_BYTES_MAX):
            lost, reading = self._backlog.popleft()
            self._bytes -= len(reading)
            if self.framed:
                parts.append(FRAME.pack(min(lost + self._unsaid, 0xFFFF_FFFF), len(reading)))
                self._unsaid = 0
            parts.append(reading)
            size += len(reading)
            self._in_piece += 1
        self._piece = memoryview(b"".join(parts))
        return bool(parts)

    def _await_room(self) -> None:
        if not self._waits:
            self._waits = True
            asyncio.get_running_loop().add_writer(self._sink, self._room)

    def _room(self) -> None:
        self._waits = False
        asyncio.get_running_loop().remove_writer(self._sink)
        self.write()
        self._eased()

    async def _watch(self) -> None:
        await reader_gone(self._sink)
        self.leave()


class Fanout:
    """The readers of one device at one host.

    Args:
        changed: called when a reader has come or gone.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.readers: set[Reader] = set()
        self.readings = 0
        self.bytes = 0
        self.lost = 0
        self._draining: set[Reader] = set()
        self._changed = changed
        self._eased = asyncio.Event()

    def add(self, sink: int, pid: int, framed: bool) -> Reader:
        """One more reader, from the next reading on."""
        reader = Reader(sink, pid, framed, self._eased.set, self._over)
        self.readers.add(reader)
        self._changed()
        return reader

    async def publish(self, readings: Iterable[tuple[int, bytes]]) -> None:
        """Give readings, each with how many were lost before it, to every reader.

        Where all of them are slow it waits a moment for the fastest; never for a slower one.
        """
        for batch in batched(readings, DEVICE_BACKLOG_READINGS // 8):
            for before, reading in batch:
                self._count(before, reading)
            for reader in list(self.readers):
                reader.write()
            if self._all_full():
                await self._patience()

    def _count(self, before: int, reading: bytes) -> None:
        self.readings += before + 1
        self.bytes += len(reading)
        for reader in self.readers:
            dropped = reader.put(before, reading)
            if not reader.framed:
                # What another host loses it counts itself, for each of its readers.
                self.lost += before + dropped

    def _all_full(self) -> bool:
        return bool(self.readers) and all(reader.full for reader in self.readers)

    async def _patience(self) -> None:
        try:
            async with asyncio.timeout(DEVICE_PATIENCE_S):
                while self._all_full():
                    self._eased.clear()
                    await self._eased.wait()
        except TimeoutError:
            pass

    def finish(self) -> None:
        """There are no more readings; who reads still gets what waits for him."""
        leaving, self.readers = self.readers, set()
        self._draining |= leaving
        for reader in leaving:
            reader.finish()

    def close(self) -> None:
        """Drop all readers with what waits for them."""
        for reader in [*self.readers, *self._draining]:
            reader.leave()

    def all(self) -> set[Reader]:
        """Also those that get no more than what waits for them."""
        return self.readers | self._draining

    def states(self) -> list[ReaderState]:
        """The readers here, without those that are hosts."""
        return sorted((r.state() for r in self.all() if not r.framed), key=lambda x: x.pid)

    def _over(self, reader: Reader) -> None:
        self.readers.discard(reader)
        self._draining.discard(reader)
        self._eased.set()
        self._changed()


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of so many."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
