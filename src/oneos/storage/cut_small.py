"""Many small files into chunks at once: one sweep of the disk for all. Blocks.

What `cut` does for one file, where each is one short piece. A file that is longer, has changed
meanwhile, or is zeros only, is left to `cut`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Sequence

from oneos.errors import FileError
from oneos.limits import CUT_SETTLED_NS, SMALL_FILE_BYTES_MAX
from oneos.storage.chunks import ChunkStore, Offer
from oneos.storage.cut import Cut, Seen
from oneos.storage.disk import as_file_error, read_up_to


def cut_small_files(
    paths: Sequence[str], chunks: ChunkStore, offer: Offer
) -> list[tuple[Cut, Seen] | None]:
    """Cut files; None for one that `cut_file` has to do. All are safe on the disk when it returns.

    Args:
        offer: is shown the pieces that are new here, before the disk is waited for.

    Raises:
        FileError: ENOSPC, EIO or what else the disk says of any of them.
    """
    pieces: dict[bytes, bytes] = {}
    read = [_read(path, pieces) for path in paths]
    if pieces:
        chunks.put_named(list(pieces.items()), offer)
    return read


def _read(path: str, pieces: dict[bytes, bytes]) -> tuple[Cut, Seen] | None:
    try:
        with as_file_error(path):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    try:
        with as_file_error(path):
            began_ns = time.time_ns()
            before = os.fstat(fd)
            if before.st_size > SMALL_FILE_BYTES_MAX:
                return None
            data = read_up_to(fd, SMALL_FILE_BYTES_MAX + 1, 0)
            after = os.fstat(fd)
    finally:
        os.close(fd)
    stamps = (after.st_size, after.st_mtime_ns, after.st_ctime_ns)
    if stamps != (before.st_size, before.st_mtime_ns, before.st_ctime_ns):
        return None
    if len(data) != after.st_size or (data and not any(data)):
        return None
    digests = []
    if data:
        digest = hashlib.sha256(data).digest()
        pieces[digest] = data
        digests.append(digest)
    settled = 0 <= before.st_ctime_ns < began_ns - CUT_SETTLED_NS
    return Cut(len(data), after.st_mtime_ns, digests, digests), Seen(*stamps, settled, digests)
