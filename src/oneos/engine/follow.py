"""Reads a stream from a position on, in order and without gaps, for as long as one likes.

What the stream has taken, the server sends out at once (its `republish`): that makes a record
visible everywhere within a millisecond, and an idle follower costs nothing. These messages may be
lost on the way; each tells its number, so a gap shows, and what is missing is fetched by number.
After the last one nothing would show, so the follower also looks by itself: often just after a
connection was made, seldom later, and soon when it was told that more exists (`expect`). Memory is
bounded: what does not fit is dropped and fetched again when there is room.
"""

import asyncio
from collections import deque

from nats.aio.msg import Msg

from oneos.engine import streams
from oneos.engine.client import Engine, Subscription
from oneos.engine.streams import Stored
from oneos.errors import Fenced, NetworkError, Unknown
from oneos.limits import (
    CALL_TIMEOUT_S,
    FOLLOW_BUFFER_BYTES,
    FOLLOW_BUFFER_MESSAGES,
    FOLLOW_CHECK_FIRST_S,
    FOLLOW_CHECK_S,
)


class Compacted(Fenced):
    """The records after the position are gone: start from a snapshot.

    Attributes:
        first_seq: the oldest record that is still there.
    """

    def __init__(self, stream: str, after: int, first_seq: int) -> None:
        super().__init__(
            f"{stream} no longer has the records from {after + 1}: it begins at {first_seq}",
            hint="load the latest snapshot and read on from there",
        )
        self.first_seq = first_seq


class Follower:
    """A position in a stream that moves on with each `next`.

    Args:
        stream: its name.
        live: the subject on which the server sends out what the stream takes.
        after: the position; the first message is the next one.
        only: follow this one subject of the stream; otherwise it must have no holes.
    """

    def __init__(
        self, engine: Engine, stream: str, live: str, after: int, *, only: str = ""
    ) -> None:
        self.position = after
        self.fetches = 0
        self._engine = engine
        self._stream = stream
        self._live_subject = live
        self._only = only
        self._known = after
        self._live: deque[Stored] = deque()
        self._live_bytes = 0
        self._fetched: deque[Stored] = deque()
        self._fetch_due = True
        self._pause_s = FOLLOW_CHECK_FIRST_S
        self._wake = asyncio.Event()
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin: check that the position is one of this stream.

        Raises:
            Compacted: what follows the position is gone.
            Fenced: the stream ends before the position.
            NetworkError, Unknown: the engine cannot be reached.
        """
        self._engine.on_reconnected.append(self._reconnected)
        self._subscription = await self._engine.subscribe(self._live_subject, self._arrived)
        await self._check(self.position)

    async def close(self) -> None:
        """Stop. Doing so twice is harmless."""
        if self._reconnected in self._engine.on_reconnected:
            self._engine.on_reconnected.remove(self._reconnected)
        if self._subscription is not None:
            await self._subscription.close()

    def expect(self, seq: int) -> None:
        """Know that the stream has a message at `seq`, so that waiting longer would be wrong."""
        if seq > self._known:
            self._known = seq
            self._look_soon()

    async def next(self) -> Stored:
        """The next message; waits for ever, also through the loss of servers.

        Raises:
            Compacted: it was removed before it could be read.
            NetworkError: our connection was closed for good.
        """
        while True:
            if self._fetched:
                return self._move_to(self._fetched.popleft())
            message = self._next_live()
            if message is None and (self._live or self._fetch_due):
                if await self._fetch():
                    continue
                # Something may have arrived meanwhile.
                message = self._next_live()
            if message is not None:
                return self._move_to(message)
            await self._wait()

    def _next_live(self) -> Stored | None:
        """The next message if it has arrived by itself; None also where there is a gap before."""
        while self._live:
            message = self._live[0]
            if message.seq > self.position and self._previous(message) > self.position:
                return None
            self._live.popleft()
            self._live_bytes -= len(message.data)
            if message.seq > self.position:
                return message
        return None

    def _move_to(self, message: Stored) -> Stored:
        self.position = message.seq
        return message

    def _previous(self, message: Stored) -> int:
        return message.previous if self._only else message.seq - 1

    def _arrived(self, message: Msg) -> None:
        headers = message.headers or {}
        if headers.get("Nats-Stream") != self._stream:
            return
        stored = streams.live(message, headers)
        full = self._live_bytes + len(stored.data) > FOLLOW_BUFFER_BYTES
        if full or len(self._live) >= FOLLOW_BUFFER_MESSAGES:
            # The reader is slow. What is dropped here shows as a gap, or is looked for when the
            # reader has come so far.
            self._known = max(self._known, stored.seq)
            self._fetch_due = True
        else:
            self._live.append(stored)
            self._live_bytes += len(stored.data)
        self._wake.set()

    def _reconnected(self) -> None:
        self._look_soon()

    def _look_soon(self) -> None:
        self._pause_s = FOLLOW_CHECK_FIRST_S
        self._fetch_due = True
        self._wake.set()

    async def _fetch(self) -> bool:
        """Fetch what follows the position; False if nothing came."""
        self._fetch_due = False
        self.fetches += 1
        try:
            found = await streams.fetch(
                self._engine, self._stream, self.position + 1, only=self._only
            )
            if not self._only:
                if found and found[0].seq != self.position + 1:
                    await self._check(self.position)
                    return False
                if not found and self._known > self.position:
                    await self._check(self.position)
        except (NetworkError, Unknown):
            # There is no limit to how long the engine may be away; the connection's own
            # callbacks tell those who want to know.
            if self._engine.closed:
                raise
            return False
        self._fetched.extend(found)
        if found and (self._only or found[-1].seq < self._known):
            self._fetch_due = True
        return bool(found)

    async def _wait(self) -> None:
        """Sleep until something arrives or it is time to look: soon at first, then seldom."""
        behind = self._known > self.position or bool(self._live)
        pause_s = min(self._pause_s, 4 * FOLLOW_CHECK_FIRST_S) if behind else self._pause_s
        self._pause_s = min(self._pause_s * 2, FOLLOW_CHECK_S)
        before = len(self._live)
        self._wake.clear()
        try:
            async with asyncio.timeout(pause_s):
                # A gap stays one until it is fetched: more live messages do not fill it.
                while True:
                    await self._wake.wait()
                    if self._fetch_due or not before:
                        return
                    self._wake.clear()
        except TimeoutError:
            self._fetch_due = True

    async def _check(self, after: int) -> None:
        """Compare the position with what the leader has."""
        deadline = asyncio.get_running_loop().time() + CALL_TIMEOUT_S
        while True:
            info = await streams.info(self._engine, self._stream)
            self._known = max(self._known, info.last_seq) if not self._only else self._known
            if not self._only and info.first_seq > after + 1:
                raise Compacted(self._stream, after, info.first_seq)
            if info.last_seq >= after:
                return
            # A leader of yesterday that has just come back may say this for a moment.
            if asyncio.get_running_loop().time() > deadline:
                raise Fenced(
                    f"{self._stream} ends at {info.last_seq}, before the position {after}",
                    hint="this host has seen another history; its copy must be made anew",
                )
            await asyncio.sleep(FOLLOW_CHECK_FIRST_S)
