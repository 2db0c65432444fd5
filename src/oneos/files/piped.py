"""A file that is in use at another host, as the standard stream of a program here.

A program expects a kernel descriptor there, so a task reads or writes the file in the program's
place and a pipe stands in between. Only sequential use is possible; a program that opens the file
by itself has all of it.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from oneos.files.handles import Handle, Plain
from oneos.limits import READ_BYTES_MAX


class PipedFile(Plain):
    """See the module. `close` returns when all is written and committed."""

    def __init__(self, file: Any, reading: bool) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        super().__init__(read if reading else write)
        self._file = file
        self._reading = reading
        work = self._read_all(write) if reading else self._write_all(read)
        self._task = asyncio.create_task(work, name="piped file")

    async def _read_all(self, fd: int) -> None:
        try:
            offset = 0
            while data := await self._file.pread(offset, READ_BYTES_MAX):
                offset += len(data)
                view = memoryview(data)
                while view:
                    # In a thread, since a slow program blocks it for as long as it likes.
                    view = view[await asyncio.to_thread(os.write, fd, view) :]
        except BrokenPipeError:
            pass
        finally:
            os.close(fd)

    async def _write_all(self, fd: int) -> None:
        try:
            offset = 0
            while data := await asyncio.to_thread(os.read, fd, READ_BYTES_MAX):
                _, offset = await self._file.pwrite(offset, data)
        finally:
            os.close(fd)

    async def close(self) -> None:
        self.close_fd()
        try:
            # What the program left in the pipe is still to be written, or nobody reads any more.
            await self._task
        finally:
            await self._file.close()


async def piped(file: Handle, reading: bool, flags: int) -> Handle:
    """The pipe for a `remote` handle opened with these flags."""
    if not reading and flags & os.O_TRUNC:
        await file.truncate(0)  # type: ignore[attr-defined]
    return PipedFile(file, reading)
