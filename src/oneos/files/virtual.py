"""Directories of the tree that are made up of facts: /proc, /runtime, /dev, /topic, /host.

Each of them is a `Facts`: it says what stands at a place, and the rest (stat, list, open, the
errno of what cannot be) is the same for all and is here. Nothing in them can be made or removed by
a program, but in what one serves that is `Served` as well.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from oneos.errors import FileError
from oneos.files.handles import (
    Attributes,
    Caller,
    Directory,
    Handle,
    Plain,
    Text,
    not_for_writing,
    wants_to_write,
)
from oneos.files.served import Parts as Parts
from oneos.files.served import Served
from oneos.ids import Ino
from oneos.state.names_types import Entry
from oneos.state.names_walk import Leaves


@dataclass(frozen=True, slots=True)
class Dir:
    """A directory: its names with the type bits of what they name."""

    names: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class File:
    """A text to read, made when it is opened."""

    text: Callable[[], bytes | Awaitable[bytes]]
    permissions: int = 0o444


@dataclass(frozen=True, slots=True)
class Node:
    """Something that is opened in a way of its own; `mode` has type and permission bits."""

    mode: int
    open: Callable[[int], Awaitable[Handle]]
    rdev: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, with what it says."""

    target: bytes


Found = Dir | File | Node | Link


class Facts(Protocol):
    """What a directory is made up of."""

    async def find(self, place: Parts, caller: Caller) -> Found | None:
        """What stands there, or None."""
        ...


_STARTED_NS = time.time_ns()

FACTS_SINCE = 1 << 56
"""Inode numbers from here on are of what is made up; those of the File System are below."""


async def stat_virtual(
    facts: Facts, path: bytes, place: Parts, caller: Caller, follow: bool = True
) -> Attributes:
    """Attributes of a place. Raises FileError(ENOENT)."""
    if isinstance(facts, Served) and (found := await facts.stat(path, place, follow)) is not None:
        return found
    return _attributes(await _find(facts, path, place, caller, follow), path)


async def readlink_virtual(facts: Facts, path: bytes, place: Parts, caller: Caller) -> bytes:
    """What a symbolic link says. Raises FileError(ENOENT); EINVAL for what is none."""
    if isinstance(facts, Served):
        return await facts.readlink(path, place)
    found = await _find(facts, path, place, caller, False)
    if not isinstance(found, Link):
        raise FileError(errno.EINVAL, path)
    return found.target


def _attributes(found: Found, path: bytes) -> Attributes:
    if isinstance(found, Dir):
        # As in the kernel's /proc: the number of names does not show.
        mode, nlink, size, rdev = stat.S_IFDIR | 0o755, 2, 0, 0
    elif isinstance(found, File):
        # As in the kernel's /proc: the size of what is made on opening is not known before.
        mode, nlink, size, rdev = stat.S_IFREG | found.permissions, 1, 0, 0
    elif isinstance(found, Link):
        mode, nlink, size, rdev = stat.S_IFLNK | 0o777, 1, len(found.target), 0
    else:
        mode, nlink, size, rdev = found.mode, 1, 0, found.rdev
    return Attributes(
        mode=mode,
        ino=ino_of(path),
        size=size,
        nlink=nlink,
        atime_ns=_STARTED_NS,
        mtime_ns=_STARTED_NS,
        ctime_ns=_STARTED_NS,
        rdev=rdev,
    )


async def check_directory(facts: Facts, path: bytes, place: Parts, caller: Caller) -> None:
    """Raises FileError(ENOENT, ENOTDIR) when no directory is there."""
    if not stat.S_ISDIR((await stat_virtual(facts, path, place, caller)).mode):
        raise FileError(errno.ENOTDIR, path)


async def list_virtual(facts: Facts, path: bytes, place: Parts, caller: Caller) -> list[Entry]:
    """The names at a place. Raises FileError(ENOENT, ENOTDIR)."""
    if isinstance(facts, Served) and (names := await facts.names(path, place)) is not None:
        return names
    found = await _find(facts, path, place, caller)
    if not isinstance(found, Dir):
        raise FileError(errno.ENOTDIR, path)
    return [
        Entry(name, Ino(ino_of(path + b"/" + name)), stat.S_IFMT(mode))
        for name, mode in sorted(found.names.items())
    ]


async def open_virtual(
    facts: Facts, path: bytes, place: Parts, flags: int, caller: Caller, mode: int = 0
) -> Handle:
    """Open a place. Raises FileError."""
    if isinstance(facts, Served):
        opened = await facts.open(path, place, flags, mode)
        if opened is not None:
            return opened
    found = await _find(facts, path, place, caller, not flags & os.O_NOFOLLOW)
    if isinstance(found, Link):
        raise FileError(errno.ELOOP, path)
    if isinstance(found, Dir):
        if wants_to_write(flags):
            raise FileError(errno.EISDIR, path)
        return Directory(path)
    if flags & os.O_DIRECTORY:
        raise FileError(errno.ENOTDIR, path)
    if isinstance(found, File):
        not_for_writing(path, flags)
        text = found.text()
        if not isinstance(text, bytes):
            text = await text
        return Text(path.decode("utf-8", "replace")[-64:], text)
    handle = await found.open(flags)
    if isinstance(handle, Plain):
        # The program sees a pipe; what it opened is what it asks for.
        handle.shown = _attributes(found, path)
    return handle


async def _find(
    facts: Facts, path: bytes, place: Parts, caller: Caller, follow: bool = True
) -> Found:
    found = await facts.find(place, caller)
    if isinstance(found, Link) and follow:
        raise Leaves(path, found.target, 1)
    if found is None:
        for length in range(len(place)):
            above = await facts.find(place[:length], caller)
            if isinstance(above, Link):
                raise Leaves(path, b"/".join([above.target, *place[length:]]), 1)
            if above is not None and not isinstance(above, Dir):
                raise FileError(errno.ENOTDIR, path)
        raise FileError(errno.ENOENT, path)
    return found


def ino_of(path: bytes) -> int:
    """The inode number of what is made up at a path."""
    # High numbers, out of the way of the index's; the same on every host for the same path.
    digest = hashlib.blake2b(path, digest_size=7).digest()
    return FACTS_SINCE | int.from_bytes(digest, "big")
