"""An open file of the tree, and reading and writing one that lives on another host.

A `Handle` is what the Runtime calls an open file; every descriptor that `dup` makes shares it. Its
content is reached through the kernel (`fd`), through requests (`remote`), or it is a directory. The
position of a remote file is kept here, shared by its descriptors as the kernel's would be.
"""

import _thread
import errno
import fcntl
import posix

from .channel import out_of_the_way
from .failure import os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .channel import Channel

TRANSFER_BYTES_MAX = 1024 * 1024
"""Most that one `pread` gives; writes are cut to the same size."""


class Handle:
    """One open file.

    Attributes:
        h: the Runtime's number for it; 0 where it has none: directories, files opened again.
        kind: "fd", "remote" or "dir".
        path: where in the tree it was opened.
        written: it was opened for writing, so closing it commits.
        refs: descriptors that share it.
        shown: the attributes of a file that was opened again without asking.
        stream: its other end is at another host, and may break off.
        later: closing it commits nothing yet, so nobody need wait for that.
    """

    __slots__ = (
        "append", "flags", "h", "kind", "later", "lock", "offset", "path", "refs", "shown",
        "stream",
    )  # fmt: skip

    def __init__(self, h: int, kind: str, path: bytes, flags: int, append: bool = False) -> None:
        self.h = h
        self.kind = kind
        self.path = path
        self.flags = flags
        self.append = append
        self.refs = 1
        self.shown: list[int] | None = None
        self.stream = self.later = False
        self.offset = 0
        # Held over requests; re-entrant because a signal handler may use the same file.
        self.lock = _thread.RLock()

    @property
    def readable(self) -> bool:
        return self.flags & posix.O_ACCMODE != posix.O_WRONLY

    @property
    def written(self) -> bool:
        return self.flags & posix.O_ACCMODE != posix.O_RDONLY


class Remote:
    """The content of remote files.

    Args:
        channel: to the Runtime.
    """

    def __init__(self, channel: "Channel") -> None:
        self.channel = channel
        self._template = -1
        self.locking = False
        """Whether this process, or one that it was forked of, has ever locked a remote file."""

    def placeholder(self) -> int:
        """A descriptor that stands for a remote file.

        An epoll descriptor refuses natively whatever our functions do not see: reading, writing and
        mapping it fail, where a pipe or an empty file would quietly give nothing. One is kept out
        of the way, and every placeholder is a copy of it.
        """
        if self._template < 0:
            import select

            poll = select.epoll()
            self._template = out_of_the_way(poll.fileno())
            self.channel.reserved.add(self._template)
            poll.close()
        return fcntl.fcntl(self._template, fcntl.F_DUPFD_CLOEXEC, 0)

    def pread(self, handle: Handle, size: int, offset: int) -> bytes:
        """Up to `size` bytes from `offset`, as pread(2); none at the end of the file."""
        if not handle.readable:
            raise os_error(errno.EBADF)
        if offset < 0:
            raise os_error(errno.EINVAL)
        parts = []
        while size > 0:
            asked = min(size, TRANSFER_BYTES_MAX)
            part = self.channel.call("pread", handle.h, offset, asked)
            parts.append(part)
            if len(part) < asked:
                break
            offset += len(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pwrite(self, handle: Handle, data: "bytes | memoryview", offset: int) -> tuple[int, int]:
        """Write all of `data` at `offset` (-1: at the end); gives its size and the end offset.

        An error after a first part has been written is not raised: the part's size is given, as
        the kernel does, and the next write meets the error.
        """
        if not handle.written:
            raise os_error(errno.EBADF)
        view = memoryview(data).cast("B")
        done, end = 0, max(offset, 0)
        while done < len(view) or not len(view):
            part = bytes(view[done : done + TRANSFER_BYTES_MAX])
            at = -1 if offset < 0 else offset + done
            try:
                count, end = self.channel.call("pwrite", handle.h, at, part)
            except OSError:
                if not done:
                    raise
                break
            done += count
            if not count:
                break
        return done, end

    def read(self, handle: Handle, size: int) -> bytes:
        """Read from the position, and move it."""
        with handle.lock:
            data = self.pread(handle, size, handle.offset)
            handle.offset += len(data)
            return data

    def write(self, handle: Handle, data: "bytes | memoryview") -> int:
        """Write at the position (or append), and move it."""
        with handle.lock:
            done, handle.offset = self.pwrite(handle, data, -1 if handle.append else handle.offset)
            return done

    def seek(self, handle: Handle, offset: int, whence: int) -> int:
        """Move the position, as lseek(2)."""
        with handle.lock:
            if whence == 1:
                offset += handle.offset
            elif whence == 2:
                offset += self.size(handle)
            elif whence in (posix.SEEK_DATA, posix.SEEK_HOLE):
                # As a file system that tells no holes: all is data, and behind it is one.
                size = self.size(handle)
                if not 0 <= offset < size:
                    raise os_error(errno.ENXIO)
                offset = offset if whence == posix.SEEK_DATA else size
            elif whence != 0:
                raise os_error(errno.EINVAL)
            if offset < 0:
                raise os_error(errno.EINVAL)
            handle.offset = offset
            return offset

    def size(self, handle: Handle) -> int:
        """The file's size in bytes now."""
        return self.channel.call("fstat", handle.h)[6]  # type: ignore[no-any-return]

    def truncate(self, handle: Handle, size: int) -> None:
        """Cut or extend to `size` bytes."""
        if not handle.written or size < 0:
            raise os_error(errno.EINVAL)
        self.channel.call("ftruncate", handle.h, size)


def placeholder_directory(here: str) -> int:
    """A descriptor that stands for a directory of the tree: a directory, so EISDIR stays true."""
    return posix_open(here, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)


posix_open = posix.open  # The real one: `posix` is replaced later.
