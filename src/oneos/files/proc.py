"""/proc: the network's process table, as far as this host has read the log; and what native
programs have started, which their hosts are asked for.

`cwd` and `environ` are asked of the process's host; a line written to `ctl` is a signal for it. A
process's own descriptors are at /proc/PID/fd/0, 1 and 2: opening one opens it at the agent's host,
as the kernel's own /proc does, and brings it here.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from oneos.errors import FileError
from oneos.files.control_file import ControlFile
from oneos.files.handles import Caller, Handle, wants_to_write
from oneos.files.virtual import Dir, File, Found, Link, Node, Parts
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.state import control_types as t

OpenDescriptor = Callable[[t.Process, int, int], Awaitable[Handle]]
"""Opens descriptor N of a process with flags, wherever the process runs."""


class Others(Protocol):
    """Processes that are not in the table."""

    async def all(self) -> list[t.Process]:
        """All of them, of hosts that answer in time."""
        ...

    async def find(self, pid: int) -> t.Process | None:
        """One of them."""
        ...


AskFacts = Callable[[t.Process], Awaitable[m.ProcessFacts]]
"""What only a process's own host knows of it."""

Kill = Callable[[int, int], Awaitable[None]]
"""Sends a process a signal."""

_FILES = (b"cmdline", b"context", b"host", b"stat", b"status")


class Proc:
    """See the module."""

    def __init__(
        self,
        control: ControlLog,
        others: Others,
        open_descriptor: OpenDescriptor,
        facts: AskFacts,
        kill: Kill,
    ) -> None:
        self._control = control
        self._others = others
        self._open = open_descriptor
        self._facts = facts
        self._kill = kill

    async def find(self, place: Parts, caller: Caller) -> Found | None:
        processes = self._control.state.processes
        if not place:
            others = [process.pid for process in await self._others.all()]
            names = {b"%d" % pid: stat.S_IFDIR for pid in (*processes, *others)}
            return Dir(names | ({b"self": stat.S_IFDIR} if caller.pid else {}))
        first = b"%d" % caller.pid if place[0] == b"self" and caller.pid else place[0]
        pid = int(first) if first.isdigit() else 0
        process = processes.get(pid) or await self._others.find(pid)
        if process is None:
            return None
        if len(place) == 1:
            names = dict.fromkeys(_FILES, stat.S_IFREG)
            return Dir(names | (_OF_RUNNING if process.state == "running" else {}))
        if len(place) == 2 and place[1] in _FILES:
            text = _TEXTS[place[1]](process, caller)
            return File(lambda: text)
        if process.state != "running":
            return None
        if len(place) == 2 and place[1] == b"cwd":
            return Link((await self._facts(process)).cwd)
        if len(place) == 2 and place[1] == b"environ":
            return File(lambda: self._environ(process, caller), 0o400)
        if len(place) == 2 and place[1] == b"ctl":
            return Node(stat.S_IFREG | 0o200, lambda flags: self._control_file(process, flags))
        if place[1] == b"fd":
            if len(place) == 2:
                return Dir(dict.fromkeys((b"0", b"1", b"2"), stat.S_IFCHR))
            if len(place) == 3 and place[2] in (b"0", b"1", b"2"):
                number = int(place[2])
                return Node(stat.S_IFCHR | 0o600, lambda flags: self._open(process, number, flags))
        return None

    async def _environ(self, process: t.Process, caller: Caller) -> bytes:
        # It may hold secrets: for the user whose program it is.
        if caller.user not in (process.user, "root"):
            raise FileError(errno.EACCES, b"/proc/%d/environ" % process.pid)
        return (await self._facts(process)).environ

    async def _control_file(self, process: t.Process, flags: int) -> Handle:
        if not wants_to_write(flags):
            raise FileError(errno.EACCES, b"/proc/%d/ctl" % process.pid)
        return ControlFile(lambda number: self._kill(process.pid, number))


_OF_RUNNING = {
    b"ctl": stat.S_IFREG,
    b"cwd": stat.S_IFLNK,
    b"environ": stat.S_IFREG,
    b"fd": stat.S_IFDIR,
}


def state_letter(process: t.Process) -> str:
    """R or Z, as ps shows them; an ended process is kept for those who ask how it ended."""
    return "R" if process.state == "running" else "Z"


def _status(process: t.Process, caller: Caller) -> bytes:
    word = "running" if process.state == "running" else "zombie"
    rows = [
        ("Name", _text(process.argv[0].rsplit(b"/", 1)[-1])),
        ("State", f"{state_letter(process)} ({word})"),
        ("Pid", str(process.pid)),
        ("PPid", str(process.ppid)),
        # All programs of a Runtime are its user's: real, effective, saved, and for files.
        ("Uid", "\t".join([str(caller.uid)] * 4)),
        ("Gid", "\t".join([str(caller.gid)] * 4)),
        ("Threads", "1"),
        ("Host", process.host),
        ("User", process.user),
        ("Session", str(process.sid)),
        ("Started", iso(process.started_ns)),
        ("Command", _text(b" ".join(process.argv))),
    ]
    if process.status is not None:
        rows.append(("ExitStatus", str(process.status)))
    if process.reason:
        rows.append(("Reason", process.reason))
    return "".join(f"{key}:\t{value}\n" for key, value in rows).encode()


def _stat(process: t.Process, caller: Caller) -> bytes:
    """As proc_pid_stat(5) has it, with 0 for what only its host's kernel knows."""
    name = _text(process.argv[0].rsplit(b"/", 1)[-1])
    fields = ["0"] * 49
    fields[0:4] = [str(process.ppid), str(process.pid), str(process.sid), "0"]
    fields[16] = "1"
    # In ticks since the reader's host was started, which is what its other clocks go by.
    booted_ns = time.time_ns() - time.clock_gettime_ns(_SINCE_BOOT)
    fields[18] = str(max(0, process.started_ns - booted_ns) * _TICKS // 10**9)
    status = process.status or 0
    fields[48] = str(status << 8 if status < 128 else status - 128)
    words = " ".join(fields)
    return f"{process.pid} ({name}) {state_letter(process)} {words}\n".encode()


_TICKS = os.sysconf("SC_CLK_TCK")
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

_TEXTS: dict[bytes, Callable[[t.Process, Caller], bytes]] = {
    b"cmdline": lambda p, caller: b"".join(word + b"\0" for word in p.argv),
    b"context": lambda p, caller: p.context.encode() + b"\n",
    b"host": lambda p, caller: p.host.encode() + b"\n",
    b"stat": _stat,
    b"status": _status,
}


def iso(ns: int) -> str:
    """A time as ISO 8601 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // 10**9))


def _text(raw: bytes) -> str:
    # One line whatever is in it: a newline in an argument must not fake a field.
    return raw.decode("utf-8", "backslashreplace").replace("\n", "\\n")
