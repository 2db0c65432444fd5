"""A file into chunks: what fsync and close do with a backing file. All calls block.

A cut is the file at one moment only if nobody writes meanwhile; the times before and after tell,
and a file that changed is cut again a few times. A writer that still goes on has not called fsync
yet, so the last cut is right for whoever did. Holes are never read. Of a large file the next pieces
are read and hashed while the disk takes the last ones.
"""

from __future__ import annotations

import errno
import os
import time
from typing import NamedTuple

from oneos.errors import FileError
from oneos.limits import CHUNK_BYTES, CUT_SETTLED_NS, CUT_TRIES_MAX, FILE_CHUNKS_MAX
from oneos.storage.chunks import ChunkStore, Offer
from oneos.storage.disk import as_file_error, read_up_to
from oneos.storage.fill import ZERO_DIGEST, ZEROS
from oneos.storage.keeper import Keeper


class Cut(NamedTuple):
    """A file's content as chunks.

    `digests` may be shorter than `size`: the file ends in a hole then. `new_digests` are those
    that the store did not have before this cut.
    """

    size: int
    mtime_ns: int
    digests: list[bytes]
    new_digests: list[bytes]


class Seen(NamedTuple):
    """The last cut of a file, and the stamps it had; `settled` when any change since would show."""

    size: int
    mtime_ns: int
    ctime_ns: int
    settled: bool
    digests: list[bytes]


def cut_file(
    path: str, chunks: ChunkStore, seen: Seen | None, offer: Offer | None = None
) -> tuple[Cut, Seen]:
    """Cut a file; answers the cut, and what to give to the next one.

    Args:
        offer: is shown pieces that are new here early, perhaps some that the cut will not have.

    Raises:
        FileError: EFBIG, ENOSPC, EIO or what else the disk says.
    """
    with as_file_error(path):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _cut(fd, path, chunks, seen, offer)
        finally:
            os.close(fd)


def _cut(
    fd: int, path: str, chunks: ChunkStore, seen: Seen | None, offer: Offer | None
) -> tuple[Cut, Seen]:
    before = os.fstat(fd)
    same = seen is not None and seen.settled and seen[:3] == _stamps(before)
    # A chunk that was damaged or deleted since must be made again from the file.
    if seen is not None and same and not chunks.missing(seen.digests):
        return Cut(seen.size, seen.mtime_ns, seen.digests, []), seen
    # The file itself is in the kernel's memory already: its chunks need not be, too.
    with Keeper(chunks, set(seen.digests) if seen is not None else set(), offer) as keeper:
        return _cut_settled(fd, path, keeper)


def _cut_settled(fd: int, path: str, keeper: Keeper) -> tuple[Cut, Seen]:
    for _ in range(CUT_TRIES_MAX):
        began_ns = time.time_ns()
        before = os.fstat(fd)
        digests, size = _pieces(fd, path, before.st_size, keeper)
        after = os.fstat(fd)
        if _stamps(after) == _stamps(before) and size == before.st_size:
            settled = 0 <= before.st_ctime_ns < began_ns - CUT_SETTLED_NS
            seen = Seen(*_stamps(after), settled, digests)
            return Cut(size, after.st_mtime_ns, digests, list(keeper.new)), seen
    seen = Seen(size, before.st_mtime_ns, before.st_ctime_ns, False, digests)
    return Cut(size, before.st_mtime_ns, digests, list(keeper.new)), seen


def _stamps(info: os.stat_result) -> tuple[int, int, int]:
    return info.st_size, info.st_mtime_ns, info.st_ctime_ns


def _pieces(fd: int, path: str, size: int, keeper: Keeper) -> tuple[list[bytes], int]:
    """The names of the file's chunks, all kept; and its size, less if it has become shorter."""
    digests: list[bytes] = []
    at = 0
    while (data_at := _next_data(fd, at, size)) < size:
        holes = data_at // CHUNK_BYTES - at // CHUNK_BYTES
        if len(digests) + holes >= FILE_CHUNKS_MAX:
            bytes_max = FILE_CHUNKS_MAX * CHUNK_BYTES
            raise FileError(errno.EFBIG, path, hint=f"no data lies beyond byte {bytes_max}")
        if holes:
            digests += [keeper.keep(ZEROS)] * holes
            at += holes * CHUNK_BYTES
        wanted = min(CHUNK_BYTES, size - at)
        piece = read_up_to(fd, wanted, at)
        if piece:
            digests.append(keeper.keep(piece))
        at += len(piece)
        if len(piece) < wanted:
            size = at
    keeper.flush()
    while digests and digests[-1] == ZERO_DIGEST:
        digests.pop()
    return digests, size


def _next_data(fd: int, at: int, size: int) -> int:
    """Where the next byte that may not be zero is; `size` when there is none."""
    if at >= size:
        return size
    try:
        return max(at, os.lseek(fd, at, os.SEEK_DATA))
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        # This file system does not tell its holes: read everything.
        return at
