"""Runs a case: rounds in which every contender has a turn, each round beginning with another one.

A contender that fails is out, with its error in one line, and the rest goes on: one thing that does
not work must not hide the other figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.case import Case, Row
from bench.statistics import Samples

Say = Callable[[str], None]


@dataclass
class Outcome:
    """A row and what each contender gave for it, or why it gave nothing."""

    row: Row
    samples: dict[str, Samples] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def run(case: Case, rounds: int, say: Say) -> list[Outcome]:
    """Measure one case. Raises nothing of what a contender raises."""
    outcomes = {row.name: Outcome(row, missing=dict(case.missing)) for row in case.rows}
    names = list(case.contenders)
    failed: dict[str, str] = {}
    rounds = min(rounds, case.rounds_max or rounds)
    try:
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                if name in failed:
                    continue
                began = time.monotonic()
                try:
                    measured = case.contenders[name]()
                except Exception as error:
                    failed[name] = f"failed: {str(error) or type(error).__name__}"
                    say(f"    {name} {failed[name]}")
                    continue
                for row, values in measured.items():
                    outcomes[row].samples.setdefault(name, Samples()).add(number, values)
                say(f"    round {number + 1}/{rounds} {name}: {time.monotonic() - began:.1f} s")
    finally:
        if case.finish is not None:
            case.finish()
    for outcome in outcomes.values():
        outcome.missing.update(failed)
    return list(outcomes.values())
