"""A device that several programs have open at once, through one opening of the hardware.

The hardware is opened for the first of them and closed after the last. When it goes away, readers
see the end of the file and writers a broken pipe, as of a device that was unplugged; whoever opens
the device then has it looked for anew. On hosts that read another's device the same object has a
stream of that host as its hardware.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence

from oneos.errors import OneOSError
from oneos.files.device_source import BrokenOff, Source
from oneos.files.device_writer import Writer
from oneos.files.fanout import Fanout, Reader

log = logging.getLogger(__name__)


class Joined:
    """One opener's part: `fd` is the program's end of it."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.reader: Reader | None = None
        self.writer: Writer | None = None

    async def close(self) -> None:
        """Leave; `fd` is closed already. Raises FileError when not all was written."""
        if self.reader is not None:
            self.reader.leave()
        if self.writer is not None:
            await self.writer.finish()


class SharedDevice:
    """See the module.

    Args:
        shown: the device's name in the tree.
        lines: whether it is read and written by lines.
        open_source: opens the hardware, or raises FileError.
    """

    def __init__(
        self, shown: str, lines: bool, open_source: Callable[[], Awaitable[Source]]
    ) -> None:
        self.shown = shown
        self.fanout = Fanout(self._changed)
        self.writers: set[Writer] = set()
        self.ended = 0
        self._lines = lines
        self._open_source = open_source
        self._source: Source | None = None
        self._starting: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._joining = 0
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._broken: dict[Reader, Callable[[], None]] = {}

    @property
    def is_open(self) -> bool:
        """Whether the hardware is open."""
        return self._source is not None

    async def join(
        self,
        access: int,
        pid: int = 0,
        framed: bool = False,
        broken: Callable[[], None] | None = None,
    ) -> Joined:
        """Open the device for one more program.

        Args:
            access: O_RDONLY, O_WRONLY or O_RDWR.
            pid: the program, in the network's numbers; 0: not known.
            framed: it is another host's Runtime, which reads for its programs.
            broken: called before the reader sees an end of file that is none.

        Raises:
            FileError: the hardware cannot be opened.
        """
        self._joining += 1
        try:
            while self._source is None:
                await self._started()
            return self._enter(access, pid, framed, broken)
        finally:
            self._joining -= 1
            self._changed()

    async def _started(self) -> None:
        """Wait for the one attempt to open the hardware, which all openers share."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(), name=f"opening {self.shown}")
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            if self._joining == 1:
                starting.cancel()
                await asyncio.wait((starting,))
            raise

    async def _start(self) -> None:
        try:
            if self._closing is not None:
                await asyncio.wait((self._closing,))
            source = await self._open_source()
            self._source = source
            self._running = asyncio.create_task(self._run(source), name=f"device {self.shown}")
        finally:
            self._starting = None

    def _enter(
        self, access: int, pid: int, framed: bool, broken: Callable[[], None] | None
    ) -> Joined:
        if access == os.O_RDWR:
            theirs, ours = (end.detach() for end in socket.socketpair())
            sink, outlet = os.dup(ours), ours
        elif access == os.O_WRONLY:
            outlet, theirs = os.pipe2(os.O_CLOEXEC)
            sink = -1
        else:
            theirs, sink = os.pipe2(os.O_CLOEXEC)
            outlet = -1
        joined = Joined(theirs)
        if sink >= 0:
            joined.reader = self.fanout.add(sink, pid, framed)
            if broken is not None:
                self._broken[joined.reader] = broken
        if outlet >= 0:
            joined.writer = Writer(outlet, self.shown, self._lines, self._write, self._written)
            self.writers.add(joined.writer)
        return joined

    async def _write(self, pieces: Sequence[bytes]) -> None:
        async with self._turn:
            if self._source is None:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            await self._source.write(pieces)

    def _written(self, writer: Writer) -> None:
        self.writers.discard(writer)
        self._changed()

    async def _run(self, source: Source) -> None:
        broken = False
        try:
            await source.run(self.fanout.publish, self._wanted)
        except BrokenOff:
            broken = True
        except (OneOSError, OSError) as error:
            log.warning("%s: its readings ended: %s", self.shown, error)
            broken = True
        if broken:
            for tell in list(self._broken.values()):
                tell()
        self.ended += 1
        self.fanout.finish()
        for writer in list(self.writers):
            writer.stop(errno.EIO)
        self._close_source()

    def _changed(self) -> None:
        """An opener has come or gone."""
        fanout = self.fanout
        for reader in self._broken.keys() - fanout.all():
            del self._broken[reader]
        if fanout.readers:
            self._wanted.set()
        else:
            self._wanted.clear()
        idle = not (fanout.readers or self.writers or self._joining)
        if idle and self._source is not None and not self._source.lasting:
            self._close_source()

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is None:
            return
        running, self._running = self._running, None

        async def close() -> None:
            if running is not None:
                running.cancel()
                await asyncio.wait((running,))
            try:
                await source.close()
            except (OneOSError, OSError) as error:
                log.warning("%s: closing it failed: %s", self.shown, error)

        self._closing = asyncio.create_task(close(), name=f"closing {self.shown}")

    async def close(self) -> None:
        """End everything; for a Runtime that stops."""
        if self._starting is not None:
            self._starting.cancel()
        for writer in list(self.writers):
            writer.stop(errno.EIO)
        self.fanout.close()
        self._close_source()
        if self._closing is not None:
            await asyncio.wait((self._closing,))
