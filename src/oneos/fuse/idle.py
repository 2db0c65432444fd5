"""Files that were closed a moment ago, kept open for whoever opens them next.

Programs open the same few files again and again; each time the Runtime would look the file up and
open it anew. So a file that was open for reading stays so for some seconds, unless it loses its
name or another host asks for its home, which gets it at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from oneos.errors import OneOSError
from oneos.fuse.nodes import Node
from oneos.fuse.opened import Backings, HomeFile, OpenFile
from oneos.fuse.openings import Openings
from oneos.limits import FUSE_IDLE_MAX, FUSE_IDLE_S

log = logging.getLogger(__name__)


class IdleFiles:
    """See the module. Any thread may call.

    Args:
        openings: hears what is closed for good.
        backings: what the kernel reads files by, given back when they are closed for good.
        commit: has it count for a successor what the calling thread has done.
    """

    def __init__(self, openings: Openings, backings: Backings, commit: Callable[[], None]) -> None:
        self._openings = openings
        self._backings = backings
        self._commit = commit
        self._lock = threading.Lock()
        self._files: OrderedDict[Node, tuple[HomeFile, float]] = OrderedDict()
        self._surplus: list[tuple[Node, HomeFile]] = []
        self._some = threading.Event()
        threading.Thread(target=self._run, name="idle files", daemon=True).start()

    def has_room(self, node: Node) -> bool:
        """Whether a file of a node can be kept; it stays so until that thread puts one."""
        return node not in self._files and len(self._surplus) < FUSE_IDLE_MAX

    def put(self, node: Node, file: HomeFile) -> None:
        """Keep a file that nobody has open any more, where there is room.

        Takes no time: what is to be closed for it, a thread of this class closes.
        """
        with self._lock:
            self._files[node] = file, time.monotonic()
            if len(self._files) > FUSE_IDLE_MAX:
                oldest, (its_file, _) = self._files.popitem(last=False)
                self._surplus.append((oldest, its_file))
        if not self._some.is_set():
            self._some.set()

    def take(self, node: Node) -> HomeFile | None:
        """The file of a node, if it is kept; it is the caller's then."""
        with self._lock:
            entry = self._files.pop(node, None)
        return entry[0] if entry is not None else None

    def forgotten(self, node: Node) -> None:
        """The kernel does not know a node any more, so nobody takes its file. Takes no time."""
        file = self.take(node)
        if file is not None:
            with self._lock:
                self._surplus.append((node, file))
            self._some.set()

    def drop_surplus(self) -> None:
        """Close what nobody takes any more."""
        with self._lock:
            over, self._surplus = self._surplus, []
        for node, file in over:
            self.close(node, file)

    def drop(self, node: Node) -> None:
        """Close a node's file: it has lost its name, or another host wants to be its home."""
        file = self.take(node)
        if file is not None:
            self.close(node, file)

    def close(self, node: Node, file: OpenFile) -> None:
        """Close a file for good."""
        self._openings.over(file)
        if file.backing:
            self._backings.give_back(node)
        try:
            file.close()
        except (OneOSError, OSError) as error:
            # Programs learn of it from close(2), which came before; here nobody listens.
            log.warning("a file was not closed in order: %s", error)

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_TICK_S)
            with self._lock:
                before = time.monotonic() - FUSE_IDLE_S
                while self._files and next(iter(self._files.values()))[1] < before:
                    node, (file, _) = self._files.popitem(last=False)
                    self._surplus.append((node, file))
                if not self._files:
                    self._some.clear()
            self.drop_surplus()
            self._commit()


_TICK_S = 0.1
"""Between two looks at what is to be closed, while there is something: as many files are read for
the first time in it, at most, as may wait."""
