"""/dev: the devices that hosts declare, and the nodes every host has of its own.

A device is found by its name wherever it hangs; where two hosts declare one name, the live one
whose name sorts first serves it. Opening one at another host brings its bytes here on one direct
connection. A device whose host is away says so at once.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Awaitable, Callable

from oneos.errors import FileError
from oneos.files.handles import Caller, Handle, HostPath
from oneos.files.virtual import Dir, File, Node, Parts
from oneos.kernel.control_log import ControlLog
from oneos.state import control_types as t

OpenDevice = Callable[[t.Member, t.Device, int, int], Awaitable[Handle]]
"""Opens a host's device with flags for a process."""

# Each host's kernel serves these itself, and the same everywhere.
OWN_NODES = ("null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr")

_MODES = {"r": 0o444, "w": 0o222, "rw": 0o666}


class DeviceFiles:
    """See the module."""

    def __init__(self, control: ControlLog, open_device: OpenDevice) -> None:
        self._control = control
        self._open = open_device

    def devices(self) -> dict[str, tuple[t.Member, t.Device]]:
        """Every declared device by name, with the host that serves it."""
        found: dict[str, tuple[t.Member, t.Device]] = {}
        members = sorted(
            self._control.state.members.values(), key=lambda x: (x.state != "alive", x.name)
        )
        for member in members:
            for device in member.facts.devices:
                found.setdefault(device.name, (member, device))
        return found

    async def find(self, place: Parts, caller: Caller) -> Dir | File | Node | None:
        name = "/".join(part.decode("utf-8", "replace") for part in place)
        if name in OWN_NODES:
            # The last four are whatever the program has there; for a look they are /dev/null.
            status = os.stat("/dev/" + (name if name in OWN_NODES[:5] else "null"))
            return Node(status.st_mode, lambda flags: _own("/dev/" + name), status.st_rdev)
        devices = self.devices()
        if name in devices:
            member, device = devices[name]
            return Node(
                stat.S_IFCHR | _MODES[device.mode],
                lambda flags: self._open_at(member, device, flags, caller.pid),
            )
        below = [n for n in devices if not name or n.startswith(name + "/")]
        if not below and place:
            return None
        skip = len(place)
        names: dict[bytes, int] = {}
        for full in below:
            parts = full.split("/")
            names[parts[skip].encode()] = stat.S_IFDIR if len(parts) > skip + 1 else stat.S_IFCHR
        if not place:
            names |= {own.encode(): stat.S_IFCHR for own in OWN_NODES}
        return Dir(names)

    async def _open_at(self, member: t.Member, device: t.Device, flags: int, pid: int) -> Handle:
        path = b"/dev/" + device.name.encode()
        wanted = {os.O_RDONLY: "r", os.O_WRONLY: "w", os.O_RDWR: "rw"}[flags & os.O_ACCMODE]
        if any(letter not in device.mode for letter in wanted):
            raise FileError(errno.EACCES, path)
        if member.state != "alive":
            raise FileError(
                errno.ENXIO,
                path,
                hint=f"its host {member.name} is {member.state}: wait for it to return; "
                "see: oneos status",
            )
        return await self._open(member, device, flags, pid)


async def _own(path: str) -> Handle:
    return HostPath(path)
