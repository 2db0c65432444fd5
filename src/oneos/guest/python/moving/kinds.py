"""Descriptions of the kinds of objects that need one: see `heap.py`."""

import _thread
import contextvars
import functools
import gc
import marshal
import re
import struct
import sys
import types
import weakref

import oneos_moving as native

from . import futures
from .owning import holder_of, is_c_class
from .reasons import NotSafe, cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .heap import Description, Heap

SINCE_14 = sys.version_info >= (3, 14)
READERS = (native.LineReader, native.ByteReader)
"""The classes of standard input, which no module has."""

RUNNING = 0
"""A generator's state while its frame is on a stack."""


# --- functions and code -------------------------------------------------------------------------
def describe_function(heap: "Heap", one: "Any") -> "Description":
    found = heap.owning.name_found(one, one.__qualname__)
    if found is not None:
        return "found", found, 0
    annotations = one.__annotate__ if SINCE_14 else one.__annotations__
    state = (
        one.__closure__,
        one.__defaults__,
        one.__kwdefaults__,
        one.__dict__ or None,
        annotations or None,
        one.__doc__,
        one.__module__,
        one.__qualname__,
        getattr(one, "__type_params__", None) or None,
    )
    arguments = (one.__code__, one.__globals__, one.__name__)
    return "function", arguments, 0, "fill_function", state


def describe_code(heap: "Heap", code: types.CodeType) -> "Description":
    parent = heap.codes.get(code)
    if parent is not None:
        return "code_in", parent, 0
    note_codes(heap, code)
    return "code", (marshal.dumps(code),), 0


def note_codes(heap: "Heap", code: types.CodeType) -> None:
    """Remember the code within other code, so that it stays one object."""
    for at, constant in enumerate(code.co_consts):
        if isinstance(constant, types.CodeType) and constant not in heap.codes:
            heap.codes[constant] = (code, at)
            note_codes(heap, constant)


def describe_module(heap: "Heap", one: types.ModuleType) -> "Description":
    name = one.__name__
    if sys.modules.get(name) is one:
        return ("module" if heap.owning.is_found(one) else "new_module"), (name,), 0
    # One that is in no table of modules has to be made with its names.
    return "loose_module", (name,), 0, "fill_names", tuple(pairs(one.__dict__))


def pairs(space: "Any") -> "list[Any]":
    return [one for item in space.items() for one in item]


def describe_method(heap: "Heap", one: "Any") -> "Description":
    return "method", (one.__func__, one.__self__), 0


def describe_builtin(heap: "Heap", one: "Any") -> "Description":
    of = one.__self__
    if futures.is_wakeup(one):
        return "wakeup", (of,), 0
    if of is None or isinstance(of, types.ModuleType):
        found = heap.owning.name_found(one, one.__qualname__)
        module = sys.modules.get(one.__module__ or "")
        if found is None and of is not None and getattr(of, one.__name__, None) is one:
            return "attribute_of", (of, one.__name__), 0  # type: ignore[union-attr]
        if found is None or module is None:
            raise cannot(f"the C function {one.__qualname__} is not found by a name")
        return "found", found, 0
    if isinstance(of, type):
        return "attribute", (of, one.__name__), 0
    for kind in type(of).__mro__:
        if isinstance(kind.__dict__.get(one.__name__), types.MethodDescriptorType):
            return "bound", (kind, one.__name__, of), 0
    return "attribute", (of, one.__name__), 0


def describe_wrapper(heap: "Heap", one: "Any") -> "Description":
    return "bound", (one.__objclass__, one.__name__, one.__self__), 0


def describe_descriptor(heap: "Heap", one: "Any") -> "Description":
    return "class_item", (one.__objclass__, one.__name__), 0


def describe_super(heap: "Heap", one: "Any") -> "Description":
    of = () if one.__self__ is None else (one.__self__,)
    return "super", (one.__thisclass__, *of), 0


def describe_wrapping(heap: "Heap", one: "Any") -> "Description":
    """classmethod and staticmethod."""
    return type(one), (one.__func__,), 0, "fill_attributes", dict(one.__dict__)


def describe_property(heap: "Heap", one: "Any") -> "Description":
    return type(one), (one.fget, one.fset, one.fdel, one.__doc__), 0


