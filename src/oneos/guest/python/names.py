"""The calls on names: stat, list, make, remove, rename and the rest of `posix` that takes a path.

Each method has the name, the arguments and the errors of the function of `posix` that it replaces,
and asks the Runtime when the path is the tree's. A descriptor in place of a path, and `dir_fd`,
work by the path under which the descriptor was opened. What the tree has not (links, FIFOs,
extended attributes) is refused, never done on the host.
"""

import errno
import posix
import sys
import time

from .descriptors import Stat, number, real, stat_result
from .entries import ScandirIterator, entry
from .failure import later, os_error, seamless
from .paths import NOT_A_PATH, shown, to_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .descriptors import Descriptors
    from .paths import Paths

UTIME_NAMES_THE_FILE = sys.version_info >= (3, 13)


class Names:
    """The names of the tree.

    Args:
        channel: to the Runtime.
        paths: tells the tree's paths from the host's; keeps the current directory.
        descriptors: knows what a descriptor in place of a path stands for.
        uid: of the program, for `access`.
        gid: likewise.
    """

    def __init__(
        self, channel: "Channel", paths: "Paths", descriptors: "Descriptors", uid: int, gid: int
    ) -> None:
        self.channel = channel
        self.paths = paths
        self.descriptors = descriptors
        self.uid, self.gid = uid, gid

    # --- finding out whose a path is --------------------------------------------------------
    def _read(self, path: "Any", dir_fd: int | None = None) -> "tuple[bytes | None, Any, Any]":
        """Where to read: a path of the tree, or None with path and dir_fd for the real function."""
        base = self.descriptors.directory(dir_fd)
        if dir_fd is not None and not self.descriptors.is_absolute(path):
            if base is None:
                return None, path, dir_fd
            return self.paths.locate(path, base) or None, path, None
        return self.paths.locate(path) or None, self.paths.native(path), None

    def _write(self, path: "Any", dir_fd: int | None = None, *, making: bool = False) -> bytes:
        """Where to write in the tree; `NOT_A_PATH` has the real function complain."""
        base = self.descriptors.directory(dir_fd)
        if base is None and dir_fd is not None and not self.descriptors.is_absolute(path):
            raise os_error(errno.EROFS, shown(path))
        return self.paths.writable(path, base, making=making)

    def _of_descriptor(self, fd: "Any") -> bytes | None:
        """The path under which a descriptor of the tree was opened; None for all others."""
        handle = self.descriptors.table.get(number(fd))
        return None if handle is None else handle.path

    # --- looking ----------------------------------------------------------------------------
    @seamless
    def stat(self, path: "Any", *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Stat:
        if isinstance(path, int):
            return self.descriptors.fstat(path)
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["stat"](native, dir_fd=dir_fd, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        names = (shown(path),)
        return stat_result(self.channel.call("stat", where, bool(follow_symlinks), names=names))

    @seamless
    def lstat(self, path: "Any", *, dir_fd: int | None = None) -> Stat:
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["lstat"](native, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return stat_result(self.channel.call("stat", where, False, names=(shown(path),)))

    @seamless
    def access(
        self,
        path: "Any",
        mode: int,
        *,
        dir_fd: int | None = None,
        effective_ids: bool = False,
        follow_symlinks: bool = True,
    ) -> bool:
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            if mode & posix.W_OK and not self.paths.is_host_device(path):
                return False
            return real["access"](native, mode, dir_fd=dir_fd)  # type: ignore[no-any-return]
        try:
            attr = self.channel.call("stat", where, bool(follow_symlinks))
        except OSError:
            return False
        bits = attr[0]
        if self.uid == 0:
            return not mode & posix.X_OK or bool(bits & 0o111) or bits & 0o170000 == 0o040000
        shift = 6 if attr[4] == self.uid else 3 if attr[5] == self.gid else 0
        return (bits >> shift) & mode & 7 == mode  # type: ignore[no-any-return]

    @seamless
    def listdir(self, path: "Any" = None) -> "list[Any]":
        where, native = self._directory(path)
        if where is None:
            return real["listdir"](native)  # type: ignore[no-any-return]
        sys.audit("os.listdir", path)
        raw = is_bytes(path)
        found = self.channel.call("list", where, names=self._shown(path))
        return [name if raw else to_str(name) for name, _, _ in found]

    @seamless
    def scandir(self, path: "Any" = None) -> "Any":
        where, native = self._directory(path)
        if where is None:
            return real["scandir"](native)
        sys.audit("os.scandir", path)
        raw = is_bytes(path)
        entries = []
        by_descriptor = isinstance(path, int)
        prefix = "" if by_descriptor else shown("." if path is None else path)
        slash: Any = b"/" if raw else "/"
        if not by_descriptor and not prefix.endswith(slash):
            prefix += slash
        base = where if where.endswith(b"/") else where + b"/"
        for name, mode, ino in self.channel.call("list", where, names=self._shown(path)):
            visible = name if raw else to_str(name)
            full = prefix + visible
            entries.append(entry(visible, full, mode, ino, self._entry_stat(base + name, full)))
        return ScandirIterator(entries)

    def _entry_stat(self, where: bytes, shown: "Any") -> "Any":
        def ask() -> Stat:
            return stat_result(self.channel.call("stat", where, False, names=(shown,)))

        return seamless(ask)

    def _directory(self, path: "Any") -> "tuple[bytes | None, Any]":
        """For `listdir` and `scandir`: None is the current directory, a number a descriptor."""
        if isinstance(path, int):
            return self._of_descriptor(path), path
        where, native, _ = self._read("." if path is None else path)
        return where, native

    def _shown(self, path: "Any") -> "tuple[Any, ...]":
        return () if path is None or isinstance(path, int) else (shown(path),)

    @seamless
    def readlink(self, path: "Any", *, dir_fd: int | None = None) -> "Any":
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["readlink"](native, dir_fd=dir_fd)
        names = (shown(path),)
        self.channel.call("stat", where, False, names=names)
        raise os_error(errno.EINVAL, *names)  # There are no symbolic links in the tree.

    @seamless
    def statvfs(self, path: "Any") -> "Any":
        where = self._of_descriptor(path) if isinstance(path, int) else self._read(path)[0]
        if where is None:
            return real["statvfs"](path if isinstance(path, int) else self.paths.native(path))
        raise later("asking how full the tree is", *self._shown(path))

    @seamless
    def pathconf(self, path: "Any", name: "Any") -> int:
        where = self._of_descriptor(path) if isinstance(path, int) else self._read(path)[0]
        if where is None:
            native = path if isinstance(path, int) else self.paths.native(path)
            return real["pathconf"](native, name)  # type: ignore[no-any-return]
        key = posix.pathconf_names.get(name, name) if isinstance(name, str) else name
        for known, value in (("PC_NAME_MAX", 255), ("PC_PATH_MAX", 4096), ("PC_LINK_MAX", 1)):
            if posix.pathconf_names[known] == key:
                return value
        raise os_error(errno.EINVAL, *self._shown(path))

    # --- the current directory --------------------------------------------------------------
    @seamless
    def getcwd(self) -> str:
        return to_str(self.paths.cwd)

    @seamless
    def getcwdb(self) -> bytes:
        return self.paths.cwd

    @seamless
    def chdir(self, path: "Any") -> None:
        if isinstance(path, int):
            return self.fchdir(path)
        where, native, _ = self._read(path)
        if where is None:
            flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
            if not self.paths.locate(path):
                real["stat"](native)  # For its errors: `open` would word some differently.
            fd = real["open"](native, flags)
            self.paths.cwd = real["readlink"](f"/proc/self/fd/{fd}".encode())
            real["close"](fd)
            return None
        names = (shown(path),)
        flags = posix.O_RDONLY | posix.O_DIRECTORY
        self.paths.cwd = self.channel.call("open", where, flags, 0, names=names)["path"]
        return None

    @seamless
    def fchdir(self, fd: "Any") -> None:
        where = self.descriptors.directory(number(fd))
        if where is None:
            real["fchdir"](fd)  # For its errors; then the kernel knows its name.
            where = real["getcwdb"]()
        self.paths.cwd = where

    @seamless
    def chroot(self, path: "Any") -> None:
        raise os_error(errno.EPERM, shown(path))

    # --- changing ---------------------------------------------------------------------------
    @seamless
    def mkdir(self, path: "Any", mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        where = self._write(path, dir_fd, making=True)
        if where == NOT_A_PATH:
            return real["mkdir"](path, mode)  # type: ignore[no-any-return]
        sys.audit("os.mkdir", path, mode, -1 if dir_fd is None else dir_fd)
        mode = mode & ~self.descriptors._umask & 0o7777
        self.channel.call("mkdir", where, mode, names=(shown(path),))
        return None

    @seamless
    def rmdir(self, path: "Any", *, dir_fd: int | None = None) -> None:
        where = self._write(path, dir_fd)
        if where == NOT_A_PATH:
            return real["rmdir"](path)  # type: ignore[no-any-return]
        if where.endswith(b"/."):
            raise os_error(errno.EINVAL, shown(path))
        sys.audit("os.rmdir", path, -1 if dir_fd is None else dir_fd)
        self.channel.call("rmdir", where, names=(shown(path),))
        return None

    @seamless
    def unlink(self, path: "Any", *, dir_fd: int | None = None) -> None:
        where = self._write(path, dir_fd)
        if where == NOT_A_PATH:
            return real["unlink"](path)  # type: ignore[no-any-return]
        sys.audit("os.remove", path, -1 if dir_fd is None else dir_fd)
        self.channel.call("unlink", where, names=(shown(path),))
        return None

    @seamless
    def remove(self, path: "Any", *, dir_fd: int | None = None) -> None:
        return self.unlink(path, dir_fd=dir_fd)

    @seamless
    def rename(
        self,
        src: "Any",
        dst: "Any",
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
    ) -> None:
        old, _, _ = self._read(src, src_dir_fd)
        new, _, _ = self._read(dst, dst_dir_fd)
        names = [self._pathlike(path) for path in (src, dst)]
        if not all(names):
            return real["rename"](src, dst)  # type: ignore[no-any-return]
        if old is None or new is None:
            raise os_error(errno.EXDEV, *names)
        sys.audit("os.rename", src, dst, src_dir_fd or -1, dst_dir_fd or -1)
        self.channel.call("rename", old, new, names=tuple(names))
        return None

    replace = rename

    def _pathlike(self, path: "Any") -> "Any":
        """The path as errors show it; nothing for what is no path."""
        return shown(path) if self.paths.locate(path) != NOT_A_PATH else None

    @seamless
    def chmod(
        self, path: "Any", mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        where = self._target(path, dir_fd)
        if not where:
            return real["chmod"](path, mode)  # type: ignore[no-any-return]
        self.channel.call("chmod", where, mode & 0o7777, names=self._shown(path))
        return None

    @seamless
    def fchmod(self, fd: int, mode: int) -> None:
        return self.chmod(fd, mode)

    @seamless
    def chown(
        self,
        path: "Any",
        uid: int,
        gid: int,
        *,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        where = self._target(path, dir_fd)
        uid, gid = owner(uid, "uid"), owner(gid, "gid")
        if not where:
            return real["chown"](path, uid, gid)  # type: ignore[no-any-return]
        self.channel.call("chown", where, uid, gid, names=self._shown(path))
        return None

    @seamless
    def lchown(self, path: "Any", uid: int, gid: int) -> None:
        return self.chown(path, uid, gid)

    @seamless
    def fchown(self, fd: int, uid: int, gid: int) -> None:
        return self.chown(fd, uid, gid)

    @seamless
    def utime(
        self,
        path: "Any",
        times: "Any" = None,
        *,
        ns: "Any" = None,
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        where = self._target(path, dir_fd)
        bad = times is not None and (ns is not None or type(times) is not tuple or len(times) != 2)
        bad = bad or (ns is not None and (type(ns) is not tuple or len(ns) != 2))
        if not where or bad:
            return real["utime"](path, times, **({} if ns is None else {"ns": ns}))  # type: ignore[no-any-return]
        if ns is None and times is not None:
            ns = [int(t // 1) * 10**9 + int(t % 1 * 1e9) for t in times]
        atime, mtime = ns if ns is not None else [time.time_ns()] * 2
        names = self._shown(path) if UTIME_NAMES_THE_FILE else ()
        self.channel.call("utime", where, atime, mtime, names=names)
        return None

    @seamless
    def truncate(self, path: "Any", length: int) -> None:
        if isinstance(path, int):
            return self.descriptors.ftruncate(path, length)
        where = self._write(path)
        if where == NOT_A_PATH:
            return real["truncate"](path, length)  # type: ignore[no-any-return]
        if length < 0:
            raise os_error(errno.EINVAL, shown(path))
        self.channel.call("truncate", where, length, names=self._shown(path))
        return None

    def _target(self, path: "Any", dir_fd: int | None) -> bytes | None:
        """What a change of attributes is about; a false value leaves it to the real function."""
        if isinstance(path, int):
            return self._of_descriptor(path)
        return self._write(path, dir_fd)

    # --- what the tree has not --------------------------------------------------------------
    @seamless
    def symlink(
        self,
        src: "Any",
        dst: "Any",
        target_is_directory: bool = False,
        *,
        dir_fd: int | None = None,
    ) -> None:
        self._write(dst, dir_fd, making=True)
        raise os_error(errno.EPERM, shown(src), shown(dst))

    @seamless
    def link(self, src: "Any", dst: "Any", **_options: "Any") -> None:
        self._write(dst, making=True)
        raise os_error(errno.EPERM, shown(src), shown(dst))

    @seamless
    def mkfifo(self, path: "Any", mode: int = 0o666, *, dir_fd: int | None = None) -> None:
        self._write(path, dir_fd, making=True)
        raise later("making a FIFO", shown(path))

    @seamless
    def mknod(
        self, path: "Any", mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None
    ) -> None:
        self._write(path, dir_fd, making=True)
        raise later("making a device or a FIFO", shown(path))

    @seamless
    def getxattr(self, path: "Any", attribute: "Any", *, follow_symlinks: bool = True) -> bytes:
        native = self._attributes(path)
        return real["getxattr"](native, attribute, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]

    @seamless
    def listxattr(self, path: "Any" = None, *, follow_symlinks: bool = True) -> list[str]:
        native = self._attributes("." if path is None else path)
        return real["listxattr"](native, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]

    @seamless
    def setxattr(self, path: "Any", *_args: "Any", **_options: "Any") -> None:
        raise os_error(errno.ENOTSUP, *self._shown(path))

    @seamless
    def removexattr(self, path: "Any", *_args: "Any", **_options: "Any") -> None:
        raise os_error(errno.ENOTSUP, *self._shown(path))

    def _attributes(self, path: "Any") -> "Any":
        """The path for the real function; the tree keeps no extended attributes."""
        where = self._of_descriptor(path) if isinstance(path, int) else self._read(path)[0]
        if where is not None:
            raise os_error(errno.ENOTSUP, *self._shown(path))
        return path if isinstance(path, int) else self.paths.native(path)


def owner(value: "Any", what: str) -> int:
    """The number of a user or group, -1 for no change, checked as the real functions do."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"{what} should be integer, not {type(value).__name__}")
    number: int = value.__index__()
    if number < -1:
        raise OverflowError(f"{what} is less than minimum")
    if number >= 1 << 32:
        raise OverflowError(f"{what} is greater than maximum")
    return number


def is_bytes(path: "Any") -> bool:
    """Whether names are to be given as bytes, because the directory was."""
    return path is not None and not isinstance(path, int) and not isinstance(shown(path), str)
