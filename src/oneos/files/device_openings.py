"""One opening of what stands behind a device: the file, port, FIFO or command itself.

Where a device is not shared each opener has one of these, and its descriptor goes to the program;
where it is shared, `shared_device` has one for all. The kinds themselves are opened in
`device_paths`, `device_serial` and `device_command`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Callable

from oneos.config_devices import DeviceConfig
from oneos.files.device_command import Command
from oneos.files.device_paths import open_char, open_fifo, open_file
from oneos.files.device_serial import open_serial
from oneos.files.handles import Attributes, Plain
from oneos.files.line_pacer import ReaderGone, pace_lines, reader_gone
from oneos.files.shared_device import Joined
from oneos.files.usb import find

log = logging.getLogger(__name__)

PERMISSIONS = {"r": 0o444, "w": 0o222, "rw": 0o666}


class OpenDevice(Plain):
    """One opening of a device: a `Handle` whose `fd` goes to the opener.

    Whoever takes `fd` away to close it himself calls `detach`. `close` gives the rest back: the
    process of a command is ended and reaped.

    Args:
        fd: the opener's.
        device: what was opened.
        over: called when nothing is left of it.
    """

    def __init__(
        self, fd: int, device: DeviceConfig, over: Callable[[OpenDevice], None] | None = None
    ) -> None:
        super().__init__(fd)
        self.device = device
        self.over = over
        self.command: Command | None = None
        self.replay: asyncio.Task[None] | None = None
        self.joined: Joined | None = None

    def detach(self) -> int:
        """The descriptor, which is the caller's to close from now on."""
        fd, self.fd = self.fd, -1
        return fd

    async def close(self) -> None:
        """Give everything back; harmless when called again.

        A command that was read is ended; one that was written to is left to finish what it got.

        Raises:
            FileError: what was written to a shared device was not taken.
        """
        self.close_fd()
        try:
            if self.joined is not None:
                await self.joined.close()
        finally:
            if self.replay is not None:
                self.replay.cancel()
                await asyncio.gather(self.replay, return_exceptions=True)
            if self.command is not None and self.device.mode == "r":
                await self.command.stop()
            if self.command is None or self.command.ended.done():
                self._forget()

    async def end(self) -> None:
        """Close, and end the command whatever it is doing."""
        await self.close()
        if self.command is not None:
            await self.command.stop()

    async def stat(self) -> Attributes:
        """What fstat(2) shows: a character device, whatever carries the bytes."""
        if self.device.kind == "file" and not self.device.rate_hz:
            return await super().stat()
        mode = stat.S_IFCHR | PERMISSIONS[self.device.mode]
        return Attributes(mode=mode, ino=1, size=0)

    def watch(self) -> None:
        """Forget it when its command ends after its opener has closed it."""
        if self.command is not None:
            self.command.ended.add_done_callback(self._command_ended)

    def _command_ended(self, _: object) -> None:
        if self.fd < 0:
            self._forget()

    def _forget(self) -> None:
        if self.over is not None:
            self.over(self)


async def open_device(config: DeviceConfig, base: str, shown: str, flags: int) -> OpenDevice:
    """Open what is behind a device.

    Args:
        config: the device; not of the kinds that are always shared but for a serial port.
        base: where its relative paths start, if it names no directory of its own.
        shown: its name in the tree, for messages.
        flags: as open(2).

    Raises:
        FileError: ENXIO when it is missing, and what else keeps it from being opened.
    """
    directory = config.directory or base
    if config.kind == "command":
        assert config.command is not None
        write = flags & os.O_ACCMODE == os.O_WRONLY
        command = await Command.start(config.command, directory, shown, write, config.rate_hz)
        opened = OpenDevice(command.fd, config)
        opened.command = command
        return opened
    if config.match is not None:
        path = find(config.match, shown)
    else:
        path = os.path.join(directory, config.path or "")
    if config.kind == "serial":
        assert config.serial is not None
        return OpenDevice(await open_serial(path, shown, config.serial), config)
    if config.kind == "char":
        return OpenDevice(await open_char(path, shown, flags), config)
    if config.kind == "fifo":
        return OpenDevice(await open_fifo(path, shown, flags), config)
    fd = await open_file(path, shown, flags)
    if not config.rate_hz:
        return OpenDevice(fd, config)
    outlet, inlet = os.pipe()
    opened = OpenDevice(outlet, config)
    opened.replay = asyncio.create_task(_replay(fd, inlet, config.rate_hz, shown))
    return opened


async def _replay(source: int, sink: int, rate_hz: float, shown: str) -> None:
    """Play a file line by line into a pipe, until it ends or nobody reads any more."""
    loop = asyncio.get_running_loop()
    reading: asyncio.Future[bytes] | None = None

    async def read(size: int) -> bytes:
        # In a thread, since a file may lie on a disk that is slow or a network that is gone.
        nonlocal reading
        reading = loop.run_in_executor(None, os.read, source, size)
        return await asyncio.shield(reading)

    pacing = asyncio.create_task(pace_lines(read, sink, rate_hz))
    gone = asyncio.create_task(reader_gone(sink))
    try:
        await asyncio.wait([pacing, gone], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (pacing, gone):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            results = await asyncio.gather(pacing, gone, return_exceptions=True)
            if isinstance(results[0], Exception) and not isinstance(results[0], ReaderGone):
                log.error("%s: cannot be replayed: %s", shown, results[0])
        os.close(sink)
        if reading is None or reading.done():
            os.close(source)
        else:
            # The thread is in its read still: the number must not become another file's meanwhile.
            reading.add_done_callback(lambda _: os.close(source))