def describe_cache(heap: "Heap", one: "Any") -> "Description":
    """What it had in its memory is computed anew."""
    found = heap.owning.name_found(one, getattr(one, "__qualname__", ""))
    if found is not None:
        return "found", found, 0
    if not {"__wrapped__", "cache_parameters"} <= one.__dict__.keys():
        raise NotSafe("functools.lru_cache is at work")
    limits = one.cache_parameters()
    attributes = {key: value for key, value in one.__dict__.items() if key != "cache_parameters"}
    arguments = (one.__wrapped__, limits["maxsize"], limits["typed"])
    return "cache", arguments, 0, "fill_attributes", attributes


# --- classes and their instances ----------------------------------------------------------------
def describe_class(heap: "Heap", one: type) -> "Description":
    found = heap.owning.name_found(one, one.__qualname__)
    if found is not None:
        return "found", found, 0
    if one in READERS:
        return "reader_class", (READERS.index(one),), 0
    if is_c_class(one):
        return find_c_class(one)
    space = dict(one.__dict__)
    slots = space.pop("__slots__", native.Nothing)
    for name, value in list(space.items()):
        made_with_it = isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType)
        if made_with_it and value.__objclass__ is one:
            del space[name]
    space.pop("__module__", None)
    registered: list[Any] | None = None
    if space.pop("_abc_impl", None) is not None:
        import _abc

        registered = [ref() for ref in _abc._get_dump(one)[0] if ref() is not None]
    arguments = (
        *(type(one), one.__name__, one.__qualname__, one.__module__),
        *(one.__bases__, slots),
    )
    return "class_", arguments, 0, "fill_class", (tuple(pairs(space)), registered)


def find_c_class(one: type) -> "Description":
    for name in (one.__module__, "types", "_thread", "builtins"):
        module = sys.modules.get(name)
        for key, value in list(vars(module).items()) if module is not None else ():
            if value is one:
                return "found", (name, key), 0
    raise cannot(f"the class {one.__module__}.{one.__qualname__} is not found by a name")


def own_attributes(thing: "Any", kind: type) -> "dict[str, Any] | None":
    """What an instance has in its own dict and in its slots, without asking its class."""
    try:
        found = dict(object.__getattribute__(thing, "__dict__"))
    except AttributeError:
        found = {}
    slots = slots_of(thing, kind)
    if slots:
        found[""] = slots  # No attribute has an empty name.
    return found or None


def slots_of(thing: "Any", kind: type) -> "dict[str, Any]":
    slots = {}
    for one in kind.__mro__:
        for name, member in one.__dict__.items():
            if isinstance(member, types.MemberDescriptorType) and not is_c_class(one):
                try:
                    slots[name] = member.__get__(thing, kind)
                except AttributeError:
                    pass
    return slots


PLAIN_VALUES: "dict[type, Any]" = {
    int: int.__int__,
    float: float.__float__,
    str: lambda one: "".join(str.__iter__(one)),
    bytes: lambda one: bytes(memoryview(one)),
    bytearray: lambda one: bytearray(memoryview(one)),
    complex: lambda one: complex(one.real, one.imag),
    tuple: lambda one: tuple(tuple.__iter__(one)),
    frozenset: lambda one: frozenset(frozenset.__iter__(one)),
}


def describe_value(thing: "Any", base: type) -> "Description":
    """An instance of a subclass of a built-in container or value."""
    kind = type(thing)
    own = own_attributes(thing, kind)
    if base in (dict, list, set):
        content: Any = {
            dict: lambda: [one for item in dict.items(thing) for one in item],
            list: lambda: list(list.__iter__(thing)),
            set: lambda: list(set.__iter__(thing)),
        }[base]()
        return "value", (base, kind), 0, "fill_container", (content, own)
    value = PLAIN_VALUES[base](thing)
    if own is None:
        return "value", (base, kind, value), 0
    return "value", (base, kind, value), 0, "fill_attributes", own


def describe_member(thing: "Any") -> "Description":
    kind = type(thing)
    if thing._name_ is not None and kind._member_map_.get(thing._name_) is thing:
        return "attribute", (kind, thing._name_), 0
    return kind, (thing._value_,), 0


