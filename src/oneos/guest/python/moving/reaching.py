"""By which names of the program an object is reached that cannot move.

Looked for only once a move was refused, breadth first from the variables of the program's modules
and of its functions under way, so that the way found is a shortest one.
"""

import _thread
import gc
import sys
import types
from collections import deque

import oneos_moving as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from .owning import Owning
    from .stopping import Stopped

OBJECTS_MAX = 200_000
"""The program stands meanwhile: this many take a quarter of a second."""

TEXT_MAX = 60
ENDS = (str, int, float, bytes, bytearray, complex, type(None), types.CodeType)


def way_to(wanted: "Callable[[Any], bool]", owning: "Owning", stopped: "Iterable[Stopped]") -> str:
    """A name for an object, as the program would write it; empty if none was found.

    Args:
        wanted: whether an object is the one.
        stopped: the program's threads.
    """
    names: deque[tuple[Any, str, str]] = deque()
    seen: set[int] = set()
    for module in owning.modules.values():
        for name, value in list(module.__dict__.items()):
            names.append((value, f"{module.__name__}.{name}", ""))
    for one in stopped:
        names.extend(locals_of(one.frame))
    kept = []  # What is made here is not to give its number to something else.
    while names and len(seen) < OBJECTS_MAX:
        value, name, where = names.popleft()
        if id(value) in seen or type(value) in ENDS:
            continue
        if wanted(value):
            return name + where
        seen.add(id(value))
        kept.append(value)
        if not issubclass(type(value), types.ModuleType):
            names.extend(inside(value, name, where))
    return ""


def locals_of(frame: "types.FrameType | None") -> "Iterator[tuple[Any, str, str]]":
    while frame is not None:
        code = frame.f_code
        if code.co_name != "<module>" and code.co_flags & OPTIMIZED:
            where = f", a local variable of {code.co_qualname} in line {frame.f_lineno}"
            for name, value in list(frame.f_locals.items()):
                yield value, name, where
        frame = frame.f_back


OPTIMIZED = 1
"""Of code whose variables are in slots: a function's."""


def inside(value: "Any", name: str, where: str) -> "Iterator[tuple[Any, str, str]]":
    """What an object refers to, under names that begin with its own."""
    kind = type(value)
    if kind is dict:
        for key, item in list(value.items()):
            yield item, f"{name}[{short(key)}]", where
            yield key, f"a key of {name}", where
        return
    if kind in (list, tuple):
        for at, item in enumerate(value):
            yield item, f"{name}[{at}]", where
        return
    if kind is types.FunctionType:
        cells = value.__closure__ or ()
        for variable, cell in zip(value.__code__.co_freevars, cells, strict=False):
            try:
                yield cell.cell_contents, variable, f", a variable of {name}{where}"
            except ValueError:
                pass
        for default in value.__defaults__ or ():
            yield default, f"a default of {name}", where
        return
    frame = getattr(value, "gi_frame", None) if kind is types.GeneratorType else None
    if kind is types.CoroutineType:
        frame = value.cr_frame
    for variable, item in list(frame.f_locals.items()) if frame is not None else ():
        yield item, variable, f", a local variable of {name}{where}"
    named = set()
    for attribute, item in attributes(value):
        named.add(id(item))
        yield item, f"{name}.{attribute}", where
    for item in gc.get_referents(value):
        if id(item) not in named and item is not kind and kind is not type:
            yield item, name if name.startswith(WITHIN) else WITHIN + name, where


WITHIN = "something in "


def attributes(value: "Any") -> "Iterator[tuple[str, Any]]":
    """Without asking the program's own code."""
    if issubclass(type(value), _thread._local):
        for _, own in native.local_state(value)[2]:
            yield from own.items()
        return
    try:
        yield from list(object.__getattribute__(value, "__dict__").items())
    except (AttributeError, TypeError):
        pass
    for one in type(value).__mro__:
        for name, member in list(one.__dict__.items()):
            if isinstance(member, types.MemberDescriptorType):
                try:
                    yield name, member.__get__(value)
                except (AttributeError, TypeError):
                    pass


def short(key: "Any") -> str:
    if type(key) not in (str, int, float, bytes, bool, type(None)):
        return f"a {type(key).__name__}"
    text = repr(key)
    return text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "..."


def has_descriptor(number: int) -> "Callable[[Any], bool]":
    """Whether an object is a file or socket of this descriptor."""
    io: Any = sys.modules["_io"]
    socket: Any = sys.modules.get("_socket")
    kinds = (io.FileIO, *((socket.socket,) if socket else ()))

    def wanted(one: "Any") -> bool:
        if not issubclass(type(one), kinds):
            return False
        base = io.FileIO if issubclass(type(one), io.FileIO) else socket.socket
        try:
            return bool(base.fileno(one) == number)
        except (ValueError, OSError):
            return False

    return wanted


def has_child(pids: "set[int]") -> "Callable[[Any], bool]":
    """Whether an object stands for one of these processes."""

    def wanted(one: "Any") -> bool:
        if type(one).__module__ not in ("subprocess", "multiprocessing.popen_fork"):
            return False
        return getattr(one, "__dict__", {}).get("pid") in pids

    return wanted
