"""What a host notes of one file that is at home there, and of one opening of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from oneos.files.handles import wants_to_write
from oneos.ids import HostName, Ino
from oneos.state.names_types import Attr, Inode


@dataclass(slots=True)
class Home:
    """One file that is at home here. `inode` is the last committed or claimed record.

    `lent`: programs of this host may have opened its backing file by themselves, to read it. `path`
    is where it was opened last, for the rule that holds; b"" is unknown. `held`: a program has
    closed it, and it stays open for writing once more until that is committed (`settling`).
    """

    inode: Inode
    opens: int = 0
    writers: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    gone: bool = False
    lent: bool = False
    path: bytes = b""
    held: bool = False


@dataclass(slots=True)
class HomeHandle:
    """One opening of a file at its home."""

    home: Home
    flags: int
    fd: int
    owner: HostName

    @property
    def writing(self) -> bool:
        """Whether it may change the content."""
        return wants_to_write(self.flags)


class Stored(NamedTuple):
    """A content of a file that is on disks; `promises` are those of `copies`, in their order."""

    size: int
    mtime_ns: int
    chunks: tuple[bytes, ...]
    copies: tuple[HostName, ...]
    promises: tuple[int, ...]


def as_shown(inode: Inode, attr: Attr) -> Inode:
    """An inode with what stat shows of it now; its content and home as they are."""
    return replace(
        inode,
        mode=attr.mode,
        nlink=attr.nlink,
        uid=attr.uid,
        gid=attr.gid,
        atime_ns=attr.atime_ns,
        ctime_ns=attr.ctime_ns,
    )


def unknown(ino: int, home_epoch: int) -> Inode:
    """What stands for a file here of which only the epoch is known."""
    return Inode(Ino(ino), 0, 1, 0, 0, 0, 0, 0, 0, home_epoch=home_epoch)
