"""Any commands of any hosts, in any order: what must hold holds after each of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from oneos.ids import Epoch, HostName, Incarnation, Pid, ServiceName, SessionId
from oneos.limits import CONTROL_RECORD_IDS_MAX, EXITED_KEPT_MAX, TOKENS_MAX
from oneos.state import control_types as t
from oneos.state.control import Control
from tests.support.examples import examples
from tests.unit.state.control_support import VIEW, facts

HOSTS = st.sampled_from([HostName(name) for name in ("hub", "lab", "pi", "edge")])
SMALL = st.integers(0, 12)
SERVICE = st.sampled_from([ServiceName(name) for name in ("scheduler", "session", "storage")])
RULES = [
    t.ServiceRule(ServiceName("scheduler"), "core"),
    t.ServiceRule(ServiceName("session"), "any"),
    t.ServiceRule(ServiceName("storage"), ["lab", "pi"]),
]


class ControlSimulation(RuleBasedStateMachine):
    """Commands carry what hosts may believe: right, old or made up."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Control()
        self.log: list[tuple[str, t.Record]] = []
        self.holders: dict[tuple[str, int], str] = {}
        self.epochs: dict[str, int] = {}
        self.pids: set[int] = set()
        self.newest = 0
        self.attempts: dict[tuple[int, int], tuple[str, int]] = {}
        self.tell("hub", t.Found("home", RULES, "", VIEW, HostName("hub"), facts(), 0))
        self.arrive(HostName("hub"), HostName("hub"))

    def tell(self, author: str, command: Any) -> t.Result:
        record = t.Record(f"{len(self.log)}", command)
        before = self.machine.dump() if self.machine.state.frozen_by else b""
        self.log.append((author, record))
        result = self.machine.apply(author, record)
        if before and not isinstance(command, t.Thaw):
            # Frozen: nothing but the memory of the record may have changed.
            now = Control.load(self.machine.dump()).state
            then = Control.load(before).state
            now.recent = then.recent = {}
            assert now == then
        return result

    # --- commands -----------------------------------------------------------------------------
    @rule(author=HOSTS, secret=SMALL, now=SMALL)
    def add_token(self, author: HostName, secret: int, now: int) -> None:
        self.tell(author, t.AddToken(f"{secret}", now + 5, now))

    @rule(author=HOSTS, host=HOSTS, secret=SMALL, now=SMALL)
    def admit(self, author: HostName, host: HostName, secret: int, now: int) -> None:
        used = {k: v.used_by for k, v in self.machine.state.tokens.items() if v.used_by}
        result = self.tell(author, t.Admit(host, f"{secret}", facts(host != "edge"), now))
        if result.errno == 0 and f"{secret}" in used:
            assert used[f"{secret}"] == host

    @rule(host=HOSTS, now=SMALL)
    def join(self, host: HostName, now: int) -> None:
        """As it is done in earnest; most of the rest is made up."""
        self.tell("hub", t.AddToken(f"for {host}", now + 5, now))
        self.tell("hub", t.Admit(host, f"for {host}", facts(host != "edge"), now))
        self.arrive(host, host)

    @rule(host=HOSTS, dies=st.booleans())
    def leave(self, host: HostName, dies: bool) -> None:
        member = self.machine.state.members.get(host)
        if member is not None:
            self.end_host(HostName("hub") if dies else host, host, member.incarnation, not dies)

    @rule(host=HOSTS, count=st.integers(1, 3))
    def launch(self, host: HostName, count: int) -> None:
        member = self.machine.state.members.get(host)
        placed = self.machine.holder("scheduler")
        if member is not None and placed is not None:
            self.spawn(placed.host, host, member.incarnation, placed.epoch, count)

    @rule(author=HOSTS, host=HOSTS)
    def arrive(self, author: HostName, host: HostName) -> None:
        result = self.tell(author, t.Arrive(host, facts(host != "edge"), 0))
        if result.errno == 0:
            assert author == host
            assert isinstance(result.value, int)
            assert result.value > self.newest
            self.newest = result.value

    @rule(author=HOSTS, host=HOSTS, incarnation=SMALL, departs=st.booleans())
    def end_host(self, author: HostName, host: HostName, incarnation: int, departs: bool) -> None:
        before = self.machine.state.members.get(host)
        number = Incarnation(incarnation)
        command = t.Depart(host, number, 0) if departs else t.DeclareDead(host, number, "silent", 0)
        result = self.tell(author, command)
        if before is None or before.incarnation != incarnation or before.state != "alive":
            assert result.errno
            assert self.machine.state.members.get(host) == before

    @rule(author=HOSTS, host=HOSTS)
    def forget(self, author: HostName, host: HostName) -> None:
        self.tell(author, t.Forget(host, 0))

    @rule(author=HOSTS, service=SERVICE, host=HOSTS, epoch=SMALL)
    def place(self, author: HostName, service: ServiceName, host: HostName, epoch: int) -> None:
        self.tell(author, t.Place(service, host, Epoch(epoch)))

    @rule(author=HOSTS, host=HOSTS, incarnation=SMALL, epoch=SMALL, count=st.integers(1, 3))
    def spawn(
        self, author: HostName, host: HostName, incarnation: int, epoch: int, count: int
    ) -> None:
        placed = self.machine.state.placements.get(ServiceName("scheduler"))
        member = self.machine.state.members.get(host)
        program = t.NewProcess(host, Incarnation(incarnation), [b"x"], b"/")
        command = t.Spawn(Epoch(epoch), SessionId(1), Pid(0), "a", [program] * count, 0)
        result = self.tell(author, command)
        if result.errno == 0:
            assert placed is not None and placed.epoch == epoch
            assert member is not None and member.incarnation == incarnation
            assert isinstance(result.value, list)
            assert len(result.value) == count
            assert self.pids.isdisjoint(result.value)
            self.pids.update(result.value)

    @rule(author=HOSTS, host=HOSTS, incarnation=SMALL, pids=st.lists(SMALL, max_size=3))
    def ended(self, author: HostName, host: HostName, incarnation: int, pids: list[int]) -> None:
        before = dict(self.machine.state.processes)
        statuses = [(Pid(pid), 0) for pid in pids]
        self.tell(author, t.Ended(host, Incarnation(incarnation), statuses, 1))
        after = self.machine.state.processes
        fell_back = {one.group for pid, one in before.items() if after[pid].round > one.round}
        for pid, process in before.items():
            now = after.get(pid)
            if now != process and now is not None and now.group not in fell_back:
                assert (process.host, process.incarnation) == (host, incarnation)
                assert author == host
                assert process.state == "running"

    @rule(
        host=HOSTS,
        restart=st.sampled_from(["never", "on-failure", "always"]),
        waits=st.booleans(),
        count=st.integers(1, 3),
        checkpoint_s=st.sampled_from([0.0, 1.0]),
    )
    def supervise(
        self, host: HostName, restart: str, waits: bool, count: int, checkpoint_s: float
    ) -> None:
        member = self.machine.state.members.get(host)
        placed = self.machine.holder("scheduler")
        if member is None or placed is None:
            return
        template = t.Template([b"x"], {}, [], policy=t.Policy(restart, 5, 60.0, checkpoint_s))
        where = (HostName(""), Incarnation(0)) if waits else (host, member.incarnation)
        program = t.NewProcess(*where, [b"x"], b"/", template=template)
        result = self.tell(
            placed.host, t.Spawn(placed.epoch, SessionId(1), Pid(0), "a", [program] * count, 0)
        )
        if result.errno == 0:
            assert isinstance(result.value, list)
            self.pids.update(result.value)

    @rule(
        author=HOSTS,
        kind=st.sampled_from(["assign", "evict", "move", "moved", "stayed", "release"]),
        pid=SMALL,
        host=HOSTS,
        late=st.booleans(),
    )
    def decide(self, author: HostName, kind: str, pid: int, host: HostName, late: bool) -> None:
        """What the Scheduler and hosts say of a program, on what they know or what was."""
        process = self.machine.state.processes.get(pid)
        member = self.machine.state.members.get(host)
        placed = self.machine.holder("scheduler")
        if process is None or member is None or placed is None:
            return
        attempt = process.attempt - late
        key, to = Pid(pid), (host, member.incarnation)
        command: t.Command = {
            "assign": t.Assign(placed.epoch, [t.Assigned(key, attempt, *to, "", [])], 0),
            "evict": t.Evict(placed.epoch, key, attempt),
            "move": t.Move(placed.epoch, key, attempt, *to),
            "moved": t.Moved(*to, key, attempt, "", 0),
            "stayed": t.Stayed(key, attempt, "no"),
            "release": t.Release(key, attempt, 1, "", 0),
        }[kind]
        result = self.tell(author, command)
        if result.errno == 0:
            # Whoever decides on an older attempt decides nothing.
            assert not late
            now = self.machine.state.processes[pid]
            assert now.attempt == process.attempt + (kind in ("assign", "moved"))
            if kind == "moved":
                assert author == host
                assert (process.target, process.target_incarnation) == to

    @rule(author=HOSTS, pid=SMALL, late=st.booleans(), whole=st.booleans())
    def checkpoint(self, author: HostName, pid: int, late: bool, whole: bool) -> None:
        process = self.machine.state.processes.get(Pid(pid))
        if process is None:
            return
        group = [
            one
            for one in self.machine.state.processes.values()
            if one.group == process.group and one.template is not None
        ]
        states = [(one.pid, one.attempt - late) for one in group[: None if whole else 1]]
        result = self.tell(author, t.Checkpointed(f"at {len(self.log)}", states))
        if result.errno == 0:
            assert not late and len(states) == len(group)
            assert not any(one.back or one.state == "waiting" for one in group)

    @rule(author=HOSTS, host=HOSTS, on=st.booleans())
    def drain(self, author: HostName, host: HostName, on: bool) -> None:
        self.tell(author, t.Drain(host, on))

    @rule(author=HOSTS, host=HOSTS, incarnation=SMALL)
    def open_session(self, author: HostName, host: HostName, incarnation: int) -> None:
        self.tell(author, t.OpenSession("ann", host, Incarnation(incarnation), 0))

    @rule(author=HOSTS, generation=st.integers(1, 3), moved=st.booleans())
    def thaw(self, author: HostName, generation: int, moved: bool) -> None:
        frozen_by = self.machine.state.frozen_by
        view = t.EngineView(generation, [], "x") if moved else None
        result = self.tell(author, t.Thaw(generation, view))
        if result.errno == 0 and moved:
            assert frozen_by == author

    @precondition(lambda self: len(self.log) % 8 == 0)
    @rule(author=HOSTS, generation=st.integers(1, 3))
    def freeze(self, author: HostName, generation: int) -> None:
        self.tell(author, t.Freeze(generation, author))

    @rule(at=st.integers(0, 1000))
    def repeat(self, at: int) -> None:
        """A record that comes again, from anywhere in the log."""
        author, record = self.log[at % len(self.log)]
        before = self.machine.dump()
        self.machine.apply(author, record)
        assert self.machine.dump() == before

    # --- what always holds --------------------------------------------------------------------
    @invariant()
    def one_holder_an_epoch(self) -> None:
        for placed in self.machine.state.placements.values():
            key = (placed.service, placed.epoch)
            assert self.holders.setdefault(key, placed.host) == placed.host

    @invariant()
    def epochs_only_grow(self) -> None:
        for placed in self.machine.state.placements.values():
            assert placed.epoch >= self.epochs.get(placed.service, 0)
            self.epochs[placed.service] = placed.epoch

    @invariant()
    def holders_and_programs_are_on_live_hosts(self) -> None:
        state = self.machine.state
        alive = {name: x.incarnation for name, x in state.members.items() if x.state == "alive"}
        for placed in state.placements.values():
            assert placed.host == "" or placed.host in alive
        for process in state.processes.values():
            if process.state == "running":
                assert alive[process.host] == process.incarnation
        for session in state.sessions.values():
            assert alive[session.host] == session.incarnation

    @invariant()
    def one_host_an_attempt(self) -> None:
        for process in self.machine.state.processes.values():
            if process.state == "running":
                where = (process.host, process.incarnation)
                assert self.attempts.setdefault((process.pid, process.attempt), where) == where

    @invariant()
    def programs_move_to_live_hosts_only(self) -> None:
        members = self.machine.state.members
        for process in self.machine.state.processes.values():
            if process.target:
                assert process.state == "running"
                assert members[process.target].state == "alive"
                assert members[process.target].incarnation == process.target_incarnation

    @invariant()
    def programs_that_are_joined_fall_back_together(self) -> None:
        groups: dict[Pid, list[t.Process]] = {}
        for process in self.machine.state.processes.values():
            if process.template is not None:
                groups.setdefault(process.group, []).append(process)
        for group in groups.values():
            assert len({process.round for process in group}) == 1
            assert len({process.checkpoint for process in group}) == 1
            # Who has ended is kept for as long as there is somebody to fall back with.
            assert any(process.state != "ended" for process in group)
            if any(process.state == "waiting" for process in group):
                # Nobody goes on with a part of it.
                assert all(x.state == "waiting" or x.back for x in group) or all(
                    x.round == 0 for x in group
                )

    @invariant()
    def tables_are_bounded(self) -> None:
        state = self.machine.state
        assert len(state.recent) <= CONTROL_RECORD_IDS_MAX
        assert len(state.tokens) <= TOKENS_MAX
        assert sum(p.state == "ended" for p in state.processes.values()) <= EXITED_KEPT_MAX

    def teardown(self) -> None:
        """The same log gives the same state, also through a snapshot half way."""
        again, half = Control(), len(self.log) // 2
        for at, (author, record) in enumerate(self.log):
            if at == half:
                again = Control.load(again.dump())
            again.apply(author, record)
        assert again.dump() == self.machine.dump()


TestControlSimulation = ControlSimulation.TestCase
TestControlSimulation.settings = examples(20, stateful_step_count=40)
