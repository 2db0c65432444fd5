"""The agents of this host: programs started, watched and ended.

An agent is an OS process in a process group of its own, with a language's interpreter made to see
the tree (`guest`). Its standard descriptors are kernel pipes, files or devices that were joined
before it started, and the packages that it asks for were installed (`environments.py`): where that
takes a while it counts as started meanwhile, and can be signalled. When it ends, what it left open
is closed and committed first; only then is its end written to the log, so that whoever waits for it
finds its output whole.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field

from oneos.errors import FileError, InternalError, NetworkError, OneOSError, UserError
from oneos.files.handles import Caller, Handle
from oneos.ids import HostName, Incarnation, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import AGENT_HANDLES_MAX, AGENTS_MAX, CALL_TIMEOUT_S, KILL_GRACE_S
from oneos.net.routes import Peer, Routes
from oneos.runtime.ends import Ends, Pipes, Standard
from oneos.runtime.environments import Environment, Environments, searched
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.namespace import NameSpace
from oneos.runtime.orphans import RunRecords
from oneos.runtime.plumbing import StreamFile
from oneos.runtime.preparing import HARMLESS, Meanwhile, say
from oneos.runtime.requirements import Requirements
from oneos.state import control_types as t

log = logging.getLogger(__name__)

FILE_FAILED = 1
"""Status of a program whose redirection failed, as sh has it."""

NOT_STARTED = 126
"""Status of a program that the kernel did not start."""


@dataclass(slots=True)
class Agent:
    """One program that runs here, or waits for what it needs: then `preparing`."""

    start: m.Start
    token: str
    caller: Caller
    stage: str
    standard: Standard = field(default_factory=Standard)
    process: subprocess.Popen[bytes] | None = None
    handles: dict[int, Handle] = field(default_factory=dict)
    complaints: int = -1
    environment: Environment | None = None
    preparing: asyncio.Task[None] | None = None
    signalled: int = 0
    over: bool = False
    dropped: Callable[[], None] = lambda: None
    _last_handle: int = 0

    def keep(self, handle: Handle) -> int:
        """Enter an opened file; returns its number.

        Raises:
            FileError: EMFILE; or EBADF when the program has ended meanwhile: nobody would close it.
        """
        if self.over:
            raise FileError(errno.EBADF)
        if len(self.handles) >= AGENT_HANDLES_MAX:
            raise FileError(errno.EMFILE)
        if isinstance(handle, StreamFile):
            handle.line.listen(self.dropped)
        self._last_handle += 1
        self.handles[self._last_handle] = handle
        return self._last_handle


class Agents:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run.
        control: where ends are written down.
        ends: their standard descriptors.
        interpreters: how programs of each language are started.
        environments: the packages that programs ask for.
        namespace: where native programs are started.
        records: which OS processes they are, for the next run.
        directory: for each agent's private staging directory.
        socket_path: where programs reach this Runtime.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        control: ControlLog,
        ends: Ends,
        interpreters: Interpreters,
        environments: Environments,
        namespace: NameSpace,
        records: RunRecords,
        directory: str,
        socket_path: str,
    ) -> None:
        self.host = host
        self._incarnation = incarnation
        self._control = control
        self.ends = ends
        self._interpreters = interpreters
        self.environments = environments
        self._namespace = namespace
        self._records = records
        self._directory = directory
        self._socket_path = socket_path
        self._agents: dict[int, Agent] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def __len__(self) -> int:
        return len(self._agents)

    def find(self, pid: int, token: str) -> Agent:
        """The agent that says hello. Raises UserError(EACCES)."""
        agent = self._agents.get(pid)
        if agent is None or not secrets.compare_digest(agent.token, token):
            raise UserError(f"no agent {pid} with that token runs here", errno=errno.EACCES)
        return agent

    def pids(self) -> list[int]:
        """The agents that run here."""
        return list(self._agents)

    def serve(self, routes: Routes) -> None:
        """Answer `agent.*`."""
        routes.add("agent.launch", self._on_launch, m.Launch, finish=True)
        routes.add("agent.signal", self._on_signal, m.Signal)

    # --- starting -------------------------------------------------------------------------------
    async def _on_launch(self, peer: Peer, launch: m.Launch) -> list[m.Started]:
        return await self.launch(launch, peer.host)

    async def launch(self, launch: m.Launch, asker: HostName | None) -> list[m.Started]:
        """Start the agents of one pipeline that were placed here; none waits for another."""
        try:
            with Pipes() as pipes:
                return await asyncio.gather(
                    *(self._start(start, pipes, asker) for start in launch.starts)
                )
        finally:
            if asker == self.host:
                for start in launch.starts:
                    self.ends.drop_held(start.ends)

    async def _start(self, start: m.Start, pipes: Pipes, asker: HostName | None) -> m.Started:
        caller = Caller(start.user, os.getuid(), os.getgid(), start.pid)
        stage = os.path.join(self._directory, str(start.pid))
        agent = Agent(start, secrets.token_hex(16), caller, stage)
        agent.dropped = lambda: self._line_dropped(agent)
        standard = agent.standard
        self._agents[start.pid] = agent
        try:
            if self._closing:
                raise NetworkError(f"{self.host} is stopping", errno=errno.EAGAIN)
            if len(self._agents) > AGENTS_MAX:
                raise FileError(errno.EAGAIN, hint=f"{AGENTS_MAX} agents run here already")
            # By the way: most programs ask for nothing, and shall not wait to be asked.
            async with Meanwhile(self.environments.wanted(start, caller)) as asking:
                await self.ends.open(standard, start.ends, caller, pipes, asker, agent.dropped)
                wanted = await asking
            if wanted is not None:
                agent.environment = self.environments.ready(wanted)
                if agent.environment is None:
                    self._prepare(agent, wanted, standard)
                    return m.Started(start.pid)
            await self._run(agent, standard.fds)
        except Exception as error:
            # Whatever it is: an agent that is entered and neither runs nor ends would run for ever.
            failure = _failure(error)
            opened = len(standard.fds) == len(start.ends)
            status = NOT_STARTED if opened else FILE_FAILED
            self.ends.refuse(standard, start.ends)
            standard.close_fds()
            await self._never_started(agent, status)
            return m.Started(
                start.pid, failure.errno or errno.EIO, failure.message, failure.hint, status
            )
        finally:
            standard.close_fds()
        return m.Started(start.pid)

    def _prepare(self, agent: Agent, wanted: Requirements, standard: Standard) -> None:
        """Install what a program needs, and start it then; its launcher does not wait for that."""
        fds, standard.fds = standard.fds, {}
        agent.preparing = asyncio.create_task(
            self._prepared(agent, wanted, fds), name=f"agent {agent.start.pid} prepares"
        )
        self._tasks.add(agent.preparing)
        agent.preparing.add_done_callback(self._tasks.discard)

    async def _prepared(self, agent: Agent, wanted: Requirements, fds: dict[int, int]) -> None:
        status = 0
        try:
            agent.environment = await self.environments.make(wanted, lambda line: say(fds[2], line))
            await self._run(agent, fds)
        except asyncio.CancelledError:
            status = 128 + (agent.signalled or signal.SIGTERM)
        except Exception as error:
            say(fds[2], _failure(error).lines())
            status = NOT_STARTED
        finally:
            agent.preparing = None
            for fd in fds.values():
                os.close(fd)
        if status:
            await self._never_started(agent, status)

    async def _run(self, agent: Agent, fds: dict[int, int]) -> None:
        inside = self._interpreters.inside(agent.start.interpreter, agent.start.arguments)
        if inside is not None:
            await self._namespace.ready()
        # From here on it has a process, or none: nothing waits.
        agent.preparing = None
        self._spawn(agent, fds, inside)

    def _spawn(self, agent: Agent, fds: dict[int, int], inside: list[bytes] | None) -> None:
        start = agent.start
        os.makedirs(agent.stage, mode=0o700)
        if inside is not None:
            argv = self._namespace.command(start.cwd, inside)
            environment = self._namespace.environment(start.env)
            if agent.environment is not None:
                environment |= searched(start.interpreter, agent.environment, start.env)
        else:
            argv, environment = self._interpreters.command(start.interpreter, start.arguments)
            environment |= self._interpreters.environment(start.interpreter, start.env)
            environment |= self._context(agent)
        # A complaint about output that could not be committed goes where its errors go.
        agent.complaints = os.dup(fds[2])
        agent.process = subprocess.Popen(
            argv,
            stdin=fds[0],
            stdout=fds[1],
            stderr=fds[2],
            env=environment,
            cwd="/",
            process_group=0,
            restore_signals=True,
        )
        try:
            self._records.note(start.pid, agent.process.pid)
        except OSError as error:
            log.warning("agent %d is not written down for the next run: %s", start.pid, error)
        task = asyncio.create_task(self._watch(agent), name=f"agent {start.pid}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _context(self, agent: Agent) -> dict[bytes, bytes]:
        """What an instrumented program is told; docs/guest-protocol.md lists it."""
        start = agent.start
        environment = {}
        if agent.environment is not None:
            environment[b"ONEOS_ENVIRONMENT"] = os.fsencode(agent.environment.path)
        return environment | {
            b"ONEOS_SOCK": os.fsencode(self._socket_path),
            b"ONEOS_PID": b"%d" % start.pid,
            b"ONEOS_PPID": b"%d" % start.ppid,
            b"ONEOS_TOKEN": agent.token.encode(),
            b"ONEOS_CWD": start.cwd,
            b"ONEOS_HOSTNAME": self.host.encode(),
            b"ONEOS_STAGE": os.fsencode(agent.stage),
            b"ONEOS_UID": b"%d" % agent.caller.uid,
            b"ONEOS_GID": b"%d" % agent.caller.gid,
        }

    async def _never_started(self, agent: Agent, status: int) -> None:
        agent.over = True
        for handle in agent.standard.streams:
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                log.warning("agent %d: %s", agent.start.pid, error)
        await self._clean_up(agent)
        await self._written_down(agent, status)

    # --- ending ---------------------------------------------------------------------------------
    async def _watch(self, agent: Agent) -> None:
        assert agent.process is not None
        await _exited(agent.process)
        code = agent.process.wait()
        self._records.forget(agent.start.pid)
        status = code if code >= 0 else 128 - code
        agent.over = True
        # The streams first: their content is what the program meant to leave.
        for handle in [*agent.standard.streams, *agent.handles.values()]:
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                status = status or FILE_FAILED
                _complain(agent, error)
        agent.handles.clear()
        await self._clean_up(agent)
        await self._written_down(agent, status)

    async def _clean_up(self, agent: Agent) -> None:
        if agent.complaints >= 0:
            os.close(agent.complaints)
            agent.complaints = -1
        if agent.environment is not None:
            self.environments.release(agent.environment)
            agent.environment = None
        for pump in agent.standard.pumps:
            # Nobody reads this input any more: the writer shall learn it.
            if not pump.done():
                pump.cancel()
        await asyncio.to_thread(shutil.rmtree, agent.stage, ignore_errors=True)

    async def _written_down(self, agent: Agent, status: int) -> None:
        try:
            await self._ended(agent.start.pid, status)
        finally:
            self._agents.pop(agent.start.pid, None)

    async def never_launched(self, pid: int) -> None:
        """End in the log what was placed here and never launched: its launcher died."""
        await self._ended(pid, NOT_STARTED)

    async def _ended(self, pid: int, status: int) -> None:
        ended = t.Ended(self.host, self._incarnation(), [(Pid(pid), status)], now_ns())
        while True:
            try:
                await self._control.submit(ended)
                return
            except OneOSError as error:
                # It is known here, and must become known: nobody else can say it.
                log.warning("the end of %d is not written down yet: %s", pid, error)
                await asyncio.sleep(1.0)

    # --- signals --------------------------------------------------------------------------------
    async def _on_signal(self, peer: Peer, message: m.Signal) -> None:
        self.signal(message.pid, message.signal)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to an agent here. Raises FileError(ESRCH)."""
        agent = self._agents.get(pid)
        if agent is not None and agent.preparing is not None:
            # It has no process yet: it ends as that would by default, and is never stopped.
            if number and number not in HARMLESS:
                agent.signalled = number
                agent.preparing.cancel()
            return
        if agent is None or agent.process is None or agent.process.returncode is not None:
            raise FileError(errno.ESRCH)
        os.kill(agent.process.pid, number)

    def _line_dropped(self, agent: Agent) -> None:
        """An agent's input broke off: what it has read is not all there was.

        Left alone it would see an end of file and take it for the whole. SIGHUP is what POSIX
        sends when a line is dropped (general terminal interface, modem disconnect).
        """
        try:
            self.signal(agent.start.pid, signal.SIGHUP)
        except (FileError, ProcessLookupError):
            pass

    def os_pid(self, pid: int) -> int:
        """The host's PID of an agent here. Raises FileError(ESRCH)."""
        agent = self._agents.get(pid)
        if agent is None or agent.process is None:
            raise FileError(errno.ESRCH)
        return agent.process.pid

    async def close(self) -> None:
        """End all agents: SIGTERM, then SIGKILL after a grace; what they wrote is committed."""
        self._closing = True
        for number, wait_s in ((signal.SIGTERM, KILL_GRACE_S), (signal.SIGKILL, CALL_TIMEOUT_S)):
            for pid, agent in list(self._agents.items()):
                if agent.preparing is not None:
                    agent.preparing.cancel()
                    continue
                try:
                    # With all that it started: nobody would end those later.
                    os.killpg(self.os_pid(pid), number)
                except (FileError, ProcessLookupError):
                    pass
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=wait_s)


