"""Whether this shell is a program of the network itself, as in `sh -c ...` or a `#!/bin/sh` script.

The Runtime that starts such a shell tells in the environment who it is (docs/guest-protocol.md).
Then the shell begins where its parent was, with its parent's environment and its own PID, and
its script is a file of the tree. Otherwise it begins a session as a person does, at home.
"""

import os
from dataclasses import dataclass

from oneos.shell.state import Variable

_OWN = "ONEOS_"


@dataclass(frozen=True, slots=True)
class ProgramContext:
    """What the Runtime told a shell that it started."""

    pid: int
    token: str
    ppid: int
    cwd: str
    variables: dict[str, Variable]
    ignored: frozenset[int]
    """The signals that it is to begin with ignored."""


def program_context() -> ProgramContext | None:
    """The context this process was started in; None for a shell that a person started."""
    told = os.environ
    if not (told.get("ONEOS_TOKEN") and told.get("ONEOS_PID", "").isdigit()):
        return None
    parent = told.get("ONEOS_PPID", "")
    variables = {
        name: Variable(value, exported=True)
        for name, value in told.items()
        if not name.startswith(_OWN)
    }
    return ProgramContext(
        int(told["ONEOS_PID"]),
        told["ONEOS_TOKEN"],
        int(parent) if parent.isdigit() else 0,
        told.get("ONEOS_CWD") or "/",
        variables,
        frozenset(map(int, filter(None, told.get("ONEOS_IGNORED", "").split(",")))),
    )
