"""A chunk is what its name says, or it is not there."""

import errno
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.limits import CHUNK_BYTES, CORRUPT_KEPT_MAX, LEFTOVER_AGE_S
from oneos.storage.chunks import ChunkStore
from tests.unit.storage.support import run_on_small_disk


@pytest.fixture
def store(tmp_path: Path) -> ChunkStore:
    return ChunkStore(str(tmp_path / "chunks"))


@contextmanager
def fails(code: int) -> Iterator[None]:
    with pytest.raises(FileError) as caught:
        yield
    assert caught.value.errno == code, caught.value


def _left_in(store: ChunkStore, folder: str) -> list[str]:
    return os.listdir(os.path.join(store.directory, folder))


def test_what_was_put_is_got_by_its_hash(store: ChunkStore) -> None:
    for data in (b"", b"x", os.urandom(CHUNK_BYTES)):
        digest = store.put(data)
        assert digest == hashlib.sha256(data).digest()
        assert store.get(digest) == data
        assert store.has(digest)
    assert store.usage() == (3, CHUNK_BYTES + 1, 0)
    assert _left_in(store, "tmp") == []


def test_a_chunk_survives_a_restart(store: ChunkStore) -> None:
    digest = store.put(b"x")
    assert ChunkStore(store.directory).get(digest) == b"x"


def test_many_are_put_at_once_each_once(store: ChunkStore) -> None:
    here = store.put(b"here")
    pieces = [b"one", b"two", b"one", b"here"]
    puts = store.put_many(pieces)
    assert [put.digest for put in puts] == [hashlib.sha256(data).digest() for data in pieces]
    assert [put.new for put in puts] == [True, True, False, False]
    assert set(store.digests()) == {put.digest for put in puts}
    assert here in store.digests()


def test_missing_names_each_absent_chunk_once(store: ChunkStore) -> None:
    here, one, two = store.put(b"here"), b"1" * 32, b"2" * 32
    assert store.missing([two, here, one, two]) == [two, one]


def test_a_deleted_chunk_is_gone(store: ChunkStore) -> None:
    digest = store.put(b"x")
    os.unlink(store.path(digest))
    assert not store.has(digest)
    with fails(errno.ENOENT):
        store.get(digest)


def test_a_chunk_has_a_name_of_32_bytes_and_at_most_a_chunks_length(store: ChunkStore) -> None:
    with fails(errno.EINVAL):
        store.get(b"../../etc/passwd")
    with fails(errno.EINVAL):
        store.put(bytes(CHUNK_BYTES + 1))


def test_every_flipped_bit_is_found(store: ChunkStore) -> None:
    data = b"sixteen bytes ok"
    digest = store.put(data)
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        Path(store.path(digest)).write_bytes(damaged)
        with fails(errno.EIO):
            store.get(digest)
        assert not store.has(digest), "a damaged chunk counts as missing"
    assert store.put(data) == digest
    assert store.get(digest) == data


@pytest.mark.parametrize("damage", ["flip", "shorter", "longer", "empty"])
def test_damage_of_a_large_chunk_is_found_and_set_aside(store: ChunkStore, damage: str) -> None:
    data = os.urandom(CHUNK_BYTES)
    digest = store.put(data)
    at = random.Random(damage).randrange(CHUNK_BYTES)
    damaged = {
        "flip": data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
        "shorter": data[:at],
        "longer": data + b"\0",
        "empty": b"",
    }[damage]
    Path(store.path(digest)).write_bytes(damaged)
    with pytest.raises(FileError) as caught:
        store.get(digest)
    assert caught.value.errno == errno.EIO
    assert digest.hex() in caught.value.message
    assert "damaged" in caught.value.hint
    (aside,) = _left_in(store, "corrupt")
    assert aside.startswith(digest.hex())
    assert store.usage() == (0, 0, 1)


def test_putting_over_a_damaged_chunk_repairs_it(store: ChunkStore) -> None:
    digest = store.put(b"good")
    Path(store.path(digest)).write_bytes(b"evil")
    (put,) = store.put_many([b"good"])
    assert put == (digest, True)
    assert store.get(digest) == b"good"


def test_damage_is_counted_with_what_became_of_it(store: ChunkStore) -> None:
    told = []
    store.damage.on_found = lambda: told.append(store.damage.found)
    digests = [store.put(b"%d" % n) for n in range(3)]
    for digest in digests[:2]:
        Path(store.path(digest)).write_bytes(b"evil")
        with fails(errno.EIO):
            store.check(digest)
    assert store.check(digests[2]) == 1
    store.put(b"0")
    store.put(b"2")
    assert (store.damage.found, store.damage.repaired, told) == (2, 1, [1, 2])
    # The next life knows what is still lacking.
    store = ChunkStore(store.directory)
    store.put(b"1")
    assert (store.damage.found, store.damage.repaired) == (0, 1)


