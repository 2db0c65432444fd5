"""A bounded queue of messages: a sender waits when it is full.

The bound is what keeps a slow actor from filling the host's memory: the wait travels back to
whoever produces too fast. A mailbox that is closed refuses at once, so that a sender learns that
the actor has moved rather than wait for nobody.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Generic, TypeVar

from oneos.errors import NetworkError
from oneos.limits import MAILBOX_MESSAGES_MAX

M = TypeVar("M")


class Mailbox(Generic[M]):
    """A first-in first-out queue with a bound and an end.

    Args:
        owner: whose it is, for messages to people.
        capacity: messages it holds before `put` waits.
    """

    def __init__(self, owner: str, capacity: int = MAILBOX_MESSAGES_MAX) -> None:
        self.owner = owner
        self._queue: asyncio.Queue[M] = asyncio.Queue(capacity)
        self._closed = asyncio.Event()

    async def put(self, message: M) -> None:
        """Queue a message, waiting for room. Raises NetworkError(ESTALE) once closed."""
        if self._closed.is_set():
            raise self._gone()
        if not self._queue.full():
            self._queue.put_nowait(message)
            return
        put = asyncio.ensure_future(self._queue.put(message))
        closed = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((put, closed), return_when=asyncio.FIRST_COMPLETED)
            if not put.done():
                raise self._gone()
        finally:
            put.cancel()
            closed.cancel()

    async def get(self) -> M:
        """The next message, in the order of `put`."""
        return await self._queue.get()

    def close(self) -> list[M]:
        """End the mailbox; returns what nobody has read."""
        self._closed.set()
        rest = []
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        return rest

    def __len__(self) -> int:
        return self._queue.qsize()

    def _gone(self) -> NetworkError:
        return NetworkError(f"{self.owner} is no longer here", errno=errno.ESTALE)
