"""What is counted of the files that hosts hold is what a look at all of them finds."""

import random
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from oneos.ids import HostName, Incarnation, Ino
from oneos.state import names_commands as c
from oneos.state.names_types import Inode
from oneos.storage.index import SqliteNames

HOSTS = [HostName(name) for name in ("a", "b", "c")]
HOME = (HOSTS[0], Incarnation(1))


@pytest.fixture
def index(tmp_path: Path) -> SqliteNames:
    return SqliteNames.open(str(tmp_path / "index.db"))


def _inodes(index: SqliteNames) -> list[Inode]:
    return list(index.names.scan(0, 10_000))


def _counted(index: SqliteNames) -> dict[tuple[int, tuple[str, ...]], int]:
    return {(held.wanted, held.copies): held.files for held in index.holders()}


def _found(index: SqliteNames) -> dict[tuple[int, tuple[str, ...]], int]:
    return Counter(
        (inode.wanted, tuple(sorted(inode.copies))) for inode in _inodes(index) if inode.chunks
    )


def _commands(rng: random.Random, index: SqliteNames, rids: list[int]) -> list[c.Command]:
    """A few changes of a small set of files, some of which will be refused."""
    commands: list[c.Command] = []
    files = {inode.ino: inode for inode in _inodes(index) if not inode.is_dir}
    for _ in range(rng.randrange(1, 6)):
        rids[0] += 1
        rid, path = ("a", rids[0]), b"/%d" % rng.randrange(6)
        kind = rng.randrange(6)
        inode = rng.choice(list(files.values())) if files else None
        copies = tuple(rng.sample(HOSTS, rng.randrange(1, 4)))
        if kind < 2 or inode is None:
            commands.append(c.Create(rid, 1, path, 0o644, 0, 0, False, *HOME))
        elif kind == 2:
            commands.append(c.Unlink(rid, 1, path))
        elif kind == 3:
            commands.append(c.Copies(rid, 1, inode.ino, inode.version, copies))
        elif kind == 4:
            commands.append(c.Release(rid, 1, inode.ino, HOME[0], inode.home_epoch))
        else:
            chunks = tuple(bytes([rng.randrange(3)]) * 32 for _ in range(rng.randrange(3)))
            size, wanted = len(chunks) << 20, rng.randrange(3)
            commands.append(
                c.Commit(
                    *(rid, 1, inode.ino, HOME[0], inode.home_epoch, size, 1, chunks, copies, True),
                    wanted=wanted,
                )
            )
    return commands


@pytest.mark.parametrize("seed", range(8))
def test_the_counts_are_those_of_a_look_at_all_files_after_each_record(
    index: SqliteNames, tmp_path: Path, seed: int
) -> None:
    rng, rids = random.Random(seed), [0]
    for seq in range(1, 80):
        index.apply(seq, _commands(rng, index, rids))
        assert _counted(index) == _found(index)
    assert sum(_counted(index).values()) > 0
    index.close()
    again = SqliteNames.open(str(tmp_path / "index.db"))
    assert _counted(again) == _found(again)


def test_an_index_of_before_the_counts_is_counted_once(tmp_path: Path) -> None:
    path, rng, rids = str(tmp_path / "index.db"), random.Random(5), [0]
    index = SqliteNames.open(path)
    for seq in range(1, 200):
        index.apply(seq, _commands(rng, index, rids))
        if seq > 30 and _found(index):
            break
    index.close()
    db = sqlite3.connect(path)
    db.execute("DROP TABLE holders")
    db.execute("PRAGMA user_version=3")
    db.commit()
    db.close()
    index = SqliteNames.open(path)
    assert _counted(index) == _found(index) != {}


def test_content_is_left_when_a_file_is_removed_or_has_other_content(index: SqliteNames) -> None:
    def commit(rid: int, version: bytes) -> c.Commit:
        chunks = tuple(bytes([number]) * 32 for number in version)
        return c.Commit(
            ("a", rid), 1, ino, HOSTS[0], 1, len(chunks) << 20, 1, chunks, (HOSTS[0],), False
        )

    index.apply(1, [c.Create(("a", 1), 1, b"/f", 0o644, 0, 0, False, *HOME)])
    ino: Ino = index.names.stat(b"/f").ino
    index.apply(2, [commit(2, b"1")])
    index.apply(3, [commit(3, b"12")])
    index.apply(4, [c.Create(("a", 4), 1, b"/g", 0o644, 0, 0, False, *HOME)])
    assert index.left == 0
    index.apply(5, [commit(5, b"32")])
    assert index.left == 1
    index.apply(6, [c.Unlink(("a", 6), 1, b"/f"), c.Release(("a", 7), 1, ino, HOSTS[0], 1)])
    assert index.left == 2
