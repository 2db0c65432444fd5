"""Chunks at rest are read again: what has rotted is put aside, counted, and reported."""

import asyncio
import random
from pathlib import Path

import pytest

from oneos.errors import FileError, NetworkError
from oneos.files.scrubber import DAY_S, Scrubber
from oneos.storage.chunks import ChunkStore
from oneos.storage.scrub import Progress
from tests.unit.engine.servers import eventually

SOON_DAYS = 0.5 / DAY_S
"""A pass of half a second."""


class Reports:
    """Counts what is reported; the first `failing` reports do not get through."""

    def __init__(self, failing: int = 0) -> None:
        self.count = 0
        self.failing = failing

    async def __call__(self) -> None:
        if self.failing:
            self.failing -= 1
            raise NetworkError("away")
        self.count += 1


def flip(store: ChunkStore, digest: bytes, rng: random.Random) -> None:
    """Change one bit of a chunk."""
    path = Path(store.path(digest))
    data = bytearray(path.read_bytes())
    at = rng.randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)


async def test_every_flipped_bit_is_found_counted_and_reported(tmp_path: Path) -> None:
    rng = random.Random(4)
    store = ChunkStore(str(tmp_path / "chunks"))
    digests = [store.put(rng.randbytes(rng.randrange(1, 3000))) for _ in range(60)]
    damaged = rng.sample(digests, 9)
    for digest in damaged:
        flip(store, digest, rng)
    reports = Reports(failing=1)
    path = str(tmp_path / "scrub.json")
    scrubber = Scrubber(store, path, SOON_DAYS, reports)
    scrubber.start()
    await eventually(lambda: scrubber.damage == (9, 0) and reports.count > 0)
    assert sorted(store.missing(digests)) == sorted(damaged)
    await eventually(lambda: scrubber.progress.passes > 0)
    await scrubber.close()
    assert Progress.load(path, 0.0).found == 9

    # The next life knows what was lacking, and counts its repair.
    store = ChunkStore(str(tmp_path / "chunks"))
    scrubber = Scrubber(store, path, 0, reports)
    whole = b"what was damaged"
    digest = store.put(whole)
    flip(store, digest, rng)
    assert (await asyncio.to_thread(store.put_many, [whole]))[0].new
    assert scrubber.damage == (10, 1)


async def test_damage_that_a_program_comes_upon_is_reported_too(tmp_path: Path) -> None:
    store = ChunkStore(str(tmp_path / "chunks"))
    digest = store.put(b"content")
    flip(store, digest, random.Random(4))
    reports = Reports()
    scrubber = Scrubber(store, str(tmp_path / "scrub.json"), 0, reports)
    scrubber.start()
    with pytest.raises(FileError):
        await asyncio.to_thread(store.get, digest)
    await eventually(lambda: reports.count == 1)
    await scrubber.close()
