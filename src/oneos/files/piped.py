"""A file that is in use at another host, as the standard stream of a program here.

A program expects a kernel descriptor there, so a task reads or writes the file in the program's
place and a pipe stands in between. Only sequential use is possible; a program that opens the file
by itself has all of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from oneos.errors import OneOSError
from oneos.files.handles import Handle, Plain
from oneos.files.pipes import read_some, write_all
from oneos.limits import READ_BYTES_MAX


class PipedFile(Plain):
    """See the module. `close` returns when all is written and committed.

    Args:
        file: the opened file; closed with this.
        reading: whether the program reads it.
        offset: where in the file it begins, in bytes.
        broken: called when the file could not be read to its end, before the program can see an
            end of file and take what came for all there was.
    """

    def __init__(
        self,
        file: Any,
        reading: bool,
        broken: Callable[[], None] | None = None,
        offset: int = 0,
    ) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        super().__init__(read if reading else write)
        self._file = file
        self._reading = reading
        self._broken = broken
        ours = write if reading else read
        os.set_blocking(ours, False)
        work = self._read_all(ours, offset) if reading else self._write_all(ours, offset)
        self._task = asyncio.create_task(work, name="piped file")

        def ended(task: asyncio.Task[None]) -> None:
            # Here and not in the task: one that is cancelled early never runs.
            work.close()
            os.close(ours)

        self._task.add_done_callback(ended)

    async def _read_all(self, fd: int, offset: int) -> None:
        try:
            while data := await self._file.pread(offset, READ_BYTES_MAX):
                offset += len(data)
                await write_all(fd, data)
        except BrokenPipeError:
            pass
        except OneOSError:
            if self._broken is not None:
                self._broken()
            raise

    async def _write_all(self, fd: int, offset: int) -> None:
        while data := await read_some(fd, READ_BYTES_MAX):
            while data:
                count, offset = await self._file.pwrite(offset, data)
                data = data[count:]

    async def close(self) -> None:
        self.close_fd()
        if self._reading:
            # Nobody reads any more; what is still on its way is for nobody.
            self._task.cancel()
        try:
            await asyncio.wait((self._task,))
            if not self._task.cancelled():
                self._task.result()
        finally:
            await self._file.close()


async def piped(
    file: Handle, reading: bool, flags: int, broken: Callable[[], None] | None = None
) -> Handle:
    """The pipe for a `remote` handle opened with these flags."""
    if not reading and flags & os.O_TRUNC:
        await file.truncate(0)  # type: ignore[attr-defined]
    return PipedFile(file, reading, broken)
