"""Files at home here that nobody uses: which are given up, and when.

A file at rest keeps its home, since who used it last is likely the next who does: the oldest are
given up where there are too many. One without a name is nobody's, and given up soon, together with
others.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from oneos.errors import Fenced, OneOSError
from oneos.limits import (
    BATCH_COMMANDS_MAX,
    HOMES_IDLE_BYTES_MAX,
    HOMES_IDLE_MAX,
    ORPHANS_WAIT_S,
    SERVICE_RETRY_S,
)

log = logging.getLogger(__name__)


class Unused:
    """See the module.

    Args:
        give_up: gives up a file's home of an epoch; raises what keeps it from that.
        give_up_quietly: gives up a file at rest; puts it at rest again where it cannot.
    """

    def __init__(
        self,
        give_up: Callable[[int, int], Awaitable[bool]],
        give_up_quietly: Callable[[int], Awaitable[None]],
    ) -> None:
        self._give_up = give_up
        self._give_up_quietly = give_up_quietly
        self._bytes_of: OrderedDict[int, int] = OrderedDict()
        self._bytes = 0
        self._epoch_of: dict[int, int] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def in_use(self, ino: int) -> None:
        """A file is opened, or gone."""
        self._bytes -= self._bytes_of.pop(ino, 0)

    def at_rest(self, ino: int, size: int) -> None:
        """Nobody has a file of so many bytes open any more."""
        self.in_use(ino)
        self._bytes_of[ino] = size
        # A sum of its own: there may be thousands, and this is done for each close.
        self._bytes += size
        while len(self._bytes_of) > HOMES_IDLE_MAX or self._bytes > HOMES_IDLE_BYTES_MAX:
            oldest, its_bytes = self._bytes_of.popitem(last=False)
            self._bytes -= its_bytes
            task = asyncio.ensure_future(self._give_up_quietly(oldest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def orphaned(self, ino: int, home_epoch: int) -> None:
        """A file has lost its last name: nobody waits for it to be dropped."""
        self._epoch_of[ino] = home_epoch
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap(), name="orphaned files")

    async def _reap(self) -> None:
        """Give up the orphans, many with one record."""
        pause_s = ORPHANS_WAIT_S
        while self._epoch_of:
            await asyncio.sleep(pause_s)
            some = list(itertools.islice(self._epoch_of.items(), BATCH_COMMANDS_MAX))
            done = await asyncio.gather(
                *(self._give_up(ino, epoch) for ino, epoch in some), return_exceptions=True
            )
            pause_s = ORPHANS_WAIT_S
            for (ino, _), result in zip(some, done, strict=True):
                if isinstance(result, OneOSError) and not isinstance(result, Fenced):
                    log.warning("file %d has no name and is not dropped yet: %s", ino, result)
                    pause_s = SERVICE_RETRY_S
                    continue
                if isinstance(result, BaseException) and not isinstance(result, Fenced):
                    log.error("file %d has no name and is not dropped", ino, exc_info=result)
                del self._epoch_of[ino]
        self._reaper = None

    async def stop(self) -> None:
        """Stop dropping orphans; what is left goes at the next start, when its home is voided."""
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.wait((self._reaper,))
