"""Built-ins of C that stand between two Python frames with work half done, as `sum(generator)`.

Those that are long under way keep what they have in a Work (`native/works.h`), which is read here;
what others have can be seen from their objects, since they keep nothing else: an iterator in the
middle of a step, or `list.extend`. `between` finds the one way in which the inner frame can have
been called through them. Where it goes on each is entered anew with what it had (`works.c`).
"""

import collections
import functools
import gc
import types

import oneos_moving as native

from .boundary import COMPARISONS, STEP_BACK, Boundary, Site, boundary_of, lookup
from .calls import called, living
from .kinds import KEY_WRAPPER
from .reasons import NotSafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .depth import Shape
    from .frames import Facts, Inner

    Work = tuple[Any, ...]
    Way = tuple[list[Work], Boundary]

SUM, ANY, ALL, EXTREME, REDUCE = range(5)
LIST, TUPLE, SET, FROZENSET, DICT, JOIN, JOIN_BYTES, EXTEND, UPDATE, FEED, CONTAINS = range(5, 16)
SORTED, SORT, MADE, REPLACE, MAP, FILTER, ZIP, UNTIL, STEP = range(16, 25)
BUSY, NEXT, CALL, COMPARE, ADD = range(5)
KIND, SELF, DOING, CALLEE, HELD, NUMBERS = range(6)
REPLACERS = ("sub", "subn")
ORDERS = {0: "__lt__", 4: "__gt__"}

HELD_COUNT = 7
WAYS_MAX = 64
"""Ways are looked for through so many iterators over iterators."""

Nothing = native.Nothing

FED = {
    id(one): one
    for one in (set.update, dict.update, collections.deque.extend, collections.deque.extendleft)
}
"""Methods that take one item after the other, and keep all they have in their object."""

COUNT: "Any" = getattr(collections, "_count_elements", None)


class Caller:
    """A built-in, as whoever called it sees it: in the place of `frames.Inner`."""

    generator = None

    def __init__(self, work: "Work", inner: "Inner") -> None:
        of = work[SELF]
        if work[KIND] == REDUCE:
            of = functools.reduce
        elif work[KIND] == REPLACE:
            of = getattr(type(work[HELD][0]), REPLACERS[work[NUMBERS][2]])
        steps = work[KIND] in (MAP, FILTER, ZIP, UNTIL, STEP)
        self.function = lookup(type(of), "__next__") if steps else of
        self._me = of if steps else None
        self.code = inner.code

    def argument(self, at: int) -> "Any":
        return self._me if at == 0 else None


def work(
    kind: int,
    of: "Any",
    doing: int,
    callee: "Any",
    held: "dict[int, Any]",
    phase: int = 0,
    flag: int = 0,
) -> "Work":
    all_held = tuple(held.get(at, Nothing) for at in range(HELD_COUNT))
    return kind, of, doing, callee, all_held, (phase, 0, flag, 0.0, 0.0)


def between(
    facts: "Facts", shape: "Shape", inner: "Inner", works: "list[Work]"
) -> "tuple[int, Boundary, list[Work], Boundary | None]":
    """What the C code does with the inner frame's result that a frame has called.

    Args:
        works: those that the extension knows of between the two frames.

    Returns:
        As `boundary_of`; the works to go on with, the outermost first; and what the innermost does
        with the frame's result.

    Raises:
        NotSafe: that is not known.
    """
    refused: NotSafe | None = None
    try:
        if not works:
            return (*boundary_of(facts, shape, inner, native), [], None)
        caller: Any = Caller(works[0], inner)
        keep, boundary = boundary_of(facts, shape, caller, native)
        return keep, boundary, *through(works, inner)
    except NotSafe as error:
        refused = error
    site = Site(facts, shape, inner, native)
    known = BY_NAME.get(site.at.name)
    if known is None:
        raise refused
    found = known(site)
    if found is None:
        raise refused
    keep, boundary, first, source = found
    way, link = only(resolve(source, NEXT, works, inner), inner)
    return keep, boundary, way if first is None else [first, *way], link


def through(works: "list[Work]", inner: "Inner") -> "Way":
    """As `between`, below a frame that was restored: its own part is known."""
    way, link = only(inside(works[0], works[1:], inner), inner)
    return [works[0], *way], link


