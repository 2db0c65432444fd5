"""Many pieces into the store, one after the other: some are hashed while the disk takes others.

What a cut does with a large file, and a host with what another one sends it. All calls block, and
come from one thread.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from oneos.limits import CUT_GROUP
from oneos.storage.chunks import ChunkStore, Offer, Put


class Keeper:
    """Puts pieces into the store, a group at a time, and remembers which were new.

    A context, which ends with nothing under way.

    Args:
        known: names of pieces that count as there if the store has them, without comparing bytes.
        offer: is shown the pieces that were not there, before the disk is waited for.
        cached: large contents may stay in the kernel's memory, too.
    """

    def __init__(
        self, chunks: ChunkStore, known: set[bytes], offer: Offer | None, cached: bool = False
    ) -> None:
        self._chunks = chunks
        self._offer = offer
        self._cached = cached
        self._known = known
        self._group: list[tuple[bytes, bytes]] = []
        self._writer: ThreadPoolExecutor | None = None
        self._writing: Future[list[Put]] | None = None
        self.new: dict[bytes, None] = {}

    def __enter__(self) -> Keeper:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.shutdown()

    def keep(self, piece: bytes) -> bytes:
        """Answers the piece's name; it is safe after the next `flush`."""
        digest = hashlib.sha256(piece).digest()
        # What an earlier cut of this file has put is not read again to compare it.
        if digest not in self._known or not self._chunks.has(digest):
            self._known.add(digest)
            self._group.append((digest, piece))
            if len(self._group) == CUT_GROUP:
                self._begin()
        return digest

    def _begin(self) -> None:
        """Have the group written while the next one is gathered; one at a time."""
        self._end()
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="cut")
        self._writing = self._writer.submit(
            self._chunks.put_named, self._group, self._offer, cached=self._cached
        )
        self._group = []

    def _end(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            self._note(writing.result())

    def flush(self) -> None:
        """Make all that was kept safe."""
        self._end()
        self._note(self._chunks.put_named(self._group, self._offer))
        self._group = []

    def _note(self, puts: list[Put]) -> None:
        for put in puts:
            if put.new:
                self.new[put.digest] = None
