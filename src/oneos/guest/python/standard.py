"""Where a program finds the record streams: `json` and `segment` of its standard streams.

What stands there at first is an empty object, which turns into the real one, of `records.py`, when
the program first does something with it: a program that never does has loaded nothing.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OFFERED = {"stdin": ("json", "segment"), "stdout": ("json", "segment"), "stderr": ("json",)}


class Record:
    """One record stream, as yet untouched.

    Args:
        stream: the standard stream it belongs to.
        name: that stream's name in `sys`.
        kind: `json` or `segment`.
    """

    def __init__(self, stream: "Any", name: str, kind: str) -> None:
        self._stream, self._kind = stream, (name, kind)

    def _open(self) -> None:
        """Called once, when the program first touches it."""

    def __getattr__(self, name: str) -> "Any":
        if type(self) is not Record or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._touch(), name)

    def __iter__(self) -> "Any":
        return iter(self._touch())

    def __next__(self) -> "Any":
        return next(self._touch())

    def _touch(self) -> "Any":
        from .records import CLASSES

        kind = CLASSES[self._kind]
        if type(self) is Record:
            # Opened first: another thread shall find it whole.
            kind._open(self)
            self.__class__ = kind
        return self


def install() -> None:
    """Give the standard streams their record streams."""
    for name, kinds in OFFERED.items():
        stream = getattr(sys, name)
        if stream is not None:  # A program may be started without one.
            for kind in kinds:
                setattr(stream, kind, Record(stream, name, kind))
