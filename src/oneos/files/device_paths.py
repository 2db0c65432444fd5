"""Opens what stands behind a device that is a path: a file, a character device, a FIFO.

Each function gives a descriptor of the kernel that blocks as usual, and none of them blocks the
Runtime: a FIFO waits for its other end without a thread, and the wait can be cancelled. What is
missing or of another kind is an error that says what to look at. Who may open is decided in
`devices`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from collections.abc import Callable

from oneos.errors import FileError
from oneos.files.line_pacer import readable
from oneos.limits import FIFO_POLL_S

# A device is never made, and never becomes the Runtime's terminal.
_SAFE = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


async def open_file(path: str, shown: str, flags: int) -> int:
    """Open a regular file; O_APPEND and O_TRUNC mean what they mean.

    Args:
        path: on the host.
        shown: the device's name in the tree, for messages.
        flags: the opener's.

    Raises:
        FileError: it is not there, is no regular file, or may not be opened.
    """
    kept = flags & (os.O_ACCMODE | os.O_APPEND | os.O_TRUNC)
    fd = _open(path, shown, kept)
    return _blocking(_checked(fd, stat.S_ISREG, "a regular file", path, shown))


async def open_char(path: str, shown: str, flags: int) -> int:
    """Open a character device. Raises FileError as `open_file`."""
    # Without O_NONBLOCK a serial line would wait here for a carrier, and the Runtime with it.
    fd = _open(path, shown, flags & os.O_ACCMODE)
    return _blocking(_checked(fd, stat.S_ISCHR, "a character device", path, shown))


async def open_fifo(path: str, shown: str, flags: int) -> int:
    """Open a FIFO, and wait until its other end is there, as open(2) does.

    A reader waits until something was written, or a writer came and went. The path may lead into
    the name space of this host, which asks this process for each of its parts. Raises FileError as
    `open_file`.
    """
    access = flags & os.O_ACCMODE
    while True:
        fd = await aside(lambda: _open_unless_alone(path, shown, access))
        if fd >= 0:
            break
        await asyncio.sleep(FIFO_POLL_S)
    _checked(fd, stat.S_ISFIFO, "a FIFO", path, shown)
    if access == os.O_RDONLY:
        try:
            # A read would say "end of file" at once while no writer has come; poll(2) tells apart.
            await readable(fd)
        except BaseException:
            os.close(fd)
            raise
    return _blocking(fd)


async def aside(opens: Callable[[], int]) -> int:
    """Open something in a thread; closed again if nobody waits for it any more.

    Raises what `opens` raises.
    """
    opening = asyncio.get_running_loop().run_in_executor(None, opens)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: asyncio.Future[int]) -> None:
    if not opening.cancelled() and opening.exception() is None and opening.result() >= 0:
        os.close(opening.result())


def _open_unless_alone(path: str, shown: str, access: int) -> int:
    """Open a FIFO; -1 for a writer that has no reader so far."""
    try:
        return _open(path, shown, access)
    except FileError as error:
        # To a writer the kernel says ENXIO while there is no reader; so does a missing path.
        if access != os.O_WRONLY or error.errno != errno.ENXIO or not _is_fifo(path):
            raise
        return -1


def _open(path: str, shown: str, flags: int) -> int:
    try:
        return os.open(path, flags | _SAFE)
    except OSError as error:
        raise unusable(error, path, shown) from None


def _checked(fd: int, fits: object, what: str, path: str, shown: str) -> int:
    """The descriptor, if it is of the kind that was declared."""
    assert callable(fits)
    if fits(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise FileError(errno.ENXIO, shown, hint=f"{path} is not {what}: correct the device's kind")


def _blocking(fd: int) -> int:
    """The descriptor as a program expects it."""
    os.set_blocking(fd, True)
    return fd


def _is_fifo(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def unusable(
    error: OSError, path: str, shown: str, question: str = "is it plugged in"
) -> FileError:
    """Why the thing behind a device cannot be used, as its opener is to read it."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return FileError(errno.ENXIO, shown, hint=f"its host has no {path}: {question}?")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileError(
            errno.EACCES, shown, hint=f"the Runtime of its host has no right to open {path}"
        )
    return FileError(error.errno or errno.EIO, shown, hint=f"its host could not open {path}")
