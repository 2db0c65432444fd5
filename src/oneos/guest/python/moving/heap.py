"""How objects are made again that `encoding.c` does not know.

`describe` answers with a function (of `rebuild.py`, by its name), its arguments and whether it
looks into them; and, for what may refer to itself, a second function that fills the new object. No
code of the program is asked: neither `__reduce__` nor `__getstate__` nor `__eq__` of its classes
runs. Kinds of objects are in `kinds.py`, open files in `files.py`; what nobody knows is refused by
name.
"""

import copyreg
import enum
import types

import oneos_moving as native

from . import awaitables, files, futures, kinds, polls
from .owning import Owning, is_c_class
from .reasons import NotSafe, cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Description = tuple[Any, ...]

VALUES = (dict, list, set, frozenset, tuple, int, str, float, bytes, bytearray, complex)
SHALLOW_MODULES = ("builtins", "collections", "functools", "itertools", "operator")
"""Of classes that only keep what they are made with: it may be filled after they are made, and may
refer to them. Others look into it, as decimal.Context does, and as iterators over what a class of
the program's gives."""


class Heap:
    """What one capture knows of the objects that it writes."""

    def __init__(self, owning: Owning, running: "dict[int, Any]") -> None:
        """
        Args:
            running: the frames of the stacks that move, by the id of their objects; and the
                generators that run there, by theirs.
        """
        self.owning, self.running = owning, running
        self.codes: dict[types.CodeType, tuple[types.CodeType, int]] = {}
        """Code within other code, which is written once: with its place there."""
        self.found_codes: dict[tuple[str, str], types.CodeType] = {}
        """Code that is found where the program goes on, and has to be the same there."""
        self.files = files.Files()
        self.pairs: list[Any] | None = None
        """The connected sockets that move (`polls.py`), once somebody has looked for them."""
        self._plain: dict[type, bool] = {}
        self._by_type: dict[type, Callable[[Heap, Any], Description]] = {
            **kinds.BY_TYPE,
            **files.BY_TYPE,
            **awaitables.BY_TYPE,
            **polls.BY_TYPE,
        }

    def is_plain(self, one: type) -> bool:
        """Whether an instance is its class, its attributes and its slots, and nothing else."""
        known = self._plain.get(one)
        if known is None:
            known = self._plain[one] = (
                one not in self._by_type and python_base(one) is object and not self._named(one)
            )
        return known

    def _named(self, one: type) -> bool:
        """Members of an Enum that is found there are found too."""
        return isinstance(one, enum.EnumMeta) and self.owning.class_found(one)

    def describe(self, thing: "Any") -> "Description":
        """
        Raises:
            NotSafe: it cannot move.
        """
        try:
            return self._describe(thing)
        except NotSafe as error:
            if error.wanted is None:
                error.wanted = lambda one: one is thing
            raise

    def _describe(self, thing: "Any") -> "Description":
        kind = type(thing)
        known = self._by_type.get(kind)
        if known is not None:
            return known(self, thing)
        # Not `isinstance`, which asks the object for its `__class__`.
        if issubclass(kind, type):
            return kinds.describe_class(self, thing)
        if issubclass(kind, BaseException):
            return kinds.describe_exception(self, thing)
        if self._named(kind):
            return kinds.describe_member(thing)
        base = python_base(kind)
        known = self._by_type.get(base) if base is not kind else None
        if base in VALUES and base is not kind:
            return kinds.describe_value(thing, base)
        if known is not None and base in kinds.SUBCLASSED:
            return known(self, thing)
        known = futures.describer(base) or polls.describer(base)
        if known is not None:
            return known(self, thing)
        return self._reduced(thing, kind)

    def _reduced(self, thing: "Any", kind: type) -> "Description":
        """By the reduction of the C code, or of the package, that defines the object."""
        reduction = None
        try:
            known = copyreg.dispatch_table.get(kind)
            if known is not None:
                reduction = known(thing)
            else:
                reduce = self._reduction_of(kind)
                reduction = reduce(thing, 5) if reduce else None
        except NotSafe:
            raise
        except Exception as error:
            raise cannot(f"{name_of(thing)} cannot move: {error}") from None
        if isinstance(reduction, str):
            found = self.owning.name_found(thing, reduction)
            if found is None:
                raise cannot(f"{name_of(thing)} cannot move")
            return "found", found, 0
        if not isinstance(reduction, tuple) or not 2 <= len(reduction) <= 6:
            raise cannot(f"{name_of(thing)} cannot move")
        function, arguments, state, items, pairs, setter = (*reduction, *[None] * 4)[:6]
        deep = int(kind.__module__ not in SHALLOW_MODULES or asks_iterators(thing, arguments))
        own = kinds.own_attributes(thing, kind) if is_python(kind) else None
        if state is None and items is None and pairs is None and own is None:
            return function, arguments, deep
        filled = (
            state,
            None if items is None else list(items),
            None if pairs is None else [one for pair in pairs for one in pair],
            setter,
            own,
        )
        return function, arguments, deep, "fill_reduced", filled

    def _reduction_of(self, kind: type) -> "Callable[[Any, int], Any] | None":
        """Of the first class that the program did not write and that has one of its own."""
        for one in kind.__mro__[:-1]:
            if is_python(one) and not self.owning.class_found(one):
                continue
            for name in ("__reduce_ex__", "__reduce__"):
                method = one.__dict__.get(name)
                if method is not None:
                    if name == "__reduce__":
                        return lambda thing, _, method=method: method(thing)  # type: ignore[misc]
                    return method  # type: ignore[no-any-return]
        # With a state that C code gives, as io.StringIO does.
        if any("__getstate__" in one.__dict__ for one in kind.__mro__[:-1] if not is_python(one)):
            return object.__reduce_ex__
        return None


def is_python(one: type) -> bool:
    return not is_c_class(one)


def asks_iterators(thing: "Any", arguments: "Any") -> bool:
    """Whether making it asks a class of the program for an iterator, as zip and groupby do."""
    known = native.iterator(thing)
    if known is not None:
        arguments = known[3]
    elif not hasattr(type(thing), "__next__"):
        return False
    return any(is_python(type(one)) for one in arguments)


def python_base(one: type) -> type:
    """The first base that Python code did not define."""
    base = one
    while base is not object and is_python(base):
        base = base.__base__  # type: ignore[assignment]
    return base


def name_of(thing: "Any") -> str:
    """An object as a person would name it in one line."""
    kind = type(thing)
    where = "" if kind.__module__ in ("builtins", None) else f"{kind.__module__}."
    text = f"a {where}{kind.__qualname__}"
    name = getattr(thing, "__qualname__", None) or getattr(thing, "name", None)
    return f"{text} ({name})" if isinstance(name, str) else text
