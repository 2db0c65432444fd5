"""What belongs to the program and moves with it, and what is found where it goes on.

The program's own modules move by value: their code, classes and variables are in the image. The
interpreter's and those of packages are imported there: of these, only names are written.
"""

import _thread
import re
import sys
import sysconfig
import types

import oneos_moving as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACKAGE = __name__.rpartition(".")[0]
"""Ours, under the name that it has in programs."""

MAIN = "__main__"
SIMPLE = (str, int, float, bytes, complex, bool, type(None), tuple, frozenset)
"""What is the same in every process: a copy does."""

OF_SYS: "tuple[str, ...]" = (
    "modules",
    "path",
    "argv",
    "meta_path",
    "path_hooks",
    "path_importer_cache",
    "flags",
)
OF_SYS += ("version_info", "implementation", "hash_info", "int_info", "float_info", "thread_info")
OF_SYS += ("warnoptions", "_xoptions", "__stdin__", "__stdout__", "__stderr__", "orig_argv")
OF_SYS += ("stdlib_module_names", "builtin_module_names")


BY_VALUE = (("asyncio.events", "_event_loop_policy"),)
"""What a program has given to a module, and `state.py` gives it anew."""


# Found as this is imported: while a program stands, it may hold a lock that an import needs.
_paths = sysconfig.get_paths()
PLACES = {
    name: _paths[name].rstrip("/") + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib")
}
ELSEWHERE = tuple(set(PLACES.values()))


def path_here(path: "list[str]", theirs: "dict[str, str]") -> "list[str]":
    """A program's `sys.path` with this interpreter's library in place of the other's.

    Args:
        theirs: its `PLACES`.
    """
    found = []
    for entry in path:
        inside = [name for name in PLACES if (entry + "/").startswith(theirs[name])]
        if inside:
            # Packages lie within the library.
            name = max(inside, key=lambda one: len(theirs[one]))
            entry = PLACES[name] + entry[len(theirs[name]) :]
            entry = entry.rstrip("/")
        found.append(entry)
    return found


def is_installed(path: str) -> bool:
    """Whether a file belongs to Python's library or to a package that was installed."""
    return path.startswith(ELSEWHERE) or "/site-packages/" in path or "/dist-packages/" in path


class Owning:
    """The modules as they are during one capture."""

    def __init__(self) -> None:
        self.modules: dict[str, types.ModuleType] = {}
        """By name: those that move by value."""
        self._found: set[int] = set()
        for name, module in list(sys.modules.items()):
            if not isinstance(module, types.ModuleType):
                continue
            if self._moves(name, module):
                self.modules[name] = module
            else:
                self._found.add(id(module))

    def _moves(self, name: str, module: types.ModuleType) -> bool:
        if name == MAIN:
            return True
        if name == "oneos_moving" or name == PACKAGE or name.startswith(PACKAGE + "."):
            return False
        if name.startswith("_oneos"):
            return False
        spec = module.__dict__.get("__spec__")
        origin = getattr(spec, "origin", None) or module.__dict__.get("__file__")
        if origin in ("built-in", "frozen"):
            return False
        if origin is None:
            # A package without a file, or one that the program made by hand.
            paths = [str(path) for path in module.__dict__.get("__path__", ())]
            return not any(is_installed(path + "/") for path in paths)
        text = str(origin)
        return not is_installed(text) and text.endswith((".py", ".pyc"))

    def is_found(self, module: "Any") -> bool:
        """Whether a module is imported where the program goes on."""
        return id(module) in self._found

    def name_found(self, thing: "Any", qualified: str) -> "tuple[str, str] | None":
        """The module and name under which a function or class is found there, if it is."""
        name = getattr(thing, "__module__", None)
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or id(module) not in self._found:
            return None
        at: Any = module
        for part in qualified.split("."):
            try:
                at = at.__dict__[part] if isinstance(at, type | types.ModuleType) else None
            except KeyError:
                return None
        if isinstance(at, staticmethod | classmethod):
            at = at.__func__
        assert name is not None
        return (name, qualified) if at is thing else None

    def class_found(self, one: type) -> bool:
        return self.name_found(one, one.__qualname__) is not None

    def specials(self) -> "list[tuple[Any, Any]]":
        """Objects of modules, with their descriptions: what `heap.describe` is not asked for."""
        found: list[tuple[Any, Any]] = []
        for name, module in list(sys.modules.items()):
            if not isinstance(module, types.ModuleType) or module.__name__ != name:
                continue
            if name in self.modules:
                found.append((module.__dict__, module))
                continue
            if id(module) not in self._found:
                continue
            found.append((module.__dict__, ("names_of", (module,), 0)))
            if name == "builtins" or name.startswith(PACKAGE):
                continue
            wanted = OF_SYS if name == "sys" else list(module.__dict__)
            for key in wanted:
                if (name, key) in BY_VALUE:
                    continue
                value = module.__dict__.get(key)
                if isinstance(value, NAMED) or type(value) in SIMPLE or key.startswith("__builtin"):
                    continue
                if self._program_made(value):
                    continue
                description: tuple[Any, ...] = ("attribute_of", (module, key), 0)
                if isinstance(value, LOCKS) and holder_of(value)[1]:
                    description += ("hold", holder_of(value))
                found.append((value, description))
        return found

    def _program_made(self, value: "Any") -> bool:
        kind = type(value)
        return kind.__module__ in self.modules and not isinstance(value, type)


LOCKS = (_thread.LockType, _thread.RLock)
OWNER = re.compile(r"owner=(\d+) count=(\d+)")


def holder_of(lock: "Any") -> tuple[int, int]:
    """The thread that holds a lock, if that is known, and how many times it does."""
    if isinstance(lock, _thread.LockType):
        return 0, int(lock.locked())
    found = OWNER.search(repr(lock))
    return (int(found[1]), int(found[2])) if found else (0, 0)


NAMED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
"""What has a name of its own, by which `heap.py` finds it."""


def is_c_class(one: type) -> bool:
    """Whether C code made a class."""
    return not native.is_python_class(one)
