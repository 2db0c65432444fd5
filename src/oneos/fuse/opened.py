"""Files of the tree that programs of the name space have open, by what is behind them.

A file at home here is read and written by the kernel itself where it can (passthrough), else here
by its descriptor; one in use elsewhere by requests to the Runtime; a device, pipe or topic is a
stream, which `streams` waits for. A file's last close of each program returns when its content is
as safe as its directory says, as close(2) of a program under instrumentation does.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from oneos.errors import OneOSError
from oneos.fuse import kernel, succession, wire
from oneos.fuse.nodes import Node
from oneos.limits import CUT_SETTLED_NS, READ_BYTES_MAX
from oneos.local.client import Client, OpenDirectory, Opened, OpenFd, OpenRemote

log = logging.getLogger(__name__)


class OpenFile:
    """One opening. `client` gives the connection of the thread that calls."""

    flags = 0
    """FOPEN_* flags for the kernel."""
    backing = 0
    opened = 0
    """The flags that the program gave."""
    number, slot = 0, -1
    """What the kernel has for it; and the journal's slot, where it may be kept when closed."""

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

    def _flush(self) -> None:
        """What close(2) promises for the file."""
        if self.writing and self.handle is not None:
            self._client().call("flush", self.handle)

    def close(self) -> None:
        """Nobody has it open any more."""
        if self.handle is not None:
            self._client().close(self.handle)


class HomeFile(OpenFile):
    """A file whose home is this host."""

    idle = True
    """Whether it may stay open a moment when nobody uses it."""

    def __init__(
        self, client: Callable[[], Client], opened: OpenFd, flags: int, backing: int
    ) -> None:
        accessible = flags & os.O_ACCMODE
        super().__init__(client, opened.handle, accessible != os.O_RDONLY)
        self.fd = opened.fd
        self._later = opened.later
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

    def size(self) -> int:
        """How long it is now, in bytes."""
        return os.fstat(self.fd).st_size

    def append_rest(self, before: int, data: memoryview) -> int:
        """End an append that a predecessor began when the file had `before` bytes.

        Raises:
            OSError: EIO, others have written since, so that nobody knows what was done.
        """
        done = os.pread(self.fd, len(data) + 1, before)
        if self.size() > before + len(data) or done != data[: len(done)]:
            raise OSError(errno.EIO, "")
        while len(done) < len(data):
            done += data[len(done) :][: os.pwrite(self.fd, data[len(done) :], 0)]
        return len(data)

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
        if self._later and self.handle is not None:
            self._client().post("flush", self.handle)
        else:
            self._flush()
        self._synced = state

    def close(self) -> None:
        os.close(self.fd)
        if self.writing and self.handle is not None:
            # Whoever closed it waited for what he wrote, in `flush`.
            self._client().call("release", self.handle)
        else:
            super().close()


class HostFile(HomeFile):
    """A file that this host exports: its own, which its other programs use too.

    Nothing is committed, and it is not kept open when nobody uses it.
    """

    idle = False

    def __init__(
        self, client: Callable[[], Client], opened: OpenFd, flags: int, backing: int
    ) -> None:
        super().__init__(client, opened, flags, backing)
        self.flags |= wire.FOPEN_NOFLUSH

    def flush(self) -> None:
        """As on any disk: close(2) says nothing of what is safe."""

    def sync(self) -> None:
        os.fsync(self.fd)

    def close(self) -> None:
        os.close(self.fd)
        OpenFile.close(self)


class AwayFile(OpenFile):
    """A file in use at another host: each read and write is a request to its home."""

    flags = wire.FOPEN_DIRECT_IO

    def __init__(self, client: Callable[[], Client], opened: OpenRemote, flags: int) -> None:
        super().__init__(client, opened.handle, flags & os.O_ACCMODE != os.O_RDONLY)
        self.changed = False
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
        self.changed = True
        written: int = self._client().change("pwrite", self.handle, offset, bytes(data))[0]
        return written

    def truncate(self, size: int) -> None:
        self.changed = True
        self._client().change("ftruncate", self.handle, size)

    def flush(self) -> None:
        if self.changed:
            self._flush()
            self.changed = False


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
    polled = False
    """Whether the kernel waits for word of it, or ever did."""

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


class LostFile(OpenFile):
    """What a predecessor had open, and its successor could not get."""

    def read(self, offset: int, size: int) -> bytes:
        raise OSError(errno.EIO, "")

    def write(self, offset: int, data: memoryview) -> int:
        raise OSError(errno.EIO, "")

    def flush(self) -> None:
        if self.writing:
            raise OSError(errno.EIO, "")

    def sync(self) -> None:
        self.flush()

    def close(self) -> None:
        """The Runtime has closed it, if it ever had it open."""


