"""This host's part in a collection: which chunks it has, and removing those that no file has.

Which those are, the Storage service finds in the index (`kernel.collector`); what must stay all the
same, `storage.promises` knows.
"""

from __future__ import annotations

import asyncio

from oneos.kernel import messages as m
from oneos.net.routes import Peer, Routes
from oneos.storage.chunks import ChunkStore


class Collected:
    """See the module.

    Args:
        chunks: the chunks on this host's disk.
    """

    def __init__(self, chunks: ChunkStore) -> None:
        self._chunks = chunks

    def serve(self, routes: Routes) -> None:
        """Answer the Storage service's `collect.*`."""
        routes.add("collect.begin", self._on_begin, m.Nothing)
        routes.add("collect.list", self._on_list, m.CollectList)
        routes.add("collect.remove", self._on_remove, m.CollectRemove, finish=True)
        routes.add("collect.end", self._on_end, m.CollectEnd)

    async def _on_begin(self, peer: Peer, message: m.Nothing) -> int:
        return self._chunks.promises.begin()

    async def _on_list(self, peer: Peer, message: m.CollectList) -> list[bytes]:
        return await asyncio.to_thread(lambda: list(self._chunks.digests(message.first)))

    async def _on_remove(self, peer: Peer, message: m.CollectRemove) -> tuple[int, int]:
        removed = await asyncio.to_thread(self._chunks.collect, message.number, message.digests)
        return removed.chunks, removed.bytes

    async def _on_end(self, peer: Peer, message: m.CollectEnd) -> None:
        self._chunks.promises.end(message.number)
