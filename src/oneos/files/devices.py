"""The devices of this host: who may open which, and what an opener gets.

A device is a name, a kind and a mode from the host's configuration (`config_devices`). Opening
one gives a descriptor of the kernel: of the thing itself (`device_openings`), or of a part in one
opening that all share (`shared_device`). Rights are checked here, the number of openings is bounded
here, and everything that is open can be ended here. Finding the host that has a device is the
business of `devfs`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from oneos.config_devices import DeviceConfig
from oneos.errors import FileError, OneOSError
from oneos.files.device_gpio import GpioSource
from oneos.files.device_mqtt import MqttSource
from oneos.files.device_openings import PERMISSIONS, OpenDevice, open_device
from oneos.files.device_source import DescriptorSource, Source
from oneos.files.shared_device import SharedDevice
from oneos.kernel.messages import DeviceState
from oneos.limits import DEVICES_OPEN_MAX
from oneos.state.control_types import Device

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opener:
    """Who opens a device: a process of the network, 0 where it is not known, of a host."""

    host: str = ""
    pid: int = 0


@dataclass(eq=False, slots=True)
class _Opening:
    """One that is under way or done."""

    name: str
    opener: Opener
    access: int
    handle: OpenDevice | None = None


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
        self._openings: set[_Opening] = set()
        self._shared: dict[tuple[str, int], SharedDevice] = {}
        self._hosts: dict[str, set[str]] = {}

    def names(self) -> list[str]:
        """The names below /dev, sorted."""
        return sorted(self._configs)

    def announced(self) -> list[Device]:
        """The devices as the host tells the network of them."""
        return [
            Device(
                name=config.name,
                kind=config.kind,
                mode=config.mode,
                # Of an exclusive one each opening is asked for here, so nobody shares it elsewhere.
                shared=config.shared and not config.exclusive,
            )
            for _, config in sorted(self._configs.items())
        ]

    def opened(self) -> int:
        """Openings that are not given back yet."""
        return len(self._openings)

    def stat(self, name: str) -> tuple[int, int]:
        """Mode, with the type bits, and size in bytes.

        A regular file without a rate shows as what it is; everything else streams, and shows as a
        character device. A file that is missing has no size yet.

        Raises:
            FileError: ENOENT for an unknown name.
        """
        config = self._config(name)
        permissions = PERMISSIONS[config.mode]
        if config.kind == "file" and not config.rate_hz:
            path = os.path.join(config.directory or self._base, config.path or "")
            try:
                return stat.S_IFREG | permissions, os.stat(path).st_size
            except OSError:
                return stat.S_IFREG | permissions, 0
        return stat.S_IFCHR | permissions, 0

    def state(self, name: str) -> DeviceState:
        """Who has it open, and what came. Raises FileError(ENOENT)."""
        config = self._config(name)
        shared = [part for (of, _), part in self._shared.items() if of == name]
        return DeviceState(
            kind=config.kind,
            mode=config.mode,
            exclusive=config.exclusive,
            shared=config.shared,
            openings=sum(opening.name == name for opening in self._openings),
            readings=sum(part.fanout.readings for part in shared),
            bytes=sum(part.fanout.bytes for part in shared),
            lost=sum(part.fanout.lost for part in shared),
            ended=sum(part.ended for part in shared),
            hosts=sorted(self._hosts.get(name, ())),
            readers=[state for part in shared for state in part.fanout.states()],
        )

    async def open(
        self, name: str, flags: int, opener: Opener | None = None, feed: bool = False
    ) -> OpenDevice:
        """Open a device.

        Args:
            name: below /dev.
            flags: as open(2); O_CREAT and O_EXCL have no meaning here.
            opener: who wants to have it.
            feed: it is another host that reads for all its programs: it gets frames (`fanout`).

        Raises:
            FileError: ENOENT for an unknown name, EACCES against its mode, ENXIO when the thing
                behind it is missing, ENFILE when too many are open, EBUSY when it is exclusive and
                open.
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
        opening = _Opening(name, opener or Opener(), access)
        if config.exclusive:
            self._check_free(opening, shown)
        # Counted while it opens: a FIFO may wait for long.
        self._openings.add(opening)
        try:
            if config.shared and not (config.kind == "fifo" and access == os.O_RDWR):
                opened = await self._join(config, shown, opening, feed)
            else:
                opened = await open_device(config, self._base, shown, flags)
        except BaseException:
            self._openings.discard(opening)
            raise
        opened.over = lambda _: self._openings.discard(opening)
        opening.handle = opened
        opened.watch()
        return opened

    async def close(self) -> None:
        """End everything that is open; for a Runtime that stops."""
        await asyncio.gather(*[part.close() for part in self._shared.values()])
        handles = [x.handle for x in self._openings if x.handle is not None]
        for outcome in await asyncio.gather(*[x.end() for x in handles], return_exceptions=True):
            if isinstance(outcome, OneOSError | OSError):
                log.warning("a device was closed early: %s", outcome)
        self._openings.clear()

    def _check_free(self, opening: _Opening, shown: str) -> None:
        """EBUSY, unless the one process that has it open wants the other direction."""
        for other in self._openings:
            if other.name == opening.name:
                same = opening.opener.pid and other.opener == opening.opener
                if not same or os.O_RDWR in (opening.access, other.access):
                    break
                if other.access == opening.access:
                    break
        else:
            return
        who = f" by process {other.opener.pid}" if other.opener.pid else ""
        raise FileError(errno.EBUSY, shown, hint=f"it is exclusive, and open{who}")

    async def _join(
        self, config: DeviceConfig, shown: str, opening: _Opening, feed: bool
    ) -> OpenDevice:
        # A FIFO's two ends are not one opening: its writers would be its readers.
        key = config.name, opening.access if config.kind == "fifo" else os.O_RDWR
        part = self._shared.get(key)
        if part is None:
            part = self._shared[key] = SharedDevice(
                shown, config.framing == "line", lambda: self._source(config, shown, key[1])
            )
        joined = await part.join(opening.access, opening.opener.pid, feed)
        if feed:
            self._hosts.setdefault(config.name, set()).add(opening.opener.host)
        opened = OpenDevice(joined.fd, config)
        opened.joined = joined
        return opened

    async def _source(self, config: DeviceConfig, shown: str, access: int) -> Source:
        """Open the hardware of a shared device, for all that its mode allows."""
        lines = config.framing == "line"
        if config.gpio is not None:
            return await GpioSource.open(config.gpio, shown, config.mode == "w")
        if config.mqtt is not None:
            directory = config.directory or self._base
            reading = "r" in config.mode
            return await MqttSource.open(config.mqtt, shown, lines, reading, directory)
        if config.kind != "fifo":
            access = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[config.mode]
        opened = await open_device(config, self._base, shown, access)
        return DescriptorSource(opened.fd, shown, lines, opened.end)

    def _config(self, name: str) -> DeviceConfig:
        try:
            return self._configs[name]
        except KeyError:
            raise FileError(errno.ENOENT, f"/dev/{name}") from None