# --- ways from a built-in to the inner frame ----------------------------------------------------
def only(ways: "Iterator[Way]", inner: "Inner") -> "Way":
    found = []
    for way in ways:
        found.append(way)
        if len(found) == 2:
            break
    if len(found) != 1:
        raise NotSafe(f"C code is running, which calls {inner.code.co_qualname}")
    return found[0]


def inside(first: "Work", rest: "list[Work]", inner: "Inner") -> "Iterator[Way]":
    if first[DOING] in (COMPARE, ADD):
        link = operation(first, inner) if not rest else None
        if link is not None:
            yield [], link
        return
    if first[KIND] == STEP and first[HELD][2] is not Nothing:
        yield from resolve(first[HELD][2], CALL, rest, inner)
    if first[DOING] != BUSY:
        yield from resolve(first[CALLEE], first[DOING], rest, inner)


def resolve(
    what: "Any", doing: int, works: "list[Work]", inner: "Inner", depth: int = 0
) -> "Iterator[Way]":
    """Each way in which asking an object for an item, or calling it, leads to the inner frame."""
    if depth > WAYS_MAX:
        return
    if works:
        first = works[0]
        stands = first[HELD][0] if first[KIND] == SORT else first[SELF]
        if stands is what:
            for way, link in inside(first, works[1:], inner):
                yield [first, *way], link
            return
    else:
        found = direct(what, doing, inner)
        if found is not None:
            yield [], found
            return
    if doing == NEXT:
        for step, onward, how in steps(what):
            for way, link in resolve(onward, how, works, inner, depth + 1):
                yield [step, *way], link


def steps(what: "Any") -> "Iterator[tuple[Work, Any, int]]":
    """What an iterator may be waiting for, with nothing in hand that is not in itself."""
    known = native.iterator(what)
    if known is None:
        return
    kind, number, function, sources = known
    if len({id(one) for one in sources}) < len(sources):
        return  # As in zip(*[iterator] * 2).
    first = sources[0] if sources else None
    if kind == MAP:
        if all(map(is_known, sources)):
            yield work(MAP, what, CALL, function, {}, -1), function, CALL
        yield work(MAP, what, NEXT, first, {}), first, NEXT
    elif kind in (FILTER, ZIP):
        yield work(kind, what, NEXT, first, {}), first, NEXT
    elif kind == UNTIL:
        yield work(UNTIL, what, CALL, function, {}), function, CALL
    elif first is not None:
        held = {1: first}
        if function is not None and is_known(first):
            yield work(STEP, what, CALL, function, held, 1, number), function, CALL
        yield work(STEP, what, NEXT, first, held, 0, number), first, NEXT


def is_known(iterator: "Any") -> bool:
    """Whether C code of an iterator calls nothing but what `steps` knows."""
    kind = type(iterator)
    if kind in PLAIN or native.iterator(iterator) is not None:
        return True
    return isinstance(lookup(kind, "__next__"), types.FunctionType)


_SAMPLES: "tuple[Any, ...]" = ([], (), range(0), range(1 << 70), "", "é", b"", bytearray(), set())
_TABLE: "dict[Any, Any]" = {}
_SAMPLES += (_TABLE, _TABLE.values(), _TABLE.items())
PLAIN = {type(iter(one)) for one in _SAMPLES} | {types.GeneratorType, type(reversed([]))}


def direct(what: "Any", doing: int, inner: "Inner") -> "Boundary | None":
    """What becomes of the inner frame's result, if it was called so by C."""
    me = inner.argument(0)
    if doing == NEXT:
        if inner.generator is not None:
            return Boundary("next generator", 0, ()) if inner.generator is what else None
        if me is what and me is not None and lookup(type(me), "__next__") is inner.function:
            return Boundary("next iterator", 0, ())
        return None
    if inner.generator is not None:
        return None
    try:
        kind, extra = called(Callee(inner), id(what), None, 0)  # type: ignore[arg-type]
    except NotSafe:
        return None
    return Boundary(kind, 0, extra) if kind in ("push", "init") else None


class Callee:
    """In the place of `boundary.Site`, where it is C code that has called."""

    native = native

    def __init__(self, inner: "Inner") -> None:
        self.inner = inner
        self.name = inner.function.__name__ if inner.function is not None else ""
        self.me, self.second = inner.argument(0), inner.argument(1)


