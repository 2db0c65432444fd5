"""The File System index of one host: the state machine over SQLite, one transaction a log record.

The log is the truth and the database follows it: the sequence of the last applied record is
written in the transaction of its changes, so after any stop the database is the state at
`applied_seq` and the follower goes on from there. With `synchronous=NORMAL` a power cut may take
the newest transactions back, never half of one: whoever shortens the log keeps what is newer than
`checkpoint` answers. One thread at a time uses an index.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence

from oneos.errors import FileError, InternalError, OneOSError
from oneos.failpoints import reach
from oneos.ids import Seq
from oneos.limits import INDEX_PAGE_CACHE_BYTES
from oneos.state.names import Names
from oneos.state.names_commands import Command
from oneos.state.names_types import Result
from oneos.storage.disk import remove, sync_directory, sync_file
from oneos.storage.index_store import SCHEMA, XATTRS_TABLE, SqliteStore

SCHEMA_VERSION = 3
"""2: inodes may be symbolic links, which an older program would take for files. 3: they may have
extended attributes, which it would not remove with them."""
READABLE_VERSIONS = (1, 2, 3)
"""What this program goes on with. The records of an older version are all valid ones of this; so
it is marked as this version and not made anew, which the log may be too short for."""
WAL_PAGES = 1_000
"""Pages of 4 KiB in the write-ahead log before SQLite folds it in: SQLite's own default."""


