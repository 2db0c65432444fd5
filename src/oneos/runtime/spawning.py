"""The ways in which an agent's program is started on its host.

A Python program is a fork of a warm interpreter where it may be, in the name space and outside; at
a terminal, all are started through the leader of the session; the rest the first process of the
name space starts, or the kernel. Which it is, nobody can tell from the program.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from oneos.errors import NetworkError, UserError
from oneos.limits import RESTORE_LOOK_S, RESTORE_START_S
from oneos.runtime import movable_node
from oneos.runtime.agent import Agent
from oneos.runtime.control_socket import Control
from oneos.runtime.execution import Execution
from oneos.runtime.forker import Forked
from oneos.runtime.inner import Inners, Site
from oneos.runtime.leader import Leader
from oneos.runtime.movable import Movable, told
from oneos.runtime.namespace import NameSpace
from oneos.runtime.warmth import Warmth, kind_of

MOVABLE = ("python", "node")
"""The interpreters whose programs can move."""


class Spawning:
    """See the module.

    Args:
        execution: what is executed.
        namespace: where native programs are started.
        admit: raises what keeps an agent from starting.
        note: told of an agent and its PID on this host, before the program runs where it can be.
        watch: follows an agent to its end; told of what is no child of the Runtime.
    """

    def __init__(
        self,
        execution: Execution,
        namespace: NameSpace,
        admit: Callable[[], None],
        note: Callable[[Agent, int], None],
        watch: Callable[[Agent, Forked | None], None],
    ) -> None:
        self._execution = execution
        self._namespace = namespace
        self._admit = admit
        self._note = note
        self._watch = watch
        self._warmth = Warmth()
        self.movable = Movable()
        self.seed = 1
        """Of the hashes of strings; the same on all hosts of a network."""
        self.inners = Inners(self.movable, lambda: self.seed)

    async def close(self) -> None:
        """End the warm interpreters; what they forked is to have ended before."""
        await self._warmth.close()
        await self.inners.close()

    async def spawn(self, agent: Agent, fds: dict[int, int]) -> None:
        """Start an agent's program, in the quickest way that there is for it.

        Args:
            fds: its standard descriptors.

        Raises:
            OneOSError, OSError: it could not be started.
        """
        start = agent.start
        inside = self._execution.inside(start)
        if inside is not None and agent.terminal is None:
            await self._spawn_inside(agent, inside, fds)
            return
        if inside is not None:
            if await self._spawn_inside_at(agent, inside, fds):
                return
            self._admit()
        argv, given = self._execution.command(agent)
        environment = {b"PATH": os.fsencode(os.environ.get("PATH", os.defpath)), **given}
        warm = start.interpreter == "python" and inside is None
        if agent.terminal is not None:
            if await self._spawn_at(agent, argv, environment, fds, warm):
                return
            self._admit()
        elif warm:
            if await self._spawn_warm(agent, argv, environment, fds):
                return
            self._admit()
        self._execute(agent, argv, environment, fds)

    def _note_admitted(self, agent: Agent, os_pid: int) -> None:
        # This host may have begun to stop while somebody was asked to start the program.
        self._admit()
        self._note(agent, os_pid)

    async def _spawn_inside(
        self, agent: Agent, arguments: Sequence[bytes], fds: dict[int, int]
    ) -> None:
        environment = self._execution.environment_inside(agent)
        standard = [fds[0], fds[1], fds[2]]
        starter = self._namespace.starter

        async def execute(
            argv: Sequence[bytes], environment: Mapping[bytes, bytes], fds: Sequence[int]
        ) -> Forked:
            return await self._namespace.start(0, b"/", 0o022, [], argv, environment, fds)

        async def adopt(pid: int, os_pid: int) -> int:
            await starter.keep(pid)
            return 0

        note = partial(self._note_admitted, agent)
        site = Site(starter, starter, execute, adopt, by_own=True)
        forked = await self._fork_inside(agent, site, arguments, environment, standard, note)
        if forked is not None:
            agent.watched = forked.watched
        else:
            forked = await self._start_inside(agent, arguments, environment, standard)
            agent.watched = forked.watched
            if agent.os_pid:
                self._note(agent, agent.os_pid)
        self._watch(agent, forked)

    async def _start_inside(
        self,
        agent: Agent,
        arguments: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
    ) -> Forked:
        """Start a program of the name space cold; one of Node in such a way that it can move."""
        start = agent.start
        if start.interpreter != "node" or movable_node.why_not(start.arguments, environment):
            return await self._namespace.start(
                start.pid, start.cwd, start.umask, start.ignored, arguments, environment, fds
            )
        files = [*agent.files, *agent.standard.files]
        with movable_node.hand(arguments, agent.image, files) as handed:
            try:
                forked = await self._namespace.start(
                    start.pid,
                    start.cwd,
                    start.umask,
                    start.ignored,
                    handed.argv,
                    environment,
                    [*fds, *handed.fds],
                    handed.files,
                )
            except BaseException:
                handed.control.close()
                raise
        agent.control = handed.control
        return forked

    def why_not(self, agent: Agent) -> str:
        """Why a program was started as one that cannot move."""
        if agent.start.interpreter == "node":
            environment = self._execution.environment_inside(agent)
            return movable_node.why_not(agent.start.arguments, environment)
        return self.movable.reason or "it was the first here, which starts cold"

    async def _fork_inside(
        self,
        agent: Agent,
        site: Site,
        arguments: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        note: Callable[[int], None],
    ) -> Forked | None:
        """Start a Python program of the name space warm; None: it has to start cold."""
        start = agent.start
        if start.interpreter != "python" or start.ignored:
            return None
        pid = start.pid if self._namespace.proc() >= 0 else 0
        must = agent.image >= 0 or start.moves
        until_s = asyncio.get_running_loop().time() + RESTORE_START_S
        if must:
            await asyncio.wait_for(self.movable.known.wait(), RESTORE_START_S)
        if self.movable.extension < 0:
            if must:
                raise UserError(self.movable.reason)
            return await self.inners.start(
                site, pid, start.cwd, arguments, environment, fds, start.umask, note
            )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        more = [theirs.fileno()]
        if agent.image >= 0:
            more += [agent.image, self.movable.package]
        with theirs:
            forked = None
            while forked is None:
                forked = await self.inners.start(
                    site,
                    pid,
                    start.cwd,
                    arguments,
                    environment,
                    fds,
                    start.umask,
                    note,
                    more,
                    [told(file) for file in agent.standard.files],
                )
                if forked is None and not must:
                    break
                if forked is None and asyncio.get_running_loop().time() > until_s:
                    raise UserError("no interpreter became ready for it")
                if forked is None:
                    await asyncio.sleep(RESTORE_LOOK_S)
        if forked is None:
            ours.close()
            return None
        agent.control = Control(ours, self.movable.package)
        return forked

    async def _spawn_warm(
        self,
        agent: Agent,
        argv: Sequence[str | bytes],
        environment: dict[bytes, bytes],
        fds: dict[int, int],
    ) -> bool:
        note = partial(self._note_admitted, agent)
        words = [os.fsencode(word) for word in argv]
        standard = [fds[0], fds[1], fds[2]]
        warm = await self._warmth.start(
            words, agent.start.env, environment, standard, agent.start.umask, note
        )
        if warm is None:
            return False
        agent.watched = warm.watched
        self._watch(agent, warm)
        return True

    async def _spawn_inside_at(
        self, agent: Agent, arguments: Sequence[bytes], fds: dict[int, int]
    ) -> bool:
        """Start a program of the name space at a terminal: it has to be one of the session that
        this belongs to. False where it cannot be started there."""
        start = agent.start
        leader, note = self._leading(agent)
        number, where = self._namespace.place(start.pid)
        environment = self._execution.environment_inside(agent)
        standard = [fds[0], fds[1], fds[2]]

        async def execute(
            argv: Sequence[bytes], environment: Mapping[bytes, bytes], fds: Sequence[int]
        ) -> Forked | None:
            place = (0, where, b"/", b"")
            return await leader.start_inside(
                argv, place, environment, fds, 0o022, (0, False), lambda os_pid: None
            )

        async def adopt(pid: int, os_pid: int) -> int:
            return await leader.adopt(agent.job, os_pid)

        site = Site(leader, self._namespace.starter, execute, adopt, by_own=False)
        started = await self._fork_inside(agent, site, arguments, environment, standard, note)
        if started is None:
            started = await leader.start_inside(
                arguments,
                (number, where, start.cwd, b",".join(b"%d" % x for x in start.ignored)),
                environment,
                standard,
                start.umask,
                agent.job,
                note,
            )
        return self._started_at(agent, started)

    def _leading(self, agent: Agent) -> tuple[Leader, Callable[[int], None]]:
        """The leader of an agent's terminal; and what notes the agent before it runs."""
        terminal = agent.terminal
        if terminal is None or terminal.leader is None:
            raise NetworkError("the terminal is gone", errno=errno.EIO)

        def note(os_pid: int) -> None:
            self._note_admitted(agent, os_pid)
            terminal.agents[os_pid] = agent.start.pid

        return terminal.leader, note

    def _started_at(self, agent: Agent, started: Forked | None) -> bool:
        if started is None:
            return False
        agent.watched, agent.group = started.watched, started.group
        self._watch(agent, started)
        return True

    async def _spawn_at(
        self,
        agent: Agent,
        argv: Sequence[str | bytes],
        environment: dict[bytes, bytes],
        fds: dict[int, int],
        warm: bool,
    ) -> bool:
        """Start a program of a terminal; False where it can only be none of that session."""
        leader, note = self._leading(agent)
        words = [os.fsencode(word) for word in argv]
        own = agent.start.env if warm else None
        kind = kind_of(words[0], agent.start.env) if warm else None
        standard = [fds[0], fds[1], fds[2]]
        started = await leader.start(
            words, own, kind, environment, standard, agent.start.umask, agent.job, note
        )
        return self._started_at(agent, started)

    def _execute(
        self,
        agent: Agent,
        argv: Sequence[str | bytes],
        environment: dict[bytes, bytes],
        fds: dict[int, int],
    ) -> None:
        agent.process = subprocess.Popen(
            argv,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            env=environment,
            cwd="/",
            umask=agent.start.umask,
            process_group=0,
            restore_signals=True,
        )
        self._note(agent, agent.os_pid)
        self._watch(agent, None)
