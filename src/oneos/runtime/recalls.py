"""What this host keeps of names, by whom, and how they are made to drop it.

Two keep something: the kernel, for the name space and for what `oneos mount` shows, which their
processes tell; and instrumented programs, by their page (`files.kept`). The File System calls back
what others change. What is changed from here is seen to here, so that it costs no call back, unless
a kernel keeps something that did not make the change itself.
"""

from __future__ import annotations

import asyncio

from oneos.failpoints import reach
from oneos.files.kept import Generation
from oneos.kernel import messages as m
from oneos.net.routes import Peer, Routes
from oneos.runtime.mounts import Mounts
from oneos.runtime.namespace import NameSpace


class Recalls:
    """See the module.

    Args:
        generation: of what programs keep.
        namespace: of this host.
        mounts: of the tree, on this host.
    """

    def __init__(self, generation: Generation, namespace: NameSpace, mounts: Mounts) -> None:
        self.generation = generation
        self._namespace = namespace
        self._mounts = mounts

    def serve(self, routes: Routes) -> None:
        """Answer the File System's `cache.recall`."""
        routes.add("cache.recall", self._on_recall, m.Recall, finish=True)

    async def _on_recall(self, peer: Peer, recall: m.Recall) -> None:
        reach("recall.begun")
        self.generation.advance()
        await self._recall(recall)
        reach("recall.done")

    async def _recall(self, recall: m.Recall) -> None:
        await asyncio.gather(self._namespace.recall(recall), self._mounts.recall(recall))

    async def drop_idle(self, ino: int) -> None:
        """Have a file closed that is kept open here for whoever opens it next."""
        await asyncio.gather(self._namespace.drop_idle(ino), self._mounts.drop_idle(ino))

    def _kernels(self) -> int:
        """How many keep something: a kernel counts once for each thing that is mounted."""
        return self._namespace.keeps() + len(self._mounts)

    def sees_to(self, by_kernel: bool) -> bool:
        """Whether a change that is asked for now need not be called back from this host.

        Args:
            by_kernel: this host's kernel makes it, and knows what it did.
        """
        # Of two mounts one knows nothing of what is changed through the other.
        return self._kernels() <= (1 if by_kernel else 0)

    async def changed(self, by_kernel: bool) -> None:
        """Drop what a change may have touched that this host said it sees to; whatever came of it.

        Args:
            by_kernel: as before.
        """
        self.generation.advance()
        if not self.sees_to(by_kernel):
            # It was made meanwhile, and may have looked before the change was made.
            await self._recall(m.Recall([], everything=True))
