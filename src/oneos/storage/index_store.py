"""The index's state in SQLite: a `NameStore` whose changes of one batch are written together.

A batch's changes gather in dictionaries and go to the tables at its end, so that a directory that
gets 256 names is written once, and a batch that fails leaves nothing behind. Above the tables lie
two bounded caches of the newest used inodes and entries, which hold only what is written. Who opens
the database, and the transaction around a batch, is `index`.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from oneos.ids import Ino
from oneos.limits import (
    INDEX_CHUNKS_CACHED_MAX,
    INDEX_ENTRIES_CACHED_MAX,
    INDEX_INODES_CACHED_MAX,
    NAME_RESULTS_MAX,
)
from oneos.state.names_store import Slot
from oneos.state.names_types import (
    Entry,
    Inode,
    decode_inode,
    decode_xattrs,
    encode_inode,
    encode_xattrs,
)

SCHEMA = """
CREATE TABLE inodes (ino INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE entries (
    directory INTEGER NOT NULL, name BLOB NOT NULL, ino INTEGER NOT NULL, kind INTEGER NOT NULL,
    PRIMARY KEY (directory, name)
) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE results (
    client TEXT NOT NULL, slot INTEGER NOT NULL, number INTEGER NOT NULL, result BLOB NOT NULL,
    PRIMARY KEY (client, slot)
) WITHOUT ROWID;
"""

XATTRS_TABLE = """
CREATE TABLE IF NOT EXISTS xattrs (ino INTEGER PRIMARY KEY, record BLOB NOT NULL)
"""
"""Beside `SCHEMA`: indexes of before version 3 get it late. One row for each inode that has any."""

K = TypeVar("K")
V = TypeVar("V")


class _Lru(Generic[K, V]):
    """The newest used values, at most `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def drop(self, key: K) -> None:
        self._values.pop(key, None)

    def __len__(self) -> int:
        return len(self._values)


class SqliteStore:
    """A `NameStore` over an open database that has `SCHEMA` and `XATTRS_TABLE`.

    Changes are seen by reads at once, reach the tables by `flush` and the caches by `settle`; or
    `forget` them. One thread at a time.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._inode_cache: _Lru[int, Inode] = _Lru(INDEX_INODES_CACHED_MAX)
        self._entry_cache: _Lru[tuple[int, bytes], Entry] = _Lru(INDEX_ENTRIES_CACHED_MAX)
        self._counters: dict[str, int] = dict(db.execute("SELECT name, value FROM counters"))
        # Whether a request is new is asked for each command: answered from 8 KiB a client.
        self._numbers: dict[str, array[int]] = {}
        for client, slot, number in db.execute("SELECT client, slot, number FROM results"):
            self._numbers_of(client)[slot] = number
        self._new_inodes: dict[int, Inode | None] = {}
        self._new_xattrs: dict[int, Mapping[bytes, bytes]] = {}
        self._new_entries: dict[tuple[int, bytes], Entry | None] = {}
        self._new_counters: dict[str, int] = {}
        self._new_results: dict[Slot, tuple[int, bytes]] = {}
        self._fresh: set[int] = set()

    def _numbers_of(self, client: str) -> array[int]:
        numbers = self._numbers.get(client)
        if numbers is None:
            numbers = self._numbers[client] = array("q", [-1]) * NAME_RESULTS_MAX
        return numbers

    # --- a batch ------------------------------------------------------------------------------
    def flush(self) -> None:
        """Write the batch's changes to the tables, in the transaction that is open."""
        many = self._db.executemany
        many(
            "INSERT OR REPLACE INTO inodes VALUES (?, ?)",
            [(ino, encode_inode(v)) for ino, v in self._new_inodes.items() if v is not None],
        )
        many(
            "DELETE FROM inodes WHERE ino = ?",
            [(ino,) for ino, v in self._new_inodes.items() if v is None],
        )
        many(
            "INSERT OR REPLACE INTO xattrs VALUES (?, ?)",
            [(ino, encode_xattrs(v)) for ino, v in self._new_xattrs.items() if v],
        )
        many(
            "DELETE FROM xattrs WHERE ino = ?",
            [(ino,) for ino, v in self._new_xattrs.items() if not v],
        )
        many(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)",
            [(k[0], k[1], v.ino, v.kind) for k, v in self._new_entries.items() if v is not None],
        )
        many(
            "DELETE FROM entries WHERE directory = ? AND name = ?",
            [k for k, v in self._new_entries.items() if v is None],
        )
        many("INSERT OR REPLACE INTO counters VALUES (?, ?)", list(self._new_counters.items()))
        many(
            "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)",
            [(*slot, number, result) for slot, (number, result) in self._new_results.items()],
        )

    def touched(self) -> set[int]:
        """The inodes that look different after the batch: by their attributes or their names."""
        found = {directory for directory, _ in self._new_entries}
        for ino, inode in self._new_inodes.items():
            before = self._inode_cache.get(ino)
            if before is None or inode is None or _shown(before) != _shown(inode):
                found.add(ino)
        return found

    def take_fresh(self) -> set[int]:
        """The inodes that were put, or whose names were, since this was asked last."""
        fresh, self._fresh = self._fresh, set()
        return fresh

    def settle(self) -> None:
        """The transaction is committed: the changes are the state now."""
        for ino, inode in self._new_inodes.items():
            self._cache_inode(ino, inode)
        for key, entry in self._new_entries.items():
            if entry is None:
                self._entry_cache.drop(key)
            else:
                self._entry_cache.put(key, entry)
        self._counters.update(self._new_counters)
        for (client, slot), (number, _) in self._new_results.items():
            self._numbers_of(client)[slot] = number
        self.forget()

    def forget(self) -> None:
        """Drop the changes of the batch."""
        self._new_inodes = {}
        self._new_xattrs = {}
        self._new_entries = {}
        self._new_counters = {}
        self._new_results = {}

    # --- inodes -------------------------------------------------------------------------------
    def inode(self, ino: int) -> Inode | None:
        if ino in self._new_inodes:
            return self._new_inodes[ino]
        inode = self._inode_cache.get(ino)
        if inode is None and 0 <= ino < 2**63:
            row = self._db.execute("SELECT record FROM inodes WHERE ino = ?", (ino,)).fetchone()
            if row is not None:
                inode = decode_inode(row[0])
                self._cache_inode(ino, inode)
        return inode

    def _cache_inode(self, ino: int, inode: Inode | None) -> None:
        if inode is None or len(inode.chunks) > INDEX_CHUNKS_CACHED_MAX:
            self._inode_cache.drop(ino)
        else:
            self._inode_cache.put(ino, inode)

    def put_inode(self, inode: Inode) -> None:
        self._new_inodes[inode.ino] = inode
        self._fresh.add(inode.ino)

    def delete_inode(self, ino: int) -> None:
        self._new_inodes[ino] = None
        self._new_xattrs[ino] = {}
        self._fresh.add(ino)

    def inodes(self, after: int, count: int) -> list[Inode]:
        # What a batch changes may add to or hide any row, so all its changes are laid over.
        query = "SELECT ino, record FROM inodes WHERE ino > ? ORDER BY ino LIMIT ?"
        rows = self._db.execute(query, (after, count + len(self._new_inodes)))
        found: dict[int, Inode | None] = {ino: decode_inode(record) for ino, record in rows}
        found.update((ino, v) for ino, v in self._new_inodes.items() if ino > after)
        kept = [found[ino] for ino in sorted(found)]
        return [inode for inode in kept if inode is not None][:count]

    # --- extended attributes ------------------------------------------------------------------
    def xattrs(self, ino: int) -> Mapping[bytes, bytes]:
        new = self._new_xattrs.get(ino)
        if new is not None:
            return new
        row = self._db.execute("SELECT record FROM xattrs WHERE ino = ?", (ino,)).fetchone()
        return {} if row is None else decode_xattrs(row[0])

    def put_xattrs(self, ino: int, xattrs: Mapping[bytes, bytes]) -> None:
        self._new_xattrs[ino] = xattrs

    # --- entries ------------------------------------------------------------------------------
    def entry(self, directory: int, name: bytes) -> Entry | None:
        key = (directory, name)
        if self._new_entries and key in self._new_entries:
            return self._new_entries[key]
        entry = self._entry_cache.get(key)
        if entry is None:
            query = "SELECT ino, kind FROM entries WHERE directory = ? AND name = ?"
            row = self._db.execute(query, key).fetchone()
            if row is not None:
                entry = Entry(name, Ino(row[0]), row[1])
                self._entry_cache.put(key, entry)
        return entry

    def put_entry(self, directory: int, entry: Entry) -> None:
        self._new_entries[directory, entry.name] = entry
        self._fresh.add(directory)

    def delete_entry(self, directory: int, name: bytes) -> None:
        self._new_entries[directory, name] = None
        self._fresh.add(directory)

    def entries(self, directory: int) -> list[Entry]:
        query = "SELECT name, ino, kind FROM entries WHERE directory = ? ORDER BY name"
        found = [Entry(*row) for row in self._db.execute(query, (directory,))]
        new = {key[1]: v for key, v in self._new_entries.items() if key[0] == directory}
        if new:
            merged: dict[bytes, Entry | None] = {entry.name: entry for entry in found}
            merged.update(new)
            kept = [merged[name] for name in sorted(merged)]
            found = [entry for entry in kept if entry is not None]
        return found

    # --- counters and results -----------------------------------------------------------------
    def counter(self, name: str) -> int:
        value = self._new_counters.get(name)
        return self._counters.get(name, 0) if value is None else value

    def set_counter(self, name: str, value: int) -> None:
        self._new_counters[name] = value

    def result(self, slot: Slot) -> tuple[int, bytes] | None:
        new = self._new_results.get(slot)
        if new is not None:
            return new
        numbers = self._numbers.get(slot[0])
        if numbers is None or numbers[slot[1]] < 0:
            return None
        query = "SELECT number, result FROM results WHERE client = ? AND slot = ?"
        number, result = self._db.execute(query, slot).fetchone()
        return number, result

    def put_result(self, slot: Slot, number: int, result: bytes) -> None:
        self._new_results[slot] = (number, result)

    def dump(self) -> Iterator[tuple[object, ...]]:
        """Every record in a fixed order; between batches only."""
        for (record,) in self._db.execute("SELECT record FROM inodes ORDER BY ino"):
            yield ("inode", decode_inode(record))
        for ino, record in self._db.execute("SELECT ino, record FROM xattrs ORDER BY ino"):
            yield ("xattrs", ino, decode_xattrs(record))
        for row in self._db.execute("SELECT * FROM entries ORDER BY directory, name"):
            yield ("entry", row[0], Entry(*row[1:]))
        for row in self._db.execute("SELECT * FROM counters ORDER BY name"):
            yield ("counter", *row)
        for row in self._db.execute("SELECT * FROM results ORDER BY client, slot"):
            yield ("result", *row)


def _shown(inode: Inode) -> tuple[object, ...]:
    """What a look at the inode shows: a new home or copies are nobody's business."""
    return inode.attr(), inode.writing
