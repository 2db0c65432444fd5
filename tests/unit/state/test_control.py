"""The rules of the control log, as transcripts: who says what, and what becomes of it."""

import pytest

from oneos.ids import Epoch, HostName, Incarnation, Pid, ServiceName, SessionId
from oneos.limits import CONTROL_RECORD_IDS_MAX, EXITED_KEPT_MAX, TOKENS_MAX
from oneos.state import control as module
from oneos.state import control_types as t
from oneos.state.control import Control
from oneos.state.processes import LOST_STATUS
from tests.unit.state.control_support import VIEW, Network, facts

HUB, LAB, PI = HostName("hub"), HostName("lab"), HostName("pi")


# --- members ----------------------------------------------------------------------------------
def test_nothing_is_agreed_before_the_network_is_founded_and_it_is_founded_once() -> None:
    net = Network()
    assert net.refused("hub", t.Arrive(HUB, facts(), 0)) == "ENODEV"
    net.ok("hub", net.found)
    assert net.refused("lab", net.found) == "EEXIST"
    assert net.states() == {"hub": "admitted"}


def test_life_of_a_host() -> None:
    net = Network()
    net.begin()
    assert net.refused("lab", t.Arrive(LAB, facts(), 0)) == "EACCES"
    net.admit("lab")
    assert net.states()["lab"] == "admitted"
    first = net.arrive("lab")
    assert net.states()["lab"] == "alive"
    net.ok("lab", t.Depart(LAB, first, 0))
    assert net.states()["lab"] == "left"
    second = net.arrive("lab")
    assert second > first
    net.ok("hub", net.dead("lab", second))
    assert net.states()["lab"] == "dead"
    net.ok("hub", t.Forget(LAB, 0))
    assert "lab" not in net.states()
    assert net.refused("lab", t.Arrive(LAB, facts(), 0)) == "EACCES"


def test_word_of_an_earlier_incarnation_changes_nothing() -> None:
    net = Network()
    old = net.begin("lab")["lab"]
    new = net.arrive("lab")
    assert net.refused("lab", t.Depart(LAB, old, 0)) == "ESTALE"
    assert net.refused("hub", net.dead("lab", old)) == "ESTALE"
    assert net.refused("lab", t.OpenSession("ann", LAB, old, 0)) == "ESTALE"
    assert net.refused("hub", net.spawn("lab", old, net.place()[1])) == "ESTALE"
    [pid] = net.ok("hub", net.spawn("lab", new, net.place()[1]))
    net.ok("lab", t.Ended(LAB, old, [(Pid(pid), 0)], 0))
    assert net.machine.state.processes[pid].state == "running"
    assert net.states()["lab"] == "alive"


def test_host_speaks_only_for_itself() -> None:
    net = Network({"scheduler": "core", "session": ["hub"]})
    hosts = net.begin("lab", "pi")
    assert net.refused("lab", t.Arrive(HUB, facts(), 0)) == "EPERM"
    assert net.refused("lab", t.Depart(HUB, hosts["hub"], 0)) == "EPERM"
    assert net.refused("lab", t.Ended(HUB, hosts["hub"], [], 0)) == "EPERM"
    assert net.refused("lab", t.OpenSession("ann", PI, hosts["pi"], 0)) == "EPERM"
    # The Session service writes down who logs in anywhere.
    net.ok("hub", t.OpenSession("ann", PI, hosts["pi"], 0))


def test_host_that_was_given_up_decides_nothing_about_others() -> None:
    net = Network()
    hosts = net.begin("lab", "pi")
    net.ok("hub", net.dead("lab", hosts["lab"]))
    assert net.refused("lab", net.dead("pi", hosts["pi"])) == "ESTALE"
    assert net.refused("lab", t.AddToken("x", 100, 0)) == "ESTALE"
    assert net.refused("lab", t.Freeze(2, LAB)) == "ESTALE"
    assert net.refused("lab", t.Place(ServiceName("scheduler"), PI, Epoch(1))) == "ESTALE"
    net.arrive("lab")
    net.ok("lab", net.dead("pi", hosts["pi"]))


