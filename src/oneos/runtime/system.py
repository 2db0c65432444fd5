"""What a person asks of the whole network: status, processes, signals, sessions, voters, tokens."""

from __future__ import annotations

import errno
import logging
import secrets
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs, to_builtins

from oneos.errors import FileError, NetworkError, OneOSError, UserError
from oneos.files.proc import iso
from oneos.ids import Epoch, HostName, Pid
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.services import Services
from oneos.limits import COLLECT_TIMEOUT_S, STATUS_TIMEOUT_S, TOKEN_LIFE_S
from oneos.net.links import Links
from oneos.runtime.agents import Agents
from oneos.runtime.beats import Beats
from oneos.runtime.checkpoints import Checkpoints
from oneos.runtime.descendants import Descendants
from oneos.runtime.joining import NameServer
from oneos.state import control_types as t

log = logging.getLogger(__name__)

SIGNALS_MAX = 64


class System:
    """See the module.

    Args:
        host: this host.
        version: of the package.
        control, services, links, agents, descendants, beats, names: what the answers come from.
        states: the services of this host by name, with their states.
        grow_voters: changes the number of voters.
        ready: whether this Runtime has arrived in the network.
        stop: ends this Runtime.
        checkpoints: take the states of programs.
        problems: what a person should know of this host, a line each.
    """

    def __init__(
        self,
        host: HostName,
        version: str,
        control: ControlLog,
        services: Services,
        links: Links,
        agents: Agents,
        descendants: Descendants,
        beats: Beats,
        names: NameServer,
        states: Callable[[], dict[str, str]],
        grow_voters: Callable[[int], Awaitable[dict[str, Any]]],
        ready: Callable[[], bool],
        stop: Callable[[], None],
        checkpoints: Checkpoints,
        problems: Callable[[], list[str]] = list,
    ) -> None:
        self.host = host
        self._version = version
        self._control = control
        self._services = services
        self._links = links
        self._agents = agents
        self._descendants = descendants
        self._beats = beats
        self._names = names
        self._states = states
        self._grow = grow_voters
        self._ready = ready
        self._stop = stop
        self._checkpoints = checkpoints
        self._problems = problems

    @property
    def network(self) -> str:
        """The network's name."""
        return self._control.state.network

    def note(self, text: str) -> None:
        """Write a line to the Runtime's log."""
        log.warning("%s", text)

    # --- looking --------------------------------------------------------------------------------
    async def status(self) -> dict[str, Any]:
        """The network at a glance, as `oneos status --json` prints it."""
        state = self._control.state
        suspects = self._beats.suspects()
        voters = [voter.name for voter in state.engine.voters]
        agents: dict[str, int] = {}
        for process in state.processes.values():
            if process.state == "running":
                agents[process.host] = agents.get(process.host, 0) + 1
        states = self._states()
        return {
            "network": state.network,
            "host": self.host,
            "ready": self._ready(),
            "version": self._version,
            "generation": state.engine.generation,
            "members": [
                {
                    "name": x.name,
                    "address": f"{x.facts.address}:{x.facts.port}",
                    "state": "suspected" if x.name in suspects else x.state,
                    "incarnation": x.incarnation,
                    "tags": x.facts.tags,
                    "core": x.facts.core,
                    "voter": x.name in voters,
                    "cores": x.facts.cores,
                    "memory_bytes": x.facts.memory_bytes,
                    "load": self._beats.load(x.name),
                    "damaged": damaged,
                    "repaired": repaired,
                    "since": iso(x.since_ns),
                    "agents": agents.get(x.name, 0),
                    "devices": [device.name for device in x.facts.devices],
                }
                for x in sorted(state.members.values(), key=lambda x: x.name)
                for damaged, repaired in [self._beats.damaged(x.name) or (None, None)]
            ],
            "services": [
                {
                    "name": placed.service,
                    "host": placed.host,
                    "epoch": placed.epoch,
                    "state": states.get(placed.service, "starting")
                    if placed.host == self.host
                    else ("running" if placed.host else "none"),
                }
                for placed in self._placements()
            ],
            "voters": voters,
            "under_replicated": await self._count(m.Health()),
            "lost": await self._count(m.Lost()),
            "problems": self._problems(),
        }

    def _placements(self) -> list[t.Placement]:
        """Where each service of the manifest runs; also those that never found a host."""
        state = self._control.state
        nowhere = (t.Placement(rule.name, HostName(""), Epoch(0)) for rule in state.rules)
        return [state.placements.get(none.service, none) for none in nowhere]

    async def _count(self, message: m.Health | m.Lost) -> int | None:
        try:
            return await self._services.ask("storage", message, int, timeout_s=STATUS_TIMEOUT_S)
        except OneOSError:
            # A look at the network must not depend on the network being well.
            return None

    async def processes(self, everything: bool) -> list[dict[str, Any]]:
        """The process table with what its programs started, as `oneos ps --json` prints it."""
        others = await self._descendants.all()
        return [
            {
                "pid": p.pid,
                "ppid": p.ppid,
                "sid": p.sid,
                "user": p.user,
                "host": p.host,
                "state": p.state,
                "started": iso(p.started_ns),
                "command": b" ".join(p.argv).decode("utf-8", "backslashreplace"),
                "status": p.status,
                "reason": p.reason,
                "ends": p.ends,
            }
            for p in sorted([*self._control.state.processes.values(), *others], key=_pid)
            if everything or p.state != "ended"
        ]

    def manifest(self) -> str:
        """The manifest's text, as the network was founded with it."""
        return self._control.state.manifest

    # --- doing ----------------------------------------------------------------------------------
    def explain(self, pid: int) -> dict[str, Any]:
        """Why a program is where it is, as `oneos explain --json` prints it.

        Raises:
            FileError: ESRCH.
        """
        process = self._control.state.processes.get(pid)
        if process is None:
            host = self._descendants.host_of(pid)
            if host is None:
                raise FileError(errno.ESRCH)
            why = [f"on {host}: the program that started it runs there"]
            return {"pid": pid, "state": "running", "host": host, "why": why}
        template = process.template
        return {
            "pid": pid,
            "state": process.state,
            "host": process.host,
            "command": b" ".join(process.argv).decode("utf-8", "backslashreplace"),
            "why": process.why,
            "reason": process.reason,
            "attempt": process.attempt,
            "ends": process.ends,
            "last_status": process.last_status,
            "restart": template.policy.restart if template is not None else "never",
            "checkpoint": process.checkpoint,
        }

    async def migrate(self, pid: int, host: str, wait_s: float = 0.0) -> str:
        """Have a running program go to another host with its state; returns that host's name.

        Args:
            host: "" for the best one.
            wait_s: how long a point is looked for where it can move; 0: as usual.

        Raises:
            UserError: it stays where it is, and why.
        """
        before = self._control.state.processes.get(pid)
        if before is None:
            raise UserError(f"no process {pid} runs", errno=errno.ESRCH, hint="see: oneos ps")
        await self._services.ask("scheduler", m.Migrate(pid, host, wait_s), str, idempotent=False)
        await self._control.barrier()
        while True:
            now = self._control.state.processes.get(pid)
            if now is None or now.state == "ended":
                raise UserError(f"process {pid} has ended meanwhile", errno=errno.ESRCH)
            if now.attempt > before.attempt:
                return now.host
            if not now.target:
                raise UserError(f"process {pid} is still on {now.host}: {now.reason}")
            await self._control.changed()

    async def checkpoint(self, pid: int, path: bytes, user: str) -> int:
        """Keep the state of a running program in a file, while it runs on; returns its size.

        Raises:
            UserError: its state cannot be taken, and why.
            FileError: the file cannot be made.
        """
        process = self._control.state.processes.get(pid)
        if process is None or process.state != "running":
            raise UserError(f"no process {pid} runs", errno=errno.ESRCH, hint="see: oneos ps")
        return await self._checkpoints.take([(process, path)], secrets.token_hex(8), user)

    async def drain(self, host: str, on: bool) -> None:
        """Place no more programs on a host, or do so again."""
        try:
            await self._control.submit(t.Drain(HostName(host), on))
        except UserError as error:
            raise UserError(
                error.message, errno=error.errno, hint="see who is there: oneos status"
            ) from error

    async def kill(
        self, pid: int, number: int, *, zombies: bool = True, final: bool = False
    ) -> None:
        """Send a signal to a process wherever it runs; a negative PID names its process group.

        Args:
            pid, number: as kill(2).
            final: whether a program that ends by it is not started again either: a person sends it.
            zombies: whether it succeeds, without effect, for a program that has ended and is still
                in the table: as for a child that nobody has waited for.

        Raises:
            FileError: ESRCH, EINVAL, EHOSTUNREACH.
        """
        if not 0 <= number <= SIGNALS_MAX:
            raise FileError(errno.EINVAL, hint=f"{number} is no signal")
        group, pid = pid < 0, abs(pid)
        process = self._control.state.processes.get(pid)
        if process is None:
            host = self._descendants.host_of(pid)
            if host is None:
                raise FileError(errno.ESRCH)
            await self._signal_at(host, pid, number, group)
            return
        if process.state == "waiting" or (final and process.template and number in _FINAL):
            waits = process.state == "waiting"
            if waits and number not in _FINAL:
                return
            reason = f"ended by signal {number}"
            await self._control.submit(t.Release(Pid(pid), -1, 128 + number, reason, now_ns()))
            if waits:
                return
        if process.state != "running":
            if zombies:
                return
            raise FileError(errno.ESRCH)
        await self._signal_at(process.host, pid, number, group)

    async def _signal_at(self, host: HostName, pid: int, number: int, group: bool) -> None:
        if host == self.host:
            try:
                await self._agents.signals.send_placed(pid, number, group)
            except ProcessLookupError:
                raise FileError(errno.ESRCH) from None
            return
        try:
            await self._links.call(host, "agent.signal", m.Signal(pid, number, group), None)
        except NetworkError as error:
            raise FileError(errno.EHOSTUNREACH, hint=error.message) from error

    async def login(self, user: str) -> m.LoggedIn:
        """Open a session for a user of this host."""
        member = self._control.state.members[self.host]
        return await self._services.ask("session", m.Login(user, member.incarnation), m.LoggedIn)

    def session_user(self, sid: int) -> str | None:
        """Whose session that is; None unless it is open at this host."""
        session = self._control.state.sessions.get(sid)
        return session.user if session is not None and session.host == self.host else None

    async def logout(self, sid: int) -> None:
        """Close a session; one that is gone already is no error."""
        try:
            await self._services.ask("session", m.Logout(sid), None, timeout_s=STATUS_TIMEOUT_S)
        except OneOSError as error:
            log.info("session %d: %s", sid, error)

    async def grow(self, count: int) -> dict[str, Any]:
        """Change the number of voters."""
        return await self._grow(count)

    async def token(self) -> dict[str, Any]:
        """A join token, and the line to paste at the new host."""
        token = str(await self._names.make_token())
        facts = self._control.state.members[self.host].facts
        where = f"{facts.address}:{facts.port}"
        # printf is a part of the shell, so the token is in no process's arguments.
        line = f"printf %s {token} | oneos join {where} --token-file -"
        return {"token": token, "join_line": line, "expires_s": TOKEN_LIFE_S}

    async def forget(self, host: str) -> None:
        """Strike off a host that left or died."""
        try:
            await self._control.submit(t.Forget(HostName(host), now_ns()))
        except UserError as error:
            hint = "see who is there: oneos status"
            if error.errno == errno.EBUSY:
                alive = host in [member.name for member in self._control.machine.alive()]
                count = len(self._control.state.engine.voters)
                hint = f"another takes its place by: oneos voters {count}"
                hint = f"at {host}: oneos down" if alive else hint
            raise UserError(error.message, errno=error.errno, hint=error.hint or hint) from error

    async def collect(self) -> list[dict[str, Any]]:
        """Remove the content that no file has any more; what went at each live host."""
        found: list[m.Collected] = await self._services.ask(
            "storage", m.CollectNow(), list[m.Collected], timeout_s=COLLECT_TIMEOUT_S
        )
        return [structs.asdict(one) for one in found]

    async def check(
        self, message: m.CheckBegin | m.CheckLook | m.CheckEnd
    ) -> dict[str, Any] | None:
        """Begin a check, look how far it is, or end it."""
        state: m.CheckState | None = await self._services.ask(
            "storage", message, m.CheckState | None
        )
        return None if state is None else to_builtins(state, builtin_types=(bytes,))

    def stop(self) -> None:
        """End this Runtime, once the answer is out."""
        if not self.network:
            raise UserError("this Runtime is still starting", errno=errno.EAGAIN)
        self._stop()


_FINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM)
"""What ends a program for good when a person sends it; others, as SIGHUP, may mean anything."""


def _pid(process: t.Process) -> int:
    return process.pid
