"""A bounded queue of messages: a sender waits when it is full.

The bound is what keeps a slow actor from filling the host's memory: the wait travels back to
whoever produces too fast. A mailbox that is closed refuses at once, so that a sender learns that
the actor has moved rather than wait for nobody. A message is either read or refused, never lost:
that is why this is no `asyncio.Queue`, in which one that waited for room could still get in while
the queue was closed and emptied.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from typing import Generic, TypeVar

from oneos.errors import NetworkError
from oneos.limits import MAILBOX_MESSAGES_MAX

M = TypeVar("M")


class Mailbox(Generic[M]):
    """A first-in first-out queue with a bound and an end, for one reader.

    Args:
        owner: whose it is, for messages to people.
        capacity: messages it holds before `put` waits.
    """

    def __init__(self, owner: str, capacity: int = MAILBOX_MESSAGES_MAX) -> None:
        self.owner = owner
        self._capacity = capacity
        self._messages: deque[M] = deque()
        self._senders: deque[tuple[asyncio.Future[None], M]] = deque()
        self._filled = asyncio.Event()
        self._closed = False

    async def put(self, message: M) -> None:
        """Queue a message, waiting for room. Raises NetworkError(ESTALE) once closed."""
        if self._closed:
            raise self._gone()
        if len(self._messages) < self._capacity and not self._senders:
            self._add(message)
            return
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sender = (room, message)
        self._senders.append(sender)
        try:
            await room
        except asyncio.CancelledError:
            if sender in self._senders:
                self._senders.remove(sender)
            raise

    async def get(self) -> M:
        """The next message, in the order of `put`."""
        while not self._messages:
            self._filled.clear()
            await self._filled.wait()
        message = self._messages.popleft()
        while self._senders and len(self._messages) < self._capacity:
            room, waiting = self._senders.popleft()
            if not room.done():
                self._add(waiting)
                room.set_result(None)
        return message

    def close(self) -> list[M]:
        """End the mailbox; returns what nobody has read. Senders that wait are refused."""
        self._closed = True
        rest = list(self._messages)
        self._messages.clear()
        while self._senders:
            room, _ = self._senders.popleft()
            if not room.done():
                room.set_exception(self._gone())
        return rest

    def __len__(self) -> int:
        return len(self._messages)

    def _add(self, message: M) -> None:
        self._messages.append(message)
        self._filled.set()

    def _gone(self) -> NetworkError:
        return NetworkError(f"{self.owner} is no longer here", errno=errno.ESTALE)
