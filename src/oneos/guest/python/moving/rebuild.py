"""Making objects again where a program goes on: what `kinds.py` and `heap.py` name."""

import _thread
import contextvars
import functools
import importlib
import marshal
import struct
import sys
import types
import weakref

import oneos_moving as native

from . import awaitables, futures, polls, reopening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SINCE_14 = sys.version_info >= (3, 14)
Nothing = native.Nothing


# --- by name ------------------------------------------------------------------------------------
def found(module: str, qualified: str) -> "Any":
    at = importlib.import_module(module) if module not in sys.modules else sys.modules[module]
    for part in qualified.split("."):
        at = at.__dict__[part] if isinstance(at, type) else getattr(at, part)
    if isinstance(at, staticmethod | classmethod):
        at = at.__func__
    return at


def module(name: str) -> types.ModuleType:
    return sys.modules.get(name) or importlib.import_module(name)


def new_module(name: str) -> types.ModuleType:
    """One of the program's own, which takes its place in the table at once."""
    one = types.ModuleType(name)
    one.__dict__.clear()
    # A function takes it from here as it is made, before the names are filled.
    one.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules[name] = one
    return one


def loose_module(name: str) -> types.ModuleType:
    return types.ModuleType(name)


def fill_names(one: types.ModuleType, names: "tuple[Any, ...]") -> None:
    one.__dict__.update(zip(names[::2], names[1::2], strict=True))


def names_of(one: types.ModuleType) -> "dict[str, Any]":
    return one.__dict__


MAKERS = {("tempfile", "_name_sequence"): "_RandomNameSequence"}
"""What a module makes when it is first asked for it, and its class."""


def attribute_of(one: types.ModuleType, name: str) -> "Any":
    maker = MAKERS.get((one.__name__, name))
    if maker is not None and one.__dict__[name] is None:
        one.__dict__[name] = one.__dict__[maker]()
    return one.__dict__[name]


def reader_class(which: int) -> type:
    return (native.LineReader, native.ByteReader)[which]  # type: ignore[no-any-return]


def class_item(one: type, name: str) -> "Any":
    return one.__dict__[name]


def bound(kind: type, name: str, of: "Any") -> "Any":
    return kind.__dict__[name].__get__(of)


# --- functions and code -------------------------------------------------------------------------
def code_in(parent: types.CodeType, at: int) -> types.CodeType:
    return parent.co_consts[at]  # type: ignore[no-any-return]


def function(code: types.CodeType, names: "dict[str, Any]", name: str) -> types.FunctionType:
    cells = tuple(types.CellType() for _ in code.co_freevars)
    return types.FunctionType(code, names, name, None, cells)


def fill_function(one: "Any", state: "tuple[Any, ...]") -> None:
    closure, defaults, named, attributes, annotations, doc, module, qualified, kinds = state
    if closure is not None:
        native.set_closure(one, closure)
    one.__defaults__, one.__kwdefaults__ = defaults, named
    if attributes:
        one.__dict__.update(attributes)
    if SINCE_14 and annotations is not None:
        one.__annotate__ = annotations
    elif annotations is not None:
        one.__annotations__ = annotations
    one.__doc__, one.__module__, one.__qualname__ = doc, module, qualified
    if kinds:
        one.__type_params__ = kinds


def fill_attributes(one: "Any", attributes: "dict[str, Any] | None") -> None:
    if not attributes:
        return
    slots = attributes.pop("", None)
    if attributes:
        object.__getattribute__(one, "__dict__").update(attributes)
    for name, value in (slots or {}).items():
        for kind in type(one).__mro__:
            member = kind.__dict__.get(name)
            if isinstance(member, types.MemberDescriptorType):
                member.__set__(one, value)
                break


def cache(of: "Any", maxsize: "Any", typed: bool) -> "Any":
    one = functools.lru_cache(maxsize=maxsize, typed=typed)(noop)
    maker: Any = type(one)
    made = maker(of, maxsize, typed, functools._CacheInfo)
    made.cache_parameters = one.cache_parameters
    return made


def noop() -> None:
    """Has a cache made, whose kind is wanted."""


# --- classes and instances ----------------------------------------------------------------------
class Quiet:
    """Stands before a class's bases while it is made, so that their hook does not run."""

    __slots__ = ()

    def __init_subclass__(cls, **_: "Any") -> None:
        pass


def class_(
    meta: type, name: str, qualified: str, module: str, bases: "tuple[type, ...]", slots: "Any"
) -> type:
    space: dict[str, Any] = {"__module__": module, "__qualname__": qualified}
    if slots is not Nothing:
        space["__slots__"] = slots
    hooked = any("__init_subclass__" in kind.__dict__ for one in bases for kind in one.__mro__[:-1])
    if hooked:
        try:
            quiet = (Quiet, *(one for one in bases if one is not object))
            made = type.__new__(meta, name, quiet, dict(space))  # type: ignore[var-annotated]
            type.__dict__["__bases__"].__set__(made, bases)
            return made  # type: ignore[no-any-return]
        except TypeError:
            pass  # Another layout.
    return type.__new__(meta, name, bases, space)


