"""Small acts on the host's disk that must be done in the right order to survive a power cut.

What a name leads to is safe only when the file was synced before it got the name and the directory
after. Errors of the host's kernel become `FileError` with the same errno here.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from oneos.errors import FileError

_STAMPS = 5 if sys.platform == "linux" else time.CLOCK_REALTIME
"""CLOCK_REALTIME_COARSE of clock_gettime(2), which Python does not name."""


@contextmanager
def as_file_error(path: str) -> Iterator[None]:
    """Whatever the kernel refuses inside is a FileError about `path`."""
    try:
        yield
    except OSError as error:
        raise FileError(error.errno or errno.EIO, path) from error


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write all of it at an offset; a disk that fills up in the middle raises ENOSPC."""
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def read_up_to(fd: int, count: int, offset: int) -> bytes:
    """Up to `count` bytes at an offset: fewer only at the end of the file."""
    data = os.pread(fd, count, offset)
    if len(data) in (0, count):
        return data
    pieces = [data]
    have = len(data)
    while have < count and (data := os.pread(fd, count - have, offset + have)):
        pieces.append(data)
        have += len(data)
    return b"".join(pieces)


def sync_directory(path: str) -> None:
    """Make the names in a directory safe: without it a rename can vanish on power loss."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: str, cached: bool = True) -> None:
    """Make a file's bytes safe; unless `cached`, the kernel need not keep them in memory, too."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        if not cached:
            forget(fd)
    finally:
        os.close(fd)


def remove(path: str) -> None:
    """Remove a file that may be there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def forget(fd: int) -> None:
    """Have the kernel forget what it holds in memory of a file, so that the next read is from the
    disk; what is not written back yet stays, and where the kernel has no such call, all of it."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def stamp_ns() -> int:
    """The clock by which the kernel stamps files that are written, which lags behind the wall clock
    by up to a tick of some milliseconds: nothing that is written from now on looks older."""
    return time.clock_gettime_ns(_STAMPS)
