"""What C code does with the result of the Python code that it called, done here instead.

Called by the extension where a moved program goes on, once for each boundary (`boundary.py`), when
the inner frame has ended.
"""

import operator

import oneos_moving as native

from .boundary import lookup
from .depth import SINCE_12, SINCE_13, SINCE_14

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .frames import Record

RAISED, RETURNED, YIELDED = range(3)

OPERATIONS: "list[tuple[str, Callable[[Any, Any], Any]]]" = [
    ("+", operator.add),
    ("&", operator.and_),
    ("//", operator.floordiv),
    ("<<", operator.lshift),
    ("@", operator.matmul),
    ("*", operator.mul),
    ("%", operator.mod),
    ("|", operator.or_),
    ("**", operator.pow),
    (">>", operator.rshift),
    ("-", operator.sub),
    ("/", operator.truediv),
    ("^", operator.xor),
]
"""By the argument of BINARY_OP; those in place follow in the same order."""

REFLECTED = {
    "__lt__": "__gt__",
    "__gt__": "__lt__",
    "__le__": "__ge__",
    "__ge__": "__le__",
    "__eq__": "__eq__",
    "__ne__": "__ne__",
}
SIGNS = {"__lt__": "<", "__gt__": ">", "__le__": "<=", "__ge__": ">="}


def after(record: "Record", how: int, value: "Any") -> "tuple[int, tuple[Any, ...], int]":
    """Finish what the C code would have done.

    Args:
        how: whether the inner frame has raised `value`, returned it, or yielded it.

    Returns:
        How many operands go from the stack, what is pushed, and the position to go on at.

    Raises:
        BaseException: what the C code would have raised.
    """
    boundary: Any = record.boundary
    extra = boundary.extra
    if how == RAISED:
        if isinstance(value, StopIteration):
            if boundary.kind == "for iterator":
                return loop_ends(extra)
            if boundary.kind == "send iterator":
                return (0 if SINCE_12 else 1), (value.value,), extra
            if boundary.kind == "next iterator" and extra:
                return 0, (extra[0],), boundary.next
        if isinstance(value, AttributeError):
            if boundary.kind == "has attribute":
                return 0, (False,), boundary.next
            if boundary.kind == "attribute or":
                return 0, (extra[0],), boundary.next
        raise value
    work = WORK.get(boundary.kind)
    if work is not None:
        return 0, work(extra, value), boundary.next
    if boundary.kind == "inlined generator":
        return 0, (value,), boundary.next if how == YIELDED else extra
    if boundary.kind == "jump":
        target, when, keeps = extra
        jumps = truth(value) is when
        return int(keeps and not jumps), (), target if jumps else boundary.next
    if boundary.kind == "next generator":
        if how == YIELDED:
            return 0, (value,), boundary.next
        if extra:
            return 0, (extra[0],), boundary.next
        raise StopIteration(value) if value is not None else StopIteration
    if boundary.kind == "for generator":
        return (0, (value,), boundary.next) if how == YIELDED else loop_ends(extra)
    if boundary.kind == "send generator":
        if how == YIELDED:
            return 0, (value,), boundary.next
        return (0 if SINCE_12 else 1), (value,), extra  # From 3.12 END_SEND drops the receiver.
    raise SystemError(f"no work is known for {boundary.kind}")


def loop_ends(target: int) -> "tuple[int, tuple[Any, ...], int]":
    # There are END_FOR (3.12), END_FOR and POP_TOP (3.13), END_FOR and POP_ITER (3.14).
    if SINCE_14:
        return 0, (), target + 1
    return 1, (), target + (2 if SINCE_13 else 1 if SINCE_12 else 0)


def truth(value: "Any") -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):  # Of `__len__`.
        if value < 0:
            raise ValueError("__len__() should return >= 0")
        return value > 0
    raise TypeError(f"__bool__ should return bool, returned {type(value).__name__}")


def initialised(made: "Any", value: "Any") -> "tuple[Any, ...]":
    if value is not None:
        raise TypeError(f"__init__() should return None, not '{type(value).__name__}'")
    return (made,)


def created(extra: "Any", value: "Any") -> "tuple[Any, ...]":
    wanted, arguments = extra
    if isinstance(value, wanted):
        type(value).__init__(value, *arguments)
    return (value,)


def operated(extra: "Any", value: "Any") -> "tuple[Any, ...]":
    number, left, right, name = extra
    if value is not NotImplemented:
        return (value,)
    sign, plain = OPERATIONS[number % len(OPERATIONS)]
    in_place = number >= len(OPERATIONS)
    if in_place and name.startswith("__i"):
        return (plain(left, right),)
    reflected = lookup(type(right), "__r" + name[2:])
    if reflected is not None and type(left) is not type(right):
        value = reflected(right, left)
    if value is NotImplemented:
        kinds = f"'{type(left).__name__}' and '{type(right).__name__}'"
        text = f"unsupported operand type(s) for {sign}{'=' * in_place}: {kinds}"
        raise TypeError(text)
    return (value,)


def compared(extra: "Any", value: "Any") -> "tuple[Any, ...]":
    name, left, right, as_bool, reflect, inverted = extra
    if inverted and value is not NotImplemented:
        value = not truth(value)
    if value is NotImplemented and reflect:
        value = getattr(type(right), REFLECTED[name])(right, left)
    if value is NotImplemented:
        if name in SIGNS:
            kinds = f"'{type(left).__name__}' and '{type(right).__name__}'"
            raise TypeError(f"'{SIGNS[name]}' not supported between instances of {kinds}")
        value = (left is right) is (name == "__eq__")
    return (bool(value) if as_bool else value,)


WORK: "dict[str, Callable[[Any, Any], tuple[Any, ...]]]" = {
    "push": lambda _, value: (value,),
    "has attribute": lambda _, value: (True,),
    "attribute or": lambda _, value: (value,),
    "context": lambda _, value: (value,),
    "next iterator": lambda _, value: (value,),
    "for iterator": lambda _, value: (value,),
    "send iterator": lambda _, value: (value,),
    "push null": lambda _, value: (native.Nothing, value),
    "push self": lambda _, value: (value, native.Nothing),
    "drop": lambda _, value: (),
    "with": lambda leave, value: (leave, value),
    "contains": lambda inverted, value: (truth(bool(value)) is not bool(inverted),),
    "bool": lambda _, value: (truth(value),),
    "not": lambda _, value: (not truth(value),),
    "format": lambda how, value: (format(value, how),),
    "init": initialised,
    "new": created,
    "operation": operated,
    "compare": compared,
}
