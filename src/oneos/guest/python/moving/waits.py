"""Calls that wait in C code, and can be made again where the program goes on.

The coordinator does not interrupt a thread that waits, say, for a lock: it records the frame as
about to make the call. Only calls are taken that do nothing before they end, so that making one
again is the same as having gone on waiting. It is made again for the time that is left of it.
"""

import _thread
import gc
import itertools
import sys
import time
import types

import oneos_moving as native

from .depth import SINCE_13, Instruction, Shape, shape_of
from .frames import Facts
from .reasons import NotSafe
from .sleeping import left, must_sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

LOCKS = (_thread.LockType, _thread.RLock)
HANDLES = (_thread._ThreadHandle,) if hasattr(_thread, "_ThreadHandle") else ()
ON_LOCKS = ("acquire", "acquire_lock", "__enter__")
ON_SELECTORS = ("poll", "select")
READERS = (native.LineReader, native.ByteReader)
LOOPS_STEP = "_run_once"
NO_TIME = (1 << 30, "")
"""No argument says how long to wait."""


class Wait:
    """A call to be made again."""

    __slots__ = ("again", "slot", "value")

    def __init__(self, again: int) -> None:
        self.again = again
        """The position of the call."""
        self.slot = -1
        """Of an argument that is another one now, as how long to wait; -1: of none."""
        self.value: Any = None


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
    slots = native.waiting_slots(frame, count, ident, facts.index)
    if slots is None:
        raise NotSafe(f"{name} is running")
    if one.name == "BEFORE_WITH":
        manager = slots[-1]
        of = getattr(manager, "__self__", manager)
        if not isinstance(of, LOCKS):
            raise NotSafe(f"{name} enters a {type(of).__qualname__}")
        must_sleep(ident, name)
        return Wait(facts.index)
    if one.name == "FOR_ITER" and waits_for_input(slots[-1]):
        must_sleep(ident, name)
        return Wait(facts.index)
    if one.name not in ("PRECALL", "CALL", "CALL_KW"):
        raise NotSafe(f"{name} runs C code ({one.name})")
    call = Call(frame, shape, one, slots)
    place = begins_again(call)
    if place is None:
        raise NotSafe(f"the C function {call.name} runs, which {name} called")
    must_sleep(ident, name)
    wait = Wait(call.begins)
    if call.callee is input and call.arguments:
        wait.slot, wait.value = call.first, ""  # It has prompted already.
        return wait
    slot = call.slot(place)
    if slot >= 0:
        remaining(wait, slot, call, frame, ident)
    return wait


class Call:
    """A call of C under way: its operands, which it keeps alive."""

    def __init__(
        self, frame: "FrameType", shape: Shape, one: Instruction, slots: "list[Any]"
    ) -> None:
        base = len(slots) - one.argument - 2 - (one.name == "CALL_KW")
        self.callee, self.owner = slots[base], slots[base + 1]
        if not SINCE_13 and self.callee is native.Nothing:
            self.callee, self.owner = self.owner, native.Nothing
        self.first = base + 2
        self.begins = before_call(shape, one.at)
        self.names: tuple[str, ...] = ()
        if one.name == "CALL_KW":
            self.names = slots[-1]
        elif shape.instructions[self.begins].name == "KW_NAMES":
            self.names = frame.f_code.co_consts[shape.instructions[self.begins].argument]
        self.arguments = slots[self.first : self.first + one.argument]
        called: Any = getattr(self.callee, "__qualname__", None)
        self.name = called or type(self.callee).__qualname__

    def slot(self, place: "tuple[int, str]") -> int:
        """Of an argument by its position or name; -1: it was not given."""
        by_position = len(self.arguments) - len(self.names)
        if place[0] < by_position:
            return self.first + place[0]
        if place[1] in self.names:
            return self.first + by_position + self.names.index(place[1])
        return -1


def remaining(wait: Wait, slot: int, call: Call, frame: "FrameType", ident: int) -> None:
    """Have the call made again for the time that is left of it."""
    whole = call.arguments[slot - call.first]
    if not isinstance(whole, int | float) or isinstance(whole, bool) or whole <= 0:
        return  # For ever, or not at all.
    back = frame.f_back
    of_loop = back is not None and back.f_code.co_name == LOOPS_STEP
    if of_loop and back.f_globals.get("__name__") == "asyncio.base_events":  # type: ignore[union-attr]
        # It looks again how long to wait, by the clock.
        wait.slot, wait.value = slot, 0
        return
    seconds = left(ident)
    if seconds is None:
        return
    wait.slot, wait.value = slot, seconds
    if type(call.owner).__name__ == "poll":
        wait.value = seconds * 1000


def begins_again(call: Call) -> "tuple[int, str] | None":
    """The place of the argument that says how long to wait; None: it cannot be begun again."""
    callee, owner = call.callee, call.owner
    if callee is time.sleep:
        return 0, ""
    name = getattr(callee, "__name__", "")
    if isinstance(callee, types.MethodDescriptorType):
        of: Any = owner
    elif isinstance(callee, types.BuiltinFunctionType):
        of = callee.__self__
    else:
        return None
    if callee is input:
        return NO_TIME if waits_for_input(sys.stdin) else None
    if callee is next:
        return NO_TIME if call.arguments and waits_for_input(call.arguments[0]) else None
    if isinstance(of, types.ModuleType):
        if native.waits_for_input(callee):
            return NO_TIME  # os.read
        return (3, "") if of.__name__ == "select" and name == "select" else None
    if isinstance(of, READERS):
        return NO_TIME if waits_for_input(of) else None
    if isinstance(of, LOCKS):
        return (1, "timeout") if name in ON_LOCKS else None
    if isinstance(of, HANDLES):
        return (0, "timeout") if name == "join" else None
    kind = type(of)
    if kind.__module__ == "_queue":
        return (1, "timeout") if name == "get" else None
    fits = kind.__module__ == "select" and name in ON_SELECTORS
    return (0, "timeout") if fits else None


def waits_for_input(one: "Any") -> bool:
    """Whether an object, or what gives its items, waits for input with nothing in hand."""
    while isinstance(one, THROUGH):
        of = gc.get_referents(one)
        of += [more for held in of if isinstance(held, tuple) for more in held]
        of = [held for held in of if hasattr(type(held), "__next__")]
        if len(of) != 1:
            return False  # Of a map of several, the ones before may have given something already.
        one = of[0]
    return bool(native.waits_for_input(one))


THROUGH = (map, filter, enumerate, itertools.islice, itertools.takewhile, itertools.dropwhile)


def before_call(shape: Shape, at: int) -> int:
    """The first of PRECALL, KW_NAMES and CALL, which make one call together."""
    while True:
        before = at - 1
        while before >= 0 and before not in shape.instructions:
            before -= 1
        if before < 0 or shape.instructions[before].name not in ("PRECALL", "KW_NAMES"):
            return at
        at = before
