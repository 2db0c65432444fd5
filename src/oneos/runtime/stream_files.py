"""Streams of other hosts as open files, and whether their input came whole."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

from oneos.errors import FileError
from oneos.files.handles import Plain
from oneos.net.pump import Ended
from oneos.runtime.plumbing import Pump


class Line:
    """Whether an input broke off, for a reader who is known only after it was opened.

    Called when it breaks; `listen` says who is to be told: at once, if it broke before.
    """

    def __init__(self) -> None:
        self.broken = False
        self._tell: Callable[[], None] | None = None

    def __call__(self) -> None:
        self.broken = True
        if self._tell is not None:
            self._tell()

    def listen(self, tell: Callable[[], None] | None) -> None:
        """Call `tell` when the input breaks off; None: nobody reads any more."""
        self._tell = tell
        if self.broken and tell is not None:
            tell()


class StreamFile(Plain):
    """Something at another host that a program here reads or writes through a pipe.

    A writer's `close` returns when all that was written has arrived there. A reader is told by
    `line` when not all has come: it would take the end of the pipe for the end of the data.
    """

    def __init__(self, fd: int, pump: Pump, writing: bool, line: Line | None = None) -> None:
        super().__init__(fd)
        self.line = line or Line()
        self._pump = pump
        self._writing = writing

    def check_whole(self) -> None:
        """For a reader at the end: raises FileError(EIO) when not all has come."""
        if self.line.broken:
            raise FileError(errno.EIO, hint="its host broke off before the end")

    async def close(self) -> None:
        """Raises FileError(EIO) when not all of what was written has arrived."""
        self.line.listen(None)
        self.close_fd()
        if self._writing:
            await asyncio.wait((self._pump,))
            result = None if self._pump.cancelled() else self._pump.result()
            if result is None or result.ended is Ended.BROKEN:
                raise FileError(errno.EIO, hint="not all that was written has arrived")
