"""The rules of the process table, as part of the control state machine (`control.py`).

A program waits, runs or has ended. Who asked for it launches it, unless the table has a template of
it: then the host does where the log places it, and the policy decides what follows when it ends or
its host dies: under the same PID it waits for its next attempt. Each attempt has a number, by which
decisions on an older one are refused. Pure, as all that the log decides.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from msgspec.structs import replace

from oneos.ids import HostName, Incarnation, Pid
from oneos.limits import EXITED_KEPT_MAX, TEMPLATES_MAX
from oneos.state import control_types as t
from oneos.state import pids

if TYPE_CHECKING:
    from oneos.state.control import ControlState

LOST_STATUS = 128 + 9
"""Status of a program whose host died: as if it had been killed, since it was."""


def spawn(s: ControlState, c: t.Spawn) -> t.Result:
    """Enter programs, those without a host as waiting; answers their PIDs."""
    if not _from_scheduler(s, c.epoch):
        return t.refuse(errno.ESTALE, "the Scheduler has moved")
    for program in c.programs:
        if program.host and not _is_up(s, program.host, program.incarnation):
            return t.refuse(errno.ESTALE, f"{program.host} is no longer what it was")
    kept = sum(1 for p in s.processes.values() if p.template and p.state != "ended")
    if kept + sum(1 for program in c.programs if program.template) > TEMPLATES_MAX:
        return t.refuse(errno.EAGAIN, f"the network restarts {TEMPLATES_MAX} programs already")
    given: list[int] = []
    for program in c.programs:
        pid = Pid(pids.next_free(s.next_pid, s.processes) if c.bounded else s.next_pid)
        s.next_pid = pid + 1
        given.append(pid)
        waits = not program.host
        s.processes[pid] = t.Process(
            pid,
            c.ppid,
            c.sid,
            c.user,
            program.host,
            program.incarnation,
            program.argv,
            program.cwd,
            c.now_ns,
            state="waiting" if waits else "running",
            reason="; ".join(program.why) if waits else "",
            context=program.context,
            demands=program.demands,
            template=program.template,
            attempt=0 if waits else 1,
            why=[] if waits else program.why,
            group=Pid(given[0]),
            asker=c.asker,
            asker_incarnation=c.asker_incarnation,
        )
    return t.Result(value=given)


def assign(s: ControlState, c: t.Assign) -> t.Result:
    """Place programs that wait, all or none."""
    if not _from_scheduler(s, c.epoch):
        return t.refuse(errno.ESTALE, "the Scheduler has moved")
    for one in c.programs:
        process = s.processes.get(one.pid)
        if process is None or process.state != "waiting" or process.attempt != one.attempt:
            return t.refuse(errno.ESTALE, f"process {one.pid} no longer waits for that")
        if not _is_up(s, one.host, one.incarnation):
            return t.refuse(errno.ESTALE, f"{one.host} is no longer what it was")
    for one in c.programs:
        s.processes[one.pid] = replace(
            s.processes[one.pid],
            state="running",
            reason="",
            host=one.host,
            incarnation=one.incarnation,
            context=one.context,
            attempt=one.attempt + 1,
            why=one.why,
            started_ns=c.now_ns,
        )
    return t.Result()


def postpone(s: ControlState, c: t.Postpone) -> t.Result:
    """Note why a program waits."""
    process = s.processes.get(c.pid)
    if not _from_scheduler(s, c.epoch) or process is None or process.state != "waiting":
        return t.refuse(errno.ESTALE, f"process {c.pid} does not wait")
    if process.attempt != c.attempt:
        return t.refuse(errno.ESTALE, f"process {c.pid} was placed meanwhile")
    s.processes[c.pid] = replace(process, reason=c.reason)
    return t.Result()


def evict(s: ControlState, c: t.Evict) -> t.Result:
    """Have a program end here, to be started elsewhere."""
    process = _decided_on(s, c)
    if process is None:
        return t.refuse(errno.ESTALE, f"process {c.pid} is no longer what it was")
    if not _restarts(process):
        return t.refuse(errno.EINVAL, f"process {c.pid} cannot be started anew")
    s.processes[c.pid] = replace(process, moving=True)
    return t.Result()


def move(s: ControlState, c: t.Move) -> t.Result:
    """Begin to have a program go to another host with its state."""
    process = _decided_on(s, c)
    if process is None:
        return t.refuse(errno.ESTALE, f"process {c.pid} is no longer what it was")
    if process.target or process.moving:
        return t.refuse(errno.EBUSY, f"process {c.pid} is moving already")
    if not _is_up(s, c.host, c.incarnation):
        return t.refuse(errno.ESTALE, f"{c.host} is no longer what it was")
    if process.host == c.host:
        return t.refuse(errno.EEXIST, f"process {c.pid} is on {c.host}")
    s.processes[c.pid] = replace(process, target=c.host, target_incarnation=c.incarnation)
    return t.Result()


def moved(s: ControlState, c: t.Moved) -> t.Result:
    """A program runs at its target from here on."""
    process = s.processes.get(c.pid)
    if (
        process is None
        or process.state != "running"
        or process.attempt != c.attempt
        or (process.target, process.target_incarnation) != (c.host, c.incarnation)
    ):
        return t.refuse(errno.ESTALE, f"process {c.pid} does not move to {c.host} any more")
    s.processes[c.pid] = replace(
        process,
        host=c.host,
        incarnation=c.incarnation,
        context=c.context,
        attempt=c.attempt + 1,
        target=HostName(""),
        target_incarnation=Incarnation(0),
        reason="",
        why=[f"on {c.host}: it was moved there from {process.host}"],
    )
    return t.Result()


def stayed(s: ControlState, c: t.Stayed) -> t.Result:
    """A program stays where it is."""
    process = s.processes.get(c.pid)
    if process is None or process.attempt != c.attempt or not process.target:
        return t.refuse(errno.ESTALE, f"process {c.pid} does not move any more")
    s.processes[c.pid] = _still(process, c.reason)
    return t.Result()


def _still(process: t.Process, reason: str) -> t.Process:
    return replace(process, target=HostName(""), target_incarnation=Incarnation(0), reason=reason)


def release(s: ControlState, c: t.Release) -> t.Result:
    """Start a program never again; one that waits has ended."""
    process = s.processes.get(c.pid)
    if process is None or process.state == "ended":
        return t.refuse(errno.ESRCH, f"process {c.pid} has ended")
    if c.attempt not in (-1, process.attempt):
        return t.refuse(errno.ESTALE, f"process {c.pid} was placed meanwhile")
    if process.state == "waiting":
        _end(s, process, c.status, c.now_ns, c.reason)
    elif process.template is not None:
        never = replace(process.template, policy=t.Policy())
        s.processes[c.pid] = replace(process, template=never, moving=False, reason=c.reason)
    return t.Result()


def ended(s: ControlState, c: t.Ended) -> t.Result:
    """Programs of a host have ended: they stay so, or wait to be started again."""
    for at, (pid, status) in enumerate(c.statuses):
        process = s.processes.get(pid)
        if process is None or not _runs_at(process, c.host, c.incarnation):
            continue
        if c.attempts and c.attempts[at] != process.attempt:
            continue
        policy = process.template.policy if process.template else t.Policy()
        if process.moving:
            _wait(s, process, status, f"{process.host} is drained", ends=0)
        elif policy.restart == "always" or (policy.restart == "on-failure" and status):
            _wait(s, process, status, f"ended with {status}", ends=1)
        else:
            _end(s, process, status, c.now_ns, process.reason)
    return t.Result()


def become(s: ControlState, c: t.Become) -> t.Result:
    """A program is another one now, under its PID."""
    process = s.processes.get(c.pid)
    if process is None or not _runs_at(process, c.host, c.incarnation):
        return t.refuse(errno.ESRCH, f"no process {c.pid} runs on {c.host}")
    s.processes[c.pid] = replace(process, argv=c.argv, cwd=c.cwd)
    return t.Result()


def host_gone(
    s: ControlState, host: str, incarnation: Incarnation, now_ns: int, reason: str
) -> None:
    """What ran on a host has ended, or waits for another; what it was to launch never starts."""
    for process in list(s.processes.values()):
        if _runs_at(process, host, incarnation):
            if _restarts(process):
                _wait(s, process, LOST_STATUS, reason, ends=0)
            else:
                _end(s, process, LOST_STATUS, now_ns, reason)
        elif (process.target, process.target_incarnation) == (host, incarnation):
            s.processes[process.pid] = _still(process, reason)
        elif (
            process.state == "waiting"
            and process.template is None
            and (process.asker, process.asker_incarnation) == (host, incarnation)
        ):
            _end(s, process, LOST_STATUS, now_ns, reason)


def _wait(s: ControlState, process: t.Process, status: int, reason: str, ends: int) -> None:
    s.processes[process.pid] = replace(
        process,
        state="waiting",
        reason=reason,
        last_status=status,
        ends=process.ends + ends,
        moving=False,
        target=HostName(""),
        target_incarnation=Incarnation(0),
        why=[],
    )


def _end(s: ControlState, process: t.Process, status: int, now_ns: int, reason: str) -> None:
    # Taken out and put in again, so that the table's order is the order of ending. What it was
    # started from is needed no more.
    del s.processes[process.pid]
    s.processes[process.pid] = replace(
        process,
        state="ended",
        status=status,
        ended_ns=now_ns,
        reason=reason,
        template=None,
        demands=None,
        target=HostName(""),
        target_incarnation=Incarnation(0),
    )
    old = [p.pid for p in s.processes.values() if p.state == "ended"]
    for pid in old[: max(0, len(old) - EXITED_KEPT_MAX)]:
        del s.processes[pid]


def _decided_on(s: ControlState, c: t.Evict | t.Move) -> t.Process | None:
    """The program that the Scheduler decided on, if it still runs as it did then."""
    process = s.processes.get(c.pid)
    if process is None or process.state != "running" or process.attempt != c.attempt:
        return None
    return process if _from_scheduler(s, c.epoch) else None


def _restarts(process: t.Process) -> bool:
    return process.template is not None and process.template.policy.restart != "never"


def _runs_at(process: t.Process, host: str, incarnation: Incarnation) -> bool:
    return process.state == "running" and (process.host, process.incarnation) == (
        host,
        incarnation,
    )


def _from_scheduler(s: ControlState, epoch: int) -> bool:
    placed = s.placements.get("scheduler")
    return placed is not None and placed.epoch == epoch


def _is_up(s: ControlState, host: HostName, incarnation: Incarnation) -> bool:
    member = s.members.get(host)
    return member is not None and member.state == "alive" and member.incarnation == incarnation
