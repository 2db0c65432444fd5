"""Which paths are the tree's and which the host's own, and the current directory.

The interpreter's installation, the system's libraries and this package are read from the host, and
never written; the host's own character devices (`/dev/null` and its kind) are the host's; all else
is the tree's. The kernel's current directory is never used: the program's is kept here, and every
relative path is made absolute before anybody sees it. Paths go to the Runtime as raw bytes.
"""

import errno
import posix
import sys

from .failure import HERE, os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Path = Any  # What a program may give: str, bytes or os.PathLike; and what it may not.

real_lstat = posix.lstat  # `posix` is replaced later.

HOST_DEVICES = frozenset(
    b"/dev/" + name for name in b"null zero full random urandom tty stdin stdout stderr fd".split()
)
SHELL = b"/bin/sh"
"""Whoever executes it gets OneOS's shell, whatever the tree has there; so it is always there."""

NOT_A_PATH = b""
"""What `locate` gives for what is no path at all (a wrong type, a NUL inside, nothing): the real
function is then called with it, and complains in its own words."""

BUFFERS_ARE_PATHS = sys.version_info < (3, 12)
ENCODING = sys.getfilesystemencoding()
ERRORS = sys.getfilesystemencodeerrors()


class Paths:
    """The program's view of names.

    Args:
        cwd: the current directory, absolute, in the tree.
        host: directories read from the host.
    """

    def __init__(self, cwd: bytes, host: "set[bytes]") -> None:
        self.cwd = cwd
        directories = host - {b"", b"/"}
        self.host = frozenset(directories | {SHELL})
        self.host_below = (*[directory + b"/" for directory in directories], b"/dev/fd/")

    def read_from_host(self, directory: bytes) -> None:
        """One directory more that is read from the host."""
        self.host |= {directory}
        self.host_below = (*self.host_below, directory + b"/")

    def locate(self, path: "Path", base: bytes | None = None) -> bytes | None:
        """Where `path` leads.

        Args:
            path: as the program gave it.
            base: the directory a relative path starts from; the current one if not given.

        Returns:
            An absolute path of the tree, not normalised; None for one of the host's; `NOT_A_PATH`.
        """
        raw = to_bytes(path)
        if not raw:
            return NOT_A_PATH
        if raw[0] != 0x2F:
            base = self.cwd if base is None else base
            raw = base + raw if base.endswith(b"/") else base + b"/" + raw
        plain = normal(raw) if b"/." in raw or b"//" in raw else raw
        if plain.startswith(self.host_below) or plain in self.host or plain in HOST_DEVICES:
            return None
        return raw

    def writable(self, path: "Path", base: bytes | None = None, *, making: bool = False) -> bytes:
        """As `locate`, for what changes names or content.

        Args:
            making: it is to make a new name, not to change one that is there.

        Raises:
            OSError: the path is the host's: EROFS, or what would be wrong with it in any case, for
                programs that make what may be there and remove what may not.
        """
        where = self.locate(path, base)
        if where is None:
            there = self.is_on_host(path)
            number = errno.EEXIST if making else errno.ENOENT
            raise os_error(number if there == making else errno.EROFS, shown(path))
        return where

    def is_on_host(self, path: "Path") -> bool:
        """Whether a path of the host exists."""
        try:
            real_lstat(self.native(path))
        except OSError:
            return False
        return True

    def native(self, path: "Path") -> "Any":
        """The path for a real function: absolute, for the kernel's directory means nothing here."""
        raw = to_bytes(path)
        if not raw or raw[0] == 0x2F:
            return path
        whole = normal(self.cwd + b"/" + raw)
        return to_str(whole) if isinstance(shown(path), str) else whole

    def is_host_device(self, path: "Path") -> bool:
        """Whether it is one of the host's devices that a program may also write to."""
        raw = to_bytes(path)
        if not raw:
            return False
        plain = normal(raw if raw[0] == 0x2F else self.cwd + b"/" + raw)
        return plain in HOST_DEVICES or plain.startswith(b"/dev/fd/")


def to_bytes(path: "Path") -> bytes:
    """The raw bytes of a path; empty for what is none."""
    if type(path) is not str:
        path = shown(path)
        if BUFFERS_ARE_PATHS and isinstance(path, (bytearray, memoryview)):
            warn_of_buffer(path)
            path = bytes(path)
        elif not isinstance(path, (str, bytes)):
            return b""
    if isinstance(path, str):
        try:
            path = path.encode(ENCODING, ERRORS)
        except UnicodeEncodeError:
            return b""
    return b"" if 0 in path else path


TAKE_MORE = {
    **dict.fromkeys(["listdir", "scandir"], "string, bytes, os.PathLike, integer or None"),
    **dict.fromkeys(
        ["stat", "chdir", "chmod", "chown", "utime", "truncate", "statvfs", "execve", "pathconf"],
        "string, bytes, os.PathLike or integer",
    ),
}
"""Functions that take more than paths, and what that is."""


def warn_of_buffer(path: "Path") -> None:
    """Warn as C does where a program gives a buffer for a path."""
    import warnings

    name, level = "", 1
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(HERE):
        function = frame.f_locals.get("function")
        name, level, frame = getattr(function, "__name__", ""), level + 1, frame.f_back
    takes = TAKE_MORE.get(name, "string, bytes or os.PathLike")
    text = f"{name}: path should be {takes}, not {type(path).__name__}"
    warnings.warn(text, DeprecationWarning, level)


def shown(path: "Path") -> "Any":
    """A path as an error names it: the program's string or bytes, taken out of a `PathLike`."""
    try:
        return posix.fspath(path)
    except TypeError:
        return path


def to_str(path: bytes) -> str:
    """A path of the tree as Python shows it."""
    return path.decode(ENCODING, ERRORS)


def normal(path: bytes) -> bytes:
    """An absolute path without `.`, `..` and doubled slashes, by its text: for telling whose it is.

    The Runtime gets the path as it was given, for `..` after a link is another directory.
    """
    names: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            del names[-1:]
        elif name and name != b".":
            names.append(name)
    return b"/" + b"/".join(names)


def host_directories() -> set[bytes]:
    """The directories that this interpreter is made of."""
    executable = (sys.executable or "").rpartition("/")[0]
    found = {
        sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix,
        "/usr", "/lib", "/lib32", "/lib64", "/libx32", HERE.rstrip("/"),
    }  # fmt: skip
    environment = executable.rpartition("/")[0]
    try:
        # `site` has not run yet: in a virtual environment sys.prefix still names the base.
        posix.stat(environment + "/pyvenv.cfg")
        found.add(environment)
    except OSError:
        pass
    return {path.encode(ENCODING, ERRORS) for path in found}