class SqliteNames:
    """The index in a database file.

    `names` answers reads. `applied_seq` is the last applied record, 0 in a new one. While `noting`,
    `touched` gathers the inodes that look different than before.
    """

    def __init__(self, path: str, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db
        self._store = SqliteStore(db)
        db.execute("BEGIN IMMEDIATE")
        self.names = Names(self._store)
        self._store.flush()
        db.execute("COMMIT")
        self._store.settle()
        row = db.execute("SELECT seq FROM applied").fetchone()
        self.applied_seq = Seq(row[0])
        self.noting = False
        self.touched: set[int] = set()
        self._ahead: list[tuple[Command, Result]] = []

    @classmethod
    def open(cls, path: str) -> SqliteNames:
        """Open the index, or make an empty one.

        Raises:
            FileError: the file or its directory cannot be used.
            OneOSError: the file is damaged, or of another version.
        """
        try:
            db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        except sqlite3.OperationalError as error:
            raise FileError(errno.EIO, path, hint=str(error)) from error
        try:
            _prepare(path, db)
            return cls(path, db)
        except sqlite3.Error as error:
            db.close()
            raise _failure(path, error) from error
        except BaseException:
            db.close()
            raise

    def ahead(self, command: Command) -> Result:
        """Apply a command before any record has it: reads see it at once, the database does not.

        The record that begins with all these very commands makes them lasting; when any other is
        applied, they are forgotten before.
        """
        self._store.take_fresh()
        try:
            result = self.names.apply(command)
        except BaseException:
            self.forget_ahead()
            raise
        self._ahead.append((command, result))
        if self.noting:
            self.touched |= self._store.take_fresh()
        return result

    def forget_ahead(self) -> None:
        """Undo what was applied ahead."""
        self._ahead = []
        self._store.forget()

    def _done_ahead(self, commands: Sequence[Command]) -> list[Result]:
        """The results of a record's first commands, where those were applied ahead."""
        done = self._ahead
        same = zip(done, commands, strict=False)
        if len(done) <= len(commands) and all(before[0] is now for before, now in same):
            self._ahead = []
            return [result for _, result in done]
        self.forget_ahead()
        return []

    def apply(self, seq: int, commands: Sequence[Command]) -> list[Result]:
        """Apply one log record: all of it with its sequence, or, when this raises, nothing.

        Args:
            seq: the record's sequence, above `applied_seq`. Not every number need come.
            commands: the record's commands, in order; the first may have been applied `ahead`.

        Raises:
            FileError: ENOSPC or EIO of the disk. The same record may be applied again.
            InternalError: the record was applied before.
        """
        if seq <= self.applied_seq:
            raise InternalError(
                f"{self.path}: record {seq} comes after record {self.applied_seq}",
                hint="skip records up to applied_seq",
            )
        results = self._done_ahead(commands)
        before = len(results)
        self._store.take_fresh()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            results += [self.names.apply(command) for command in commands[before:]]
            self._store.flush()
            self._db.execute("UPDATE applied SET seq = ?", (seq,))
            self._db.execute("COMMIT")
        except BaseException as error:
            self._store.forget()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise _failure(self.path, error) from error
            raise
        if self.noting:
            # What the others touched was noted then.
            touched, fresh = self._store.touched(), self._store.take_fresh()
            self.touched |= touched & fresh if before else touched
        self._store.settle()
        self.applied_seq = Seq(seq)
        return results

    def take_touched(self) -> set[int]:
        """What was touched since this was asked last."""
        touched, self.touched = self.touched, set()
        return touched

    def checkpoint(self) -> Seq:
        """Make what was applied safe against a power cut; answers the sequence that is safe."""
        try:
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise _failure(self.path, error) from error
        if busy:
            raise FileError(errno.EBUSY, self.path, hint="another process reads the index")
        return self.applied_seq

    def snapshot(self, path: str) -> Seq:
        """Write a copy to `path`, complete and synced or not at all; answers its sequence."""
        part = path + ".part"
        remove(part)
        try:
            copy = sqlite3.connect(part, isolation_level=None)
            try:
                self._db.backup(copy)
                # One file holds all of it: the copy travels without a write-ahead log.
                copy.execute("PRAGMA journal_mode=DELETE")
            finally:
                copy.close()
            sync_file(part)
            os.replace(part, path)
            sync_directory(os.path.dirname(path) or ".")
        except sqlite3.Error as error:
            remove(part)
            raise _failure(part, error) from error
        except OSError as error:
            remove(part)
            raise FileError(error.errno or errno.EIO, path) from error
        return self.applied_seq

    @classmethod
    def restore(cls, snapshot: str, path: str) -> SqliteNames:
        """Put a snapshot in place of the index at `path`, which is not open, and open it.

        Raises:
            OneOSError: the snapshot is damaged; the index at `path` is as it was.
        """
        part = path + ".part"
        remove(part)
        try:
            source = sqlite3.connect(f"file:{snapshot}?mode=ro", uri=True, isolation_level=None)
            copy = sqlite3.connect(part, isolation_level=None)
            try:
                source.backup(copy)
                (state,) = copy.execute("PRAGMA integrity_check").fetchone()
                if state != "ok":
                    raise OneOSError(f"{snapshot}: damaged snapshot: {state}")
                _check_version(snapshot, copy)
            finally:
                copy.close()
                source.close()
            sync_file(part)
            # The old log first: SQLite would play it into the new file.
            for end in ("-wal", "-shm"):
                remove(path + end)
            os.replace(part, path)
            reach("snapshot.placed")
            sync_directory(os.path.dirname(path) or ".")
        except sqlite3.Error as error:
            remove(part)
            raise _failure(snapshot, error) from error
        except OneOSError:
            remove(part)
            raise
        return cls.open(path)

    def dump(self) -> Iterator[tuple[object, ...]]:
        """Every record in a fixed order: equal indexes give equal dumps."""
        return self._store.dump()

    def close(self) -> None:
        """Close the database. What was applied stays."""
        self._db.close()


def _prepare(path: str, db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(f"PRAGMA cache_size={-(INDEX_PAGE_CACHE_BYTES // 1024)}")
    db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")
    db.execute(f"PRAGMA journal_size_limit={WAL_PAGES * 4096 * 4}")
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
        db.execute("BEGIN IMMEDIATE")
        for statement in (*SCHEMA.split(";"), XATTRS_TABLE):
            db.execute(statement)
        db.execute("CREATE TABLE applied (seq INTEGER NOT NULL)")
        db.execute("INSERT INTO applied VALUES (0)")
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("COMMIT")
    if _check_version(path, db) != SCHEMA_VERSION:
        # Before anything of this version is written: an older program must not read it.
        db.execute("BEGIN IMMEDIATE")
        db.execute(XATTRS_TABLE)
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        db.execute("COMMIT")


def _check_version(path: str, db: sqlite3.Connection) -> int:
    version: int
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in READABLE_VERSIONS:
        raise OneOSError(
            f"{path}: an index of version {version}, this program reads {SCHEMA_VERSION}",
            hint="use the version of oneos that wrote it, or move it away: the log makes it anew",
        )
    return version


def _failure(path: str, error: sqlite3.Error) -> OneOSError:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return FileError(errno.ENOSPC, path)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return FileError(errno.EIO, path, hint=str(error))
    hint = "move it away and start again: the index is made anew from a snapshot and the log"
    return OneOSError(f"{path}: {error}", hint=hint)
