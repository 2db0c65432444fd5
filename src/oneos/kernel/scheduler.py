"""The Scheduler Kernel Agent: which host a program runs on, and its entry in the process table.

A program may run where its interpreter is and where all that was said `on` it holds. Among those
hosts the one whose user asked comes first, as long as it is not full: most programs are short, and
their standard streams lead there. The decision is a record that names the Scheduler's epoch and
each host's incarnation, so one made on old news is refused by the log and made again.
"""

from __future__ import annotations

import errno
from collections import Counter

from oneos.actor.actor import Actor, Address
from oneos.errors import Fenced, NetworkError, OneOSError, UserError
from oneos.ids import HostName, Pid, SessionId
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import AGENTS_MAX, AGENTS_PER_CORE, APPEND_RETRIES_MAX
from oneos.state import control_types as t


class Scheduler(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        control: what is known of hosts and processes, and where decisions are agreed on.
    """

    def __init__(self, address: Address, control: ControlLog) -> None:
        super().__init__(address)
        self._control = control

    def receive(self, message: m.SchedulerMessage, sender: HostName) -> object:
        return self._schedule(message)

    async def _schedule(self, message: m.Schedule) -> list[m.Placed]:
        for _ in range(APPEND_RETRIES_MAX):
            try:
                return await self._try(message)
            except NetworkError as error:
                # A host restarted or died between the look and the record.
                if error.errno != errno.ESTALE:
                    raise
                await self._control.barrier()
                placed = self._control.machine.holder("scheduler")
                if placed is None or placed.epoch != self.address.epoch:
                    # Whoever asked asks the new one.
                    raise Fenced("the Scheduler has moved") from error
        raise NetworkError("the network changes too fast to place programs", errno=errno.EAGAIN)

    async def _try(self, message: m.Schedule) -> list[m.Placed]:
        alive = self._control.machine.alive()
        load = Counter(
            p.host for p in self._control.state.processes.values() if p.state == "running"
        )
        chosen: list[t.Member | OneOSError] = []
        for wish in message.wishes:
            try:
                member = choose(wish, message.home_host, alive, load)
                load[member.name] += 1
                chosen.append(member)
            except OneOSError as error:
                chosen.append(error)
        programs = [
            t.NewProcess(
                member.name,
                member.incarnation,
                wish.argv,
                wish.cwd,
                t.context_of(wish.interpreter, member.facts.context),
            )
            for wish, member in zip(message.wishes, chosen, strict=True)
            if isinstance(member, t.Member)
        ]
        pids: list[int] = []
        if programs:
            pids = await self._control.submit(
                t.Spawn(
                    self.address.epoch,
                    SessionId(message.sid),
                    Pid(message.ppid),
                    message.user,
                    programs,
                    now_ns(),
                    bounded=True,
                )
            )
        return [
            m.Placed(pids.pop(0), x.name)
            if isinstance(x, t.Member)
            else m.Placed(0, "", x.errno, x.message, x.hint)
            for x in chosen
        ]


def choose(
    wish: m.Wish, home_host: str, alive: list[t.Member], load: Counter[HostName]
) -> t.Member:
    """The host for one program.

    Args:
        wish: the program and its constraints.
        home_host: where the user is.
        alive: the live hosts, by name.
        load: running agents of each host, those of this decision included.

    Raises:
        UserError: no live host fulfils the constraints; the message says which one failed.
    """
    able = alive
    for constraint in wish.on:
        able = [member for member in able if _fulfils(member, constraint)]
        if not able:
            raise _unfulfilled(constraint, alive)
    with_interpreter = [x for x in able if wish.interpreter in x.facts.interpreters]
    if not with_interpreter:
        where = " ".join(wish.on) or "any live host"
        if wish.interpreter == "native":
            raise UserError(
                f"native programs cannot run on {where}",
                errno=errno.ENOEXEC,
                hint='they take Linux and /dev/fuse there, and no context = "instrumented"',
            )
        raise UserError(
            f"there is no {wish.interpreter} on {where}",
            errno=errno.ENOENT,
            hint="install it there, or see who has it: cat /runtime/*/versions",
        )
    free = [x for x in with_interpreter if load[x.name] < AGENTS_MAX]
    if not free:
        raise NetworkError(
            f"all hosts that could run it have {AGENTS_MAX} agents", errno=errno.EAGAIN
        )
    return min(
        free,
        key=lambda x: (
            load[x.name] >= x.facts.cores * AGENTS_PER_CORE,
            x.name != home_host,
            load[x.name] / x.facts.cores,
            x.name,
        ),
    )


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
    raise UserError(
        f"on: {constraint!r} is no constraint",
        hint="host:NAME, tag:NAME, device:NAME or machine:KIND",
    )


def _runs(machine: str, program: str) -> bool:
    """Whether a kind of machine, as uname(1) names it, runs native programs for another."""
    if machine.startswith("armv"):
        machine = "arm"
    # Every x86-64 kernel of a distribution runs the programs of its predecessor.
    return machine == program or (machine, program) == ("x86_64", "i686")


def _unfulfilled(constraint: str, alive: list[t.Member]) -> UserError:
    kind, _, value = constraint.partition(":")
    names = ", ".join(member.name for member in alive)
    if kind == "host":
        return UserError(
            f"on {constraint}: host {value} is not up",
            errno=errno.EHOSTDOWN,
            hint=f"live hosts: {names}",
        )
    if kind == "machine":
        return UserError(
            f"native programs for {value} cannot run on any live host",
            errno=errno.ENOEXEC,
            hint="what each host runs: cat /runtime/*/versions",
        )
    return UserError(
        f"on {constraint}: no live host has that {kind}",
        errno=errno.ENOENT,
        hint=f"live hosts: {names}; their tags: cat /runtime/*/tags",
    )
