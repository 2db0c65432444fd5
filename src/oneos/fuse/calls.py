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
_PR_SET_MM, _PR_SET_MM_MAP, _PR_GET_TID_ADDRESS = 35, 14, 40
_CLONE_PARENT, _CLONE_CHILD_SETTID, _CLONE_CHILD_CLEARTID = 0x8000, 0x1000000, 0x200000
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4

_TERMINALS = 136
"""The kernel's number of what is below /dev/pts: its device numbers, major."""

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


class _Nothing(_ctypes.CFuncPtr):
    _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
    _restype_ = None


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
_map = _function("mmap")
_copy = _function("memcpy")


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


def copy(number: int) -> "tuple[int, int]":
    """A fork of this interpreter that goes on as one, as a child of this process's parent.

    Args, returns, raises: as `fork`.
    """
    tid, pidfd, own = _Int(number), _Int(-1), _Long(0)
    # Where the C library has this thread's number, which is another in the child.
    _prctl(_PR_GET_TID_ADDRESS, _ctypes.addressof(own), 0, 0, 0)
    flags = CLONE_PIDFD | _CLONE_PARENT | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
    fields = [flags, _ctypes.addressof(pidfd), own.value, 0, 0, 0, 0, 0]
    fields += [_ctypes.addressof(tid), 1, 0] if number else [0, 0, 0]
    arguments = b"".join(field.to_bytes(8, sys.byteorder) for field in fields)
    _interpreter("PyOS_BeforeFork")()
    code = 0
    try:
        pid = system_call(_CLONE3, arguments, len(arguments))
    except OSError as error:
        pid, code = -1, error.errno or 1
    _interpreter("PyOS_AfterFork_Child" if pid == 0 else "PyOS_AfterFork_Parent")()
    if pid < 0:
        raise OSError(code, posix.strerror(code))
    return pid, pidfd.value if pid else -1


def _interpreter(name: str) -> "Callable[..., Any]":
    function: Callable[..., Any] = _Nothing(_ctypes.dlsym(_library, name))
    return function


class Title:
    """What /proc shows of this process's arguments and environment.

    Raises:
        OSError: the kernel does not let them be changed.
    """

    def __init__(self) -> None:
        fd = posix.open("/proc/self/stat", posix.O_RDONLY | posix.O_CLOEXEC)
        fields = posix.read(fd, 4096).rpartition(b") ")[2].split()
        posix.close(fd)
        at = {number: int(fields[number - 3]) for number in (26, 27, 28, 45, 46, 47, 48, 49)}
        # start_code end_code start_data end_data start_brk (brk) start_stack; proc_pid_stat(5).
        self._before = [at[26], at[27], at[45], at[46], at[47]]
        self._stack = at[28]
        self._set(at[48], at[49], int(fields[47]), int(fields[48]))

    def show(self, argv: "list[bytes]", environment: "list[bytes]") -> None:
        """Show these."""
        first = b"".join(piece + b"\0" for piece in argv)
        both = first + b"".join(piece + b"\0" for piece in environment)
        # Memory that nothing else uses, for as long as this process lives.
        start = _map(0, len(both), 1 | 2, 2 | 0x20, -1, 0)
        _copy(start, both, len(both))
        self._set(start, start + len(first), start + len(first), start + len(both))

    def _set(self, *addresses: int) -> None:
        record = [*self._before, _function("sbrk")(0), self._stack, *addresses, 0]
        raw = b"".join(field.to_bytes(8, sys.byteorder) for field in record)
        # No auxiliary vector, and the same executable.
        raw += (0).to_bytes(4, sys.byteorder) + b"\xff\xff\xff\xff"
        _prctl(_PR_SET_MM, _PR_SET_MM_MAP, raw, len(raw), 0)


def die_with_parent() -> None:
    """Be killed as soon as the parent ends."""
    _prctl(_PR_SET_PDEATHSIG, _signal.SIGKILL, 0, 0, 0)


def leave_no_core() -> None:
    """End without a picture of the memory, whatever ends this process."""
    _prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def execute(
    cwd: bytes, argv: "list[bytes]", environment: "dict[bytes, bytes]", ignored: bytes = b""
) -> "NoReturn":
    """Become a program, found as execvp(3) does; where that fails, say so on 2 and end.

    Args:
        ignored: signals that it begins with ignored: their numbers, with commas between.
    """
    # Python ignores these; a program is to begin as POSIX has it.
    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    for word in filter(None, ignored.split(b",")):
        _signal.signal(int(word), _signal.SIG_IGN)
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


def name_terminals(shown: bytes) -> None:
    """Open the standard descriptors that are terminals of the host again, where those are shown: a
    descriptor's name is that by which it was opened, ttyname(3)."""
    opened: dict[int, int] = {}
    for fd in range(3):
        try:
            found = posix.fstat(fd)
            if posix.major(found.st_rdev) != _TERMINALS:
                continue
            number = posix.minor(found.st_rdev)
            if number not in opened:
                flags = posix.O_RDWR | posix.O_NOCTTY | posix.O_CLOEXEC
                opened[number] = posix.open(b"%s/%d" % (shown, number), flags)
            now = posix.fstat(opened[number])
            if (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino):
                posix.dup2(opened[number], fd)
        except OSError:
            pass  # It has no name then.
    for fd in opened.values():
        posix.close(fd)


def default_signals() -> None:
    """Have every signal do what it does by default."""
    for number in _signal.valid_signals():
        try:
            _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL, SIGSTOP, and those of the C library.