def operation(first: "Work", inner: "Inner") -> "Boundary | None":
    """A comparison or an addition, of which the inner frame is the method."""
    left, held = first[CALLEE], first[HELD]
    me, function = inner.argument(0), inner.function
    name = getattr(function, "__name__", "")
    if first[DOING] == ADD:
        if name == "__radd__" and me is held[3]:
            return Boundary("push", 0)
        if name == "__add__" and me is left:
            return Boundary("operation", 0, (0, left, held[3], name))
        return None
    order = "__lt__" if first[KIND] == SORT else ORDERS.get(first[NUMBERS][2])
    right = inner.argument(1) if first[KIND] == SORT else held[3]
    if type(left) is KEY_WRAPPER:
        if any(one is function for one in gc.get_referents(left)):
            return Boundary("order", 0, order)
        return None
    if name not in COMPARISONS or right is None:
        return None
    if me is left and name == order:
        return Boundary("compare", 0, (name, left, right, True, True))
    if me is right and me is not left:
        return Boundary("compare", 0, (name, left, right, True, False))
    return None


# --- instructions and methods that ask an iterator for its items --------------------------------
def alive(site: Site, place: int) -> "Any":
    """An operand that the collector knows to live, counted from the top of the stack."""
    return living(site.addresses[site.below + site.depth - place])


def loop(site: Site) -> "Any":
    source = alive(site, 1)
    target = site.at.target - STEP_BACK
    return (*site.keep(0, "for iterator", target), None, source) if source is not None else None


def delegate(site: Site) -> "Any":
    source = alive(site, 2)
    target = site.at.target - STEP_BACK
    return (*site.keep(1, "send iterator", target), None, source) if source is not None else None


def extend_list(site: Site) -> "Any":
    """`[*iterator]`, `f(*iterator)`."""
    source, into = alive(site, 1), alive(site, site.at.argument + 1)
    if source is None or type(into) is not list:
        return None
    first = work(EXTEND, None, NEXT, source, {0: into, 1: source})
    return (*site.keep(1, "drop"), first, source)


def update_set(site: Site) -> "Any":
    """`{*iterator}`."""
    source, into = alive(site, 1), alive(site, site.at.argument + 1)
    if source is None or type(into) is not set:
        return None
    first = work(UPDATE, None, NEXT, source, {0: into, 1: source})
    return (*site.keep(1, "drop"), first, source)


def contains(site: Site) -> "Any":
    """`item in iterator`."""
    source = alive(site, 1)
    if source is None or lookup(type(source), "__contains__") is not None:
        return None
    # Whoever looks for it keeps it alive.
    first = work(CONTAINS, None, NEXT, source, {1: source, 2: site.operand(2)})
    return (*site.keep(2, "contains", site.at.argument & 1), first, source)


def call(site: Site) -> "Any":
    """next(iterator), list.extend(iterator), and their like."""
    base, function, first, end = site.place_of_call()
    addresses = site.addresses[first:end]
    callee = site.addresses[function]
    boundary = base, Boundary("push", site.next)
    if callee == id(next) and 1 <= len(addresses) <= 2:
        source = living(addresses[0])
        default = (site.slot(first + 1),) if len(addresses) == 2 else ()
        found = Boundary("next iterator", site.next, default)
        return (base, found, None, source) if source is not None else None
    if len(addresses) == 1:  # The call of a bound method.
        bound = living(callee)
        of = getattr(bound, "__self__", None)
        method = getattr(type(of), getattr(bound, "__name__", ""), None)
        addresses = [id(of), *addresses]
        callee = id(method)
    if len(addresses) != 2:
        return None
    into, source = living(addresses[0]), living(addresses[1])
    if into is None or source is None:
        return None
    if callee == id(list.extend):
        return (*boundary, work(EXTEND, None, NEXT, source, {0: into, 1: source}), source)
    method = COUNT if callee == id(COUNT) else FED.get(callee)
    if method is None:
        return None
    held = {0: into, 1: source, 2: method}
    return (*boundary, work(FEED, None, NEXT, source, held), source)


BY_NAME: "dict[str, Any]" = {
    "FOR_ITER": loop,
    "SEND": delegate,
    "LIST_EXTEND": extend_list,
    "SET_UPDATE": update_set,
    "CONTAINS_OP": contains,
    "PRECALL": call,
    "CALL": call,
}
