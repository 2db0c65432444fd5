"""Descriptors of the tree's files: `os.open` and everything that takes a descriptor.

A descriptor of the tree is a real kernel descriptor, so reading, writing, locking, mapping and
selecting happen in the kernel; what is kept here is which handle of the Runtime it belongs to,
because closing the last one of a handle commits the file: the descriptor is closed first, then
`close` is sent, and its error is the program's. Remote files and directories have placeholders; see
`remote`. Descriptors that are not in the table (pipes, sockets, the standard streams, the host's
files) go to the real functions untouched.
"""

import errno
import posix
import sys
from _operator import index

from .failure import HERE, later, os_error, seamless
from .paths import shown, to_bytes
from .remote import Handle, Remote, placeholder_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .looks import Looks
    from .paths import Paths

CREATING = posix.O_CREAT | posix.O_EXCL | posix.O_TRUNC | posix.O_NOFOLLOW
"""What the Runtime has seen to; the path that it gives may be one of /proc, which are links."""
WRITING = posix.O_WRONLY | posix.O_RDWR | posix.O_CREAT | posix.O_TRUNC | posix.O_APPEND
TMPFILE = getattr(posix, "O_TMPFILE", 0)

real = {name: getattr(posix, name) for name in dir(posix) if callable(getattr(posix, name))}
Stat = posix.stat_result


def stat_result(attr: list[int]) -> Stat:
    """The `os.stat_result` of the protocol's attr."""
    mode, ino, dev, nlink, uid, gid, size, atime, mtime, ctime, blocks, rdev = attr
    a, an = divmod(atime, 1_000_000_000)
    m, mn = divmod(mtime, 1_000_000_000)
    c, cn = divmod(ctime, 1_000_000_000)
    return Stat((
        mode, ino, dev, nlink, uid, gid, size, a, m, c,
        a + 1e-9 * an, m + 1e-9 * mn, c + 1e-9 * cn, atime, mtime, ctime, 4096, blocks, rdev,
    ))  # fmt: skip


