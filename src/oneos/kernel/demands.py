"""What a program demands of its host, and whether a host fulfils it. Pure."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import structs

from oneos.errors import OneOSError, UserError
from oneos.ids import HostName
from oneos.limits import AGENTS_MAX
from oneos.state import control_types as t

KINDS = "host:NAME, tag:NAME, device:NAME, machine:KIND, python:VERSION or node:VERSION"

_LANGUAGES = ("python", "node")

_SAME = {"python": 2, "node": 1}
"""How many numbers of its version have to be the same where a program goes on: Python's frames are
those of a minor version, and what Node has built in is that of a major one."""


@dataclass(slots=True)
class Room:
    """A live host, and what the programs on it have taken of it.

    `load`: running tasks a core over a minute, as the host told last; None: it has not.
    """

    member: t.Member
    agents: int = 0
    cores: float = 0.0
    memory_bytes: int = 0
    load: float | None = None

    def take(self, demands: t.Demands) -> None:
        """Count one more program."""
        self.agents += 1
        self.cores += demands.cores
        self.memory_bytes += demands.memory_bytes


def rooms(members: Iterable[t.Member], processes: Iterable[t.Process]) -> dict[HostName, Room]:
    """The live hosts with what runs on them."""
    found = {member.name: Room(member) for member in members if member.state == "alive"}
    for process in processes:
        room = found.get(process.host)
        if process.state == "running" and room is not None:
            room.take(process.demands or t.Demands(""))
    return found


def check_constraint(constraint: str) -> None:
    """Raise UserError for what is no constraint."""
    kind, colon, value = constraint.partition(":")
    if not colon or not value or kind not in ("host", "tag", "device", "machine", *_LANGUAGES):
        raise UserError(f"on: {constraint!r} is no constraint", hint=KINDS)


def lacks(demands: t.Demands, member: t.Member) -> str:
    """What a host lacks for good, as part of a sentence about it; "" if nothing."""
    for constraint in demands.on:
        if not _fulfils(member, constraint):
            kind, _, value = constraint.partition(":")
            if kind == "host":
                return f"is not {value}"
            if kind in _LANGUAGES:
                has = member.facts.interpreters.get(kind)
                return f"has {kind} {has}" if has else f"has no {kind}"
            if kind == "machine":
                return f"does not run programs for {value}"
            return f"has no {kind} {value.removeprefix('/dev/')}"
    if demands.interpreter not in member.facts.interpreters:
        native = demands.interpreter == "native"
        return "does not run native programs" if native else f"has no {demands.interpreter}"
    if demands.moves and t.context_of(demands.interpreter, member.facts.context) != "namespace":
        return "runs such programs instrumented, and cannot keep their state"
    if demands.cores > member.facts.cores:
        return f"has {member.facts.cores} cores"
    if demands.memory_bytes > member.facts.memory_bytes:
        return f"has {_mib(member.facts.memory_bytes)} of memory"
    return ""


def refuses(demands: t.Demands, room: Room) -> str:
    """What a live host lacks now; "" if the program may run there."""
    member = room.member
    if lack := lacks(demands, member):
        return lack
    if member.draining:
        return "is drained"
    if room.agents >= AGENTS_MAX:
        return f"has {AGENTS_MAX} agents"
    if demands.cores and room.cores + demands.cores > member.facts.cores:
        return f"has {member.facts.cores - room.cores:g} of {member.facts.cores} cores left"
    if demands.memory_bytes and room.memory_bytes + demands.memory_bytes > (
        member.facts.memory_bytes
    ):
        return f"has {_mib(member.facts.memory_bytes - room.memory_bytes)} of memory left"
    return ""


def as_it_runs(demands: t.Demands, host: str, versions: dict[str, str]) -> t.Demands:
    """What a program demands that is to go on elsewhere in the middle of its run.

    Args:
        host: the one that somebody asks for, who has changed their mind about the host, and about
            nothing else; "": any.
        versions: of the interpreters at its host.
    """
    on = [x for x in demands.on if not (host and x.startswith("host:"))]
    on += goes_on_in(demands.interpreter, versions.get(demands.interpreter, ""))
    return structs.replace(demands, on=on)


def goes_on_in(interpreter: str, version: str) -> list[str]:
    """The constraints on where a program can go on that ran under an interpreter so far."""
    if interpreter not in _SAME or not version:
        return []
    return [f"{interpreter}:{'.'.join(version.split('.')[: _SAME[interpreter]])}"]


def is_hopeless(demands: t.Demands, members: Iterable[t.Member]) -> bool:
    """Whether no host of the network, also none that is away now, could ever run it."""
    return all(lacks(demands, member) for member in members)


def nowhere(demands: t.Demands, alive: dict[HostName, Room]) -> OneOSError:
    """Why a program can run on no live host: the first demand that none fulfils."""
    able = list(alive.values())
    for constraint in demands.on:
        able = [room for room in able if _fulfils(room.member, constraint)]
        if not able:
            return _unfulfilled(constraint, sorted(alive))
    where = " ".join(demands.on) or "any live host"
    able = [room for room in able if demands.interpreter in room.member.facts.interpreters]
    if not able and demands.interpreter == "native":
        return UserError(
            f"native programs cannot run on {where}",
            errno=errno.ENOEXEC,
            hint='they take Linux and /dev/fuse there, and no context = "instrumented"',
        )
    if not able:
        return UserError(
            f"there is no {demands.interpreter} on {where}",
            errno=errno.ENOENT,
            hint="install it there, or see who has it: cat /runtime/*/versions",
        )
    reasons = "; ".join(f"{x.member.name} {refuses(demands, x)}" for x in able)
    return UserError(f"no host has room for it: {reasons}", errno=errno.EAGAIN)


def _fulfils(member: t.Member, constraint: str) -> bool:
    kind, _, value = constraint.partition(":")
    if kind == "host":
        return member.name == value
    if kind == "tag":
        return value in member.facts.tags
    if kind == "device":
        return any(value.removeprefix("/dev/") == device.name for device in member.facts.devices)
    if kind == "machine":
        return _runs(member.facts.interpreters.get("native", ""), value)
    # A version is a prefix of the whole one, up to a dot: 3.1 is not 3.11.
    has = member.facts.interpreters.get(kind, "")
    return f"{has}.".startswith(f"{value}.")


def _runs(machine: str, program: str) -> bool:
    """Whether a kind of machine, as uname(1) names it, runs native programs for another."""
    if machine.startswith("armv"):
        machine = "arm"
    # Every x86-64 kernel of a distribution runs the programs of its predecessor.
    return machine == program or (machine, program) == ("x86_64", "i686")


def _unfulfilled(constraint: str, names: list[HostName]) -> UserError:
    kind, _, value = constraint.partition(":")
    live = ", ".join(names)
    if kind == "host":
        return UserError(
            f"on {constraint}: host {value} is not up",
            errno=errno.EHOSTDOWN,
            hint=f"live hosts: {live}",
        )
    if kind == "machine":
        return UserError(
            f"native programs for {value} cannot run on any live host",
            errno=errno.ENOEXEC,
            hint="what each host runs: cat /runtime/*/versions",
        )
    if kind in _LANGUAGES:
        return UserError(
            f"on {constraint}: no live host has that version",
            errno=errno.ENOENT,
            hint="what each host has: cat /runtime/*/versions",
        )
    return UserError(
        f"on {constraint}: no live host has that {kind}",
        errno=errno.ENOENT,
        hint=f"live hosts: {live}; their tags: cat /runtime/*/tags",
    )


def _mib(count_bytes: float) -> str:
    return f"{count_bytes / 2**20:.0f} MiB"