def describe_exception(heap: "Heap", one: BaseException) -> "Description":
    kind = type(one)
    base = next(base for base in kind.__mro__ if is_c_class(base))
    members = {}
    for above in base.__mro__:
        for name, member in above.__dict__.items():
            if isinstance(member, types.MemberDescriptorType) and name not in members:
                try:
                    members[name] = member.__get__(one, kind)
                except AttributeError:
                    pass
    own = own_attributes(one, kind)
    state = (
        *(members, own, one.__cause__, one.__context__, one.__suppress_context__),
        one.__traceback__,
    )
    arguments = one.args
    if isinstance(one, OSError) and one.errno is not None:
        arguments = (one.errno, one.strerror)
        if one.filename is not None:
            arguments += (one.filename,)
            if one.filename2 is not None:
                arguments += (None, one.filename2)
    deep = int(isinstance(one, BaseExceptionGroup))
    return "exception", (kind, base, arguments), deep, "fill_exception", state


def describe_traceback(heap: "Heap", one: types.TracebackType) -> "Description":
    line = one.tb_lineno
    return "traceback", (one.tb_next, one.tb_frame, one.tb_lasti, line or 0), 0


def describe_frame(heap: "Heap", one: types.FrameType) -> "Description":
    if id(one) in heap.running:
        return "frame_shell", (heap.running[id(one)].code, one.f_globals), 0
    code, function, names, space, index, *_, generator, _, _, _ = native.frame(one)
    if generator is not None:
        return "generator_frame", (generator,), 0
    del function
    return "ended_frame", (code, names, space if isinstance(space, dict) else None, index), 0


# --- generators ---------------------------------------------------------------------------------
def describe_generator(heap: "Heap", one: "Any") -> "Description":
    frame = next(
        (f for f in (getattr(one, n, None) for n in ("gi_frame", "cr_frame", "ag_frame")) if f),
        None,
    )
    names = (native.generator_extra(one), one.__name__, one.__qualname__)
    if frame is None:
        return "ended_generator", (type(one).__name__,), 0, "fill_generator", (None, *names)
    function, index, top = (native.frame(frame)[at] for at in (1, 4, 5))
    state, handled = native.generator(one)
    if state == RUNNING:
        if id(one) not in heap.running:
            raise cannot(f"the generator {one.__qualname__} runs outside of the program")
        return "generator", (function,), 0, "fill_generator", (None, *names)
    saved = (state, native.slots(frame, top), index, handled)
    return "generator", (function,), 0, "fill_generator", (saved, *names)


def describe_coroutine_wrapper(heap: "Heap", one: "Any") -> "Description":
    return "awaiting", (gc.get_referents(one)[0],), 0


async def _sample() -> None:
    return None


_coroutine = _sample()
COROUTINE_WRAPPER = type(_coroutine.__await__())
_coroutine.close()


# --- what threads use ---------------------------------------------------------------------------
def describe_lock(heap: "Heap", one: "Any") -> "Description":
    return "lock", (one.locked(),), 0


def describe_local(heap: "Heap", one: "Any") -> "Description":
    kind = type(one)
    arguments, named, dicts = native.local_state(one)
    slots = slots_of(one, kind)
    state = (arguments, named, {"": slots} if slots else None, dicts)
    return "local", (kind,), 0, "fill_local", state


def describe_thread_handle(heap: "Heap", one: "Any") -> "Description":
    return "thread_handle", (one.ident, one.is_done()), 0


def describe_rlock(heap: "Heap", one: "Any") -> "Description":
    return "rlock", holder_of(one), 0


def describe_context_variable(heap: "Heap", one: "Any") -> "Description":
    default: Any = native.Nothing
    empty = contextvars.Context()
    try:
        default = empty.run(one.get)
    except LookupError:
        pass
    return "context_variable", (one.name, default), 0


def describe_context(heap: "Heap", one: "Any") -> "Description":
    return "context", (), 0, "fill_context", tuple(pairs(one))


# --- others -------------------------------------------------------------------------------------
def describe_weak(heap: "Heap", one: "Any") -> "Description":
    target = weakref.ref.__call__(one)
    kind = type(one)
    own = own_attributes(one, kind)
    arguments = (kind, target, one.__callback__)
    if own is None:
        return "weak", arguments, 0
    return "weak", arguments, 0, "fill_attributes", own


def describe_dict_iterator(heap: "Heap", one: "Any") -> "Description":
    of, done, changed = native.dict_iterator(one)
    kind = type(one).__name__
    if of is None:
        return "ended_iterator", (kind,), 0
    return "dict_iterator", (of, kind), 0, "fill_dict_iterator", (done, changed)


