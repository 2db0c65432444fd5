"""Locks of files that are open at another host: flock(2), fcntl(2) and lockf(3) by requests.

A file at home here has the kernel's own descriptor, which the real functions lock; those of the
file's other users meet them there. A lock of fcntl(2) is the process's and goes with the first
descriptor of the file that it closes; one of flock(2) is the open file's.
"""

import errno
import fcntl
import posix
import struct
from _operator import index

from .descriptors import number, real
from .failure import os_error, seamless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .descriptors import Descriptors
    from .family import Family
    from .remote import Handle

LAST = (1 << 63) - 1
"""The last byte that a range can have."""

RECORD = struct.Struct("@hhqqi")
"""struct flock: type, whence, start, length, process."""

GET, SET, WAIT = fcntl.F_GETLK, fcntl.F_SETLK, fcntl.F_SETLKW
KINDS = {GET: "posix", SET: "posix", WAIT: "posix"}
for _name, _plain in (("F_OFD_GETLK", GET), ("F_OFD_SETLK", SET), ("F_OFD_SETLKW", WAIT)):
    if hasattr(fcntl, _name):
        KINDS[getattr(fcntl, _name)] = "open"
WAITING = {WAIT, getattr(fcntl, "F_OFD_SETLKW", WAIT)}
TYPES = {
    fcntl.LOCK_SH: fcntl.F_RDLCK, fcntl.LOCK_EX: fcntl.F_WRLCK, fcntl.LOCK_UN: fcntl.F_UNLCK,
}  # fmt: skip
ASKING = {GET, getattr(fcntl, "F_OFD_GETLK", GET)}


