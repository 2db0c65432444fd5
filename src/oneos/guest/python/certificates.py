"""`ssl` for certificates and keys that lie in the tree.

OpenSSL opens them by name, which the host would answer. So a file of the tree is read here, and
OpenSSL is given the name of a copy in memory, which is gone when the call has returned.
"""

import errno
import posix

from .failure import later, os_error, seamless
from .paths import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .paths import Paths

FILE_BYTES_MAX = 16 * 1024 * 1024
"""The bundle of all public authorities has 0.2 MB."""


def install(module: "Any", paths: "Paths") -> None:
    """Change `_ssl`, as it is loaded."""

    class _SSLContext(module._SSLContext):  # type: ignore[misc]
        __slots__ = ()
        __module__ = "_ssl"

        @seamless
        def load_cert_chain(self, certfile: "Any", keyfile: "Any" = None, *rest: "Any") -> None:
            load = super().load_cert_chain
            with Copy(paths, certfile) as first, Copy(paths, keyfile) as second:
                load(first, second, *rest)

        @seamless
        def load_verify_locations(
            self, cafile: "Any" = None, capath: "Any" = None, cadata: "Any" = None
        ) -> None:
            if capath is not None and paths.locate(capath):
                raise later("a directory of certificates in the tree", shown(capath))
            load = super().load_verify_locations
            with Copy(paths, cafile) as copy:
                load(copy, capath, cadata)

        @seamless
        def load_dh_params(self, path: "Any", /) -> None:
            load: Callable[[Any], None] = super().load_dh_params
            with Copy(paths, path) as copy:
                load(copy)

        @property
        def keylog_filename(self) -> "Any":
            return super().keylog_filename

        @keylog_filename.setter
        def keylog_filename(self, path: "Any") -> None:
            if path is not None and paths.locate(path):
                raise later("a log of keys in the tree", shown(path))
            module._SSLContext.__base__.keylog_filename.__set__(self, path)

    module._SSLContext = _SSLContext


class Copy:
    """The path to give to C code for a file: itself, or that of a copy of what the tree has.

    Args:
        paths: tells the tree's paths from the host's.
        path: as the program gave it; anything but a path of the tree is left to the C code.
    """

    def __init__(self, paths: "Paths", path: "Any") -> None:
        self.path = path
        self.fd = -1
        if path is None or not paths.locate(path):
            return
        with open(path, "rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise os_error(errno.EFBIG, shown(path))
        self.fd = posix.memfd_create("certificate", posix.MFD_CLOEXEC)
        rest = memoryview(content)
        while rest:
            rest = rest[posix.write(self.fd, rest) :]
        self.path = f"/proc/self/fd/{self.fd}"

    def __enter__(self) -> "Any":
        return self.path

    def __exit__(self, *_failure: object) -> None:
        if self.fd >= 0:
            posix.close(self.fd)
