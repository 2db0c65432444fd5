"""What the kernel says of a thread that waits: whether it does, and for how long it still would.

All is read from /proc/self/task. Where a kernel does not tell, a wait is made again as it was.
"""

import _thread
import os
import sys
import time

import oneos_moving as native

from .reasons import NotSafe

WAITS = "S"
"""What the kernel says of a thread that waits, and is not about to run."""

NUMBERS = {
    "x86_64": {
        230: "nanosleep",
        232: "epoll",
        281: "epoll",
        7: "poll",
        271: "ppoll",
        23: "select",
        270: "pselect",
        0: "read",
    },
    "aarch64": {
        115: "nanosleep",
        22: "epoll",
        73: "ppoll",
        72: "pselect",
        63: "read",
    },
}.get(os.uname().machine, {})
"""The system calls in which Python waits, by their numbers."""

FUTEX = (202, 98)
"""Of x86-64 and AArch64. Under an emulator the kernel tells the other's number, and neither is that
of another call which has an address of the interpreter first."""

ABSOLUTE, COMMANDS, REALTIME = 9, 127, 256
"""FUTEX_WAIT_BITSET, the bits of a command, FUTEX_CLOCK_REALTIME."""

TIMESPEC_BYTES = 16


def must_sleep(ident: int, name: str) -> None:
    """Refuse a thread that the kernel is about to run.

    It may have got the lock that it waited for, and be waiting for the interpreter's: that was
    free until just now, so whoever waits for it would be running.
    """
    try:
        with open(f"/proc/self/task/{native.thread_number(ident)}/stat", "rb") as file:
            state = file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        raise NotSafe(f"{name} is running") from None
    if state != WAITS or waits_for_interpreter(ident):
        raise NotSafe(f"{name} is running")


def system_call(ident: int) -> "tuple[str, list[int]] | None":
    """The system call that a thread waits in, and its arguments; None: the kernel does not say.

    Raises:
        NotSafe: it runs.
    """
    try:
        with open(f"/proc/self/task/{native.thread_number(ident)}/syscall", "rb") as file:
            words = file.read().split()
    except OSError:
        return None
    if not words or words[0] == b"running":
        raise NotSafe("a thread is running")
    number = int(words[0])
    name = "futex" if number in FUTEX else NUMBERS.get(number, "")
    return name, [int(word, 16) for word in words[1:7]]


def waits_for_interpreter(ident: int) -> bool:
    """Whether what a thread waits for is the interpreter's lock, as one does that has what it
    wanted. Where the kernel does not tell, its state alone has to do."""
    try:
        found = system_call(ident)
    except NotSafe:
        return True
    if found is None or found[0] != "futex":
        return False
    start, end = native.own_memory()
    return bool(start <= found[1][0] < end)


def reads(ident: int, number: int) -> bool:
    """Whether a thread waits for data of this descriptor, and has none in hand."""
    found = system_call(ident)
    return found is not None and found[0] == "read" and found[1][0] == number


def left(ident: int) -> float | None:
    """For how many seconds a thread would still wait; None: for ever, or nobody knows.

    Some calls name the time of their end. For the others, which name how long they take, the
    kernel knows when the thread ran last.
    """
    found = system_call(ident)
    if found is None:
        return None
    name, arguments = found
    if name == "nanosleep":
        return until(arguments[2], time.CLOCK_MONOTONIC)
    if name == "futex":
        if arguments[1] & COMMANDS != ABSOLUTE or arguments[3] == 0:
            return None
        clock = time.CLOCK_REALTIME if arguments[1] & REALTIME else time.CLOCK_MONOTONIC
        return until(arguments[3], clock)
    whole: float | None = None
    if name in ("epoll", "poll"):
        milliseconds = arguments[3 if name == "epoll" else 2] & 0xFFFFFFFF
        whole = milliseconds / 1000 if milliseconds < 1 << 31 else None
    elif name in ("ppoll", "pselect", "select"):
        at = arguments[2 if name == "ppoll" else 4]
        whole = seconds(at, 1e6 if name == "select" else 1e9) if at else None
    since = waited(ident) if whole is not None else None
    return None if whole is None or since is None else max(0.0, whole - since)


def until(address: int, clock: int) -> float | None:
    at = seconds(address, 1e9)
    return None if at is None else max(0.0, at - time.clock_gettime(clock))


def seconds(address: int, parts: float) -> float | None:
    """A time in this process's memory, of whole seconds and parts of one."""
    try:
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            raw = memory.read(TIMESPEC_BYTES)
    except (OSError, ValueError):
        return None
    whole = int.from_bytes(raw[:8], sys.byteorder)
    return whole + int.from_bytes(raw[8:], sys.byteorder) / parts


def waited(ident: int) -> float | None:
    """How many seconds ago a thread ran last; this one runs now."""
    mine, other = ran(_thread.get_native_id()), ran(native.thread_number(ident))
    return None if mine is None or other is None else max(0.0, mine - other)


def ran(number: int) -> float | None:
    """When a thread ran last, by the clock of the scheduler."""
    try:
        with open(f"/proc/self/task/{number}/sched", "rb") as file:
            for line in file:
                if line.startswith(b"se.exec_start"):
                    return float(line.split()[-1]) / 1000
    except (OSError, ValueError):
        pass
    return None
