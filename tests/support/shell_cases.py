"""Scripts whose outcome must be what dash makes of them: output, kind of message, status.

They stand in shell_cases.txt: each begins with `=== its name`, and may have input after a line
of dashes. Each uses only what both a POSIX system and the tree's `/bin` have, and names its
files relative to an empty current directory, so the same table runs against any Runtime.
"""

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One script; `exact` says that its standard error must agree to the byte."""

    name: str
    script: str
    given: str
    exact: bool


def _load() -> dict[str, Case]:
    with open(os.path.splitext(__file__)[0] + ".txt", encoding="utf-8") as file:
        text = file.read()
    found: dict[str, Case] = {}
    for section in re.split(r"^#### ", text, flags=re.MULTILINE)[1:]:
        for block in re.split(r"^=== ", section, flags=re.MULTILINE)[1:]:
            name, _, rest = block.partition("\n")
            script, _, given = rest.removesuffix("\n").partition("\n----\n")
            script = script.removesuffix("\n") if not given else script
            assert name not in found, f"two cases are called {name!r}"
            found[name] = Case(name, script, given, section.startswith("exact"))
    return found


CASES = _load()
