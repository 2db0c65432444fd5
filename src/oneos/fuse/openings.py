"""What programs of the name space have open, by the numbers that the kernel has for it."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable, Iterable

from oneos.fuse import succession, wire
from oneos.fuse.nodes import Node
from oneos.fuse.opened import OpenFile

_GENERATION_BITS = 40
"""Openings of one file process are as many at most: some thousand years' worth."""


class Openings:
    """See the module. Any thread may call.

    Args:
        note: is told what a successor of this process has to know; see `succession`.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self._files: dict[int, tuple[Node, OpenFile]] = {}
        self._numbers = itertools.count(1)

    def restore(self, generation: int, files: Iterable[tuple[int, Node, OpenFile]]) -> None:
        """Know what a predecessor had open; new numbers are none of its."""
        self._numbers = itertools.count(generation << _GENERATION_BITS | 1)
        for number, node, file in files:
            self._files[number] = node, file
            node.handles.add(number)

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def enter(self, node: Node, file: OpenFile) -> bytes:
        """Note an opening; returns the answer for the kernel."""
        number = next(self._numbers)
        self._files[number] = node, file
        node.handles.add(number)
        kind = type(file).__name__
        left = number, node.id, kind, file.handle, file.opened, file.backing
        self._note(succession.OPENED, *left)
        return wire.OPEN_OUT.pack(number, file.flags, file.backing)

    def get(self, number: int) -> tuple[Node, OpenFile]:
        """An opened file, and its node. Raises OSError(EBADF)."""
        found = self._files.get(number)
        if found is None:
            raise OSError(errno.EBADF, "")
        return found

    def file(self, number: int) -> OpenFile:
        """An opened file. Raises OSError(EBADF)."""
        return self.get(number)[1]

    def of(self, node: Node, first: int = 0) -> list[OpenFile]:
        """What is open of a node; the opening `first` before the others."""
        numbers = (first, *node.handles)
        return [opened[1] for n in numbers if (opened := self._files.get(n)) is not None]

    def leave(self, number: int) -> tuple[Node, OpenFile]:
        """Forget an opening. Raises OSError(EBADF)."""
        found = self._files.pop(number, None)
        if found is None:
            raise OSError(errno.EBADF, "")
        found[0].handles.discard(number)
        self._note(succession.CLOSED, number)
        return found
