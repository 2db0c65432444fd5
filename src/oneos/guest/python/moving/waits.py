"""Calls that wait in C code, and can be made again where the program goes on.

The coordinator does not interrupt a thread that waits, say, for a lock: it records the frame as
about to make the call. Only calls are taken that do nothing before they end, so that making one
again is the same as having gone on waiting. A sleep is made again for the time that is left of it.
"""

import _thread
import os
import sys
import time
import types

import oneos_moving as native

from .depth import SINCE_13, Instruction, Shape, shape_of
from .frames import Facts
from .reasons import NotSafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

LOCKS = (_thread.LockType, _thread.RLock)
ON_LOCKS = ("acquire", "acquire_lock", "__enter__")
ON_SELECTORS = ("poll", "select")
SLEEPING = "S"
"""What the kernel says of a thread that waits, and is not about to run."""

FUTEX = (202, 98)
"""Of x86-64 and AArch64. Under an emulator the kernel tells the other's number, and neither is that
of another call which has an address of the interpreter first."""

CLOCK_NANOSLEEP = {"x86_64": 230, "aarch64": 115}.get(os.uname().machine, -1)
TIMESPEC_BYTES = 16


class Wait:
    """A call to be made again."""

    __slots__ = ("again", "left_s", "slot")

    def __init__(self, again: int) -> None:
        self.again = again
        """The position of the call."""
        self.left_s: float | None = None
        """What is left of a sleep, to take the place of its argument."""
        self.slot = -1


def look_at_wait(frame: "FrameType", ident: int) -> Wait:
    """What a thread waits for in C code, if that can be begun again.

    Raises:
        NotSafe: it runs a C function that cannot; the reason names it.
    """
    facts = Facts(frame)
    shape = shape_of(facts.code)
    one = shape.instructions.get(facts.index)
    name = facts.code.co_qualname
    if one is None or facts.index not in shape.depths:
        raise NotSafe(f"{name} runs C code")
    # Before its operands are looked at: of a thread that runs, they may be gone already.
    must_sleep(ident, name)
    count = shape.locals + shape.depths[facts.index]
    if one.name == "BEFORE_WITH":
        manager = native.slots(frame, count)[-1]
        of = getattr(manager, "__self__", manager)
        if not isinstance(of, LOCKS):
            raise NotSafe(f"{name} enters a {type(of).__qualname__}")
        must_sleep(ident, name)
        return Wait(facts.index)
    if one.name == "FOR_ITER" and native.waits_for_line(native.slots(frame, count)[-1]):
        must_sleep(ident, name)
        return Wait(facts.index)
    if one.name not in ("PRECALL", "CALL"):
        raise NotSafe(f"{name} runs C code ({one.name})")
    callee, owner, first = operands(frame, shape, one, count)
    if not begins_again(callee, owner):
        what = getattr(callee, "__qualname__", None) or type(callee).__qualname__
        raise NotSafe(f"the C function {what} runs, which {name} called")
    must_sleep(ident, name)
    wait = Wait(before_call(shape, facts.index))
    if callee is time.sleep:
        wait.left_s, wait.slot = sleep_left(ident), first
    return wait


def operands(
    frame: "FrameType", shape: Shape, one: Instruction, count: int
) -> "tuple[Any, Any, int]":
    """The callable, the object that it is a method of, and the slot of the first argument.

    A call under way keeps all of them alive.
    """
    base = count - one.argument - 2
    first, second = native.slots(frame, count)[base : base + 2]
    if SINCE_13:
        return first, second, base + 2
    if first is not native.Nothing:
        return first, second, base + 2
    return second, native.Nothing, base + 2


def begins_again(callee: "Any", owner: "Any") -> bool:
    if callee is time.sleep:
        return True
    name = getattr(callee, "__name__", "")
    if isinstance(callee, types.MethodDescriptorType):
        of: Any = owner
    elif isinstance(callee, types.BuiltinFunctionType):
        of = callee.__self__
    else:
        return False
    if isinstance(of, types.ModuleType):
        return of.__name__ == "select" and name == "select"
    if isinstance(of, native.LineReader):
        return name == "readline" and bool(native.waits_for_line(of))
    if isinstance(of, LOCKS):
        return name in ON_LOCKS
    kind = type(of)
    if kind.__module__ == "_queue":
        return name == "get"
    return kind.__module__ == "select" and name in ON_SELECTORS


def before_call(shape: Shape, at: int) -> int:
    """The first of PRECALL, KW_NAMES and CALL, which make one call together."""
    while True:
        before = at - 1
        while before >= 0 and before not in shape.instructions:
            before -= 1
        if before < 0 or shape.instructions[before].name not in ("PRECALL", "KW_NAMES"):
            return at
        at = before


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
    if state != SLEEPING or waits_for_interpreter(ident):
        raise NotSafe(f"{name} is running")


def waits_for_interpreter(ident: int) -> bool:
    """Whether what a thread waits for is the interpreter's lock, as one does that has what it
    wanted. Where the kernel does not tell, its state alone has to do."""
    try:
        with open(f"/proc/self/task/{native.thread_number(ident)}/syscall", "rb") as file:
            words = file.read().split()
        if not words or words[0] == b"running":
            return True
        start, end = native.own_memory()
        return int(words[0]) in FUTEX and start <= int(words[1], 16) < end
    except (OSError, ValueError, IndexError):
        return False


def sleep_left(ident: int) -> float | None:
    """How long a thread still sleeps: the kernel says when it is to wake up.

    `time.sleep` waits for a time of the monotonic clock, which stands in the thread's own memory.
    Where the kernel does not tell, the whole sleep is made again.
    """
    try:
        with open(f"/proc/self/task/{native.thread_number(ident)}/syscall", "rb") as file:
            words = file.read().split()
        if not words or int(words[0]) != CLOCK_NANOSLEEP:
            return None
        with open("/proc/self/mem", "rb", buffering=0) as memory:
            memory.seek(int(words[3], 16))
            raw = memory.read(TIMESPEC_BYTES)
    except (OSError, ValueError, IndexError):
        return None
    seconds = int.from_bytes(raw[:8], sys.byteorder)
    wakes = seconds + int.from_bytes(raw[8:], sys.byteorder) / 1e9
    return max(0.0, wakes - time.clock_gettime(time.CLOCK_MONOTONIC))
