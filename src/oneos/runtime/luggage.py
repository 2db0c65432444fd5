"""The standard descriptors of a program that moves: taken off at its host, put on where it goes.

A stream to another host is frozen, and goes on from there. What leads to something of this host, a
pipe to a neighbour, a device, or what whoever started the program has open, becomes a stream from
here. A file is opened again, where the program stood in it.

A checkpoint takes them off as well, and puts them on again at once.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from oneos.errors import OneOSError, UserError
from oneos.files.handles import Handle
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import MOVE_PIPE_BYTES
from oneos.net.sides import Outgoing
from oneos.net.streams import new_stream_id
from oneos.runtime.agent import Agent
from oneos.runtime.carrying import Carried
from oneos.runtime.places import log_of
from oneos.runtime.plumbing import Plumbing, Pump

log = logging.getLogger(__name__)

_NOT_AGAIN = os.O_CREAT | os.O_EXCL | os.O_TRUNC


@dataclass(slots=True)
class Luggage:
    """What was taken off. Either `arrived` or `back` follows.

    `own` are what is of this host, `unread` what was taken out of the pipe to the program, and
    `unsent` out of that from it.
    """

    ends: list[m.End] = field(default_factory=list)
    kept: list[m.KeptAhead] = field(default_factory=list)
    frozen: list[Carried] = field(default_factory=list)
    own: dict[int, int] = field(default_factory=dict)
    unread: dict[int, bytes] = field(default_factory=dict)
    unsent: list[tuple[Outgoing, bytes]] = field(default_factory=list)

    def fill_again(self) -> None:
        """Put into the pipes what was written into them, and nobody has read since."""
        for side, data in self.unsent:
            fd = os.open(f"/proc/self/fd/{side.program.descriptor}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, data)
            finally:
                os.close(fd)
        self.unsent.clear()


class Porter:
    """See the module.

    Args:
        host: this host.
        plumbing: the streams.
        output: is told of pumps that bring a program's output to who started it.
    """

    def __init__(
        self, host: HostName, plumbing: Plumbing, output: Callable[[int, Pump], None]
    ) -> None:
        self._host = host
        self._plumbing = plumbing
        self._output = output
        self._closing: set[asyncio.Task[None]] = set()

    async def take_off(self, agent: Agent, leaving: bool = True) -> Luggage:
        """Take the descriptors of a program that stands.

        Args:
            leaving: it goes elsewhere; else it stays, and what is of this host stays with it.

        Raises:
            UserError: one of them cannot move; nothing was done.
        """
        luggage = Luggage()
        try:
            for number, end in enumerate(agent.start.ends):
                await self._take(agent, number, end, luggage, leaving)
        except BaseException:
            self.back(agent, luggage)
            raise
        return luggage

    async def take_left(self, start: m.Start) -> Luggage:
        """Take what a program that has ended wrote and its reader has not got yet."""
        luggage = Luggage()
        for number, end in enumerate(start.ends):
            carried = self._plumbing.find(end.key, number == 0) if end.kind == "stream" else None
            side = await carried.freeze() if carried is not None and number else None
            if carried is not None and isinstance(side, Outgoing):
                luggage.frozen.append(carried)
                luggage.kept.append(_written(side, luggage))
                luggage.ends.append(end)
            else:
                luggage.kept.append(m.KeptAhead())
                luggage.ends.append(m.End("null" if number == 0 else "closed"))
        return luggage

    async def _take(
        self, agent: Agent, number: int, end: m.End, luggage: Luggage, leaving: bool
    ) -> None:
        incoming, kept = number == 0, m.KeptAhead()
        at = _Place(agent.os_pid, number)
        if end.kind in ("null", "dup", "closed"):
            pass
        elif end.kind == "file" and (at.is_file or not leaving):
            end = m.End("file", path=end.path, flags=end.flags & ~_NOT_AGAIN, mode=end.mode)
            kept = m.KeptAhead(at.offset())
        elif end.kind == "stream":
            carried = self._plumbing.find(end.key, incoming)
            side = await carried.freeze() if carried is not None else None
            if carried is not None and side is not None:
                luggage.frozen.append(carried)
                if isinstance(side, Outgoing):
                    kept = _written(side, luggage)
                else:
                    unread = self._unread(agent, luggage)
                    begin = side.received - len(side.ahead) - len(unread)
                    kept = m.KeptAhead(begin, unread + side.ahead)
                end = m.End("stream", key=end.key, host=self._plumbing.at(carried), pid=end.pid)
            elif incoming:
                # All has come: what is not read yet goes with the program, and then it ends.
                end, kept = m.End("data"), m.KeptAhead(0, self._unread(agent, luggage))
            else:
                end = m.End("closed")
        elif end.kind == "data":
            kept = m.KeptAhead(0, self._unread(agent, luggage))
        elif end.kind in ("pipe", "fd", "file") and leaving:
            fd = _descriptor(agent.os_pid, number)
            luggage.own[number] = fd
            end = m.End("stream", key=new_stream_id(), host=self._host)
        elif end.kind not in ("pipe", "fd"):
            raise UserError(f"descriptor {number} is a terminal, which does not move yet")
        luggage.ends.append(end)
        luggage.kept.append(kept)

    def _unread(self, agent: Agent, luggage: Luggage) -> bytes:
        fd = _descriptor(agent.os_pid, 0)
        try:
            luggage.unread[0] = _drain(fd)
        finally:
            os.close(fd)
        return luggage.unread[0]

    def arrived(self, agent: Agent, luggage: Luggage, host: HostName) -> None:
        """The program is elsewhere: what is of this host goes on from here."""
        for carried in luggage.frozen:
            carried.thaw(stays=False)
        pid = agent.start.pid
        for number, fd in luggage.own.items():
            key = luggage.ends[number].key
            if number == 0:
                pump = self._plumbing.send(fd, host, key, peer=pid)
            else:
                pump = self._plumbing.receive(host, key, fd, peer=pid)
                self._output(pid, pump)
            if (handle := agent.standard.streams.pop(number, None)) is not None:
                # It ends when what passes through here does, and not with the program here.
                pump.add_done_callback(partial(self._close, handle))
        luggage.own.clear()

    def _close(self, handle: Handle, _: Pump) -> None:
        async def close() -> None:
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                log.warning("what a program that moved had open: %s", error)

        task = asyncio.ensure_future(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def back(self, agent: Agent, luggage: Luggage) -> None:
        """The program stays: all is as it was."""
        luggage.fill_again()
        for number, data in luggage.unread.items():
            fd = _descriptor(agent.os_pid, number, os.O_WRONLY)
            try:
                # It was in there, and nobody has written since.
                os.write(fd, data)
            finally:
                os.close(fd)
        for carried in luggage.frozen:
            carried.thaw(stays=True)
        for fd in luggage.own.values():
            os.close(fd)
        luggage.own.clear()


def widen(os_pid: int) -> None:
    """Make room for what a program is writing, or has in hand to be written: no image has that."""
    for number in (1, 2):
        path = f"/proc/{os_pid}/fd/{number}"
        try:
            if not _is_pipe(path):
                continue
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue  # It is closed, or nobody reads it.
        try:
            if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < MOVE_PIPE_BYTES:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, MOVE_PIPE_BYTES)
        except OSError:
            pass  # This user may have no more.
        finally:
            os.close(fd)


def _is_pipe(path: str) -> bool:
    # By its link: to look at a file of the name space would be to wait for this Runtime.
    return os.readlink(path).startswith("pipe:")


def _descriptor(os_pid: int, number: int, flags: int = 0) -> int:
    """A program's descriptor, the same open file where that can be had."""
    path = f"/proc/{os_pid}/fd/{number}"
    try:
        if _is_pipe(path):
            writing = flags or (os.O_RDONLY if number == 0 else os.O_WRONLY)
            fd = os.open(path, writing | os.O_NONBLOCK | os.O_CLOEXEC)
            os.set_blocking(fd, True)
            return fd
        # A position belongs to the open file: opening it again would begin at its start.
        pidfd = os.pidfd_open(os_pid)
        try:
            return _get(pidfd, number)
        finally:
            os.close(pidfd)
    except OSError as error:
        raise UserError(
            f"descriptor {number} cannot be taken along: {error.strerror}", errno=error.errno
        ) from None


