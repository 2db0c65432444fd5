"""The devices of this host: who may open which, and what an opener gets.

A device is a name, a kind and a mode from the host's configuration (`config_devices`). Opening
one gives a descriptor of the kernel; the kinds are opened in `device_paths` and `device_command`.
Rights are checked here, the number of openings is bounded here, and everything that is open can be
ended here. Finding the host that has a device is the business of `devfs`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import stat
from collections.abc import Sequence

from oneos.config_devices import DeviceConfig
from oneos.errors import FileError
from oneos.files.device_command import Command
from oneos.files.device_paths import open_char, open_fifo, open_file
from oneos.files.handles import Attributes, Plain
from oneos.files.line_pacer import ReaderGone, pace_lines, reader_gone
from oneos.limits import DEVICES_OPEN_MAX
from oneos.state.control_types import Device

log = logging.getLogger(__name__)

_PERMISSIONS = {"r": 0o444, "w": 0o222, "rw": 0o666}


class OpenDevice(Plain):
    """One opening of a device: a `Handle` whose `fd` goes to the opener.

    Whoever takes `fd` away to close it himself calls `detach`. `close` gives the rest back: the
    process of a command is ended and reaped.
    """

    def __init__(self, fd: int, device: DeviceConfig, devices: Devices) -> None:
        super().__init__(fd)
        self.device = device
        self._devices = devices
        self._command: Command | None = None
        self._replay: asyncio.Task[None] | None = None

    def detach(self) -> int:
        """The descriptor, which is the caller's to close from now on."""
        fd, self.fd = self.fd, -1
        return fd

    async def close(self) -> None:
        """Give everything back; harmless when called again.

        A command that was read is ended; one that was written to is left to finish what it got.
        """
        self.close_fd()
        if self._replay is not None:
            self._replay.cancel()
            await asyncio.gather(self._replay, return_exceptions=True)
        if self._command is not None and self.device.mode == "r":
            await self._command.stop()
        if self._command is None or self._command.ended.done():
            self._devices._forget(self)

    async def end(self) -> None:
        """Close, and end the command whatever it is doing."""
        await self.close()
        if self._command is not None:
            await self._command.stop()

    async def stat(self) -> Attributes:
        """What fstat(2) shows: a character device, whatever carries the bytes."""
        if self.device.kind == "file" and not self.device.rate_hz:
            return await super().stat()
        mode = stat.S_IFCHR | _PERMISSIONS[self.device.mode]
        return Attributes(mode=mode, ino=1, size=0)


class Devices:
    """The devices of one host.

    Args:
        configs: as `parse_devices` gives them.
        base_dir: where relative paths start for a device that names no directory of its own.
    """

    def __init__(
        self, configs: Sequence[DeviceConfig], base_dir: str | os.PathLike[str] = ""
    ) -> None:
        self._configs = {config.name: config for config in configs}
        self._base = os.fspath(base_dir)
        self._open: set[OpenDevice] = set()
        self._opening = 0

    def names(self) -> list[str]:
        """The names below /dev, sorted."""
        return sorted(self._configs)

    def announced(self) -> list[Device]:
        """The devices as the host tells the network of them."""
        return [
            Device(name=name, kind=self._configs[name].kind, mode=self._configs[name].mode)
            for name in self.names()
        ]

    def opened(self) -> int:
        """Openings that are not given back yet."""
        return len(self._open) + self._opening

    def stat(self, name: str) -> tuple[int, int]:
        """Mode, with the type bits, and size in bytes.

        A regular file without a rate shows as what it is; everything else streams, and shows as a
        character device. A file that is missing has no size yet.

        Raises:
            FileError: ENOENT for an unknown name.
        """
        config = self._config(name)
        permissions = _PERMISSIONS[config.mode]
        if config.kind == "file" and not config.rate_hz:
            try:
                return stat.S_IFREG | permissions, os.stat(self._path(config)).st_size
            except OSError:
                return stat.S_IFREG | permissions, 0
        return stat.S_IFCHR | permissions, 0

    async def open(self, name: str, flags: int) -> OpenDevice:
        """Open a device.

        Args:
            name: below /dev.
            flags: as open(2); O_CREAT and O_EXCL have no meaning here.

        Raises:
            FileError: ENOENT for an unknown name, EACCES against its mode, ENXIO when the thing
                behind it is missing, ENFILE when too many are open.
        """
        config = self._config(name)
        shown = f"/dev/{name}"
        access = flags & os.O_ACCMODE
        wanted = {os.O_RDONLY: "r", os.O_WRONLY: "w"}.get(access, "rw")
        if any(letter not in config.mode for letter in wanted):
            can = {"r": "read", "w": "written", "rw": "read and written"}[config.mode]
            raise FileError(errno.EACCES, shown, hint=f"this device can only be {can}")
        if self.opened() >= DEVICES_OPEN_MAX:
            raise FileError(
                errno.ENFILE, shown, hint=f"{DEVICES_OPEN_MAX} devices of its host are open already"
            )
        # Counted while it opens: a FIFO may wait for long.
        self._opening += 1
        try:
            opened = await self._open_kind(config, shown, flags)
            self._open.add(opened)
        finally:
            self._opening -= 1
        if opened._command is not None:
            opened._command.ended.add_done_callback(lambda _: self._command_ended(opened))
        return opened

    async def close(self) -> None:
        """End everything that is open; for a Runtime that stops."""
        await asyncio.gather(*[opened.end() for opened in list(self._open)])
        self._open.clear()

    async def _open_kind(self, config: DeviceConfig, shown: str, flags: int) -> OpenDevice:
        if config.kind == "command":
            assert config.command is not None
            directory = config.directory or self._base
            write = flags & os.O_ACCMODE == os.O_WRONLY
            command = await Command.start(config.command, directory, shown, write, config.rate_hz)
            opened = OpenDevice(command.fd, config, self)
            opened._command = command
            return opened
        path = self._path(config)
        if config.kind == "char":
            return OpenDevice(await open_char(path, shown, flags), config, self)
        if config.kind == "fifo":
            return OpenDevice(await open_fifo(path, shown, flags), config, self)
        fd = await open_file(path, shown, flags)
        if not config.rate_hz:
            return OpenDevice(fd, config, self)
        outlet, inlet = os.pipe()
        opened = OpenDevice(outlet, config, self)
        opened._replay = asyncio.create_task(_replay(fd, inlet, config.rate_hz, shown))
        return opened

    def _config(self, name: str) -> DeviceConfig:
        try:
            return self._configs[name]
        except KeyError:
            raise FileError(errno.ENOENT, f"/dev/{name}") from None

    def _path(self, config: DeviceConfig) -> str:
        return os.path.join(config.directory or self._base, config.path or "")

    def _command_ended(self, opened: OpenDevice) -> None:
        # Its opener closed it before: only now is nothing left of it.
        if opened.fd < 0:
            self._forget(opened)

    def _forget(self, opened: OpenDevice) -> None:
        self._open.discard(opened)


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
