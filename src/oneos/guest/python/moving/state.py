"""What the interpreter and the standard library keep for a program outside of its own objects.

Each part is a pair of functions: one reads the state for an image, the other puts it in place where
the program goes on. Modules are only looked at if the program has loaded them.
"""

import builtins
import gc
import os
import sys

import oneos_moving as native

from . import futures, registries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

IN_SYS: "tuple[str, ...]" = (
    "stdin",
    "stdout",
    "stderr",
    "excepthook",
    "displayhook",
    "unraisablehook",
    "ps1",
    "ps2",
)
IN_SYS += ("tracebacklimit", "last_type", "last_value", "last_traceback", "dont_write_bytecode")
REPLACEABLE = ("print", "open", "input", "__import__", "_")


def save_sys() -> "dict[str, Any]":
    return {
        "names": {name: getattr(sys, name) for name in IN_SYS if hasattr(sys, name)},
        "argv": list(sys.argv),
        "orig_argv": list(sys.orig_argv),
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
        "digits": sys.get_int_max_str_digits(),
        "executable": sys.executable,
    }


def load_sys(state: "dict[str, Any]") -> None:
    for name, value in state["names"].items():
        if getattr(sys, name, native.Nothing) is not value:
            setattr(sys, name, value)
    sys.argv[:] = state["argv"]
    sys.setrecursionlimit(state["recursion"])
    sys.setswitchinterval(state["switch"])
    sys.set_int_max_str_digits(state["digits"])


def save_process() -> "dict[str, Any]":
    with open("/proc/self/status", "rb") as file:
        mask = next((one for one in file if one.startswith(b"Umask:")), b"Umask: 0022")
    return {
        "environment": dict(os.environ._data),  # type: ignore[attr-defined]
        "directory": os.getcwd(),
        "mask": int(mask.split()[1], 8),
    }


def load_process(state: "dict[str, Any]") -> None:
    data = os.environ._data  # type: ignore[attr-defined]
    for name in [name for name in data if name not in state["environment"]]:
        os.unsetenv(name)
        del data[name]
    for name, value in state["environment"].items():
        if data.get(name) != value:
            os.putenv(name, value)
            data[name] = value
    os.chdir(state["directory"])
    os.umask(state["mask"])


def save_collector() -> "tuple[Any, ...]":
    return gc.get_threshold()


def load_collector(state: "tuple[Any, ...]") -> None:
    gc.set_threshold(*state)


def save_signals() -> "dict[int, Any]":
    import _signal

    found = {}
    for number in range(1, getattr(_signal, "NSIG", 65)):
        handler = _signal.getsignal(number)
        if callable(handler) and handler is not _signal.default_int_handler:
            found[number] = handler
        elif handler == 1 and number not in (13, 25):  # Ignored; Python itself does these.
            found[number] = 1
        elif number == 2 and handler == 0:
            found[number] = 0
    return found


def load_signals(state: "dict[int, Any]") -> None:
    import _signal

    for number, handler in state.items():
        _signal.signal(number, handler)


def save_random() -> "Any":
    module = sys.modules.get("random")
    return module._inst.getstate() if module else None


def load_random(state: "Any") -> None:
    if state is not None:
        import random

        random._inst.setstate(state)


def save_warnings() -> "Any":
    module: Any = sys.modules.get("warnings")
    if module is None:
        return None
    shown = module.showwarning, module._showwarnmsg_impl
    return list(module.filters), shown, dict(getattr(module, "onceregistry", {}))


def load_warnings(state: "Any") -> None:
    if state is None:
        return
    import warnings

    filters, show, once = state
    warnings.filters[:] = filters  # type: ignore[index]
    warnings.showwarning, warnings._showwarnmsg_impl = show  # type: ignore[attr-defined]
    warnings.onceregistry.update(once)  # type: ignore[attr-defined]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def save_logging() -> "Any":
    """Its root and its table of loggers are objects of the module; their content is here."""
    module: Any = sys.modules.get("logging")
    if module is None:
        return None
    manager = module.Logger.manager
    return {
        "root": dict(module.root.__dict__),
        "manager": dict(manager.__dict__),
        "handlers": list(module._handlerList),
        "names": dict(module._handlers),
        "levels": (dict(module._levelToName), dict(module._nameToLevel)),
        "raise": module.raiseExceptions,
        "classes": (module._loggerClass, module._logRecordFactory),
    }


def load_logging(state: "Any") -> None:
    if state is None:
        return
    import logging

    module: Any = logging
    module.root.__dict__.update(state["root"])
    manager = module.Logger.manager
    manager.__dict__.update(state["manager"])
    module._handlerList[:] = state["handlers"]
    module._handlers.clear()
    module._handlers.update(state["names"])
    module._levelToName.update(state["levels"][0])
    module._nameToLevel.update(state["levels"][1])
    module.raiseExceptions = state["raise"]
    module._loggerClass, module._logRecordFactory = state["classes"]


def save_locale() -> "Any":
    module: Any = sys.modules.get("_locale")
    return module.setlocale(module.LC_ALL, None) if module else None


def load_locale(state: "Any") -> None:
    if state is not None:
        import _locale as module

        _locale: Any = module
        if _locale.setlocale(_locale.LC_ALL, None) != state:
            try:
                _locale.setlocale(_locale.LC_ALL, state)
            except _locale.Error:
                raise ValueError(f"this host has no locale {state}") from None


def save_builtins() -> "dict[str, Any]":
    space = vars(builtins)
    return {name: space[name] for name in REPLACEABLE if name in space}


def load_builtins(state: "dict[str, Any]") -> None:
    for name, value in state.items():
        if getattr(builtins, name, native.Nothing) is not value:
            setattr(builtins, name, value)


def save_exits() -> "list[Any]":
    return native.exits()  # type: ignore[no-any-return]


def load_exits(state: "list[Any]") -> None:
    import atexit

    atexit._clear()
    for function, arguments, named in state:
        atexit.register(function, *arguments, **(named or {}))


def save_tempfile() -> "Any":
    module: Any = sys.modules.get("tempfile")
    return (module.tempdir, module._name_sequence is not None) if module else None


def load_tempfile(state: "Any") -> None:
    if state is None:
        return
    import tempfile

    module: Any = tempfile
    module.tempdir, is_named = state
    if is_named and module._name_sequence is None:
        # Not by what makes it otherwise: the program may hold the lock for that.
        module._name_sequence = module._RandomNameSequence()


PARTS: "dict[str, tuple[Callable[[], Any], Callable[[Any], None]]]" = {
    "process": (save_process, load_process),
    "locale": (save_locale, load_locale),
    "sys": (save_sys, load_sys),
    "builtins": (save_builtins, load_builtins),
    "random": (save_random, load_random),
    "warnings": (save_warnings, load_warnings),
    "logging": (save_logging, load_logging),
    "asynchronous": (futures.save, futures.load),
    "tempfile": (save_tempfile, load_tempfile),
    "exits": (save_exits, load_exits),
    "signals": (save_signals, load_signals),
    "collector": (save_collector, load_collector),
    "registries": (registries.save, registries.load),
}


def save() -> "dict[str, Any]":
    return {name: part[0]() for name, part in PARTS.items()}


def load(state: "dict[str, Any]") -> None:
    for name, part in PARTS.items():
        if name in state:
            part[1](state[name])
