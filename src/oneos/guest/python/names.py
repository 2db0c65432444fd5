"""The calls that look at names: stat, list, access and the current directory.

Each method has the name, the arguments and the errors of the function of `posix` that it replaces,
and asks the Runtime when the path is the tree's.
"""

import errno
import posix
import sys

from .descriptors import Stat, number, real
from .entries import ScandirIterator, entries
from .failure import os_error, seamless
from .looks import directory
from .paths import shown, to_str
from .places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .descriptors import Descriptors
    from .looks import Looks
    from .paths import Paths


SHARED_MEMORY = b"/dev/shm"
"""Asked by `multiprocessing` whether there is room; there is none, so it takes a temporary file."""


class Names(Places):
    """The names of the tree, to look at.

    Args:
        channel: to the Runtime.
        paths: tells the tree's paths from the host's; keeps the current directory.
        descriptors: knows what a descriptor in place of a path stands for.
        looks: asks, and keeps what was seen.

    Attributes:
        uid: of the program, for `access`.
        gid: likewise.
    """

    def __init__(
        self, channel: "Channel", paths: "Paths", descriptors: "Descriptors", looks: "Looks"
    ) -> None:
        super().__init__(channel, paths, descriptors)
        self.looks = looks
        self.uid = self.gid = 0

    @seamless
    def stat(self, path: "Any", *, dir_fd: int | None = None, follow_symlinks: bool = True) -> Stat:
        if isinstance(path, int):
            return self.descriptors.fstat(path)
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["stat"](native, dir_fd=dir_fd, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        return self.looks.stat(where, bool(follow_symlinks), (shown(path),))

    @seamless
    def lstat(self, path: "Any", *, dir_fd: int | None = None) -> Stat:
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["lstat"](native, dir_fd=dir_fd)  # type: ignore[no-any-return]
        return self.looks.stat(where, False, (shown(path),))

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
            about = self.looks.stat(where, bool(follow_symlinks), ())
        except OSError:
            return False
        bits = about.st_mode
        if self.uid == 0:
            return not mode & posix.X_OK or bool(bits & 0o111) or bits & 0o170000 == 0o040000
        shift = 6 if about.st_uid == self.uid else 3 if about.st_gid == self.gid else 0
        return (bits >> shift) & mode & 7 == mode

    @seamless
    def listdir(self, path: "Any" = None) -> "list[Any]":
        where, native = self._directory(path)
        if where is None:
            return real["listdir"](native)  # type: ignore[no-any-return]
        sys.audit("os.listdir", path)
        found = self.looks.listing(directory(where), self._shown(path)).names
        return found.copy() if is_bytes(path) else [to_str(name) for name in found]

    @seamless
    def scandir(self, path: "Any" = None) -> "Any":
        where, native = self._directory(path)
        if where is None:
            return real["scandir"](native)
        sys.audit("os.scandir", path)
        by_descriptor = isinstance(path, int)
        prefix: Any = "" if by_descriptor else shown("." if path is None else path)
        slash: Any = b"/" if is_bytes(path) else "/"
        if is_bytes(path):
            prefix = bytes(prefix)
        if not by_descriptor and not prefix.endswith(slash):
            prefix += slash
        where = directory(where)
        listing = self.looks.listing(where, self._shown(path))
        return ScandirIterator(entries(self.looks, where, listing, prefix))

    def _directory(self, path: "Any") -> "tuple[bytes | None, Any]":
        """For `listdir` and `scandir`: None is the current directory, a number a descriptor."""
        if isinstance(path, int):
            return self._of_descriptor(path), path
        where, native, _ = self._read("." if path is None else path)
        return where, native

    @seamless
    def readlink(self, path: "Any", *, dir_fd: int | None = None) -> "Any":
        where, native, dir_fd = self._read(path, dir_fd)
        if where is None:
            return real["readlink"](native, dir_fd=dir_fd)
        target = self.channel.call("readlink", where, names=(shown(path),))
        return target if is_bytes(path) else to_str(target)

    @seamless
    def statvfs(self, path: "Any") -> "Any":
        where = self._of_descriptor(path) if isinstance(path, int) else self._read(path)[0]
        if where is None:
            return real["statvfs"](path if isinstance(path, int) else self.paths.native(path))
        if where == SHARED_MEMORY:
            return posix.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255, 0))
        return posix.statvfs_result(self.channel.call("statvfs", where, names=self._shown(path)))

    @seamless
    def fstatvfs(self, fd: int, /) -> "Any":
        handle = self.descriptors.table.get(fd)
        if handle is None or handle.kind == "fd":
            return real["fstatvfs"](fd)  # The file lies on that disk, with or without a name.
        return posix.statvfs_result(self.channel.call("statvfs", b"/"))

    @seamless
    def pathconf(self, path: "Any", name: "Any") -> int:
        where = self._of_descriptor(path) if isinstance(path, int) else self._read(path)[0]
        if where is None:
            native = path if isinstance(path, int) else self.paths.native(path)
            return real["pathconf"](native, name)  # type: ignore[no-any-return]
        key = posix.pathconf_names.get(name, name) if isinstance(name, str) else name
        for known, value in (("PC_NAME_MAX", 255), ("PC_PATH_MAX", 4096), ("PC_LINK_MAX", 65000)):
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
        self.paths.cwd = self.directory(path)
        return None

    def directory(self, path: "Any") -> bytes:
        """The canonical path of a directory to work in. Raises OSError, as chdir(2) does."""
        where, native, _ = self._read(path)
        if where is None:
            flags = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC
            if not self.paths.locate(path):
                real["stat"](native)  # For its errors: `open` would word some differently.
            fd = real["open"](native, flags)
            try:
                return real["readlink"](f"/proc/self/fd/{fd}".encode())  # type: ignore[no-any-return]
            finally:
                real["close"](fd)
        names = (shown(path),)
        flags = posix.O_RDONLY | posix.O_DIRECTORY
        return self.channel.call("open", where, flags, 0, names=names)["path"]  # type: ignore[no-any-return]

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


def is_bytes(path: "Any") -> bool:
    """Whether names are to be given as bytes, because the directory was."""
    return path is not None and not isinstance(path, int) and not isinstance(shown(path), str)
