"""How a refusal becomes the exception that a program sees.

A program that fails in OneOS gets what plain Python gives: an `OSError` of the right subclass, with
the file name as the program wrote it, and a traceback in which nothing of this package appears.
Where the errno alone says it (a missing file), the text is the system's; where only OneOS can say
it (a host that is away), the text and the hint of the Runtime take its place.
"""

import errno
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

HERE = __file__.rpartition("/")[0] + "/"

# Of these the system's own text says everything, and programs compare it.
PLAIN = frozenset(
    getattr(errno, name)
    for name in [
        "ENOENT",
        "EEXIST",
        "ENOTDIR",
        "EISDIR",
        "ENOTEMPTY",
        "EACCES",
        "EINVAL",
        "EBADF",
        "ENAMETOOLONG",
        "EXDEV",
        "ELOOP",
        "EFBIG",
        "ESPIPE",
        "EROFS",
        "ESRCH",
        "EAGAIN",
        "EMFILE",
        "ENFILE",
        "ETXTBSY",
    ]
)

LATER = "comes with a later version of OneOS"


def os_error(number: int, *names: object, message: str = "", hint: str = "") -> OSError:
    """The exception for an errno.

    Args:
        number: the errno; it selects the subclass.
        names: the file name, or both of them, as the program gave them.
        message: what the Runtime said; used where the errno alone says too little.
        hint: what a person can do about it.
    """
    text = posix.strerror(number)
    if message.endswith(f": {text}"):
        # The name in front of it is the exception's own business.
        message = text
    if message and number not in PLAIN:
        text = f"{message} ({hint})" if hint else message
    if len(names) == 2:
        return OSError(number, text, names[0], None, names[1])
    return OSError(number, text, *names)


def later(what: str, *names: object) -> OSError:
    """The refusal of something that this version of OneOS leaves out."""
    number = errno.EPERM if not names else errno.ENOTSUP
    return os_error(number, *names, message=f"{what} {LATER}")


def strip() -> None:
    """Take this package's frames off the front of the traceback of the exception being handled.

    A bare `raise` right after this adds no frame of its own, so the program's traceback starts
    where the program's own code does.
    """
    error = sys.exception()
    if error is None or DEBUG:
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    error.__traceback__ = trace


def seamless(function: "Function") -> "Function":
    """Make a replacement fail as a C function does: without a frame in the traceback."""

    def call(*args: "Any", **kwargs: "Any") -> "Any":
        try:
            return function(*args, **kwargs)
        except BaseException:
            strip()
            raise

    call.__name__ = function.__name__
    call.__qualname__ = function.__name__
    call.__module__ = "posix"
    call.__doc__ = function.__doc__
    return call  # type: ignore[return-value]


DEBUG = b"ONEOS_GUEST_DEBUG" in posix.environ
