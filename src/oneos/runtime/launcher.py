"""Starting a pipeline for a client: resolve, place, join the ends, launch at each host.

The whole pipeline is placed at once, so that the hosts are known before any end is joined. Two
neighbours on one host get a kernel pipe there; on two hosts the writer's host dials the reader's
directly. The client's own descriptors are used as they are by programs on this host, and pumped to
and from programs elsewhere; `wait` returns when the last byte has come out of them.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import signal
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from oneos.errors import OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.names import Names
from oneos.files.tree import Tree
from oneos.ids import HostName, Pid
from oneos.kernel import demands
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.services import Services
from oneos.limits import LAUNCH_TIMEOUT_S, STAGES_MAX
from oneos.net.links import Links
from oneos.net.streams import new_stream_id
from oneos.runtime.agents import Agents
from oneos.runtime.children import Children
from oneos.runtime.commands import NOT_EXECUTABLE, CommandError, OnHost, resolve
from oneos.runtime.pipeline_spec import Job, SpawnSpec, StageSpec, check
from oneos.runtime.plumbing import Plumbing
from oneos.runtime.saved import Saved, none_here
from oneos.runtime.terminals import Terminals
from oneos.runtime.wishes import wishes_of
from oneos.state import control_types as t

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stage:
    spec: StageSpec
    interpreter: str = ""
    arguments: list[bytes] = field(default_factory=list)
    on: list[str] = field(default_factory=list)
    pid: int = 0
    host: str = ""
    failure: dict[str, Any] | None = None
    ends: list[m.End] = field(default_factory=list)
    terminal: int = 0


class Launcher:
    """See the module.

    Args:
        host: this host.
        tree: for finding commands.
        names: the File System, which knows where files are.
        services: for the Scheduler.
        links: the connections to other Runtimes.
        plumbing: for the client's descriptors.
        agents: the programs of this host.
        control: the process table.
        on_host: says whether a name is that of a program of this host.
        terminals: those of this host's sessions.
    """

    def __init__(
        self,
        host: HostName,
        tree: Tree,
        names: Names,
        services: Services,
        links: Links,
        plumbing: Plumbing,
        agents: Agents,
        control: ControlLog,
        on_host: OnHost,
        terminals: Terminals,
    ) -> None:
        self.host = host
        self._tree = tree
        self._names = names
        self._services = services
        self._links = links
        self._plumbing = plumbing
        self._agents = agents
        self._control = control
        self.on_host = on_host
        self.host_names: Callable[[bytes], list[bytes]] = lambda prefix: []
        """The names of this host's programs that begin so; of a host that runs none, nothing."""
        self.interpreters: Callable[[], dict[bytes, str]] = dict
        """This host's paths of interpreters, and which they are."""
        self.terminals = terminals
        self.load: Callable[[bytes, Caller], Awaitable[tuple[Saved, int]]] = none_here
        """Gives what is in a file with a state, and the image in it."""
        self.children = Children(control)
        terminals.stopped = self.children.stopped

    async def spawn(
        self,
        spec: SpawnSpec,
        fds: list[int],
        user: str,
        ppid: int,
        gone: Callable[[], Awaitable[None]],
    ) -> list[dict[str, Any]]:
        """Start a pipeline; one answer for each stage, as the local protocol has it.

        Args:
            spec: the request.
            fds: the client's descriptors; they are ours from now on.
            user: in whose name.
            ppid: the asking program's PID, or 0.
            gone: returns when whoever asked is there no more; then nothing waits for a host.
        """
        try:
            check(spec, len(fds))
            stages = [_Stage(stage) for stage in spec.stages]
            await asyncio.gather(*(self._resolve(stage, user) for stage in stages))
            await self._place(spec, stages, user, ppid, gone)
            if spec.policy is not None:
                return [x.failure or {"pid": x.pid, "host": x.host} for x in stages]
            own = self._at_own_terminal(spec, stages, ppid)
            if spec.job is not None and not own:
                await self._give_terminals(spec, spec.job, stages)
            self._join_all(stages, fds)
        finally:
            for fd in fds:
                os.close(fd)
        await asyncio.gather(
            *(
                self._launch(
                    host, [x for x in stages if x.host == host and x.pid], spec, ppid, user, own
                )
                for host in sorted({x.host for x in stages if x.pid})
            )
        )
        return [x.failure or {"pid": x.pid, "host": x.host, "terminal": x.terminal} for x in stages]

    async def _resolve(self, stage: _Stage, user: str) -> None:
        caller = Caller(user, os.getuid(), os.getgid())
        try:
            if stage.spec.restore:
                await self._resolve_saved(stage, caller)
                return
            command = await resolve(
                self._tree,
                stage.spec.argv,
                stage.spec.cwd,
                caller,
                self._on_host(stage.spec.on),
                self.interpreters(),
            )
            stage.interpreter, stage.arguments = command.interpreter, command.arguments
            stage.on = [*stage.spec.on, *command.on]
        except CommandError as error:
            stage.failure = _failure(error, error.status)
        except OneOSError as error:
            stage.failure = _failure(error, NOT_EXECUTABLE)

    async def _resolve_saved(self, stage: _Stage, caller: Caller) -> None:
        """As `_resolve`, of what goes on from a file."""
        saved, image = await self.load(stage.spec.restore, caller)
        os.close(image)
        start = saved.start
        if saved.status is not None:
            raise UserError(f"it had ended then, with {saved.status}")
        stage.spec = msgspec.structs.replace(
            stage.spec, argv=start.argv, env=start.env, cwd=start.cwd, umask=start.umask
        )
        stage.interpreter, stage.arguments = start.interpreter, start.arguments
        stage.on = [*stage.spec.on, *demands.goes_on_in(start.interpreter, saved.version)]

    def _on_host(self, on: list[str]) -> OnHost:
        """Whether a name is that of a program of the host; of another host, it finds out itself."""
        return (lambda name: True) if on else self.on_host

    async def _place(
        self,
        spec: SpawnSpec,
        stages: list[_Stage],
        user: str,
        ppid: int,
        gone: Callable[[], Awaitable[None]],
    ) -> None:
        able = [stage for stage in stages if stage.failure is None]
        if not able:
            return
        wait = spec.wait and len(able) == len(stages)
        placed = await self._schedule(spec, able, user, ppid, wait=wait)
        for stage, place in zip(able, placed, strict=True):
            self._take(stage, place)
        # The record was applied where the Scheduler runs; whoever waits for a program reads here.
        pids = {x.pid for x in able if x.pid}
        await self._control.wait_for(lambda: self._control.state.processes.keys() >= pids)
        self.children.add(sorted(pids))
        if spec.policy is None:
            waiting = [x for x in able if x.pid and not x.host]
            if waiting:
                await self._wait_for_hosts(waiting, gone)

    async def _schedule(
        self,
        spec: SpawnSpec,
        able: list[_Stage],
        user: str,
        ppid: int,
        wait: bool = False,
        dry: bool = False,
    ) -> list[m.Placed]:
        wishes = await wishes_of(self._names, spec, able)
        placed: list[m.Placed] = await self._services.ask(
            "scheduler",
            m.Schedule(spec.sid, ppid, user, self.host, wishes, wait, dry),
            list[m.Placed],
            idempotent=dry,
        )
        return placed

    async def _wait_for_hosts(
        self, stages: list[_Stage], gone: Callable[[], Awaitable[None]]
    ) -> None:
        """Wait until programs that no host could run have theirs; who is gone wants them not."""
        left = asyncio.ensure_future(gone())
        try:
            for stage in stages:
                process = self._control.state.processes.get(stage.pid)
                while process is not None and process.state == "waiting":
                    news = asyncio.ensure_future(self._control.changed())
                    await asyncio.wait((news, left), return_when=asyncio.FIRST_COMPLETED)
                    news.cancel()
                    if left.done():
                        await self._give_up(stages)
                    process = self._control.state.processes.get(stage.pid)
                stage.host = process.host if process and process.state == "running" else ""
                if not stage.host:
                    reason = f"it was ended while it waited: {process.reason if process else ''}"
                    status = (process and process.status) or NOT_EXECUTABLE
                    stage.failure = _failure(UserError(reason, errno=errno.EINTR), status)
                    stage.pid = 0
        finally:
            left.cancel()

    async def _give_up(self, stages: list[_Stage]) -> None:
        for stage in stages:
            status = 128 + signal.SIGINT
            command = t.Release(Pid(stage.pid), -1, status, "nobody waits for it", now_ns())
            try:
                await self._control.submit(command)
            except OneOSError as error:
                # It has ended; or it starts, and finds its streams closed.
                log.info("process %d: %s", stage.pid, error)

    async def plan(self, spec: SpawnSpec, user: str) -> list[dict[str, Any]]:
        """Where the programs of a pipeline would go, and why; nothing is started."""
        check(spec, STAGES_MAX * 3)
        stages = [_Stage(stage) for stage in spec.stages]
        await asyncio.gather(*(self._resolve(stage, user) for stage in stages))
        able = [stage for stage in stages if stage.failure is None]
        placed = await self._schedule(spec, able, user, 0, dry=True) if able else []
        for stage, place in zip(able, placed, strict=True):
            self._take(stage, place)
        whys = {id(stage): place.why for stage, place in zip(able, placed, strict=True)}
        return [x.failure or {"host": x.host, "why": whys[id(x)]} for x in stages]

    def _take(self, stage: _Stage, place: m.Placed) -> None:
        stage.pid, stage.host = place.pid, place.host
        if place.errno:
            stage.failure = {
                "errno": place.errno,
                "message": place.message,
                "hint": place.hint,
                "status": NOT_EXECUTABLE,
            }

    def _at_own_terminal(self, spec: SpawnSpec, stages: list[_Stage], ppid: int) -> bool:
        """Whether they can be of the job that the asking program belongs to: as its kernel has it,
        so all are on this host."""
        if (
            spec.job is None
            or not spec.job.own
            or any(x.host != self.host for x in stages if x.pid)
        ):
            return False
        return self._agents.terminal_of(ppid) is not None

    async def _give_terminals(self, spec: SpawnSpec, job: Job, stages: list[_Stage]) -> None:
        """Have a terminal of the session at each host of a job; not only where a descriptor is
        one: `/dev/tty` is every program's."""

        async def at(host: str) -> None:
            of_host = [stage for stage in stages if stage.host == host and stage.pid]
            try:
                number = await self.terminals.ensure(spec.sid, HostName(host), job.modes)
            except OneOSError as error:
                for stage in of_host:
                    stage.failure = _failure(error, NOT_EXECUTABLE)
                    # For its neighbours it is one that did not start.
                    stage.pid = 0
                return
            for stage in of_host:
                stage.terminal = number

        await asyncio.gather(*(at(host) for host in {x.host for x in stages if x.pid}))

    # --- joining the ends -----------------------------------------------------------------------
    def _join_all(self, stages: list[_Stage], fds: list[int]) -> None:
        try:
            self._join(stages, fds)
        except BaseException:
            # Nobody launches these any more; their hosts note it after a while.
            for stage in stages:
                self._agents.ends.drop_held(stage.ends)
                self.children.drop_output(stage.pid)
            raise

    def _join(self, stages: list[_Stage], fds: list[int]) -> None:
        readers = {x.spec.io[0][1]: x for x in stages if x.spec.io.get(0, [""])[0] == "pipe"}
        writers = {
            end[1]: x for x in stages for n, end in x.spec.io.items() if n and end[0] == "pipe"
        }
        streams = {number: new_stream_id() for number in readers.keys() | writers.keys()}
        for stage in stages:
            if not stage.pid:
                continue
            for number in range(3):
                end = stage.spec.io.get(number, ["null"])
                other = (writers if number == 0 else readers).get(end[1] if len(end) > 1 else None)
                stage.ends.append(self._end(stage, number, end, other, streams, fds))

    def _end(
        self,
        stage: _Stage,
        number: int,
        end: list[Any],
        other: _Stage | None,
        streams: dict[int, bytes],
        fds: list[int],
    ) -> m.End:
        kind = end[0]
        if kind == "pipe":
            if other is None or not other.pid:
                # The neighbour did not start: as in sh, nobody writes, or nobody reads.
                return self._half_open(number)
            if other.host == stage.host:
                return m.End("pipe", end[1])
            return m.End("stream", key=streams[end[1]], host=other.host, pid=other.pid)
        if kind == "fd":
            if stage.host != self.host:
                # Each stream costs both hosts a handshake: none for what needs none.
                if _is_null(fds[end[1]]):
                    return m.End("null")
                out = stage.spec.io.get(1, ["null"])
                if number == 2 and out[0] == "fd" and _same_line(fds[out[1]], fds[end[1]]):
                    return m.End("dup", 1)
            fd = os.dup(fds[end[1]])
            if stage.host == self.host:
                return m.End("fd", self._agents.ends.hold(fd))
            key = new_stream_id()
            host = HostName(stage.host)
            if number == 0:
                self._plumbing.send(fd, host, key, peer=stage.pid)
            else:
                pump = self._plumbing.receive(host, key, fd, peer=stage.pid)
                self.children.add_output(stage.pid, pump)
            return m.End("stream", key=key, host=self.host)
        if kind == "file":
            return m.End("file", path=end[1], flags=end[2], mode=end[3])
        if kind == "dup":
            return m.End("dup", end[1])
        if kind == "tty":
            return m.End("tty")
        return m.End("null")

    def _half_open(self, number: int) -> m.End:
        return m.End("null") if number == 0 else m.End("closed")

    async def _launch(
        self,
        host: str,
        stages: list[_Stage],
        spec: SpawnSpec,
        ppid: int,
        user: str,
        own: bool,
    ) -> None:
        starts = [
            m.Start(
                x.pid,
                ppid,
                spec.sid,
                user,
                x.interpreter,
                x.spec.argv,
                x.arguments,
                x.spec.env,
                x.spec.cwd,
                x.ends,
                x.spec.umask,
                x.spec.ignored,
                memory_bytes=x.spec.memory_bytes,
                image=x.spec.restore,
            )
            for x in stages
        ]
        job = (spec.job.number, spec.job.foreground) if spec.job is not None else (0, False)
        launch = m.Launch(secrets.token_bytes(8), starts, *job, own)
        try:
            started = await self._links.call(
                HostName(host),
                "agent.launch",
                launch,
                list[m.Started],
                # Its files may be in use elsewhere, which is waited for there.
                timeout_s=LAUNCH_TIMEOUT_S,
            )
        except OneOSError as error:
            for stage in stages:
                stage.failure = _failure(error, NOT_EXECUTABLE)
                self.children.drop_output(stage.pid)
            return
        for stage, outcome in zip(stages, started, strict=True):
            if outcome.errno:
                stage.failure = {
                    "errno": outcome.errno,
                    "message": outcome.message,
                    "hint": outcome.hint,
                    "status": outcome.status,
                }
                self.children.drop_output(stage.pid)


def _is_null(fd: int) -> bool:
    about, null = os.fstat(fd), os.stat(os.devnull)
    return stat.S_ISCHR(about.st_mode) and about.st_rdev == null.st_rdev


def _same_line(one: int, other: int) -> bool:
    """Whether two descriptors lead to the same terminal or pipe: nothing tells them apart then.

    Those of one regular file may each have an offset of their own.
    """
    a, b = os.fstat(one), os.fstat(other)
    if (a.st_dev, a.st_ino) != (b.st_dev, b.st_ino):
        return False
    return stat.S_ISCHR(a.st_mode) or stat.S_ISFIFO(a.st_mode)


def _failure(error: OneOSError, status: int) -> dict[str, Any]:
    return {
        "errno": error.errno,
        "message": error.message,
        "hint": error.hint,
        "status": status,
    }
