"""How many files each set of hosts holds, counted as the index changes.

To know whether any file has too few copies, or how many have, takes the few rows of a table and not
a look through a million inodes. The counts are changed in the transaction of what they count, so
they are right after any stop; an index of before version 4 gets them by one look through it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from oneos.ids import HostName
from oneos.state.names_types import Inode

TABLE = """
CREATE TABLE IF NOT EXISTS holders (
    wanted INTEGER NOT NULL, copies BLOB NOT NULL, files INTEGER NOT NULL,
    PRIMARY KEY (wanted, copies)
) WITHOUT ROWID
"""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[HostName, ...]).decode

_Key = tuple[int, bytes]


class Held(NamedTuple):
    """Files with content that the same hosts hold, and as many should.

    `wanted` is 0 where nobody said so; `copies` are sorted.
    """

    wanted: int
    copies: tuple[HostName, ...]
    files: int


class Holders:
    """The counts, in an open database that has `TABLE`.

    Attributes:
        left: grows when a file leaves content behind that it had: it is removed, or has other
            content. It counts since this was made, and perhaps too much.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.left = 0

    def change(
        self, inodes: Mapping[int, Inode | None], written: Callable[[int], Inode | None]
    ) -> None:
        """Count what a batch changes, in the transaction that is open and before it is written.

        Args:
            inodes: by their numbers, None for those that it deletes.
            written: what the tables say of a number.
        """
        changes: Counter[_Key] = Counter()
        for ino, inode in inodes.items():
            before = written(ino)
            old, new = _key(before), _key(inode)
            if old != new:
                if old is not None:
                    changes[old] -= 1
                if new is not None:
                    changes[new] += 1
            if before is not None and before.chunks:
                now = inode.chunks if inode is not None else ()
                self.left += now != before.chunks and not set(before.chunks).issubset(now)
        self._add(changes)

    def count_all(self, inodes: Iterable[Inode]) -> None:
        """Count an index that was not counted before."""
        self._add(Counter(key for inode in inodes if (key := _key(inode)) is not None))

    def _add(self, changes: Counter[_Key]) -> None:
        rows = [(*key, count) for key, count in changes.items() if count]
        if rows:
            self._db.executemany(
                "INSERT INTO holders VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET files = files + excluded.files",
                rows,
            )
            self._db.execute("DELETE FROM holders WHERE files = 0")

    def rows(self) -> list[Held]:
        """All counts, of what is written."""
        found = self._db.execute("SELECT wanted, copies, files FROM holders")
        return [Held(wanted, _decode(copies), files) for wanted, copies, files in found]


def _key(inode: Inode | None) -> _Key | None:
    if inode is None or not inode.chunks:
        return None
    return inode.wanted, _encode(sorted(inode.copies))