def test_a_chunk_that_was_put_anew_is_not_moved_aside_for_what_it_replaced(
    store: ChunkStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = store.put(b"good")
    Path(store.path(digest)).write_bytes(b"evil")
    aside = store._set_aside

    def late(path: str, seen: os.stat_result | None) -> None:
        monkeypatch.setattr(store, "_set_aside", aside)
        # Another thread is quicker: it meets the damage and puts the chunk again.
        store.put(b"good")
        aside(path, seen)

    monkeypatch.setattr(store, "_set_aside", late)
    with fails(errno.EIO):
        store.get(digest)
    assert store.get(digest) == b"good"
    assert store.damage.found == 1


def test_leftovers_are_what_nobody_needs_any_more(store: ChunkStore) -> None:
    digests = [store.put(b"%d" % n) for n in range(2)]
    for digest in digests:
        Path(store.path(digest)).write_bytes(b"evil")
        with fails(errno.EIO):
            store.get(digest)
    store.put(b"0")
    for name, age_s in (("old", LEFTOVER_AGE_S + 60), ("new", 0.0)):
        path = Path(store.directory) / "tmp" / name
        path.write_bytes(b"123")
        os.utime(path, (time.time() - age_s,) * 2)
    assert store.leftovers(remove_them=False) == (2, 7, 2)
    store.leftovers(remove_them=True)
    assert store.leftovers(remove_them=False) == (0, 0, 1)
    # The one that is nowhere stays, for a person to look at.
    assert _left_in(store, "corrupt")[0].startswith(digests[1].hex())
    assert _left_in(store, "tmp") == ["new"]


def test_only_so_many_damaged_chunks_are_kept(store: ChunkStore) -> None:
    for n in range(CORRUPT_KEPT_MAX + 5):
        digest = store.put(b"%d" % n)
        Path(store.path(digest)).write_bytes(b"evil")
        with fails(errno.EIO):
            store.get(digest)
    assert len(_left_in(store, "corrupt")) == CORRUPT_KEPT_MAX


def test_threads_that_put_the_same_chunks_do_not_harm_each_other(store: ChunkStore) -> None:
    pieces = [b"%d" % n for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for puts in pool.map(lambda _: store.put_many(pieces), range(8)):
            assert len(puts) == 40
    assert store.usage().chunks == 40
    assert all(store.get(digest) for digest in store.digests())
    assert _left_in(store, "tmp") == []


def test_a_file_too_large_for_the_disks_rules_leaves_nothing(store: ChunkStore) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with fails(errno.EFBIG):
            store.put_many([b"small", os.urandom(CHUNK_BYTES)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.usage() == (0, 0, 0)
    assert _left_in(store, "tmp") == []


FULL_DISK = """
import errno, os
from oneos.errors import FileError
from oneos.storage.chunks import ChunkStore

store, kept = ChunkStore("chunks"), []
try:
    while True:
        kept.append(store.put(os.urandom(700_000)))
except FileError as error:
    assert error.errno == errno.ENOSPC, error
assert kept, "nothing fitted at all"
assert os.listdir("chunks/tmp") == [], "a half chunk stayed"
assert sorted(store.digests()) == sorted(kept)
for digest in kept:
    store.get(digest)
os.unlink(store.path(kept[0]))
store.put(os.urandom(700_000))
"""


def test_a_full_disk_is_told_and_leaves_only_whole_chunks(tmp_path: Path) -> None:
    run_on_small_disk(tmp_path, 4, FULL_DISK)


def test_a_chunk_whose_name_a_power_cut_took_is_found_again(tmp_path: Path) -> None:
    directory = str(tmp_path / "chunks")
    store = ChunkStore(directory)
    digest = store.put(b"first, so that there are spares")
    store._spares._make()
    lost = store.put(b"a spare's")
    # As if the rename had not reached the disk.
    spare = Path(directory, "spare", "lost")
    os.rename(store.path(lost), spare)
    again = ChunkStore(directory)
    assert again.get(lost) == b"a spare's"
    assert sorted(again.digests()) == sorted((digest, lost))
    assert _left_in(again, "spare") == []


ENDLESS = """
import os, sys
from oneos.storage.chunks import ChunkStore

store = ChunkStore(sys.argv[1])
while True:
    for put in store.put_many([os.urandom(200_000) for _ in range(4)]):
        os.write(1, put.digest)
"""


def test_chunks_acknowledged_before_a_kill_are_whole_and_nothing_else_stays(
    tmp_path: Path,
) -> None:
    directory = str(tmp_path / "chunks")
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    told = b""
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, directory], stdout=subprocess.PIPE, env=environ
        )
        assert child.stdout
        told += child.stdout.read(32 * 8)
        time.sleep(random.random() * 0.01)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        told += rest[: len(rest) // 32 * 32]
        child.stdout.close()
        child.wait()
    (tmp_path / "chunks" / "tmp" / "17").write_bytes(b"half")
    store = ChunkStore(directory)
    assert _left_in(store, "tmp") == []
    for digest in store.digests():
        store.get(digest)
    assert store.missing(told[n : n + 32] for n in range(0, len(told), 32)) == []
