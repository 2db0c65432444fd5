"""Programs that programs start: true children of their parents, agents of the network.

The parent forks and executes with the kernel's own means, so descriptors, process groups, `wait`
and SIGCHLD are the kernel's. The Runtime comes before and after: it finds what is to be executed,
enters it in the process table, and tells what makes its context; then it watches the OS process,
which its parent names right after the fork, or which names itself by its greeting, whichever comes
first. How it ended is read from the kernel, or told by the parent that waited for it. A child that
never appears has ended when its parent says so, or some seconds after its parent.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from oneos.errors import FileError, OneOSError, UserError
from oneos.files.piped import PipedFile
from oneos.files.remote import Remote
from oneos.files.shared import Shared, share
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.kernel.services import Services
from oneos.limits import CHILD_APPEAR_S, CHILD_REPORT_S, PROGRAM_CANDIDATES_MAX
from oneos.runtime.agent import Agent
from oneos.runtime.agents import NOT_STARTED, Agents
from oneos.runtime.commands import Command, OnHost, resolve_file
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.stream_files import StreamFile
from oneos.runtime.watched import UNKNOWN_STATUS, Watched, shell_status
from oneos.state import control_types as t

log = logging.getLogger(__name__)


class ProgramSpec(Struct, frozen=True):
    """What a program wants to start or become; the paths are absolute, in the tree.

    Attributes:
        files: where the program may be, in the order in which they are tried.
        argv: its arguments, the name it goes by first.
        env: the environment it is to see, as `NAME=value`.
        cwd: its working directory.
        handles: the asker's files whose descriptors it inherits.
    """

    files: list[bytes]
    argv: list[bytes]
    env: list[bytes]
    cwd: bytes
    handles: list[int] = []


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Child:
    agent: Agent
    parent: Agent
    appeared: asyncio.Future[Watched | None] = field(default_factory=_future)
    report: asyncio.Future[int] = field(default_factory=_future)


class Offspring:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run.
        tree: for finding commands.
        services: for the Scheduler.
        control: the process table.
        agents: the programs of this host.
        interpreters: what they are executed by.
        on_host: says whether a name or path is that of a program of this host.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        tree: Tree,
        services: Services,
        control: ControlLog,
        agents: Agents,
        interpreters: Interpreters,
        on_host: OnHost,
    ) -> None:
        self.host = host
        self._incarnation = incarnation
        self._tree = tree
        self._services = services
        self._control = control
        self._agents = agents
        self._interpreters = interpreters
        self._on_host = on_host
        self._children: dict[int, _Child] = {}

    # --- starting -------------------------------------------------------------------------------
    async def child(self, parent: Agent, spec: Any) -> dict[str, Any]:
        """Enter a program that `parent` is about to start: its PID, and what to execute.

        Raises:
            FileError: as execve(2) fails, or EAGAIN.
            OneOSError: it cannot be entered.
        """
        wanted = _program(spec)
        command = await self._find(wanted, parent)
        start = m.Start(
            Pid(0),
            parent.start.pid,
            parent.start.sid,
            parent.start.user,
            command.interpreter,
            wanted.argv,
            command.arguments,
            _named(wanted.env),
            wanted.cwd,
            [],
        )
        agent = await self._enter(parent, start, wanted.handles, command.on)
        argv, env = self._agents.execution.command(agent)
        pid = agent.start.pid
        return {"pid": pid, "token": agent.token, "argv": argv, "env": _listed(env)}

    async def fork(self, parent: Agent) -> dict[str, Any]:
        """Enter a copy of `parent`, which is about to fork: its PID and token."""
        start = msgspec.structs.replace(parent.start, ppid=parent.start.pid, ends=[])
        agent = await self._enter(parent, start, list(parent.handles))
        return {"pid": agent.start.pid, "token": agent.token}

    async def become(self, agent: Agent, spec: Any) -> dict[str, Any]:
        """What an agent has to execute to become another program, under its PID.

        Raises:
            FileError: as execve(2) fails.
        """
        wanted = _program(spec)
        command = await self._find(wanted, agent)
        next_start = msgspec.structs.replace(
            agent.start,
            interpreter=command.interpreter,
            argv=wanted.argv,
            arguments=command.arguments,
            env=_named(wanted.env),
            cwd=wanted.cwd,
            # What it ignores by now, the kernel keeps.
            ignored=[],
        )
        # Known to be there before the table says so.
        await self._agents.execution.prepare(next_start)
        await self._control.submit(
            t.Become(self.host, self._incarnation(), Pid(agent.start.pid), wanted.argv, wanted.cwd)
        )
        agent.start = next_start
        argv, env = self._agents.execution.command(agent)
        return {"argv": argv, "env": _listed(env)}

    async def _find(self, wanted: ProgramSpec, asker: Agent) -> Command:
        """The first of the files that can be executed, by the rules of execvp(3)."""
        interpreters = self._interpreters.paths()
        refused: OneOSError | None = None
        missing: OneOSError = FileError(errno.ENOENT)
        for path in wanted.files[:PROGRAM_CANDIDATES_MAX]:
            try:
                return await resolve_file(
                    self._tree, path, wanted.argv, asker.caller, interpreters, self._on_host
                )
            except OneOSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR):
                    missing = error
                else:
                    refused = refused or error
        if refused is not None and refused.errno == errno.EISDIR:
            refused = FileError(errno.EACCES, wanted.files[0])
        raise refused or missing

    async def _enter(
        self, parent: Agent, start: m.Start, handles: list[int], on: tuple[str, ...] = ()
    ) -> Agent:
        demands = t.Demands(start.interpreter, [f"host:{self.host}", *on])
        wish = m.Wish(start.argv, start.cwd, demands, child=True)
        answers: list[m.Placed] = await self._services.ask(
            "scheduler",
            m.Schedule(start.sid, start.ppid, start.user, self.host, [wish]),
            list[m.Placed],
            idempotent=False,
        )
        placed = answers[0]
        if placed.errno:
            raise UserError(placed.message, errno=placed.errno, hint=placed.hint)
        agent = self._agents.enter(msgspec.structs.replace(start, pid=placed.pid), parent)
        try:
            self._agents.admit()
            await self._agents.execution.prepare(agent.start)
            os.makedirs(agent.stage, mode=0o700)
            # A command that cannot be executed here must fail before anybody forks for it.
            self._agents.execution.command(agent)
            # Its end is judged by the table, which has it once its record has been read here.
            await self._control.wait_for(lambda: placed.pid in self._control.state.processes)
            if parent.over:
                # It was killed meanwhile, and what it had open is closed.
                raise FileError(errno.ESRCH)
        except BaseException:
            self._agents.start_task(self._agents.finish(agent, NOT_STARTED), "no child")
            raise
        self._inherit(agent, parent, handles)
        child = self._children[placed.pid] = _Child(agent, parent)
        self._agents.start_task(self._follow(child), f"agent {placed.pid}")
        return agent

    def _inherit(self, agent: Agent, parent: Agent, handles: list[int]) -> None:
        """Let a child hold what it inherits, by the same numbers as its parent."""
        for number in handles:
            if number in parent.handles:
                shared = share(parent.handles[number])
                parent.handles[number] = agent.handles[number] = shared
                if isinstance(shared.file, StreamFile):
                    # It reads what it inherits as the kernel's, and cannot ask how it ended.
                    shared.file.line.listen(agent.dropped)
                agent.inherited.add(shared)
        agent.last_handle = parent.last_handle
        for at, stream in list(parent.standard.streams.items()):
            shared = share(stream)
            parent.standard.streams[at] = shared
            agent.standard.streams[at] = shared
            agent.inherited.add(shared)

    # --- appearing ------------------------------------------------------------------------------
    def greeted(self, agent: Agent, os_pid: int) -> None:
        """An agent has said hello from this OS process (0: it is not known which)."""
        child = self._children.get(agent.start.pid)
        if child is not None and os_pid:
            self._appears(child, os_pid, 0)

    def started(self, parent: Agent, pid: int, os_pid: int) -> None:
        """A parent tells which OS process its child is, and waits with it until that is watched."""
        self._appears(self._of(parent, pid), os_pid, parent.os_pid)

    def _appears(self, child: _Child, os_pid: int, parent_os_pid: int) -> None:
        if child.appeared.done():
            return
        child.agent.seen = True
        try:
            watched = Watched(os_pid)
        except OSError as error:
            # It has ended and was waited for, which its parent tells; or descriptors are out.
            log.info("agent %d is not watched: %s", child.agent.start.pid, error)
            child.appeared.set_result(None)
            return
        if parent_os_pid and watched.parent != parent_os_pid:
            # It has ended, and the number is another's already.
            watched.close()
            child.appeared.set_result(None)
            return
        child.agent.watched = watched
        child.appeared.set_result(watched)
        self._agents.note(child.agent, watched.os_pid)

    # --- ending ---------------------------------------------------------------------------------
    async def reaped(self, parent: Agent, pid: int, wait_status: int) -> None:
        """A parent tells how its child ended. Returns when what that wrote has been taken over."""
        child = self._of(parent, pid)
        if not child.report.done():
            child.report.set_result(shell_status(wait_status))
        await child.agent.gone.wait()

    def unborn(self, parent: Agent, pid: int) -> None:
        """A parent tells that it could not start a child."""
        child = self._of(parent, pid)
        if not child.report.done():
            child.report.set_result(NOT_STARTED)

    def _of(self, parent: Agent, pid: int) -> _Child:
        child = self._children.get(pid)
        if child is None or child.parent is not parent:
            raise FileError(errno.ECHILD)
        return child

    async def _follow(self, child: _Child) -> None:
        agent = child.agent
        status = await self._outcome(child)
        agent.over = True
        try:
            await self._agents.finish(agent, status)
        finally:
            del self._children[agent.start.pid]
            if agent.watched is not None:
                agent.watched.close()

    async def _outcome(self, child: _Child) -> int:
        alone = asyncio.ensure_future(child.parent.gone.wait())
        signs = (child.appeared, child.report)
        await asyncio.wait((*signs, alone), return_when=asyncio.FIRST_COMPLETED)
        alone.cancel()
        if not any(sign.done() for sign in signs):
            # Its parent ended: before it forked, or after.
            await asyncio.wait(signs, timeout=CHILD_APPEAR_S, return_when=asyncio.FIRST_COMPLETED)
        if child.appeared.done():
            watched = child.appeared.result()
            if watched is not None:
                await watched.ended()
                status = watched.status()
                if status is not None:
                    return status
            if not child.parent.over:
                await asyncio.wait((child.report,), timeout=CHILD_REPORT_S)
        if child.report.done():
            return child.report.result()
        return UNKNOWN_STATUS if child.appeared.done() else NOT_STARTED

    # --- what it inherits -----------------------------------------------------------------------
    def pipe(self, parent: Agent, pid: int, number: int, offset: int, reading: bool) -> int:
        """A file in use at another host, as a pipe for a child: our descriptor of its end.

        Args:
            pid: the child, which is about to start.
            number: the parent's handle.
            offset: where in the file the child begins, in bytes.
            reading: whether it reads.
        """
        child = self._of(parent, pid)
        handle = parent.handles.get(number)
        file = handle.file if isinstance(handle, Shared) else handle
        if handle is None or not isinstance(file, Remote):
            raise FileError(errno.EBADF)
        parent.handles[number] = shared = share(handle)
        dropped = child.agent.dropped
        piped = PipedFile(_Lent(shared, file), reading, dropped, offset)
        streams = child.agent.standard.streams
        streams[3 + len(streams)] = piped
        # Ours until the child has ended, so that a program may open it by its path.
        return piped.fd


class _Lent:
    """A remote file as its pipe uses it: closed with what the child wrote committed."""

    def __init__(self, shared: Shared, file: Remote) -> None:
        self._shared = shared
        self.pread, self.pwrite = file.pread, file.pwrite

    async def close(self) -> None:
        await self._shared.close()


def _named(env: list[bytes]) -> dict[bytes, bytes]:
    split = (entry.partition(b"=") for entry in env)
    return {name: value for name, equals, value in split if equals}


def _listed(env: dict[bytes, bytes]) -> list[bytes]:
    return [name + b"=" + value for name, value in env.items()]


def _program(spec: Any) -> ProgramSpec:
    try:
        return msgspec.convert(spec, ProgramSpec, strict=False)
    except msgspec.ValidationError as error:
        raise UserError(f"no program to start: {error}") from error