def describe_view(heap: "Heap", one: "Any") -> "Description":
    return "dict_view", (gc.get_referents(one)[0], type(one).__name__), 0


def describe_proxy(heap: "Heap", one: "Any") -> "Description":
    of = gc.get_referents(one)[0]
    if not isinstance(of, dict):
        return "mapping_proxy", (of,), 0
    for kind in gc.get_referrers(of):
        if isinstance(kind, type) and kind.__dict__ == one:
            return "attribute", (kind, "__dict__"), 0
    return "mapping_proxy", (of,), 0


def describe_memory(heap: "Heap", one: memoryview) -> "Description":
    if one.obj is None or one.ndim != 1 or not one.contiguous:
        raise cannot("a memoryview that is not plain cannot move")
    whole = memoryview(one.obj).cast("B") if one.obj is not one else one
    start = native.buffer_offset(one, whole)
    return "memory", (one.obj, start, one.nbytes, one.format, one.readonly), 1


def describe_match(heap: "Heap", one: "Any") -> "Description":
    return "match", (one.re, one.string, one.pos, one.endpos, one.start(), one.end()), 0


def describe_struct(heap: "Heap", one: struct.Struct) -> "Description":
    return "struct", (one.format,), 0


def describe_number(heap: "Heap", one: "Any") -> "Description":
    return "number", (one.value,), 0


def describe_key(heap: "Heap", one: "Any") -> "Description":
    """A key of functools.cmp_to_key, or the function that makes them."""
    compare = next(part for part in gc.get_referents(one) if part is not KEY_WRAPPER)
    try:
        return "key", (compare, one.obj), 0
    except AttributeError:
        return "key", (compare,), 0


KEY_WRAPPER: "Any" = type(functools.cmp_to_key(lambda a, b: 0))


def describe_async_hooks(heap: "Heap", one: "Any") -> "Description":
    return "async_hooks", tuple(one), 0


def describe_abc_data(heap: "Heap", one: "Any") -> "Description":
    raise cannot("the inside of an abstract class cannot move")


SUBCLASSED = (weakref.ref, property, classmethod, staticmethod, _thread._local)
"""Kinds whose subclasses are described in the same way."""

BY_TYPE: "dict[type, Any]" = {
    types.FunctionType: describe_function,
    types.CodeType: describe_code,
    types.ModuleType: describe_module,
    types.MethodType: describe_method,
    types.BuiltinFunctionType: describe_builtin,
    types.MethodWrapperType: describe_wrapper,
    types.WrapperDescriptorType: describe_descriptor,
    types.MethodDescriptorType: describe_descriptor,
    types.ClassMethodDescriptorType: describe_descriptor,
    types.GetSetDescriptorType: describe_descriptor,
    types.MemberDescriptorType: describe_descriptor,
    super: describe_super,
    classmethod: describe_wrapping,
    staticmethod: describe_wrapping,
    property: describe_property,
    functools._lru_cache_wrapper: describe_cache,
    types.TracebackType: describe_traceback,
    types.FrameType: describe_frame,
    types.GeneratorType: describe_generator,
    types.CoroutineType: describe_generator,
    types.AsyncGeneratorType: describe_generator,
    COROUTINE_WRAPPER: describe_coroutine_wrapper,
    _thread.LockType: describe_lock,
    _thread.RLock: describe_rlock,
    _thread._local: describe_local,
    contextvars.ContextVar: describe_context_variable,
    contextvars.Context: describe_context,
    weakref.ref: describe_weak,
    type(iter({})): describe_dict_iterator,
    type(iter({}.values())): describe_dict_iterator,
    type(iter({}.items())): describe_dict_iterator,
    type({}.keys()): describe_view,
    type({}.values()): describe_view,
    type({}.items()): describe_view,
    types.MappingProxyType: describe_proxy,
    memoryview: describe_memory,
    re.Match: describe_match,
    struct.Struct: describe_struct,
    native.Number: describe_number,
    KEY_WRAPPER: describe_key,
    type(sys.get_asyncgen_hooks()): describe_async_hooks,
}
if hasattr(_thread, "_ThreadHandle"):  # From 3.13 on.
    BY_TYPE[_thread._ThreadHandle] = describe_thread_handle