class Backings:
    """The ids of backing files, one for each file of the mount that the kernel reads by itself.

    Args:
        fuse: the descriptor of /dev/fuse.
        able: whether the kernel and our rights allow it at all.
        note: is told what a successor of this process has to know; see `succession`.
    """

    def __init__(self, fuse: int, able: bool, note: Callable[..., None]) -> None:
        self._fuse = fuse
        self._note = note
        self.able = able
        self._lock = threading.Lock()
        self._of: dict[Node, tuple[int, int, tuple[int, int]]] = {}

    def restore(
        self,
        left: Mapping[int, tuple[int, int, int]],
        users: Sequence[int],
        nodes: Mapping[int, Node],
    ) -> None:
        """Know what a predecessor had; what nobody uses any more is given back.

        Args:
            left: by nodes' numbers.
            users: of each opening with a backing file, the number of its node.
        """
        used = Counter(users)
        for key, (backing, device, inode) in left.items():
            if used[key] and key in nodes:
                self._of[nodes[key]] = backing, used[key], (device, inode)
            else:
                self._close(key, backing)

    def _close(self, node_id: int, backing: int) -> None:
        try:
            kernel.close_backing(self._fuse, backing)
        except OSError:
            pass  # The predecessor did so.
        self._note(succession.UNBACKED, node_id)

    def take(self, node: Node, fd: int, own: bool = True) -> int:
        """The id for an opening of a node whose content is behind `fd`; 0 where there is none.

        Args:
            own: it is on the disk where the Runtime keeps all it has.

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
            if node.handles:
                # It is open without, and may be mapped so: then the kernel refuses to mix the two.
                return 0
            if node.mode & (stat.S_ISUID | stat.S_ISGID):
                # A write would have to clear these bits, and it does not pass by us.
                return 0
            # One file serves openings for reading and for writing; the rights were checked.
            try:
                both = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                # A host's own file: of a disk that is mounted read-only, or a program that runs.
                return 0
            try:
                backing = kernel.open_backing(self._fuse, both)
            except OSError:
                # Not root in the first user name space, or a file system that cannot be stacked:
                # which says nothing of the Runtime's own, where the file is another's.
                self.able = not own
                return 0
            finally:
                os.close(both)
            self._of[node] = backing, 1, which
            self._note(succession.BACKED, node.id, backing, *which)
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
            self._close(node.id, held[0])


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
        kind = HostFile if opened.exported else HomeFile
        backing = 0
        if opened.exported or node.ino < wire.FACTS_SINCE:
            backing = backings.take(node, opened.fd, not opened.exported)
        return kind(client, opened, flags, backing)
    except BaseException:
        give_up(client(), opened)
        raise


def inherited_file(
    client: Callable[[], Client], opening: succession.Opening, path: Callable[[], bytes]
) -> OpenFile:
    """What a predecessor had open, got again from the Runtime.

    Args:
        path: gives its path, where the Runtime keeps no account of it.
    """
    flags = opening.flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC)
    try:
        if opening.handle is None:
            opened = client().open(path(), flags)
        else:
            opened = client().adopt(opening.handle, flags)
        if isinstance(opened, OpenRemote):
            away = AwayFile(client, opened, flags)
            # Whether all that was written is safe, nobody knows.
            away.changed = away.writing
            file: OpenFile = away
        elif isinstance(opened, OpenDirectory):
            raise OSError(errno.EIO, "")
        elif opening.kind == StreamFile.__name__:
            file = StreamFile(client, opened, flags)
        elif opening.kind == TextFile.__name__:
            file = TextFile(client, opened)
        elif opening.kind == HostFile.__name__:
            file = HostFile(client, opened, flags, opening.backing)
        else:
            file = HomeFile(client, opened, flags | os.O_TRUNC, opening.backing)
    except (OneOSError, OSError) as error:
        if error.errno != errno.EBADF:
            # Else the predecessor was about to end it: nobody uses it any more.
            log.warning("a file that was open is lost: %s", error)
        file = LostFile(client, None, flags & os.O_ACCMODE != os.O_RDONLY)
        file.backing = opening.backing
    file.opened, file.slot = flags, opening.slot
    return file


def give_up(client: Client, opened: Opened) -> None:
    """Close what the Runtime opened and nobody gets."""
    if isinstance(opened, OpenFd):
        os.close(opened.fd)
    if isinstance(opened, OpenFd | OpenRemote) and opened.handle is not None:
        client.close(opened.handle)
