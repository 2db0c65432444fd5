"""Commits of small files by many programs at once, grouped.

A program that finds no other's commit under way does its own at once. Those that come meanwhile
wait, and go together with one sweep of each disk and one record: so the more programs wait, the
less each commit costs (group commit; DeWitt et al., Implementation Techniques for Main Memory
Database Systems, 1984). What cannot be done together is left to its program, which learns why; so
is what would wait for long, since one that waits for a host that is away holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from oneos.errors import OneOSError
from oneos.files.home import Home
from oneos.files.together import TOGETHER_MAX
from oneos.limits import GROUP_WAIT_S

log = logging.getLogger(__name__)


class Asked(NamedTuple):
    """A file that is to be committed, and whether nobody writes it from then on."""

    home: Home
    final: bool


class Grouped:
    """See the module.

    Args:
        together: commits files whose locks are held; returns the numbers of those it did.
    """

    def __init__(self, together: Callable[[Sequence[Asked]], Awaitable[set[int]]]) -> None:
        self._together = together
        self._waiting: deque[tuple[Asked, asyncio.Future[bool]]] = deque()
        self._busy = False
        self._group: asyncio.Task[None] | None = None

    async def commit(self, asked: Asked, alone: Callable[[], Awaitable[None]]) -> None:
        """Commit a small file whose lock the caller holds: by `alone`, or with others.

        Raises what `alone` does.
        """
        if not self._busy:
            self._busy = True
            try:
                await alone()
            finally:
                self._next()
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        one = asked, done
        self._waiting.append(one)
        timer = loop.call_later(GROUP_WAIT_S, self._leave, one)
        try:
            together = await _to_its_end(done)
        finally:
            timer.cancel()
        if not together:
            await alone()

    def _leave(self, one: tuple[Asked, asyncio.Future[bool]]) -> None:
        if one in self._waiting:
            self._waiting.remove(one)
            one[1].set_result(False)

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            count = min(len(self._waiting), TOGETHER_MAX)
            group = [self._waiting.popleft() for _ in range(count)]
            self._group = asyncio.create_task(self._commit(group), name="grouped commits")

    async def _commit(self, group: Sequence[tuple[Asked, asyncio.Future[bool]]]) -> None:
        committed: set[int] = set()
        try:
            committed = await self._together([asked for asked, _ in group])
        except (OneOSError, OSError) as error:
            log.info("%d commits are done one by one: %s", len(group), error)
        finally:
            for asked, done in group:
                done.set_result(asked.home.inode.ino in committed)
            self._next()


async def _to_its_end(done: asyncio.Future[bool]) -> bool:
    """Wait, also where the caller is cancelled: he holds the lock for whoever commits."""
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            try:
                await asyncio.wait((done,))
            except asyncio.CancelledError:
                pass
        raise
