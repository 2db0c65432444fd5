"""The index on disk is the log's, up to one record and no other, whatever stopped it."""

import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from oneos.errors import FileError, InternalError, OneOSError
from oneos.ids import HostName, Incarnation, Ino
from oneos.limits import INDEX_CHUNKS_CACHED_MAX, INDEX_INODES_CACHED_MAX
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from oneos.storage.index import SqliteNames
from tests.unit.storage.support import run_on_small_disk

HOME = (HostName("a"), Incarnation(1))
NONE = Ino(0)


def log_record(seq: int) -> list[c.Command]:
    """Record `seq` of a log that makes, renames and removes names; always the same."""
    rng = random.Random(seq)
    commands: list[c.Command] = []
    for n in range(8):
        rid, now = ("a", seq * 8 + n), seq
        one, two = (b"/%d/%d" % (rng.randrange(4), rng.randrange(20)) for _ in "ab")
        kind = rng.randrange(8)
        if seq <= 4:
            commands.append(c.MkDir(rid, now, b"/%d" % (seq - 1), 0o755, 0, 0))
        elif kind < 3:
            commands.append(c.Create(rid, now, one, 0o644, 0, 0, False, *HOME))
        elif kind == 3:
            commands.append(c.Rename(rid, now, one, two))
        elif kind == 4 and n % 2:
            commands.append(c.Unlink(rid, now, one))
        elif kind == 4:
            commands.append(c.Link(rid, now, one, two))
        elif kind == 5:
            commands.append(c.SetXattr(rid, now, one, NONE, b"user.%d" % (n % 3), b"x" * n))
        elif kind == 6:
            commands.append(c.RemoveXattr(rid, now, one, NONE, b"user.%d" % (n % 3)))
        else:
            commands.append(c.HostLost(rid, now, HOME[0], Incarnation(0)))
    return commands


def expected_dump(seq: int) -> list[tuple[object, ...]]:
    store = DictStore()
    names = Names(store)
    for n in range(1, seq + 1):
        for command in log_record(n):
            names.apply(command)
    return list(store.dump())


@pytest.fixture
def index(tmp_path: Path) -> SqliteNames:
    return SqliteNames.open(str(tmp_path / "index.db"))


def _replay(index: SqliteNames, until: int) -> None:
    for seq in range(index.applied_seq + 1, until + 1):
        index.apply(seq, log_record(seq))


