"""Where programs go, and why: the promises of the Scheduler's choice."""

from __future__ import annotations

import errno

import pytest

from oneos.errors import UserError
from oneos.ids import HostName, Incarnation
from oneos.kernel.demands import (
    Room,
    as_it_runs,
    check_constraint,
    is_hopeless,
    refuses,
    rooms,
)
from oneos.kernel.placement import Choice, Wish, place
from oneos.limits import AGENTS_MAX, AGENTS_PER_CORE, WHY_LINES_MAX
from oneos.state import control_types as t

HUB, LAB, PI = HostName("hub"), HostName("lab"), HostName("pi")
MIB = 2**20


def member(name: str, state: str = "alive", draining: bool = False, **facts: object) -> t.Member:
    told = {
        "cores": 4,
        "memory_bytes": 4096 * MIB,
        "interpreters": {"python": "3.11.2", "node": "20.1.0", "sh": "1"},
    } | facts
    about = t.Facts("10.0.0.1", 1, 2, 3, True, **told)  # type: ignore[arg-type]
    return t.Member(HostName(name), about, Incarnation(1), state, 0, draining=draining)


def network(*members: t.Member) -> dict[HostName, Room]:
    return rooms(members or (member("hub"), member("lab"), member("pi")), [])


def wants(*on: str, **demands: object) -> t.Demands:
    return t.Demands("python", list(on), **demands)  # type: ignore[arg-type]


def typed(*on: str, **demands: object) -> Wish:
    """A program whose streams are those of whoever asked."""
    return Wish(wants(*on, **demands), from_asker=True, to_asker=True)


def hosts(choices: list[Choice]) -> list[str]:
    return [choice.host for choice in choices]


def failure(choice: Choice) -> UserError:
    assert isinstance(choice.failure, UserError)
    return choice.failure


def test_program_stays_with_who_asked_where_nothing_else_counts() -> None:
    (choice,) = place([typed()], LAB, network())
    assert choice.host == LAB
    assert choice.why[0] == "on lab: who asked is there"


def test_program_goes_where_its_input_is_if_that_is_more_than_the_way_there() -> None:
    near = [t.Near([PI], 100 * MIB)]
    (choice,) = place([typed(near=near)], HUB, network())
    assert choice.host == PI
    assert choice.why[0] == "on pi: its input is there"
    (choice,) = place([typed(near=[t.Near([PI], 1000)])], HUB, network())
    assert choice.host == HUB


def test_programs_behind_a_constrained_one_run_beside_it_so_that_less_crosses() -> None:
    source = Wish(wants("host:pi"), from_asker=False)
    filters = [Wish(wants(), follows=True), Wish(wants(), follows=True, to_asker=True)]
    choices = place([source, *filters], HUB, network())
    assert hosts(choices) == [PI, PI, PI]
    assert choices[1].why[0] == "on pi: the program before it runs there"


def test_pipeline_crosses_between_two_constrained_ends_once_and_late() -> None:
    chain = [
        Wish(wants("host:pi")),
        Wish(wants(), follows=True),
        Wish(wants(), follows=True),
        Wish(wants("host:lab"), follows=True, to_asker=True),
    ]
    assert hosts(place(chain, HUB, network())) == [PI, PI, PI, LAB]


def test_programs_that_nobody_waits_for_spread() -> None:
    alive = network()
    chosen = [place([Wish(wants())], HUB, alive)[0].host for _ in range(6)]
    assert sorted(chosen) == [HUB, HUB, LAB, LAB, PI, PI]


def test_they_go_where_the_load_is_low() -> None:
    alive = network()
    alive[HUB].load, alive[LAB].load, alive[PI].load = 3.0, 0.1, 2.0
    (choice,) = place([Wish(wants())], HUB, alive)
    assert (choice.host, choice.why[0]) == (LAB, "on lab: it has the least to do")


def test_full_host_is_left_to_those_who_need_it() -> None:
    alive = network()
    alive[HUB].agents = 4 * AGENTS_PER_CORE
    (choice,) = place([typed()], HUB, alive)
    assert choice.host != HUB
    assert "not on hub: it is full" in choice.why
    assert place([typed("host:hub")], HUB, alive)[0].host == HUB
    alive[HUB].agents = AGENTS_MAX
    assert failure(place([typed("host:hub")], HUB, alive)[0]).errno == errno.EAGAIN


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("host:pi", "pi"),
        ("tag:field", "pi"),
        ("device:sensor/1", "lab"),
        ("device:/dev/sensor/1", "lab"),
        ("python:3.12", "lab"),
        ("node:22", "pi"),
    ],
)
def test_constraint_holds(constraint: str, expected: str) -> None:
    alive = network(
        member("hub"),
        member(
            "lab", devices=[t.Device("sensor/1", "file", "r")], interpreters={"python": "3.12.1"}
        ),
        member("pi", tags=["field"], interpreters={"python": "3.11.2", "node": "22.0.0"}),
    )
    (choice,) = place([typed(constraint)], HUB, alive)
    assert choice.host == expected
    assert choice.why[0].endswith("no other host can run it")


