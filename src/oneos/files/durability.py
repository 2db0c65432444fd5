"""What is safe when a call returns, by directory: the rules of `/etc/oneos/storage.toml`.

A rule says of a directory and all below it when the content of files is committed, and how many
hosts hold it. Each of the two is taken from the nearest directory above a file that says it.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from oneos.errors import ConfigError
from oneos.limits import COPIES_MAX, PATH_BYTES_MAX, STORAGE_RULES_MAX
from oneos.toml_table import Table, parse_toml

RULES_PATH = b"/etc/oneos/storage.toml"
COMMIT, ASYNC = "commit", "async"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one directory says; None: what the nearest one above it says."""

    path: bytes
    durability: str | None = None
    copies: int | None = None


class Durability(NamedTuple):
    """What holds for one file.

    `later`: `close` does not wait for the commit. `copies`: how many hosts are to hold the content;
    0 is as many as the host's configuration says.
    """

    later: bool = False
    copies: int = 0


STRICT = Durability()
"""For a file of which nobody knows where it is."""

_BUILT_IN = (Rule(b"/tmp", ASYNC),)


class Rules:
    """Rules by directory.

    Args:
        rules: one for a directory; what they leave open is as built in: `/tmp` is `async`.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._of = {rule.path: rule for rule in (*_BUILT_IN, *rules)}

    def of(self, path: bytes) -> Durability:
        """What holds for the file with this path, which has no links in it; b"": unknown."""
        if not path:
            return STRICT
        durability = copies = None
        while path != b"/" and (durability is None or copies is None):
            path = path[: path.rfind(b"/")] or b"/"
            rule = self._of.get(path)
            if rule is not None:
                durability = durability or rule.durability
                copies = copies or rule.copies
        return Durability(durability == ASYNC, copies or 0)


def parse_rules(text: str, source: str) -> Rules:
    """The rules in a TOML text.

    Args:
        text: the whole file.
        source: its name, for messages.

    Raises:
        ConfigError: it is wrong; the message names the source and the line or key.
    """
    table = parse_toml(text, source)
    found: dict[bytes, Rule] = {}
    tables = table.array("directory")
    if len(tables) > STORAGE_RULES_MAX:
        raise table.error("directory", f"at most {STORAGE_RULES_MAX} directories have rules")
    for one in tables:
        rule = _rule(one)
        if rule.path in found:
            raise one.error("path", f'"{os.fsdecode(rule.path)}" has a rule already')
        found[rule.path] = rule
    table.close()
    return Rules(found.values())


def _rule(table: Table) -> Rule:
    path = table.string("path", "")
    if not path:
        raise table.error("path", "is missing", 'write path = "/srv/data"')
    if not path.startswith("/") or os.path.normpath(path) != path or path.startswith("//"):
        raise table.error(
            "path", f'"{path}" is no plain absolute path', "without //, . and .., no / at the end"
        )
    raw = path.encode("utf-8")
    if len(raw) >= PATH_BYTES_MAX:
        raise table.error("path", "is too long")
    durability = table.choice("durability", COMMIT, (COMMIT, ASYNC))
    copies = table.integer("copies", 1, 1, COPIES_MAX)
    rule = Rule(
        raw,
        durability if table.has("durability") else None,
        copies if table.has("copies") else None,
    )
    table.close()
    if rule.durability is None and rule.copies is None:
        raise table.error("path", "says nothing", 'write durability = "async", or copies = 3')
    return rule


def read_rules(data: bytes, source: str) -> Rules:
    """As `parse_rules`, of a file's bytes."""
    try:
        return parse_rules(data.decode("utf-8"), source)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{source}: line {line}: not UTF-8 text") from None
