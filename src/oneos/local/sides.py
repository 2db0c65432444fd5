"""The two sides of `oneos cp`: this host's files and the tree's, with the same calls on both.

Paths are bytes. What is open is read and written at offsets, by a descriptor where there is one:
files of the tree that are in use at another host have none. Failures are OSError on the host's
side and FileError on the tree's, each with its errno.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from oneos.errors import FileError, UserError
from oneos.limits import LOOKS_MAX, READ_BYTES_MAX
from oneos.local.client import Client, OpenDirectory, Opened, OpenRemote


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a path."""

    mode: int
    size: int
    atime_ns: int
    mtime_ns: int

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


class OpenFile:
    """A file of this host, or of the tree where it is at home here."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, offset: int, count: int) -> bytes:
        return os.pread(self.fd, count, offset)

    def write(self, offset: int, data: bytes) -> int:
        return os.pwrite(self.fd, data, offset)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def hold(self) -> None:
        """Have it alone among copies of this host. Raises UserError."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another oneos cp writes to it", errno=errno.EBUSY) from None
        except OSError:
            pass  # A file system without locks.

    def close(self) -> None:
        """Close it; of a file of the tree that was written, when it is committed."""
        os.close(self.fd)


class _TreeFile(OpenFile):
    def __init__(self, client: Client, fd: int, handle: int | None) -> None:
        super().__init__(fd)
        self._client = client
        self._handle = handle

    def close(self) -> None:
        os.close(self.fd)
        if self._handle is not None:
            self._client.close(self._handle)


class _AwayFile(OpenFile):
    """A file of the tree that is in use at another host."""

    def __init__(self, client: Client, opened: OpenRemote) -> None:
        super().__init__(-1)
        self._client = client
        self._handle = opened.handle

    def read(self, offset: int, count: int) -> bytes:
        data: bytes = self._client.call("pread", self._handle, offset, min(count, READ_BYTES_MAX))
        return data

    def write(self, offset: int, data: bytes) -> int:
        written: int = self._client.call("pwrite", self._handle, offset, data)[0]
        return written

    def truncate(self, size: int) -> None:
        self._client.call("ftruncate", self._handle, size)

    def size(self) -> int:
        size: int = self._client.call("fstat", self._handle)[6]
        return size

    def hold(self) -> None:
        """Nobody else on this host has it open by its name."""

    def close(self) -> None:
        self._client.close(self._handle)


class HostSide:
    """Files of this host."""

    label = b""
    """What stands before its paths on the command line."""

    part = b".oneos-part"
    """The end of the name of what is half copied."""

    def look(self, path: bytes, follow: bool = False) -> Found | None:
        """What stands at a path; None: nothing."""
        try:
            return _found(os.stat(path, follow_symlinks=follow))
        except FileNotFoundError:
            return None

    def list(self, path: bytes) -> Iterator[tuple[bytes, Found]]:
        """The names in a directory, sorted, with what stands there."""
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue  # Removed meanwhile.
            yield entry.name, _found(about)

    def open(self, path: bytes, flags: int, mode: int = 0) -> OpenFile:
        return OpenFile(os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode))

    def resolve(self, path: bytes) -> bytes:
        """A path without links."""
        return os.path.realpath(path)

    def readlink(self, path: bytes) -> bytes:
        return os.readlink(path)

    def symlink(self, target: bytes, path: bytes) -> None:
        os.symlink(target, path)

    def mkdir(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    def rename(self, old: bytes, new: bytes) -> None:
        os.rename(old, new)

    def unlink(self, path: bytes) -> None:
        os.unlink(path)

    def chmod(self, path: bytes, mode: int) -> None:
        os.chmod(path, mode)

    def utime(self, path: bytes, found: Found) -> None:
        os.utime(path, ns=(found.atime_ns, found.mtime_ns), follow_symlinks=False)

    def close(self) -> None:
        """Nothing is held."""


class TreeSide(HostSide):
    """Files of the tree; for one thread.

    Args:
        client: its connection to the Runtime.
    """

    label = b":"

    def __init__(self, client: Client) -> None:
        self._client = client
        client.call("stat", b"/")
        # Two hosts that copy to one name write to two files.
        self.part = b".%s.oneos-part" % str(client.greeting["host"]).encode()

    def look(self, path: bytes, follow: bool = False) -> Found | None:
        try:
            return _of_row(self._client.call("stat", path, follow))
        except FileError as error:
            if error.errno == errno.ENOENT:
                return None
            raise

    def list(self, path: bytes) -> Iterator[tuple[bytes, Found]]:
        names = [bytes(name) for name, *_ in self._client.call("list", path)]
        for at in range(0, len(names), LOOKS_MAX):
            some = names[at : at + LOOKS_MAX]
            for name, look in zip(some, self._client.call("looks", path, some), strict=True):
                if look[0] is not None:
                    yield name, _of_row(look[0])
                elif (found := self.look(path.rstrip(b"/") + b"/" + name)) is not None:
                    yield name, found

    def open(self, path: bytes, flags: int, mode: int = 0) -> OpenFile:
        opened: Opened = self._client.open(path, flags | os.O_NOFOLLOW, mode)
        if isinstance(opened, OpenDirectory):
            raise FileError(errno.EISDIR, path)
        if isinstance(opened, OpenRemote):
            return _AwayFile(self._client, opened)
        return _TreeFile(self._client, opened.fd, opened.handle)

    def resolve(self, path: bytes) -> bytes:
        real: bytes = self._client.call("realpath", path)
        return real

    def readlink(self, path: bytes) -> bytes:
        target: bytes = self._client.call("readlink", path)
        return target

    def symlink(self, target: bytes, path: bytes) -> None:
        self._client.call("symlink", target, path)

    def mkdir(self, path: bytes, mode: int) -> None:
        self._client.call("mkdir", path, mode & ~UMASK)

    def rename(self, old: bytes, new: bytes) -> None:
        self._client.call("rename", old, new)

    def unlink(self, path: bytes) -> None:
        self._client.call("unlink", path)

    def chmod(self, path: bytes, mode: int) -> None:
        self._client.call("chmod", path, mode)

    def utime(self, path: bytes, found: Found) -> None:
        self._client.call("utime", path, found.atime_ns, found.mtime_ns, False)

    def close(self) -> None:
        self._client.drop()


def _found(status: os.stat_result) -> Found:
    return Found(status.st_mode, status.st_size, status.st_atime_ns, status.st_mtime_ns)


def _of_row(row: list[int]) -> Found:
    return Found(row[0], row[6], row[7], row[8])


def _umask() -> int:
    # It can be asked only by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


UMASK = _umask()
