"""Reads TOML into checked values, with errors a person can act on.

A `Table` is one table of a file. Its owner asks for each key it knows, with the type and the range
it accepts, and closes the table; what is left over then is a key nobody knows, most often a
spelling mistake, so the nearest known one is suggested. What is wrong is told with its line, which
is found in the text again, since the parser does not keep it. Which keys exist and what they mean
is the business of `config` and of `kernel.manifest`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Sequence
from typing import Any

from oneos.errors import ConfigError

_Lines = dict[tuple[str, int, str], int]
"""By header, the how many-th of it, and key: the line."""

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")


def parse_toml(text: str, source: str) -> Table:
    """The top table of a TOML text.

    Args:
        text: the whole file.
        source: the file's name as the reader knows it, for messages.

    Raises:
        ConfigError: the text is not TOML; the message names the line.
    """
    try:
        return Table(tomllib.loads(text), source, lines=_lines(text))
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        what = found[1] if found else str(error)
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        raise ConfigError(
            f"{source}: line {line}: {what[:1].lower()}{what[1:]}",
            hint="the file has to be TOML: key = value, strings in quotes",
        ) from None


class Table:
    """One table of a file, and which of its keys have been asked for.

    Args:
        values: what the parser gave.
        source: the file's name, for messages.
        name: the table's name in the file, "" for the top.
        lines: where the file's headers and keys stand.
        place: which table it is there: its header, and the how many-th of that header.
    """

    def __init__(
        self,
        values: dict[str, Any],
        source: str,
        name: str = "",
        lines: _Lines | None = None,
        place: tuple[str, int] = ("", 0),
    ) -> None:
        self.source = source
        self.name = name
        self._values = values
        self._known: list[str] = []
        self._lines = lines or {}
        self._place = place

    def error(self, key: str, message: str, hint: str = "") -> ConfigError:
        """A `ConfigError` about a key of this table, for the caller to raise."""
        # A key that is missing is told with the line of its table's header.
        line = self._lines.get((*self._place, key)) or self._lines.get((*self._place, ""))
        where = f" (line {line})" if line else ""
        return ConfigError(f"{self.source}: {self._path(key)}: {message}{where}", hint=hint)

    def has(self, key: str) -> bool:
        """Whether the file gives this key; asking makes it a known one."""
        self._known.append(key)
        return key in self._values

    def string(self, key: str, default: str) -> str:
        """A string that is not empty."""
        if not self.has(key):
            return default
        value = self._values[key]
        if not isinstance(value, str) or not value:
            raise self.error(key, f"expected a string, got {_show(value)}", f'write {key} = "..."')
        return value

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """A string out of a few."""
        value = self.string(key, default)
        if value not in choices:
            raise self.error(key, f"{_show(value)} is none of {', '.join(choices)}")
        return value

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        if not self.has(key):
            return default
        value = self._values[key]
        # A bool is an int to Python; nobody who writes `port = true` means 1.
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(
                key, f"expected a whole number from {low} to {high}, got {_show(value)}"
            )
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number, whole or not, from `low` to `high`, both included."""
        if not self.has(key):
            return default
        value = self._values[key]
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not low <= value <= high
        ):
            raise self.error(key, f"expected a number from {low:g} to {high:g}, got {_show(value)}")
        return float(value)

    def boolean(self, key: str, default: bool) -> bool:
        """`true` or `false`."""
        if not self.has(key):
            return default
        value = self._values[key]
        if not isinstance(value, bool):
            raise self.error(key, f"expected true or false, got {_show(value)}")
        return value

    def strings(self, key: str) -> list[str]:
        """A list of strings, empty where the key is absent."""
        if not self.has(key):
            return []
        value = self._values[key]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(
                key,
                f"expected a list of strings, got {_show(value)}",
                f'write {key} = ["...", ...]',
            )
        return value

    def string_or_strings(self, key: str, default: str) -> str | list[str]:
        """A string, or a list of strings."""
        if self.has(key) and isinstance(self._values[key], list):
            return self.strings(key)
        return self.string(key, default)

    def string_or_integer(self, key: str, low: int, high: int) -> str | int:
        """A string that is not empty, or a number from `low` to `high`; `low` where absent."""
        if self.has(key) and isinstance(self._values[key], str):
            return self.string(key, "")
        return self.integer(key, low, low, high)

    def inner(self, key: str) -> Table | None:
        """The table `key = {...}`, or None where the key is absent."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table, got {_show(value)}", f"write {key} = {{...}}")
        return Table(value, self.source, self._path(key), self._lines, self._place)

    def tables(self, key: str) -> dict[str, Table]:
        """The tables `[key.NAME]`, by NAME and in the file's order; empty where there is none."""
        if not self.has(key):
            return {}
        value = self._values[key]
        if not isinstance(value, dict):
            raise self.error(key, f"expected tables [{key}.NAME], got {_show(value)}")
        for name, inner in value.items():
            if not isinstance(inner, dict):
                raise self.error(f"{key}.{name}", f"expected a table, got {_show(inner)}")
        return {
            name: Table(
                inner,
                self.source,
                self._path(f"{key}.{name}"),
                self._lines,
                (self._path(f"{key}.{name}"), 1),
            )
            for name, inner in value.items()
        }

    def array(self, key: str) -> list[Table]:
        """The tables `[[key]]`, in the file's order; empty where there is none."""
        if not self.has(key):
            return []
        value = self._values[key]
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(
                key, f"expected tables [[{key}]], got {_show(value)}", f"write [[{key}]] above it"
            )
        return [
            Table(
                item,
                self.source,
                self._path(f"{key}[{at}]"),
                self._lines,
                (self._path(key), at),
            )
            for at, item in enumerate(value, start=1)
        ]

    def close(self) -> None:
        """Every known key has been asked for.

        Raises:
            ConfigError: the file gives a key that nobody asked for.
        """
        for key in self._values:
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                known = ", ".join(sorted(set(self._known)))
                raise self.error(
                    key,
                    "unknown key" + (f", did you mean {near[0]}?" if near else ""),
                    f"known here: {known}",
                )

    def _path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def _lines(text: str) -> _Lines:
    """Where each header, as the key "", and each key stands: as people write TOML, line by line."""
    found: _Lines = {}
    place = ("", 0)
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.fullmatch(line):
            name = header[1]
            place = (name, 1 + sum(known[0] == name and known[2] == "" for known in found))
            found[(*place, "")] = number
        elif key := _KEY.match(line):
            found.setdefault((*place, key[1]), number)
    return found


def _show(value: object) -> str:
    """A value as it stands in an error: short, in TOML's spelling where it matters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 40 else text[:37] + "..."
