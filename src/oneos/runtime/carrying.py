"""One end of a stream on this host, from its first connection to its last.

A connection that is lost while both Runtimes go on is made anew. The program at the other end may
move to another host: the log says where it is, and the next connection leads there. The program at
this end may move as well: then its end is frozen, described, and either goes on here or is over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.limits import STREAM_RECONNECT_S, STREAM_REDIAL_S
from oneos.net.pump import Ended, PumpResult, pump_in, pump_out
from oneos.net.sides import Incoming, Outgoing
from oneos.net.stream import StreamConnection

log = logging.getLogger(__name__)

Connect = Callable[[HostName], Awaitable[StreamConnection]]


class Carried:
    """See the module.

    Args:
        key: the stream's id.
        host: where the other end is at first.
        peer: the program at the other end; 0: it is none, and stays where it is.
        where: the host of the other end as the log has it now; None: it is gone.
        run_of: the incarnation of a live host's Runtime.
        connect: makes a connection with a host.
    """

    def __init__(
        self,
        key: bytes,
        host: HostName,
        peer: int,
        where: Callable[[], HostName | None],
        run_of: Callable[[HostName], int | None],
        connect: Connect,
    ) -> None:
        self.key = key
        self.host = host
        self.peer = peer
        self.side: Outgoing | Incoming | None = None
        self.cancel: Callable[[], object] = lambda: None
        """Ends it."""
        self._where = where
        self._run_of = run_of
        self._connect = connect
        self._connection: StreamConnection | None = None
        self._news = asyncio.Event()
        self._frozen: asyncio.Future[bool] | None = None
        self._still = asyncio.Event()

    def changed(self) -> None:
        """The log has news of where programs are."""
        self._news.set()

    # --- for a program here that moves ----------------------------------------------------------
    async def freeze(self) -> Outgoing | Incoming | None:
        """Move no more bytes, until `thaw`; the side as it is then. None: all is over already."""
        self._frozen = asyncio.get_running_loop().create_future()
        self._news.set()
        if self._connection is not None:
            self._connection.interrupt()
        await self._still.wait()
        return self.side if self._frozen is not None else None

    def thaw(self, stays: bool) -> None:
        """Go on, or be over here since the program is elsewhere."""
        if self._frozen is not None and not self._frozen.done():
            self._frozen.set_result(stays)

    # --- moving bytes ---------------------------------------------------------------------------
    async def run(
        self, first: Awaitable[StreamConnection], side: Callable[[], Outgoing | Incoming]
    ) -> PumpResult:
        """Move bytes to the end, by one connection after the other.

        Args:
            first: the first connection; without it all is over, unless a program is at the other
                end, which may be somewhere else by now.
            side: makes this end's side.
        """
        try:
            self.side = side()
            try:
                return await self._move(self.side, first)
            finally:
                self.side.close()
        finally:
            self._frozen = None
            self._still.set()

    async def _move(
        self, side: Outgoing | Incoming, first: Awaitable[StreamConnection]
    ) -> PumpResult:
        clock = asyncio.get_running_loop().time
        host, run = self.host, self._run_of(self.host)
        result = PumpResult(side.offset, Ended.LOST, "there was no connection")
        connection = await (self._again(host, first) if self.peer else first)
        until_s = clock() + STREAM_RECONNECT_S
        while True:
            if connection is not None:
                result = await self._pump(side, connection)
                if result.ended is not Ended.LOST:
                    return result
                until_s = clock() + STREAM_RECONNECT_S
            if self._frozen is not None:
                self._still.set()
                stays = await self._frozen
                self._still.clear()
                self._frozen = None
                if not stays:
                    return replace(result, ended=Ended.MOVED)
                until_s = clock() + STREAM_RECONNECT_S
            now = self._where()
            if now is not None and now != host:
                host, run, until_s = now, self._run_of(now), clock() + STREAM_RECONNECT_S
            if now is None or run is None or self._run_of(host) != run or clock() > until_s:
                return replace(result, ended=Ended.BROKEN)
            log.info("the stream with %s goes on by another connection: %s", host, result.detail)
            connection = await self._again(host, self._connect(host))

    async def _pump(self, side: Outgoing | Incoming, connection: StreamConnection) -> PumpResult:
        self._connection = connection
        if self._frozen is not None:
            connection.interrupt()
        try:
            if isinstance(side, Outgoing):
                return await pump_out(side, connection)
            return await pump_in(connection, side)
        finally:
            self._connection = None

    async def _again(
        self, host: HostName, connecting: Awaitable[StreamConnection]
    ) -> StreamConnection | None:
        """A new connection; None where there is none yet, or something has changed meanwhile."""
        self._news.clear()
        making = asyncio.ensure_future(connecting)
        news = asyncio.ensure_future(self._news.wait())
        try:
            while True:
                await asyncio.wait((making, news), return_when=asyncio.FIRST_COMPLETED)
                if making.done():
                    return making.result()
                if self._frozen is not None or self._where() != host:
                    return None
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
        except (OneOSError, OSError) as error:
            log.info("not yet: %s", error)
            await asyncio.wait((news,), timeout=STREAM_REDIAL_S)
            return None
        finally:
            news.cancel()
            making.cancel()