async def _exited(process: subprocess.Popen[bytes]) -> None:
    """Return when a child has ended."""
    loop = asyncio.get_running_loop()
    try:
        fd = os.pidfd_open(process.pid)
    except OSError:
        # Out of descriptors: its end must not be missed for that.
        await asyncio.to_thread(process.wait)
        return
    ended = loop.create_future()

    def over() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(fd, over)
    try:
        await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)


def _failure(error: Exception) -> OneOSError:
    if isinstance(error, OneOSError):
        return error
    if isinstance(error, OSError):
        return OneOSError(str(error), errno=error.errno)
    if isinstance(error, ValueError):
        # As a NUL byte in an argument, which no kernel takes.
        return UserError(str(error))
    log.error("an agent could not be started", exc_info=error)
    return InternalError(f"{type(error).__name__}: {error}", hint="the Runtime's log says more")


def _complain(agent: Agent, error: OneOSError | OSError) -> None:
    text = error.lines() if isinstance(error, OneOSError) else f"oneos: {error}"
    log.warning("agent %d: %s", agent.start.pid, text)
    try:
        os.set_blocking(agent.complaints, False)
        os.write(agent.complaints, text.encode() + b"\n")
    except OSError:
        # Its reader is gone or slow; the status says that something failed.
        pass
