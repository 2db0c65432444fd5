"""Why a program cannot move now, or not at all."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class NotSafe(Exception):
    """The program cannot move as it is: the text says what is in the way.

    It goes on unharmed. Where `later` is true another moment may do, as when a C function is
    calling Python code; else it is an object that cannot move at all.
    """

    def __init__(self, reason: str, later: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.later = later
        self.wanted: Callable[[Any], bool] | None = None
        """Which object of the program it is, where that can be said: `reaching.py` finds it."""


def cannot(what: str, wanted: "Callable[[Any], bool] | None" = None) -> NotSafe:
    """The refusal of an object."""
    error = NotSafe(what, later=False)
    error.wanted = wanted
    return error
