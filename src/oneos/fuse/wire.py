"""The kernel's side of /dev/fuse: the records, numbers and flags of its protocol.

Laid out as in linux/fuse.h, version 7.31 and newer, little-endian hosts only as every board and
server that OneOS runs on. Nothing is decided here.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Sequence

VERSION_MAJOR = 7
VERSION_MINOR = 41
VERSION_MINOR_OLDEST = 31
"""Linux 5.4: what came later is used only where the kernel offers it."""

NANO = 1_000_000_000

IN_HEADER = struct.Struct("<IIQQIIIHH")
IN_HEADER_START = struct.Struct("<4xIQQ")
"""Of a request's header the kind, the request's number and the node's: what most answers need."""
OUT_HEADER = struct.Struct("<IiQ")
ATTR = struct.Struct("<QQQqqqIIIIIIIIII")
ENTRY = struct.Struct("<QQQQII")
ATTR_HEAD = struct.Struct("<QII")
OPEN_OUT = struct.Struct("<QIi")
INIT_OUT = struct.Struct("<IIIIHHIIHHIIH22x")
SETATTR_IN = struct.Struct("<IIQQQqqqIIIIIIII")
RW_IN = struct.Struct("<QQIIQII")
WRITE_OUT = struct.Struct("<II")
DIRENT = struct.Struct("<QQII")
KSTATFS = struct.Struct("<QQQQQIIII24x")
SETXATTR_IN = struct.Struct("<II")
GETXATTR_IN = struct.Struct("<II")
GETXATTR_OUT = struct.Struct("<II")
"""Of xattrs: the size of the value and flags; the size of the buffer; the size it would need."""
LK_IN = struct.Struct("<QQQQIII4x")
LK_OUT = struct.Struct("<QQII")
"""Of locks: opening, owner, first and last byte, type, process, flags; and what is in the way."""
POLL_IN = struct.Struct("<QQII")
POLL_OUT = struct.Struct("<II")

# --- requests ---------------------------------------------------------------------------------
LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK = 1, 2, 3, 4, 5, 6
MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK, OPEN, READ, WRITE = 8, 9, 10, 11, 12, 13, 14, 15, 16
STATFS, RELEASE, FSYNC, SETXATTR, GETXATTR, LISTXATTR = 17, 18, 20, 21, 22, 23
REMOVEXATTR, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, FSYNCDIR = 24, 25, 26, 27, 28, 29, 30
GETLK, SETLK, SETLKW = 31, 32, 33
CREATE, INTERRUPT, DESTROY, POLL, BATCH_FORGET, FALLOCATE = 35, 36, 38, 40, 42, 43
RENAME2, LSEEK = 45, 46

NOTIFY_POLL, NOTIFY_INVAL_INODE, NOTIFY_RESEND, NOTIFY_INC_EPOCH = 1, 2, 7, 8
INC_EPOCH_SINCE = 44
"""The protocol's minor version (Linux 6.16) that can drop all names without taking a lock. The
older way locks the directory, and two hosts that change one at the same time would wait for each
other: there names are not kept at all."""

# --- flags of INIT ----------------------------------------------------------------------------
ASYNC_READ = 1 << 0
POSIX_LOCKS, FLOCK_LOCKS = 1 << 1, 1 << 10
"""Locks of fcntl(2) and flock(2) are asked for here; without, the kernel keeps some of its own."""
ATOMIC_O_TRUNC = 1 << 3
AUTO_INVAL_DATA = 1 << 12
"""What is kept of a directory's names is compared with its time before it is used again."""
BIG_WRITES = 1 << 5
PARALLEL_DIROPS = 1 << 18
MAX_PAGES = 1 << 22
CACHE_SYMLINKS = 1 << 23
"""What a symbolic link says stays in the page cache: it never changes, as long as it is there."""
HANDLE_KILLPRIV_V2 = 1 << 28
"""Without it the kernel asks for security.capability before each small write (46 against 1 us)."""
INIT_EXT = 1 << 30
DIRECT_IO_ALLOW_MMAP = 1 << 4
"""Of the second word, as the next one."""
PASSTHROUGH = 1 << 5
HAS_RESEND = 1 << 7
"""Whether requests can be had again (NOTIFY_RESEND) that a dead process has read: Linux 6.9."""
RESENT = 1 << 63
"""The bit that the number of such a request has from then on."""

# --- flags of an opened file ------------------------------------------------------------------
FOPEN_DIRECT_IO = 1 << 0
FOPEN_KEEP_CACHE = 1 << 1
FOPEN_CACHE_DIR = 1 << 3
FOPEN_NONSEEKABLE = 1 << 2
FOPEN_STREAM = 1 << 4
FOPEN_NOFLUSH = 1 << 5
FOPEN_PASSTHROUGH = 1 << 7