def test_an_index_restarted_after_any_record_goes_on_where_it_was(tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    for stop in range(0, 40, 3):
        index = SqliteNames.open(path)
        _replay(index, stop)
        index.close()
        index = SqliteNames.open(path)
        assert index.applied_seq == stop
        assert list(index.dump()) == expected_dump(stop)
        index.close()


ENDLESS = """
import os, sys
from oneos.storage.index import SqliteNames
from tests.unit.storage.test_index import log_record

index = SqliteNames.open(sys.argv[1])
for seq in range(index.applied_seq + 1, 10**9):
    index.apply(seq, log_record(seq))
    os.write(1, b"%d\\n" % seq)
"""


def test_a_killed_index_holds_whole_records_and_every_one_it_told(tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    for _ in range(3):
        command = [sys.executable, "-c", ENDLESS, path]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)
        assert child.stdout
        told = [child.stdout.readline() for _ in range(30)]
        time.sleep(random.random() * 0.02)
        child.send_signal(signal.SIGKILL)
        told += child.stdout.read().splitlines(keepends=True)
        child.stdout.close()
        child.wait()
        index = SqliteNames.open(path)
        assert index.applied_seq >= int([line for line in told if line.endswith(b"\n")][-1])
        assert list(index.dump()) == expected_dump(index.applied_seq)
        index.close()


class Broken(c.Command, frozen=True):
    """A command no rule knows, as a bug would make one."""


def test_a_record_that_fails_leaves_nothing_of_itself(index: SqliteNames) -> None:
    _replay(index, 10)
    before = list(index.dump())
    broken: Sequence[c.Command] = [*log_record(11), Broken(("a", 10**6), 1)]
    with pytest.raises(KeyError):
        index.apply(11, broken)
    assert list(index.dump()) == before
    assert index.applied_seq == 10
    _replay(index, 20)
    assert list(index.dump()) == expected_dump(20)


def test_a_record_comes_once_and_in_order_and_numbers_may_be_left_out(index: SqliteNames) -> None:
    index.apply(5, log_record(1))
    for seq in (5, 4):
        with pytest.raises(InternalError, match="after record 5"):
            index.apply(seq, log_record(2))
    index.apply(9, [])
    assert index.applied_seq == 9


FULL_DISK = """
import errno
from oneos.errors import FileError
from oneos.storage.index import SqliteNames
from oneos.state import names_commands as c

index, seq, path = SqliteNames.open("index.db"), 0, b"/" + b"n" * 200
def record(seq):
    return [c.MkDir(("a", seq * 64 + n), 1, path + b"%d-%d" % (seq, n), 0o755, 0, 0)
            for n in range(64)]
try:
    while True:
        assert all(not result.errno for result in index.apply(seq + 1, record(seq + 1)))
        seq += 1
except FileError as error:
    assert error.errno == errno.ENOSPC, error
assert seq > 10 and index.applied_seq == seq
assert len(index.names.list(b"/")) == seq * 64
dump = list(index.dump())
try:
    index.snapshot("snapshot")
    raise AssertionError("the snapshot fitted")
except FileError as error:
    assert error.errno == errno.ENOSPC, error
import os
assert not [name for name in os.listdir(".") if name.startswith("snapshot")]
index.close()
index = SqliteNames.open("index.db")
assert index.applied_seq == seq and list(index.dump()) == dump
"""


def test_a_full_disk_stops_at_a_whole_record(tmp_path: Path) -> None:
    run_on_small_disk(tmp_path, 3, FULL_DISK)


# --- versions -----------------------------------------------------------------------------------
def _as_version_1(path: str) -> None:
    """Make an index what the version before links wrote: inodes without a target."""
    db = sqlite3.connect(path)
    for ino, record in db.execute("SELECT ino, record FROM inodes").fetchall():
        *fields, target, wanted = msgspec.msgpack.decode(record)
        assert (target, wanted) == (b"", 0)
        db.execute(
            "UPDATE inodes SET record = ? WHERE ino = ?", (msgspec.msgpack.encode(fields), ino)
        )
    db.execute("DROP TABLE xattrs")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()


def test_an_index_of_the_version_before_links_goes_on_and_is_then_of_this(tmp_path: Path) -> None:
    path, snapshot = str(tmp_path / "index.db"), str(tmp_path / "snapshot")
    index = SqliteNames.open(path)
    _replay(index, 4)
    index.snapshot(snapshot)
    index.close()
    _as_version_1(path)
    _as_version_1(snapshot)
    for old in (SqliteNames.open(path), SqliteNames.restore(snapshot, path)):
        assert list(old.dump()) == expected_dump(4)
        _replay(old, 25)
        assert list(old.dump()) == expected_dump(25)
        old.apply(26, [c.Symlink(("b", 1), 1, b"0", b"/link", 0, 0)])
        assert old.names.readlink(b"/link") == b"0"
        old.close()
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        db.close()


def test_an_index_keeps_no_row_for_what_has_no_extended_attributes(tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    index = SqliteNames.open(path)
    index.apply(1, [c.MkDir(("a", n), 1, b"/%d" % n, 0o755, 0, 0) for n in range(1, 9)])
    index.apply(
        2, [c.SetXattr(("a", n), 1, b"/%d" % (n % 4), NONE, b"user.x", b"v") for n in (9, 11)]
    )
    index.apply(3, [c.RemoveXattr(("a", 12), 1, b"/1", NONE, b"user.x")])
    assert [row[1:] for row in index.dump() if row[0] == "xattrs"] == [
        (index.names.lookup(b"/3").ino, {b"user.x": b"v"})
    ]
    index.apply(4, [c.RmDir(("a", 13), 1, b"/3")])
    index.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT count(*) FROM xattrs").fetchone() == (0,)
    db.close()


# --- snapshots ----------------------------------------------------------------------------------
def test_a_snapshot_restores_what_was_applied_and_the_tail_follows(
    index: SqliteNames, tmp_path: Path
) -> None:
    snapshot, other = str(tmp_path / "snapshot"), str(tmp_path / "other.db")
    _replay(index, 20)
    assert index.snapshot(snapshot) == 20
    _replay(index, 30)
    behind = SqliteNames.open(other)
    _replay(behind, 3)
    behind.close()
    restored = SqliteNames.restore(snapshot, other)
    assert restored.applied_seq == 20
    assert list(restored.dump()) == expected_dump(20)
    _replay(restored, 30)
    assert list(restored.dump()) == list(index.dump())


def test_a_write_ahead_log_left_by_a_kill_does_not_spoil_a_restored_index(tmp_path: Path) -> None:
    snapshot, path = str(tmp_path / "snapshot"), str(tmp_path / "index.db")
    first = SqliteNames.open(str(tmp_path / "first.db"))
    _replay(first, 8)
    first.snapshot(snapshot)
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    command = [sys.executable, "-c", ENDLESS, path]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)
    assert child.stdout
    for _ in range(20):
        child.stdout.readline()
    child.kill()
    child.stdout.close()
    child.wait()
    assert os.path.exists(path + "-wal")
    assert list(SqliteNames.restore(snapshot, path).dump()) == expected_dump(8)


def test_a_damaged_snapshot_is_refused_and_the_index_stays(
    index: SqliteNames, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot"
    _replay(index, 20)
    index.snapshot(str(snapshot))
    index.close()
    data = snapshot.read_bytes()
    half = data[: len(data) // 2]
    torn = data[:4096] + os.urandom(8192) + data[4096 + 8192 :]
    for damaged in (b"", b"no database at all" * 99, half, torn):
        snapshot.write_bytes(damaged)
        with pytest.raises(OneOSError):
            SqliteNames.restore(str(snapshot), index.path)
        again = SqliteNames.open(index.path)
        assert again.applied_seq == 20
        again.close()
    snapshot.unlink()
    with pytest.raises(OneOSError):
        SqliteNames.restore(str(snapshot), index.path)
    assert [name for name in os.listdir(tmp_path) if "part" in name] == []


def test_a_checkpoint_answers_what_is_safe(index: SqliteNames) -> None:
    _replay(index, 20)
    assert os.path.getsize(index.path + "-wal") > 0
    assert index.checkpoint() == 20
    assert os.path.getsize(index.path + "-wal") == 0


def test_an_index_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        SqliteNames.open(str(tmp_path / "missing" / "index.db"))
    assert caught.value.errno == errno.EIO
    (tmp_path / "text.db").write_text("this is no database" * 100)
    with pytest.raises(OneOSError, match=r"text\.db") as found:
        SqliteNames.open(str(tmp_path / "text.db"))
    assert "move it away" in found.value.hint
    path = str(tmp_path / "newer.db")
    SqliteNames.open(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(OneOSError, match="version 99"):
        SqliteNames.open(path)


# --- caches -------------------------------------------------------------------------------------
def test_more_files_than_the_cache_holds_are_all_found(index: SqliteNames) -> None:
    count = INDEX_INODES_CACHED_MAX + 500
    paths = [b"/%d" % n for n in range(count)]
    for seq in range(0, count, 500):
        commands = [
            c.Create(("a", seq + n), seq, path, 0o644, n, 0, False, *HOME)
            for n, path in enumerate(paths[seq : seq + 500])
        ]
        assert all(not result.errno for result in index.apply(seq + 1, commands))
    assert [index.names.lookup(path).uid for path in paths] == [n % 500 for n in range(count)]


def test_long_files_are_whole_although_they_are_not_cached(index: SqliteNames) -> None:
    chunks = tuple(os.urandom(32) for _ in range(INDEX_CHUNKS_CACHED_MAX + 1))
    size = len(chunks) << 20
    index.apply(1, [c.Create(("a", 1), 1, b"/f", 0o644, 0, 0, False, *HOME)])
    ino = index.names.lookup(b"/f").ino
    commit = c.Commit(("a", 2), 1, ino, HOME[0], 1, size, 0, chunks, (HOME[0],), True)
    assert index.apply(2, [commit])[0].errno == 0
    assert index.names.lookup(b"/f").chunks == chunks
    again = c.Create(("a", 3), 1, b"/f", 0o644, 0, 0, False, *HOME)
    opened = index.apply(3, [again])[0].value
    assert opened.chunks == chunks  # type: ignore[union-attr]
