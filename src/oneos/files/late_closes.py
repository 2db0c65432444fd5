"""Closes that nobody waits for, done together some milliseconds later.

What a program of the name space has written is committed when its `close` returns; that no program
has the file open any more, its kernel says only afterwards. All that is left is to note in the log
that nobody writes the file now: one record for many files, and none that the program's next request
has to wait behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from oneos.errors import Fenced, OneOSError
from oneos.limits import BATCH_COMMANDS_MAX, CLOSE_LATE_S

log = logging.getLogger(__name__)
T = TypeVar("T")


class LateCloses(Generic[T]):
    """See the module.

    Args:
        close: closes one opening.
    """

    def __init__(self, close: Callable[[T], Awaitable[None]]) -> None:
        self._close = close
        self._waiting: dict[int, list[T]] = {}
        self._count = 0
        self._runner: asyncio.Task[None] | None = None

    async def add(self, ino: int, opening: T) -> None:
        """Close an opening of a file later; now, if too many wait already."""
        if self._count >= BATCH_COMMANDS_MAX:
            await self._quietly(ino, opening)
            return
        self._count += 1
        self._waiting.setdefault(ino, []).append(opening)
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name="late closes")

    async def now(self, ino: int) -> None:
        """Close what waits of one file: somebody wants it."""
        openings = self._waiting.pop(ino, [])
        self._count -= len(openings)
        for opening in openings:
            await self._quietly(ino, opening)

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(CLOSE_LATE_S)
            await self._all()
        self._runner = None

    async def _all(self) -> None:
        await asyncio.gather(*(self.now(ino) for ino in list(self._waiting)))

    async def _quietly(self, ino: int, opening: T) -> None:
        try:
            await self._close(opening)
        except Fenced as error:
            log.info("file %d was closed when its home had moved: %s", ino, error)
        except (OneOSError, OSError) as error:
            # What it was to promise, it did before; a home that is lost voids the rest.
            log.warning("file %d was not closed in order: %s", ino, error)

    async def stop(self) -> None:
        """Close all that waits."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait((runner,))
        await self._all()