def test_live_host_and_voter_are_not_forgotten() -> None:
    net = Network()
    net.found = t.Found(
        "home", [], "", t.EngineView(1, [t.Voter(LAB, "a", 1, 2)], "1"), HUB, facts(), 0
    )
    hosts = net.begin("lab")
    assert net.refused("hub", t.Forget(LAB, 0)) == "EBUSY"
    net.ok("lab", t.Depart(LAB, hosts["lab"], 0))
    assert net.refused("hub", t.Forget(LAB, 0)) == "EBUSY"
    assert net.refused("hub", t.Forget(PI, 0)) == "ESRCH"


# --- tokens -----------------------------------------------------------------------------------
def test_token_lets_one_host_in_once() -> None:
    net = Network()
    net.begin()
    admit = t.Admit(LAB, "secret", facts(), 50)
    assert net.refused("hub", admit) == "EACCES"
    net.ok("hub", t.AddToken("secret", 100, 0))
    net.ok("hub", admit)
    # Its answer was lost: it asks again, and may.
    net.ok("hub", admit)
    assert net.refused("hub", t.Admit(PI, "secret", facts(), 50)) == "EACCES"
    net.arrive("lab")
    # Now it has its certificate; whoever has found the token must not get one in its name.
    assert net.refused("hub", admit) == "EACCES"


def test_expired_token_and_taken_name_let_nobody_in() -> None:
    net = Network()
    net.begin()
    net.ok("hub", t.AddToken("old", 100, 0))
    assert net.refused("hub", t.Admit(LAB, "old", facts(), 101)) == "EACCES"
    assert net.refused("hub", t.Admit(HUB, "old", facts(), 50)) == "EEXIST"
    net.ok("hub", t.Admit(LAB, "old", facts(), 100))


def test_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network({"scheduler": "core", "session": "core"})
    hub = net.begin()["hub"]
    for number in range(TOKENS_MAX):
        net.ok("hub", t.AddToken(f"{number}", 100, 0))
    assert net.refused("hub", t.AddToken("more", 100, 0)) == "ENOSPC"
    # Those that expired make room.
    net.ok("hub", t.AddToken("more", 300, 200))
    assert list(net.machine.state.tokens) == ["more"]
    monkeypatch.setattr(module, "SESSIONS_MAX", 3)
    for _ in range(3):
        net.ok("hub", t.OpenSession("ann", HUB, hub, 0))
    assert net.refused("hub", t.OpenSession("ann", HUB, hub, 0)) == "ENOSPC"
    monkeypatch.setattr(module, "MEMBERS_MAX", 1)
    assert net.refused("hub", t.Admit(LAB, "more", facts(), 250)) == "ENOSPC"
    for _ in range(CONTROL_RECORD_IDS_MAX + 10):
        net.ok("hub", t.Nothing())
    assert len(net.machine.state.recent) == CONTROL_RECORD_IDS_MAX


# --- placement --------------------------------------------------------------------------------
def test_record_that_takes_a_host_away_places_its_services() -> None:
    net = Network({"scheduler": "core", "session": "core"})
    hosts = net.begin("lab", "pi")
    assert net.place("scheduler") == ("hub", 1)
    assert net.place("session") == ("hub", 1)
    net.ok("lab", net.dead("hub", hosts["hub"]))
    # Spread: each to the host with the fewest, then by name.
    assert net.place("scheduler") == ("lab", 2)
    assert net.place("session") == ("pi", 2)
    # The first one's return moves nothing back.
    net.arrive("hub")
    assert net.place("scheduler") == ("lab", 2)


def test_restart_of_a_holder_is_a_new_epoch() -> None:
    net = Network()
    net.begin("lab")
    net.arrive("hub")
    assert net.place() == ("hub", 2)
    net.arrive("lab")
    assert net.place() == ("hub", 2)


