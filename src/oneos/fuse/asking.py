"""Has the kernel ask before a program signals a number that another host's kernel may have given.

A filter (seccomp(2)), which all inherit that a program starts: `kill` of a process of this host's
block, of one's own group and of all goes to the kernel at once, like every other system call. What
else `kill` names is a number of the log, whose program may run anywhere, or of another host's
block: there the caller waits until whoever has the listening descriptor has answered. The filter
sees the number alone; it is no security boundary and hides nothing.

It takes no `no_new_privs`, so programs with other rights (set-user-ID) run as ever; so whoever
installs it needs CAP_SYS_ADMIN in its user name space.
"""

import _ctypes
import _socket
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oneos.fuse import calls
else:
    import calls

_MACHINES = {
    "x86_64": (0xC000003E, 62, 317),
    "aarch64": (0xC00000B7, 129, 277),
    "riscv64": (0xC00000F3, 129, 277),
    "armv7l": (0x40000028, 37, 383),
}
"""The kernel's name for a machine's system calls (AUDIT_ARCH_*), and the numbers there of kill(2)
and seccomp(2). A call by another table, as of 32-bit programs on x86-64, is not looked at."""

_SET_MODE_FILTER = 1
_SPEC_ALLOW, _NEW_LISTENER, _WAIT_KILLABLE = 4, 8, 32
"""Flags of seccomp(2): slow nothing down against what processors guess; return the descriptor that
is asked; and let no signal but a fatal one end a wait that has been taken up (Linux 5.19), since
the signal that is to be sent may be on its way."""

_LOAD, _NEGATE, _RETURN = 0x20, 0x84, 0x06
_EQUAL, _AT_LEAST = 0x15, 0x35
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16
"""Where struct seccomp_data has them."""

_NEGATIVE = 1 << 31
_PIDS_END = 1 << 22
"""No kernel knows a number from here on (PID_MAX_LIMIT)."""


GREETING = b"\x1a\0\0\0\x92\xa5hello\x82\xa6client\xc3\xa8listener\xc3"
"""A request of docs/guest-protocol.md: `["hello", {"client": true, "listener": true}]`."""


def program(machine: str, first: int, size: int) -> bytes:
    """The filter's instructions.

    Args:
        machine: as uname(2) has it.
        first, size: this host's block of numbers.

    Raises:
        KeyError: nobody knows that machine's system calls.
    """
    arch, kill, _ = _MACHINES[machine]
    # Code, how many to skip if it is so and if not, operand. The last two are the answers.
    lines = [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 0, 9, arch),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 0, 7, kill),
        (_LOAD, 0, 0, _FIRST_ARGUMENT + 4 * (sys.byteorder == "big")),
        (_AT_LEAST, 0, 1, _NEGATIVE),
        (_NEGATE, 0, 0, 0),
        (_AT_LEAST, 0, 3, 2),
        (_AT_LEAST, 2, 0, _PIDS_END),
        (_AT_LEAST, 0, 2, first),
        (_AT_LEAST, 1, 0, first + size),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ASK),
    ]
    return b"".join(
        code.to_bytes(2, sys.byteorder) + bytes((yes, no)) + operand.to_bytes(4, sys.byteorder)
        for code, yes, no, operand in lines
    )


def install(first: int, size: int) -> int:
    """Install the filter in this process, which must have one thread.

    Returns:
        The listening descriptor, which no program inherits; see seccomp_unotify(2).

    Raises:
        OSError: the kernel refuses (EBUSY: somebody listens to this process already).
    """
    machine = posix.uname().machine
    if machine not in _MACHINES:
        raise OSError(0, f"the system calls of {machine} are not known")
    lines = program(machine, first, size)
    kept = _buffer(lines)
    # struct sock_fprog: how many instructions, and where.
    word = 8 if sys.maxsize > 1 << 32 else 4
    count, where = len(lines) // 8, _ctypes.addressof(kept)
    what = _buffer(count.to_bytes(word, sys.byteorder) + where.to_bytes(word, sys.byteorder))
    seccomp, flags = _MACHINES[machine][2], _SPEC_ALLOW | _NEW_LISTENER
    try:
        return calls.system_call(seccomp, _SET_MODE_FILTER, flags | _WAIT_KILLABLE, what)
    except OSError as error:
        if error.errno != 22:
            raise
        return calls.system_call(seccomp, _SET_MODE_FILTER, flags, what)


def offer(first: int, size: int, runtime: "_socket.socket") -> None:
    """Install the filter, and have the first process of the name space answer what it asks.

    Args:
        first, size: this host's block of numbers.
        runtime: a connection to the Runtime's socket, which has the descriptor handed on.
    """
    try:
        fd = install(first, size)
    except OSError:
        return  # The Runtime's log says why, of the first process itself.
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))
    try:
        # In one piece, and the socket is empty: it does not wait, nor for an answer.
        runtime.sendmsg([GREETING], [rights])
    except OSError:
        pass  # The Runtime ends, and with it all that runs here.
    posix.close(fd)


def _buffer(data: bytes) -> "Any":
    kind = type("Bytes", (_ctypes.Array,), {"_type_": _Byte, "_length_": len(data)})
    return kind.from_buffer_copy(data)  # type: ignore[attr-defined]


class _Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "B"
