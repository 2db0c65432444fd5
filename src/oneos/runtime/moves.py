"""Moving a running program to another host with its state: both hosts' parts.

The log says that a program is on its way to a host. Its own host has it stand, takes its image and
its streams (`luggage.py`), and sends all to the target, which makes a process of it and says in the
log that it is there. That record decides: from it on the program runs there, and its old process
ends without a further instruction. If anything fails before, a record says that it stays, and it
runs on where it was; of the two records the first counts. So it never runs twice, and never not.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable

from msgspec.structs import replace

from oneos.errors import NetworkError, OneOSError, UserError
from oneos.ids import HostName, Incarnation, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import MOVE_S, SAFE_POINT_S, SERVICE_RETRY_S
from oneos.net.links import Links
from oneos.net.pump import Ended
from oneos.net.routes import Peer, Routes
from oneos.net.streams import new_stream_id
from oneos.runtime.agent import Agent
from oneos.runtime.agents import Agents
from oneos.runtime.luggage import Luggage, Porter, widen
from oneos.runtime.plumbing import Plumbing
from oneos.runtime.process_facts import ProcessFacts, umask_of
from oneos.state import control_types as t

log = logging.getLogger(__name__)


class Moves:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run.
        control: where it is decided.
        agents: the programs of this host.
        facts: where they work.
        plumbing: the streams, one of which carries the image.
        porter: takes off their descriptors.
        links: to the other host.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        control: ControlLog,
        agents: Agents,
        facts: ProcessFacts,
        plumbing: Plumbing,
        porter: Porter,
        links: Links,
    ) -> None:
        self._host = host
        self._incarnation = incarnation
        self._control = control
        self._agents = agents
        self._facts = facts
        self._plumbing = plumbing
        self._porter = porter
        self._links = links
        self._begun: dict[int, int] = {}

    def serve(self, routes: Routes) -> None:
        """Answer `move.take`."""
        routes.add("move.take", self._on_take, m.MoveTake, finish=True)

    def look(self) -> None:
        """Begin what the table says by now; it must be called after each change of it."""
        processes = self._control.state.processes
        for pid in self._begun.keys() - processes.keys():
            del self._begun[pid]
        for process in processes.values():
            if (
                process.target
                and (process.host, process.incarnation) == (self._host, self._incarnation())
                and self._begun.get(process.pid) != process.attempt
            ):
                self._begun[process.pid] = process.attempt
                self._agents.start_task(self._leave(process), f"move of {process.pid}")

    # --- where it was ---------------------------------------------------------------------------
    async def _leave(self, process: t.Process) -> None:
        try:
            agent = self._agents.movable(process.pid)
        except OneOSError as error:
            await self._stays(process, error.message)
            await self._pass_on(self._agents.get(process.pid), self._host)
            await self._decided(process)
            self._end(process)
            return
        async with agent.turn:
            await self._leave_now(process, agent)

    async def _leave_now(self, process: t.Process, agent: Agent) -> None:
        try:
            agent.standing = True
            widen(agent.os_pid)
            image = (
                await agent.control.image(process.wait_s or SAFE_POINT_S) if agent.control else -1
            )
        except OneOSError as error:
            await self._stays(process, error.message)
            await self._pass_on(agent, self._host)
            await self._decided(process)
            self._end(process)
            return
        luggage: Luggage | None = None
        try:
            luggage = await self._porter.take_off(agent)
            await self._send(process, agent, image, luggage)
        except OneOSError as error:
            await self._stays(process, error.message)
        except Exception as error:
            # Whatever it is: a program that stands and is not decided on would stand for ever.
            log.info("the move of program %d failed", process.pid, exc_info=error)
            await self._stays(process, str(error) or type(error).__name__)
        finally:
            os.close(image)
        await self._settle(process, agent, luggage)

    async def _send(self, process: t.Process, agent: Agent, image: int, luggage: Luggage) -> None:
        key = new_stream_id()
        facts = await self._facts.ask(process)
        start = replace(
            agent.start,
            ends=luggage.ends,
            attempt=process.attempt + 1,
            cwd=facts.cwd,
            umask=umask_of(agent.os_pid),
        )
        # From its start: the program has written it by a descriptor of its own.
        fd = os.open(f"/proc/self/fd/{image}", os.O_RDONLY | os.O_CLOEXEC)
        pump = self._plumbing.send(fd, process.target, key)
        try:
            take = m.MoveTake(
                start,
                process.attempt,
                key,
                luggage.kept,
                agent.control.files if agent.control else [],
            )
            await self._links.call(process.target, "move.take", take, None, timeout_s=MOVE_S)
        finally:
            pump.cancel()

    async def _stays(self, process: t.Process, reason: str) -> None:
        log.info("program %d stays: %s", process.pid, reason)
        while self._is_undecided(process):
            try:
                await self._control.submit(
                    t.Stayed(process.pid, process.attempt, f"it did not move: {reason}")
                )
            except OneOSError as error:
                if error.errno == errno.ESTALE:
                    return  # It is decided already.
                # Not known is not decided: nobody else ends this.
                log.info("program %d: %s; trying again", process.pid, error)
                await asyncio.sleep(SERVICE_RETRY_S)

    def _is_undecided(self, process: t.Process) -> bool:
        now = self._control.state.processes.get(process.pid)
        return now is not None and now.attempt == process.attempt and now.target != ""

    async def _settle(self, process: t.Process, agent: Agent, luggage: Luggage | None) -> None:
        """Do what was decided."""
        await self._decided(process)
        now = self._control.state.processes.get(process.pid)
        # It may have ended there by now, and even be forgotten: in no case it runs on here.
        moved = now is None or now.attempt > process.attempt
        there = now.host if now is not None else process.target
        if moved:
            agent.moved = True
            if luggage is not None:
                self._porter.arrived(agent, luggage, there)
        elif luggage is not None:
            self._porter.back(agent, luggage)
        if agent.control is not None:
            agent.control.say(b"G" if moved else b"S")
        await self._pass_on(agent, there if moved else self._host)
        if not moved:
            self._end(process)

    async def _decided(self, process: t.Process) -> None:
        while self._is_undecided(process):
            await self._control.changed()

    def _end(self, process: t.Process) -> None:
        """It stays: it may be sent on its way again, and perhaps was meanwhile."""
        self._begun.pop(process.pid, None)
        self.look()

    async def _pass_on(self, agent: Agent | None, host: HostName) -> None:
        """Give a program the signals that came for it while it stood, wherever it is now."""
        if agent is None:
            return
        if host == self._host:
            self._agents.signals.stands_no_more(agent)
            return
        agent.standing = False
        while agent.pending:
            number = agent.pending.pop()
            try:
                signal = m.Signal(agent.start.pid, number, False)
                await self._links.call(host, "agent.signal", signal, None)
            except (OneOSError, OSError) as error:
                log.info("signal %d for program %d: %s", number, agent.start.pid, error)

    # --- where it goes --------------------------------------------------------------------------
    async def _on_take(self, peer: Peer, take: m.MoveTake) -> None:
        assert peer.host is not None
        image = os.memfd_create("image", os.MFD_CLOEXEC)
        try:
            pump = self._plumbing.receive(peer.host, take.stream, os.dup(image))
            result = await pump
            if result is None or result.ended is not Ended.EOF:
                raise NetworkError("the image has not come whole")
            await self._agents.take_in(take, image, peer.host, lambda: self._claim(take))
        finally:
            os.close(image)

    async def _claim(self, take: m.MoveTake) -> None:
        """Have the log say that the program is here. Raises OneOSError: it is not to be."""
        start = take.start
        command = t.Moved(
            self._host,
            self._incarnation(),
            Pid(start.pid),
            take.attempt,
            self._agents.context_of(start.interpreter),
            now_ns(),
        )
        try:
            await self._control.submit(command)
        except OneOSError as error:
            # Unknown is not no: the table says whether it was written down.
            await self._control.barrier()
            now = self._control.state.processes.get(start.pid)
            here = (self._host, take.attempt + 1)
            if now is None or (now.host, now.attempt) != here:
                raise UserError(error.message, errno=error.errno) from error
