"""Programs leave a host that has too much to do, and nothing bounces."""

from __future__ import annotations

from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.demands import Room
from oneos.kernel.relief import Relief
from oneos.limits import RELIEF_AFTER_S, RELIEF_LOOK_S, RELIEF_REST_S, RELIEF_STAY_S
from tests.unit.kernel.test_placement import member

A, B, C = HostName("a"), HostName("b"), HostName("c")


class Hosts:
    """Hosts with two cores, their loads, and programs that anybody could run."""

    def __init__(self, **loads: float | None) -> None:
        self.relief = Relief()
        self.rooms = {
            HostName(name): Room(member(name, cores=2), load=load) for name, load in loads.items()
        }
        self.now_s = 1000.0

    def load(self, **loads: float) -> None:
        for name, load in loads.items():
            self.rooms[HostName(name)].load = load

    def overloaded(self, for_s: float = RELIEF_AFTER_S + RELIEF_LOOK_S) -> HostName | None:
        """Look every so often for so long; the last answer."""
        found, until_s = None, self.now_s + for_s
        while self.now_s <= until_s:
            found = self.relief.overloaded(self.rooms, self.now_s)
            self.now_s += RELIEF_LOOK_S
        return found

    def choose(self, host: HostName, *busy: m.Busy) -> tuple[int, HostName] | None:
        chosen = self.relief.choose(host, busy, lambda pid: self.rooms, self.rooms, self.now_s)
        if chosen is not None:
            self.relief.moved(chosen[0], host, chosen[1], self.now_s)
        return chosen


def test_host_with_too_much_to_do_for_a_while_gives_its_busiest_program_to_the_idlest() -> None:
    hosts = Hosts(a=2.5, b=0.6, c=0.1)
    assert hosts.overloaded(0) is None
    assert hosts.overloaded() == A
    assert hosts.choose(A, m.Busy(1, 0.5), m.Busy(2, 1.0)) == (2, C)


def test_peak_moves_nothing() -> None:
    hosts = Hosts(a=2.5, b=0.1)
    assert hosts.overloaded(RELIEF_AFTER_S / 2) is None
    hosts.load(a=1.0)
    assert hosts.overloaded(0) is None
    hosts.load(a=2.5)
    assert hosts.overloaded(RELIEF_AFTER_S / 2) is None


def test_nothing_moves_where_all_have_much_to_do_or_say_nothing() -> None:
    assert Hosts(a=2.5, b=1.4).overloaded() is None
    assert Hosts(a=2.5, b=None).overloaded() is None
    drained = Hosts(a=2.5, b=0.0)
    drained.rooms[B] = Room(member("b", cores=2, draining=True), load=0.0)
    assert drained.overloaded() is None


def test_hosts_do_not_change_places_for_a_program() -> None:
    hosts = Hosts(a=1.6, b=0.7)
    assert hosts.overloaded() == A
    # Two cores' worth would make of b what a is now.
    assert hosts.choose(A, m.Busy(1, 2.0)) is None
    assert hosts.choose(A, m.Busy(1, 2.0), m.Busy(2, 0.5)) == (2, B)
    idle = Hosts(a=1.6, b=0.1)
    assert idle.choose(A, m.Busy(1, 2.0)) == (1, B)


def test_what_uses_little_stays() -> None:
    hosts = Hosts(a=3.0, b=0.0)
    assert hosts.overloaded() == A
    assert hosts.choose(A, m.Busy(1, 0.1)) is None


def test_hosts_rest_after_a_move_and_the_program_stays_for_longer() -> None:
    hosts = Hosts(a=3.0, b=0.0, c=0.0)
    assert hosts.overloaded() == A
    assert hosts.choose(A, m.Busy(1, 1.0)) == (1, B)
    assert hosts.overloaded(RELIEF_REST_S / 2) is None
    # It made its new host busy all the same: it is not sent on.
    hosts.load(a=0.2, b=3.0)
    hosts.now_s += RELIEF_REST_S
    assert hosts.overloaded() == B
    assert hosts.choose(B, m.Busy(1, 1.0)) is None
    hosts.now_s += RELIEF_STAY_S
    assert hosts.choose(B, m.Busy(1, 1.0)) == (1, C)
