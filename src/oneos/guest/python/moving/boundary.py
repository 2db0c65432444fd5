"""Where C code stands between two Python frames, and what it would do with the inner one's result.

The C code between is not saved: it is replaced. `boundary_of` recognises an instruction that
called Python through C whose remaining work is known, as in `len(x)` with a `__len__` of the
program's, and `after.py` does that work where the program goes on. Anything else is `NotSafe`.

The operands of an instruction under way may be dead already, since it may be releasing them and be
running a `__del__`. So their addresses are compared with objects that are known to live, namely
what the inner frame holds, before they are touched.
"""

import types

from .calls import called
from .depth import SINCE_12, SINCE_13, SINCE_14, Shape
from .reasons import NotSafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .frames import Facts, Inner

STEP_BACK = 0 if SINCE_13 else 1
"""Up to 3.12 a frame's position is that of the instruction before the next."""

COMPARISONS = ("__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__")
NOT_EQUAL = 3
"""In the order of the operators of COMPARE_OP."""

UNARY = ("__neg__", "__pos__", "__invert__")


class Boundary:
    """What remains to be done, and where the frame goes on."""

    __slots__ = ("extra", "kind", "next")

    def __init__(self, kind: str, next: int, extra: "Any" = None) -> None:
        self.kind, self.next, self.extra = kind, next, extra


class Site:
    """An instruction under way: its operands by address, and the frame that it called."""

    def __init__(self, facts: "Facts", shape: Shape, inner: "Inner", native: "Any") -> None:
        self.facts, self.inner, self.native = facts, inner, native
        self.at = shape.instructions[facts.index]
        self.depth = shape.depths[facts.index]
        self.below = shape.locals
        self.addresses = native.addresses(facts.frame, self.below + self.depth)
        self.next = self.at.next - STEP_BACK
        if self.at.name == "PRECALL":  # Its specialised forms do the call that follows.
            self.next = shape.instructions[self.at.next].next - 1
        self.name = inner.function.__name__ if inner.function is not None else ""
        self.me, self.second = inner.argument(0), inner.argument(1)

    def holds(self, place: int, known: "Any") -> bool:
        """Whether this object, which lives, is in a place of the stack, counted from its top."""
        return known is not None and self.addresses[self.below + self.depth - place] == id(known)

    def operand(self, place: int) -> "Any":
        at = self.below + self.depth - place
        return self.native.slots(self.facts.frame, at + 1)[at]

    def keep(self, popped: int, kind: str, extra: "Any" = None) -> "tuple[int, Boundary]":
        """Go on with so many operands gone from the stack."""
        return self.below + self.depth - popped, Boundary(kind, self.next, extra)


def boundary_of(
    facts: "Facts", shape: Shape, inner: "Inner", native: "Any"
) -> "tuple[int, Boundary]":
    """What the C code that this frame called will do with the inner frame's result.

    Returns:
        How many slots of the frame to keep, and the boundary.

    Raises:
        NotSafe: it is not known; the reason names the instruction and the function.
    """
    site = Site(facts, shape, inner, native)
    name = site.at.name
    if SINCE_14 and name == "BINARY_OP" and site.at.argument == 26:
        name = "BINARY_SUBSCR"
    known = BY_NAME.get(name)
    found = known(site) if known is not None else None
    if found is None:
        raise NotSafe(
            f"C code runs between {facts.code.co_qualname} ({name}) and {inner.code.co_qualname}"
        )
    return found


def lookup(of: type, name: str) -> "Any":
    """What a class has under a name, as the interpreter looks it up."""
    for one in of.__mro__:
        if name in one.__dict__:
            return one.__dict__[name]
    return None


def plain_function(value: "Any") -> "Any":
    while isinstance(value, (types.MethodType, staticmethod, classmethod)):
        value = value.__func__
    return value


# --- one function for each instruction ----------------------------------------------------------
def attribute(site: Site) -> "tuple[int, Boundary] | None":
    hooked = site.holds(1, site.me) and gets_attribute(site)
    got = site.name == "__get__" and site.holds(1, site.second)
    if not (hooked or got):
        return None
    if site.at.name == "LOAD_METHOD":
        return site.keep(1, "push null")
    if SINCE_12 and site.at.argument & 1:
        return site.keep(1, "push self" if SINCE_13 else "push null")
    return site.keep(1, "push")


