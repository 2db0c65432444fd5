"""How control leaves the usual order in a running script: the exceptions of the shell.

Each stands for one thing a script can do (`break`, `return`, `exit`) or that can happen to it
(an error that ends it, Ctrl-C). The executor raises and catches them; none reaches a user.
"""


class Control(Exception):
    """Any of them."""


class Break(Control):
    """Leave `levels` loops."""

    def __init__(self, levels: int) -> None:
        self.levels = levels


class Continue(Control):
    """Leave `levels - 1` loops and begin the next round of the one then reached."""

    def __init__(self, levels: int) -> None:
        self.levels = levels


class Return(Control):
    """Leave the function or the sourced script."""

    def __init__(self, status: int) -> None:
        self.status = status


class Exit(Control):
    """End the shell, or the subshell it is raised in."""

    def __init__(self, status: int) -> None:
        self.status = status


class Killed(Exit):
    """A signal ends the shell, or the subshell it is raised in, as it does other programs."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class Interrupted(Control):
    """Ctrl-C ended what ran: back to the prompt, or the end of a script."""


class ShellError(Control):
    """An error that ends a script, as POSIX says of expansion and of special builtins.

    At a prompt it ends the line. The executor prints the message where it was raised, on the
    standard error that was in force there, and marks it as reported.
    """

    def __init__(self, message: str, status: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reported = False


class RedirectError(ShellError):
    """A redirection failed: ends the command, and the script if it was a special builtin's."""
