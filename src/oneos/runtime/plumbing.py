"""Pipes and streams: how the ends of programs on this and other hosts are joined.

Two programs of one host get a kernel pipe. Between hosts each end is a kernel pipe too, and a pump
carries its bytes over one direct connection: whoever produces dials. A connection that is lost
while both Runtimes go on is made anew, and nothing is lost or doubled by it. Everything opened here
is closed here when its pump ends; how it ended is told to whoever waits.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace

from oneos.errors import FileError, OneOSError
from oneos.files.handles import Plain
from oneos.ids import HostName
from oneos.limits import PIPE_BYTES, STREAM_RECONNECT_S, STREAM_REDIAL_S
from oneos.net.pump import Ended, PumpResult, pump_in, pump_out
from oneos.net.sides import Incoming, Outgoing
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
    """The pumps of this Runtime.

    Args:
        streams: of this host.
        run_of: the incarnation of a live host's Runtime, None of one that is given up: with its
            Runtime a host has lost all that streams led to.
    """

    def __init__(
        self, streams: Streams, run_of: Callable[[HostName], int | None] = lambda host: None
    ) -> None:
        self._streams = streams
        self._run_of = run_of
        self._pumps: set[Pump] = set()

    def send(self, fd: int, host: HostName, stream: bytes) -> Pump:
        """Carry what is read from `fd` to the stream that `host` expects; `fd` is ours then."""

        async def carry() -> PumpResult:
            connection = await self._streams.dial(host, stream)
            side = Outgoing(_copy(fd, connection))

            async def again() -> StreamConnection:
                return await self._streams.dial(host, stream)

            try:
                return await self._carry(
                    host, connection, lambda connection: pump_out(side, connection), again
                )
            finally:
                side.close()

        return self._start(carry(), fd, f"to {host}", None)

    def receive(
        self,
        host: HostName,
        stream: bytes,
        fd: int,
        broken: Callable[[], None] | None = None,
    ) -> Pump:
        """Write what `host` sends on a stream to `fd`, which is ours then.

        Args:
            broken: called when the stream ended without its end, before the reader of `fd` can
                see an end of file and take what came for all there was.

        Raises:
            NetworkError: there are too many streams.
        """
        try:
            expected = self._streams.expect(stream, host)
        except BaseException:
            os.close(fd)
            raise

        async def carry() -> PumpResult:
            connection = await expected
            side = Incoming(_copy(fd, connection))

            async def again() -> StreamConnection:
                return await self._streams.expect(stream, host)

            try:
                return await self._carry(
                    host, connection, lambda connection: pump_in(connection, side), again
                )
            finally:
                side.close()

        return self._start(carry(), fd, f"from {host}", broken)

    async def _carry(
        self,
        host: HostName,
        connection: StreamConnection,
        pump: Callable[[StreamConnection], Awaitable[PumpResult]],
        again: Callable[[], Awaitable[StreamConnection]],
    ) -> PumpResult:
        """Pump to the end, by one connection after the other."""
        run = self._run_of(host)
        clock = asyncio.get_running_loop().time
        while True:
            result = await pump(connection)
            if result.ended is not Ended.LOST:
                return result
            broken = replace(result, ended=Ended.BROKEN)
            until_s = clock() + STREAM_RECONNECT_S
            log.info("the stream with %s goes on by another connection: %s", host, result.detail)
            while True:
                if run is None or self._run_of(host) != run or clock() > until_s:
                    return broken
                try:
                    connection = await again()
                    break
                except (OneOSError, OSError) as error:
                    log.info("not yet: %s", error)
                    await asyncio.sleep(STREAM_REDIAL_S)

    def _start(
        self,
        work: Coroutine[None, None, PumpResult],
        fd: int,
        name: str,
        broken: Callable[[], None] | None,
    ) -> Pump:
        async def run() -> PumpResult | None:
            try:
                result = await work
            except (OneOSError, OSError) as error:
                log.warning("the stream %s failed: %s", name, error)
                result = None
            if result is not None and result.ended is Ended.BROKEN:
                moved = result.bytes_moved
                log.warning("the stream %s broke after %d bytes: %s", name, moved, result.detail)
            if broken is not None and (result is None or result.ended is Ended.BROKEN):
                broken()
            return result

        def done(task: Pump) -> None:
            self._pumps.discard(task)
            # The pump had a copy; ours kept the pipe open until it was known how it ended. It is
            # closed here, since a task that is cancelled early never runs.
            work.close()
            os.close(fd)

        task = asyncio.get_running_loop().create_task(run(), name=f"pump {name}")
        self._pumps.add(task)
        task.add_done_callback(done)
        return task

    async def close(self) -> None:
        """End all pumps."""
        pumps = list(self._pumps)
        for task in pumps:
            task.cancel()
        if pumps:
            await asyncio.wait(pumps)


def _copy(fd: int, connection: StreamConnection) -> int:
    try:
        return os.dup(fd)
    except OSError:
        connection.close()
        raise


class Line:
    """Whether an input broke off, for a reader who is known only after it was opened.

    Called when it breaks; `listen` says who is to be told: at once, if it broke before.
    """

    def __init__(self) -> None:
        self.broken = False
        self._tell: Callable[[], None] | None = None

    def __call__(self) -> None:
        self.broken = True
        if self._tell is not None:
            self._tell()

    def listen(self, tell: Callable[[], None] | None) -> None:
        """Call `tell` when the input breaks off; None: nobody reads any more."""
        self._tell = tell
        if self.broken and tell is not None:
            tell()


class StreamFile(Plain):
    """Something at another host that a program here reads or writes through a pipe.

    A writer's `close` returns when all that was written has arrived there. A reader is told by
    `line` when not all has come: it would take the end of the pipe for the end of the data.
    """

    def __init__(self, fd: int, pump: Pump, writing: bool, line: Line | None = None) -> None:
        super().__init__(fd)
        self.line = line or Line()
        self._pump = pump
        self._writing = writing

    def check_whole(self) -> None:
        """For a reader at the end: raises FileError(EIO) when not all has come."""
        if self.line.broken:
            raise FileError(errno.EIO, hint="its host broke off before the end")

    async def close(self) -> None:
        """Raises FileError(EIO) when not all of what was written has arrived."""
        self.line.listen(None)
        self.close_fd()
        if self._writing:
            await asyncio.wait((self._pump,))
            result = None if self._pump.cancelled() else self._pump.result()
            if result is None or result.ended is Ended.BROKEN:
                raise FileError(errno.EIO, hint="not all that was written has arrived")
