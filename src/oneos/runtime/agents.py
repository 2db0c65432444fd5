"""The agents of this host: programs started, watched and ended.

An agent is an OS process with a language's interpreter made to see the tree (`guest`): a child of
the Runtime in a process group of its own, or a child of another agent (`offspring.py`). Its
standard descriptors are kernel pipes, files or devices that were joined before it started, and the
packages that it asks for were installed (`environments.py`): where that takes a while it counts as
started meanwhile, and can be signalled. When it ends, what it left open is closed and committed
first; only then is its end written to the log, so that whoever waits for it finds its output whole.

What is executed for one is decided in `execution.py`, in which way it is started in `spawning.py`,
and what signals do to it in `signals.py`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import resource
import secrets
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from oneos.errors import FileError, InternalError, NetworkError, OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.shared import Shared
from oneos.ids import HostName, Incarnation, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import AGENTS_MAX, CALL_TIMEOUT_S, KILL_GRACE_S
from oneos.net.routes import Peer, Routes
from oneos.runtime.agent import Agent
from oneos.runtime.descendants import Descendants
from oneos.runtime.ends import Ends, Pipes
from oneos.runtime.environments import Environments
from oneos.runtime.execution import Execution
from oneos.runtime.forker import Forked
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.namespace import NameSpace
from oneos.runtime.orphans import RunRecords
from oneos.runtime.preparing import HARMLESS, Meanwhile, say
from oneos.runtime.requirements import Requirements
from oneos.runtime.saved import Saved, none_here
from oneos.runtime.signals import Signals, send
from oneos.runtime.spawning import MOVABLE, Spawning
from oneos.runtime.terminals import Terminal, Terminals
from oneos.state import control_types as t
from oneos.state.pids import NO_BLOCK, block_of

log = logging.getLogger(__name__)

FILE_FAILED = 1
"""Status of a program whose redirection failed, as sh has it."""

NOT_STARTED = 126
"""Status of a program that the kernel did not start."""


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
        terminals: those of sessions.
        descendants: what those start.
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
        terminals: Terminals,
        descendants: Descendants,
        records: RunRecords,
        directory: str,
        socket_path: str,
    ) -> None:
        self.host = host
        self._incarnation = incarnation
        self._control = control
        self.ends = ends
        self.environments = environments
        self._namespace = namespace
        self._terminals = terminals
        self._records = records
        self._directory = directory
        self._agents: dict[int, Agent] = {}
        self.execution = Execution(host, interpreters, namespace, directory, socket_path)
        self.spawning = Spawning(self.execution, namespace, self.admit, self.note, self._watch_soon)
        self.signals = Signals(host, control, self._agents, descendants)
        terminals.pressed = self.signals.pressed
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self.load: Callable[[bytes, Caller], Awaitable[tuple[Saved, int]]] = none_here
        """Gives what is in a file with a state, and the image in it."""
        self.ended: Callable[[m.Start], None] = lambda start: None
        """Is told of each that has ended, before it is written down."""
        self.ending: Callable[[Agent], Awaitable[None]] = _nothing
        """Is told of each that has ended, before what it had open is closed."""

    def __len__(self) -> int:
        return len(self._agents)

    def get(self, pid: int) -> Agent | None:
        """An agent here; None: none of that number runs here."""
        return self._agents.get(pid)

    def find(self, pid: int, token: str) -> Agent:
        """The agent that says hello. Raises UserError(EACCES)."""
        agent = self._agents.get(pid)
        if agent is None or not secrets.compare_digest(agent.token, token):
            raise UserError(f"no agent {pid} with that token runs here", errno=errno.EACCES)
        return agent

    def start_of(self, pid: int) -> m.Start | None:
        """How an agent here was started; None: none of that number runs here."""
        agent = self._agents.get(pid)
        return agent.start if agent is not None else None

    def pids(self) -> list[int]:
        """The agents that run here."""
        return list(self._agents)

    def named(self, os_pid: int) -> int:
        """The PID of an agent by the host's; 0: it is none's."""
        return next((pid for pid, x in self._agents.items() if x.os_pid == os_pid), 0)

    def serve(self, routes: Routes) -> None:
        """Answer `agent.*`."""
        routes.add("agent.launch", self._on_launch, m.Launch, finish=True)
        self.signals.serve(routes)

    # --- starting -------------------------------------------------------------------------------
    async def _on_launch(self, peer: Peer, launch: m.Launch) -> list[m.Started]:
        return await self.launch(launch, peer.host)

    async def launch(self, launch: m.Launch, asker: HostName | None) -> list[m.Started]:
        """Start the agents of one pipeline that were placed here; none waits for another."""
        try:
            terminal, job = None, (launch.job, launch.foreground)
            if launch.own and launch.starts:
                found = self.terminal_of(launch.starts[0].ppid)
                if found is None:
                    raise NetworkError("the terminal is gone", errno=errno.EIO)
                # Its group is in the foreground already, or is not to be.
                terminal, job = found[0], (found[1], False)
            elif launch.job and launch.starts:
                terminal = self._terminals.find(asker, launch.starts[0].sid)
            with Pipes(terminal.slave if terminal is not None else -1) as pipes:
                return await asyncio.gather(
                    *(self._start(start, pipes, asker, terminal, job) for start in launch.starts)
                )
        finally:
            if asker == self.host:
                for start in launch.starts:
                    self.ends.drop_held(start.ends)

    # --- moving ---------------------------------------------------------------------------------
    def movable(self, pid: int) -> Agent:
        """An agent here that may be asked to move. Raises UserError: it cannot, and why."""
        agent = self._agents.get(pid)
        if agent is None or not agent.os_pid:
            raise UserError("it has not started, or has ended")
        if agent.start.interpreter not in MOVABLE:
            raise UserError(f"programs of {agent.start.interpreter} do not move yet")
        if self.execution.inside(agent.start) is None:
            raise UserError('programs in the context "instrumented" do not move yet')
        if agent.parent is not None:
            raise UserError("another program of its host started it, and would miss it")
        if agent.terminal is not None:
            raise UserError("it has a terminal, which does not move yet")
        if agent.control is None:
            why = self.spawning.why_not(agent)
            raise UserError(f"it was started as one that cannot move: {why}")
        return agent

    def context_of(self, interpreter: str) -> str:
        """How programs of a kind see the tree here."""
        return self.execution.context_of(interpreter)

    async def take_in(
        self,
        take: m.MoveTake,
        image: int,
        asker: HostName,
        claim: Callable[[], Awaitable[None]],
    ) -> None:
        """Have a program go on here that was on another host.

        Args:
            take: what it is, and has.
            image: its image, as an open file.
            asker: its host.
            claim: is called when it is in place, and raises if it is not to go on.

        Raises:
            OneOSError, OSError: it does not go on here.
        """
        if self.execution.inside(take.start) is None:
            raise UserError(f"programs of {self.host} do not run in a name space")
        agent = self.enter(take.start)
        async with agent.turn:
            await self._take_in(agent, take, image, asker, claim)

    async def _take_in(
        self,
        agent: Agent,
        take: m.MoveTake,
        image: int,
        asker: HostName,
        claim: Callable[[], Awaitable[None]],
    ) -> None:
        agent.image, agent.files = image, take.files
        try:
            self.admit()
            with Pipes() as pipes:
                await self.ends.open(
                    agent.standard,
                    take.start.ends,
                    agent.caller,
                    pipes,
                    asker,
                    agent.dropped,
                    take.kept,
                )
            await self._run(agent, agent.standard.fds)
            if agent.control is None:
                raise UserError("it could not be started as one that moves")
            await agent.control.in_place()
            await claim()
        except BaseException:
            # What is not claimed has never been here.
            agent.moved = True
            agent.standard.close_fds()
            if agent.os_pid:
                self.signals.send(agent.start.pid, signal.SIGKILL)
            else:
                await self._never_started(agent, NOT_STARTED)
            raise
        finally:
            agent.image = -1
            agent.standard.close_fds()
        agent.control.say(b"G")

    def terminal_of(self, pid: int) -> tuple[Terminal, int] | None:
        """The terminal at which an agent here is, and its job there, which others may join."""
        agent = self._agents.get(pid)
        return agent.own_terminal() if agent is not None else None

    async def _start(
        self,
        start: m.Start,
        pipes: Pipes,
        asker: HostName | None,
        terminal: Terminal | None,
        job: tuple[int, bool],
    ) -> m.Started:
        agent = self.enter(start)
        agent.terminal, agent.job = terminal, job
        caller, standard = agent.caller, agent.standard
        try:
            self.admit()
            # By the way: most programs ask for nothing, and shall not wait to be asked.
            async with Meanwhile(self.environments.wanted(start, caller)) as asking:
                await self.ends.open(
                    standard, start.ends, caller, pipes, asker, agent.dropped, start.kept
                )
                wanted = await asking
            if wanted is not None:
                agent.environment = self.environments.ready(wanted)
            if standard.fifos or (wanted is not None and agent.environment is None):
                self._prepare_first(agent, wanted)
                return m.Started(start.pid)
            if start.image:
                state, agent.image = await self.load(start.image, caller)
                agent.files = state.files
            async with agent.turn:
                await self._run(agent, standard.fds)
                if agent.control is not None and agent.image >= 0:
                    await agent.control.in_place()
                    agent.control.say(b"G")
        except Exception as error:
            # Whatever it is: an agent that is entered and neither runs nor ends would run for ever.
            failure = _failure(error)
            if agent.watched is not None:
                agent.refused = True
                # It has a process, which did not become what it was to be; its end is noted.
                if agent.os_pid:
                    self.signals.send(start.pid, signal.SIGKILL)
                return m.Started(
                    start.pid,
                    failure.errno or errno.EIO,
                    failure.message,
                    failure.hint,
                    NOT_STARTED,
                )
            opened = len(standard.fds) == len(start.ends)
            status = NOT_STARTED if opened else FILE_FAILED
            self.ends.refuse(standard, start.ends)
            standard.close_fds()
            await self._never_started(agent, status)
            return m.Started(
                start.pid, failure.errno or errno.EIO, failure.message, failure.hint, status
            )
        finally:
            if agent.image >= 0:
                os.close(agent.image)
                agent.image = -1
            if agent.preparing is None:
                standard.close_fds()
        return m.Started(start.pid)

    def _prepare_first(self, agent: Agent, wanted: Requirements | None) -> None:
        """Do what may take long, and start a program then; its launcher does not wait for that."""
        agent.preparing = asyncio.create_task(self._make_ready(agent, wanted))
        for number in agent.pending - HARMLESS:
            # It came while the program was asked what it needs.
            self.signals.send(agent.start.pid, number)
        work = self._prepared_first(agent, agent.preparing)
        self.start_task(work, f"agent {agent.start.pid} prepares")

    async def _make_ready(self, agent: Agent, wanted: Requirements | None) -> None:
        """Wait until somebody is at the other ends of its FIFOs, and install what it needs."""
        await self.ends.meet(agent.standard)
        if wanted is not None and agent.environment is None:
            err = agent.standard.fds[2]
            agent.environment = await self.environments.make(wanted, lambda line: say(err, line))

    async def _prepared_first(self, agent: Agent, making: asyncio.Task[None]) -> None:
        status, fds = 0, agent.standard.fds
        try:
            await making
            if agent.signalled:
                # Too late to cancel anything, and not too late to end.
                status = 128 + agent.signalled
            else:
                agent.preparing = None
                await self._run(agent, fds)
        except asyncio.CancelledError:
            status = 128 + (agent.signalled or signal.SIGTERM)
        except Exception as error:
            if 2 in fds:
                say(fds[2], _failure(error).lines())
            status = NOT_STARTED if len(fds) == len(agent.start.ends) else FILE_FAILED
        finally:
            agent.preparing = None
            agent.standard.close_fds()
        if status:
            await self._never_started(agent, status)

    async def _run(self, agent: Agent, fds: dict[int, int]) -> None:
        await self.execution.prepare(agent.start)
        os.makedirs(agent.stage, mode=0o700)
        # A complaint about output that could not be committed goes where its errors go.
        agent.complaints = os.dup(fds[2])
        await self.spawning.spawn(agent, fds)

    def enter(self, start: m.Start, parent: Agent | None = None) -> Agent:
        """Enter an agent that is about to start."""
        caller = Caller(start.user, os.getuid(), os.getgid(), start.pid)
        stage = os.path.join(self._directory, str(start.pid))
        agent = Agent(start, secrets.token_hex(16), caller, stage, parent=parent)
        agent.dropped = lambda: self._line_dropped(agent)
        if start.moves:
            agent.standard.lost = agent.dropped
        if parent is not None and parent.environment is not None:
            agent.environment = self.environments.hold(parent.environment)
        self._agents[start.pid] = agent
        self.signals.entered(start.pid)
        return agent

    def admit(self) -> None:
        """Raise what keeps a newly entered agent from starting: NetworkError, FileError(EAGAIN)."""
        if self._closing:
            raise NetworkError(f"{self.host} is stopping", errno=errno.EAGAIN)
        if len(self._agents) > AGENTS_MAX:
            raise FileError(errno.EAGAIN, hint=f"{AGENTS_MAX} agents run here already")

    def note(self, agent: Agent, os_pid: int) -> None:
        """Write down which OS process an agent is, for the next run; limit it, and send what it
        was sent."""
        if most := agent.start.memory_bytes:
            try:
                resource.prlimit(os_pid, resource.RLIMIT_DATA, (most, most))
            except (OSError, ValueError) as error:
                log.warning("the memory of agent %d is not limited: %s", agent.start.pid, error)
        try:
            self._records.note(agent.start.pid, os_pid)
        except OSError as error:
            pid = agent.start.pid
            log.warning("agent %d is not written down for the next run: %s", pid, error)
        while agent.pending:
            try:
                send(agent, os_pid, agent.pending.pop())
            except ProcessLookupError:
                pass  # It was a short one.

    def start_task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start what follows an agent to its end."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _never_started(self, agent: Agent, status: int) -> None:
        agent.over = True
        for handle in agent.standard.streams.values():
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                log.warning("agent %d: %s", agent.start.pid, error)
        await self._clean_up(agent)
        await self._written_down(agent, status)

    # --- ending ---------------------------------------------------------------------------------
    def _watch_soon(self, agent: Agent, forked: Forked | None) -> None:
        if forked is None:
            work = self._watch(agent)
        else:
            work = self._watch_forked(agent, forked)
            if self._closing:
                # This host has begun to stop while the program started.
                forked.watched.kill()
        self.start_task(work, f"agent {agent.start.pid}")

    async def _watch(self, agent: Agent) -> None:
        assert agent.process is not None
        await _exited(agent.process)
        code = agent.process.wait()
        await self.finish(agent, code if code >= 0 else 128 - code)

    async def _watch_forked(self, agent: Agent, forked: Forked) -> None:
        await forked.ended()
        # From here on its number may be another process's.
        agent.over = True
        status = await forked.status()
        if agent.terminal is not None:
            agent.terminal.agents.pop(forked.watched.os_pid, None)
            if status - 128 in (signal.SIGINT, signal.SIGQUIT):
                # The key was for the whole job, and the kernel has told those with a process.
                self.signals.pressed(agent.terminal, status - 128)
        await self.finish(agent, status)

    async def finish(self, agent: Agent, status: int) -> None:
        """Close what an agent that has ended left open, then write its end down.

        Args:
            status: as sh has it.
        """
        self._records.forget(agent.start.pid)
        agent.over = True
        if agent.refused:
            status = NOT_STARTED
        await self.ending(agent)
        # The streams first: their content is what the program meant to leave.
        for handle in [*agent.standard.streams.values(), *agent.handles.values()]:
            try:
                if isinstance(handle, Shared) and handle in agent.inherited:
                    await handle.drop()
                else:
                    await handle.close()
            except (OneOSError, OSError) as error:
                status = status or FILE_FAILED
                _complain(agent, error)
        agent.handles.clear()
        await self._clean_up(agent)
        self.ended(agent.start)
        agent.gone.set()
        await self._written_down(agent, status)

    async def _clean_up(self, agent: Agent) -> None:
        if agent.control is not None:
            agent.control.close()
        if agent.complaints >= 0:
            os.close(agent.complaints)
            agent.complaints = -1
        if agent.environment is not None:
            self.environments.release(agent.environment)
            agent.environment = None
        await asyncio.to_thread(shutil.rmtree, agent.stage, ignore_errors=True)

    async def _written_down(self, agent: Agent, status: int) -> None:
        try:
            if not (agent.moved or (self._closing and self._starts_again(agent))):
                await self.note_end(agent.start.pid, agent.start.attempt, status)
        finally:
            # It may run here again already.
            if self._agents.get(agent.start.pid) is agent:
                del self._agents[agent.start.pid]

    def _starts_again(self, agent: Agent) -> bool:
        """Whether the network starts it elsewhere as soon as this host has left."""
        process = self._control.state.processes.get(agent.start.pid)
        return process is not None and process.template is not None

    async def never_launched(self, pid: int, attempt: int) -> None:
        """End in the log what was placed here and never launched: its launcher died."""
        await self.note_end(pid, attempt, NOT_STARTED)

    async def note_end(self, pid: int, attempt: int, status: int) -> None:
        """Write down that a program has ended; this returns when it is written."""
        own = self._incarnation()
        ended = t.Ended(self.host, own, [(Pid(pid), status)], now_ns(), [attempt])
        while True:
            try:
                await self._control.submit(ended)
                return
            except OneOSError as error:
                # It is known here, and must become known: nobody else can say it.
                log.warning("the end of %d is not written down yet: %s", pid, error)
                await asyncio.sleep(1.0)

    def _line_dropped(self, agent: Agent) -> None:
        """An agent's input broke off: what it has read is not all there was.

        Left alone it would see an end of file and take it for the whole. SIGHUP is what POSIX
        sends when a line is dropped (general terminal interface, modem disconnect). One that can
        go on from a checkpoint shall do that: it has not failed, and is not to see that it might.
        """
        agent.refused = agent.start.moves
        try:
            number = signal.SIGKILL if agent.refused else signal.SIGHUP
            self.signals.send(agent.start.pid, number)
        except (FileError, ProcessLookupError):
            pass

    def directory(self, pid: int) -> str:
        """What the kernel says of an agent here or of what one started: a directory of /proc.

        Raises:
            FileError: ESRCH.
        """
        agent = self._agents.get(pid)
        if agent is None and block_of(pid) == NO_BLOCK:
            raise FileError(errno.ESRCH)
        # In the name space before outside: there only what stands for it may be seen.
        if self._namespace.proc() >= 0:
            inside = f"/proc/self/fd/{self._namespace.proc()}/{pid}"
            if os.path.exists(inside):
                return inside
        if agent is None or not agent.os_pid:
            raise FileError(errno.ESRCH)
        return f"/proc/{agent.os_pid}"

    async def close(self) -> None:
        """End all agents: SIGTERM, then SIGKILL after a grace; what they wrote is committed."""
        self._closing = True
        for number, wait_s in ((signal.SIGTERM, KILL_GRACE_S), (signal.SIGKILL, CALL_TIMEOUT_S)):
            for pid in list(self._agents):
                for group in (True, False):
                    try:
                        # With all that it started: nobody would end those later.
                        self.signals.send(pid, number, group)
                        # One that was stopped ends only when it goes on.
                        self.signals.send(pid, signal.SIGCONT, group)
                        break
                    except (FileError, ProcessLookupError):
                        pass
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=wait_s)
        await self.spawning.close()


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


async def _nothing(agent: Agent) -> None:
    """Where nobody has to know."""
