"""One writer of a shared device: whole lines go from its pipe to the hardware, one after another.

Several writers take turns between lines, never within one. What a writer left in its pipe is still
written after it has closed it, and how that ended is what its `close` says.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Sequence

from oneos.errors import FileError, OneOSError
from oneos.files.fanout import cut_lines
from oneos.files.pipes import read_some
from oneos.limits import DEVICE_BLOCK_BYTES, DEVICE_DRAIN_S, DEVICE_LINE_BYTES_MAX

log = logging.getLogger(__name__)


class Writer:
    """See the module.

    Args:
        fd: the read end of its pipe, or a socket; owned from now on.
        shown: the device's name.
        lines: whether it is written by lines.
        write: writes lines or blocks to the hardware; the order of its calls is kept.
        over: called when all is written, or nothing more can be.
    """

    def __init__(
        self,
        fd: int,
        shown: str,
        lines: bool,
        write: Callable[[Sequence[bytes]], Awaitable[None]],
        over: Callable[[Writer], None],
    ) -> None:
        self._fd = fd
        self._shown = shown
        self._lines = lines
        self._write = write
        self._busy = False
        self._turns = 0
        self._error = 0
        os.set_blocking(fd, False)
        work = self._run()
        self._task = asyncio.create_task(work, name=f"writer of {shown}")

        def ended(task: asyncio.Task[None]) -> None:
            # Here and not in the task: one that is cancelled early never runs.
            work.close()
            os.close(fd)
            over(self)

        self._task.add_done_callback(ended)

    async def _run(self) -> None:
        rest = b""
        try:
            while data := await read_some(self._fd, self._size()):
                if not self._lines:
                    await self._put([data])
                    continue
                lines, rest = cut_lines(rest + data)
                await self._put(lines)
            if rest:
                await self._put([rest])
        except (OneOSError, OSError) as error:
            self._error = error.errno or errno.EIO
            log.warning("%s: what was written was not taken: %s", self._shown, error)

    async def _put(self, pieces: Sequence[bytes]) -> None:
        if pieces:
            self._busy = True
            await self._write(pieces)
            self._busy = False
            self._turns += 1

    def _size(self) -> int:
        return DEVICE_LINE_BYTES_MAX if self._lines else DEVICE_BLOCK_BYTES

    def stop(self, error: int) -> None:
        """Write nothing more; its `finish` fails with this errno."""
        if not self._task.done():
            self._error = self._error or error
            self._task.cancel()

    async def finish(self) -> None:
        """Wait until all is written. Raises FileError when it was not, and when nothing moves."""
        while not self._task.done():
            turns = self._turns
            await asyncio.wait((self._task,), timeout=DEVICE_DRAIN_S)
            if not self._task.done() and self._busy and self._turns == turns:
                self.stop(errno.EIO)
                await asyncio.wait((self._task,))
        if self._error:
            raise FileError(self._error, self._shown, hint="not all of it was written")
