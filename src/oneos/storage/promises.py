"""Which chunks a host must keep although no file may have them yet (`state.names_chunks`).

Whoever puts chunks, or asks whether they are here, reads `number` first and counts on the chunks
under it. While a collection goes on, what is asked about is noted, and is not removed: noting and
removing exclude each other, so that a chunk is either noted before it would go, or seen to be gone.
When no collection goes on nothing is removed, and nothing needs to be noted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from oneos.limits import COLLECT_PROMISED_MAX


class Promises:
    """See the module; may be called from any thread.

    `number`: of the last collection. It begins at the Runtime's incarnation, shifted, so that what
    was promised in an earlier life is void with the first collection of this one.
    """

    def __init__(self) -> None:
        self.number = 0
        self._lock = threading.Lock()
        self._promised: set[bytes] | None = None

    def born(self, incarnation: int) -> None:
        """Begin to count. Raises nothing; comes before anything is promised."""
        self.number = incarnation << 24

    def keep(self, digests: Iterable[bytes]) -> None:
        """Promise to keep these, before it is looked whether they are here."""
        if self._promised is None:
            # A collection that begins from here on voids what was promised before.
            return
        with self._lock:
            if self._promised is not None:
                self._promised.update(digests)
                if len(self._promised) > COLLECT_PROMISED_MAX:
                    # Kept are all of them, then: this collection is over.
                    self._promised = None

    def begin(self) -> int:
        """Begin a collection; its number."""
        with self._lock:
            self.number += 1
            self._promised = set()
            return self.number

    def end(self, number: int) -> None:
        """The collection of that number is over."""
        with self._lock:
            if number == self.number:
                self._promised = None

    @contextmanager
    def removing(self, number: int, digest: bytes) -> Iterator[bool]:
        """Whether a collection may remove a chunk: it goes on, and the chunk was not promised.

        Nothing is promised before the block ends.
        """
        with self._lock:
            kept = self._promised
            yield number == self.number and kept is not None and digest not in kept
