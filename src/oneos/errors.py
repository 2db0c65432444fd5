"""The one tree of errors.

Each carries an errno, so that a program sees a true `OSError`; a message that says what and where;
and a hint a person can act on. The class says who caused it: the caller (`UserError`), the rest of
the network (`NetworkError`), or a bug of ours (`InternalError`).
"""

import errno as _errno
import os


class OneOSError(Exception):
    """Anything OneOS refuses or fails to do.

    Args:
        message: what failed and where, one line, lower case, no full stop.
        errno: what a program that asked for it gets; see errno(3).
        hint: what to try, one line, or empty.
    """

    default_errno = _errno.EIO

    def __init__(self, message: str, *, errno: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.errno = self.default_errno if errno is None else errno
        self.hint = hint

    def lines(self) -> str:
        """The error as a person reads it: one line, and the hint indented under it."""
        return f"oneos: {self.message}" + (f"\n       {self.hint}" if self.hint else "")


class UserError(OneOSError):
    """The caller asked for something that cannot be: a wrong argument, a missing file."""

    default_errno = _errno.EINVAL


class ConfigError(UserError):
    """A configuration file is broken; the message names the file and the key or line."""


class NetworkError(OneOSError):
    """Another host is away, refused us, or broke off. Trying again later may work."""

    default_errno = _errno.EHOSTUNREACH


class AuthError(NetworkError):
    """The other end is not who it should be, or does not let us in."""

    default_errno = _errno.EACCES


class Fenced(OneOSError):
    """Somebody else wrote first or holds the lease now: what we knew is old.

    Read the log again and decide anew; never repeat the same write blindly.
    """

    default_errno = _errno.ESTALE


class Unknown(OneOSError):
    """A write timed out: it may or may not have happened. Read the log to learn which."""

    default_errno = _errno.EIO


class InternalError(OneOSError):
    """A bug of ours. The hint says where to report it."""


class FileError(OneOSError):
    """An operation on the tree failed as POSIX names it.

    Args:
        errno: the code; the message is `strerror` of it.
        path: the path it is about, for the message.
    """

    def __init__(self, errno: int, path: str | bytes = "", hint: str = "") -> None:
        if isinstance(path, bytes):
            path = path.decode("utf-8", "backslashreplace")
        text = os.strerror(errno)
        super().__init__(f"{path}: {text}" if path else text, errno=errno, hint=hint)
