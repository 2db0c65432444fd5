"""The table that people read, and the JSON that programs read. Pure.

The JSON's form is stable: `{"version", "machine", "options", "rows": [{"name", "unit", "what",
"durable", "target", "met", "oneos": figures, "peers": {name: figures + "ratio"}, "missing":
{name: reason}}]}`; units are seconds, bytes, bytes per second, cores and times as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.case import CRIU, ONEOS, PEERS, Unit
from bench.rounds import Outcome
from bench.statistics import Samples, ratio, summary

_TIMES = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "us", 1e6))


def quantity(value: float | None, unit: Unit) -> str:
    """A figure with three digits and a unit that suits it: 0.0123 s is 12.3 ms."""
    if value is None:
        return "-"
    if unit == "core":
        return f"{value * 100:.2f} %"
    if unit == "x":
        return f"x{value:.3f}"
    if unit == "s":
        name, factor = next((n, f) for least, n, f in _TIMES if value >= least)
        return f"{_digits(value * factor)} {name}"
    suffix = "/s" if unit == "B/s" else ""
    for least, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= least:
            return f"{_digits(value / least)} {name}{suffix}"
    return f"{_digits(value)} B{suffix}"


def _digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def peer_ratio(outcome: Outcome, peer: str) -> float | None:
    """How many times worse OneOS is than a peer, if both were measured."""
    samples = outcome.samples
    if ONEOS not in samples or peer not in samples:
        return None
    more_is_better = outcome.row.more_is_better
    return ratio(samples[ONEOS], samples[peer], more_is_better=more_is_better)


def cells(outcomes: Iterable[Outcome]) -> list[list[str]]:
    """The table's cells, the heading first."""
    outcomes = list(outcomes)
    has_criu = any(CRIU in one.samples or CRIU in one.missing for one in outcomes)
    peers = [peer for peer in PEERS if peer != CRIU or has_criu]
    lines = [["what", "oneos", *peers, "target", "durable when it returned"]]
    for outcome in outcomes:
        row = outcome.row
        own = outcome.samples.get(ONEOS, Samples()).median()
        line = [row.name, quantity(own, row.unit) if own is not None else _why(outcome, ONEOS)]
        for peer in peers:
            median = outcome.samples.get(peer, Samples()).median()
            if median is None:
                line.append(_why(outcome, peer))
                continue
            times = peer_ratio(outcome, peer)
            shown = f" (x{_digits(times)})" if times is not None else ""
            line.append(quantity(median, row.unit) + shown)
        line += [_target(outcome, own), row.durable]
        lines.append(line)
    return lines


def _why(outcome: Outcome, contender: str) -> str:
    reason = outcome.missing.get(contender, "-")
    return "failed" if reason.startswith("failed") else reason


def _target(outcome: Outcome, own: float | None) -> str:
    row = outcome.row
    if row.target is None:
        return "-"
    sign = ">=" if row.more_is_better else "<="
    verdict = {True: "met", False: "MISSED", None: "?"}[row.met(own)]
    return f"{sign} {quantity(row.target, row.unit)}: {verdict}"


def table(lines: Sequence[Sequence[str]]) -> str:
    """Cells as a Markdown table with aligned columns."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rendered = []
    for number, line in enumerate(lines):
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        rendered.append("| " + " | ".join(padded) + " |")
        if number == 0:
            rendered.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rendered)


def document(
    outcomes: Iterable[Outcome], machine: Mapping[str, object], options: Mapping[str, object]
) -> dict[str, Any]:
    """Everything that was measured, for `--json`."""
    rows = []
    for outcome in outcomes:
        row = outcome.row
        own = outcome.samples.get(ONEOS)
        peers = {
            peer: {**summary(outcome.samples[peer]), "ratio": peer_ratio(outcome, peer)}
            for peer in PEERS
            if peer in outcome.samples
        }
        rows.append(
            {
                "name": row.name,
                "unit": row.unit,
                "what": row.what,
                "durable": row.durable,
                "target": row.target,
                "met": row.met(own.median() if own else None),
                "oneos": summary(own) if own else None,
                "peers": peers,
                "missing": outcome.missing,
            }
        )
    return {"version": 1, "machine": dict(machine), "options": dict(options), "rows": rows}
