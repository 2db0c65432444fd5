"""/runtime/HOST/devices: one text for each device of a host, with who reads it and what was lost.

The counters are the hosts' own, asked when the text is opened: the device's host for its readings,
and each host that reads it for its readers. docs/config.md has the format.
"""

from __future__ import annotations

import asyncio
import errno
import stat
from collections.abc import Awaitable, Callable

from oneos.errors import FileError, NetworkError, Unknown
from oneos.files.handles import Handle, Text, not_for_writing
from oneos.files.virtual import Dir, Node, Parts
from oneos.ids import HostName
from oneos.kernel.messages import DeviceState
from oneos.state import control_types as t

AskState = Callable[[HostName, str], Awaitable[DeviceState]]
"""What a host has to say of a device of its own."""
AskReaders = Callable[[HostName, HostName, str], Awaitable[DeviceState | None]]
"""What a host has to say of a device of another; None: no answer."""


class DeviceFacts:
    """See the module."""

    def __init__(self, state: AskState, readers: AskReaders) -> None:
        self._state = state
        self._readers = readers

    def find(self, member: t.Member, place: Parts) -> Dir | Node | None:
        """What stands at a place below the directory of a host's devices."""
        names = [device.name for device in member.facts.devices]
        name = "/".join(part.decode("utf-8", "replace") for part in place)
        if name in names:
            return Node(stat.S_IFREG | 0o444, lambda flags: self._open(member, name, flags))
        below = [full for full in names if not place or full.startswith(name + "/")]
        if place and not below:
            return None
        found: dict[bytes, int] = {}
        for full in below:
            parts = full.split("/")[len(place) :]
            found[parts[0].encode()] = stat.S_IFDIR if len(parts) > 1 else stat.S_IFREG
        return Dir(found)

    async def _open(self, member: t.Member, name: str, flags: int) -> Handle:
        path = f"/runtime/{member.name}/devices/{name}".encode()
        not_for_writing(path, flags)
        return Text(name[-64:], (await self._text(member, name, path)).encode())

    async def _text(self, member: t.Member, name: str, path: bytes) -> str:
        try:
            state = await self._state(member.name, name)
        except (NetworkError, Unknown) as error:
            raise FileError(errno.EIO, path, hint=error.message) from None
        lines = [
            f"kind {state.kind}",
            f"mode {state.mode}",
            f"shared {_yes(state.shared)}",
            f"exclusive {_yes(state.exclusive)}",
            f"openings {state.openings}",
            f"readings {state.readings}",
            f"bytes {state.bytes}",
            f"ended {state.ended}",
        ]
        others = [HostName(host) for host in state.hosts]
        answers = await asyncio.gather(*[self._readers(host, member.name, name) for host in others])
        everywhere = [(member.name, state), *zip(others, answers, strict=True)]
        lines.append(f"lost {sum(part.lost for _, part in everywhere if part is not None)}")
        for host, part in everywhere:
            if part is None:
                lines.append(f"no-answer {host}")
                continue
            for x in part.readers:
                counts = f"got {x.got} lost {x.lost} waiting {x.waiting}"
                lines.append(f"reader {host} {x.pid} {counts}")
        return "\n".join(lines) + "\n"


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
