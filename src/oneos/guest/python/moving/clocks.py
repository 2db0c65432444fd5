"""Clocks that count from some start go on from where they were, on whatever host.

`time.monotonic` counts from the start of a host, `time.process_time` from that of a process. Where
a program goes on they are replaced by functions that add what is missing. On the same host, since
its last start, the first needs nothing.
"""

import sys
import time

import oneos_moving as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CLOCKS = ("monotonic", "perf_counter", "process_time")
NS = 1_000_000_000
_real = {name: getattr(time, name) for clock in CLOCKS for name in (clock, f"{clock}_ns")}


def boot() -> str:
    """Which start of which host this is: its monotonic clock is good for no other."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def read() -> "dict[str, Any]":
    """What the clocks show, for the facts of an image."""
    return {
        "boot": boot(),
        "time": time.time(),
        **{clock: getattr(time, f"{clock}_ns")() for clock in CLOCKS},
    }


def go_on(then: "dict[str, Any]") -> None:
    """Have the clocks show what they would, if the program had waited where it was.

    Args:
        then: what `read` answered there.
    """
    # Between hosts only the time of day says how long it was on its way.
    gone = max(0, int((time.time() - then["time"]) * NS))
    same = then["boot"] != "" and then["boot"] == boot()
    replaced = {}
    for clock in CLOCKS:
        shifted = time.__dict__[f"{clock}_ns"] is not _real[f"{clock}_ns"]
        if clock != "process_time" and same and not shifted:
            continue
        wanted = then[clock] + (0 if clock == "process_time" else gone)
        more = wanted - _real[f"{clock}_ns"]()
        for name, amount in ((clock, more / NS), (f"{clock}_ns", more)):
            one = native.shifted_clock(name, _real[name], amount)
            replaced[id(time.__dict__[name])] = one
    # Modules that were loaded before may have the function under a name of their own.
    for module in list(sys.modules.values()):
        space = getattr(module, "__dict__", None)
        if space is None or module is sys.modules[__name__]:
            continue
        for name, value in list(space.items()):
            if id(value) in replaced:
                space[name] = replaced[id(value)]
