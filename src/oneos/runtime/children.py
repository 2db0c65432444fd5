"""What became of the programs that were launched from here: their statuses and last output.

The process table keeps the newest of all ended programs of the network, which may not be those
that somebody here still waits for. So the statuses of one's own are noted when the log brings
them, and kept until they are taken.
"""

from __future__ import annotations

import asyncio
import errno
from collections import OrderedDict

from oneos.errors import UserError
from oneos.kernel.control_log import ControlLog
from oneos.limits import CHILDREN_KEPT_MAX
from oneos.runtime.plumbing import Pump
from oneos.state import control_types as t
from oneos.state.processes import LOST_STATUS


class Children:
    """See the module."""

    def __init__(self, control: ControlLog) -> None:
        self._control = control
        self._statuses: OrderedDict[int, int | None] = OrderedDict()
        self._outputs: dict[int, set[Pump]] = {}
        self._stops: dict[int, int] = {}
        self._stop = asyncio.Event()
        control.watch(self._changed)

    def add(self, pids: list[int]) -> None:
        """Note programs that are in the process table."""
        for pid in pids:
            self._statuses[pid] = None
            self._look(pid)
        while len(self._statuses) > CHILDREN_KEPT_MAX:
            forgotten, _ = self._statuses.popitem(last=False)
            self._stops.pop(forgotten, None)

    def add_output(self, pid: int, pump: Pump) -> None:
        """Have `wait` for a program wait for this pump too."""
        pumps = self._outputs.setdefault(pid, set())
        pumps.add(pump)

        def done(ended: Pump) -> None:
            pumps.discard(ended)
            if not pumps and self._outputs.get(pid) is pumps:
                del self._outputs[pid]

        pump.add_done_callback(done)

    def drop_output(self, pid: int) -> None:
        """End the output of a program that did not start."""
        for pump in list(self._outputs.get(pid, ())):
            pump.cancel()

    def stopped(self, pid: int, number: int) -> None:
        """Note that a program was stopped by this signal; 0: it goes on."""
        self._stops.pop(pid, None)
        if number and pid in self._statuses and self._statuses[pid] is None:
            self._stops[pid] = number
            # Whoever waits looks; the next one waits for the next.
            self._stop.set()
            self._stop = asyncio.Event()

    def state(self, pid: int) -> int | None:
        """As `status`, and minus the signal where a program of a terminal is stopped."""
        status = self.status(pid)
        if status is None and (number := self._stops.get(pid)):
            return -number
        return status

    async def wait_or_stop(self, pids: list[int]) -> list[int | None]:
        """As `wait`, but also when one was stopped: minus the signal then, None for who runs."""
        ended = asyncio.ensure_future(self.wait(pids))
        try:
            while not ended.done():
                stop = asyncio.ensure_future(self._stop.wait())
                states = [self.state(pid) for pid in pids]
                if any(state is not None and state < 0 for state in states):
                    stop.cancel()
                    return states
                try:
                    await asyncio.wait((ended, stop), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    stop.cancel()
            return list(await ended)
        finally:
            ended.cancel()

    def status(self, pid: int) -> int | None:
        """A program's status, or None while it runs. Raises UserError(ECHILD)."""
        known = self._statuses.get(pid)
        if known is not None:
            return known
        process = self._control.state.processes.get(pid)
        if process is None:
            raise UserError(f"no process {pid}", errno=errno.ECHILD)
        return process.status

    async def wait(self, pids: list[int]) -> list[int]:
        """The statuses, when all have ended and their output has come through."""
        statuses: dict[int, int] = {}
        while True:
            for pid in pids:
                if pid not in statuses and (status := self.status(pid)) is not None:
                    statuses[pid] = status
            if len(statuses) == len(set(pids)):
                break
            await self._control.changed()
        for pid in pids:
            if pumps := list(self._outputs.get(pid, ())):
                await asyncio.wait(pumps)
        return [statuses[pid] for pid in pids]

    def _changed(self, command: t.Command, result: t.Result) -> None:
        if isinstance(command, t.Ended):
            for pid, _ in command.statuses:
                self._look(pid)
        elif isinstance(command, t.Arrive | t.Depart | t.DeclareDead):
            for number in self._statuses:
                self._look(number)

    def _look(self, pid: int) -> None:
        if self._statuses.get(pid, 0) is None:
            process = self._control.state.processes.get(pid)
            # One that ended with so many others that it is in the table no more was lost with
            # its host.
            self._statuses[pid] = LOST_STATUS if process is None else process.status
