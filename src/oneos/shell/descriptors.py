"""The shell's own descriptors: counted, so that the last user closes them, and what they stand for.

A script's descriptor 1 is not the process's: subshells that run in threads each have their own
table of these objects. A file that the Runtime gives as a real descriptor is one; a file in use
at another host becomes a pipe with a thread that copies, so that programs can share it all the
same. Which redirection opens what is decided in redirect.py.
"""

import errno
import os
import threading
from collections.abc import Callable

from oneos.errors import FileError, OneOSError
from oneos.limits import STREAM_BUFFER_BYTES
from oneos.local.client import Client, OpenDirectory, OpenFd, OpenRemote


class Descriptor:
    """One open descriptor of this process, shared by count.

    Args:
        fd: the descriptor; it is closed with the last reference.
        finish: runs after that, once: commits a file, waits for a copier. May raise OneOSError.
        owned: false for the process's own standard streams, which are never closed.
    """

    def __init__(
        self, fd: int, finish: Callable[[], None] | None = None, *, owned: bool = True
    ) -> None:
        self.fd = fd
        self._finish = finish
        self._owned = owned
        self._count = 1
        self._lock = threading.Lock()

    @property
    def is_file(self) -> bool:
        """Whether its end commits something."""
        return self._finish is not None

    def acquire(self) -> "Descriptor":
        with self._lock:
            self._count += 1
        return self

    def release(self) -> None:
        """Give one reference back.

        Raises:
            OneOSError: it was the last, and what was written could not be committed.
        """
        with self._lock:
            self._count -= 1
            last = self._count == 0
        if last:
            if self._owned:
                os.close(self.fd)
            if self._finish is not None:
                self._finish()


def pipe() -> tuple[Descriptor, Descriptor]:
    """A pipe's reading and writing end."""
    reading, writing = os.pipe()
    return Descriptor(reading), Descriptor(writing)


def from_bytes(data: bytes) -> Descriptor:
    """The reading end of a pipe that delivers the data: a here-document."""
    reading, writing = pipe()
    threading.Thread(target=_feed, args=(writing, data), daemon=True).start()
    return reading


def _feed(writing: Descriptor, data: bytes) -> None:
    try:
        write_all(writing.fd, data)
    except OSError:
        pass  # The reader had enough.
    writing.release()


def write_all(fd: int, data: bytes) -> None:
    """Write everything, as far as the reader lets it.

    Raises:
        OSError: as write(2).
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def open_in_tree(client: Client, path: bytes, flags: int, mode: int) -> Descriptor:
    """Open a file of the tree as a descriptor.

    Args:
        client: asked now, and by a client of its own when the file is closed.
        path: absolute.
        flags: as open(2).
        mode: with the umask taken off.

    Raises:
        FileError: as open(2) says, and EISDIR for a directory.
    """
    opened = client.open(path, flags, mode)
    if isinstance(opened, OpenDirectory):
        raise FileError(errno.EISDIR, path)
    if isinstance(opened, OpenRemote):
        return _open_for_copier(client, opened, path, flags)
    handle = opened.handle
    if handle is None:
        return Descriptor(opened.fd)
    generation = client.generation

    def finish() -> None:
        # A connection that was broken off took its files along: the Runtime has closed this.
        if client.generation == generation:
            client.close(handle)

    return Descriptor(opened.fd, finish)


def _open_for_copier(client: Client, opened: OpenRemote, path: bytes, flags: int) -> Descriptor:
    """The same file by a connection of the copier's own, since a handle is its connection's."""
    own = client.clone()
    try:
        # What is done once has been done by the first opening.
        again = own.open(path, flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC), 0)
    except BaseException:
        own.drop()
        raise
    finally:
        client.close(opened.handle)
    if isinstance(again, OpenRemote):
        return _RemoteCopy(own, again, flags).descriptor
    assert isinstance(again, OpenFd) and again.handle is not None
    handle = again.handle

    def finish() -> None:
        try:
            own.close(handle)
        finally:
            own.drop()

    # The other host has closed it meanwhile: it is a file of this one now.
    return Descriptor(again.fd, finish)


class _RemoteCopy:
    """A pipe in place of a file that is in use at another host, and the thread that copies."""

    def __init__(self, client: Client, opened: OpenRemote, flags: int) -> None:
        access = flags & os.O_ACCMODE
        if access == os.O_RDWR:
            client.call("close", opened.handle)
            raise FileError(
                errno.ENOTSUP, hint="the file is in use at another host: open it for one direction"
            )
        self._client = client
        self._opened = opened
        self._failure: OneOSError | None = None
        reading, writing = os.pipe()
        writes = access == os.O_WRONLY
        self._inner = reading if writes else writing
        self._thread = threading.Thread(
            target=self._copy, args=(self._write_out if writes else self._read_in,), daemon=True
        )
        self._thread.start()
        self.descriptor = Descriptor(writing if writes else reading, self._finish)

    def _copy(self, direction: Callable[[], None]) -> None:
        try:
            direction()
        except OneOSError as error:
            self._failure = error
        except BrokenPipeError:
            pass  # Nobody reads on.
        finally:
            os.close(self._inner)

    def _write_out(self) -> None:
        offset = -1 if self._opened.append else 0
        while data := os.read(self._inner, STREAM_BUFFER_BYTES):
            while data:
                written, end = self._client.call("pwrite", self._opened.handle, offset, data)
                data = data[written:]
                offset = -1 if self._opened.append else end

    def _read_in(self) -> None:
        offset = 0
        while data := self._client.call("pread", self._opened.handle, offset, STREAM_BUFFER_BYTES):
            write_all(self._inner, data)
            offset += len(data)

    def _finish(self) -> None:
        # The descriptor is closed, so the thread meets the pipe's end, or a broken pipe.
        self._thread.join()
        try:
            self._client.call("close", self._opened.handle)
        finally:
            self._client.drop()
        if self._failure is not None:
            raise self._failure
