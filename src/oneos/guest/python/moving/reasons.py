"""Why a program cannot move now, or not at all."""


class NotSafe(Exception):
    """The program cannot move as it is: the text says what is in the way.

    It goes on unharmed. Where `later` is true another moment may do, as when a C function is
    calling Python code; else it is an object that cannot move at all.
    """

    def __init__(self, reason: str, later: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.later = later


def cannot(what: str) -> NotSafe:
    """The refusal of an object."""
    return NotSafe(what, later=False)
