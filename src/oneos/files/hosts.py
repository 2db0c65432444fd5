"""/runtime: what each host of the network is, one directory a host."""

from __future__ import annotations

import stat
from collections.abc import Callable

from oneos.files.device_facts import DeviceFacts
from oneos.files.handles import Caller
from oneos.files.virtual import Dir, File, Node, Parts
from oneos.kernel.control_log import ControlLog
from oneos.state import control_types as t
from oneos.state.control import ControlState


class Runtimes:
    """See the module. `load` gives a host's load as heard last, or None; `damaged` likewise how
    many chunks it has found damaged and made good."""

    def __init__(
        self,
        control: ControlLog,
        load: Callable[[str], float | None],
        damaged: Callable[[str], tuple[int, int] | None],
        devices: DeviceFacts,
    ) -> None:
        self._control = control
        self._load = load
        self._damaged = damaged
        self._devices = devices

    async def find(self, place: Parts, caller: Caller) -> Dir | File | Node | None:
        state = self._control.state
        if not place:
            return Dir({name.encode(): stat.S_IFDIR for name in state.members})
        member = state.members.get(place[0].decode("ascii", "replace"))
        if member is not None and place[1:2] == (b"devices",):
            return self._devices.find(member, place[2:])
        if member is None or len(place) > 2:
            return None
        texts = self._texts(state, member)
        if len(place) == 1:
            names = {name.encode(): stat.S_IFREG for name in texts}
            return Dir({**names, b"devices": stat.S_IFDIR})
        text = texts.get(place[1].decode("ascii", "replace"))
        return None if text is None else File(lambda: text.encode() + b"\n")

    def _texts(self, state: ControlState, member: t.Member) -> dict[str, str]:
        facts = member.facts
        load = self._load(member.name)
        damage = self._damaged(member.name)
        damaged, repaired = ("", "") if damage is None else map(str, damage)
        agents = [
            p.pid
            for p in state.processes.values()
            if p.host == member.name and p.state == "running"
        ]
        services = [p.service for p in state.placements.values() if p.host == member.name]
        return {
            "address": f"{facts.address}:{facts.port}",
            "agents": "\n".join(map(str, sorted(agents))),
            "cores": str(facts.cores),
            "damaged": damaged,
            "load": "" if load is None else f"{load:.2f}",
            "memory": str(facts.memory_bytes),
            "repaired": repaired,
            "services": "\n".join(services),
            "state": member.state,
            "tags": "\n".join(facts.tags),
            "versions": "\n".join(
                f"{name} {version}"
                for name, version in sorted({**facts.interpreters, "oneos": facts.version}.items())
            ),
        }
