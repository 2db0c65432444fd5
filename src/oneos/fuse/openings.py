"""What programs of the name space have open, by the numbers that the kernel has for it."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Iterable

from oneos.fuse import succession, wire
from oneos.fuse.journal import Journal
from oneos.fuse.nodes import Node
from oneos.fuse.opened import HomeFile, OpenFile

_GENERATION_BITS = 40
"""Openings of one file process are as many at most: some thousand years' worth."""


class Openings:
    """See the module. Any thread may call.

    Args:
        journal: has what a successor of this process has to know.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._files: dict[int, tuple[Node, OpenFile]] = {}
        self._numbers = itertools.count(1)
        self._given: dict[int, OpenFile] = {}

    def restore(self, generation: int, files: Iterable[tuple[int, Node, OpenFile]]) -> None:
        """Know what a predecessor had open; new numbers are none of its."""
        self._numbers = itertools.count(generation << _GENERATION_BITS | 1)
        for number, node, file in files:
            file.number = number
            self._files[number] = node, file
            node.handles.add(number)
            self._given[self._journal.in_slots.get(number, 0)] = file

    def given(self, request: int) -> bytes | None:
        """What a predecessor was about to answer to a request to open a file that was kept."""
        file = self._given.get(request)
        return _answer(file) if file is not None and request > _SOME else None

    def number(self) -> int:
        """A number that was not used before."""
        return next(self._numbers)

    def enter(self, node: Node, file: OpenFile) -> bytes:
        """Note an opening; returns the answer for the kernel."""
        number = file.number = next(self._numbers)
        if isinstance(file, HomeFile) and file.idle and not file.writing:
            file.slot = self._journal.slot()
            if file.slot >= 0:
                self._journal.set(file.slot, _SOME)
        self._files[number] = node, file
        node.handles.add(number)
        left = type(file).__name__, file.handle, file.opened, file.backing, file.slot
        self._journal.note(succession.OPENED, number, node.id, *left)
        return _answer(file)

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
        """No program has an opening any more. Raises OSError(EBADF)."""
        found = self._files.pop(number, None)
        if found is None:
            raise OSError(errno.EBADF, "")
        node, file = found
        node.handles.discard(number)
        if file.slot >= 0:
            self._journal.set(file.slot, 0)
        return found

    def again(self, node: Node, file: OpenFile) -> bytes:
        """A file is opened that every program had left; it has a slot."""
        self._journal.set(file.slot, self._journal.serving)
        self._files[file.number] = node, file
        node.handles.add(file.number)
        return _answer(file)

    def over(self, file: OpenFile) -> None:
        """A file that programs have left is closed for good."""
        self._journal.note(succession.CLOSED, file.number)
        if file.slot >= 0:
            self._journal.give_back(file.slot)


_SOME = 1
"""In a slot: a program has it open, by a request whose answer is noted. The kernel's are even."""


def _answer(file: OpenFile) -> bytes:
    return wire.OPEN_OUT.pack(file.number, file.flags, file.backing)
