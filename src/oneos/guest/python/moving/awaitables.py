"""Async generators, and what awaits one step of them: made again in the state that they were in."""

import gc

import oneos_moving as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .heap import Description, Heap

RAISED, RETURNED, YIELDED = range(3)


async def _sample() -> "Any":
    yield None


class _Next:
    def __init__(self, of: "Any") -> None:
        self.of = of

    def __anext__(self) -> "Any":
        return self.of


_awaited = _sample()
_one: "Any" = _awaited.asend(None)
ASEND = type(_one)
_one.close()
_one = _awaited.athrow(ValueError)
ATHROW = type(_one)
_one.close()
WRAPPED = type(native.wrapped(_sample()))
ANEXT = type(anext(_Next(_one), None))


# --- while capturing ----------------------------------------------------------------------------
def describe_asend(heap: "Heap", one: "Any") -> "Description":
    generator, value, state = native.awaitable_state(one)
    return "asend", (generator, value), 0, "fill_awaitable", state


def describe_athrow(heap: "Heap", one: "Any") -> "Description":
    generator, value, state = native.awaitable_state(one)
    return "athrow", (generator, value), 0, "fill_awaitable", state


def describe_wrapped(heap: "Heap", one: "Any") -> "Description":
    return "wrap", (unwrapped(one),), 0


def describe_anext(heap: "Heap", one: "Any") -> "Description":
    return "anext_or", tuple(gc.get_referents(one)), 0


def unwrapped(one: "Any") -> "Any":
    return gc.get_referents(one)[0]


def awaits(receiver: "Any", generator: "Any") -> bool:
    """Whether an object awaits a step of this async generator."""
    return type(receiver) in (ASEND, ATHROW) and native.awaitable_state(receiver)[0] is generator


BY_TYPE = {
    ASEND: describe_asend,
    ATHROW: describe_athrow,
    WRAPPED: describe_wrapped,
    ANEXT: describe_anext,
}


# --- where the program goes on ------------------------------------------------------------------
def asend(generator: "Any", value: "Any") -> "Any":
    quieten(generator)
    return generator.__anext__() if value is native.Nothing else generator.asend(value)


def athrow(generator: "Any", arguments: "Any") -> "Any":
    quieten(generator)
    return generator.aclose() if arguments is native.Nothing else generator.athrow(*arguments)


def quieten(generator: "Any") -> None:
    """No hook is to be told of it: what it has is put in place when it is filled."""
    native.set_generator_extra(generator, (native.Nothing, 1, 0, 0))


def fill_awaitable(one: "Any", state: int) -> None:
    native.set_awaitable_state(one, state)


async def wrapper(value: "Any") -> "Any":
    yield value


def wrap(value: "Any") -> "Any":
    one = wrapper(value)
    quieten(one)
    return native.wrapped(one)


def anext_or(of: "Any", default: "Any") -> "Any":
    return anext(_Next(of), default)


def step_ends(receiver: "Any", how: int, value: "Any") -> "tuple[bool, Any]":
    """What the awaiting object does with what its generator gives.

    Returns:
        Whether the wait is over, and with which value; else what is waited for.

    Raises:
        BaseException: what the wait ends with.
    """
    closes = type(receiver) is ATHROW and native.awaitable_state(receiver)[1] is native.Nothing
    if how == YIELDED and type(value) is not WRAPPED:
        return False, value
    if how == YIELDED:
        native.end_awaitable(receiver, False)
        if closes:
            raise RuntimeError("async generator ignored GeneratorExit")
        return True, unwrapped(value)
    ended = how == RETURNED or isinstance(value, StopAsyncIteration | GeneratorExit)
    native.end_awaitable(receiver, ended)
    if closes and ended:
        return True, None
    if how == RETURNED:
        raise StopAsyncIteration
    raise value


HELPERS: "dict[str, Any]" = {
    one.__name__: one for one in (asend, athrow, fill_awaitable, wrap, anext_or)
}
