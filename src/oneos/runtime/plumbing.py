"""Pipes and streams: how the ends of programs on this and other hosts are joined.

Two programs of one host get a kernel pipe. Between hosts each end is a kernel pipe too, and a pump
carries its bytes over one direct connection: whoever produces dials. Everything opened here is
closed here when its pump ends; how it ended is told to whoever waits.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Awaitable

from oneos.errors import OneOSError
from oneos.files.handles import Plain
from oneos.ids import HostName
from oneos.limits import PIPE_BYTES
from oneos.net.pump import Ended, PumpResult, pump_in, pump_out
from oneos.net.stream import StreamConnection
from oneos.net.streams import Streams

log = logging.getLogger(__name__)

Pump = asyncio.Task[PumpResult | None]


def pipe() -> tuple[int, int]:
    """A kernel pipe as large as an ordinary user may have it: (read end, write end)."""
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:
        # The user's allowance of pipe memory is used up: the default size is only slower.
        pass
    return read, write


class Plumbing:
    """The pumps of this Runtime."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._pumps: set[Pump] = set()

    def send(self, fd: int, host: HostName, stream: bytes) -> Pump:
        """Carry what is read from `fd` to the stream that `host` expects; `fd` is ours then."""
        return self._start(self._out(fd, self._streams.dial(host, stream)), f"to {host}")

    def receive(self, host: HostName, stream: bytes, fd: int) -> Pump:
        """Write what `host` sends on a stream to `fd`, which is ours then.

        Raises:
            NetworkError: there are too many streams.
        """
        try:
            connection = self._streams.expect(stream, host)
        except BaseException:
            os.close(fd)
            raise
        return self._start(self._in(connection, fd), f"from {host}")

    def _start(self, work: Awaitable[PumpResult | None], name: str) -> Pump:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        task.set_name(f"pump {name}")
        self._pumps.add(task)
        task.add_done_callback(self._pumps.discard)
        return task

    async def _out(self, fd: int, dial: Awaitable[StreamConnection]) -> PumpResult | None:
        try:
            connection = await dial
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OneOSError):
                log.warning("a stream could not be opened: %s", error)
                return None
            raise
        return _told(await pump_out(fd, connection))

    async def _in(self, expected: Awaitable[StreamConnection], fd: int) -> PumpResult | None:
        try:
            connection = await expected
        except BaseException as error:
            os.close(fd)
            if isinstance(error, OneOSError):
                log.warning("a stream did not come: %s", error)
                return None
            raise
        return _told(await pump_in(connection, fd))

    async def close(self) -> None:
        """End all pumps."""
        pumps = list(self._pumps)
        for task in pumps:
            task.cancel()
        if pumps:
            await asyncio.wait(pumps)


def _told(result: PumpResult) -> PumpResult:
    if result.ended is Ended.BROKEN:
        log.warning("a stream broke after %d bytes: %s", result.bytes_moved, result.detail)
    return result


class StreamFile(Plain):
    """Something at another host that a program here reads or writes through a pipe.

    A writer's `close` returns when all that was written has arrived there.
    """

    def __init__(self, fd: int, pump: Pump, writing: bool) -> None:
        super().__init__(fd)
        self._pump = pump
        self._writing = writing

    async def close(self) -> None:
        self.close_fd()
        if self._writing:
            await asyncio.wait((self._pump,))


class DrainedFile(Plain):
    """A device's descriptor here, with what has to be closed behind it."""

    def __init__(self, fd: int, finish: Awaitable[None] | None) -> None:
        super().__init__(fd)
        self._finish = finish

    async def close(self) -> None:
        self.close_fd()
        finish, self._finish = self._finish, None
        if finish is not None:
            await finish
