"""Signals for the agents of this host, from any host; also for one that has no process yet."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Mapping

from oneos.errors import FileError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import CHILD_APPEAR_S
from oneos.net.routes import Peer, Routes
from oneos.runtime.agent import Agent
from oneos.runtime.descendants import Descendants
from oneos.runtime.preparing import HARMLESS
from oneos.runtime.terminals import Terminal
from oneos.state.pids import NO_BLOCK, block_of

log = logging.getLogger(__name__)


class Signals:
    """See the module.

    Args:
        host: this host.
        control: the process table.
        agents: those that run here, by their PIDs.
        descendants: what those start.
    """

    def __init__(
        self,
        host: HostName,
        control: ControlLog,
        agents: Mapping[int, Agent],
        descendants: Descendants,
    ) -> None:
        self._host = host
        self._control = control
        self._agents = agents
        self._descendants = descendants
        self._awaited: dict[int, asyncio.Event] = {}

    def serve(self, routes: Routes) -> None:
        """Answer `agent.signal`."""
        routes.add("agent.signal", self._on_signal, m.Signal)

    def entered(self, pid: int) -> None:
        """An agent has been entered."""
        if (waiting := self._awaited.pop(pid, None)) is not None:
            waiting.set()

    async def _on_signal(self, peer: Peer, message: m.Signal) -> None:
        await self.send_placed(message.pid, message.signal, message.group)

    async def send_placed(self, pid: int, number: int, group: bool) -> None:
        """Send a signal to an agent that the process table has here; as `send`.

        The table shows a program once it is placed, which is before its host starts it.
        """
        if pid not in self._agents and self._is_placed(pid):
            entered = self._awaited.setdefault(pid, asyncio.Event())
            try:
                await asyncio.wait_for(entered.wait(), CHILD_APPEAR_S)
            except TimeoutError:
                # Whoever was to launch it has died.
                self._awaited.pop(pid, None)
        self.send(pid, number, group)

    def _is_placed(self, pid: int) -> bool:
        if block_of(pid) != NO_BLOCK:
            # Its kernel alone knows it.
            return False
        state = self._control.state
        process = state.processes.get(pid)
        if process is None:
            # The sender's table may be ahead of this one.
            return pid >= state.next_pid
        return process.state == "running" and process.host == self._host

    def send(self, pid: int, number: int, group: bool = False) -> None:
        """Send a signal to an agent here, or to what one started; or to the process group that it
        leads, at a terminal to that of its job.

        One that has no OS process yet gets it when it has.

        Raises:
            FileError: ESRCH, it does not run here, or leads no group.
        """
        if block_of(pid) != NO_BLOCK:
            self._descendants.signal(pid, number, group)
            return
        agent = self._agents.get(pid)
        if agent is not None and agent.preparing is not None:
            # It has no process yet: it ends as that would by default, and is never stopped.
            if number and number not in HARMLESS:
                agent.signalled = number
                agent.preparing.cancel()
            return
        os_pid = agent.os_pid if agent is not None else 0
        if agent is not None and not os_pid and agent.is_starting:
            if number:
                agent.pending.add(number)
            return
        if agent is None or not os_pid:
            raise FileError(errno.ESRCH)
        if agent.standing and number:
            # It may be about to go on elsewhere, and this is to go with it.
            agent.pending.add(number)
            if number != signal.SIGKILL:
                return
        if group and agent.group:
            os.killpg(agent.group, number)
        elif group:
            if os.getpgid(os_pid) != os_pid:
                raise FileError(errno.ESRCH)
            os.killpg(os_pid, number)
        else:
            send(agent, os_pid, number)

    def stands_no_more(self, agent: Agent) -> None:
        """A program runs on here: it is sent what came for it while it stood."""
        agent.standing = False
        while agent.pending:
            number = agent.pending.pop()
            try:
                self.send(agent.start.pid, number)
            except (FileError, ProcessLookupError) as error:
                log.info("signal %d for program %d: %s", number, agent.start.pid, error)

    def pressed(self, terminal: Terminal, number: int) -> None:
        """A key signals the job in the foreground, also programs of it that have no process."""
        for agent in list(self._agents.values()):
            _, foreground = agent.job
            if agent.terminal is terminal and agent.preparing is not None and foreground:
                self.send(agent.start.pid, number)


def send(agent: Agent, os_pid: int, number: int) -> None:
    """Send a signal to an agent's process. Raises ProcessLookupError: it has ended."""
    if agent.watched is not None:
        # Its parent may have waited for it at any moment, and the number be another's.
        signal.pidfd_send_signal(agent.watched.pidfd, number)
    else:
        os.kill(os_pid, number)
