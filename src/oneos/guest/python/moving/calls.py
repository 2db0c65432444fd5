"""Calls from Python to Python through a callable of C: which, and what it does with the result."""

import contextvars
import functools
import gc
import types

import oneos_moving as native

from . import futures
from .reasons import NotSafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .boundary import Site

CONVERSIONS = {
    id(one): one
    for one in (
        *(abs, ascii, bool, bytes, complex, dir, divmod, float, format, getattr, hash, int, iter),
        *(len, pow, repr, reversed, round, str),
    )
}
"""Built-ins that give back what a method of their argument returns."""

THROUGH = frozenset(
    f"__{name}__"
    for name in (
        *("str", "repr", "len", "iter", "int", "float", "bool", "abs", "round", "hash", "format"),
        *("index", "getattr", "getattribute", "get", "divmod", "pow", "reversed", "trunc"),
        *("bytes", "dir", "complex"),
    )
)
"""The methods that they call."""

OF_GENERATORS = {
    id(getattr(kind, name))
    for kind in (types.GeneratorType, types.CoroutineType)
    for name in ("send", "throw", "__next__")
    if hasattr(kind, name)
}
RUN = contextvars.Context.run
OPTIMIZED = 1
"""The flag of functions' code, which that of modules and of `exec` has not."""


def called(site: "Site", address: int, arguments: "list[int] | None", first: int) -> "Any":
    """What the callable at an address does with the result of the inner frame.

    Args:
        arguments: their addresses; None where they are in a tuple, as in `f(*a)`.
        first: the slot of the first one.

    Returns:
        The kind of boundary, and what it has to remember.

    Raises:
        NotSafe: that is not known.
    """
    inner, me = site.inner, site.me
    function, generator = inner.function, inner.generator
    given = arguments or []

    def argument(at: int) -> "Any":
        return site.native.slots(site.facts.frame, first + at + 1)[first + at]

    if function is not None and address == id(function):
        return "push", None
    if address in (id(exec), id(eval)) and not inner.code.co_flags & OPTIMIZED:
        return "push", None
    if address == id(next) and given:
        default = (argument(1),) if len(given) > 1 else ()
        if generator is not None and given[0] == id(generator):
            return "next generator", default
        if me is not None and given[0] == id(me) and found_in(type(me), "__next__") is function:
            return "next iterator", default
    if address in OF_GENERATORS and generator is not None and given[:1] == [id(generator)]:
        return "next generator", ()
    if function is not None and me is not None:
        known = through_object(site, address, given, argument)
        if known is not None:
            return known
    if address == id(RUN) and len(given) > 1:
        context = living(given[0])
        if isinstance(context, contextvars.Context):
            return in_context(site, context, argument(1))
    return through_living(site, living(address), given, argument)


def in_context(site: "Site", context: "Any", callable: "Any") -> "Any":
    """`Context.run` of a callable, which is checked: it may do more with the result."""
    task = futures.task_of(callable)
    if task is None:
        kind, _ = through_living(site, callable, [], None)
        if kind == "push":
            return "context", context
    elif site.inner.generator is native.task_state(task)[1]:
        return "task step", (context, task)
    raise NotSafe(f"a callback is running, which calls {site.inner.code.co_qualname}")


def through_object(site: "Site", address: int, given: "list[int]", argument: "Any") -> "Any":
    """The callable is a class or an object that the inner frame has as its first argument."""
    me, function, name = site.me, site.inner.function, site.name
    made = next((one for one in type(me).__mro__ if id(one) == address), None)
    plain = made is not None and found_in(type(made), "__call__") is type.__call__
    if plain and found_in(made, "__init__") is function:
        return "init", me
    if name in ("__getattr__", "__getattribute__") and given[:1] == [id(me)]:
        if address == id(hasattr):
            return "has attribute", None
        if address == id(getattr) and len(given) > 2:
            return "attribute or", (argument(2),)
    if address in CONVERSIONS and name in THROUGH and given[:1] == [id(me)]:
        return "push", None
    if address != id(me):
        return None
    if name == "__exit__":  # The call of a bound method keeps it in the callable's place.
        return "push", None
    if found_in(type(me), "__call__") is function:
        return "push", None
    if isinstance(me, type):
        new = found_in(me, "__new__")
        new = new.__func__ if isinstance(new, staticmethod) else new
        if new is function and found_in(type(me), "__call__") is type.__call__:
            return "new", (me, tuple(argument(at) for at in range(len(given))))
    return None


def through_living(site: "Site", callable: "Any", given: "list[int]", argument: "Any") -> "Any":
    """The callable is something else, which the collector knows to live."""
    function, generator = site.inner.function, site.inner.generator
    inner = callable
    if isinstance(callable, functools.partial):
        inner = callable.func
    elif isinstance(callable, functools._lru_cache_wrapper):
        inner = callable.__wrapped__
    while isinstance(inner, types.MethodType):
        inner = inner.__func__
    if inner is not None and inner is function:
        return "push", None
    if isinstance(inner, type) and inner is not callable:
        return called(site, id(inner), None, 0)
    if isinstance(callable, types.BuiltinFunctionType):
        of = callable.__self__
        if isinstance(of, contextvars.Context) and callable.__name__ == "run":
            if given:
                return in_context(site, of, argument(0))
            arguments = living(site.addresses[site.unpacked]) if site.unpacked >= 0 else None
            if isinstance(arguments, tuple) and arguments:
                return in_context(site, of, arguments[0])
        if generator is not None and of is generator:
            return "next generator", ()
    what = getattr(callable, "__qualname__", None) or type(callable).__qualname__
    if callable is None:
        what = "a C function"
    raise NotSafe(f"{what} is running, which calls {site.inner.code.co_qualname}")


def found_in(of: "Any", name: str) -> "Any":
    """What a class has under a name, as the interpreter looks it up."""
    for one in of.__mro__:
        if name in one.__dict__:
            return one.__dict__[name]
    return None


def living(address: int) -> "Any":
    """The object at an address, if the collector knows one there.

    The rest of the program stands, so what lives now does until the capture ends.
    """
    # Tracked objects, and built-in functions, which are reached from their modules.
    for one in gc.get_objects():
        if id(one) == address:
            return one
    return None
