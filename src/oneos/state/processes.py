"""The rules of the process table, as part of the control state machine (`control.py`).

A program waits, runs or has ended. Who asked for it launches it, unless the table has a template of
it: then the host does where the log places it, and the policy decides what follows when it ends or
its host dies: under the same PID it waits for its next attempt. Each attempt has a number, by which
decisions on an older one are refused. Programs that are joined by pipes fall back together: to the
last moment of which all their states were kept, or to their beginning. Pure, as all that the log
decides.
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
    if process.back:
        return t.refuse(errno.EBUSY, f"process {c.pid} ends already")
    s.processes[c.pid] = replace(process, moving=True)
    return t.Result()


def move(s: ControlState, c: t.Move) -> t.Result:
    """Begin to have a program go to another host with its state."""
    process = _decided_on(s, c)
    if process is None:
        return t.refuse(errno.ESTALE, f"process {c.pid} is no longer what it was")
    if process.target or process.moving or process.back:
        return t.refuse(errno.EBUSY, f"process {c.pid} is moving already")
    if not _is_up(s, c.host, c.incarnation):
        return t.refuse(errno.ESTALE, f"{c.host} is no longer what it was")
    if process.host == c.host:
        return t.refuse(errno.EEXIST, f"process {c.pid} is on {c.host}")
    s.processes[c.pid] = replace(
        process, target=c.host, target_incarnation=c.incarnation, wait_s=c.wait_s
    )
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


def checkpointed(s: ControlState, c: t.Checkpointed) -> t.Result:
    """From here on the programs of a group fall back to this, and to nothing before."""
    found = [s.processes.get(pid) for pid, _ in c.programs]
    for process, (pid, attempt) in zip(found, c.programs, strict=True):
        if (
            process is None
            or process.template is None
            or process.attempt != attempt
            or process.state not in ("running", "ended")
            or process.back
        ):
            return t.refuse(errno.ESTALE, f"process {pid} is no longer what it was")
    together = _group(s, found[0]) if found and found[0] is not None else []
    if not together or {process.pid for process in together} != {pid for pid, _ in c.programs}:
        return t.refuse(errno.EINVAL, "a checkpoint is of a whole group")
    for process in together:
        s.processes[process.pid] = replace(process, checkpoint=c.checkpoint)
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
    for one in _group(s, process) or [process]:
        # Without it the others of its group can never be started again.
        if one.state == "waiting":
            _end(s, one, c.status, c.now_ns, c.reason)
        elif one.state == "running" and one.template is not None:
            never = replace(one.template, policy=t.Policy())
            s.processes[one.pid] = replace(
                one, template=never, moving=False, back=False, reason=c.reason
            )
    return t.Result()


def ended(s: ControlState, c: t.Ended) -> t.Result:
    """Programs of a host have ended: they stay so, or wait to be started again."""
    for at, (pid, status) in enumerate(c.statuses):
        process = s.processes.get(pid)
        if process is None or not _runs_at(process, c.host, c.incarnation):
            continue
        if c.attempts and c.attempts[at] != process.attempt:
            continue
        if process.back:
            _wait(s, process, status, process.reason, ends=0)
        elif process.moving:
            _fall_back(s, process, status, f"{process.host} is drained", ends=0)
        elif _has_failed(s, process, status):
            _fall_back(s, process, status, f"ended with {status}", ends=1)
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
    for pid in list(s.processes):
        process = s.processes.get(pid)
        if process is None:
            continue  # Too many have ended.
        here = (process.host, process.incarnation) == (host, incarnation)
        if here and process.state != "waiting" and (process.back or _restarts(process)):
            # One that has ended was still giving what it wrote to the next.
            _fall_back(s, process, LOST_STATUS, reason, ends=0)
        elif _runs_at(process, host, incarnation):
            _end(s, process, LOST_STATUS, now_ns, reason)
        elif (process.target, process.target_incarnation) == (host, incarnation):
            s.processes[process.pid] = _still(process, reason)
        elif (
            process.state == "waiting"
            and process.template is None
            and (process.asker, process.asker_incarnation) == (host, incarnation)
        ):
            _end(s, process, LOST_STATUS, now_ns, reason)


def _group(s: ControlState, process: t.Process) -> list[t.Process]:
    """Those that fall back together with a program, itself among them."""
    if process.template is None:
        return []
    return [
        one
        for one in s.processes.values()
        if one.template is not None and one.group == process.group
    ]


def _has_failed(s: ControlState, process: t.Process, status: int) -> bool:
    """Whether a program that has ended by itself is to be started again."""
    policy = process.template.policy if process.template else t.Policy()
    others = [one for one in _group(s, process) if one.pid != process.pid]
    if others and status == _READER_GONE:
        status = 0  # It has done its part.
    if policy.restart == "always" and all(one.state == "ended" for one in others):
        return True
    return policy.restart != "never" and status != 0


_READER_GONE = 128 + 13


def _fall_back(s: ControlState, process: t.Process, status: int, reason: str, ends: int) -> None:
    """A program goes on from its checkpoint, and with it all that it is joined to."""
    through = status == 0 and not process.moving
    _wait(s, process, status, reason, ends)
    for one in _group(s, process):
        now = s.processes[one.pid]
        if one.pid != process.pid and one.state == "running":
            now = replace(one, back=True, moving=False, reason=f"{process.pid} fell back: {reason}")
        elif one.state == "ended":
            _wait(s, one, one.status or 0, f"{process.pid} fell back: {reason}", ends=0)
            now = s.processes[one.pid]
        # One that is always to run, and came to its end, has nothing to go on from.
        checkpoint = "" if through else now.checkpoint
        s.processes[one.pid] = replace(now, round=now.round + 1, checkpoint=checkpoint)


def _wait(s: ControlState, process: t.Process, status: int, reason: str, ends: int) -> None:
    s.processes[process.pid] = replace(
        process,
        state="waiting",
        status=None,
        reason=reason,
        last_status=status,
        ends=process.ends + ends,
        moving=False,
        back=False,
        target=HostName(""),
        target_incarnation=Incarnation(0),
        why=[],
    )


def _end(s: ControlState, process: t.Process, status: int, now_ns: int, reason: str) -> None:
    # Taken out and put in again, so that the table's order is the order of ending. What it was
    # started from is needed no more, unless others of its group may take it back with them.
    others = [one for one in _group(s, process) if one.pid != process.pid]
    last = all(one.state == "ended" for one in others)
    del s.processes[process.pid]
    s.processes[process.pid] = replace(
        process,
        state="ended",
        status=status,
        ended_ns=now_ns,
        reason=reason,
        template=None if last else process.template,
        demands=None if last else process.demands,
        target=HostName(""),
        target_incarnation=Incarnation(0),
        moving=False,
        back=False,
    )
    if last:
        for one in others:
            s.processes[one.pid] = replace(one, template=None, demands=None)
    old = [p.pid for p in s.processes.values() if p.state == "ended" and p.template is None]
    for pid in old[: max(0, len(old) - EXITED_KEPT_MAX)]:
        del s.processes[pid]


def _decided_on(s: ControlState, c: t.Evict | t.Move) -> t.Process | None:
    """The program that the Scheduler decided on, if it still runs as it did then."""
    process = s.processes.get(c.pid)
    if process is None or process.state != "running" or process.attempt != c.attempt:
        return None
    return process if _from_scheduler(s, c.epoch) else None


def _restarts(process: t.Process) -> bool:
    policy = process.template.policy if process.template is not None else t.Policy()
    return policy.restart != "never" or policy.checkpoint_s > 0


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
