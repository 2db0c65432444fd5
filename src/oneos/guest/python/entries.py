"""Directory entries: `os.DirEntry` and the iterator of `os.scandir` for directories of the tree.

One request gives every name with its type, so walking a tree costs one request a directory;
`stat` of an entry, and where a symbolic link leads, is found out when the program wants it, and
kept, as the real ones do.
"""

import _stat
import posix

from .failure import seamless
from .paths import ENCODING, ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .looks import Listing, Looks

RealDirEntry = posix.DirEntry


class _DirEntryType(type):
    """Entries of the host's directories are instances too, though of the real class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return type.__instancecheck__(cls, instance) or isinstance(instance, RealDirEntry)


class DirEntry(metaclass=_DirEntryType):
    """One name of a directory of the tree, with the attributes of the real `os.DirEntry`."""

    __module__ = "posix"
    __slots__ = ("_at", "_directory", "_ino", "_kept", "_mode", "name", "path")
    _ino: int
    _mode: int
    _directory: "Directory"
    _at: int
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
            self._kept[follow] = self._directory.stat(self._at, follow, self.path)
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


class Directory:
    """The directory that entries were found in."""

    def __init__(self, looks: "Looks", where: bytes, listing: "Listing") -> None:
        self.looks = looks
        self.where = where
        self.listing = listing

    def stat(self, at: int, follow: bool, path: "str | bytes") -> "posix.stat_result":
        """Of the name in this place of the listing. Raises OSError, which names `path`."""
        found = self.looks.entry_stat(self.where, self.listing, at, follow)
        if found is not None:
            return found
        name = self.listing.names[at]
        base = self.where if self.where.endswith(b"/") else self.where + b"/"
        return self.looks.ask(base + name, follow, (path,))


def entries(
    looks: "Looks", where: bytes, listing: "Listing", prefix: "str | bytes"
) -> "Iterator[DirEntry]":
    """Make the entries of a listing; programs cannot.

    Args:
        looks: for their attributes.
        where: the directory, in the tree.
        prefix: of their paths, as the program is to see them; bytes if they are to be bytes.
    """
    directory = Directory(looks, where, listing)
    numbers, width = listing.numbers, listing.width
    make, text = object.__new__, isinstance(prefix, str)
    for at, raw in enumerate(listing.names):
        made = make(DirEntry)
        made.name = raw.decode(ENCODING, ERRORS) if text else raw
        made.path = prefix + made.name
        made._mode, made._ino = numbers[at * width], numbers[at * width + 1]
        made._directory, made._at, made._kept = directory, at, {}
        yield made


class ScandirIterator:
    """What `os.scandir` gives: to be used up, closed, or left by `with`."""

    __module__ = "posix"

    def __init__(self, entries: "Iterator[DirEntry]") -> None:
        self._entries: Any = entries

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
