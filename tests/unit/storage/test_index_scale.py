"""A million files: what the index takes of the disk, and of memory where it is led."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oneos.ids import HostName, Incarnation
from oneos.state import names_commands as c
from oneos.storage.index import SqliteNames

FILES = 1_000_000
A_DIRECTORY = 1_000
A_RECORD = 50

USE = """
import resource, sys
from oneos.storage.index import SqliteNames

index, files = SqliteNames.open(sys.argv[1]), int(sys.argv[2])
names = index.names
found = after = 0
while batch := names.scan(after):
    found += sum(not inode.is_dir for inode in batch)
    after = batch[-1].ino
assert found == files, found
for number in range(0, files, 97):
    names.stat(b"/data/%05d/reading-%06d.csv" % divmod(number, 1000))
assert len(names.list(b"/data/%05d" % (files // 1000 - 1))) == 1000
assert [(held.wanted, held.files) for held in index.holders()] == [(0, files)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def _makes(seq: int, first: int) -> list[c.Command]:
    """The making of some files."""
    return [
        c.Create(
            ("hub", seq * 200 + at),
            seq,
            b"/data/%05d/reading-%06d.csv" % divmod(first + at, A_DIRECTORY),
            *(0o644, 1000, 1000, True, HostName("hub"), Incarnation(3)),
        )
        for at in range(A_RECORD)
    ]


@pytest.mark.nightly
def test_a_million_files_take_600_bytes_each_and_250_mb_of_memory(tmp_path: Path) -> None:
    path = str(tmp_path / "index.db")
    index = SqliteNames.open(path)
    seq = 1
    index.apply(seq, [c.MkDir(("hub", 1), 1, b"/data", 0o755, 0, 0)])
    holders = (HostName("hub"), HostName("pi1"))
    for first in range(0, FILES, A_RECORD):
        seq += 1
        if first % A_DIRECTORY == 0:
            name = b"/data/%05d" % (first // A_DIRECTORY)
            index.apply(seq, [c.MkDir(("hub", seq * 200), seq, name, 0o755, 1000, 1000)])
            seq += 1
        commits: list[c.Command] = []
        for at, made in enumerate(index.apply(seq, _makes(seq, first))):
            ino, rid = made.value.attr.ino, ("hub", seq * 200 + 100 + at)  # type: ignore[union-attr]
            chunks = (ino.to_bytes(32, "little"),)
            commits.append(c.Commit(rid, seq, ino, holders[0], 1, 1024, seq, chunks, holders, True))
        seq += 1
        assert not any(result.errno for result in index.apply(seq, commits))
    index.checkpoint()
    index.close()
    assert os.path.getsize(path) <= 600 * FILES
    used = subprocess.run(
        [sys.executable, "-c", USE, path, str(FILES)], check=True, stdout=subprocess.PIPE
    )
    assert int(used.stdout) <= 250_000_000
