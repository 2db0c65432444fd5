"""What a store of chunks found damaged, counted, and what of it is whole again.

A chunk that was put aside counts as made good when it is put again, whoever does that: the repair,
a read that fetched it, or a commit of the same content. The counts are those of this life of the
Runtime; whoever keeps them longer (`files.scrubber`) sets them at the start.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from oneos.limits import DAMAGE_KNOWN_MAX


class Damage:
    """See the module; may be called from any thread.

    `found` and `repaired` are the counts. `on_found` is called after each find, in the thread that
    made it.

    Args:
        lacking: what an earlier life put aside, and is not there.
    """

    def __init__(self, lacking: Iterable[bytes] = ()) -> None:
        self.found = 0
        self.repaired = 0
        self.on_found: Callable[[], None] = _nobody
        self._lacking = set(lacking)
        self._lock = threading.Lock()

    def note(self, digest: bytes) -> None:
        """A chunk was found damaged and put aside."""
        with self._lock:
            self.found += 1
            # Beyond the bound it is repaired as well, and not counted as that.
            if len(self._lacking) < DAMAGE_KNOWN_MAX:
                self._lacking.add(digest)
        self.on_found()

    def put(self, digest: bytes) -> None:
        """A chunk was put that was not there."""
        if digest not in self._lacking:
            return
        with self._lock:
            if digest in self._lacking:
                self._lacking.discard(digest)
                self.repaired += 1


def _nobody() -> None:
    """Nobody asks to be told."""
