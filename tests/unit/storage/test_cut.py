"""A cut is the file at one moment where it can be, and says when the next one may be skipped."""

import errno
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.limits import CHUNK_BYTES, CUT_SETTLED_NS, CUT_TRIES_MAX
from oneos.storage.chunks import ChunkStore, Offer, Put
from oneos.storage.cut import cut_file


class Busy(ChunkStore):
    """A real store, and a program that writes the file whenever chunks are put."""

    def __init__(self, directory: str, write: Callable[[int], object]) -> None:
        super().__init__(directory)
        self.write = write
        self.times = 0

    def put_named(
        self,
        named: Sequence[tuple[bytes, bytes]],
        offer: Offer | None = None,
        cached: bool = True,
    ) -> list[Put]:
        self.times += 1
        self.write(self.times)
        return super().put_named(named, offer, cached)


def _content(store: ChunkStore, digests: list[bytes], size: int) -> bytes:
    return b"".join(store.get(digest) for digest in digests).ljust(size, b"\0")


def test_a_file_that_changed_while_it_was_cut_is_cut_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def write(times: int) -> None:
        if times == 1:
            file.write_bytes(b"newer")

    store = Busy(str(tmp_path / "chunks"), write)
    cut, _ = cut_file(str(file), store, None)
    assert (cut.size, _content(store, cut.digests, cut.size)) == (5, b"newer")
    assert cut.mtime_ns == os.stat(file).st_mtime_ns


def test_a_file_that_always_changes_is_cut_a_few_times(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0")
    store = Busy(str(tmp_path / "chunks"), lambda times: file.write_bytes(b"%d" % times * times))
    cut, seen = cut_file(str(file), store, None)
    assert store.times == CUT_TRIES_MAX
    assert store.missing(cut.digests) == []
    assert not seen.settled


def test_a_file_that_shrinks_while_it_is_cut_has_its_shorter_size(tmp_path: Path) -> None:
    file = tmp_path / "file"
    data = os.urandom(20 * CHUNK_BYTES)
    file.write_bytes(data)

    def write(times: int) -> None:
        os.truncate(file, 9 * CHUNK_BYTES + 5)

    store = Busy(str(tmp_path / "chunks"), write)
    cut, _ = cut_file(str(file), store, None)
    assert cut.size == 9 * CHUNK_BYTES + 5
    assert _content(store, cut.digests, cut.size) == data[: cut.size]


def test_a_cut_right_after_a_write_does_not_let_the_next_one_be_skipped(tmp_path: Path) -> None:
    # A second write may have the same time stamp as the first: where the clock of the file system
    # ticks slowly, the stamps alone would hide it.
    file, store = tmp_path / "file", ChunkStore(str(tmp_path / "chunks"))
    file.write_bytes(b"data")
    _, seen = cut_file(str(file), store, None)
    assert not seen.settled
    while time.time_ns() - os.stat(file).st_ctime_ns <= CUT_SETTLED_NS:
        time.sleep(CUT_SETTLED_NS / 1e9)
    _, seen = cut_file(str(file), store, seen)
    assert seen.settled


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError) as caught:
        cut_file(str(tmp_path / "none"), ChunkStore(str(tmp_path / "chunks")), None)
    assert caught.value.errno == errno.ENOENT


def test_pieces_are_offered_before_the_cut_ends_and_only_those_that_are_new(tmp_path: Path) -> None:
    store = ChunkStore(str(tmp_path / "chunks"))
    path = tmp_path / "file"
    known, new = b"k" * CHUNK_BYTES, b"n" * CHUNK_BYTES
    store.put(known)
    path.write_bytes(known + new)
    offered: list[bytes] = []
    cut, _ = cut_file(str(path), store, None, lambda pieces: offered.extend(d for _, d in pieces))
    assert offered == [new]
    assert cut.new_digests == [hashlib.sha256(new).digest()]
