"""Copying one file from one side to the other, or going on with it where that broke off.

A file is written under another name beside its own, and renamed when it is whole: nobody sees half
of one. What was left half copied is compared with the source, byte for byte, and continued from the
first difference; so it does not matter whose it is or how it broke off. Bytes go by the kernel
alone where both ends are descriptors (copy_file_range(2), which shares blocks where a disk can;
else sendfile(2)), and holes stay holes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator

from oneos.errors import FileError, OneOSError, UserError
from oneos.limits import COPY_BYTES_MAX, NAME_BYTES_MAX, READ_BYTES_MAX
from oneos.local.sides import UMASK, Found, HostSide, OpenFile

Progress = Callable[[int], None]
"""Told of bytes that are done. What it raises breaks the copy off, which can go on later."""


_MODE_BITS = 0o1777
"""What is kept of a mode: not whose rights a program gets, since the copy has another owner."""


class Changed(UserError):
    """The source was written while it was copied; the copy is there, of some of its moments."""


class Transfer:
    """Copies files from one side to the other.

    Args:
        source, dest: the sides.
        keep: with modes and times.
        anew: whatever is there already.
    """

    def __init__(self, source: HostSide, dest: HostSide, *, keep: bool, anew: bool) -> None:
        self.source = source
        self.dest = dest
        self._keep = keep
        self._anew = anew

    def file(self, old: bytes, found: Found, new: bytes, progress: Progress) -> None:
        """Copy a regular file, or see that it is there already.

        Raises:
            OSError, OneOSError: what failed; of `Changed` the copy is there.
        """
        there = self.dest.look(new)
        if there is not None and stat.S_ISLNK(there.mode):
            # Written through, as cp does.
            new = self.dest.resolve(new)
            there = self.dest.look(new)
        if there is not None and not stat.S_ISREG(there.mode):
            what = "a directory" if there.is_directory else "no regular file"
            raise UserError(f"{_text(self.dest, new)} is there, and is {what}")
        reading = self.source.open(old, os.O_RDONLY)
        try:
            if there is not None and not self._anew and self._is_there(reading, found, new, there):
                progress(found.size)
                if self._keep:
                    self._keep_about(new, found)
                return
            self._write(reading, found, new, there, progress)
        finally:
            reading.close()
        now = self.source.look(old, follow=True)
        # The size of what is made up when it is read, as in /proc, is not known.
        if now is not None and (now.size, now.mtime_ns) != (found.size, found.mtime_ns):
            raise Changed(f"{_text(self.source, old)} was written while it was copied")

    def _is_there(self, reading: OpenFile, found: Found, new: bytes, there: Found) -> bool:
        if there.size != found.size or not there.size:
            return False
        if self._keep and there.mtime_ns == found.mtime_ns:
            return True
        other = self.dest.open(new, os.O_RDONLY)
        try:
            return same_until(reading, other) == found.size == reading.size()
        finally:
            other.close()

    def _write(
        self, reading: OpenFile, found: Found, new: bytes, there: Found | None, progress: Progress
    ) -> None:
        part = part_of(new, self.dest.part)
        if self._keep:
            mode = found.mode & _MODE_BITS
        else:
            mode = stat.S_IMODE(there.mode) if there else found.mode & 0o777 & ~UMASK
        try:
            writing = self.dest.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode | 0o600)
            fresh = True
        except (OSError, OneOSError) as error:
            if error.errno != errno.EEXIST:
                raise
            writing = self.dest.open(part, os.O_RDWR)
            fresh = False
        closed = False
        try:
            writing.hold()
        except BaseException:
            _quietly(writing.close)
            raise
        try:
            start = 0 if fresh or self._anew else same_until(reading, writing)
            progress(start)
            copy(reading, writing, start, progress)
            closed = True
            writing.close()
        except (OSError, OneOSError):
            # Not after Ctrl-C: what is there is for the next time.
            if not closed:
                _quietly(writing.close)
            _quietly(lambda: self.dest.unlink(part))
            raise
        except BaseException:
            if not closed:
                _quietly(writing.close)
            raise
        if self._keep:
            self._keep_about(part, found)
        elif not fresh or there is not None or mode | 0o600 != mode:
            self.dest.chmod(part, mode)
        self.dest.rename(part, new)

    def link(self, old: bytes, new: bytes, found: Found) -> None:
        """Copy a symbolic link as it is."""
        target = self.source.readlink(old)
        there = self.dest.look(new)
        if there is not None:
            if stat.S_ISLNK(there.mode) and self.dest.readlink(new) == target:
                return
            if there.is_directory:
                raise UserError(f"{_text(self.dest, new)} is there, and is a directory")
            self.dest.unlink(new)
        self.dest.symlink(target, new)
        if self._keep:
            self.dest.utime(new, found)

    def directory(self, new: bytes, found: Found) -> None:
        """Make a directory, or see that it is there; `settle` gives it its mode and times."""
        there = self.dest.look(new, follow=True)
        if there is None:
            # It has to be written to, whatever it will be.
            self.dest.mkdir(new, found.mode & 0o777 | 0o700)
        elif not there.is_directory:
            raise UserError(f"{_text(self.dest, new)} is there, and is no directory")

    def settle(self, new: bytes, found: Found) -> None:
        """All that goes into a directory is there."""
        if self._keep:
            self._keep_about(new, found)

    def _keep_about(self, path: bytes, found: Found) -> None:
        self.dest.chmod(path, found.mode & _MODE_BITS)
        self.dest.utime(path, found)


def part_of(path: bytes, ending: bytes) -> bytes:
    """Where a file is while it is half copied: beside it, hidden."""
    directory, _, name = path.rpartition(b"/")
    part = b"." + name + ending
    if len(part) > NAME_BYTES_MAX:
        part = b"." + hashlib.blake2b(name, digest_size=16).hexdigest().encode() + ending
    return directory + b"/" + part if b"/" in path else part


def same_until(one: OpenFile, other: OpenFile) -> int:
    """How many bytes two files have in common, in whole blocks but for the last of the shorter."""
    at, end = 0, other.size()
    while at < end:
        count = min(READ_BYTES_MAX, end - at)
        block = other.read(at, count)
        if not block or one.read(at, len(block)) != block:
            break
        at += len(block)
    return at


def copy(reading: OpenFile, writing: OpenFile, start: int, progress: Progress) -> None:
    """Copy all from an offset on; what the written file has beyond that is cut off.

    Raises:
        OSError, OneOSError: what failed.
    """
    at = start
    # First, since what lies beyond is not of this source, and so that holes need not be written.
    writing.truncate(start)
    if reading.fd >= 0 and writing.fd >= 0:
        for begin, end in _extents(reading.fd, start):
            progress(begin - at)
            at = begin
            while at < end:
                count = _move(reading.fd, writing.fd, at, min(COPY_BYTES_MAX, end - at))
                if not count:
                    break
                at += count
                progress(count)
    # What has no descriptor; and of one that grew, or whose size was not known, the rest.
    while data := reading.read(at, READ_BYTES_MAX):
        if data.strip(b"\0"):
            done = 0
            while done < len(data):
                done += writing.write(at + done, data[done:])
        at += len(data)
        progress(len(data))
    at = max(at, reading.size() if reading.fd >= 0 else at)
    if writing.size() != at:
        writing.truncate(at)


def _extents(fd: int, start: int) -> Iterator[tuple[int, int]]:
    """Where a file has content, from an offset on: the rest are holes."""
    at, size = start, os.fstat(fd).st_size
    while at < size:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
            at = os.lseek(fd, begin, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                # A hole up to the end.
                yield size, size
                return
            if error.errno != errno.EINVAL:
                raise
            # A file system that does not know.
            begin, at = at, size
        yield begin, at


_UNABLE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)
"""What copy_file_range(2) says between file systems, and of files that it does not know."""


def _move(source: int, dest: int, at: int, count: int) -> int:
    """Have the kernel copy a piece, as much as it does at a time; 0: at the end."""
    try:
        done = os.copy_file_range(source, dest, count, at, at)
        if done:
            return done
        # Some made-up files have content and say so of none.
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    try:
        os.lseek(dest, at, os.SEEK_SET)
        return os.sendfile(dest, source, at, count)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise
    return os.pwrite(dest, os.pread(source, min(count, READ_BYTES_MAX), at), at)


def _text(side: HostSide, path: bytes) -> str:
    return os.fsdecode(side.label + path)


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except (OSError, OneOSError, FileError):
        pass  # What led here is what is told.
