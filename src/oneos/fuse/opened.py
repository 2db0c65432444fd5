"""Files of the tree that programs of the name space have open, by what is behind them.

A file at home here is read and written by the kernel itself where it can (passthrough), else here
by its descriptor; one in use elsewhere by requests to the Runtime; a device, pipe or topic is a
stream, which `streams` waits for. A file's last close of each program returns when its content is
committed, as close(2) of a program under instrumentation does.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable

from oneos.fuse import kernel, wire
from oneos.fuse.nodes import Node
from oneos.limits import CUT_SETTLED_NS, READ_BYTES_MAX
from oneos.local.client import Client, OpenDirectory, Opened, OpenFd, OpenRemote


class OpenFile:
    """One opening. `client` gives the connection of the thread that calls."""

    flags = 0
    """FOPEN_* flags for the kernel."""
    backing = 0

    def __init__(self, client: Callable[[], Client], handle: int | None, writing: bool) -> None:
        self._client = client
        self.handle = handle
        self.writing = writing

    def read(self, offset: int, size: int) -> bytes:
        raise OSError(errno.EINVAL, "")

    def write(self, offset: int, data: memoryview) -> int:
        raise OSError(errno.EBADF, "")

    def truncate(self, size: int) -> None:
        raise OSError(errno.EINVAL, "")

    def attributes(self) -> wire.Attributes:
        """Its attributes now, also when it has lost its name."""
        if self.handle is None:
            raise OSError(errno.ESTALE, "")
        found: list[int] = self._client().call("fstat", self.handle)
        return found

    def flush(self) -> None:
        """A program closes a descriptor of it: what it has written must be safe."""

    def sync(self) -> None:
        """fsync(2)."""
        if self.writing and self.handle is not None:
            self._client().call("sync", self.handle)

    def close(self) -> None:
        """Nobody has it open any more."""
        if self.handle is not None:
            self._client().close(self.handle)


class HomeFile(OpenFile):
    """A file whose home is this host."""

    def __init__(
        self, client: Callable[[], Client], opened: OpenFd, flags: int, backing: int
    ) -> None:
        accessible = flags & os.O_ACCMODE
        super().__init__(client, opened.handle, accessible != os.O_RDONLY)
        self.fd = opened.fd
        self.backing = backing
        self.flags = wire.FOPEN_PASSTHROUGH if backing else wire.FOPEN_DIRECT_IO
        if not self.writing:
            self.flags |= wire.FOPEN_NOFLUSH
        self._synced = self._state() if not flags & os.O_TRUNC else (-1, -1)

    def _state(self) -> tuple[int, int]:
        status = os.fstat(self.fd)
        return status.st_mtime_ns, status.st_size

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.fd, size, offset)

    def write(self, offset: int, data: memoryview) -> int:
        # On Linux a write to a descriptor that appends does so whatever the offset.
        return os.pwrite(self.fd, data, offset)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def allocate(self, mode: int, offset: int, length: int) -> None:
        """fallocate(2): also punches holes."""
        kernel.allocate(self.fd, mode, offset, length)

    def seek(self, offset: int, whence: int) -> int:
        """lseek(2) for data and holes."""
        return os.lseek(self.fd, offset, whence)

    def flush(self) -> None:
        if not self.writing:
            return
        state = self._state()
        if state == self._synced and time.time_ns() - state[0] > CUT_SETTLED_NS:
            # Another program's close, or this one's second: nothing has been written since.
            return
        self.sync()
        self._synced = state

    def close(self) -> None:
        os.close(self.fd)
        if self.writing and self.handle is not None:
            # Whoever closed it waited for what he wrote, in `flush`.
            self._client().call("release", self.handle)
        else:
            super().close()


class AwayFile(OpenFile):
    """A file in use at another host: each read and write is a request to its home."""

    flags = wire.FOPEN_DIRECT_IO

    def __init__(self, client: Callable[[], Client], opened: OpenRemote, flags: int) -> None:
        super().__init__(client, opened.handle, flags & os.O_ACCMODE != os.O_RDONLY)
        self._changed = False
        if not self.writing:
            self.flags |= wire.FOPEN_NOFLUSH

    def read(self, offset: int, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            count = min(size - len(parts), READ_BYTES_MAX)
            data = self._client().call("pread", self.handle, offset + len(parts), count)
            parts += data
            if len(data) < count:
                break
        return bytes(parts)

    def write(self, offset: int, data: memoryview) -> int:
        self._changed = True
        written: int = self._client().call("pwrite", self.handle, offset, bytes(data))[0]
        return written

    def truncate(self, size: int) -> None:
        self._changed = True
        self._client().call("ftruncate", self.handle, size)

    def flush(self) -> None:
        if self._changed:
            self.sync()
            self._changed = False


class TextFile(OpenFile):
    """A generated text: all of it is here, and its size is not known before it is read."""

    flags = wire.FOPEN_DIRECT_IO | wire.FOPEN_NOFLUSH

    def __init__(self, client: Callable[[], Client], opened: OpenFd) -> None:
        super().__init__(client, opened.handle, False)
        self.fd = opened.fd

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self.fd, size, offset)

    def close(self) -> None:
        os.close(self.fd)
        super().close()


class StreamFile(OpenFile):
    """A device, a topic or a program's descriptor: read and written as it comes.

    Its descriptor does not block; who has to wait for it is `streams`' business.
    """

    flags = wire.FOPEN_DIRECT_IO | wire.FOPEN_NONSEEKABLE | wire.FOPEN_STREAM

    def __init__(self, client: Callable[[], Client], opened: OpenFd, flags: int) -> None:
        super().__init__(client, opened.handle, flags & os.O_ACCMODE != os.O_RDONLY)
        self.fd = opened.fd
        self.blocking = not flags & os.O_NONBLOCK
        os.set_blocking(self.fd, False)

    def read(self, offset: int, size: int) -> bytes:
        """What is there. Raises BlockingIOError while there is nothing, EIO if it broke off."""
        data = os.read(self.fd, size)
        if not data and size and self.handle is not None:
            self._client().call("ended", self.handle)
        return data

    def write(self, offset: int, data: memoryview) -> int:
        return os.write(self.fd, data)

    def sync(self) -> None:
        """Nothing is kept: what was written is on its way."""

    def close(self) -> None:
        # The descriptor first: its end is what the other side waits for.
        os.close(self.fd)
        super().close()


class Backings:
    """The ids of backing files, one for each file of the mount that the kernel reads by itself.

    Args:
        fuse: the descriptor of /dev/fuse.
        able: whether the kernel and our rights allow it at all.
    """

    def __init__(self, fuse: int, able: bool) -> None:
        self._fuse = fuse
        self.able = able
        self._lock = threading.Lock()
        self._of: dict[Node, tuple[int, int, tuple[int, int]]] = {}

    def take(self, node: Node, fd: int) -> int:
        """The id for an opening of a node whose content is behind `fd`; 0 where there is none.

        Raises:
            OSError: EIO, it is open already and its home has moved meanwhile; the kernel keeps to
                one backing file for all openings.
        """
        if not self.able:
            return 0
        status = os.fstat(fd)
        which = status.st_dev, status.st_ino
        with self._lock:
            held = self._of.get(node)
            if held is not None:
                if held[2] != which:
                    raise OSError(errno.EIO, "")
                self._of[node] = held[0], held[1] + 1, which
                return held[0]
            if node.mode & (stat.S_ISUID | stat.S_ISGID):
                # A write would have to clear these bits, and it does not pass by us.
                return 0
            # One file serves openings for reading and for writing; the rights were checked.
            both = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
            try:
                backing = kernel.open_backing(self._fuse, both)
            except OSError:
                # Not root in the first user name space, or a file system that cannot be stacked.
                self.able = False
                return 0
            finally:
                os.close(both)
            self._of[node] = backing, 1, which
            return backing

    def give_back(self, node: Node) -> None:
        """One opening of a node with a backing file is over."""
        with self._lock:
            held = self._of.get(node)
            if held is None:
                return
            if held[1] > 1:
                self._of[node] = held[0], held[1] - 1, held[2]
                return
            del self._of[node]
            kernel.close_backing(self._fuse, held[0])


def opened_file(
    client: Callable[[], Client], opened: Opened, node: Node, flags: int, backings: Backings
) -> OpenFile:
    """What the kernel gets for what the Runtime opened; closes it when this fails."""
    if isinstance(opened, OpenRemote):
        return AwayFile(client, opened, flags)
    if isinstance(opened, OpenDirectory):
        raise OSError(errno.EISDIR, "")
    try:
        if not stat.S_ISREG(os.fstat(opened.fd).st_mode):
            return StreamFile(client, opened, flags)
        if opened.generated:
            return TextFile(client, opened)
        return HomeFile(client, opened, flags, backings.take(node, opened.fd))
    except BaseException:
        give_up(client(), opened)
        raise


def give_up(client: Client, opened: Opened) -> None:
    """Close what the Runtime opened and nobody gets."""
    if isinstance(opened, OpenFd):
        os.close(opened.fd)
    if isinstance(opened, OpenFd | OpenRemote) and opened.handle is not None:
        client.close(opened.handle)
