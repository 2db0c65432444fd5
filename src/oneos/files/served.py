"""A part of the tree that is made up of facts on top and, below them, of files that come and go.

`virtual` and `tree` ask it first where they would answer for facts: at a place above the files it
says so (None, False), and the facts hold. A symbolic link raises `Leaves`, with `links` of 1, and
`tree` goes on where that says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from oneos.files.handles import Attributes, Handle
from oneos.state.names_types import Entry

Parts = tuple[bytes, ...]
"""A place below the directory, without empty names, `.` and `..`."""


class Served(ABC):
    """See the module. Every call raises FileError as the call of POSIX, and Leaves."""

    @abstractmethod
    async def stat(self, path: bytes, place: Parts, follow: bool = True) -> Attributes | None:
        """Attributes; of a link itself without `follow`."""

    @abstractmethod
    async def names(self, path: bytes, place: Parts) -> list[Entry] | None:
        """The names at a place."""

    @abstractmethod
    async def readlink(self, path: bytes, place: Parts) -> bytes:
        """What a symbolic link says; EINVAL for what is none."""

    @abstractmethod
    async def statvfs(self, path: bytes, place: Parts) -> list[int] | None:
        """Of the disk behind a place, as the local protocol has it."""

    @abstractmethod
    async def open(self, path: bytes, place: Parts, flags: int, mode: int) -> Handle | None:
        """Open what is at a place."""

    @abstractmethod
    async def change(
        self,
        what: str,
        path: bytes,
        place: Parts,
        numbers: Sequence[int] = (),
        text: bytes = b"",
        follow: bool = False,
    ) -> bool:
        """Change something at a place; `what` is the call of POSIX, `numbers` and `text` its
        arguments."""

    @abstractmethod
    async def change_both(
        self, what: str, old: bytes, new: bytes, both: tuple[Parts, Parts], number: int = 0
    ) -> None:
        """Rename or link from one place to another; `number`: whether it may replace."""
