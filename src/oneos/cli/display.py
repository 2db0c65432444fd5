"""How verbs print: aligned tables, JSON, amounts. Plain text, the same into a pipe and a terminal.

Names and command lines come from other hosts and from programs, so nothing of them reaches the
terminal as a control sequence.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

_COLOURS = {
    "alive": "green",
    "running": "green",
    "suspected": "yellow",
    "dead": "red",
    "failed": "red",
    "none": "red",
}


def print_json(value: object) -> None:
    """Print a value that came by the local protocol; bytes that are no UTF-8 are escaped."""
    click.echo(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their heads.

    A head that starts with `>` is a column of numbers, aligned to the right. The last column is
    cut at the terminal's edge, and left whole where the output is no terminal.
    """
    right = [head.startswith(">") for head in heads]
    cells = [[head.lstrip(">") for head in heads], *([visible(c) for c in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for number, row in enumerate(cells):
        room = max(limit - sum(widths[:-1]) - 2 * (len(widths) - 1), 10)
        parts = []
        for i, cell in enumerate(row):
            if i == len(row) - 1:
                cell = cell if len(cell) <= room else cell[: room - 1] + "…"
            padded = cell.rjust(widths[i]) if right[i] else cell.ljust(widths[i])
            padded = padded.rstrip() if i == len(row) - 1 else padded
            # echo takes the colours out again where the output is no terminal.
            colour = _COLOURS.get(cell) if number else None
            parts.append(click.style(padded, fg=colour) if colour else padded)
        click.echo("  ".join(parts).rstrip())


def visible(value: object) -> str:
    """A value as text without control characters; empty and missing ones as `-`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, (list, tuple)):
        value = ",".join(visible(item) for item in value)
    text = "" if value is None else str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text or "-"


def size(count_bytes: int) -> str:
    """An amount of memory: `512 MiB`, `7.6 GiB`."""
    amount = float(count_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB" if amount < 1024 else f"{amount / 1024:.1f} TiB"


def duration(seconds: float) -> str:
    """How long, in one unit: `42 s`, `3 min`, `5 h`, `12 d`."""
    for limit, step, unit in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{max(seconds, 0) // step:.0f} {unit}"
    return f"{seconds // 86400:.0f} d"


def since(iso8601: str) -> str:
    """How long ago a moment was."""
    then = datetime.fromisoformat(iso8601)
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    return duration((datetime.now(UTC) - then).total_seconds())


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