def test_service_waits_for_a_host_that_may_run_it() -> None:
    net = Network({"scheduler": "tag:strong", "storage": ["lab"], "session": "any"})
    net.ok("hub", net.found)
    net.arrive("hub", core=False)
    assert "scheduler" not in net.machine.state.placements
    assert net.place("session") == ("hub", 1)
    for name in ("lab", "pi"):
        net.admit(name)
    net.arrive("pi", tags=["strong"])
    assert net.place("scheduler") == ("pi", 1)
    lab = net.arrive("lab")
    assert net.place("storage") == ("lab", 1)
    net.ok("lab", t.Depart(LAB, lab, 0))
    assert net.place("storage") == ("", 2)
    net.arrive("lab")
    assert net.place("storage") == ("lab", 3)


def test_move_of_a_service_names_the_epoch_it_was_seen_in() -> None:
    net = Network()
    hosts = net.begin("lab")
    move = t.Place(ServiceName("scheduler"), LAB, Epoch(1))
    assert net.ok("hub", move) == 2
    assert net.place() == ("lab", 2)
    assert net.refused("hub", move) == "ESTALE"
    net.ok("lab", t.Depart(LAB, hosts["lab"], 0))
    back = t.Place(ServiceName("scheduler"), LAB, Epoch(3))
    assert net.refused("hub", back) == "EINVAL"
    assert net.refused("hub", t.Place(ServiceName("nothing"), HUB, Epoch(1))) == "ENOENT"


# --- processes and sessions -------------------------------------------------------------------
def test_programs_of_an_old_scheduler_are_not_entered() -> None:
    net = Network()
    hosts = net.begin("lab")
    assert net.ok("hub", net.spawn("lab", hosts["lab"], 1, count=3)) == [1, 2, 3]
    net.ok("hub", t.Place(ServiceName("scheduler"), LAB, Epoch(1)))
    assert net.refused("hub", net.spawn("lab", hosts["lab"], 1)) == "ESTALE"
    assert net.ok("lab", net.spawn("lab", hosts["lab"], 2)) == [4]


def test_pipeline_is_entered_whole_or_not_at_all() -> None:
    net = Network()
    hosts = net.begin("lab")
    net.ok("hub", net.dead("lab", hosts["lab"]))
    both = [
        t.NewProcess(HUB, hosts["hub"], [b"a"], b"/"),
        t.NewProcess(LAB, hosts["lab"], [b"b"], b"/"),
    ]
    spawn = t.Spawn(Epoch(1), SessionId(1), Pid(0), "root", both, 0)
    assert net.refused("hub", spawn) == "ESTALE"
    assert net.machine.state.processes == {}


def test_programs_of_a_dead_host_have_ended_as_if_killed() -> None:
    net = Network({"scheduler": "core", "session": "core"})
    hosts = net.begin("lab")
    [pid] = net.ok("hub", net.spawn("lab", hosts["lab"], 1))
    [other] = net.ok("hub", net.spawn("hub", hosts["hub"], 1))
    sid = net.ok("hub", t.OpenSession("ann", LAB, hosts["lab"], 0))
    net.ok("hub", net.dead("lab", hosts["lab"]))
    process = net.machine.state.processes[pid]
    assert (process.state, process.status) == ("ended", LOST_STATUS)
    assert "lab died: silent" in process.reason
    assert net.machine.state.processes[other].state == "running"
    assert net.refused("hub", t.CloseSession(sid)) == "ESRCH"


def test_program_ends_once() -> None:
    net = Network()
    hub = net.begin()["hub"]
    [pid] = net.ok("hub", net.spawn("hub", hub, 1))
    net.ok("hub", t.Ended(HUB, hub, [(Pid(pid), 3)], 7))
    net.ok("hub", t.Ended(HUB, hub, [(Pid(pid), 0), (Pid(99), 0)], 8))
    process = net.machine.state.processes[pid]
    assert (process.status, process.ended_ns) == (3, 7)


def test_table_keeps_the_newest_of_the_ended() -> None:
    net = Network()
    hub = net.begin()["hub"]
    first, *_ = net.ok("hub", net.spawn("hub", hub, 1))
    pids = []
    for _ in range(EXITED_KEPT_MAX + 5):
        [pid] = net.ok("hub", net.spawn("hub", hub, 1))
        net.ok("hub", t.Ended(HUB, hub, [(Pid(pid), 0)], 0))
        pids.append(pid)
    kept = net.machine.state.processes
    assert set(kept) == {first, *pids[5:]}


