"""Sessions' terminals: on each host where programs of a session run, a pseudo-terminal of its own.

The client keeps the person's own terminal, and moves bytes between it and these: to that of its own
host directly, by the descriptor; to those of others over two streams, what is typed and what is
shown. One is made when the first program needs it, led by a process of its own (`leader.py`), and
lasts as long as the session's client holds it: its end, or that of the connection, hangs it up.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import termios
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from oneos.errors import FileError, NetworkError, OneOSError, UserError
from oneos.guest import launch_python
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import TERMINAL_ANSWER_S, TERMINALS_MAX
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.net.streams import new_stream_id
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.leader import Leader
from oneos.runtime.plumbing import Plumbing, pipe
from oneos.runtime.warmth import kind_of
from oneos.runtime.zygote import Zygote

log = logging.getLogger(__name__)

_REQUESTS = (b"G", b"H", b"M", b"Q", b"W")
_REQUEST_BYTES_MAX = 200


@dataclass(slots=True)
class Terminal:
    """A session's terminal at this host: a descriptor of it, and who leads it."""

    asker: HostName
    sid: int
    slave: int
    leader: Leader | None = None
    agents: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Far:
    """A terminal of a session of this host, wherever it is; `fds` until its client has them."""

    number: int
    host: HostName
    sid: int
    fds: list[int]


