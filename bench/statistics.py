"""Medians, spreads and ratios of what was measured in rounds. Pure.

A round gives each contender some samples. Their median stands for the round, the median over the
rounds for the contender, and the ratio of two contenders is the median of the ratios within the
rounds: what slows a whole round down does not change it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass
class Samples:
    """What one contender gave for one row: a list of samples for each round."""

    rounds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, number: int, samples: Sequence[float]) -> None:
        """Keep the samples of a round; none are nothing measured."""
        if samples:
            self.rounds.setdefault(number, []).extend(samples)

    def medians(self) -> dict[int, float]:
        """The median of each round."""
        return {number: statistics.median(values) for number, values in self.rounds.items()}

    def median(self) -> float | None:
        """The median of the rounds' medians; None where nothing was measured."""
        medians = self.medians()
        return statistics.median(medians.values()) if medians else None

    def percentile(self, share: float) -> float | None:
        """The sample below which `share` (0 to 1) of all samples lie, by the nearest rank."""
        values = sorted(value for samples in self.rounds.values() for value in samples)
        return values[min(len(values) - 1, int(share * len(values)))] if values else None

    def spread(self) -> tuple[float, float] | None:
        """The least and the greatest of the rounds' medians."""
        medians = self.medians().values()
        return (min(medians), max(medians)) if medians else None


def ratio(ours: Samples, peer: Samples, *, more_is_better: bool = False) -> float | None:
    """How many times worse `ours` is than the peer: above 1 it costs more, or brings less.

    Only rounds that both took part in count; None where there is none, or the peer's is zero.
    """
    own, other = ours.medians(), peer.medians()
    ratios = []
    for number in own.keys() & other.keys():
        worse, better = own[number], other[number]
        if more_is_better:
            worse, better = better, worse
        if better > 0:
            ratios.append(worse / better)
    return statistics.median(ratios) if ratios else None


def summary(samples: Samples) -> Mapping[str, object]:
    """The figures of one contender for one row, for JSON."""
    spread = samples.spread()
    return {
        "median": samples.median(),
        "p95": samples.percentile(0.95),
        "rounds": [samples.medians()[number] for number in sorted(samples.rounds)],
        "spread": list(spread) if spread else None,
        "samples": sum(map(len, samples.rounds.values())),
    }
