"""Where programs of this host meet behind a FIFO's or a socket's name in the tree.

The tree keeps the name; what it stands for is each host's own, as with a network file system. Where
a host has a name space, all its programs meet in the mount of that, the instrumented ones by a path
that leads into it. Where it has none, they meet at an object of the host's kernel in one directory
here: it goes by the inode's number, so it is the same under every name. Opening, binding and
connecting are the program's own system calls.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Awaitable, Callable

from oneos.errors import FileError
from oneos.storage.disk import as_file_error


class Meetings:
    """See the module.

    Args:
        directory: of this host; it is made when it is needed.
        inside: a path that leads to the tree's root in the name space; empty: there is none; None:
            its own programs alone can walk it.
    """

    def __init__(self, directory: str, inside: Callable[[], Awaitable[str | None]]) -> None:
        self._directory = directory
        self._inside = inside

    def clear(self) -> None:
        """Remove what an earlier life of the Runtime left: nobody is there."""
        shutil.rmtree(self._directory, ignore_errors=True)

    async def inside(self, refused: int) -> str:
        """Where the tree's root is, as the programs here have it that meet; empty: nowhere.

        Raises:
            FileError: with the errno `refused`: only programs of the name space meet.
        """
        inside = await self._inside()
        if inside is None:
            hint = "it is for the native programs of this host, whose Runtime is not root"
            raise FileError(refused, hint=hint)
        return inside

    async def path(self, ino: int, mode: int, name: bytes) -> str:
        """The host's path of what an inode stands for here; a socket is for a program to bind.

        Args:
            name: its canonical path in the tree.

        Raises:
            FileError: the host's file system refuses; ENXIO for a FIFO and ENOTSUP for a socket
                where only programs of the name space meet.
        """
        inside = await self.inside(errno.ENXIO if stat.S_ISFIFO(mode) else errno.ENOTSUP)
        if inside:
            return inside + os.fsdecode(name)
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
