"""The rules of the process table: what waits, what starts again, what an old decision may do."""

from __future__ import annotations

import msgspec
import pytest

from oneos.ids import Epoch, HostName, Incarnation, Pid, SessionId
from oneos.limits import TEMPLATES_MAX
from oneos.state import control_types as t
from oneos.state.control import Control
from oneos.state.processes import LOST_STATUS
from tests.unit.state.control_support import Network

HUB, LAB = HostName("hub"), HostName("lab")


class World(Network):
    """Two hosts, and the words for programs on them."""

    def __init__(self) -> None:
        super().__init__()
        self.up = self.begin("lab")

    def epoch(self) -> Epoch:
        placed = self.machine.holder("scheduler")
        assert placed is not None
        return placed.epoch

    def spawn(self, host: str = "", restart: str | None = "always", count: int = 1) -> list[Pid]:
        template = None
        if restart is not None:
            template = t.Template([b"x.py"], {}, [t.Stream("null")] * 3, policy=t.Policy(restart))
        program = t.NewProcess(
            HostName(host),
            self.up.get(host, Incarnation(0)),
            [b"x"],
            b"/",
            why=["because"],
            demands=t.Demands("python"),
            template=template,
        )
        command = t.Spawn(
            self.epoch(),
            SessionId(1),
            Pid(0),
            "a",
            [program] * count,
            0,
            asker=LAB,
            asker_incarnation=self.up["lab"],
        )
        pids: list[Pid] = self.ok("hub", command)
        return pids

    def assign(self, *pids: Pid, host: str = "hub", attempt: int | None = None) -> t.Assign:
        table = self.machine.state.processes
        programs = [
            t.Assigned(
                pid,
                table[pid].attempt if attempt is None else attempt,
                HostName(host),
                self.up[host],
                "instrumented",
                ["it fits"],
            )
            for pid in pids
        ]
        return t.Assign(self.epoch(), programs, 7)

    def end(self, pid: Pid, status: int, host: str = "hub", attempt: int = 1) -> None:
        self.ok(host, t.Ended(HostName(host), self.up[host], [(pid, status)], 0, [attempt]))

    def state(self, pid: Pid) -> tuple[str, int]:
        process = self.machine.state.processes[pid]
        return process.state, process.attempt


def test_program_waits_until_it_is_assigned_and_knows_why() -> None:
    world = World()
    [pid] = world.spawn()
    assert world.state(pid) == ("waiting", 0)
    assert world.machine.state.processes[pid].reason == "because"
    world.ok("hub", world.assign(pid))
    assert world.state(pid) == ("running", 1)
    process = world.machine.state.processes[pid]
    assert (process.host, process.why, process.reason) == (HUB, ["it fits"], "")
    assert world.refused("hub", world.assign(pid)) == "ESTALE"


def test_programs_are_assigned_together_or_not_at_all() -> None:
    world = World()
    first, second = world.spawn(count=2, restart=None)
    assert world.machine.state.processes[second].group == first
    world.ok("hub", t.Release(second, -1, 130, "given up", 0))
    assert world.refused("hub", world.assign(first, second, attempt=0)) == "ESTALE"
    assert world.state(first) == ("waiting", 0)


@pytest.mark.parametrize(
    ("restart", "status", "state"),
    [
        ("never", 1, "ended"),
        ("on-failure", 0, "ended"),
        ("on-failure", 1, "waiting"),
        ("always", 0, "waiting"),
    ],
)
def test_policy_decides_what_follows_an_end(restart: str, status: int, state: str) -> None:
    world = World()
    [pid] = world.spawn("hub", restart)
    world.end(pid, status)
    process = world.machine.state.processes[pid]
    assert process.state == state
    if state == "waiting":
        assert (process.ends, process.last_status, process.status) == (1, status, None)
    else:
        assert (process.status, process.template) == (status, None)


def test_program_of_a_dead_host_waits_for_another_under_its_pid() -> None:
    world = World()
    [kept] = world.spawn("lab", "on-failure")
    [lost] = world.spawn("lab", "never")
    [plain] = world.spawn("lab", None)
    world.ok("hub", world.dead("lab", world.up["lab"]))
    assert world.state(kept) == ("waiting", 1)
    assert world.machine.state.processes[kept].ends == 0
    for pid in (lost, plain):
        assert world.machine.state.processes[pid].status == LOST_STATUS
    world.ok("hub", world.assign(kept))
    assert world.state(kept) == ("running", 2)


def test_end_of_an_earlier_attempt_does_not_end_a_later_one() -> None:
    world = World()
    [pid] = world.spawn("hub")
    world.end(pid, 1)
    world.ok("hub", world.assign(pid))
    world.end(pid, 1, attempt=1)
    assert world.state(pid) == ("running", 2)
    world.end(pid, 1, attempt=2)
    assert world.state(pid) == ("waiting", 2)


def test_what_nobody_can_launch_any_more_does_not_wait() -> None:
    world = World()
    [pid] = world.spawn(restart=None)
    [kept] = world.spawn()
    world.ok("hub", world.dead("lab", world.up["lab"]))
    assert world.machine.state.processes[pid].state == "ended"
    assert world.state(kept) == ("waiting", 0)


def test_released_program_is_not_started_again() -> None:
    world = World()
    [running] = world.spawn("hub")
    [waiting] = world.spawn()
    world.ok("hub", t.Release(running, -1, 143, "ended by signal 15", 0))
    assert world.state(running) == ("running", 1)
    world.end(running, 143)
    assert world.machine.state.processes[running].reason == "ended by signal 15"
    world.ok("hub", t.Release(waiting, 0, 143, "ended by signal 15", 0))
    process = world.machine.state.processes[waiting]
    assert (process.state, process.status) == ("ended", 143)
    assert world.refused("hub", t.Release(waiting, -1, 0, "", 0)) == "ESRCH"


