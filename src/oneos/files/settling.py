"""Files of `async` directories that were closed and are not committed yet.

Such a file stays in use at its home, which shows it to everybody, until its content is committed a
moment later, together with others. Whoever needs it committed now says so. A commit that fails is
tried again for as long as this host is the file's home.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from oneos.errors import OneOSError
from oneos.files.together import TOGETHER_MAX
from oneos.limits import ASYNC_CLOSED_MAX, ASYNC_COMMIT_S, ASYNC_RETRY_S

log = logging.getLogger(__name__)


class Settling:
    """See the module.

    Args:
        commit: commits the content of a file that was added, and ends its use; nothing when it is
            committed already, or has no home here any more.
        together: does so with those of many files for which that is cheap, and forgets them.
    """

    def __init__(
        self,
        commit: Callable[[int], Awaitable[None]],
        together: Callable[[Sequence[int]], Awaitable[None]],
    ) -> None:
        self._commit = commit
        self._together = together
        self._due: dict[int, float] = {}
        self._runner: asyncio.Task[None] | None = None
        self._stopped = False

    def __contains__(self, ino: int) -> bool:
        return ino in self._due

    def __len__(self) -> int:
        return len(self._due)

    @property
    def full(self) -> bool:
        """Whether so much waits that the next close has to wait for its commit."""
        return self._stopped or len(self._due) >= ASYNC_CLOSED_MAX

    def add(self, ino: int) -> None:
        """Commit a file soon; one that waits already keeps its time."""
        self._due.setdefault(ino, asyncio.get_running_loop().time() + ASYNC_COMMIT_S)
        if self._runner is None and not self._stopped:
            self._runner = asyncio.create_task(self._run(), name="settling files")

    def forget(self, ino: int) -> None:
        """The file is committed, or nobody's any more."""
        self._due.pop(ino, None)

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._due:
            # They were added in the order of their times, but for those that failed.
            due = [ino for ino, at in self._due.items() if at <= clock()]
            if due:
                await self._commit_all(due)
            else:
                await asyncio.sleep(max(0.0, min(self._due.values()) - clock()))
        self._runner = None

    async def _commit_all(self, inos: Sequence[int]) -> None:
        for start in range(0, len(inos), TOGETHER_MAX):
            part = inos[start : start + TOGETHER_MAX]
            if len(part) > 1:
                try:
                    await self._together(part)
                except (OneOSError, OSError) as error:
                    log.info("%d files are committed one by one: %s", len(part), error)
            await asyncio.gather(*(self._try(ino) for ino in part if ino in self._due))

    async def _try(self, ino: int) -> None:
        try:
            await self._commit(ino)
            self.forget(ino)
        except (OneOSError, OSError) as error:
            log.warning("file %d was closed and is not committed yet: %s", ino, error)
            if ino in self._due:
                self._due.pop(ino)
                self._due[ino] = asyncio.get_running_loop().time() + ASYNC_RETRY_S

    async def stop(self) -> None:
        """Commit all that waits, while the File System can still be asked."""
        self._stopped = True
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait((runner,))
        await self._commit_all(list(self._due))