def gets_attribute(site: Site) -> bool:
    kind = type(site.me)
    for name in ("__getattr__", "__getattribute__"):
        if plain_function(lookup(kind, name)) is site.inner.function:
            return True
    number = site.at.argument
    if SINCE_12 and site.at.name == "LOAD_ATTR":
        number >>= 1
    found = lookup(kind, site.facts.code.co_names[number])
    return isinstance(found, property) and found.fget is site.inner.function


def set_attribute(site: Site) -> "tuple[int, Boundary] | None":
    if site.name == "__set__" and site.holds(1, site.second):
        return site.keep(2, "drop")
    if not site.holds(1, site.me):
        return None
    found = lookup(type(site.me), site.facts.code.co_names[site.at.argument])
    by_property = isinstance(found, property) and found.fset is site.inner.function
    return site.keep(2, "drop") if by_property or site.name == "__setattr__" else None


def delete_attribute(site: Site) -> "tuple[int, Boundary] | None":
    if site.name == "__delete__" and site.holds(1, site.second):
        return site.keep(1, "drop")
    if not site.holds(1, site.me):
        return None
    found = lookup(type(site.me), site.facts.code.co_names[site.at.argument])
    by_property = isinstance(found, property) and found.fdel is site.inner.function
    return site.keep(1, "drop") if by_property or site.name == "__delattr__" else None


def method(
    name: str, place: int, popped: int, kind: str
) -> "Callable[[Site], tuple[int, Boundary] | None]":
    """An instruction whose C code only calls a method of an operand."""

    def known(site: Site) -> "tuple[int, Boundary] | None":
        fits = site.name == name and site.holds(place, site.me)
        return site.keep(popped, kind) if fits else None

    return known


def subscript(site: Site) -> "tuple[int, Boundary] | None":
    fits = site.name in ("__getitem__", "__missing__", "__class_getitem__")
    return site.keep(2, "push") if fits and site.holds(2, site.me) else None


def operation(site: Site) -> "tuple[int, Boundary] | None":
    if not site.name.startswith("__"):
        return None
    if site.name.startswith("__r") and site.name != "__round__" and site.holds(1, site.me):
        return site.keep(2, "push")
    if site.holds(2, site.me):
        extra = (site.at.argument, site.me, site.operand(1), site.name)
        return site.keep(2, "operation", extra)
    return None


def comparison(site: Site) -> "tuple[int, Boundary] | None":
    if site.name not in COMPARISONS:
        return None
    as_bool = SINCE_13 and bool(site.at.argument & 16)
    asked = site.at.argument >> (5 if SINCE_13 else 4 if SINCE_12 else 0)
    # A class without `__ne__` of its own is asked for `__eq__`.
    inverted = asked == NOT_EQUAL and site.name == "__eq__"
    name = "__ne__" if inverted else site.name
    if site.holds(2, site.me):
        extra = name, site.me, site.operand(1), as_bool, True, inverted
        return site.keep(2, "compare", extra)
    if site.holds(1, site.me):
        extra = name, site.operand(2), site.me, as_bool, False, inverted
        return site.keep(2, "compare", extra)
    return None


def contains(site: Site) -> "tuple[int, Boundary] | None":
    fits = site.name == "__contains__" and site.holds(1, site.me)
    return site.keep(2, "contains", site.at.argument & 1) if fits else None


def next_item(site: Site) -> "tuple[int, Boundary] | None":
    target = site.at.target - STEP_BACK
    if site.holds(1, site.inner.generator):
        return site.keep(0, "for generator", target)
    by_class = site.holds(1, site.me) and lookup(type(site.me), "__next__") is site.inner.function
    return site.keep(0, "for iterator", target) if by_class else None


def send(site: Site) -> "tuple[int, Boundary] | None":
    target = site.at.target - STEP_BACK
    if site.holds(2, site.inner.generator):
        return site.keep(1, "send generator", target)
    by_class = site.holds(2, site.me) and lookup(type(site.me), "__next__") is site.inner.function
    return site.keep(1, "send iterator", target) if by_class else None


def enter_with(site: Site) -> "tuple[int, Boundary] | None":
    if site.name != "__enter__":
        return None
    if not SINCE_12:  # `__exit__` has replaced the manager on the stack.
        return site.keep(0, "push")
    kind = type(site.me)
    if site.me is None or lookup(kind, "__enter__") is not site.inner.function:
        return None
    # `__exit__` is in a variable of C.
    return site.keep(1, "with", lookup(kind, "__exit__").__get__(site.me, kind))


