"""Which program leaves a host that has too much to do, and where it goes. Pure: time comes in.

Nothing may bounce. A host counts as overloaded only after it was so for a while; a program goes
only where there is room for it with a margin, so that the two hosts do not change places; both then
rest until their loads, which are averages over a minute, show what was done; and a program that was
moved stays for longer still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.demands import Room
from oneos.limits import (
    RELIEF_AFTER_S,
    RELIEF_FREE_LOAD,
    RELIEF_FROM_LOAD,
    RELIEF_LEAST_CORES,
    RELIEF_MARGIN_LOAD,
    RELIEF_REST_S,
    RELIEF_STAY_S,
)


class Relief:
    """See the module. All times are of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._since_s: dict[HostName, float] = {}
        self._rests_until_s: dict[HostName, float] = {}
        self._stays_until_s: dict[int, float] = {}

    def overloaded(self, rooms: Mapping[HostName, Room], now_s: float) -> HostName | None:
        """The host to relieve; None: none needs it, or no other has room. To be asked regularly."""
        for name in self._since_s.keys() - rooms.keys():
            del self._since_s[name]
        for name, room in rooms.items():
            if room.load is None or room.load < RELIEF_FROM_LOAD:
                self._since_s.pop(name, None)
            else:
                self._since_s.setdefault(name, now_s)
        if not any(self._has_room(name, room, now_s) for name, room in rooms.items()):
            return None
        found = [
            name
            for name, since_s in self._since_s.items()
            if now_s - since_s >= RELIEF_AFTER_S and not self._rests(name, now_s)
        ]
        return max(found, key=lambda name: rooms[name].load or 0.0, default=None)

    def choose(
        self,
        host: HostName,
        busy: Iterable[m.Busy],
        able: Callable[[int], Mapping[HostName, Room]],
        rooms: Mapping[HostName, Room],
        now_s: float,
    ) -> tuple[int, HostName] | None:
        """A program and where it goes; None: none would help.

        Args:
            host: the overloaded one.
            busy: its programs that can move.
            able: the hosts where a program may go on.
            rooms: all live hosts.
        """
        load = rooms[host].load or 0.0
        for one in sorted(busy, key=lambda one: -one.cores):
            if one.cores < RELIEF_LEAST_CORES:
                return None
            if self._stays_until_s.get(one.pid, now_s) > now_s:
                continue
            after = {
                name: (room.load or 0.0) + one.cores / room.member.facts.cores
                for name, room in able(one.pid).items()
                if name != host and self._has_room(name, room, now_s)
            }
            best = min(after, key=lambda name: after[name], default=None)
            if best is not None and after[best] + RELIEF_MARGIN_LOAD <= load:
                return one.pid, best
        return None

    def moved(self, pid: int, host: HostName, target: HostName, now_s: float) -> None:
        """A program was sent on its way, whatever comes of it."""
        self._rests_until_s |= dict.fromkeys((host, target), now_s + RELIEF_REST_S)
        for old in [x for x, until_s in self._stays_until_s.items() if until_s <= now_s]:
            del self._stays_until_s[old]
        self._stays_until_s[pid] = now_s + RELIEF_STAY_S

    def _rests(self, name: HostName, now_s: float) -> bool:
        return self._rests_until_s.get(name, now_s) > now_s

    def _has_room(self, name: HostName, room: Room, now_s: float) -> bool:
        return (
            room.load is not None
            and room.load <= RELIEF_FREE_LOAD
            and not room.member.draining
            and not self._rests(name, now_s)
        )
