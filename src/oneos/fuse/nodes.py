"""Which path of the tree each number means that the kernel uses for a file.

The kernel knows files by the numbers we gave it; the Runtime knows them by path. A node is a name
in a directory that the kernel has looked up and not forgotten. When the name comes to stand for
another inode the node is detached: the kernel may have it open still, but its path is another's.
All methods may be called by any thread.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from oneos.fuse import succession

ROOT_ID = 1


@dataclass(slots=True, eq=False)
class Node:
    """A name the kernel knows. `ino` is the inode it stood for when last looked up.

    `handles` are the openings of it, the kernel's numbers for them; `kept` is the cache's; `shown`
    are the attributes the kernel was told last.
    """

    id: int
    parent: Node | None
    name: bytes
    ino: int
    lookups: int = 0
    detached: bool = False
    handles: set[int] = field(default_factory=set)
    kept: Any = None
    shown: Sequence[int] = ()

    @property
    def mode(self) -> int:
        """Its type and permissions, as the kernel was told last; 0: it was not."""
        return self.shown[0] if self.shown else 0


class Nodes:
    """See the module.

    Args:
        note: is told what a successor of this process has to know; see `succession`.
    """

    def __init__(self, note: Callable[..., None] = lambda *_: None) -> None:
        self._note = note
        self._lock = threading.RLock()
        self.root = Node(ROOT_ID, None, b"", 1, lookups=1)
        self._by_id: dict[int, Node] = {ROOT_ID: self.root}
        self._by_name: dict[tuple[int, bytes], Node] = {}
        self._by_ino: dict[int, set[Node]] = {}
        self._by_ino[self.root.ino] = {self.root}
        self._last_id = ROOT_ID

    def restore(self, state: succession.State) -> None:
        """Know what a predecessor knew."""
        by_id, self._last_id = self._by_id, state.last_id
        for key, left in state.nodes.items():
            node = Node(key, self.root, left.name, left.ino, left.lookups, left.detached)
            node.shown = left.shown
            by_id[key] = node
            self._by_ino.setdefault(node.ino, set()).add(node)
        for key, left in state.nodes.items():
            node, parent = by_id[key], by_id.get(left.parent)
            if parent is None:
                # The kernel has forgotten the directory, and so looks by another name, if at all.
                node.detached = True
            elif not node.detached:
                node.parent = parent
                self._by_name[parent.id, node.name] = node

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, node_id: int) -> Node:
        """The node with a number. Raises OSError(ESTALE)."""
        node = self._by_id.get(node_id)
        if node is None:
            raise OSError(errno.ESTALE, "the kernel names a file that it has forgotten")
        return node

    def path(self, node: Node) -> bytes:
        """The path it stands for now. Raises OSError(ESTALE) when it has none any more."""
        parts = []
        with self._lock:
            at: Node | None = node
            while at is not None and at.parent is not None:
                if at.detached:
                    raise OSError(errno.ESTALE, "it has lost its name")
                parts.append(at.name)
                at = at.parent
        return b"/" + b"/".join(reversed(parts))

    def nameless(self, node: Node) -> bool:
        """Whether it has no path any more: it has lost its name, or a directory above it has."""
        with self._lock:
            at: Node | None = node
            while at is not None and not at.detached:
                at = at.parent
            return at is not None

    def of_inode(self, ino: int) -> list[Node]:
        """All that stand for an inode, under whatever names."""
        with self._lock:
            return list(self._by_ino.get(ino, ()))

    def all(self) -> list[Node]:
        """All that the kernel knows."""
        with self._lock:
            return list(self._by_id.values())

    def child(self, parent: Node, name: bytes) -> bytes:
        """The path of a name in a directory. Raises OSError(ENOENT): that was removed."""
        if parent.detached:
            raise OSError(errno.ENOENT, "its directory was removed")
        return self.path(parent).rstrip(b"/") + b"/" + name

    def looked_up(self, parent: Node, name: bytes, ino: int) -> Node:
        """The node for a name that stands for `ino`, counted as one lookup more."""
        with self._lock:
            node = self._by_name.get((parent.id, name))
            if node is not None and node.ino != ino:
                self._detach(node)
                node = None
            if node is None:
                self._last_id += 1
                node = Node(self._last_id, parent, name, ino)
                self._by_id[node.id] = node
                self._by_name[parent.id, name] = node
                self._by_ino.setdefault(ino, set()).add(node)
            node.lookups += 1
            self._note(succession.LOOKED, node.id, parent.id, name, ino)
            return node

    def removed(self, parent: Node, name: bytes) -> Node | None:
        """The name is gone from the tree. Returns what the kernel knew by it."""
        with self._lock:
            node = self._by_name.get((parent.id, name))
            if node is not None:
                self._detach(node)
            return node

    def renamed(self, parent: Node, name: bytes, new_parent: Node, new_name: bytes) -> Node | None:
        """The name now stands elsewhere, in the place of what was there, which is returned."""
        with self._lock:
            if (parent.id, name) not in self._by_name:
                # It was noted already, by the predecessor whose request this is, or was looked up
                # by its new name: that is it, and not what was there.
                return None
            replaced = self.removed(new_parent, new_name)
            node = self._by_name.pop((parent.id, name), None)
            if node is not None:
                node.parent, node.name = new_parent, new_name
                self._by_name[new_parent.id, new_name] = node
                self._note(succession.MOVED, node.id, new_parent.id, new_name)
            return replaced

    def _detach(self, node: Node) -> None:
        assert node.parent is not None
        node.detached = True
        self._note(succession.DETACHED, node.id, node.shown)
        del self._by_name[node.parent.id, node.name]

    def forget(self, node_id: int, count: int) -> Node | None:
        """The kernel has dropped that many lookups. Returns the node if it was the last."""
        with self._lock:
            node = self._by_id.get(node_id)
            if node is None or node.parent is None:
                return None
            node.lookups -= count
            self._note(succession.FORGOTTEN, node_id, count)
            if node.lookups > 0:
                return None
            del self._by_id[node_id]
            same = self._by_ino[node.ino]
            same.discard(node)
            if not same:
                del self._by_ino[node.ino]
            if not node.detached and self._by_name.get((node.parent.id, node.name)) is node:
                del self._by_name[node.parent.id, node.name]
            return node
