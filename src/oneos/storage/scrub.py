"""When which chunk of a host is read again: the plan of a scrub, and where it has come to.

Chunks are named by hashes, so their names are spread evenly: when a third of the period has gone
by, all whose names lie in the first third should have been read. So the plan needs no list and no
count, and goes on where it was after any stop: what fell due meanwhile is read then, no faster than
`pause_s` allows. The clock is the caller's. `test_scrub.py` shows it with one that is turned.
"""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from oneos.limits import SCRUB_BYTES_PER_S_MAX, SCRUB_SHARE

KEYS = 1 << 32
"""Places a chunk can have, by the first four bytes of its name."""


def key(digest: bytes) -> int:
    """A chunk's place."""
    return int.from_bytes(digest[:4], "big")


class Progress(Struct):
    """What is kept over a restart.

    `begun_s` is when the present pass began, by a clock that goes on while the host is off; chunks
    below `place` were read in it. `passes` were finished before. `found` and `repaired` are the
    counts of `storage.damage`, of all lives.
    """

    begun_s: float
    place: int = 0
    passes: int = 0
    found: int = 0
    repaired: int = 0

    @classmethod
    def load(cls, path: str, now_s: float) -> Progress:
        """What was saved last; a new pass where nothing was, or nothing that can be read."""
        try:
            with open(path, "rb") as file:
                found = msgspec.json.decode(file.read(), type=cls)
            return found if 0 <= found.place <= KEYS else cls(now_s)
        except (OSError, msgspec.MsgspecError):
            return cls(now_s)

    def save(self, path: str) -> None:
        """Write it down. A power cut may take it back to what was saved before."""
        part = path + ".part"
        with open(part, "wb") as file:
            file.write(msgspec.json.encode(self))
        os.replace(part, path)

    def window(self, period_s: float, now_s: float) -> tuple[int, int]:
        """Which places are due: from the first, included, to the second, not included."""
        done_s = self.place / KEYS * period_s
        if now_s < self.begun_s + done_s:
            # The clock was put back, or the period is longer than it was: on from here, evenly.
            self.begun_s = now_s - done_s
        due = int(min((now_s - self.begun_s) / period_s, 1.0) * KEYS)
        return self.place, max(due, self.place)

    def done(self, place: int, now_s: float) -> None:
        """All below `place` have been read; after the last one another pass begins."""
        self.place = place
        if place >= KEYS:
            self.place, self.passes, self.begun_s = 0, self.passes + 1, now_s


def pause_s(size_bytes: int, taken_s: float) -> float:
    """How long to leave the disk alone after a chunk.

    Args:
        size_bytes: of the chunk.
        taken_s: how long it took to read, so how slow or busy the disk is.
    """
    by_share = taken_s * (1 / SCRUB_SHARE - 1)
    by_rate = size_bytes / SCRUB_BYTES_PER_S_MAX - taken_s
    return max(by_share, by_rate, 0.0)
