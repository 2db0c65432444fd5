"""/proc/PID/ctl: written to, a line is a signal for the process: `stop`, `cont`, `TERM`, `9`.

A line is done when the file is closed or synced, so that what is wrong with it comes out of these:
EINVAL for a word that is no signal, ESRCH for a process that has ended.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Awaitable, Callable

from oneos.errors import FileError
from oneos.files.handles import Attributes, Plain
from oneos.limits import CONTROL_BYTES_MAX

Kill = Callable[[int], Awaitable[None]]
"""Sends a signal to the process."""


class ControlFile(Plain):
    """One opening, for writing; see the module."""

    def __init__(self, kill: Kill) -> None:
        fd = os.memfd_create("ctl", os.MFD_CLOEXEC)
        super().__init__(fd)
        self._own = os.dup(fd)
        self._kill = kill
        self._done = 0

    async def stat(self) -> Attributes:
        assert self.shown is not None
        return self.shown

    async def sync(self) -> None:
        text = os.pread(self._own, CONTROL_BYTES_MAX, self._done)
        self._done += len(text)
        for word in text.decode("utf-8", "replace").split():
            await self._kill(_signal(word))

    async def close(self) -> None:
        self.close_fd()
        if self._own < 0:
            return
        try:
            await self.sync()
        finally:
            os.close(self._own)
            self._own = -1


def _signal(word: str) -> int:
    if word.isdigit() and int(word) in set(signal.Signals):
        return int(word)
    name = word.upper().removeprefix("SIG")
    found = getattr(signal, f"SIG{name}", None)
    if not isinstance(found, signal.Signals):
        raise FileError(errno.EINVAL, word, "a line is a signal: stop, cont, term, kill, ...")
    return int(found)
