"""Does to the files below its working directory what it is told, and says what came of it.

A program of its own, run natively and by OneOS. Each line of its input is a Python tuple, the name
of a method of `Driver` and its arguments; each line of its output `("ok", VALUE)` or the errno.
Open files are kept in slots, numbers that the teller chooses. Values are what must be the same on
every POSIX system: no inode number, no time but one that was set.
"""

import ast
import contextlib
import errno
import mmap
import os
import stat
import sys

SET_NS_MAX = 10**15
"""Times that somebody set are below it, in 1970; all others are "now"."""

PIECE = 1 << 20


def shown(about: os.stat_result) -> tuple:
    """What two systems must agree on: mode, links, size, the time that was set."""
    size = -1 if stat.S_ISDIR(about.st_mode) else about.st_size
    when = about.st_mtime_ns if about.st_mtime_ns < SET_NS_MAX else "now"
    return oct(about.st_mode), about.st_nlink, size, when


class Driver:
    def __init__(self) -> None:
        self.slots: dict[int, int] = {}

    def fd(self, slot: int) -> int:
        if slot not in self.slots:
            raise OSError(errno.EBADF, "")
        return self.slots[slot]

    # --- where ------------------------------------------------------------------------------
    def begin(self, path: bytes) -> None:
        """Close everything, and go to a directory, which is made if it is not there."""
        for slot in list(self.slots):
            self.close(slot)
        os.makedirs(path, exist_ok=True)
        os.chdir(path)
        os.umask(0o022)

    # --- open files -------------------------------------------------------------------------
    def open(self, slot: int, path: bytes, flags: int, mode: int) -> object:
        if slot in self.slots:
            self.close(slot)
        fd = os.open(path, flags, mode)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            return "a directory"
        self.slots[slot] = fd
        return None

    def close(self, slot: int) -> None:
        fd = self.fd(slot)
        del self.slots[slot]
        os.close(fd)

    def read(self, slot: int, count: int) -> bytes:
        return os.read(self.fd(slot), count)

    def write(self, slot: int, data: bytes) -> int:
        return os.write(self.fd(slot), data)

    def pread(self, slot: int, count: int, at: int) -> bytes:
        return os.pread(self.fd(slot), count, at)

    def pwrite(self, slot: int, data: bytes, at: int) -> int:
        return os.pwrite(self.fd(slot), data, at)

    def seek(self, slot: int, at: int, whence: int) -> int:
        return os.lseek(self.fd(slot), at, whence)

    def ftruncate(self, slot: int, size: int) -> None:
        os.ftruncate(self.fd(slot), size)

    def fsync(self, slot: int) -> None:
        os.fsync(self.fd(slot))

    def fchmod(self, slot: int, mode: int) -> None:
        os.fchmod(self.fd(slot), mode)

    def futime(self, slot: int, ns: int) -> None:
        os.utime(self.fd(slot), ns=(ns, ns))

    def fstat(self, slot: int) -> tuple:
        return shown(os.fstat(self.fd(slot)))[2:]

    def holes(self, slot: int, at: int) -> object:
        """Whether what is told of holes is true: where they are, each system decides."""
        fd = self.fd(slot)
        before = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            size = os.fstat(fd).st_size
            hole = os.lseek(fd, at, os.SEEK_HOLE)
            wrong = not at <= hole <= size
            try:
                data = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as error:
                # It may be a hole up to the end.
                if error.errno != errno.ENXIO:
                    raise
                data = size
            with contextlib.suppress(OSError):
                wrong = wrong or any(os.pread(fd, data - at, at))
                wrong = wrong or any(os.pread(fd, 1, hole))
            return "wrong" if wrong else "true"
        finally:
            os.lseek(fd, before, os.SEEK_SET)

    def map_read(self, slot: int, count: int, at: int) -> object:
        fd = self.fd(slot)
        with mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as view:
            return view[at : at + count]

    def map_write(self, slot: int, data: bytes, at: int) -> int:
        with mmap.mmap(self.fd(slot), 0) as view:
            data = data[: max(0, len(view) - at)]
            view[at : at + len(data)] = data
            view.flush()
        return len(data)

    # --- names ------------------------------------------------------------------------------
    def stat(self, path: bytes) -> tuple:
        return shown(os.stat(path))

    def lstat(self, path: bytes) -> tuple:
        return shown(os.lstat(path))

    def access(self, path: bytes, mode: int) -> bool:
        return os.access(path, mode)

    def listdir(self, path: bytes) -> list[bytes]:
        return sorted(os.listdir(path))

    def scandir(self, path: bytes) -> list:
        with os.scandir(path) as entries:
            return sorted((e.name, e.is_dir(), e.is_symlink(), e.is_file()) for e in entries)

    def mkdir(self, path: bytes, mode: int) -> None:
        os.mkdir(path, mode)

    def rmdir(self, path: bytes) -> None:
        os.rmdir(path)

    def rename(self, old: bytes, new: bytes) -> None:
        os.rename(old, new)

    def link(self, old: bytes, new: bytes, follow: bool) -> None:
        os.link(old, new, follow_symlinks=follow)

    def symlink(self, target: bytes, path: bytes) -> None:
        os.symlink(target, path)

    def readlink(self, path: bytes) -> bytes:
        return os.readlink(path)

    def unlink(self, path: bytes) -> None:
        os.unlink(path)

    def chmod(self, path: bytes, mode: int) -> None:
        os.chmod(path, mode)

    def utime(self, path: bytes, ns: int) -> None:
        os.utime(path, ns=(ns, ns))

    def truncate(self, path: bytes, size: int) -> None:
        os.truncate(path, size)

    def samefile(self, one: bytes, other: bytes) -> bool:
        return os.path.samefile(one, other)

    def setxattr(self, path: bytes, name: bytes, value: bytes, flags: int) -> None:
        os.setxattr(path, name, value, flags)

    def getxattr(self, path: bytes, name: bytes) -> bytes:
        return os.getxattr(path, name)

    def listxattr(self, path: bytes) -> list[str]:
        return sorted(name for name in os.listxattr(path) if name.startswith("user."))

    def removexattr(self, path: bytes, name: bytes) -> None:
        os.removexattr(path, name)

    # --- several calls at once ----------------------------------------------------------------
    def put(self, path: bytes, data: bytes) -> None:
        """Make a file, or write it anew."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, data)
        os.close(fd)

    def add(self, path: bytes, data: bytes) -> None:
        """Append, safely."""
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)

    def patch(self, path: bytes, data: bytes, at: int) -> None:
        """Write within, safely."""
        fd = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(fd, data, at)
            os.fsync(fd)
        finally:
            os.close(fd)

    def get(self, path: bytes) -> bytes:
        fd = os.open(path, os.O_RDONLY)
        try:
            return os.read(fd, PIECE)
        finally:
            os.close(fd)

    def populate(self, path: bytes, names: list[bytes]) -> None:
        """Many entries of a directory; an empty path is the current one, and never the root."""
        for name in names:
            os.symlink(b"x", os.path.join(path, name))

    def look(self) -> list:
        """All there is below here, and what the open files show."""
        seen: list = []
        for top, names, files in os.walk(b"."):
            for name in names + files:
                path = top + b"/" + name
                about = os.lstat(path)
                content: object = None
                if stat.S_ISREG(about.st_mode):
                    content = self.get(path)
                elif stat.S_ISLNK(about.st_mode):
                    content = os.readlink(path)
                seen.append((path, shown(about), content))
        for slot, fd in self.slots.items():
            about = os.fstat(fd)
            if stat.S_ISREG(about.st_mode):
                seen.append((b"%d" % slot, about.st_size, self.from_start(fd)))
        return sorted(seen)

    def from_start(self, fd: int) -> object:
        try:
            return os.pread(fd, PIECE, 0)
        except OSError as error:
            return error.errno


def main() -> None:
    driver = Driver()
    print("up", flush=True)
    for line in sys.stdin:
        name, *arguments = ast.literal_eval(line)
        try:
            came = ("ok", getattr(driver, name)(*arguments))
        except OSError as error:
            came = ("failed", errno.errorcode.get(error.errno or 0, str(error)))
        except ValueError as error:
            came = ("failed", f"ValueError: {error}")
        print(repr(came), flush=True)


main()
