"""Pipes and streams: how the ends of programs on this and other hosts are joined.

Two programs of one host get a kernel pipe. Between hosts each end is a kernel pipe too, and a pump
carries its bytes over one direct connection: whoever produces dials (`carrying.py`). Everything
opened here is closed here when its pump ends; how it ended is told to whoever waits.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine

from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.limits import PIPE_BYTES
from oneos.net.pump import Ended, PumpResult
from oneos.net.sides import NOTHING_KEPT, Incoming, Kept, Outgoing
from oneos.net.stream import StreamConnection
from oneos.net.streams import Streams
from oneos.runtime.carrying import Carried, Connect

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
        host_of: the host on which a program runs, None of one that runs no more.
    """

    def __init__(
        self,
        streams: Streams,
        run_of: Callable[[HostName], int | None] = lambda host: None,
        host_of: Callable[[int], HostName | None] = lambda pid: None,
    ) -> None:
        self._streams = streams
        self._run_of = run_of
        self._host_of = host_of
        self._pumps: set[Pump] = set()
        self._carried: dict[tuple[bytes, bool], Carried] = {}

    def send(
        self, fd: int, host: HostName, stream: bytes, peer: int = 0, kept: Kept = NOTHING_KEPT
    ) -> Pump:
        """Carry what is read from `fd` to the stream that `host` expects; `fd` is ours then.

        Args:
            peer: the program that reads, which may move; 0: it is none.
            kept: what was read on another host.
        """
        carried = self._new(stream, False, host, peer, lambda to: self._streams.dial(to, stream))

        def side() -> Outgoing:
            return Outgoing(os.dup(fd), kept)

        first = self._streams.dial(host, stream)
        return self._start(carried, first, side, fd, f"to {host}", None)

    def receive(
        self,
        host: HostName,
        stream: bytes,
        fd: int,
        broken: Callable[[], None] | None = None,
        peer: int = 0,
        kept: Kept = NOTHING_KEPT,
    ) -> Pump:
        """Write what `host` sends on a stream to `fd`, which is ours then.

        Args:
            broken: called when the stream ended without its end, before the reader of `fd` can
                see an end of file and take what came for all there was.
            peer: the program that writes, which may move; 0: it is none.
            kept: what was received on another host, and is not read yet.

        Raises:
            NetworkError: there are too many streams.
        """
        try:
            first = self._streams.expect(stream, host)
        except BaseException:
            os.close(fd)
            raise

        async def again(from_host: HostName) -> StreamConnection:
            return await self._streams.expect(stream, from_host)

        carried = self._new(stream, True, host, peer, again)

        def side() -> Incoming:
            return Incoming(os.dup(fd), kept)

        return self._start(carried, first, side, fd, f"from {host}", broken)

    def find(self, stream: bytes, incoming: bool) -> Carried | None:
        """This host's end of a stream, as long as it is carried."""
        return self._carried.get((stream, incoming))

    def drop(self, stream: bytes) -> None:
        """End this host's ends of a stream, at once and without a word: all of it is over."""
        for incoming in (True, False):
            if (carried := self.find(stream, incoming)) is not None:
                carried.cancel()

    def at(self, carried: Carried) -> HostName:
        """The host of a stream's other end."""
        return self._host_of(carried.peer) or carried.host if carried.peer else carried.host

    def changed(self) -> None:
        """The log has news of where programs are."""
        for carried in self._carried.values():
            carried.changed()

    def _new(
        self, stream: bytes, incoming: bool, host: HostName, peer: int, connect: Connect
    ) -> Carried:
        def where() -> HostName | None:
            return self._host_of(peer) if peer else host

        carried = Carried(stream, host, peer, where, self._run_of, connect)
        self._carried[stream, incoming] = carried
        return carried

    def _start(
        self,
        carried: Carried,
        first: Awaitable[StreamConnection],
        side: Callable[[], Outgoing | Incoming],
        fd: int,
        name: str,
        broken: Callable[[], None] | None,
    ) -> Pump:
        async def run() -> PumpResult | None:
            try:
                result = await carried.run(first, side)
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
            for key, known in list(self._carried.items()):
                if known is carried:
                    del self._carried[key]
            # The pump had a copy; ours kept the pipe open until it was known how it ended. It is
            # closed here, since a task that is cancelled early never runs.
            if isinstance(first, Coroutine):
                first.close()
            else:
                asyncio.ensure_future(first).cancel()
            os.close(fd)

        task = asyncio.get_running_loop().create_task(run(), name=f"pump {name}")
        self._pumps.add(task)
        task.add_done_callback(done)
        carried.cancel = task.cancel
        return task

    async def close(self) -> None:
        """End all pumps."""
        pumps = list(self._pumps)
        for task in pumps:
            task.cancel()
        if pumps:
            await asyncio.wait(pumps)