def leave_with(site: Site) -> "tuple[int, Boundary] | None":
    return site.keep(0, "push") if site.name == "__exit__" else None


def unary(site: Site) -> "tuple[int, Boundary] | None":
    return site.keep(1, "push") if site.name in UNARY and site.holds(1, site.me) else None


def truth(kind: str) -> "Callable[[Site], tuple[int, Boundary] | None]":
    def known(site: Site) -> "tuple[int, Boundary] | None":
        fits = site.name in ("__bool__", "__len__") and site.holds(1, site.me)
        return site.keep(1, kind) if fits else None

    return known


def jump_if(site: Site) -> "tuple[int, Boundary] | None":
    """`if x:` with a `__bool__`, up to 3.12: the branch is taken by `after.py`."""
    if site.name not in ("__bool__", "__len__") or not site.holds(1, site.me):
        return None
    when = "TRUE" in site.at.name
    keeps = "OR_POP" in site.at.name
    return site.keep(0 if keeps else 1, "jump", (site.at.target - STEP_BACK, when, keeps))


def format_value(site: Site) -> "tuple[int, Boundary] | None":
    if site.name not in ("__format__", "__str__", "__repr__"):
        return None
    if site.at.name != "FORMAT_VALUE":
        return site.keep(1, "push") if site.holds(1, site.me) else None
    specified, conversion = bool(site.at.argument & 4), site.at.argument & 3
    if not site.holds(1 + specified, site.me):
        return None
    if not specified or (site.name == "__format__" and conversion == 0):
        return site.keep(1 + specified, "push")
    return site.keep(1 + specified, "format", site.operand(1)) if conversion else None


def build_class(site: Site) -> None:
    raise NotSafe(f"the class {site.inner.code.co_name} is being made")


def call(site: Site) -> "tuple[int, Boundary] | None":
    """A call: where the callable and its arguments are differs between the versions."""
    named = site.at.name == "CALL_KW"
    base = site.below + site.depth - site.at.argument - 2 - named
    if SINCE_13:
        function, first = base, base + (1 if site.addresses[base + 1] else 2)
    elif site.addresses[base]:
        function, first = base, base + 1
    else:
        function, first = base + 1, base + 2
    end = site.below + site.depth - named
    kind, extra = called(site, site.addresses[function], site.addresses[first:end], first)
    return base, Boundary(kind, site.next, extra)


def call_unpacked(site: Site) -> "tuple[int, Boundary] | None":
    """`f(*a, **k)`."""
    base = site.below + site.depth - (4 if SINCE_14 else 3 + (site.at.argument & 1))
    kind, extra = called(site, site.addresses[base if SINCE_13 else base + 1], None, 0)
    return base, Boundary(kind, site.next, extra)


BY_NAME: "dict[str, Callable[[Site], tuple[int, Boundary] | None]]" = {
    "LOAD_ATTR": attribute,
    "LOAD_METHOD": attribute,
    "STORE_ATTR": set_attribute,
    "DELETE_ATTR": delete_attribute,
    "STORE_SUBSCR": method("__setitem__", 2, 3, "drop"),
    "DELETE_SUBSCR": method("__delitem__", 2, 2, "drop"),
    "BINARY_SUBSCR": subscript,
    "BINARY_OP": operation,
    "COMPARE_OP": comparison,
    "CONTAINS_OP": contains,
    "FOR_ITER": next_item,
    "SEND": send,
    "GET_ITER": method("__iter__", 1, 1, "push"),
    "GET_AWAITABLE": method("__await__", 1, 1, "push"),
    "GET_AITER": method("__aiter__", 1, 1, "push"),
    "BEFORE_WITH": enter_with,
    "WITH_EXCEPT_START": leave_with,
    "UNARY_NEGATIVE": unary,
    "UNARY_POSITIVE": unary,
    "UNARY_INVERT": unary,
    "UNARY_NOT": truth("not"),
    "TO_BOOL": truth("bool"),
    "FORMAT_VALUE": format_value,
    "FORMAT_SIMPLE": format_value,
    "CONVERT_VALUE": format_value,
    "PRECALL": call,
    "CALL": call,
    "CALL_KW": call,
    "CALL_FUNCTION_EX": call_unpacked,
}
if not SINCE_13:
    from opcode import opname

    for _name in opname:
        if _name.startswith(("POP_JUMP_", "JUMP_IF_")) and "NONE" not in _name:
            BY_NAME[_name] = jump_if
