"""Very many names of chunks in little memory: the first eight bytes of each, in sorted arrays.

Two names that begin alike are taken for one; among 8 million that happens once in a million sets.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left


class Digests:
    """A set of names; `seal` comes between the last `add` and the first question."""

    def __init__(self) -> None:
        self._by_first = [array("Q") for _ in range(256)]

    def add(self, digest: bytes) -> None:
        """Enter a name; one that is entered twice takes twice the memory."""
        self._by_first[digest[0]].append(int.from_bytes(digest[:8], "big"))

    async def seal(self) -> None:
        """Sort what was added, with a turn for everybody else in between."""
        for first in range(256):
            self._by_first[first] = array("Q", sorted(self._by_first[first]))
            await asyncio.sleep(0)

    def __contains__(self, digest: bytes) -> bool:
        return self._has(digest[0], int.from_bytes(digest[:8], "big"))

    def _has(self, first: int, value: int) -> bool:
        of = self._by_first[first]
        at = bisect_left(of, value)
        return at < len(of) and of[at] == value

    def __len__(self) -> int:
        return sum(len(one) for one in self._by_first)

    async def count_in(self, other: Digests) -> int:
        """How many of these are among the others; with a turn for everybody else in between."""
        count = 0
        for first, values in enumerate(self._by_first):
            count += sum(other._has(first, value) for value in values)
            await asyncio.sleep(0)
        return count
