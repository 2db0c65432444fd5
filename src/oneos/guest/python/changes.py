"""The calls that change names: make, remove, rename, and the attributes of what has a name.

Each method has the name, the arguments and the errors of the function of `posix` that it replaces.
"""

import _stat
import errno
import posix
import sys
import time

from .descriptors import real, stat_result
from .failure import os_error, seamless
from .paths import NOT_A_PATH, shown, to_bytes
from .places import Places, owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UTIME_NAMES_THE_FILE = sys.version_info >= (3, 13)


class Changes(Places):
    """The names of the tree, to change."""

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
        old, new = self._named(src, src_dir_fd), self._named(dst, dst_dir_fd)
        names = [self._pathlike(path) for path in (src, dst)]
        if None in names:
            return real["rename"](src, dst)  # type: ignore[no-any-return]
        if old is None or new is None:
            raise os_error(errno.EXDEV, *names)
        sys.audit("os.rename", src, dst, src_dir_fd or -1, dst_dir_fd or -1)
        self.channel.call("rename", old, new, names=tuple(names))
        return None

    replace = rename

    def _named(self, path: "Any", dir_fd: int | None) -> bytes | None:
        """Where a path leads; what an empty one is beside another one, the Runtime judges."""
        return b"" if path in ("", b"") else self._read(path, dir_fd)[0]

    def _pathlike(self, path: "Any") -> "Any":
        """The path as errors show it, an empty one too; None for what is no path."""
        return shown(path) if path in ("", b"") or self.paths.locate(path) != NOT_A_PATH else None

    @seamless
    def chmod(
        self, path: "Any", mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> None:
        if h := self._open_file(path):
            self.channel.call("fsetattr", h, {"mode": mode & 0o7777})
            return None
        where = self._target(path, dir_fd)
        if not where:
            return real["chmod"](path, mode)  # type: ignore[no-any-return]
        try:
            self.channel.call(
                "chmod", where, mode & 0o7777, bool(follow_symlinks), names=self._shown(path)
            )
        except OSError as error:
            if follow_symlinks or error.errno != errno.EOPNOTSUPP:
                raise
            text = "chmod: follow_symlinks unavailable on this platform"
            raise NotImplementedError(text) from None
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
        if h := self._open_file(path):
            change = {"uid": uid, "gid": gid}
            given = {name: value for name, value in change.items() if value >= 0}
            self.channel.call("fsetattr", h, given)
            return None
        if not where:
            return real["chown"](path, uid, gid)  # type: ignore[no-any-return]
        follow = bool(follow_symlinks)
        self.channel.call("chown", where, uid, gid, follow, names=self._shown(path))
        return None

    @seamless
    def lchown(self, path: "Any", uid: int, gid: int) -> None:
        return self.chown(path, uid, gid, follow_symlinks=False)

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
        if h := self._open_file(path):
            self.channel.call("fsetattr", h, {"atime_ns": atime, "mtime_ns": mtime})
            return None
        names = self._shown(path) if UTIME_NAMES_THE_FILE else ()
        self.channel.call("utime", where, atime, mtime, bool(follow_symlinks), names=names)
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
        if length > allowed_bytes():
            size = stat_result(self.channel.call("stat", where, True, names=self._shown(path)))
            if length > size.st_size:
                import signal

                signal.raise_signal(signal.SIGXFSZ)
                raise os_error(errno.EFBIG, shown(path))
        self.channel.call("truncate", where, length, names=self._shown(path))
        return None

    @seamless
    def symlink(
        self,
        src: "Any",
        dst: "Any",
        target_is_directory: bool = False,
        *,
        dir_fd: int | None = None,
    ) -> None:
        where, target = self._write(dst, dir_fd, making=True), to_bytes(src)
        if where == NOT_A_PATH or not target:
            return real["symlink"](src, dst)  # type: ignore[no-any-return]
        sys.audit("os.symlink", src, dst, -1 if dir_fd is None else dir_fd)
        self.channel.call("symlink", target, where, names=(shown(src), shown(dst)))
        return None

    @seamless
    def link(
        self,
        src: "Any",
        dst: "Any",
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        names = [self._pathlike(path) for path in (src, dst)]
        if None in names:
            return real["link"](src, dst)  # type: ignore[no-any-return]
        old = self._named(src, src_dir_fd)
        new = self._write(dst, dst_dir_fd, making=True)
        if old is None:
            raise os_error(errno.EXDEV, *names)
        # As the real one, whose default follows only where it has to use linkat(2).
        by_descriptor = src_dir_fd is not None or dst_dir_fd is not None
        follow = bool(follow_symlinks) and by_descriptor
        sys.audit("os.link", src, dst, src_dir_fd or -1, dst_dir_fd or -1)
        self.channel.call("link", old, new, follow, names=tuple(names))
        return None

    @seamless
    def mkfifo(self, path: "Any", mode: int = 0o666, *, dir_fd: int | None = None) -> None:
        where = self._write(path, dir_fd, making=True)
        if where == NOT_A_PATH:
            return real["mkfifo"](path, mode)  # type: ignore[no-any-return]
        self._make(where, _stat.S_IFIFO | mode & 0o7777)
        return None

    @seamless
    def mknod(
        self, path: "Any", mode: int = 0o600, device: int = 0, *, dir_fd: int | None = None
    ) -> None:
        where = self._write(path, dir_fd, making=True)
        if where == NOT_A_PATH:
            return real["mknod"](path, mode, device)  # type: ignore[no-any-return]
        kind = _stat.S_IFMT(mode)
        if kind in (0, _stat.S_IFREG):
            flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL
            self.descriptors.close(self.descriptors.open_in_tree(where, path, flags, mode))
        elif kind in (_stat.S_IFIFO, _stat.S_IFSOCK):
            self._make(where, mode)
        else:  # The tree's devices are declared by its hosts.
            raise os_error(errno.EPERM)
        return None

    def _make(self, where: bytes, mode: int) -> None:
        """Make the name of a FIFO or socket; as the real functions, its errors name no file."""
        self.channel.call("mknod", where, mode & ~self.descriptors._umask)


def allowed_bytes() -> float:
    """How long this process may make a file; its Runtime has limits of its own."""
    try:
        import resource
    except ImportError:
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit
