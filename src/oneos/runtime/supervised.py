"""Programs of this host that the network starts by itself: launched as the table says, and ended
when they are to go elsewhere.

Nobody sends them here. Each Runtime reads in its copy of the table which attempts were placed on it
and starts them from their templates, or from the checkpoint that the table names, so no message can
be lost on the way, and a Scheduler that fails in the middle leaves nothing half started. Programs
that are joined find each other by the table as well: the names of their streams are made of a key
in their templates and of how often they fell back.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
import os
import signal
from collections.abc import Callable

from msgspec import structs

from oneos.errors import FileError, OneOSError
from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.ids import HostName, Incarnation
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import EVICT_GRACE_S, PROGRAM_LOG_BYTES
from oneos.net.sides import Kept
from oneos.runtime.agents import Agents
from oneos.runtime.places import LOGS, checkpoint_of, log_of, make_directory
from oneos.runtime.plumbing import Plumbing, pipe
from oneos.runtime.saved import Saved
from oneos.runtime.snapshots import Snapshots
from oneos.state import control_types as t

log = logging.getLogger(__name__)

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
        plumbing: for the streams of those that have ended.
        snapshots: reads checkpoints.
    """

    def __init__(
        self,
        host: HostName,
        incarnation: Callable[[], Incarnation],
        control: ControlLog,
        agents: Agents,
        tree: Tree,
        plumbing: Plumbing,
        snapshots: Snapshots,
    ) -> None:
        self._host = host
        self._incarnation = incarnation
        self._control = control
        self._agents = agents
        self._tree = tree
        self._plumbing = plumbing
        self._snapshots = snapshots
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
            if process.back:
                self._fall_back(process)
            elif self._begun.get(process.pid) != process.attempt:
                self._begun[process.pid] = process.attempt
                self._agents.start_task(self._launch(process), f"attempt of {process.pid}")
            elif process.moving and self._ending.get(process.pid) != process.attempt:
                self._ending[process.pid] = process.attempt
                self._agents.start_task(self._end(process), f"eviction of {process.pid}")

    def _fall_back(self, process: t.Process) -> None:
        """End a program whose group goes on from an earlier moment: nothing it does now counts."""
        start = self._agents.start_of(process.pid)
        for end in start.ends if start is not None else ():
            if end.kind == "stream":
                # First, so that its neighbours do not take its end for the end of what it writes.
                self._plumbing.drop(end.key)
        try:
            self._agents.signals.send(process.pid, signal.SIGKILL, True)
        except (FileError, ProcessLookupError):
            pass  # It has ended.

    async def _launch(self, process: t.Process) -> None:
        try:
            if process.checkpoint:
                await self._launch_again(process)
            else:
                await self._launch_anew(process)
        except (OneOSError, OSError) as error:
            log.warning("program %d could not be started: %s", process.pid, error)
            await self._agents.never_launched(process.pid, process.attempt)

    async def _launch_again(self, process: t.Process) -> None:
        """Have a program go on from the checkpoint of its group."""
        path = checkpoint_of(process.pid, process.checkpoint)
        caller = Caller("root", os.getuid(), os.getgid())
        saved, image = await self._snapshots.load(path, caller)
        os.close(image)
        await self._snapshots.fall_back(saved)
        start = structs.replace(
            saved.start,
            attempt=process.attempt,
            ends=[
                self._stream(process, number) if end.kind == "stream" else end
                for number, end in enumerate(saved.start.ends)
            ],
            image=path,
            kept=saved.kept,
        )
        if saved.status is None:
            await self._agents.launch(m.Launch(b"", [start]), self._host)
        else:
            await self._give_rest(start, saved)

    async def _give_rest(self, start: m.Start, saved: Saved) -> None:
        """Have a program that had ended give what it had written to the next."""
        for end, kept in zip(start.ends, saved.kept, strict=True):
            if end.kind == "stream":
                read, write = pipe()
                os.close(write)
                rest = Kept(kept.offset, kept.data)
                self._plumbing.send(read, HostName(end.host), end.key, end.pid, rest)
        self._snapshots.ended(start)
        await self._agents.note_end(start.pid, start.attempt, saved.status or 0)

    def _stream(self, process: t.Process, number: int) -> m.End:
        """A program's end of a stream to the other one of its group."""
        assert process.template is not None
        wanted = process.template.streams[number]
        for one in self._control.state.processes.values():
            if one.group != process.group or one.template is None:
                continue
            if any(
                stream.kind == "pipe"
                and stream.number == wanted.number
                and (at == 0) != (number == 0)
                for at, stream in enumerate(one.template.streams)
            ):
                name = b"%d %d" % (process.round, wanted.number)
                key = hashlib.blake2b(name, digest_size=16, key=process.template.key).digest()
                return m.End("stream", key=key, host=one.host, pid=one.pid)
        return m.End("null" if number == 0 else "closed")

    async def _launch_anew(self, process: t.Process) -> None:
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
            [
                self._stream(process, number)
                if stream.kind == "pipe"
                else _end(process.pid, stream)
                for number, stream in enumerate(template.streams)
            ],
            template.umask,
            attempt=process.attempt,
            memory_bytes=demands.memory_bytes,
            moves=template.policy.checkpoint_s > 0,
        )
        (started,) = await self._agents.launch(m.Launch(b"", [start]), self._host)
        if started.errno:
            # Its end is in the table already.
            log.warning("program %d could not be started: %s", process.pid, started.message)

    async def _make_room(self, process: t.Process) -> None:
        """Have a place for what a program prints: its last log is kept once, if it was long."""
        caller = Caller("root", os.getuid(), os.getgid())
        path = log_of(process.pid)
        try:
            await make_directory(self._tree, LOGS, 0o755)
        except OneOSError:
            return  # What is opened there says more.
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
        return m.End("file", path=log_of(pid), flags=_LOG_FLAGS, mode=_LOG_MODE)
    return m.End(stream.kind, stream.number, path=stream.path, flags=stream.flags, mode=stream.mode)
