"""What a child of a warm interpreter renews: its standard descriptors, environment and streams.

Both kinds of warm interpreters load it, `zygote.py` as a module and `plain.py` as a text; it
imports nothing that a program would not have loaded.
"""

import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LOCALE = (b"LC_ALL", b"LC_CTYPE", b"LANG")
"""What says how text is encoded; the Runtime asks a warm interpreter only for programs with the
same. In the C locale the interpreter itself changes them as it starts, which a child must see
too."""


def aside(fd: int, dup: "Callable[[int], int]") -> int:
    """`fd` at a number that is no standard descriptor's."""
    return fd if fd > 2 else aside(dup(fd), dup)


def put_standard(
    received: list[int],
    dup: "Callable[[int], int]",
    dup2: "Callable[[int, int], object]",
    close: "Callable[[int], object]",
) -> int:
    """Have the first three of four descriptors at 0, 1 and 2; answers where the last one is."""
    # Until all are in place, none may lie where another belongs.
    *standard, private = [aside(fd, dup) for fd in received]
    for number, fd in enumerate(standard):
        dup2(fd, number)
        close(fd)
    return private


def take_environment(given: "list[list[bytes]]") -> None:
    """Have this environment and no other: Python's own and C's."""
    environment = posix.environ
    coerced = {name: environment[name] for name in LOCALE if name in environment}
    for name in list(environment):
        posix.unsetenv(name)
    environment.clear()
    environment.update((name, value) for name, value in given)
    environment.update(coerced)
    for name, value in environment.items():
        posix.putenv(name, value)
    time.tzset()


def make_streams(opening: "Any") -> None:
    """The standard streams anew, as the interpreter's C code makes them for these descriptors.

    Their encoding and errors depend on the locale alone, which is the same for child and parent.

    Args:
        opening: the interpreter's own `open`.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        old: Any = getattr(sys, name)
        buffered: Any = opening(fd, mode + "b", closefd=False)
        buffered.raw.name = f"<{name}>"
        lines = fd == 2 or buffered.raw.isatty()
        new: Any = type(old)(buffered, old.encoding, old.errors, "\n", lines)
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