def opened_again(attr: list[int], live: Stat) -> Stat:
    """What fstat(2) shows of a file that was opened without asking.

    Args:
        attr: its attributes when it was at rest.
        live: of its content here, which a program of this host may be writing by now.
    """
    now = attr.copy()
    now[6], now[8], now[10] = live.st_size, live.st_mtime_ns, -(-live.st_size // 512)
    if now[8] != attr[8]:
        now[9] = max(now[9], now[8])
    return stat_result(now)


class Descriptors:
    """The table of the tree's descriptors, and the calls on them.

    Args:
        channel: to the Runtime.
        paths: tells the tree's paths from the host's.
        looks: knows which files may be opened again without asking.
    """

    def __init__(self, channel: "Channel", paths: "Paths", looks: "Looks") -> None:
        self.channel = channel
        self.looks = looks
        self.paths = paths
        self.remote = Remote(channel)
        self.table: dict[int, Handle] = {}
        self._umask = real["umask"](0o77)
        real["umask"](self._umask)

    # --- opening and closing ----------------------------------------------------------------
    @seamless
    def open(self, path: "Any", flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        flags, mode = index(flags), index(mode)
        base = self.directory(dir_fd)
        if base is None and dir_fd is not None and not self.is_absolute(path):
            return real["open"](path, flags, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
        where = self.paths.locate(path, base)
        if not where:
            if where is None and flags & WRITING and not self.paths.is_host_device(path):
                raise os_error(errno.EROFS, shown(path))
            return real["open"](self.paths.native(path), flags, mode)  # type: ignore[no-any-return]
        sys.audit("open", path, None, flags)
        return self.open_in_tree(where, path, flags, mode)

    def open_in_tree(self, where: bytes, name: "Any", flags: int, mode: int) -> int:
        """Open `where` for the program, which called it `name`; gives a descriptor."""
        if TMPFILE and flags & TMPFILE == TMPFILE:
            # As a kernel answers that has no unnamed files: `tempfile` then makes a named one.
            raise os_error(errno.EISDIR, name)
        flags &= ~posix.O_CLOEXEC
        name = shown(name)
        if flags == posix.O_RDONLY:
            again = self.looks.reopen(where)
            if again is not None:
                descriptor, attr = again
                self.table[descriptor] = handle = Handle(0, "fd", where, flags)
                handle.shown = attr
                return descriptor
        begun = self.looks.begin()
        result, descriptor = self.channel.call_with_descriptor(
            "open", where, flags, mode & ~self._umask & 0o7777, names=(name,)
        )
        kind = result["k"]
        if kind == "host":
            try:
                return real["open"](result["path"], flags & ~CREATING)  # type: ignore[no-any-return]
            except OSError as error:
                number = error.errno or errno.EIO
            raise os_error(number, name)
        if kind == "dir":
            handle = Handle(0, kind, result["path"], flags)
            descriptor = placeholder_directory(HERE)
        elif kind == "remote":
            handle = Handle(result["h"], kind, where, flags, result["append"])
            descriptor = self.remote.placeholder()
        else:
            handle = Handle(result["h"], kind, where, flags)
            handle.stream, handle.later = "stream" in result, "later" in result
            if "again" in result:
                self.looks.lend(where, begun, result["path"], result["again"])
            if descriptor < 0:
                descriptor = real["open"](result["path"], flags & ~CREATING)
                self.channel.call("opened", handle.h)
        self.table[descriptor] = handle
        return descriptor

    def ended(self, fd: int) -> None:
        """A descriptor was read to its end; raises OSError(EIO) if a stream broke off there."""
        handle = self.table.get(fd)
        if handle is not None and handle.stream:
            self.channel.call("ended", handle.h)

    @seamless
    def close(self, fd: int) -> None:
        handle = self.forget(fd)
        try:
            real["close"](fd)
        finally:
            if handle is not None:
                self.release(handle)

    def forget(self, fd: int) -> Handle | None:
        """Take a descriptor out of the table.

        This comes before the real close: after that, another thread may be given the same number.
        """
        if fd in self.channel.reserved:
            raise os_error(errno.EBADF)
        return self.table.pop(fd, None)

    def release(self, handle: Handle) -> None:
        """One descriptor less; the last one closes the file at the Runtime, which commits it."""
        with handle.lock:
            handle.refs -= 1
            last = handle.refs == 0
        if not handle.h:
            return
        if not last:
            if self.remote.locking and handle.kind == "remote":
                # With any descriptor of a file a process gives up its locks there.
                self.channel.call("unlock", handle.h)
            return
        if (handle.written and not handle.later) or self.remote.locking:
            self.channel.call("close", handle.h)
        else:
            self.channel.post("close", handle.h)

    @seamless
    def closerange(self, fd_low: int, fd_high: int) -> None:
        ours = sorted(fd for fd in self.channel.reserved if fd_low <= fd < fd_high)
        handles = [self.table.pop(fd) for fd in list(self.table) if fd_low <= fd < fd_high]
        for start, end in zip([fd_low, *(fd + 1 for fd in ours)], [*ours, fd_high], strict=True):
            real["closerange"](start, end)
        for handle in handles:
            try:
                self.release(handle)
            except OSError:
                pass  # As closerange(3) does: errors are ignored.

    @seamless
    def dup(self, fd: int, /) -> int:
        new: int = real["dup"](fd)
        self.share(fd, new)
        return new

    @seamless
    def dup2(self, fd: int, fd2: int, inheritable: bool = True) -> int:
        if fd2 == fd or fd2 in self.channel.reserved:
            return real["dup2"](fd, fd2, inheritable)  # type: ignore[no-any-return]
        if fd2 <= 2 and self.far(fd) is not None:
            # The streams `sys.stdin`, `sys.stdout` and `sys.stderr` read and write in C.
            raise later("making a file that is open at another host a standard stream")
        replaced = self.table.get(fd2)
        real["dup2"](fd, fd2, inheritable)
        self.table.pop(fd2, None)
        self.share(fd, fd2)
        if replaced is not None:
            try:
                self.release(replaced)
            except OSError:
                pass  # As dup2(2): an error of the silent close cannot be told.
        return fd2

    def share(self, fd: int, new: int) -> None:
        handle = self.table.get(fd)
        if handle is not None:
            with handle.lock:
                handle.refs += 1
            self.table[new] = handle

    # --- facts ------------------------------------------------------------------------------
    def directory(self, dir_fd: int | None) -> bytes | None:
        """The tree's path of a directory descriptor; None if it is not one of the tree's."""
        if dir_fd is not None and not isinstance(dir_fd, int):
            raise TypeError(f"argument should be integer or None, not {type(dir_fd).__name__}")
        handle = self.table.get(dir_fd) if dir_fd is not None else None
        if handle is None:
            return None
        if handle.kind != "dir":
            raise os_error(errno.ENOTDIR)
        return handle.path

    def is_absolute(self, path: "Any") -> bool:
        return to_bytes(path).startswith(b"/")

    @seamless
    def fstat(self, fd: int) -> Stat:
        handle = self.table.get(fd)
        if handle is None:
            if fd in self.channel.reserved:
                raise os_error(errno.EBADF)
            return real["fstat"](fd)  # type: ignore[no-any-return]
        if handle.kind == "dir":
            return stat_result(self.channel.call("stat", handle.path, True))
        if handle.shown is not None:
            return opened_again(handle.shown, real["fstat"](fd))
        return stat_result(self.channel.call("fstat", handle.h))

    @seamless
    def umask(self, mask: int, /) -> int:
        old: int = real["umask"](mask)
        self._umask = mask & 0o777
        return old

    @seamless
    def fsync(self, fd: "Any") -> None:
        handle = self.table.get(number(fd))
        if handle is None:
            real["fsync"](fd)
        elif handle.h:  # Names are committed as they change, and what is only read not at all.
            self.channel.call("sync", handle.h)

    fdatasync = fsync

    @seamless
    def ftruncate(self, fd: int, length: int, /) -> None:
        handle = self.table.get(fd)
        if handle is not None and handle.kind == "remote":
            return self.remote.truncate(handle, length)
        return real["ftruncate"](fd, length)  # type: ignore[no-any-return]

    # --- content ----------------------------------------------------------------------------
    def far(self, fd: "Any") -> Handle | None:
        """The handle of a descriptor whose content is reached by requests; None for all others."""
        handle = self.table.get(number(fd))
        return handle if handle is not None and handle.kind == "remote" else None

    @seamless
    def read(self, fd: int, length: int, /) -> bytes:
        handle = self.far(fd)
        if handle is not None:
            return self.remote.read(handle, length)
        data: bytes = real["read"](fd, length)
        if not data and length:
            self.ended(fd)
        return data

    @seamless
    def write(self, fd: int, data: "Any", /) -> int:
        handle = self.far(fd)
        return real["write"](fd, data) if handle is None else self.remote.write(handle, data)

    @seamless
    def lseek(self, fd: int, position: int, whence: int, /) -> int:
        handle = self.far(fd)
        if handle is None:
            return real["lseek"](fd, position, whence)  # type: ignore[no-any-return]
        return self.remote.seek(handle, position, whence)

    @seamless
    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        handle = self.far(fd)
        if handle is None:
            return real["pread"](fd, length, offset)  # type: ignore[no-any-return]
        return self.remote.pread(handle, length, offset)

    @seamless
    def pwrite(self, fd: int, data: "Any", offset: int, /) -> int:
        handle = self.far(fd)
        if handle is None:
            return real["pwrite"](fd, data, offset)  # type: ignore[no-any-return]
        return self.remote.pwrite(handle, data, -1 if handle.append else offset)[0]

    @seamless
    def readv(self, fd: int, buffers: "Any", /) -> int:
        handle = self.far(fd)
        if handle is None:
            count: int = real["readv"](fd, buffers)
            if not count and total(buffers):
                self.ended(fd)
            return count
        return scatter(self.remote.read(handle, total(buffers)), buffers)

    @seamless
    def writev(self, fd: int, buffers: "Any", /) -> int:
        handle = self.far(fd)
        if handle is None:
            return real["writev"](fd, buffers)  # type: ignore[no-any-return]
        return self.remote.write(handle, b"".join(buffers))

    @seamless
    def preadv(self, fd: int, buffers: "Any", offset: int, flags: int = 0, /) -> int:
        handle = self.far(fd)
        if handle is None:
            return real["preadv"](fd, buffers, offset, flags)  # type: ignore[no-any-return]
        return scatter(self.remote.pread(handle, total(buffers), offset), buffers)

    @seamless
    def pwritev(self, fd: int, buffers: "Any", offset: int, flags: int = 0, /) -> int:
        handle = self.far(fd)
        if handle is None:
            return real["pwritev"](fd, buffers, offset, flags)  # type: ignore[no-any-return]
        data = b"".join(buffers)
        return self.remote.pwrite(handle, data, -1 if handle.append else offset)[0]

    @seamless
    def sendfile(self, out_fd: int, in_fd: int, *args: "Any", **kwargs: "Any") -> int:
        self._only_native(out_fd, in_fd)
        return real["sendfile"](out_fd, in_fd, *args, **kwargs)  # type: ignore[no-any-return]

    @seamless
    def copy_file_range(self, src: int, dst: int, *args: "Any", **kwargs: "Any") -> int:
        self._only_native(src, dst)
        return real["copy_file_range"](src, dst, *args, **kwargs)  # type: ignore[no-any-return]

    @seamless
    def splice(self, src: int, dst: int, *args: "Any", **kwargs: "Any") -> int:
        self._only_native(src, dst)
        return real["splice"](src, dst, *args, **kwargs)  # type: ignore[no-any-return]

    def _only_native(self, *fds: int) -> None:
        """Copying inside the kernel needs both ends there; callers fall back to read and write."""
        if any(self.far(fd) is not None for fd in fds):
            raise os_error(errno.EINVAL)

    @seamless
    def posix_fallocate(self, fd: int, offset: int, length: int, /) -> None:
        handle = self.far(fd)
        if handle is None:
            return real["posix_fallocate"](fd, offset, length)  # type: ignore[no-any-return]
        if self.remote.size(handle) < offset + length:
            self.remote.truncate(handle, offset + length)
        return None

    @seamless
    def posix_fadvise(self, fd: int, *args: int) -> None:
        if self.far(fd) is None:
            real["posix_fadvise"](fd, *args)


def number(fd: "Any") -> int:
    """The number of a descriptor given as one or as a file; -1 for neither."""
    if isinstance(fd, int):
        return fd
    try:
        return fd.fileno()  # type: ignore[no-any-return]
    except (AttributeError, ValueError, OSError):
        return -1


def total(buffers: "Any") -> int:
    return sum(memoryview(buffer).nbytes for buffer in buffers)


def scatter(data: bytes, buffers: "Any") -> int:
    """Fill the buffers one after the other; gives how many bytes there were."""
    at = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        part = data[at : at + len(view)]
        view[: len(part)] = part
        at += len(part)
    return at
