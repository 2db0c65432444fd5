"""Amounts as people write them: sizes and times."""

from __future__ import annotations

import re

_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_TIMES = {"": 1, "s": 1, "m": 60, "h": 3600}


def size(text: str) -> int:
    """Bytes: `64M`, `1.5G`. Raises ValueError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?", text.lower())
    if match is None:
        raise ValueError(f"{text!r} is no amount: write 64M or 1.5G")
    return int(float(match[1]) * _SIZES[match[2]])


def seconds(text: str) -> float:
    """Seconds: `10s`, `5m`. Raises ValueError."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", text.lower())
    if match is None:
        raise ValueError(f"{text!r} is no time: write 10s or 5m")
    return float(match[1]) * _TIMES[match[2]]
