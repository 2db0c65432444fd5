"""Extended attributes: `os.getxattr`, `listxattr`, `setxattr` and `removexattr`.

Each method has the name, the arguments and the errors of the function of `posix` that it replaces.
Those of the tree are its File System's, by name or by open file; those of the host can be read.
"""

import errno
import sys
from _operator import index

from .descriptors import number, real
from .failure import os_error, seamless
from .paths import NOT_A_PATH, shown, to_bytes, to_str
from .places import Places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Xattrs(Places):
    """The extended attributes of what is in the tree."""

    @seamless
    def getxattr(self, path: "Any", attribute: "Any", *, follow_symlinks: bool = True) -> bytes:
        where, native = self._named(path)
        if where is None:
            return real["getxattr"](native, attribute, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        name = attribute_name(attribute, "getxattr")
        sys.audit("os.getxattr", path, attribute)
        follow = bool(follow_symlinks)
        return self.channel.call("getxattr", where, name, follow, names=(shown(path),))  # type: ignore[no-any-return]

    @seamless
    def listxattr(self, path: "Any" = None, *, follow_symlinks: bool = True) -> list[str]:
        where, native = self._named("." if path is None else path)
        if where is None:
            return real["listxattr"](native, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        sys.audit("os.listxattr", path)
        names = () if path is None else (shown(path),)
        found = self.channel.call("listxattr", where, bool(follow_symlinks), names=names)
        return [to_str(name) for name in found]

    @seamless
    def setxattr(
        self,
        path: "Any",
        attribute: "Any",
        value: "Any",
        flags: int = 0,
        *,
        follow_symlinks: bool = True,
    ) -> None:
        where = self._changed(path)
        if where is None:
            return real["setxattr"](path, attribute, value, flags, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        name, bits = attribute_name(attribute, "setxattr", b""), index(flags)
        try:
            data = bytes(memoryview(value))
        except TypeError:
            # For the words of the real function, which finds nothing to set.
            real["setxattr"](b"", b"", value)
            raise
        sys.audit("os.setxattr", path, attribute, value, flags)
        follow = bool(follow_symlinks)
        self.channel.call("setxattr", where, name, data, bits, follow, names=(shown(path),))
        return None

    @seamless
    def removexattr(self, path: "Any", attribute: "Any", *, follow_symlinks: bool = True) -> None:
        where = self._changed(path)
        if where is None:
            return real["removexattr"](path, attribute, follow_symlinks=follow_symlinks)  # type: ignore[no-any-return]
        name = attribute_name(attribute, "removexattr")
        sys.audit("os.removexattr", path, attribute)
        follow = bool(follow_symlinks)
        self.channel.call("removexattr", where, name, follow, names=(shown(path),))
        return None

    def _named(self, path: "Any") -> "tuple[bytes | int | None, Any]":
        """What the Runtime is asked about: a path or a handle; else what a real function is."""
        if isinstance(path, int):
            return self._opened(path), path
        where, native, _ = self._read(path)
        return where, native

    def _changed(self, path: "Any") -> "bytes | int | None":
        """As `_named`, for a change; what is the host's is refused, and what is no path None."""
        if isinstance(path, int):
            handle = self._opened(path)
            if handle is None:
                real["listxattr"](path)  # For its errors: it may be open nowhere.
                raise os_error(errno.ENOTSUP, path)
            return handle
        where = self._write(path)
        return None if where == NOT_A_PATH else where

    def _opened(self, fd: int) -> "bytes | int | None":
        """By handle a file has its attributes after its last name; a directory has no handle."""
        handle = self.descriptors.table.get(number(fd))
        return None if handle is None else handle.h or handle.path


def attribute_name(attribute: "Any", function: str, *more: object) -> bytes:
    """The bytes of an attribute's name, whose length the File System judges.

    Args:
        function: the real one, which words what is wrong with a thing that is no name; it is given
            nothing to read or change.
        more: what else that takes.
    """
    name = to_bytes(attribute)
    if not name and shown(attribute) not in ("", b""):
        real[function](b"", attribute, *more)
    return name