class Locks:
    """See the module.

    Args:
        descriptors: tells remote files from others.
        family: knows this host's processes by the network's PIDs.
    """

    def __init__(self, descriptors: "Descriptors", family: "Family") -> None:
        self.channel = descriptors.channel
        self.remote = descriptors.remote
        self.far = descriptors.far
        self.handle = descriptors.table.get
        self.family = family
        self._waits = 0

    def install(self, module: "Any") -> None:
        """Change the module `fcntl`."""
        self.real_fcntl, self.real_flock, self.real_lockf = (
            module.fcntl, module.flock, module.lockf,
        )  # fmt: skip
        module.fcntl, module.flock, module.lockf = self.fcntl, self.flock, self.lockf

    # --- the functions --------------------------------------------------------------------------
    @seamless
    def flock(self, fd: "Any", operation: int, /) -> None:
        handle = self.far(fd)
        if handle is None:
            return self.real_flock(fd, operation)  # type: ignore[no-any-return]
        waits = not operation & fcntl.LOCK_NB
        kind = _type(operation & ~fcntl.LOCK_NB)
        return self.set(handle, "flock", kind, 0, LAST, waits)

    @seamless
    def lockf(self, fd: "Any", cmd: int, len: int = 0, start: int = 0, whence: int = 0, /) -> None:
        handle = self.far(fd)
        if handle is None:
            return self.real_lockf(fd, cmd, len, start, whence)  # type: ignore[no-any-return]
        waits = not cmd & fcntl.LOCK_NB
        if cmd & ~fcntl.LOCK_NB not in TYPES:
            raise ValueError("unrecognized lockf argument")
        kind = _type(cmd & ~fcntl.LOCK_NB)
        first, last = self.range(handle, index(whence), index(start), index(len))
        return self.set(handle, "posix", kind, first, last, waits)

    @seamless
    def fcntl(self, fd: "Any", cmd: int, arg: "Any" = 0, /) -> "Any":
        if cmd not in KINDS:
            return self.real_fcntl(fd, cmd, arg)
        handle = self.far(fd)
        if handle is None:
            result = self.real_fcntl(fd, cmd, arg)
            return self._named(fd, result) if cmd in ASKING else result
        if isinstance(arg, int):
            raise os_error(errno.EFAULT)
        data = bytearray(arg)
        if len(data) < RECORD.size:
            raise os_error(errno.EINVAL)
        kind, whence, start, count, pid = RECORD.unpack_from(data)
        if KINDS[cmd] == "open" and pid:
            raise os_error(errno.EINVAL)
        first, last = self.range(handle, whence, start, count)
        if cmd not in ASKING:
            self.set(handle, KINDS[cmd], kind, first, last, cmd in WAITING)
            return bytes(data)
        if kind not in (fcntl.F_RDLCK, fcntl.F_WRLCK):
            raise os_error(errno.EINVAL)
        found = self.channel.call("locked", handle.h, KINDS[cmd], kind, first, last)
        if found is None:
            RECORD.pack_into(data, 0, fcntl.F_UNLCK, whence, start, count, pid)
        else:
            kind, first, last, pid = found
            count = 0 if last == LAST else last - first + 1
            RECORD.pack_into(data, 0, kind, 0, first, count, pid)
        return bytes(data)

    @seamless
    def posix_lockf(self, fd: int, command: int, length: int, /) -> None:
        """lockf(3): from the position on."""
        handle = self.far(fd)
        if handle is None:
            return real["lockf"](fd, command, length)  # type: ignore[no-any-return]
        if command not in (posix.F_LOCK, posix.F_TLOCK, posix.F_ULOCK, posix.F_TEST):
            raise os_error(errno.EINVAL)
        first, last = self.range(handle, 1, 0, length)
        if command == posix.F_TEST:
            if self.channel.call("locked", handle.h, "posix", fcntl.F_WRLCK, first, last):
                raise os_error(errno.EACCES)
            return None
        kind = fcntl.F_UNLCK if command == posix.F_ULOCK else fcntl.F_WRLCK
        return self.set(handle, "posix", kind, first, last, command == posix.F_LOCK)

    # --- requests -------------------------------------------------------------------------------
    def range(self, handle: "Handle", whence: int, start: int, count: int) -> "tuple[int, int]":
        """The first and the last byte of what fcntl(2) describes so."""
        if whence == 1:
            start += handle.offset
        elif whence == 2:
            start += self.remote.size(handle)
        elif whence != 0:
            raise os_error(errno.EINVAL)
        if count < 0:
            start, count = start + count, -count
        if start < 0:
            raise os_error(errno.EINVAL)
        last = start + count - 1 if count else LAST
        if last > LAST:
            raise os_error(errno.EOVERFLOW)
        return start, last

    def set(
        self, handle: "Handle", kind: str, type: int, first: int, last: int, waits: bool
    ) -> None:
        """Lock or unlock. Raises OSError as fcntl(2) and flock(2)."""
        if type not in (fcntl.F_RDLCK, fcntl.F_WRLCK, fcntl.F_UNLCK):
            raise os_error(errno.EINVAL)
        reads, writes = type == fcntl.F_RDLCK, type == fcntl.F_WRLCK
        if kind != "flock" and ((reads and not handle.readable) or (writes and not handle.written)):
            raise os_error(errno.EBADF)
        self.remote.locking = True
        request = "lock", handle.h, kind, type, first, last
        if not waits:
            return self.channel.call(*request)  # type: ignore[no-any-return]
        if not self._waits:
            # The Runtime remembers those of what this process was before it executed this.
            self._waits = int.from_bytes(posix.urandom(4), "little") << 20
        self._waits += 1
        wait = self._waits
        connection = self.channel.begin(*request, wait)
        try:
            self.channel.until_answered(connection)
        except BaseException:
            # A signal's handler has raised.
            self.channel.drop(connection)
            self._give_up(request, wait)
            raise
        return self.channel.end(connection)  # type: ignore[no-any-return]

    def _give_up(self, request: "tuple[Any, ...]", wait: int) -> None:
        """Wait no longer; a lock that was got meanwhile is not kept."""
        op, h, kind, _, first, last = request
        try:
            self.channel.call("call_back", wait)
            self.channel.call(op, h, kind, fcntl.F_UNLCK, first, last)
        except OSError:
            pass  # Its home has gone.

    def _named(self, fd: "Any", result: "Any") -> "Any":
        """What F_GETLK gave, with the network's PID."""
        handle = self.handle(number(fd))
        if handle is None or not isinstance(result, bytes) or len(result) < RECORD.size:
            return result
        kind, whence, start, count, pid = RECORD.unpack_from(result)
        if kind == fcntl.F_UNLCK:
            return result
        named = self.family.named(pid) if pid > 0 else pid
        if named == pid and handle.h:
            last = start + count - 1 if count else LAST
            named = self.channel.call("holder", handle.h, kind, start, last, pid)
        data = bytearray(result)
        RECORD.pack_into(data, 0, kind, whence, start, count, named)
        return bytes(data)


def _type(operation: int) -> int:
    if operation not in TYPES:
        raise os_error(errno.EINVAL)
    return TYPES[operation]
