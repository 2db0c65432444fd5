"""Chunks into a file: verified, as holes where they are zeros, shared with the store if possible.

On a file system with reflinks the blocks of a chunk are shared and not copied; elsewhere the bytes
that were read to verify the chunk are written. All calls block.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence

from oneos.errors import FileError
from oneos.limits import CHUNK_BYTES
from oneos.storage.chunks import ChunkStore
from oneos.storage.disk import as_file_error, remove, write_all

ZEROS = bytes(CHUNK_BYTES)
ZERO_DIGEST = hashlib.sha256(ZEROS).digest()
"""The name of the chunk that is a hole."""

Spot = tuple[int, bytes]
"""Where in a file which chunk belongs."""


def make_empty(path: str, mtime_ns: int | None) -> None:
    """Make an empty file. One that was there keeps its bytes for the programs that have it open."""
    with as_file_error(path):
        remove(path)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if mtime_ns is not None:
                os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)


def fill_local(part: str, store: ChunkStore, chunks: Sequence[bytes], size: int) -> list[Spot]:
    """Make a file of this size with the chunks that the store has; answers what is missing."""
    missing: list[Spot] = []
    with as_file_error(part):
        fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, size)
            for n, digest in enumerate(chunks):
                if digest != ZERO_DIGEST and not _fill(fd, store, digest, n * CHUNK_BYTES, size):
                    missing.append((n * CHUNK_BYTES, digest))
        finally:
            os.close(fd)
    return missing


def fill_fetched(part: str, at: int, digest: bytes, data: bytes, size: int) -> None:
    """Put a chunk from another host into the file; EIO when it is not what its name says."""
    if hashlib.sha256(data).digest() != digest:
        hint = "another host sent other bytes than this chunk's"
        raise FileError(errno.EIO, f"chunk {digest.hex()}", hint=hint)
    if _is_zeros(data):
        return
    with as_file_error(part):
        fd = os.open(part, os.O_WRONLY | os.O_CLOEXEC)
        try:
            write_all(fd, data[: size - at], at)
        finally:
            os.close(fd)


def finish(part: str, path: str, mtime_ns: int | None) -> None:
    """The file is whole: give it its name."""
    with as_file_error(path):
        if mtime_ns is not None:
            os.utime(part, ns=(mtime_ns, mtime_ns))
        os.rename(part, path)


def _is_zeros(data: bytes) -> bool:
    return data == ZEROS[: len(data)]


def _fill(fd: int, store: ChunkStore, digest: bytes, at: int, size: int) -> bool:
    try:
        data = store.get(digest)
    except FileError as error:
        # Missing or damaged here: another host has it.
        if error.errno in (errno.ENOENT, errno.EIO):
            return False
        raise
    if not _is_zeros(data) and not _share(fd, store.path(digest), at, size - at):
        write_all(fd, data[: size - at], at)
    return True


def _share(fd: int, path: str, at: int, room: int) -> bool:
    # A reflink shares whole blocks: a short chunk is copied.
    if room < CHUNK_BYTES or not hasattr(os, "copy_file_range"):
        return False
    try:
        with open(path, "rb", buffering=0) as chunk:
            if os.fstat(chunk.fileno()).st_size != CHUNK_BYTES:
                return False
            done = 0
            while done < CHUNK_BYTES:
                n = os.copy_file_range(chunk.fileno(), fd, CHUNK_BYTES - done, done, at + done)
                if not n:
                    return False
                done += n
        return True
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        # The store is on another file system, or the kernel cannot: write the bytes instead.
        return False
