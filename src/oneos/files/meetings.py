"""Where programs of this host meet behind a FIFO's or a socket's name in the tree.

The tree keeps the name; what it stands for is each host's own, as with a network file system. The
programs of a name space meet in its mount. Where a host has none, they meet at an object of the
host's kernel in one directory here: it goes by the inode's number, so it is the same under every
name. Opening, binding and connecting are the program's own system calls.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat

from oneos.storage.disk import as_file_error


class Meetings:
    """See the module.

    Args:
        directory: of this host; it is made when it is needed.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def clear(self) -> None:
        """Remove what an earlier life of the Runtime left: nobody is there."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def path(self, ino: int, mode: int) -> str:
        """The host's path of what an inode stands for here; a socket is for a program to bind.

        Raises:
            FileError: the host's file system refuses.
        """
        path = os.path.join(self._directory, str(ino))
        with as_file_error(path):
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            if stat.S_ISFIFO(mode):
                with contextlib.suppress(FileExistsError):
                    os.mkfifo(path, 0o600)
        return path

    def drop(self, ino: int) -> None:
        """The inode has lost its last name; who has the object open keeps it."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self._directory, str(ino)))
