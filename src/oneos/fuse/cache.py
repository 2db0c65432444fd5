"""What the kernel is allowed to keep of what it was told, and having it drop that again.

The File System grants that an answer may be kept, and calls it back before it answers a change. An
answer that was under way when a recall came is given and not kept; so is one that took long, since
a grant counts from when it was given. None of the notices takes a lock that a request may hold,
and the thread that sends them is never one that the kernel waits for.
"""

from __future__ import annotations

import errno
import os
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from oneos.fuse import wire
from oneos.fuse.nodes import Node, Nodes
from oneos.limits import (
    CACHE_VALID_S,
    FUSE_DROP_RETRY_S,
    FUSE_DROP_TRIES_MAX,
    LOOK_LATE_S,
    LOOKS_KEPT_MAX,
)
from oneos.local.client import Client


@dataclass(slots=True)
class Kept:
    """An answer about a name, None: there is nothing; and how long its parts may be kept."""

    attributes: wire.Attributes | None
    name_s: float
    attributes_s: float
    until_s: float = 0.0
    recalls: int = 0
    names: int = 0
    changes: int = 0
    packed: bytes = b""
    """The attributes as the kernel gets them, once it has asked for them again."""


Moment = tuple[int, int, int, float]
"""How many recalls there were, and changes of names and of inodes by programs here; and the time,
in seconds."""


class Cache:
    """See the module.

    Args:
        fuse: the descriptor of /dev/fuse.
        nodes: what the kernel knows.
    """

    def __init__(self, fuse: int, nodes: Nodes) -> None:
        self._fuse = fuse
        self._nodes = nodes
        self.names = False
        """Whether this kernel can drop names without a lock; INIT tells."""
        self._recalls = 0
        self._lock = threading.Lock()
        self._names = 0
        self._changes = 0
        self._changed: OrderedDict[int, int] = OrderedDict()
        self._unknown_until = 0

    def look(self, client: Client, path: bytes) -> Kept:
        """Ask the Runtime. Raises FileError, but not ENOENT."""
        before = self.now()
        return self.answered(client.call("look", path), before)

    def look_many(self, client: Client, path: bytes, names: list[bytes]) -> list[Kept | None]:
        """Ask the Runtime for names in a directory; None: that one must be asked for by itself.

        Raises FileError.
        """
        before = self.now()
        answers = client.call("looks", path, names)
        return [None if answer[0] is None else self.answered(answer, before) for answer in answers]

    def now(self) -> Moment:
        """Before the Runtime is asked."""
        return self._recalls, self._names, self._changes, time.monotonic()

    def answered(self, answer: tuple[wire.Attributes | None, bool, bool], asked: Moment) -> Kept:
        """What may be kept of an answer of the Runtime to what was `asked` then."""
        found, name, attributes = answer
        recalls, names, changes, began_s = asked
        over = self._recalls != recalls or self._names != names
        if over or time.monotonic() - began_s > LOOK_LATE_S:
            return Kept(found, 0, 0)
        return Kept(
            found,
            CACHE_VALID_S if name and self.names else 0,
            CACHE_VALID_S if attributes else 0,
            began_s + CACHE_VALID_S,
            recalls,
            names,
            changes,
        )

    def _left_s(self, look: Kept) -> float:
        """For how long an answer may be given still: 0 once it was called back or has changed."""
        if look.recalls != self._recalls or look.attributes is None:
            return 0
        if look.changes < max(self._changed.get(look.attributes[1], 0), self._unknown_until):
            return 0
        return look.until_s - time.monotonic()

    def shorten(self, look: Kept) -> bool:
        """Take off an answer's time what has passed of it; False: it may not be given any more."""
        left_s = self._left_s(look)
        if left_s <= 0 or look.names != self._names:
            return False
        look.name_s = min(look.name_s, left_s)
        look.attributes_s = min(look.attributes_s, left_s)
        return True

    def keep(self, node: Node, look: Kept) -> None:
        """Remember an answer for as long as the kernel may."""
        if look.attributes_s and look.until_s:
            node.kept = look

    def kept(self, node: Node) -> tuple[bytes, float] | None:
        """The attributes of a node that may be given without asking, and for how long still."""
        look: Kept | None = node.kept
        if look is None or look.attributes is None:
            return None
        left_s = self._left_s(look)
        if left_s <= 0:
            node.kept = None
            return None
        if not look.packed:
            look.packed = wire.pack_attr(look.attributes)
        return look.packed, left_s

    def changed_names(self, directory: int) -> None:
        """This kernel has changed a directory: it knows what it did, and not the new time."""
        self._names += 1
        self._note(directory)

    def changed_paths(self) -> None:
        """This kernel has renamed something: paths stand for other files now."""
        self._names += 1
        self._recalls += 1

    def recall(self, inos: Iterable[int], everything: bool) -> None:
        """Drop all names, and the attributes of these inodes; returns when the kernel has."""
        # First, so that what is being answered now is not kept.
        self._recalls += 1
        if self.names:
            self._notify(wire.NOTIFY_INC_EPOCH, b"")
        nodes = self._nodes.all() if everything else [n for i in inos for n in self._of(i)]
        for node in nodes:
            for _ in range(FUSE_DROP_TRIES_MAX):
                if self._drop(node) or node.lookups <= 0:
                    break
                # The kernel was told of it a moment ago, or has just forgotten it.
                time.sleep(FUSE_DROP_RETRY_S)

    def changed(self, ino: int) -> None:
        """A program of this kernel has changed an inode by one of its names, or opened it to.

        It knows that name; of the others it shall ask anew.
        """
        self._note(ino)
        for node in self._of(ino):
            self._drop(node)

    def changes_of(self, ino: int) -> int:
        """A number that is another one after each change of an inode by a program here."""
        return max(self._changed.get(ino, 0), self._unknown_until)

    def _note(self, ino: int) -> None:
        with self._lock:
            self._changes += 1
            self._changed.pop(ino, None)
            self._changed[ino] = self._changes
            if len(self._changed) > LOOKS_KEPT_MAX:
                _, self._unknown_until = self._changed.popitem(last=False)

    def _of(self, ino: int) -> list[Node]:
        return self._nodes.of_inode(ino)

    def _drop(self, node: Node) -> bool:
        """Drop a node's attributes, and a directory's names; False: the kernel does not know it.

        The content of files is not kept by this mount: they are read through their own files.
        """
        node.kept = None
        return self._notify(wire.NOTIFY_INVAL_INODE, struct.pack("<Qqq", node.id, 0, 0))

    def _notify(self, code: int, body: bytes) -> bool:
        head = wire.OUT_HEADER.pack(wire.OUT_HEADER.size + len(body), code, 0)
        try:
            os.writev(self._fuse, [head, body])
        except OSError as error:
            return error.errno != errno.ENOENT
        return True
