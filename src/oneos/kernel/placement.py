"""Which hosts the programs of a pipeline run on. Pure, so that it can be shown and tested.

A program may run where what it demands is (`demands.py`). Among those hosts the whole pipeline is
laid so that the fewest bytes have to pass between hosts: its inputs from where they are, what one
program hands to the next, what begins and ends at whoever asked. How much a pipe will carry
nobody knows; it is taken for half of what its writer reads, since most programs in the middle of a
pipeline make less of it, so that hosts are crossed late. A chain is laid by dynamic programming
(Bellman 1957): a host's cheapest beginning of the chain is the cheapest of the one before, there or
elsewhere. Where nothing else counts programs stay with who asked, or, if nobody waits for them,
spread over the hosts that have the least to do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from oneos.errors import OneOSError, UserError
from oneos.ids import HostName
from oneos.kernel.demands import Room, check_constraint, nowhere, refuses
from oneos.limits import (
    AGENTS_PER_CORE,
    PLACEMENT_FULL_BYTES,
    PLACEMENT_GUESS_BYTES,
    PLACEMENT_START_BYTES,
    WHY_LINES_MAX,
)
from oneos.state import control_types as t

NOWHERE = HostName("")

Costs = dict[str, float]
"""Why a host is worse than a perfect one: bytes, by what causes them."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One program to place.

    Args:
        demands: see there.
        follows: it reads what the program before it writes.
        from_asker, to_asker: its input comes from, its output goes to, whoever asked.
        child: another program starts it where it runs itself.
    """

    demands: t.Demands
    follows: bool = False
    from_asker: bool = False
    to_asker: bool = False
    child: bool = False


@dataclass(slots=True)
class Choice:
    """Where a program goes and why, a line each; or why nowhere."""

    host: HostName = NOWHERE
    why: list[str] = field(default_factory=list)
    failure: OneOSError | None = None


def place(wishes: list[Wish], asker: HostName, alive: dict[HostName, Room]) -> list[Choice]:
    """Choose a host for each program.

    Args:
        wishes: the programs of one pipeline, in their order.
        asker: the host of whoever asked.
        alive: the live hosts; what is chosen is counted there.

    Returns:
        One choice for each; those with a `failure` were left out.
    """
    choices = [Choice() for _ in wishes]
    chain: list[int] = []
    for at, wish in enumerate(wishes):
        if chain and not wish.follows:
            _lay(chain, wishes, asker, alive, choices)
            chain = []
        failure = _failure(wish, alive)
        if failure is not None:
            choices[at].failure = failure
            # What follows it reads from nobody.
            _lay(chain, wishes, asker, alive, choices)
            chain = []
            continue
        chain.append(at)
    _lay(chain, wishes, asker, alive, choices)
    return choices


def _failure(wish: Wish, alive: dict[HostName, Room]) -> OneOSError | None:
    """Why a program can run nowhere now, if so."""
    try:
        for constraint in wish.demands.on:
            check_constraint(constraint)
    except UserError as error:
        return error
    return None if _able(wish, alive) else nowhere(wish.demands, alive)


def _able(wish: Wish, alive: dict[HostName, Room]) -> list[HostName]:
    return [name for name, room in alive.items() if not _refuses(wish, room)]


def _refuses(wish: Wish, room: Room) -> str:
    refusal = refuses(wish.demands, room)
    # What a program starts goes with it to the end, also on a host that takes nothing new.
    return "" if wish.child and refusal == "is drained" else refusal


def _lay(
    chain: list[int],
    wishes: list[Wish],
    asker: HostName,
    alive: dict[HostName, Room],
    choices: list[Choice],
) -> None:
    """Place a chain of programs, each of which reads what the one before it writes."""
    flow = 0.0
    best: dict[HostName, float] = {}
    steps: list[tuple[dict[HostName, HostName], float]] = []
    links: list[float] = []
    for at in chain:
        wish = wishes[at]
        cheapest = min(best, key=lambda x: (best[x], x != asker, x), default=None)
        now: dict[HostName, float] = {}
        came: dict[HostName, HostName] = {}
        link, flow = flow, _flow(wish, flow)
        for name in _able(wish, alive):
            before = 0.0
            if cheapest is not None:
                stays = best.get(name, math.inf)
                before = min(stays, best[cheapest] + link)
                came[name] = name if stays <= before else cheapest
            own = sum(_costs(wish, alive[name], asker, flow).values())
            now[name] = before + own + _idle(wish, alive[name], asker)
        steps.append((came, link))
        links.append(flow)
        best = now
    if not chain:
        return
    host = min(best, key=lambda x: (best[x], x != asker, x))
    for step in range(len(chain) - 1, -1, -1):
        choices[chain[step]].host = host
        host = steps[step][0].get(host, host)
    _count(chain, wishes, asker, alive, choices, [link for _, link in steps], links)


def _count(
    chain: list[int],
    wishes: list[Wish],
    asker: HostName,
    alive: dict[HostName, Room],
    choices: list[Choice],
    links: list[float],
    flows: list[float],
) -> None:
    """Take the room on the chosen hosts, and say why they were.

    A program for which those before it in the chain have left no room goes to its own best host.
    """
    for step, at in enumerate(chain):
        wish, choice = wishes[at], choices[at]
        costs = {name: _costs(wish, alive[name], asker, flows[step]) for name in _able(wish, alive)}
        if not costs:
            choice.host, choice.failure = NOWHERE, nowhere(wish.demands, alive)
            continue
        for side, other in (("before", step - 1), ("after", step + 1)):
            if 0 <= other < len(chain) and (there := choices[chain[other]].host):
                crossed = links[step] if side == "before" else links[other]
                for name in costs:
                    costs[name][f"the program {side} it runs"] = 0.0 if name == there else crossed
        if choice.host not in costs:
            choice.host = min(
                costs, key=lambda x: (sum(costs[x].values()), _idle(wish, alive[x], asker), x)
            )
        choice.why = _why(wish, choice.host, costs, alive, asker)
        alive[choice.host].take(wish.demands)


def _flow(wish: Wish, before: float) -> float:
    """How many bytes a program is thought to write."""
    known = sum(near.bytes for near in wish.demands.near)
    if wish.from_asker:
        known += PLACEMENT_GUESS_BYTES
    return ((known + before) or PLACEMENT_GUESS_BYTES) / 2


def _costs(wish: Wish, room: Room, asker: HostName, flow: float) -> Costs:
    name = room.member.name
    costs: Costs = {}
    if wish.from_asker or wish.to_asker:
        away = float(PLACEMENT_START_BYTES)
        away += PLACEMENT_GUESS_BYTES if wish.from_asker else 0
        away += flow if wish.to_asker else 0
        costs["who asked is"] = 0.0 if name == asker else away
    far = sum(near.bytes for near in wish.demands.near if name not in near.hosts)
    if wish.demands.near:
        costs["its input is"] = float(far)
    full = room.agents >= room.member.facts.cores * AGENTS_PER_CORE
    costs["there is room"] = PLACEMENT_FULL_BYTES if full else 0.0
    return costs


def _idle(wish: Wish, room: Room, asker: HostName) -> float:
    """How little a host has to do: below one byte, so that it only decides between equals."""
    if wish.from_asker or wish.to_asker:
        return 0.0 if room.member.name == asker else 0.5 + _busy(room)
    return _busy(room)


def _busy(room: Room) -> float:
    """Between 0 and 0.5, by agents a core and what else the host does."""
    busy = room.agents / room.member.facts.cores + (room.load or 0.0)
    return 0.5 * busy / (1 + busy)


def _why(
    wish: Wish,
    chosen: HostName,
    costs: dict[HostName, Costs],
    alive: dict[HostName, Room],
    asker: HostName,
) -> list[str]:
    """The reason for a host, and one against each other."""
    others = {name: costs[name] for name in costs if name != chosen}
    if wish.child:
        because = "the program that started it runs there"
    elif not others:
        because = "no other host can run it" if len(alive) > 1 else "it is the only host"
    else:
        second = min(others, key=lambda name: sum(others[name].values()))
        worse = {cause: others[second][cause] - costs[chosen][cause] for cause in costs[chosen]}
        cause = max(worse, key=lambda x: worse[x], default="")
        if worse.get(cause, 0.0) > 0:
            because = _said(cause)
        elif (wish.from_asker or wish.to_asker) and chosen == asker:
            because = "who asked is there"
        else:
            because = "it has the least to do"
    lines = [f"on {chosen}: {because}"]
    for name in sorted(alive.keys() - {chosen})[:WHY_LINES_MAX]:
        refusal = _refuses(wish, alive[name])
        if refusal:
            lines.append(f"not on {name}: it {refusal}")
            continue
        worse = {cause: costs[name][cause] - costs[chosen][cause] for cause in costs[chosen]}
        cause = max(worse, key=lambda x: worse[x])
        if worse[cause] > 0:
            lines.append(f"not on {name}: {_said(cause, no=True)}")
        else:
            lines.append(f"not on {name}: it has more to do, or is no better")
    if len(alive) > WHY_LINES_MAX:
        left = len(alive) - WHY_LINES_MAX + 1
        lines = [*lines[: WHY_LINES_MAX - 1], f"and {left} hosts more"]
    return lines


def _said(cause: str, no: bool = False) -> str:
    if cause == "there is room":
        return "it is full" if no else "the others are full"
    return f"{cause} elsewhere" if no else f"{cause} there"
