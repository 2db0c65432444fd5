"""The standard descriptors of a program that moves: taken off at its host, put on where it goes.

A stream to another host is frozen, and goes on from there. What leads to something of this host, a
pipe to a neighbour or what whoever started the program has open, becomes a stream from here. A
file is opened again, where the program stood in it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from oneos.errors import UserError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import MOVE_PIPE_BYTES
from oneos.net.sides import Outgoing
from oneos.net.streams import new_stream_id
from oneos.runtime.agent import Agent
from oneos.runtime.carrying import Carried
from oneos.runtime.plumbing import Plumbing, Pump

_NOT_AGAIN = os.O_CREAT | os.O_EXCL | os.O_TRUNC


@dataclass(slots=True)
class Luggage:
    """What was taken off. Either `arrived` or `back` follows."""

    ends: list[m.End] = field(default_factory=list)
    kept: list[m.KeptAhead] = field(default_factory=list)
    frozen: list[Carried] = field(default_factory=list)
    own: dict[int, int] = field(default_factory=dict)
    unread: dict[int, bytes] = field(default_factory=dict)


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

    async def take_off(self, agent: Agent) -> Luggage:
        """Take the descriptors of a program that stands.

        Raises:
            UserError: one of them cannot move; nothing was done.
        """
        luggage = Luggage()
        try:
            for number, end in enumerate(agent.start.ends):
                await self._take(agent, number, end, luggage)
        except BaseException:
            self.back(agent, luggage)
            raise
        return luggage

    async def _take(self, agent: Agent, number: int, end: m.End, luggage: Luggage) -> None:
        incoming, kept = number == 0, m.KeptAhead()
        if end.kind in ("null", "dup", "closed"):
            pass
        elif end.kind == "file":
            end = m.End("file", path=end.path, flags=end.flags & ~_NOT_AGAIN, mode=end.mode)
            kept = m.KeptAhead(_offset(agent.os_pid, number))
        elif end.kind == "stream":
            carried = self._plumbing.find(end.key, incoming)
            side = await carried.freeze() if carried is not None else None
            if carried is not None and side is not None:
                luggage.frozen.append(carried)
                if isinstance(side, Outgoing):
                    rest = side.rest()
                    kept = m.KeptAhead(rest.offset, rest.data + _drain(side.program.descriptor))
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
        elif end.kind in ("pipe", "fd"):
            fd = _descriptor(agent.os_pid, number)
            luggage.own[number] = fd
            end = m.End("stream", key=new_stream_id(), host=self._host)
        else:
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
                self._plumbing.send(fd, host, key, peer=pid)
            else:
                self._output(pid, self._plumbing.receive(host, key, fd, peer=pid))
        luggage.own.clear()

    def back(self, agent: Agent, luggage: Luggage) -> None:
        """The program stays: all is as it was."""
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
            if not stat.S_ISFIFO(os.stat(path).st_mode):
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


def _descriptor(os_pid: int, number: int, flags: int = 0) -> int:
    """A program's descriptor, the same open file where that can be had."""
    path = f"/proc/{os_pid}/fd/{number}"
    try:
        if stat.S_ISFIFO(os.stat(path).st_mode):
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


def _offset(os_pid: int, number: int) -> int:
    try:
        with open(f"/proc/{os_pid}/fdinfo/{number}", encoding="ascii") as file:
            return int(file.readline().split()[1])
    except (OSError, ValueError, IndexError):
        raise UserError(f"the position in descriptor {number} is not known") from None


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
