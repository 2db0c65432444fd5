"""Devices of other hosts that programs here read: one stream a device, whoever reads it here.

The stream brings each reading once, in frames (`files.fanout`); here it is given to all readers,
each with a backlog of its own, and what the stream itself had to leave out counts as lost for each
of them. When the host breaks off, readers get EIO.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence

from oneos.files.device_source import BrokenOff, Publish
from oneos.files.fanout import DamagedFrame, cut_frames
from oneos.files.handles import Plain
from oneos.files.pipes import read_some
from oneos.files.shared_device import Joined, SharedDevice
from oneos.ids import HostName
from oneos.kernel.messages import ReaderState
from oneos.limits import STREAM_BUFFER_BYTES
from oneos.runtime.stream_files import Line, StreamFile

OpenStream = Callable[[HostName, str], Awaitable[StreamFile]]
"""Opens another host's device as a stream of frames. Raises FileError."""


class FeedFile(StreamFile):
    """One program's reading end."""

    def __init__(self, joined: Joined, line: Line) -> None:
        Plain.__init__(self, joined.fd)
        self.line = line
        self._joined = joined

    async def close(self) -> None:
        self.line.listen(None)
        self.close_fd()
        await self._joined.close()


class FeedSource:
    """The stream, as the hardware of a device here."""

    lasting = False

    def __init__(self, stream: StreamFile) -> None:
        self._stream = stream
        os.set_blocking(stream.fd, False)

    async def run(self, publish: Publish, wanted: asyncio.Event) -> None:
        rest = b""
        while data := await read_some(self._stream.fd, STREAM_BUFFER_BYTES):
            try:
                readings, rest = cut_frames(rest + data)
            except DamagedFrame:
                raise BrokenOff from None
            await publish(readings)
        if self._stream.line.broken:
            raise BrokenOff

    async def write(self, pieces: Sequence[bytes]) -> None:
        raise NotImplementedError("a writer has a stream of its own")

    async def close(self) -> None:
        await self._stream.close()


class Feeds:
    """See the module.

    Args:
        open_stream: brings the frames here.
    """

    def __init__(self, open_stream: OpenStream) -> None:
        self._open_stream = open_stream
        self._shared: dict[tuple[HostName, str], SharedDevice] = {}

    async def open(self, host: HostName, name: str, pid: int) -> FeedFile:
        """Open a shared device of another host for a program that reads.

        Raises:
            FileError: that host cannot open it, or is away.
        """
        key = host, name
        part = self._shared.get(key)
        if part is None:
            part = self._shared[key] = SharedDevice(
                f"/dev/{name}", False, lambda: self._source(host, name)
            )
        line = Line()
        return FeedFile(await part.join(os.O_RDONLY, pid, broken=line), line)

    async def _source(self, host: HostName, name: str) -> FeedSource:
        return FeedSource(await self._open_stream(host, name))

    def lost(self, host: str, name: str) -> tuple[int, list[ReaderState]]:
        """What readers here have lost of a device so far, and those that read it now."""
        part = self._shared.get((HostName(host), name))
        return (part.fanout.lost, part.fanout.states()) if part is not None else (0, [])

    async def close(self) -> None:
        """End everything; for a Runtime that stops."""
        await asyncio.gather(*[part.close() for part in self._shared.values()])
