"""What an opened file of the tree is to the Runtime, whatever serves it.

A handle either has a kernel descriptor, which the program gets and uses without us, or is read and
written by calls (`RemoteFile`), or is a directory, which is only a name.
"""

from __future__ import annotations

import errno
import os
import stat
from array import array
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

from msgspec import Struct

from oneos.errors import FileError


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the user in whose name things happen."""

    user: str = "root"
    uid: int = 0
    gid: int = 0
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Attributes:
    """What stat gives; times in nanoseconds since the epoch."""

    mode: int
    ino: int
    size: int = 0
    nlink: int = 1
    uid: int = 0
    gid: int = 0
    atime_ns: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    rdev: int = 0
    blocks: int = -1
    """Of 512 bytes; -1: as many as the size takes."""

    def wire(self) -> list[int]:
        """As the local protocol has it: mode ino dev nlink uid gid size times blocks rdev."""
        return [
            self.mode,
            self.ino,
            1,
            self.nlink,
            self.uid,
            self.gid,
            self.size,
            self.atime_ns,
            self.mtime_ns,
            self.ctime_ns,
            self.blocks if self.blocks >= 0 else -(-self.size // 512),
            self.rdev,
        ]


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be changed of an inode's attributes; None: stays as it is."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a name gave; None: there is nothing.

    `name_kept`, `attributes_kept`: whether these may be kept until the File System calls them back.
    """

    attributes: Attributes | None
    name_kept: bool = False
    attributes_kept: bool = False

    def wire(self) -> list[Any]:
        """As the local protocol has it."""
        found = self.attributes.wire() if self.attributes is not None else None
        return [found, self.name_kept, self.attributes_kept]


@dataclass(frozen=True, slots=True)
class Listing:
    """The names of a directory, and what is known of each.

    `rows` has for each name its attributes, as `Attributes.wire`, or, without `attributes`, its
    type and number. Where they may not be kept, and the program has to ask for them, their device
    is 0. `kept`: whether the listing may be kept until the File System calls it back.
    """

    names: list[bytes]
    rows: list[list[int]]
    attributes: bool = False
    kept: bool = False

    def wire(self) -> list[object]:
        """As the local protocol has it: names between zeros, and 64-bit numbers."""
        numbers = array("q", chain.from_iterable(self.rows))
        return [b"\0".join(self.names), numbers.tobytes(), self.attributes, self.kept]


class Handle(Protocol):
    """An opened file.

    `kind` is "fd" (then `fd` is the kernel's descriptor), "remote", "dir" or "host" (then `path`
    is what the program opens by itself).
    """

    kind: str
    fd: int
    path: str

    async def close(self) -> None: ...
    async def sync(self) -> None: ...
    async def flush(self) -> None: ...
    async def stat(self) -> Attributes: ...


class Plain:
    """A handle with nothing to do on close but to close; others derive from it."""

    kind = "fd"
    path = ""
    shown: Attributes | None = None
    """What stat shows of what was opened, where its descriptor here does not say it."""

    def __init__(self, fd: int = -1) -> None:
        self.fd = fd

    async def close(self) -> None:
        self.close_fd()

    def close_fd(self) -> None:
        """Close our descriptor; a program that was given it has its own."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    async def sync(self) -> None:
        return None

    async def flush(self) -> None:
        """What `close` promises, of a handle that stays open: by default what `sync` does."""
        await self.sync()

    async def stat(self) -> Attributes:
        if self.shown is not None:
            return self.shown
        status = os.fstat(self.fd)
        return Attributes(
            mode=status.st_mode,
            ino=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
            atime_ns=status.st_atime_ns,
            ctime_ns=status.st_ctime_ns,
        )


class Directory(Plain):
    """An opened directory; `name` is its canonical path."""

    kind = "dir"

    def __init__(self, path: bytes) -> None:
        super().__init__()
        self.name = path

    async def stat(self) -> Attributes:
        raise FileError(errno.EBADF)


class HostPath(Plain):
    """A file that every host has of its own, such as /dev/null: the program opens it itself.

    Args:
        path: on the host.
        waits: opening it waits for somebody at its other end, as a FIFO's does.
    """

    kind = "host"

    def __init__(self, path: str, waits: bool = False) -> None:
        super().__init__()
        self.path = path
        self.waits = waits


class Text(Plain):
    """A generated text, such as a file of /proc: a sealed piece of memory to read."""

    def __init__(self, name: str, data: bytes) -> None:
        fd = os.memfd_create(name, os.MFD_CLOEXEC)
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        super().__init__(fd)
        # Known from now on: the descriptor goes to the program.
        self.shown = Attributes(mode=stat.S_IFREG | 0o444, ino=os.fstat(fd).st_ino, size=len(data))


def wants_to_write(flags: int) -> bool:
    """Whether flags of open(2) ask to change the file."""
    return flags & os.O_ACCMODE != os.O_RDONLY or bool(flags & os.O_TRUNC)


def not_for_writing(path: bytes, flags: int) -> None:
    """Raise what a file that cannot be written answers to such flags."""
    if wants_to_write(flags):
        raise FileError(errno.EACCES, path)
