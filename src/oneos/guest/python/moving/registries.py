"""What a program has entered into tables of the standard library, which is imported anew elsewhere.

Only the program's own entries are taken: the library's are there. `tests/migration` has a program
that uses each of them (`registries.py`).
"""

import sys

from .owning import is_installed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ABSTRACT = ("_collections_abc", "numbers", "io", "os", "contextlib", "selectors", "importlib.abc")
"""Modules whose abstract classes others register with."""


def is_own(one: "Any") -> bool:
    """Whether a class is not of the standard library."""
    top = str(getattr(one, "__module__", "")).partition(".")[0]
    return isinstance(one, type) and top not in sys.stdlib_module_names


def is_library(name: "Any") -> bool:
    """Whether a module is imported from a file where the program goes on."""
    return is_installed(str(getattr(sys.modules.get(name), "__file__", None)))


def save() -> "dict[str, Any]":
    return {
        "finalizers": save_finalizers(),
        "reductions": save_reductions(),
        "abstract": save_abstract(),
        "sources": save_sources(),
        "tasks": save_tasks(),
        "parts": save_parts(),
    }


def load(state: "dict[str, Any]") -> None:
    load_finalizers(state["finalizers"])
    load_reductions(state["reductions"])
    load_abstract(state["abstract"])
    load_sources(state["sources"])
    load_tasks(state["tasks"])
    load_parts(state["parts"])


# --- weakref.finalize ---------------------------------------------------------------------------
def save_finalizers() -> "Any":
    module: Any = sys.modules.get("weakref")
    kind: Any = getattr(module, "finalize", None)
    if kind is None or not kind._registry:
        return None
    infos = [
        (one, *(getattr(info, name, None) for name in INFO)) for one, info in kind._registry.items()
    ]
    return infos, kind._index_iter, kind._shutdown, kind._dirty, kind._registered_with_atexit


INFO = ("weakref", "func", "args", "kwargs", "atexit", "index")


def load_finalizers(state: "Any") -> None:
    if state is None:
        return
    import weakref

    kind: Any = weakref.finalize
    infos, kind._index_iter, kind._shutdown, kind._dirty, kind._registered_with_atexit = state
    for one, *values in infos:
        info = kind._registry[one] = kind._Info()
        for name, value in zip(INFO, values, strict=True):
            setattr(info, name, value)


# --- copyreg, abstract classes ------------------------------------------------------------------
def save_reductions() -> "list[Any]":
    module: Any = sys.modules.get("copyreg")
    table = module.dispatch_table if module else {}
    # A package that is imported there enters its own, as numpy does.
    return [
        (one, function)
        for one, function in table.items()
        if is_own(one) and not is_library(getattr(function, "__module__", None))
    ]


def load_reductions(state: "list[Any]") -> None:
    if state:
        import copyreg

        copyreg.dispatch_table.update(state)


def save_abstract() -> "list[Any]":
    module: Any = sys.modules.get("_abc")
    found = []
    for name in ABSTRACT if module else ():
        for one in list(vars(sys.modules.get(name, sys)).values()):
            if isinstance(one, type) and "_abc_impl" in one.__dict__ and not is_own(one):
                classes = [ref() for ref in module._get_dump(one)[0]]
                found += [(one, other) for other in classes if is_own(other)]
    return found


def load_abstract(state: "list[Any]") -> None:
    for one, other in state:
        one.register(other)


# --- linecache ----------------------------------------------------------------------------------
def save_sources() -> "dict[str, Any]":
    """Texts that lie in no file, as of doctest and timeit."""
    module: Any = sys.modules.get("linecache")
    if module is None:
        return {}
    cached = module.cache.items()
    return {name: one for name, one in cached if len(one) == 4 and one[1] is None}


def load_sources(state: "dict[str, Any]") -> None:
    if state:
        import linecache

        linecache.cache.update(state)


# --- asyncio ------------------------------------------------------------------------------------
def save_tasks() -> "list[Any]":
    """Of those who go over all tasks right now, which is noted in the set of them."""
    module: Any = sys.modules.get("asyncio.tasks")
    return list(getattr(getattr(module, TASKS, None), "_iterating", ()))


def load_tasks(state: "list[Any]") -> None:
    if state:
        import asyncio.tasks

        getattr(asyncio.tasks, TASKS)._iterating.update(state)


TASKS = "_all_tasks" if sys.version_info < (3, 12) else "_scheduled_tasks"


# --- modules of packages ------------------------------------------------------------------------
def save_parts() -> "list[str]":
    """Those that a program has imported, though it may know of the package only."""
    return sorted(name for name in list(sys.modules) if "." in name and is_library(name))


def load_parts(state: "list[str]") -> None:
    for name in state:
        if name.rpartition(".")[0] in sys.modules and name not in sys.modules:
            try:
                __import__(name)
            except ImportError:
                pass  # It is missed where the program asks for it.
