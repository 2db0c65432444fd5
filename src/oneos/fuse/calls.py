"""Making a process with a number of one's choice, and what a process becomes before it executes.

For the two small programs that start others in a name space (`first.py`, `enter.py`). They run in a
bare interpreter, which has this directory and the standard library alone, and one of them for each
program: so only what is built into the interpreter is imported, and of `ctypes` the part in C.
"""

import _ctypes
import errno
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import Any, NoReturn
else:
    import _signal

CLONE_PIDFD = 0x1000
_CLONE3 = 435
"""The same on every kind of machine: it came after the kernel's tables had been made one."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4

NOT_FOUND, NOT_STARTED = 127, 126
"""Statuses of a program that could not be executed, as sh has them."""


class _Long(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "l"


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Call(_ctypes.CFuncPtr):
    # It keeps the interpreter's lock, which the child of a raw call could not take again.
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI | _ctypes.FUNCFLAG_USE_ERRNO
    _restype_ = _Long


_library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]


def _function(name: str) -> "Callable[..., int]":
    """A function of the C library. Raises OSError with its errno."""
    call: Any = _Call(_ctypes.dlsym(_library, name))

    def checked(*arguments: "Any") -> int:
        result: int = call(*(_Long(x) if isinstance(x, int) else x for x in arguments))
        # Those that return int leave the upper half as it comes.
        if result & 0xFFFFFFFF == 0xFFFFFFFF:
            code = _ctypes.get_errno()
            raise OSError(code, posix.strerror(code))
        return result

    return checked


system_call = _function("syscall")
_setns = _function("setns")
_prctl = _function("prctl")


def setns(fd: int) -> None:
    """Enter a name space; one of PIDs is for children only."""
    _setns(fd, 0)


def mount_proc(target: bytes) -> None:
    """Mount the /proc of this process's PIDs."""
    _function("mount")(b"proc", target, b"proc", 2 | 4 | 8, None)  # nosuid, nodev, noexec


def fork(number: int) -> "tuple[int, int]":
    """fork(2), in the name space for children.

    Args:
        number: the child's; 0: what the kernel gives.

    Returns:
        The child's number and a pidfd of it; 0 and -1 in the child.
    """
    tid, pidfd = _Int(number), _Int(-1)
    fields = [CLONE_PIDFD, _ctypes.addressof(pidfd), 0, 0, _signal.SIGCHLD, 0, 0, 0]
    fields += [_ctypes.addressof(tid), 1, 0] if number else [0, 0, 0]
    arguments = b"".join(field.to_bytes(8, sys.byteorder) for field in fields)
    pid = system_call(_CLONE3, arguments, len(arguments))
    return pid, pidfd.value if pid else -1


def die_with_parent() -> None:
    """Be killed as soon as the parent ends."""
    _prctl(_PR_SET_PDEATHSIG, _signal.SIGKILL, 0, 0, 0)


def leave_no_core() -> None:
    """End without a picture of the memory, whatever ends this process."""
    _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def execute(cwd: bytes, argv: "list[bytes]", environment: "dict[bytes, bytes]") -> "NoReturn":
    """Become a program, found as execvp(3) does; where that fails, say so on 2 and end."""
    # Python ignores these; a program is to begin as POSIX has it.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    try:
        # What this process may do in a name space of its own is not the program's.
        _prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    except OSError:
        pass
    status, failure = NOT_FOUND, errno.ENOENT
    shown = cwd
    try:
        posix.chdir(cwd)
        shown = argv[0]
        for path in _candidates(argv[0], environment):
            try:
                posix.execve(path, argv, environment)
            except OSError as error:
                if error.errno == errno.ENOEXEC:
                    posix.execve(b"/bin/sh", [b"sh", path, *argv[1:]], environment)
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    status, failure = NOT_STARTED, error.errno or errno.EIO
    except OSError as error:
        status, failure = NOT_STARTED, error.errno or errno.EIO
    try:
        posix.write(2, b"oneos: " + shown + b": " + posix.strerror(failure).encode() + b"\n")
    except OSError:
        pass
    posix._exit(status)


def _candidates(name: bytes, environment: "dict[bytes, bytes]") -> "list[bytes]":
    if b"/" in name:
        return [name]
    directories = environment.get(b"PATH", b"/bin:/usr/bin").split(b":")
    return [(directory or b".") + b"/" + name for directory in directories]


def ignore(numbers: bytes) -> None:
    """Ignore signals: their numbers, with commas between."""
    for number in filter(None, numbers.split(b",")):
        _signal.signal(int(number), _signal.SIG_IGN)


def default_signals() -> None:
    """Have every signal do what it does by default."""
    for number in _signal.valid_signals():
        try:
            _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL, SIGSTOP, and those of the C library.