class Terminals:
    """See the module.

    Args:
        host: this host.
        links: the connections to other Runtimes.
        plumbing: for the streams.
        interpreters: which Python leads.
        stopped: told the network's PID of a program of this host's sessions that was stopped, and
            the signal; 0: it goes on.
    """

    def __init__(
        self, host: HostName, links: Links, plumbing: Plumbing, interpreters: Interpreters
    ) -> None:
        self.host = host
        self._links = links
        self._plumbing = plumbing
        self._interpreters = interpreters
        self.stopped: Callable[[int, int], None] = lambda pid, number: None
        self.pressed: Callable[[Terminal, int], None] = lambda terminal, number: None
        self._here: dict[tuple[HostName, int], Terminal] = {}
        self._far: dict[tuple[int, HostName], Far] = {}
        self._opening: dict[tuple[int, HostName], asyncio.Lock] = {}
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, routes: Routes) -> None:
        """Answer `terminal.*`."""
        routes.add("terminal.open", self._on_open, m.OpenTerminal, finish=True)
        routes.add("terminal.ask", self._on_ask, m.AskTerminal)
        routes.add("terminal.stopped", self._on_stopped, m.Stopped)

    # --- for clients of this host ---------------------------------------------------------------
    async def ensure(self, sid: int, host: HostName, modes: m.TerminalModes) -> int:
        """Have a terminal for a session at a host; its number here.

        Raises:
            OneOSError: there can be none.
        """
        key = (sid, host)
        async with self._opening.setdefault(key, asyncio.Lock()):
            far = self._far.get(key)
            if far is None:
                if len(self._far) >= TERMINALS_MAX:
                    raise FileError(errno.EAGAIN, hint=f"{TERMINALS_MAX} terminals are open")
                # Before anything is waited for: another host's may be opened at the same time.
                self._last = number = self._last + 1
                fds = await (self._open_here if host == self.host else self._open_far)(key, modes)
                far = self._far[key] = Far(number, host, sid, fds)
            return far.number

    async def _open_here(self, key: tuple[int, HostName], modes: m.TerminalModes) -> list[int]:
        master = await self._make(self.host, key[0], modes)
        return [master, os.dup(master)]

    async def _open_far(self, key: tuple[int, HostName], modes: m.TerminalModes) -> list[int]:
        sid, host = key
        streams = (new_stream_id(), new_stream_id())
        shown, screen = pipe()
        screen_pump = self._plumbing.receive(host, streams[1], screen)
        try:
            request = m.OpenTerminal(sid, modes, *streams)
            await self._links.call(host, "terminal.open", request, None)
        except BaseException:
            screen_pump.cancel()
            os.close(shown)
            raise
        typed, keys = pipe()
        self._plumbing.send(typed, host, streams[0])
        screen_pump.add_done_callback(lambda _: self._forget(key))
        return [keys, shown]

    def _forget(self, key: tuple[int, HostName]) -> None:
        far = self._far.pop(key, None)
        for fd in far.fds if far is not None else ():
            os.close(fd)

    def take(self, number: int) -> list[int]:
        """The descriptors of a terminal, for its client: what is typed, what is shown.

        Raises:
            UserError: there is no such terminal, or it was taken.
        """
        far = self._numbered(number)
        fds, far.fds = far.fds, []
        if not fds:
            raise UserError(f"terminal {number} was taken", errno=errno.EBUSY)
        return fds

    def _numbered(self, number: int) -> Far:
        far = next((x for x in self._far.values() if x.number == number), None)
        if far is None:
            raise UserError(f"there is no terminal {number}", errno=errno.EIO)
        return far

    async def ask(self, number: int, request: bytes) -> bytes:
        """Have the leader of a terminal do something; see docs/guest-protocol.md.

        Raises:
            OneOSError: it does not answer any more.
        """
        far = self._numbered(number)
        if far.host == self.host:
            return await self._ask(self.host, far.sid, request)
        answer: bytes = await self._links.call(
            far.host,
            "terminal.ask",
            m.AskTerminal(far.sid, request),
            bytes,
            timeout_s=TERMINAL_ANSWER_S,
        )
        return answer

    def end(self, sid: int) -> None:
        """A session is over: forget terminals that its client never took."""
        for key in [key for key in self._far if key[0] == sid]:
            self._forget(key)
        for key in [key for key in self._opening if key[0] == sid]:
            del self._opening[key]

    async def _on_stopped(self, peer: Peer, told: m.Stopped) -> None:
        self.stopped(told.pid, told.signal)

    # --- at this host ---------------------------------------------------------------------------
    def find(self, asker: HostName | None, sid: int) -> Terminal:
        """The terminal of a session here. Raises UserError."""
        terminal = self._here.get((asker or self.host, sid))
        if terminal is None:
            raise UserError(f"session {sid} has no terminal at {self.host}", errno=errno.EIO)
        return terminal

    async def _on_open(self, peer: Peer, wish: m.OpenTerminal) -> None:
        assert peer.host is not None
        master = await self._make(peer.host, wish.sid, wish.modes)
        try:
            self._plumbing.receive(peer.host, wish.keys, os.dup(master))
        except BaseException:
            os.close(master)
            raise
        self._plumbing.send(master, peer.host, wish.screen)

    async def _make(self, asker: HostName, sid: int, modes: m.TerminalModes) -> int:
        """Make a terminal with its leader; returns the other side's descriptor."""
        if len(self._here) >= TERMINALS_MAX:
            raise FileError(errno.EAGAIN, hint=f"{self.host} has {TERMINALS_MAX} terminals open")
        try:
            master, slave = os.openpty()
        except OSError as error:
            raise UserError(
                f"{self.host} has no pseudo-terminal: {error.strerror}", errno=error.errno or 5
            ) from error
        terminal = Terminal(asker, sid, slave)
        try:
            _set_up(slave, modes)
            leader = self._lead(terminal, modes.locale)
            terminal.leader = leader
            await leader.until_ready()
        except (OSError, termios.error) as error:
            os.close(master)
            self._over(terminal)
            raise NetworkError(f"no terminal at {self.host}: {error}", errno=errno.EIO) from error
        except BaseException:
            os.close(master)
            self._over(terminal)
            raise
        old = self._here.get((asker, sid))
        if old is not None:
            self._over(old)
        self._here[asker, sid] = terminal
        return master

    def _lead(self, terminal: Terminal, locale: Mapping[bytes, bytes]) -> Leader:
        argv = self._interpreters.command("python", [b"-c", b""])
        kind = kind_of(os.fsencode(argv[0]), launch_python.locale_of(locale))
        if kind is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
        environment = {b"PATH": os.fsencode(os.environ.get("PATH", os.defpath))}

        def lost(zygote: Zygote) -> None:
            self._over(terminal)

        def stopped(os_pid: int, number: int) -> None:
            self._tell(terminal, os_pid, number)

        def pressed(number: int) -> None:
            self.pressed(terminal, number)

        given = environment | dict(kind.locale)
        return Leader(kind, given, lost, terminal.slave, stopped, pressed)

    def _over(self, terminal: Terminal) -> None:
        """A terminal is at its end: its leader has ended, or another one takes its place."""
        if self._here.get((terminal.asker, terminal.sid)) is terminal:
            del self._here[terminal.asker, terminal.sid]
        slave, terminal.slave = terminal.slave, -1
        if slave >= 0:
            os.close(slave)
        leader, terminal.leader = terminal.leader, None
        if leader is not None:
            leader.end()
        if terminal.asker == self.host:
            self._forget((terminal.sid, self.host))

    def _tell(self, terminal: Terminal, os_pid: int, number: int) -> None:
        pid = terminal.agents.get(os_pid)
        if pid is None:
            return
        if terminal.asker == self.host:
            self.stopped(pid, number)
            return
        self._start_task(self._tell_far(terminal.asker, m.Stopped(pid, number)))

    async def _tell_far(self, asker: HostName, told: m.Stopped) -> None:
        try:
            await self._links.call(asker, "terminal.stopped", told, None)
        except OneOSError as error:
            log.warning("%s does not learn that %d was stopped: %s", asker, told.pid, error)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _on_ask(self, peer: Peer, ask: m.AskTerminal) -> bytes:
        assert peer.host is not None
        return await self._ask(peer.host, ask.sid, ask.request)

    async def _ask(self, asker: HostName, sid: int, request: bytes) -> bytes:
        leader = self.find(asker, sid).leader
        if request[:1] not in _REQUESTS or len(request) > _REQUEST_BYTES_MAX or leader is None:
            raise UserError(f"a terminal cannot do {request[:1]!r}")
        try:
            return await leader.ask(request)
        except OSError as error:
            raise NetworkError(f"the terminal at {self.host} is gone", errno=errno.EIO) from error

    async def close(self) -> None:
        """Hang up all terminals."""
        for terminal in list(self._here.values()):
            leader = terminal.leader
            self._over(terminal)
            if leader is not None:
                await leader.closed()
        for task in self._tasks:
            task.cancel()


def _set_up(slave: int, modes: m.TerminalModes) -> None:
    fcntl.ioctl(slave, termios.TIOCSWINSZ, modes.size[:8].ljust(8, b"\0"))
    attributes: list[Any] = termios.tcgetattr(slave)
    attributes[:4] = modes.flags[:4] if len(modes.flags) >= 4 else attributes[:4]
    for at, value in enumerate(modes.characters[: len(attributes[6])]):
        attributes[6][at] = bytes([value])
    termios.tcsetattr(slave, termios.TCSANOW, attributes)
