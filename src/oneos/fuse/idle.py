"""Files that were closed a moment ago, kept open for whoever opens them next.

Programs open the same few files again and again; each time the Runtime would look the path up and
open its file anew. So a file that was open for reading stays so for a second, unless it loses its
name or another host asks for its home.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from oneos.fuse.nodes import Node
from oneos.fuse.opened import HomeFile

IDLE_S = 1.0
"""Long enough for programs that are started in turn; short for a host that waits for the home."""
IDLE_MAX = 256
"""Descriptors that are kept: a program that reads a large tree once has no use for more."""


class IdleFiles:
    """See the module.

    Args:
        close: closes a file for good.
    """

    def __init__(self, close: Callable[[Node, HomeFile], None]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._files: OrderedDict[Node, tuple[HomeFile, float]] = OrderedDict()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="idle files", daemon=True).start()

    def put(self, node: Node, file: HomeFile) -> None:
        """Keep a file that nobody has open any more."""
        with self._lock:
            before = self._files.pop(node, None)
            surplus = [(node, before[0])] if before is not None else []
            self._files[node] = file, time.monotonic()
            if len(self._files) > IDLE_MAX:
                oldest, (its_file, _) = self._files.popitem(last=False)
                surplus.append((oldest, its_file))
        self._some.set()
        for owner, one in surplus:
            self._close(owner, one)

    def take(self, node: Node) -> HomeFile | None:
        """The file of a node, if it is kept; it is the caller's then."""
        with self._lock:
            entry = self._files.pop(node, None)
        return entry[0] if entry is not None else None

    def drop(self, node: Node) -> None:
        """Close a node's file: it has lost its name, or another host wants to be its home."""
        file = self.take(node)
        if file is not None:
            self._close(node, file)

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(IDLE_S / 2)
            over = []
            with self._lock:
                before = time.monotonic() - IDLE_S
                while self._files and next(iter(self._files.values()))[1] < before:
                    node, (file, _) = self._files.popitem(last=False)
                    over.append((node, file))
                if not self._files:
                    self._some.clear()
            for node, file in over:
                self._close(node, file)