# --- what SETATTR sets, and how GETATTR is asked ------------------------------------------------
SET_MODE, SET_UID, SET_GID, SET_SIZE, SET_ATIME, SET_MTIME, SET_FH = 1, 2, 4, 8, 16, 32, 64
SET_ATIME_NOW, SET_MTIME_NOW = 128, 256
SET_KILL_PRIVILEGES = 1 << 11
OPEN_KILL_PRIVILEGES = 1 << 0
WRITE_KILL_PRIVILEGES = 1 << 2
"""Whoever truncates or writes may not leave set-user-id and set-group-id bits behind: with
HANDLE_KILLPRIV_V2 we take them off."""

RENAME_NOREPLACE = 1 << 0
GETATTR_FH = 1
POLL_SCHEDULE_NOTIFY = 1
LK_FLOCK = 1 << 0

BACKING_OPEN = 0x4010E501
BACKING_CLOSE = 0x4004E502
"""FUSE_DEV_IOC_BACKING_OPEN and _CLOSE: ioctls of /dev/fuse, since Linux 6.9."""

Attributes = Sequence[int]
"""Attributes as the local protocol has them: mode ino dev nlink uid gid size times blocks rdev."""


FACTS_SINCE = 1 << 56
"""Inode numbers from here on are those of facts such as /proc, whose names change without a notice,
and of what the file process makes up."""


def shown_mode(mode: int, ino: int) -> int:
    """The mode that the kernel is told.

    A device or pipe of the tree is not one of this kernel, which would open its own driver in its
    place: so it is shown as a file that is read without seeking. A FIFO or socket that a program
    made is the kernel's: programs of this host meet at it.
    """
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
        return mode
    if ino < FACTS_SINCE and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return mode
    return stat.S_IFREG | stat.S_IMODE(mode)


def pack_attr(a: Attributes) -> bytes:
    """`struct fuse_attr` of attributes."""
    mode, ino, _dev, nlink, uid, gid, size, atime, mtime, ctime, blocks, _rdev = a
    return ATTR.pack(
        ino,
        size,
        blocks,
        atime // NANO,
        mtime // NANO,
        ctime // NANO,
        atime % NANO,
        mtime % NANO,
        ctime % NANO,
        shown_mode(mode, ino),
        nlink,
        uid,
        gid,
        0,
        4096,
        0,
    )


def pack_attr_out(attributes: bytes, valid_s: float) -> bytes:
    """`struct fuse_attr_out`; `valid_s` is how long the kernel may keep them."""
    return ATTR_HEAD.pack(*_time(valid_s), 0) + attributes


def pack_entry(node_id: int, a: Attributes, name_s: float = 0, attributes_s: float = 0) -> bytes:
    """`struct fuse_entry_out`; `name_s` and `attributes_s`: how long the kernel may keep these."""
    name, name_ns = _time(name_s)
    attributes, attributes_ns = _time(attributes_s)
    return ENTRY.pack(node_id, 0, name, attributes, name_ns, attributes_ns) + pack_attr(a)


def unkept(code: int, answer: bytes) -> bytes:
    """An answer to a request, and nothing of it is to be kept: what was granted may be over."""
    if code not in _WITH_ENTRY:
        return answer
    node_id, generation, *_ = ENTRY.unpack_from(answer)
    return ENTRY.pack(node_id, generation, 0, 0, 0, 0) + answer[ENTRY.size :]


_WITH_ENTRY = (LOOKUP, CREATE, MKNOD, MKDIR, SYMLINK, LINK)


def pack_nothing(name_s: float) -> bytes:
    """The entry that says that there is nothing of that name, and for how long."""
    name, name_ns = _time(name_s)
    return ENTRY.pack(0, 0, name, 0, name_ns, 0) + bytes(ATTR.size)


def _time(seconds: float) -> tuple[int, int]:
    whole = int(seconds)
    return whole, int((seconds - whole) * NANO)


def pack_dirent(ino: int, offset: int, kind: int, name: bytes) -> bytes:
    """One entry of READDIR, padded to 8 bytes; `offset` is where the next one starts."""
    head = DIRENT.pack(ino, offset, len(name), (shown_mode(kind, ino) >> 12) & 15)
    return head + name + bytes(-len(name) % 8)


def names(body: memoryview, start: int) -> list[bytes]:
    """The NUL-terminated names from `start` on."""
    return bytes(body[start:]).split(b"\0")
