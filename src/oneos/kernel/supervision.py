"""What waits: for a host that can run it, or to be started again; and what has to leave a host.

The table says what waits (`state/processes.py`). This looks whenever something has changed, places
what can be placed by records, and says of the rest why it waits. A program that ended by itself is
started again after a pause, doubled each time it comes back soon, and given up when its policy says
so; one whose host died, or is drained, goes elsewhere at once. Those of one group are placed again
together, once all of them wait. Pauses and windows are counted here
by the Scheduler's own clock, since the last Scheduler's says nothing to this host: a fail-over
gives a program a new chance.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from oneos.errors import OneOSError
from oneos.ids import Epoch, HostName, Pid
from oneos.kernel import demands, placement
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import RESTART_BACKOFF_MAX_S, RESTART_BACKOFF_S, SERVICE_RETRY_S
from oneos.state import control_types as t

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Record:
    """What a program that is started again has done so far."""

    ends: int
    due_s: float = 0.0
    times_s: deque[float] = field(default_factory=deque)


class Supervision:
    """See the module.

    Args:
        epoch: the Scheduler's.
        control: the process table, and where decisions are agreed on.
        rooms: the live hosts as they are now.
    """

    def __init__(
        self,
        epoch: Epoch,
        control: ControlLog,
        rooms: Callable[[], dict[HostName, demands.Room]],
    ) -> None:
        self._epoch = epoch
        self._control = control
        self._rooms = rooms
        self._records: dict[Pid, _Record] = {}
        # What another Scheduler has seen end is forgiven.
        self._seen = {pid: x.ends for pid, x in control.state.processes.items() if x.template}

    async def run(self) -> None:
        """Look, and wait for the next change, for ever."""
        while True:
            changed = asyncio.ensure_future(self._control.changed())
            try:
                pause_s = await self._look()
                await asyncio.wait((changed,), timeout=pause_s)
            except OneOSError as error:
                # Decided on old news, or the log is away: look again.
                log.info("supervision: %s", error)
                await asyncio.sleep(SERVICE_RETRY_S)
            finally:
                changed.cancel()

    async def _look(self) -> float | None:
        """Do what can be done now; how long until there is something to do without a change."""
        processes = self._control.state.processes
        for pid in self._records.keys() - processes.keys():
            del self._records[pid]
        groups: dict[Pid, list[t.Process]] = {}
        ending: set[Pid] = set()
        for process in list(processes.values()):
            if process.state == "waiting":
                groups.setdefault(process.group or process.pid, []).append(process)
            elif process.state == "running":
                if process.template is not None:
                    ending.add(process.group)
                await self._evict(process)
        now = asyncio.get_running_loop().time()
        pause_s: float | None = None
        for name, group in groups.items():
            due_s: float | None = now
            if group[0].template:
                if name in ending:
                    continue  # Not all of it has ended yet.
                due_s = await self._due_together(group, now)
            if due_s is None:
                continue
            if due_s > now:
                pause_s = min(pause_s or due_s - now, due_s - now)
                continue
            await self._place(group)
        return pause_s

    async def _evict(self, process: t.Process) -> None:
        member = self._control.state.members.get(process.host)
        template = process.template
        if (
            member is not None
            and member.draining
            and template is not None
            and template.policy.restart != "never"
            and not (process.moving or process.back)
        ):
            await self._control.submit(t.Evict(self._epoch, process.pid, process.attempt))

    async def _due_together(self, group: list[t.Process], now: float) -> float | None:
        """When to start a group again; None: it was given up."""
        latest_s = now
        for process in group:
            due_s = await self._due(process, now)
            if due_s is None:
                return None
            latest_s = max(latest_s, due_s)
        return latest_s

    async def _due(self, process: t.Process, now: float) -> float | None:
        """When to start a program again; None: it was given up."""
        assert process.template is not None
        record = self._records.setdefault(process.pid, _Record(self._seen.pop(process.pid, 0)))
        if process.ends == record.ends:
            return record.due_s
        record.ends = process.ends
        policy = process.template.policy
        while record.times_s and record.times_s[0] <= now - policy.window_s:
            record.times_s.popleft()
        if len(record.times_s) >= policy.restarts_max:
            status = process.last_status or 0
            reason = (
                f"given up: {process.reason}, started again {len(record.times_s)} times "
                f"within {policy.window_s:g} s"
            )
            await self._control.submit(
                t.Release(process.pid, process.attempt, status, reason, now_ns())
            )
            return None
        pause_s = RESTART_BACKOFF_S * 2.0 ** len(record.times_s)
        record.times_s.append(now)
        record.due_s = now + min(pause_s, RESTART_BACKOFF_MAX_S)
        return record.due_s

    async def _place(self, group: list[t.Process]) -> None:
        alive = self._rooms()
        group.sort(key=lambda process: process.pid)
        wishes = [
            placement.Wish(x.demands or t.Demands(""), follows=_follows(x, before))
            for before, x in zip([None, *group], group, strict=False)
        ]
        choices = placement.place(wishes, group[0].asker, alive)
        failed = [choice.failure for choice in choices if choice.failure is not None]
        if not failed:
            assigned = [
                t.Assigned(
                    process.pid,
                    process.attempt,
                    choice.host,
                    alive[choice.host].member.incarnation,
                    t.context_of(wish.demands.interpreter, alive[choice.host].member.facts.context),
                    choice.why,
                )
                for process, wish, choice in zip(group, wishes, choices, strict=True)
            ]
            await self._control.submit(t.Assign(self._epoch, assigned, now_ns()))
            return
        for process, choice in zip(group, choices, strict=True):
            reason = (choice.failure or failed[0]).message
            if process.reason != reason:
                await self._control.submit(
                    t.Postpone(self._epoch, process.pid, process.attempt, reason)
                )


def _follows(process: t.Process, before: t.Process | None) -> bool:
    """Whether a program reads what the one before it writes."""
    if before is None or before.template is None or process.template is None:
        return False
    begin = process.template.streams[0]
    return begin.kind == "pipe" and begin in before.template.streams[1:]
