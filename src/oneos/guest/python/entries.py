"""Directory entries: `os.DirEntry` and the iterator of `os.scandir` for directories of the tree.

One `list` request gives every name with its type, so walking a tree costs one request a directory;
`stat` of an entry, and where a symbolic link leads, is asked for when the program wants it, and
kept, as the real ones do.
"""

import _stat
import posix

from .failure import seamless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RealDirEntry = posix.DirEntry


class _DirEntryType(type):
    """Entries of the host's directories are instances too, though of the real class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, RealDirEntry)


class DirEntry(metaclass=_DirEntryType):
    """One name of a directory of the tree, with the attributes of the real `os.DirEntry`."""

    __module__ = "posix"
    __slots__ = ("_ino", "_kept", "_mode", "_stat", "name", "path")
    _ino: int
    _mode: int
    _stat: "Callable[[bool], posix.stat_result]"
    _kept: "dict[bool, posix.stat_result]"
    name: "Any"
    path: "Any"

    def __init__(self) -> None:
        raise TypeError("cannot create 'posix.DirEntry' instances")

    def inode(self) -> int:
        """Return inode of the entry."""
        return self._ino

    @seamless
    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return True if the entry is a directory."""
        return _stat.S_ISDIR(self._leads_to(follow_symlinks))

    @seamless
    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return True if the entry is a regular file."""
        return _stat.S_ISREG(self._leads_to(follow_symlinks))

    def _leads_to(self, follow: bool) -> int:
        """The mode that counts; 0 where a link leads to nothing."""
        if not follow or not _stat.S_ISLNK(self._mode):
            return self._mode
        try:
            return self.stat().st_mode
        except FileNotFoundError:
            return 0

    def is_symlink(self) -> bool:
        """Return True if the entry is a symbolic link."""
        return _stat.S_ISLNK(self._mode)

    def is_junction(self) -> bool:
        """Return True if the entry is a junction."""
        return False

    @seamless
    def stat(self, *, follow_symlinks: bool = True) -> "posix.stat_result":
        """Return stat_result object for the entry, which is kept."""
        follow = bool(follow_symlinks) and _stat.S_ISLNK(self._mode)
        if follow not in self._kept:
            self._kept[follow] = self._stat(follow)
        return self._kept[follow]

    def __fspath__(self) -> "str | bytes":
        return self.path  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __reduce__(self) -> "Any":
        raise TypeError("cannot pickle 'posix.DirEntry' object")

    def __class_getitem__(cls, item: "Any") -> "Any":
        import types

        return types.GenericAlias(cls, item)


def entry(
    name: "str | bytes", path: "str | bytes", mode: int, ino: int, stat: "Callable[[bool], Any]"
) -> DirEntry:
    """Make one; programs cannot."""
    made = object.__new__(DirEntry)
    made.name, made.path = name, path
    made._mode, made._ino, made._stat, made._kept = mode, ino, stat, {}
    return made


class ScandirIterator:
    """What `os.scandir` gives: to be used up, closed, or left by `with`."""

    __module__ = "posix"

    def __init__(self, entries: "list[DirEntry]") -> None:
        self._entries: Any = iter(entries)

    def __iter__(self) -> "ScandirIterator":
        return self

    def __next__(self) -> DirEntry:
        if self._entries is None:
            raise StopIteration
        try:
            return next(self._entries)  # type: ignore[no-any-return]
        except StopIteration:
            self._entries = None
            raise

    def close(self) -> None:
        self._entries = None

    def __enter__(self) -> "ScandirIterator":
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if self._entries is not None:
            import warnings

            warnings.warn(f"unclosed scandir iterator {self!r}", ResourceWarning, 2, source=self)