def test_version_is_no_prefix_of_another_number() -> None:
    (choice,) = place([typed("python:3.1")], HUB, network())
    assert "no live host has that version" in failure(choice).message


def test_host_that_is_drained_gets_nothing_but_the_children_of_what_runs_there() -> None:
    alive = network(member("hub", draining=True), member("lab"))
    assert place([typed()], HUB, alive)[0].host == LAB
    assert "not on hub: it is drained" in place([typed()], HUB, alive)[0].why
    child = Wish(wants("host:hub"), child=True)
    assert place([child], HUB, alive)[0].host == HUB


def test_declared_cores_and_memory_are_never_given_twice() -> None:
    alive = network(member("hub"), member("lab"))
    three = Wish(wants(cores=3.0))
    assert sorted(hosts(place([three, three], HUB, alive))) == [HUB, LAB]
    assert failure(place([three], HUB, alive)[0]).message == (
        "no host has room for it: hub has 1 of 4 cores left; lab has 1 of 4 cores left"
    )
    assert place([Wish(wants(cores=1.0))], HUB, alive)[0].failure is None
    large = Wish(wants("host:hub", memory_bytes=3000 * MIB))
    assert place([large], HUB, alive)[0].host == HUB
    assert "has 1096 MiB of memory left" in failure(place([large], HUB, alive)[0]).message


def test_chain_that_has_no_room_on_one_host_is_spread() -> None:
    alive = network(member("hub"), member("lab"))
    chain = [typed(cores=3.0), Wish(wants(cores=3.0), follows=True, to_asker=True)]
    choices = place(chain, HUB, alive)
    assert sorted(hosts(choices)) == [HUB, LAB]
    assert all(choice.failure is None for choice in choices)


def test_program_that_no_host_could_ever_run_is_told_from_one_that_can_wait() -> None:
    known = [member("hub"), member("pi", state="dead", tags=["field"])]
    assert not is_hopeless(wants("tag:field"), known)
    assert not is_hopeless(wants("host:pi"), known)
    assert is_hopeless(wants("host:p1"), known)
    assert is_hopeless(wants(cores=5.0), known)
    assert is_hopeless(t.Demands("native"), known)


def test_failure_names_the_demand_and_what_to_try() -> None:
    down = failure(place([typed("host:pi9")], HUB, network())[0])
    assert (down.errno, down.message) == (
        errno.EHOSTDOWN,
        "on host:pi9: host pi9 is not up",
    )
    assert down.hint == "live hosts: hub, lab, pi"
    none = failure(place([Wish(t.Demands("ruby"))], HUB, network())[0])
    assert none.message == "there is no ruby on any live host"


@pytest.mark.parametrize("constraint", ["pi", "host:", "colour:red", ":x"])
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(UserError, match="is no constraint"):
        check_constraint(constraint)


def test_reasons_are_bounded() -> None:
    many = network(*(member(f"h{n:03}") for n in range(200)))
    (choice,) = place([typed()], HostName("h000"), many)
    assert len(choice.why) == WHY_LINES_MAX
    assert choice.why[-1] == "and 197 hosts more"


def test_program_that_runs_goes_on_only_in_an_interpreter_like_its_own() -> None:
    here = {"python": "3.11.2", "node": "20.1.0"}
    other = member("lab", interpreters={"python": "3.12.1", "node": "22.3.0", "sh": "1"})
    like = member("pi", interpreters={"python": "3.11.9", "node": "20.9.1", "sh": "1"})
    for kind, has in (("python", "has python 3.12.1"), ("node", "has node 22.3.0")):
        demands = as_it_runs(t.Demands(kind, ["host:hub", "tag:x"]), "", here)
        assert demands.on[:2] == ["host:hub", "tag:x"]
        # Who names a host has changed their mind about the host, and about nothing else.
        assert "host:hub" not in as_it_runs(t.Demands(kind, ["host:hub"]), "pi", here).on
        wanted = as_it_runs(t.Demands(kind), "pi", here)
        assert refuses(wanted, Room(other)) == has
        assert refuses(wanted, Room(like)) == ""