def fill_class(one: type, state: "tuple[Any, Any]") -> None:
    names, registered = state
    for name, value in zip(names[::2], names[1::2], strict=True):
        type.__setattr__(one, name, value)
    if registered is not None:
        import _abc

        _abc._abc_init(one)
        for other in registered:
            _abc._abc_register(one, other)


def value(base: type, kind: type, *content: "Any") -> "Any":
    return base.__new__(kind, *content)


def fill_container(one: "Any", state: "tuple[Any, Any]") -> None:
    content, own = state
    fill_attributes(one, own)
    if isinstance(one, dict):
        for key, item in zip(content[::2], content[1::2], strict=True):
            dict.__setitem__(one, key, item)
    elif isinstance(one, list):
        list.extend(one, content)
    else:
        set.update(one, content)


def fill_reduced(one: "Any", filled: "tuple[Any, ...]") -> None:
    """As `pickle` does with the result of a reduction."""
    state, items, pairs, setter, own = filled
    if items is not None:
        if hasattr(one, "extend"):
            one.extend(items)
        else:
            for item in items:
                one.append(item)
    if pairs is not None:
        for key, item in zip(pairs[::2], pairs[1::2], strict=True):
            one[key] = item
    if state is not None:
        if setter is not None:
            setter(one, state)
        elif hasattr(one, "__setstate__"):
            one.__setstate__(state)
        else:
            attributes, slots = state if isinstance(state, tuple) else (state, None)
            if attributes:
                one.__dict__.update(attributes)
            for name, item in (slots or {}).items():
                object.__setattr__(one, name, item)
    fill_attributes(one, own)


# --- exceptions and frames ----------------------------------------------------------------------
def exception(kind: type, base: "Any", arguments: "tuple[Any, ...]") -> BaseException:
    one = base.__new__(kind, *arguments)
    base.__init__(one, *arguments)
    return one  # type: ignore[no-any-return]


def fill_exception(one: BaseException, state: "tuple[Any, ...]") -> None:
    members, own, cause, context, suppressed, traceback = state
    for name, item in members.items():
        if getattr(one, name, None) is not item:
            try:
                setattr(one, name, item)
            except (AttributeError, TypeError):
                pass  # It is read only, and came with the arguments.
    fill_attributes(one, own)
    one.__cause__, one.__context__ = cause, context
    one.__suppress_context__ = suppressed
    one.__traceback__ = traceback


def traceback(
    next: types.TracebackType | None, frame: types.FrameType, last: int, line: int
) -> types.TracebackType:
    return types.TracebackType(next, frame, last, line)


def frame_shell(code: types.CodeType, names: "dict[str, Any]") -> types.FrameType:
    """The object of a frame that will be on a stack: `rehydrating.c` joins them."""
    return native.new_frame(code, names, None, 0)  # type: ignore[no-any-return]


def ended_frame(
    code: types.CodeType, names: "dict[str, Any]", space: "dict[str, Any] | None", index: int
) -> types.FrameType:
    return native.new_frame(code, names, space, index)  # type: ignore[no-any-return]


def generator_frame(of: "Any") -> "Any":
    for name in ("gi_frame", "cr_frame", "ag_frame"):
        if hasattr(of, name):
            return getattr(of, name)
    raise TypeError("not a generator")


# --- generators ---------------------------------------------------------------------------------
def generator(of: types.FunctionType) -> "Any":
    code = of.__code__
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return of(*[None] * code.co_argcount, **dict.fromkeys(named))


def ended_generator(kind: str) -> "Any":
    one: Any
    if kind == "coroutine":
        one = _coroutine()
        one.close()
    elif kind == "async_generator":
        one = _asynchronous()
        try:
            one.aclose().send(None)
        except StopIteration:
            pass
    else:
        one = _generator()
        one.close()
    return one


def _generator() -> "Any":
    yield


async def _coroutine() -> None:
    return None


async def _asynchronous() -> "Any":
    yield


def fill_generator(one: "Any", state: "tuple[Any, ...]") -> None:
    saved, extra, one.__name__, one.__qualname__ = state
    if extra is not None:
        native.set_generator_extra(one, extra)
    if saved is not None:
        number, slots, index, handled = saved
        native.fill_generator(one, number, slots, index, handled)


def awaiting(of: "Any") -> "Any":
    return of.__await__()


# --- threads ------------------------------------------------------------------------------------
threads: dict[int, int] = {}
"""The threads' numbers, by those that they had before."""


handles: "dict[int, Any]" = {}
"""From 3.13 on: the objects by which they are waited for, by the same."""


