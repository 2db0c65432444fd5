"""What this host keeps of names, by whom, and how they are made to drop it.

Two keep something: the kernel, for the name space, which the file process tells; and instrumented
programs, by their page (`files.kept`). The File System calls back what others change. What is
changed from here is seen to here, so that it costs no call back, unless the kernel keeps something
and did not make the change itself.
"""

from __future__ import annotations

from oneos.failpoints import reach
from oneos.files.kept import Generation
from oneos.kernel import messages as m
from oneos.net.routes import Peer, Routes
from oneos.runtime.namespace import NameSpace


class Recalls:
    """See the module.

    Args:
        generation: of what programs keep.
        namespace: of this host.
    """

    def __init__(self, generation: Generation, namespace: NameSpace) -> None:
        self.generation = generation
        self._namespace = namespace

    def serve(self, routes: Routes) -> None:
        """Answer the File System's `cache.recall`."""
        routes.add("cache.recall", self._on_recall, m.Recall, finish=True)

    async def _on_recall(self, peer: Peer, recall: m.Recall) -> None:
        reach("recall.begun")
        self.generation.advance()
        await self._namespace.recall(recall)
        reach("recall.done")

    def sees_to(self, by_kernel: bool) -> bool:
        """Whether a change that is asked for now need not be called back from this host.

        Args:
            by_kernel: this host's kernel makes it, and knows what it did.
        """
        return by_kernel or not self._namespace.keeps()

    async def changed(self, by_kernel: bool) -> None:
        """Drop what a change may have touched that this host said it sees to; whatever came of it.

        Args:
            by_kernel: as before.
        """
        self.generation.advance()
        if not by_kernel and self._namespace.keeps():
            # It was made meanwhile, and may have looked before the change was made.
            await self._namespace.recall(m.Recall([], everything=True))
