"""The few system calls that Python has no function for: mounts, name spaces, backing files.

Each raises OSError with the kernel's errno and the path it was about.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct

from oneos.fuse import wire

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_ADMIN, _CAP_CHECKPOINT_RESTORE = 21, 40
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2

# pivot_root(2) has no wrapper in every libc. The numbers are those of the kernel's tables.
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "armv7l": 218, "armv6l": 218, "riscv64": 41}


def _check(result: int, path: str) -> None:
    if result:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    _check(
        _libc.mount(
            source.encode() or None,
            os.fsencode(target),
            kind.encode() or None,
            ctypes.c_ulong(flags),
            data.encode() or None,
        ),
        target,
    )


def unmount(target: str, lazily: bool = True) -> None:
    """Take a mount away; `lazily`: from sight now, and all of it when its last user has gone."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH if lazily else 0), target)


def unshare(flags: int) -> None:
    """Enter new name spaces."""
    _check(_libc.unshare(flags), "")


def setns(path: str) -> None:
    """Enter the name space that a link of /proc names."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(fd, 0), path)
    finally:
        os.close(fd)


def adopt_orphans() -> None:
    """Be the parent of what descends from this process and has lost its own."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "orphans")


def keep_capabilities() -> None:
    """Let the program that this process executes keep what this one may do; see capabilities(7).

    In a user name space of its own a process may do everything in it until it executes something,
    unless it is user 0 there.
    """
    head = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
    sets = ctypes.create_string_buffer(24)
    _check(_libc.capget(head, sets), "capabilities")
    low, permitted_low, _, high, permitted_high, _ = struct.unpack("<6I", sets.raw)
    # What it may do, a program that it executes inherits.
    given = (low, permitted_low, permitted_low, high, permitted_high, permitted_high)
    _check(_libc.capset(head, struct.pack("<6I", *given)), "capabilities")
    for number in (_CAP_SYS_ADMIN, _CAP_CHECKPOINT_RESTORE):
        ambient = (_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)
        _check(_libc.prctl(*ambient), "capabilities")


def set_hostname(name: str) -> None:
    """The host's name in this process's UTS name space."""
    raw = name.encode()
    _check(_libc.sethostname(raw, len(raw)), name)


def pivot_root(new: str, old: str) -> None:
    """Make `new` the root, and the root so far visible at `old` in it."""
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(38, f"pivot_root is not known for {platform.machine()}", new)
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), new)


def allocate(fd: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2), all modes; Python has only the plain one."""
    call = getattr(_libc, "fallocate64", None) or _libc.fallocate
    _check(call(fd, mode, ctypes.c_longlong(offset), ctypes.c_longlong(length)), "")


def open_backing(fuse: int, fd: int) -> int:
    """Let the kernel read and write `fd` for a file of the mount; returns the backing's id."""
    # With a buffer that may change, ioctl returns the kernel's number and not the buffer.
    return int(fcntl.ioctl(fuse, wire.BACKING_OPEN, bytearray(struct.pack("<iIQ", fd, 0, 0))))


def close_backing(fuse: int, backing: int) -> None:
    """Give a backing's id back; files opened with it keep it until they are closed."""
    fcntl.ioctl(fuse, wire.BACKING_CLOSE, struct.pack("<I", backing))
