"""Keeping the states of programs of this host in files of the tree, while they run on.

To have the states of several programs at one moment, all are made to stand first, and go on when
the last one stands: between the two nothing moves in the streams that join them. Who makes them
stand may die in between, so a program goes on by itself after a while; then its state is of no use,
and is not kept.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from msgspec.structs import replace

from oneos.errors import FileError, OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import SAFE_POINT_S, SNAPSHOT_HOLD_S
from oneos.net.routes import Peer, Routes
from oneos.runtime import saved
from oneos.runtime.agent import Agent
from oneos.runtime.agents import Agents
from oneos.runtime.luggage import Luggage, Porter, written_files
from oneos.runtime.process_facts import ProcessFacts, umask_of

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Standing:
    """A program that stands here; `agent` is None of one that has ended, whose output stands."""

    start: m.Start
    luggage: Luggage
    agent: Agent | None = None
    image: int = -1
    status: int | None = None
    sizes: dict[bytes, int] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


class Snapshots:
    """See the module.

    Args:
        host: this host.
        control: what is known of programs.
        agents: those of this host.
        facts: where they work.
        porter: takes off their descriptors.
        tree: where the files are.
        version: of this host's interpreter of a kind.
    """

    def __init__(
        self,
        host: HostName,
        control: ControlLog,
        agents: Agents,
        facts: ProcessFacts,
        porter: Porter,
        tree: Tree,
        version: Callable[[str], str],
    ) -> None:
        self._host = host
        self._control = control
        self._agents = agents
        self._facts = facts
        self._porter = porter
        self._tree = tree
        self._version = version
        self._standing: dict[tuple[int, str], _Standing] = {}
        self._ended: dict[int, m.Start] = {}

    def serve(self, routes: Routes) -> None:
        """Answer `snapshot.*`."""
        routes.add("snapshot.stand", self._on_stand, m.SnapshotStand, finish=True)
        routes.add("snapshot.keep", self._on_keep, m.SnapshotKeep, finish=True)

    async def load(self, path: bytes, caller: Caller) -> tuple[saved.Saved, int]:
        """As `saved.read`."""
        return await saved.read(self._tree, path, caller)

    def ended(self, start: m.Start) -> None:
        """A program has ended here: others of its group may go on from a state with it."""
        process = self._control.state.processes.get(start.pid)
        if process is not None and process.template is not None:
            self._ended[start.pid] = start

    def look(self) -> None:
        """Forget what nobody asks for any more; after a change of the process table."""
        for pid in list(self._ended):
            process = self._control.state.processes.get(pid)
            if process is None or process.template is None:
                del self._ended[pid]

    # --- standing -------------------------------------------------------------------------------
    async def _on_stand(self, peer: Peer, asked: m.SnapshotStand) -> None:
        process = self._control.state.processes.get(asked.pid)
        if process is None or process.attempt != asked.attempt or process.host != self._host:
            raise UserError(f"process {asked.pid} is elsewhere", errno=errno.ESTALE)
        if process.state == "ended":
            start = self._ended.get(asked.pid)
            if start is None or start.attempt != asked.attempt:
                raise UserError(f"process {asked.pid} did not end here", errno=errno.ESTALE)
            luggage = await self._porter.take_left(start)
            one = _Standing(start, luggage, status=process.status)
        else:
            one = await self._stand(process.pid)
        key = (asked.pid, asked.name)
        one.timer = asyncio.get_running_loop().call_later(
            SNAPSHOT_HOLD_S, self._stood_too_long, key
        )
        self._standing[key] = one

    def _stood_too_long(self, key: tuple[int, str]) -> None:
        if (one := self._standing.pop(key, None)) is not None:
            log.warning("process %d goes on by itself", key[0])
            self._go_on(one)
            if one.image >= 0:
                os.close(one.image)

    async def _stand(self, pid: int) -> _Standing:
        agent = self._agents.movable(pid)
        try:
            async with asyncio.timeout(SAFE_POINT_S):
                await agent.turn.acquire()
        except TimeoutError:
            raise UserError(f"process {pid} is about to move, or being started") from None
        image = -1
        try:
            if agent.moved or agent.over or agent.control is None:
                raise UserError(f"process {pid} is elsewhere, or has ended", errno=errno.ESTALE)
            agent.standing = True
            image = await agent.control.image(SAFE_POINT_S)
            try:
                # Before anything is taken off: from there on nothing may fail.
                sizes = await self._sizes(written_files(agent))
                luggage = await self._porter.take_off(agent, leaving=False)
            except BaseException:
                agent.control.say(b"S")
                raise
        except BaseException:
            if image >= 0:
                os.close(image)
            self._agents.signals.stands_no_more(agent)
            agent.turn.release()
            raise
        return _Standing(agent.start, luggage, agent, image, sizes=sizes)

    async def _sizes(self, paths: list[bytes]) -> dict[bytes, int]:
        """How long these files are by now; what is no file of the tree is left out."""
        sizes, caller = {}, Caller("root", os.getuid(), os.getgid())
        for path in paths:
            try:
                found = await self._tree.stat(path, caller)
            except OneOSError:
                continue
            if stat.S_ISREG(found.mode):
                sizes[path] = found.size
        return sizes

    async def fall_back(self, state: saved.Saved) -> None:
        """Have the files that a program wrote be as long as they were.

        Raises:
            FileError: one cannot be shortened.
        """
        caller = Caller("root", os.getuid(), os.getgid())
        for path, size in state.sizes.items():
            try:
                if (await self._tree.stat(path, caller)).size > size:
                    await self._tree.truncate(path, size, caller)
            except FileError as error:
                if error.errno != errno.ENOENT:
                    raise

    async def _sync(self, paths: Iterable[bytes]) -> None:
        """What a program wrote is to be there as long as its state is."""
        caller = Caller("root", os.getuid(), os.getgid())
        for path in paths:
            try:
                handle = await self._tree.open(path, os.O_WRONLY, 0, caller)
            except FileError as error:
                if error.errno != errno.ENOENT:
                    raise
                continue  # It has removed it since.
            try:
                await handle.sync()
            finally:
                await handle.close()

    def _go_on(self, one: _Standing) -> None:
        if one.timer is not None:
            one.timer.cancel()
        agent = one.agent
        if agent is None:
            one.luggage.fill_again()
            for carried in one.luggage.frozen:
                carried.thaw(stays=True)
            return
        self._porter.back(agent, one.luggage)
        if agent.control is not None:
            agent.control.say(b"S")
        self._agents.signals.stands_no_more(agent)
        agent.turn.release()

    # --- keeping --------------------------------------------------------------------------------
    async def _on_keep(self, peer: Peer, asked: m.SnapshotKeep) -> int:
        one = self._standing.pop((asked.pid, asked.name), None)
        if one is None:
            raise UserError(f"process {asked.pid} went on by itself", errno=errno.ETIMEDOUT)
        try:
            start = one.start
            try:
                if asked.path and one.agent is not None:
                    process = self._control.state.processes[start.pid]
                    cwd = (await self._facts.ask(process)).cwd
                    start = replace(start, cwd=cwd, umask=umask_of(one.agent.os_pid))
            finally:
                self._go_on(one)
            files = one.agent.control.files if one.agent and one.agent.control else []
            if not asked.path:
                return 0
            await self._sync(one.sizes)
            kept = saved.Saved(
                replace(start, ends=one.luggage.ends, image=b"", kept=[]),
                one.luggage.kept,
                self._version(start.interpreter),
                one.status,
                files,
                one.sizes,
            )
            caller = Caller(asked.user, os.getuid(), os.getgid())
            return await saved.write(self._tree, asked.path, caller, kept, one.image)
        finally:
            if one.image >= 0:
                os.close(one.image)