def test_giving_up_is_fenced_by_the_attempt() -> None:
    world = World()
    [pid] = world.spawn("hub")
    assert world.refused("hub", t.Release(pid, 0, 1, "given up", 0)) == "ESTALE"


def test_evicted_program_goes_elsewhere_whatever_its_status() -> None:
    world = World()
    [pid] = world.spawn("hub", "on-failure")
    world.ok("hub", t.Evict(world.epoch(), pid, 1))
    world.end(pid, 0)
    process = world.machine.state.processes[pid]
    assert (process.state, process.ends, process.moving) == ("waiting", 0, False)


def test_what_cannot_be_started_anew_is_not_evicted() -> None:
    world = World()
    [pid] = world.spawn("hub", None)
    assert world.refused("hub", t.Evict(world.epoch(), pid, 1)) == "EINVAL"


def test_decisions_of_an_older_scheduler_are_refused() -> None:
    world = World()
    [waiting], [running] = world.spawn(), world.spawn("hub")
    assign = world.assign(waiting)
    old = world.epoch()
    world.ok("hub", t.Place(world.found.rules[0].name, LAB, old))
    assert world.refused("hub", assign) == "ESTALE"
    assert world.refused("hub", t.Postpone(old, waiting, 0, "x")) == "ESTALE"
    assert world.refused("hub", t.Evict(old, running, 1)) == "ESTALE"


def test_draining_moves_services_and_outlives_a_restart() -> None:
    world = World()
    placed = world.machine.holder("scheduler")
    assert placed is not None
    world.ok("hub", t.Drain(placed.host, True))
    moved = world.machine.holder("scheduler")
    assert moved is not None
    assert moved.host != placed.host and moved.epoch > placed.epoch
    world.arrive(placed.host)
    assert world.machine.state.members[placed.host].draining
    world.ok("hub", t.Drain(placed.host, False))
    assert not world.machine.state.members[placed.host].draining
    assert world.refused("hub", t.Drain(HostName("nobody"), True)) == "ESRCH"


def test_templates_are_bounded_and_survive_a_snapshot() -> None:
    world = World()
    for _ in range(TEMPLATES_MAX // 64):
        world.spawn(count=64)
    refused = world.say("hub", world.log[-1][1].command, "once more")
    assert refused.errno and "already" in refused.message
    again = Control.load(world.machine.dump())
    assert msgspec.msgpack.encode(again.state) == world.machine.dump()


# --- moving with its state ------------------------------------------------------------------------
def moves(world: World, pid: Pid, to: str = "lab") -> t.Move:
    attempt = world.machine.state.processes[pid].attempt
    return t.Move(world.epoch(), pid, attempt, HostName(to), world.up[to])


def arrived(world: World, pid: Pid, at: str = "lab", attempt: int = 1) -> t.Moved:
    return t.Moved(HostName(at), world.up[at], pid, attempt, "namespace", 0)


def test_program_that_moved_runs_at_its_target_and_nowhere_else() -> None:
    world = World()
    [pid] = world.spawn("hub", None)
    world.ok("hub", moves(world, pid))
    assert world.refused("hub", moves(world, pid)) == "EBUSY"
    assert world.refused("hub", arrived(world, pid)) == "EPERM"
    world.ok("lab", arrived(world, pid))
    process = world.machine.state.processes[pid]
    assert (process.host, process.attempt, process.target) == (LAB, 2, "")
    # What the source says of it is old news.
    world.end(pid, 9)
    assert world.state(pid) == ("running", 2)
    assert world.refused("hub", t.Stayed(pid, 1, "too late")) == "ESTALE"


def test_program_that_stayed_cannot_arrive_any_more() -> None:
    world = World()
    [pid] = world.spawn("hub", None)
    world.ok("hub", moves(world, pid))
    world.ok("hub", t.Stayed(pid, 1, "it has a child process"))
    process = world.machine.state.processes[pid]
    assert (process.host, process.target, process.reason) == (HUB, "", "it has a child process")
    assert world.refused("lab", arrived(world, pid)) == "ESTALE"
    world.ok("hub", moves(world, pid))
    world.end(pid, 0)
    assert world.refused("lab", arrived(world, pid)) == "ESTALE"
    assert world.state(pid)[0] == "ended"


def test_move_to_a_host_that_dies_is_over_and_the_program_stays() -> None:
    world = World()
    [pid] = world.spawn("hub", None)
    world.ok("hub", moves(world, pid))
    world.ok("hub", world.dead("lab", world.up["lab"]))
    process = world.machine.state.processes[pid]
    assert (process.state, process.host, process.target) == ("running", HUB, "")
    assert world.refused("hub", moves(world, pid)) == "ESTALE"


def test_program_whose_host_dies_on_the_way_has_not_moved() -> None:
    world = World()
    [lost], [kept] = world.spawn("lab", None), world.spawn("lab", "always")
    for pid in (lost, kept):
        world.ok("hub", moves(world, pid, "hub"))
    world.ok("hub", world.dead("lab", world.up["lab"]))
    assert world.state(lost)[0] == "ended"
    assert world.state(kept)[0] == "waiting"
    for pid in (lost, kept):
        assert world.refused("hub", arrived(world, pid, "hub")) == "ESTALE"
