"""What a file process leaves to the one that takes over from it: a state, and what changes it.

Each thing that the kernel was told and will come back to is a note: a name it knows by a number, a
file or directory it has open, an answer that it may not have got. Applied in order, notes make the
state; the state written down is notes again. There is no I/O here: `journal` keeps the notes where
a kill does not reach them, `tests/unit/fuse/test_succession.py` has the rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from oneos.limits import FUSE_CARRIED_MAX

Note = Sequence[Any]
"""One of the kinds below, and its fields."""

LOOKED, FORGOTTEN, MOVED, DETACHED = 1, 2, 3, 4
"""id, parent, name, ino: once more; id, count; id, parent, name; id, attributes shown last."""
OPENED, CLOSED, BACKED, UNBACKED = 5, 6, 7, 8
"""number, node, kind, handle, flags, backing, slot; number; node, backing, device, inode; node."""
LISTED, UNLISTED, POLLED, FACTS = 9, 10, 11, 12
"""number, entries; number; number, the kernel's number for who polls; what the start settled."""
NODE, ANSWER = 13, 14
"""In a state written down: all of a node; request, answer, mark, thread."""
LOCKED, UNLOCKED = 15, 16
"""inode, owner, opening, process; inode, owner."""


@dataclass(slots=True)
class NodeState:
    """What is left of a `nodes.Node`."""

    parent: int
    name: bytes
    ino: int
    lookups: int = 0
    detached: bool = False
    shown: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """What is left of an opened file: what it was opened as, and the Runtime's handle for it.

    `slot`: where it says whether a program has it open, or it is only kept for the next; -1: a
    program has.
    """

    node: int
    kind: str
    handle: int | None
    flags: int
    backing: int
    slot: int


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of a request: its answer; None: it was begun, and nobody knows whether done.

    `mark` is what was noted when it was begun.
    """

    answer: bytes | None
    mark: int = 0


@dataclass(slots=True)
class State:
    """See the module. `generation` counts the file processes that had it."""

    nodes: dict[int, NodeState] = field(default_factory=dict)
    backings: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    listings: dict[int, list[tuple[bytes, int, int]]] = field(default_factory=dict)
    polled: dict[int, int] = field(default_factory=dict)
    locks: dict[tuple[int, int], tuple[int, list[int]]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    requests: dict[int, Earlier] = field(default_factory=dict)
    last_id: int = 1
    generation: int = 0
    _opened: dict[int, Note] = field(default_factory=dict)
    _answers: dict[int, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def openings(self) -> dict[int, Opening]:
        """What is open, by the kernel's numbers."""
        return {number: Opening(*left) for _, number, *left in self._opened.values()}

    def apply(self, thread: int, request: int, answer: bytes, notes: Iterable[Note]) -> None:
        """What a thread did for a request of the kernel, and answered; 0: for none."""
        for note in notes:
            self._apply(note)
        if request:
            # Before a thread comes to its next request, the kernel has got its last answer.
            self._answers[thread] = request, answer

    def _apply(self, note: Note) -> None:
        kind, key, *rest = note
        if kind == LOOKED:
            parent, name, ino = rest
            node = self.nodes.get(key)
            if node is None:
                self.nodes[key] = NodeState(parent, name, ino, 1)
                self.last_id = max(self.last_id, key)
            else:
                node.lookups += 1
        elif kind == FORGOTTEN:
            node = self.nodes.get(key)
            if node is not None:
                node.lookups -= rest[0]
                if node.lookups <= 0:
                    del self.nodes[key]
        elif kind == MOVED:
            if (node := self.nodes.get(key)) is not None:
                node.parent, node.name = rest
        elif kind == DETACHED:
            if (node := self.nodes.get(key)) is not None:
                node.detached, node.shown = True, rest[0]
        elif kind == OPENED:
            self._opened[key] = note
        elif kind == CLOSED:
            self._opened.pop(key, None)
            self.polled.pop(key, None)
        elif kind == BACKED:
            backing, device, inode = rest
            self.backings[key] = backing, device, inode
        elif kind == UNBACKED:
            self.backings.pop(key, None)
        elif kind == LISTED:
            self.listings[key] = [(name, mode, ino) for name, mode, ino in rest[0]]
        elif kind == UNLISTED:
            self.listings.pop(key, None)
        elif kind == POLLED:
            self.polled[key] = rest[0]
        elif kind == LOCKED:
            owner, number, pid = rest
            self.locks.setdefault((key, owner), (pid, []))[1].append(number)
        elif kind == UNLOCKED:
            self.locks.pop((key, rest[0]), None)
        elif kind == FACTS:
            self.facts.update(key)
            self.generation = self.facts.get("generation", 0)
            self.last_id = max(self.last_id, self.facts.get("last_id", 0))
        elif kind == NODE:
            self.nodes[key] = NodeState(*rest)
            self.last_id = max(self.last_id, key)
        elif kind == ANSWER:
            answer, mark, thread = rest
            if thread < 0:
                self.requests[key] = Earlier(answer, mark)
            else:
                self._answers[thread] = key, answer

    def inherited(self, begun: dict[int, int]) -> None:
        """Another process has it from now on.

        Args:
            begun: requests that its threads had begun, and what they noted then.
        """
        self.generation += 1
        for request, answer in self._answers.values():
            self.requests[request] = Earlier(answer)
        self._answers.clear()
        for request, mark in begun.items():
            self.requests.setdefault(request, Earlier(None, mark))
        # Those whose programs were killed are never asked for again.
        for request in list(self.requests)[:-FUSE_CARRIED_MAX]:
            del self.requests[request]

    def notes(self) -> list[Note]:
        """Itself, as notes."""
        known = {"generation": self.generation, "last_id": self.last_id}
        found: list[Note] = [(FACTS, self.facts | known)]
        for key, n in self.nodes.items():
            found.append((NODE, key, n.parent, n.name, n.ino, n.lookups, n.detached, n.shown))
        found += self._opened.values()
        found += [(BACKED, key, *backing) for key, backing in self.backings.items()]
        found += [(LISTED, key, entries) for key, entries in self.listings.items()]
        found += [(POLLED, key, handle) for key, handle in self.polled.items()]
        for (ino, owner), (pid, numbers) in self.locks.items():
            found += [(LOCKED, ino, owner, number, pid) for number in numbers]
        found += [(ANSWER, key, e.answer, e.mark, -1) for key, e in self.requests.items()]
        found += [(ANSWER, r, answer, 0, thread) for thread, (r, answer) in self._answers.items()]
        return found
