"""What a shared device is read from and written to: one opening of the hardware.

A `Source` is made when the first opener comes and closed after the last. The one here is a kernel
descriptor (a character device, a serial port, a FIFO, a command's pipe); GPIO lines and MQTT topics
are in files of their own.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from oneos.errors import FileError
from oneos.files.fanout import cut_lines
from oneos.files.line_pacer import readable
from oneos.files.pipes import write_all
from oneos.limits import DEVICE_BLOCK_BYTES, DEVICE_LINE_BYTES_MAX

log = logging.getLogger(__name__)

Publish = Callable[[Iterable[tuple[int, bytes]]], Awaitable[None]]
"""Takes readings, each with how many were lost before it."""


class BrokenOff(Exception):
    """The readings ended before their end: readers get EIO, not an end of file."""


class Source(Protocol):
    """See the module.

    `lasting`: it stays open when nobody has the device open, until the Runtime ends.
    """

    lasting: bool

    async def run(self, publish: Publish, wanted: asyncio.Event) -> None:
        """Publish readings while they are wanted; returns when the hardware is gone."""
        ...

    async def write(self, pieces: Sequence[bytes]) -> None:
        """Write lines, or blocks of a raw device, in order. Raises OSError, FileError."""
        ...

    async def close(self) -> None: ...


class DescriptorSource:
    """A descriptor of the kernel.

    Args:
        fd: owned from now on, if `closes` is not given.
        shown: the device's name, for the log.
        lines: whether its readings are lines.
        closes: gives back whatever the descriptor is of.
    """

    lasting = False

    def __init__(
        self,
        fd: int,
        shown: str,
        lines: bool,
        closes: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._fd = fd
        self._shown = shown
        self._lines = lines
        self._closes = closes
        os.set_blocking(fd, False)

    async def run(self, publish: Publish, wanted: asyncio.Event) -> None:
        rest = b""
        while True:
            # Without readers the driver keeps what comes, as it does where nobody reads.
            await wanted.wait()
            try:
                data = os.read(self._fd, self._size())
            except BlockingIOError:
                await readable(self._fd)
                continue
            except OSError as error:
                log.info("%s: its readings end: %s", self._shown, error.strerror)
                break
            if not data:
                break
            if self._lines:
                lines, rest = cut_lines(rest + data)
                await publish((0, line) for line in lines)
            else:
                await publish([(0, data)])
            # The loop turns, however fast the device is.
            await asyncio.sleep(0)
        if rest:
            await publish([(0, rest)])

    def _size(self) -> int:
        return DEVICE_LINE_BYTES_MAX if self._lines else DEVICE_BLOCK_BYTES

    async def write(self, pieces: Sequence[bytes]) -> None:
        await write_all(self._fd, b"".join(pieces))

    async def close(self) -> None:
        if self._closes is not None:
            await self._closes()
        else:
            os.close(self._fd)


def missing(package: str, extra: str, shown: str) -> FileError:
    """The error of a device whose library is not installed on its host."""
    return FileError(
        errno.ENXIO,
        shown,
        hint=f"its host lacks the Python package {package}: pip install '{extra}'",
    )
