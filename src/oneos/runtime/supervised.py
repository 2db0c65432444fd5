"""Programs of this host that the network starts by itself: launched as the table says, and ended
when they are to go elsewhere.

Nobody sends them here. Each Runtime reads in its copy of the table which attempts were placed on it
and starts them from their templates, so no message can be lost on the way, and a Scheduler that
fails in the middle leaves nothing half started.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Callable

from oneos.errors import FileError, OneOSError
from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import EVICT_GRACE_S, PROGRAM_LOG_BYTES
from oneos.runtime.agents import Agents
from oneos.state import control_types as t

log = logging.getLogger(__name__)

LOGS = b"/var/log/programs"
"""Where the network keeps the output of programs that nobody waits for, a file each."""

_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_LOG_MODE = 0o640


class Supervised:
    """See the module.

    Args:
        host: this host.
        incarnation: gives the number of this run.
        control: the process table.
        agents: the programs of this host.
        tree: for logs.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        control: ControlLog,
        agents: Agents,
        tree: Tree,
    ) -> None:
        self._host = host
        self._incarnation = incarnation
        self._control = control
        self._agents = agents
        self._tree = tree
        self._begun: dict[int, int] = {}
        self._ending: dict[int, int] = {}

    def look(self) -> None:
        """Start and end what the table says by now; it must be called after each change of it."""
        processes = self._control.state.processes
        for known in (self._begun, self._ending):
            for pid in known.keys() - processes.keys():
                del known[pid]
        for process in processes.values():
            if (
                process.template is None
                or process.state != "running"
                or (process.host, process.incarnation) != (self._host, self._incarnation())
            ):
                continue
            if self._begun.get(process.pid) != process.attempt:
                self._begun[process.pid] = process.attempt
                self._agents.start_task(self._launch(process), f"attempt of {process.pid}")
            elif process.moving and self._ending.get(process.pid) != process.attempt:
                self._ending[process.pid] = process.attempt
                self._agents.start_task(self._end(process), f"eviction of {process.pid}")

    async def _launch(self, process: t.Process) -> None:
        template = process.template
        assert template is not None
        demands = process.demands or t.Demands("")
        if any(stream.kind == "log" for stream in template.streams):
            await self._make_room(process)
        start = m.Start(
            process.pid,
            process.ppid,
            process.sid,
            process.user,
            demands.interpreter,
            process.argv,
            template.arguments,
            template.env,
            process.cwd,
            [_end(process.pid, stream) for stream in template.streams],
            template.umask,
            attempt=process.attempt,
            memory_bytes=demands.memory_bytes,
        )
        (started,) = await self._agents.launch(m.Launch(b"", [start]), self._host)
        if started.errno:
            # Its end is in the table already.
            log.warning("program %d could not be started: %s", process.pid, started.message)

    async def _make_room(self, process: t.Process) -> None:
        """Have a place for what a program prints: its last log is kept once, if it was long."""
        caller = Caller("root", os.getuid(), os.getgid())
        path = LOGS + b"/%d.log" % process.pid
        parts = LOGS.split(b"/")[1:]
        for count in range(1, len(parts) + 1):
            try:
                await self._tree.mkdir(b"/" + b"/".join(parts[:count]), 0o755, caller)
            except OneOSError as error:
                if error.errno != errno.EEXIST:
                    # What is opened there says more.
                    return
        try:
            if (await self._tree.stat(path, caller)).size > PROGRAM_LOG_BYTES:
                await self._tree.rename(path, path + b".1", caller)
        except OneOSError as error:
            if error.errno != errno.ENOENT:
                log.warning("the log of program %d was not put aside: %s", process.pid, error)

    async def _end(self, process: t.Process) -> None:
        """Ask a program to end, and end it if it does not."""
        for number, wait_s in ((signal.SIGTERM, EVICT_GRACE_S), (signal.SIGKILL, EVICT_GRACE_S)):
            try:
                self._agents.signals.send(process.pid, number, True)
            except (FileError, ProcessLookupError):
                pass  # It is about to start, or has ended.
            try:
                await self._control.wait_for(lambda: self._is_over(process), wait_s)
                return
            except OneOSError:
                continue
        log.warning("program %d does not end", process.pid)
        await asyncio.sleep(EVICT_GRACE_S)
        self._ending.pop(process.pid, None)

    def _is_over(self, process: t.Process) -> bool:
        now = self._control.state.processes.get(process.pid)
        return now is None or now.state != "running" or now.attempt != process.attempt


def _end(pid: int, stream: t.Stream) -> m.End:
    if stream.kind == "log":
        return m.End("file", path=LOGS + b"/%d.log" % pid, flags=_LOG_FLAGS, mode=_LOG_MODE)
    return m.End(stream.kind, stream.number, path=stream.path, flags=stream.flags, mode=stream.mode)