def _get(pidfd: int, number: int) -> int:
    import ctypes  # Only for this, and few Runtimes come here.

    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(_PIDFD_GETFD, pidfd, number, 0)
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd


_PIDFD_GETFD = 438
"""The same number on every machine."""


def _written(side: Outgoing, luggage: Luggage) -> m.KeptAhead:
    """All that a program has written and its reader has not got."""
    rest = side.rest()
    data = b"" if side.ended else _drain(side.program.descriptor)
    if data:
        luggage.unsent.append((side, data))
    return m.KeptAhead(rest.offset, rest.data + data)


class _Place:
    """Where a program stands in one of its descriptors."""

    def __init__(self, os_pid: int, number: int) -> None:
        self._number = number
        self._path = f"/proc/{os_pid}/fd/{number}"
        self._info = f"/proc/{os_pid}/fdinfo/{number}"

    @property
    def is_file(self) -> bool:
        """Whether it is a file, and no pipe through which one is read or written."""
        return self.link.startswith("/")

    @property
    def is_written(self) -> bool:
        """Whether the program writes there, and does not append."""
        flags = self._field("flags:", 8)
        return flags & os.O_ACCMODE != os.O_RDONLY and not flags & os.O_APPEND

    def offset(self) -> int:
        """The position; 0 where there is none."""
        return self._field("pos:", 10) if self.is_file else 0

    @property
    def link(self) -> str:
        """What it is, as the kernel has it: a path, where the program sees it, or a kind."""
        try:
            return os.readlink(self._path)
        except OSError as error:
            raise UserError(
                f"descriptor {self._number} is not to be seen: {error.strerror}"
            ) from None

    def _field(self, name: str, base: int) -> int:
        try:
            with open(self._info, encoding="ascii") as file:
                return next(int(line.split()[1], base) for line in file if line.startswith(name))
        except (OSError, ValueError, IndexError, StopIteration):
            raise UserError(f"the position in descriptor {self._number} is not known") from None


def _drain(fd: int) -> bytes:
    """All that is in a pipe now."""
    got = bytearray()
    blocking = os.get_blocking(fd)
    os.set_blocking(fd, False)
    try:
        while piece := os.read(fd, 1 << 20):
            got += piece
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
    finally:
        os.set_blocking(fd, blocking)
    return bytes(got)


def written_files(agent: Agent) -> list[bytes]:
    """Paths, in the tree, of the files that a program may write, but for those it appends to.

    To append is to write with others, whose part cannot be told from the program's own.
    """
    paths = [
        end.path
        for end in agent.start.ends
        if end.kind == "file"
        and end.flags & os.O_ACCMODE != os.O_RDONLY
        # Its log only the program itself appends to.
        and (not end.flags & os.O_APPEND or end.path == log_of(agent.start.pid))
    ]
    try:
        numbers = [int(name) for name in os.listdir(f"/proc/{agent.os_pid}/fd")]
    except OSError:
        return paths
    for number in numbers:
        at = _Place(agent.os_pid, number)
        try:
            if number > 2 and at.is_file and at.is_written:
                paths.append(os.fsencode(at.link))
        except UserError:
            continue  # It was closed.
    return paths
