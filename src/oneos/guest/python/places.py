"""Whose a path is that a call was given: the tree's or the host's; and what it is called in errors.

The common part of the calls that look at names and of those that change them. A descriptor in place
of a path, and `dir_fd`, work by the path under which the descriptor was opened.
"""

import errno

from .descriptors import number
from .failure import os_error
from .paths import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .descriptors import Descriptors
    from .paths import Paths


class Places:
    """Finds the place of a path.

    Args:
        channel: to the Runtime.
        paths: tells the tree's paths from the host's; keeps the current directory.
        descriptors: knows what a descriptor in place of a path stands for.
    """

    def __init__(self, channel: "Channel", paths: "Paths", descriptors: "Descriptors") -> None:
        self.channel = channel
        self.paths = paths
        self.descriptors = descriptors

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

    def _target(self, path: "Any", dir_fd: int | None) -> bytes | None:
        """What a change of attributes is about; a false value leaves it to the real function."""
        if isinstance(path, int):
            return self._of_descriptor(path)
        return self._write(path, dir_fd)

    def _open_file(self, path: "Any") -> int:
        """The Runtime's number of an open file, by whose descriptor it is named; else 0.

        A file's name may be another's by now, or nobody's. A directory has only its name.
        """
        handle = self.descriptors.table.get(path) if isinstance(path, int) else None
        return 0 if handle is None or handle.kind == "dir" else handle.h

    def _shown(self, path: "Any") -> "tuple[Any, ...]":
        return () if path is None or isinstance(path, int) else (shown(path),)


def owner(value: "Any", what: str) -> int:
    """The number of a user or group, -1 for no change, checked as the real functions do."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"{what} should be integer, not {type(value).__name__}")
    number: int = value.__index__()
    # C says so of what it cannot keep in its type, also where that is too much.
    if number < -1 or 1 << 32 <= number < 1 << 63:
        raise OverflowError(f"{what} is less than minimum")
    if number >= 1 << 32:
        raise OverflowError(f"{what} is greater than maximum")
    return number