def thread_handle(ident: int, done: bool) -> "Any":
    import threading

    if ident in handles:
        return handles[ident]
    if ident in threads:
        return threading.main_thread()._handle  # type: ignore[attr-defined]
    module: Any = _thread
    one = module._ThreadHandle()
    if done:  # Only a thread that was started can have ended.
        module.start_joinable_thread(noop, handle=one)
        one.join()
    return one


def lock(locked: bool) -> "Any":
    one = _thread.allocate_lock()
    if locked:
        one.acquire()
    return one


def rlock(owner: int, count: int) -> "Any":
    one = _thread.RLock()
    if count:
        one._acquire_restore((count, threads.get(owner, owner)))  # type: ignore[attr-defined]
    return one


def hold(one: "Any", state: "tuple[int, int]") -> None:
    """Have a lock of the standard library as it was."""
    owner, count = state
    if not count:
        return
    if isinstance(one, _thread.LockType):
        one.acquire(False)
    else:
        one._acquire_restore((count, threads.get(owner, owner)))


def context_variable(name: str, default: "Any") -> "Any":
    if name == "decimal_context":  # C code has it in a variable of its own.
        import decimal

        context = contextvars.Context()
        context.run(decimal.getcontext)
        for one in context:
            if one.name == name:
                return one
    if default is Nothing:
        return contextvars.ContextVar(name)
    return contextvars.ContextVar(name, default=default)


def context() -> contextvars.Context:
    return contextvars.Context()


def fill_context(one: contextvars.Context, content: "tuple[Any, ...]") -> None:
    def fill() -> None:
        for variable, item in zip(content[::2], content[1::2], strict=True):
            variable.set(item)

    one.run(fill)


# --- others -------------------------------------------------------------------------------------
def weak(kind: "Any", of: "Any", callback: "Any") -> "Any":
    if of is None:
        return weakref.ref.__new__(kind, _Mortal())  # Dead as soon as this returns.
    return weakref.ref.__new__(kind, of, callback)


class _Mortal:
    pass


def dict_iterator(of: "dict[Any, Any]", kind: str) -> "Any":
    return iter(view_of(of, kind))


def fill_dict_iterator(one: "Any", state: "tuple[int, int]") -> None:
    native.set_dict_iterator(one, *state)


def view_of(of: "dict[Any, Any]", kind: str) -> "Any":
    return of.keys() if "key" in kind else of.values() if "value" in kind else of.items()


def ended_iterator(kind: str) -> "Any":
    one = iter(view_of({}, kind))
    next(one, None)
    return one


def memory(of: "Any", start: int, length: int, format: str, readonly: bool) -> memoryview:
    one = memoryview(of).cast("B")[start : start + length]
    one = one if format == "B" else one.cast(format)  # type: ignore[call-overload]
    return one.toreadonly() if readonly else one


def match(pattern: "Any", text: "Any", start: int, end: int, first: int, last: int) -> "Any":
    """The same match: the pattern is tried where it began, and then from the start."""
    for attempt in (
        lambda: pattern.match(text, first, end),
        lambda: pattern.fullmatch(text, first, last),
        lambda: pattern.search(text, start, end),
    ):
        one = attempt()  # type: ignore[no-untyped-call]
        if one is not None and one.span() == (first, last):
            return one
    raise ValueError(f"a match of {pattern.pattern!r} cannot be made again")


def number(value: int) -> "Any":
    return native.Number(value)


def key(compare: "Any", *of: "Any") -> "Any":
    make: Any = functools.cmp_to_key(compare)
    return make(*of) if of else make


def async_hooks(first: "Any", final: "Any") -> "Any":
    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(first, final)
    try:
        return sys.get_asyncgen_hooks()
    finally:
        sys.set_asyncgen_hooks(*before)


def local(kind: type) -> "Any":
    return _thread._local.__new__(kind)


local_dicts: "dict[int, list[tuple[Any, dict[str, Any]]]]" = {}
"""By the thread's number before: what only the thread itself can put in place."""


def fill_local(one: "Any", state: "tuple[Any, ...]") -> None:
    arguments, named, slots, dicts = state
    native.set_local_arguments(one, arguments, named)
    fill_attributes(one, slots)
    for ident, attributes in dicts:
        local_dicts.setdefault(ident, []).append((one, attributes))


def take_locals(ident: int) -> None:
    """Give this thread its attributes of `threading.local` objects.

    Args:
        ident: its number before.
    """
    for one, attributes in local_dicts.pop(ident, ()):
        native.local_dict(_thread._local, one).update(attributes)


HELPERS: "dict[str, Any]" = {
    **{
        name: one
        for name, one in list(globals().items())
        if isinstance(one, types.FunctionType) and not name.startswith("_")
    },
    **reopening.HELPERS,
    **awaitables.HELPERS,
    **futures.HELPERS,
    **polls.HELPERS,
    "code": marshal.loads,
    "attribute": getattr,
    "method": types.MethodType,
    "super": super,
    "dict_view": view_of,
    "mapping_proxy": types.MappingProxyType,
    "struct": struct.Struct,
}
