"""Reaching what stands below a directory, and never anything else.

A place is a list of names; none may be `..`, and a symbolic link is never followed: whoever meets
one is told where, and follows it by himself, in his own tree. So there is nothing that could lead
out: no link, no magic link of /proc, and no directory that is swapped for a link while somebody
walks, since each step is made from an open directory and not from a path. What is reached is a
descriptor that cannot be read (O_PATH), to look at before it is opened: opening a FIFO or a device
has effects. The kernel walks where it knows how (openat2(2), Linux 5.6), else this file does, name
by name. tests/unit/files/test_beneath.py holds both to it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Sequence

from oneos.errors import FileError
from oneos.limits import NAME_BYTES_MAX, PATH_BYTES_MAX

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENAT2 = 437  # The same number on every architecture of Linux.
_RESOLVE = 0x02 | 0x04 | 0x08  # RESOLVE_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH: linux/openat2.h
_NOREPLACE = 1  # RENAME_NOREPLACE, see renameat2(2).
_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    """struct open_how, see openat2(2)."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("flags", "mode", "resolve")]


_HOW = _How(_LOOK, 0, _RESOLVE)


class LinkMet(Exception):
    """A symbolic link stands on the way, or in last place where the caller wants what is behind.

    Args:
        at: its position in the place.
        target: what it says.
    """

    def __init__(self, at: int, target: bytes) -> None:
        super().__init__()
        self.at = at
        self.target = target


def check_names(place: Sequence[bytes]) -> None:
    """Raise for what are no names: EINVAL for what only an attacker sends, ENAMETOOLONG."""
    for name in place:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise FileError(errno.EINVAL, name)
        if len(name) > NAME_BYTES_MAX:
            raise FileError(errno.ENAMETOOLONG, name[:32] + b"...")


def reach(root: int, place: Sequence[bytes]) -> int:
    """What stands at a place below the directory `root`, also a link: an O_PATH descriptor.

    Raises:
        LinkMet: a link stands on the way there.
        OSError, FileError: as open(2).
    """
    check_names(place)
    if not place:
        return os.dup(root)
    path = b"/".join(place)
    if _able and len(path) < PATH_BYTES_MAX:
        fd = _libc.syscall(_OPENAT2, root, path, ctypes.byref(_HOW), ctypes.sizeof(_HOW))
        if fd >= 0:
            return int(fd)
        # ELOOP: a link; EAGAIN: something was renamed meanwhile. Which, the walk finds out.
        if (number := ctypes.get_errno()) not in (errno.ELOOP, errno.EAGAIN):
            raise OSError(number, os.strerror(number))
    return walk(root, place)


def walk(root: int, place: Sequence[bytes]) -> int:
    """As `reach`, name by name. The names have been checked."""
    fd = os.dup(root)
    try:
        for at, name in enumerate(place):
            if at:
                refuse_link(fd, at - 1)
            # Of what is no directory the kernel says ENOTDIR.
            below = os.open(name, _LOOK, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise
    return fd


def reach_above(root: int, place: Sequence[bytes]) -> int:
    """The directory that a place's last name stands in, for the calls that take it and a name.

    Raises:
        LinkMet: a link stands on the way there.
        OSError, FileError: as open(2).
    """
    check_names(place)
    fd = reach(root, place[:-1])
    try:
        refuse_link(fd, len(place) - 2)
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise FileError(errno.ENOTDIR)
    except BaseException:
        os.close(fd)
        raise
    return fd


def refuse_link(fd: int, at: int) -> None:
    """Raise LinkMet if a descriptor is of a symbolic link, which stands at that position."""
    if stat.S_ISLNK(os.fstat(fd).st_mode):
        raise LinkMet(at, os.readlink(b"", dir_fd=fd))


def rename_to_new(old: tuple[int, bytes], new: tuple[int, bytes]) -> None:
    """Rename from a directory and name to others that are not there. Raises OSError."""
    if _libc.renameat2(*old, *new, _NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _kernel_walks() -> bool:
    root = os.open("/", _LOOK)
    try:
        fd = _libc.syscall(_OPENAT2, root, b".", ctypes.byref(_HOW), ctypes.sizeof(_HOW))
    finally:
        os.close(root)
    if fd >= 0:
        os.close(fd)
    # Older kernels do not know it, and some containers refuse it.
    return bool(fd >= 0)


_able = _kernel_walks()
