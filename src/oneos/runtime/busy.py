"""What the programs of this host that can move take of its processors, for the Scheduler."""

from __future__ import annotations

import asyncio
import os

from oneos.errors import OneOSError
from oneos.kernel import messages as m
from oneos.limits import BUSY_LOOK_S
from oneos.net.routes import Peer, Routes
from oneos.runtime.agents import Agents

_TICKS = os.sysconf("SC_CLK_TCK")


class Busy:
    """See the module.

    Args:
        agents: the programs of this host.
    """

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def serve(self, routes: Routes) -> None:
        """Answer `agent.busy`."""
        routes.add("agent.busy", self._on_busy, m.AskBusy)

    async def _on_busy(self, peer: Peer, asked: m.AskBusy) -> list[m.Busy]:
        before = self._used()
        await asyncio.sleep(BUSY_LOOK_S)
        after = self._used()
        return [
            m.Busy(pid, round((after[pid] - before[pid]) / BUSY_LOOK_S, 2))
            for pid in before.keys() & after.keys()
        ]

    def _used(self) -> dict[int, float]:
        """The processor seconds of each program that can move."""
        used = {}
        for pid in self._agents.pids():
            try:
                agent = self._agents.movable(pid)
                if not agent.standing:
                    used[pid] = _seconds(agent.os_pid)
            except (OneOSError, OSError, ValueError, IndexError):
                continue  # It cannot move, or has ended.
        return used


def _seconds(os_pid: int) -> float:
    with open(f"/proc/{os_pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
