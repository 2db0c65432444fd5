"""The agents of this host: programs started, watched and ended.

An agent is an OS process in a process group of its own, with a language's interpreter made to see
the tree (`guest`). Its standard descriptors are kernel pipes, files or devices that were joined
before it started. When it ends, what it left open is closed and committed first; only then is its
end written to the log, so that whoever waits for it finds its output whole.
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

from oneos.errors import FileError, OneOSError, UserError
from oneos.files.handles import Caller, Handle
from oneos.files.piped import piped
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.limits import AGENT_HANDLES_MAX, AGENTS_MAX, KILL_GRACE_S
from oneos.net.routes import Peer, Routes
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.plumbing import Plumbing, Pump, pipe
from oneos.state import control_types as t

log = logging.getLogger(__name__)

FILE_FAILED = 1
"""Status of a program whose redirection failed, as sh has it."""


@dataclass(slots=True)
class Agent:
    """One program that runs here."""

    start: m.Start
    token: str
    caller: Caller
    stage: str
    process: subprocess.Popen[bytes] | None = None
    handles: dict[int, Handle] = field(default_factory=dict)
    streams: list[Handle] = field(default_factory=list)
    pumps: list[Pump] = field(default_factory=list)
    complaints: int = -1
    _last_handle: int = 0

    def keep(self, handle: Handle) -> int:
        """Enter an opened file; returns its number. Raises FileError(EMFILE)."""
        if len(self.handles) >= AGENT_HANDLES_MAX:
            raise FileError(errno.EMFILE)
        self._last_handle += 1
        self.handles[self._last_handle] = handle
        return self._last_handle


class Agents:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run.
        control: where ends are written down.
        tree: for redirections.
        plumbing: pipes and streams.
        interpreters: how programs of each language are started.
        directory: for each agent's private staging directory.
        socket_path: where programs reach this Runtime.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        control: ControlLog,
        tree: Tree,
        plumbing: Plumbing,
        interpreters: Interpreters,
        directory: str,
        socket_path: str,
    ) -> None:
        self.host = host
        self._incarnation = incarnation
        self._control = control
        self._tree = tree
        self._plumbing = plumbing
        self._interpreters = interpreters
        self._directory = directory
        self._socket_path = socket_path
        self._agents: dict[int, Agent] = {}
        self._launches: dict[bytes, dict[int, tuple[int, int]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[int, int] = {}
        self._last_held = 0

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

    def hold(self, fd: int) -> int:
        """Keep a client's descriptor for a launch that follows; it is ours then."""
        self._last_held += 1
        self._held[self._last_held] = fd
        return self._last_held

    def serve(self, routes: Routes) -> None:
        """Answer `agent.*`."""
        routes.add("agent.launch", self._on_launch, m.Launch)
        routes.add("agent.signal", self._on_signal, m.Signal)

    # --- starting -------------------------------------------------------------------------------
    async def _on_launch(self, peer: Peer, launch: m.Launch) -> list[m.Started]:
        # Shielded: a caller that gives up must not leave a pipeline half started.
        return await asyncio.shield(asyncio.ensure_future(self.launch(launch, peer.host)))

    async def launch(self, launch: m.Launch, asker: HostName | None) -> list[m.Started]:
        """Start the agents of one pipeline that were placed here."""
        pipes: dict[int, tuple[int, int]] = {}
        for start in launch.starts:
            for end in start.ends:
                if end.kind == "pipe" and end.number not in pipes:
                    pipes[end.number] = pipe()
        try:
            return [await self._start(start, pipes, asker) for start in launch.starts]
        finally:
            # The programs have their own copies; ours would keep readers from seeing the end.
            for read, write in pipes.values():
                os.close(read)
                os.close(write)
            if asker == self.host:
                self._drop_held(launch)

    def _drop_held(self, launch: m.Launch) -> None:
        for start in launch.starts:
            for end in start.ends:
                if end.kind == "fd" and (fd := self._held.pop(end.number, None)) is not None:
                    os.close(fd)

    async def _start(
        self, start: m.Start, pipes: dict[int, tuple[int, int]], asker: HostName | None
    ) -> m.Started:
        uid = os.getuid()
        caller = Caller(start.user, uid, os.getgid(), start.pid)
        stage = os.path.join(self._directory, str(start.pid))
        agent = Agent(start, secrets.token_hex(16), caller, stage)
        self._agents[start.pid] = agent
        fds: list[int] = []
        try:
            if len(self._agents) > AGENTS_MAX:
                raise FileError(errno.EAGAIN, hint=f"{AGENTS_MAX} agents run here already")
            for number, end in enumerate(start.ends):
                fds.append(await self._end(agent, number, end, fds, pipes, asker))
            os.makedirs(stage, mode=0o700)
            self._spawn(agent, fds)
        except (OneOSError, OSError) as error:
            status = FILE_FAILED if len(fds) < len(start.ends) else 126
            self._end_streams(start.ends, len(fds))
            await self._never_started(agent, status)
            message = error.message if isinstance(error, OneOSError) else str(error)
            hint = error.hint if isinstance(error, OneOSError) else ""
            return m.Started(start.pid, error.errno or errno.EIO, message, hint, status)
        finally:
            for fd in set(fds):
                os.close(fd)
        return m.Started(start.pid)

    async def _end(
        self,
        agent: Agent,
        number: int,
        end: m.End,
        fds: list[int],
        pipes: dict[int, tuple[int, int]],
        asker: HostName | None,
    ) -> int:
        """A descriptor of our own for one standard stream, to be closed after the start."""
        reading = number == 0
        if end.kind == "null":
            return os.open("/dev/null", (os.O_RDONLY if reading else os.O_WRONLY) | os.O_CLOEXEC)
        if end.kind == "closed":
            read, write = os.pipe2(os.O_CLOEXEC)
            os.close(read)
            return write
        if end.kind == "pipe":
            return os.dup(pipes[end.number][0 if reading else 1])
        if end.kind == "dup" and end.number < len(fds):
            return os.dup(fds[end.number])
        if end.kind == "fd" and asker == self.host and end.number in self._held:
            return os.dup(self._held[end.number])
        if end.kind == "stream":
            read, write = pipe()
            if reading:
                pump = self._plumbing.receive(
                    HostName(end.host), end.key, write, lambda: self._line_dropped(agent)
                )
                agent.pumps.append(pump)
                return read
            self._plumbing.send(read, HostName(end.host), end.key)
            return write
        if end.kind == "file":
            return await self._open_file(agent, reading, end)
        raise UserError(f"an agent cannot start with {end.kind!r} as descriptor {number}")

    def _end_streams(self, ends: list[m.End], first: int) -> None:
        """Let neighbours on other hosts see at once that nobody reads or writes here."""
        for number, end in enumerate(ends):
            if number < first or end.kind != "stream":
                continue
            read, write = pipe()
            if number == 0:
                os.close(read)
                self._plumbing.receive(HostName(end.host), end.key, write)
            else:
                os.close(write)
                self._plumbing.send(read, HostName(end.host), end.key)

    async def _open_file(self, agent: Agent, reading: bool, end: m.End) -> int:
        handle = await self._tree.open(end.path, end.flags, end.mode, agent.caller)
        if handle.kind == "host":
            return os.open(handle.path, end.flags | os.O_CLOEXEC)
        if handle.kind == "dir":
            raise FileError(errno.EISDIR, end.path)
        if handle.kind == "remote":
            handle = await piped(handle, reading, end.flags)
        agent.streams.append(handle)
        fd, handle.fd = handle.fd, -1
        return fd

    def _spawn(self, agent: Agent, fds: list[int]) -> None:
        start = agent.start
        argv, environment = self._interpreters.command(start.interpreter, start.arguments)
        environment |= self._interpreters.environment(start.interpreter, start.env)
        environment |= {
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
        task = asyncio.create_task(self._watch(agent), name=f"agent {start.pid}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _never_started(self, agent: Agent, status: int) -> None:
        for handle in agent.streams:
            try:
                await handle.close()
            except OneOSError as error:
                log.warning("agent %d: %s", agent.start.pid, error)
        await self._written_down(agent, status)

    # --- ending ---------------------------------------------------------------------------------
    async def _watch(self, agent: Agent) -> None:
        assert agent.process is not None
        await _exited(agent.process)
        code = agent.process.wait()
        status = code if code >= 0 else 128 - code
        # The streams first: their content is what the program meant to leave.
        for handle in [*agent.streams, *agent.handles.values()]:
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                status = status or FILE_FAILED
                _complain(agent, error)
        agent.handles.clear()
        os.close(agent.complaints)
        for pump in agent.pumps:
            # Nobody reads this input any more: the writer shall learn it.
            if not pump.done():
                pump.cancel()
        await asyncio.to_thread(shutil.rmtree, agent.stage, ignore_errors=True)
        await self._written_down(agent, status)

    async def _written_down(self, agent: Agent, status: int) -> None:
        ended = t.Ended(self.host, self._incarnation(), [(Pid(agent.start.pid), status)], now_ns())
        try:
            while True:
                try:
                    await self._control.submit(ended)
                    return
                except OneOSError as error:
                    # It is known here, and must become known: nobody else can say it.
                    log.warning("the end of %d is not written down yet: %s", agent.start.pid, error)
                    await asyncio.sleep(1.0)
        finally:
            self._agents.pop(agent.start.pid, None)

    # --- signals --------------------------------------------------------------------------------
    async def _on_signal(self, peer: Peer, message: m.Signal) -> None:
        self.signal(message.pid, message.signal)

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to an agent here. Raises FileError(ESRCH)."""
        agent = self._agents.get(pid)
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
        """End all agents: SIGTERM, then SIGKILL after a grace."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in list(self._agents):
                try:
                    self.signal(pid, number)
                except (FileError, ProcessLookupError):
                    pass
            if self._tasks:
                await asyncio.wait(list(self._tasks), timeout=KILL_GRACE_S)


async def _exited(process: subprocess.Popen[bytes]) -> None:
    """Return when a child has ended; it is not reaped yet."""
    loop = asyncio.get_running_loop()
    fd = os.pidfd_open(process.pid)
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


def _complain(agent: Agent, error: OneOSError | OSError) -> None:
    text = error.lines() if isinstance(error, OneOSError) else f"oneos: {error}"
    log.warning("agent %d: %s", agent.start.pid, text)
    try:
        os.set_blocking(agent.complaints, False)
        os.write(agent.complaints, text.encode() + b"\n")
    except OSError:
        # Its reader is gone or slow; the status says that something failed.
        pass
