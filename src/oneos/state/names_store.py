"""Where the index keeps its state: the interface, and the one in memory.

The rules ask for inodes, directory entries, counters and past results one at a time, and know
nothing of tables, caches or transactions. `DictStore` serves simulations and tests;
`oneos.storage.index` serves a host, and must behave the same (`test_names_model.py` compares
them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from oneos.ids import Ino
from oneos.state.names_types import Entry, Inode

Slot = tuple[str, int]
"""A client, and the place of a request among the ones it may have under way."""


class NameStore(Protocol):
    """State of the index. Values are immutable; a put replaces."""

    def inode(self, ino: int) -> Inode | None:
        """The inode with this number, or None."""

    def put_inode(self, inode: Inode) -> None:
        """Keep an inode under its number."""

    def delete_inode(self, ino: int) -> None:
        """Forget an inode that is there, with its extended attributes."""

    def inodes(self, after: int, count: int) -> list[Inode]:
        """Up to `count` inodes with numbers above `after`, in order."""

    def xattrs(self, ino: int) -> Mapping[bytes, bytes]:
        """The extended attributes of an inode, which mostly has none."""

    def put_xattrs(self, ino: int, xattrs: Mapping[bytes, bytes]) -> None:
        """Keep these in place of those that it had."""

    def entry(self, directory: int, name: bytes) -> Entry | None:
        """The entry of this name, or None."""

    def put_entry(self, directory: int, entry: Entry) -> None:
        """Keep an entry under its name."""

    def delete_entry(self, directory: int, name: bytes) -> None:
        """Forget an entry that is there."""

    def entries(self, directory: int) -> list[Entry]:
        """All entries of a directory, by name."""

    def counter(self, name: str) -> int:
        """A number, 0 when it was never set."""

    def set_counter(self, name: str, value: int) -> None:
        """Keep a number below 2**63."""

    def result(self, slot: Slot) -> tuple[int, bytes] | None:
        """The number and the encoded result of the request that was last in this slot."""

    def put_result(self, slot: Slot, number: int, result: bytes) -> None:
        """Keep a request's result in place of the one that was in its slot."""

    def dump(self) -> Iterator[tuple[object, ...]]:
        """Every record in a fixed order: equal states give equal dumps."""


class DictStore:
    """The state in dictionaries, gone with the process."""

    def __init__(self) -> None:
        self._inodes: dict[int, Inode] = {}
        self._xattrs: dict[int, Mapping[bytes, bytes]] = {}
        self._entries: dict[int, dict[bytes, Entry]] = {}
        self._counters: dict[str, int] = {}
        self._results: dict[Slot, tuple[int, bytes]] = {}

    def inode(self, ino: int) -> Inode | None:
        return self._inodes.get(ino)

    def put_inode(self, inode: Inode) -> None:
        self._inodes[inode.ino] = inode

    def delete_inode(self, ino: int) -> None:
        del self._inodes[ino]
        self._xattrs.pop(ino, None)

    def inodes(self, after: int, count: int) -> list[Inode]:
        return [self._inodes[i] for i in sorted(i for i in self._inodes if i > after)[:count]]

    def xattrs(self, ino: int) -> Mapping[bytes, bytes]:
        return self._xattrs.get(ino, {})

    def put_xattrs(self, ino: int, xattrs: Mapping[bytes, bytes]) -> None:
        if xattrs:
            self._xattrs[ino] = xattrs
        else:
            self._xattrs.pop(ino, None)

    def entry(self, directory: int, name: bytes) -> Entry | None:
        names = self._entries.get(directory)
        return names.get(name) if names else None

    def put_entry(self, directory: int, entry: Entry) -> None:
        self._entries.setdefault(directory, {})[entry.name] = entry

    def delete_entry(self, directory: int, name: bytes) -> None:
        names = self._entries[directory]
        del names[name]
        if not names:
            del self._entries[directory]

    def entries(self, directory: int) -> list[Entry]:
        names = self._entries.get(directory, {})
        return [names[name] for name in sorted(names)]

    def counter(self, name: str) -> int:
        return self._counters.get(name, 0)

    def set_counter(self, name: str, value: int) -> None:
        self._counters[name] = value

    def result(self, slot: Slot) -> tuple[int, bytes] | None:
        return self._results.get(slot)

    def put_result(self, slot: Slot, number: int, result: bytes) -> None:
        self._results[slot] = (number, result)

    def dump(self) -> Iterator[tuple[object, ...]]:
        for ino in sorted(self._inodes):
            yield ("inode", self._inodes[Ino(ino)])
        for ino in sorted(self._xattrs):
            yield ("xattrs", ino, dict(self._xattrs[ino]))
        for directory in sorted(self._entries):
            for entry in self.entries(directory):
                yield ("entry", directory, entry)
        for name in sorted(self._counters):
            yield ("counter", name, self._counters[name])
        for slot in sorted(self._results):
            yield ("result", *slot, *self._results[slot])
