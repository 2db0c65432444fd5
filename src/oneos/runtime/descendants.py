"""What the programs of a name space have started: known to their host's kernel, and asked of it.

Nothing of them is in the log: a native program forks without asking anybody. Their numbers are of
their host's block, so a number says whom to ask for it, and a list is asked of all hosts that have
a name space, each for a bounded time. User and session are those of the program in the table that
they descend from, or of its process group; whose parent has ended has 1 as its parent.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from oneos.errors import FileError, OneOSError
from oneos.ids import HostName, Incarnation, Pid, SessionId
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import DESCENDANTS_MAX, LISTING_S
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.state import control_types as t
from oneos.state import pids

_COMMAND_BYTES_MAX = 4096
_TICKS = os.sysconf("SC_CLK_TCK")
_PROCESS_GROUP = 4
"""Flag of pidfd_send_signal(2) since Linux 6.9."""

_ORPHANED = Pid(1)


@dataclass(frozen=True, slots=True)
class _Stat:
    """What /proc says of a process, in the numbers of its name space."""

    state: str
    parent: int
    group: int
    session: int
    start_ticks: int


class Descendants:
    """See the module.

    Args:
        host: this host.
        control: the process table, and which host has which numbers.
        links: to the other hosts.
        proc: the /proc of the name space here; -1 where there is none.
    """

    def __init__(
        self, host: HostName, control: ControlLog, links: Links, proc: Callable[[], int]
    ) -> None:
        self.host = host
        self._control = control
        self._links = links
        self._proc = proc
        self.hidden: Callable[[], set[int]] = set
        """Processes of the name space here that are no programs."""

    def serve(self, routes: Routes) -> None:
        """Answer `agent.descendants`."""
        routes.add("agent.descendants", self._on_list, m.Descendants)

    # --- of this host ---------------------------------------------------------------------------
    async def _on_list(self, peer: Peer, asked: m.Descendants) -> list[t.Process]:
        return self.here(asked.pid)

    def here(self, pid: int = 0) -> list[t.Process]:
        """Those of this host; with `pid` that one, if it is there."""
        proc = self._proc()
        if proc < 0:
            return []
        now_ns = time.time_ns() - int(time.clock_gettime(time.CLOCK_BOOTTIME) * 10**9)
        stats = {number: stat for number in self._numbers(proc) if (stat := _stat(proc, number))}
        wanted = [pid] if pid else [n for n in stats if pids.block_of(n) != pids.NO_BLOCK]
        found = []
        for number in sorted(wanted)[:DESCENDANTS_MAX]:
            if number in stats:
                found.append(self._entry(proc, number, stats, now_ns))
        return found

    def _numbers(self, proc: int) -> Iterator[int]:
        hidden = self.hidden()
        return (
            int(name) for name in os.listdir(proc) if name.isdigit() and int(name) not in hidden
        )

    def _entry(self, proc: int, number: int, stats: dict[int, _Stat], booted_ns: int) -> t.Process:
        stat = stats[number]
        owner = self._owner(number, stats)
        member = self._control.state.members.get(self.host)
        return t.Process(
            Pid(number),
            Pid(stat.parent) if stat.parent > 1 else _ORPHANED,
            owner.sid if owner else SessionId(0),
            owner.user if owner else "root",
            self.host,
            member.incarnation if member else Incarnation(0),
            _command(proc, number),
            owner.cwd if owner else b"/",
            booted_ns + stat.start_ticks * 10**9 // _TICKS,
            state="ended" if stat.state in "ZX" else "running",
            context="namespace",
        )

    def _owner(self, number: int, stats: dict[int, _Stat]) -> t.Process | None:
        """The program of the table that a process descends from, or one of its group."""
        processes = self._control.state.processes
        at: _Stat | None = stats[number]
        seen = set()
        while at is not None:
            for candidate in (at.parent, at.group):
                process = processes.get(candidate)
                if process is not None and process.host == self.host:
                    return process
            if at.parent in seen:
                # The list was not made at one moment: a number may stand for two in it.
                return None
            seen.add(at.parent)
            at = stats.get(at.parent)
        return None

    def signal(self, pid: int, number: int, group: bool) -> None:
        """Send a signal to a process of the name space here, or to a group by its leader.

        Args:
            pid: also that of a program of the table, where it runs there.

        Raises:
            FileError: ESRCH, EINVAL, EPERM.
        """
        proc = self._proc()
        try:
            if proc < 0:
                raise ProcessLookupError
            if group and (stat := _stat(proc, pid)) is not None and stat.group != pid:
                raise ProcessLookupError
            # A directory of /proc stands for the process as a pidfd does.
            fd = os.open(str(pid), os.O_RDONLY | os.O_DIRECTORY, dir_fd=proc)
            try:
                signal.pidfd_send_signal(fd, number, None, _PROCESS_GROUP if group else 0)
            finally:
                os.close(fd)
        except (ProcessLookupError, FileNotFoundError):
            raise FileError(errno.ESRCH) from None
        except OSError as error:
            if group and error.errno == errno.EINVAL:
                self._signal_each(proc, pid, number)
                return
            raise FileError(error.errno or errno.EIO) from None

    def _signal_each(self, proc: int, group: int, number: int) -> None:
        """As kernels before 6.9 need it: whoever forks meanwhile may be missed."""
        for pid in self._numbers(proc):
            stat = _stat(proc, pid)
            if stat is not None and stat.group == group:
                self.signal(pid, number, False)

    # --- of the network -------------------------------------------------------------------------
    async def all(self) -> list[t.Process]:
        """Those of every host that answers in time."""
        hosts = [
            member.name
            for member in self._control.machine.alive()
            if "native" in member.facts.interpreters and member.block != pids.NO_BLOCK
        ]
        lists = await asyncio.gather(*(self._ask(host, 0) for host in hosts))
        return [process for found in lists for process in found]

    async def find(self, pid: int) -> t.Process | None:
        """One of them; None also where its host does not answer in time."""
        host = self.host_of(pid)
        if host is None:
            return None
        return next(iter(await self._ask(host, pid)), None)

    def host_of(self, pid: int) -> HostName | None:
        """Which live host gives that number; None for one of the log's."""
        block = pids.block_of(pid)
        if block == pids.NO_BLOCK:
            return None
        alive = self._control.machine.alive()
        return next((member.name for member in alive if member.block == block), None)

    async def _ask(self, host: HostName, pid: int) -> list[t.Process]:
        if host == self.host:
            return self.here(pid)
        try:
            found: list[t.Process] = await self._links.call(
                host, "agent.descendants", m.Descendants(pid), list[t.Process], timeout_s=LISTING_S
            )
        except OneOSError:
            return []
        return found


def _stat(proc: int, pid: int) -> _Stat | None:
    try:
        fd = os.open(f"{pid}/stat", os.O_RDONLY, dir_fd=proc)
    except OSError:
        return None
    try:
        # The name, in brackets, may have anything in it; what follows it are numbers.
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
    except OSError:
        return None
    finally:
        os.close(fd)
    parent, group, session = map(int, fields[1:4])
    return _Stat(fields[0].decode(), parent, group, session, int(fields[19]))


def _command(proc: int, pid: int) -> list[bytes]:
    """Its arguments; of one that has ended its name in brackets, as ps has it."""
    try:
        fd = os.open(f"{pid}/cmdline", os.O_RDONLY, dir_fd=proc)
        try:
            words = os.read(fd, _COMMAND_BYTES_MAX).rstrip(b"\0").split(b"\0")
        finally:
            os.close(fd)
        if words != [b""]:
            return words
        fd = os.open(f"{pid}/comm", os.O_RDONLY, dir_fd=proc)
        try:
            return [b"[" + os.read(fd, 64).strip() + b"]"]
        finally:
            os.close(fd)
    except OSError:
        return [b"?"]
