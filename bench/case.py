"""What a case is: rows to fill, and who does the work in each round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["s", "B/s", "B", "core", "x"]
Measured = Mapping[str, list[float]]
"""Samples by the name of the row, in the row's unit."""

ONEOS = "oneos"
NATIVE = "native"
SYNCED = "native, synced"
SSH = "ssh"
SSHFS = "sshfs"
SSHFS_SYNCED = "sshfs, synced"
CRIU = "criu"
PEERS = (NATIVE, SYNCED, SSH, SSHFS, SSHFS_SYNCED, CRIU)


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        name: what `--only` matches, such as `files.home.create`.
        unit: of the samples.
        what: one line on what was done.
        durable: what was safe on disks when the call returned; `-` where nothing is kept.
        target: the most it shall be (the least, for a rate), in the row's unit.
    """

    name: str
    unit: Unit
    what: str
    durable: str = "-"
    target: float | None = None

    @property
    def more_is_better(self) -> bool:
        """Whether it is a rate."""
        return self.unit == "B/s"

    def met(self, median: float | None) -> bool | None:
        """Whether a median keeps the target; None where there is nothing to say."""
        if median is None or self.target is None:
            return None
        return median >= self.target if self.more_is_better else median <= self.target


@dataclass(frozen=True)
class Case:
    """Rows that are measured together.

    Args:
        rows: what it fills.
        contenders: by name, the work of one round.
        missing: contenders that cannot take part here, with the reason in a word or two.
        rounds_max: fewer rounds than asked for, where one takes long.
        finish: what is to be undone in the end.
    """

    rows: tuple[Row, ...]
    contenders: Mapping[str, Callable[[], Measured]]
    missing: Mapping[str, str] = field(default_factory=dict)
    rounds_max: int | None = None
    finish: Callable[[], None] | None = None