# --- repetition, freezing, snapshots ----------------------------------------------------------
def test_record_that_comes_twice_is_done_once_and_answered_twice() -> None:
    net = Network()
    net.begin()
    arrive = t.Arrive(HUB, facts(), 0)
    first = net.say("hub", arrive, "same")
    assert net.say("hub", arrive, "same") == first
    assert net.machine.state.members["hub"].incarnation == first.value
    refused = net.say("hub", t.Forget(HUB, 0), "other")
    assert net.say("hub", t.Forget(HUB, 0), "other") == refused


def test_frozen_log_takes_nothing_but_the_thaw() -> None:
    net = Network()
    hosts = net.begin("lab")
    assert net.refused("hub", t.Freeze(3, HUB)) == "ESTALE"
    net.ok("hub", t.Freeze(2, HUB))
    before = net.machine.state.members["lab"]
    for command in (
        t.Arrive(HUB, facts(), 0),
        net.dead("lab", hosts["lab"]),
        net.spawn("hub", hosts["hub"], 1),
        t.Freeze(2, HUB),
        t.AddToken("x", 100, 0),
    ):
        assert net.refused("hub", command) == "EAGAIN"
    net.ok("lab", t.Nothing())
    assert net.machine.state.members["lab"] == before
    assert net.refused("hub", t.Thaw(3, None)) == "ESTALE"
    net.ok("lab", t.Thaw(2, None))
    assert net.machine.state.engine == VIEW
    assert net.refused("hub", t.Thaw(2, None)) == "ESTALE"


def test_only_who_froze_the_logs_moves_them() -> None:
    """One whose freeze was lifted has copied too little; another's freeze is not its own."""
    net = Network()
    net.begin("lab")
    late, other = t.EngineView(2, [], "late"), t.EngineView(2, [], "other")
    net.ok("hub", t.Freeze(2, HUB))
    net.ok("lab", t.Thaw(2, None))
    assert net.refused("hub", t.Thaw(2, late)) == "ESTALE"
    net.ok("lab", t.Freeze(2, LAB))
    assert net.refused("hub", t.Thaw(2, late)) == "ESTALE"
    net.ok("lab", t.Thaw(2, other))
    assert net.machine.state.engine == other
    assert net.refused("lab", t.Freeze(2, LAB)) == "ESTALE"


def test_snapshot_goes_on_as_the_machine_itself() -> None:
    net = Network({"scheduler": "core", "session": "any"})
    hosts = net.begin("lab", "pi")
    net.ok("hub", net.spawn("lab", hosts["lab"], 1, count=2))
    net.ok("hub", t.OpenSession("ann", HUB, hosts["hub"], 0))
    net.ok("lab", t.Ended(LAB, hosts["lab"], [(Pid(2), 1)], 5))
    copy = Control.load(net.machine.dump())
    assert copy.state == net.machine.state
    author, repeated = net.log[-1]
    assert copy.apply(author, repeated) == net.machine.apply(author, repeated)
    record = t.Record("next", net.dead("lab", Incarnation(hosts["lab"])))
    assert copy.apply("hub", record) == net.machine.apply("hub", record)
    assert copy.dump() == net.machine.dump()


def test_program_becomes_another_under_its_pid_while_it_runs() -> None:
    net = Network()
    hosts = net.begin("lab")
    _, epoch = net.place()
    (pid,) = net.ok("hub", net.spawn("lab", hosts["lab"], epoch))
    becomes = t.Become(LAB, hosts["lab"], Pid(pid), [b"sort", b"-n"], b"/tmp")
    assert net.refused("hub", becomes) == "EPERM"
    before = net.machine.state.processes[pid]
    net.ok("lab", becomes)
    now = net.machine.state.processes[pid]
    assert (now.argv, now.cwd, now.state) == ([b"sort", b"-n"], b"/tmp", "running")
    assert (now.ppid, now.started_ns, now.host) == (before.ppid, before.started_ns, before.host)
    net.ok("lab", t.Ended(LAB, hosts["lab"], [(Pid(pid), 0)], 0))
    assert net.refused("lab", becomes) == "ESRCH"
