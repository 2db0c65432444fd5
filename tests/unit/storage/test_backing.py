"""A file comes back from its chunks byte for byte, wherever they are, and a cut misses no write."""

import asyncio
import errno
import os
import random
import threading
import time
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.limits import CHUNK_BYTES, CUT_SETTLED_NS, FILE_CHUNKS_MAX
from oneos.storage.backing import BackingStore
from oneos.storage.chunks import ChunkStore
from oneos.storage.fill import ZERO_DIGEST
from tests.support.waiting import WAIT_S
from tests.unit.storage.support import run_on_small_disk


class Host:
    """A chunk store and its backing files, and the fetches it was asked for."""

    def __init__(self, directory: Path, other: "Host | None" = None) -> None:
        self.directory = directory
        self.chunks = ChunkStore(str(directory / "chunks"))
        self.backing = BackingStore(str(directory / "backing"), self.chunks)
        self.other = other
        self.fetched: list[bytes] = []

    async def fetch(self, digest: bytes) -> bytes:
        self.fetched.append(digest)
        if self.other is None:
            raise FileError(errno.ENOENT, digest.hex())
        return self.other.chunks.get(digest)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.directory / "backing"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "a")


def _write(path: str, at: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    os.pwrite(fd, data, at)
    os.close(fd)


def _read(path: str, at: int, count: int) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.pread(fd, count, at)
    finally:
        os.close(fd)


def _settle(path: str) -> None:
    """Let the file grow old enough that a change of it would show in its times."""
    while (age := time.time_ns() - os.stat(path).st_ctime_ns) <= CUT_SETTLED_NS:
        time.sleep((CUT_SETTLED_NS - age) / 1e9 + 0.001)


async def test_a_new_file_is_empty_and_cuts_to_nothing(host: Host) -> None:
    path = await host.backing.create(7, 1, mtime_ns=5)
    assert host.backing.path(7) == path
    assert host.backing.home_epoch(7) == 1
    assert await host.backing.cut(7) == (0, 5, [], [])


async def test_a_file_of_100_mb_goes_to_another_host_and_back(tmp_path: Path) -> None:
    one, two = Host(tmp_path / "a"), Host(tmp_path / "b")
    data = random.Random(1).randbytes(100 * 1024 * 1024 + 17)
    Path(await one.backing.create(7, 1)).write_bytes(data)
    cut = await one.backing.cut(7)
    assert (cut.size, len(cut.digests), cut.new_digests) == (len(data), 101, cut.digests)
    two.other = one
    path = await two.backing.materialise(7, 2, cut.digests, cut.size, two.fetch, cut.mtime_ns)
    assert two.fetched == cut.digests
    assert Path(path).read_bytes() == data
    assert os.stat(path).st_mtime_ns == cut.mtime_ns
    _write(path, 50 * CHUNK_BYTES, b"changed")
    again = await two.backing.cut(7)
    assert [n for n in range(101) if again.digests[n] != cut.digests[n]] == [50]
    await one.backing.drop(7)
    one.other = two
    path = await one.backing.materialise(7, 3, again.digests, again.size, one.fetch)
    assert one.fetched == [again.digests[50]], "what is here is not fetched"
    assert Path(path).read_bytes() == data[: 50 << 20] + b"changed" + data[(50 << 20) + 7 :]


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
async def test_sizes_around_a_chunk_come_back(host: Host, size: int) -> None:
    data = os.urandom(size)
    Path(await host.backing.create(7, 1)).write_bytes(data)
    cut = await host.backing.cut(7)
    path = await host.backing.materialise(7, 2, cut.digests, cut.size, host.fetch)
    assert Path(path).read_bytes() == data
    assert host.names() == ["7.2"], "the file of the older epoch is gone"


async def test_holes_stay_holes(host: Host) -> None:
    path = await host.backing.create(7, 1)
    size = 10_000 * CHUNK_BYTES + 5
    for chunk in (3, 900):
        _write(path, chunk * CHUNK_BYTES + 17, b"data")
    os.truncate(path, size)
    cut = await host.backing.cut(7)
    assert cut.size == size
    assert len(cut.digests) == 901, "a hole at the end has no chunks"
    assert [n for n, digest in enumerate(cut.digests) if digest != ZERO_DIGEST] == [3, 900]
    assert host.chunks.usage().chunks == 2, "both chunks are equal, and the zeros are one"
    path = await host.backing.materialise(7, 2, cut.digests, cut.size, host.fetch)
    info = os.stat(path)
    assert info.st_size == size
    assert info.st_blocks * 512 <= 2 * CHUNK_BYTES
    for chunk in (0, 3, 900, 9_999):
        expected = bytes(17) + b"data" if chunk in (3, 900) else bytes(21)
        assert _read(path, chunk * CHUNK_BYTES, 21) == expected
    assert (await host.backing.cut(7)).digests == cut.digests


async def test_zeros_that_were_written_become_a_hole(host: Host) -> None:
    Path(await host.backing.create(7, 1)).write_bytes(bytes(3 * CHUNK_BYTES + 9) + b"x")
    cut = await host.backing.cut(7)
    path = await host.backing.materialise(7, 2, cut.digests, cut.size, host.fetch)
    assert os.stat(path).st_blocks * 512 < CHUNK_BYTES
    assert Path(path).read_bytes() == bytes(3 * CHUNK_BYTES + 9) + b"x"


async def test_a_short_last_chunk_of_zeros_is_a_hole_too(host: Host) -> None:
    Path(await host.backing.create(7, 1)).write_bytes(b"x" * CHUNK_BYTES + bytes(900_000))
    cut = await host.backing.cut(7)
    path = await host.backing.materialise(7, 2, cut.digests, cut.size, host.fetch)
    assert os.stat(path).st_blocks * 512 < CHUNK_BYTES + 100_000
    assert Path(path).read_bytes() == b"x" * CHUNK_BYTES + bytes(900_000)


async def test_a_longer_size_than_the_chunks_reads_as_zeros(host: Host) -> None:
    digest = host.chunks.put(b"short")
    size = CHUNK_BYTES + 100
    path = await host.backing.materialise(7, 1, [digest], size, host.fetch)
    assert Path(path).read_bytes() == b"short".ljust(size, b"\0")


async def test_a_file_with_data_too_far_out_is_refused(host: Host) -> None:
    _write(await host.backing.create(7, 1), FILE_CHUNKS_MAX * CHUNK_BYTES, b"x")
    with pytest.raises(FileError) as caught:
        await host.backing.cut(7)
    assert caught.value.errno == errno.EFBIG


# --- damage and failure -------------------------------------------------------------------------
async def test_a_damaged_chunk_is_fetched_from_another_host(tmp_path: Path) -> None:
    two = Host(tmp_path / "b")
    one = Host(tmp_path / "a", other=two)
    digest = one.chunks.put(b"good")
    two.chunks.put(b"good")
    Path(one.chunks.path(digest)).write_bytes(b"evil")
    path = await one.backing.materialise(7, 1, [digest], 4, one.fetch)
    assert Path(path).read_bytes() == b"good"
    assert one.fetched == [digest]


async def test_wrong_bytes_from_another_host_are_refused(host: Host) -> None:
    async def liar(digest: bytes) -> bytes:
        return b"evil"

    with pytest.raises(FileError) as caught:
        await host.backing.materialise(7, 1, [b"d" * 32], 4, liar)
    assert caught.value.errno == errno.EIO
    assert host.names() == []


async def test_a_chunk_nobody_has_is_told_and_leaves_nothing(host: Host) -> None:
    with pytest.raises(FileError) as caught:
        await host.backing.materialise(7, 1, [b"d" * 32, b"e" * 32], 4, host.fetch)
    assert caught.value.errno == errno.ENOENT
    assert host.names() == []
    await host.backing.create(7, 1)


async def test_a_cancelled_making_leaves_nothing(host: Host) -> None:
    asked = asyncio.Event()

    async def never(digest: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    task = asyncio.create_task(host.backing.materialise(7, 1, [b"d" * 32], 4, never))
    await asyncio.wait_for(asked.wait(), WAIT_S)
    with pytest.raises(FileError) as caught:
        await host.backing.create(7, 1)
    assert caught.value.errno == errno.EBUSY
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert host.names() == []
    assert host.backing.inos() == []
    await host.backing.create(7, 1)


async def test_a_file_in_use_is_not_made_again_over_its_writers(host: Host) -> None:
    await host.backing.create(7, 1)
    with pytest.raises(FileError) as caught:
        await host.backing.create(7, 1)
    assert caught.value.errno == errno.EEXIST


async def test_a_dropped_file_is_gone_and_open_descriptors_live(host: Host) -> None:
    path = await host.backing.create(7, 1)
    fd = os.open(path, os.O_RDWR)
    await host.backing.drop(7)
    await host.backing.drop(7)
    assert os.write(fd, b"still") == 5
    os.close(fd)
    assert host.names() == []
    for ask in (host.backing.path, host.backing.home_epoch):
        with pytest.raises(FileError) as caught:
            ask(7)
        assert caught.value.errno == errno.ENOENT
    with pytest.raises(FileError):
        await host.backing.cut(7)


FULL_DISK = """
import asyncio, errno, os
from oneos.errors import FileError
from oneos.storage.backing import BackingStore
from oneos.storage.chunks import ChunkStore

async def main():
    chunks = ChunkStore("chunks")
    backing = BackingStore("backing", chunks)
    digests = [chunks.put(os.urandom(1 << 20)) for _ in range(3)]
    async def fetch(digest):
        raise AssertionError(digest)
    try:
        await backing.materialise(7, 1, digests, 3 << 20, fetch)
        raise AssertionError("it fitted")
    except FileError as error:
        assert error.errno == errno.ENOSPC, error
    assert os.listdir("backing") == []
    with open(await backing.create(8, 1), "wb") as file:
        file.write(os.urandom(1 << 20))
    with open("ballast", "wb", 0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        await backing.cut(8)
        raise AssertionError("it fitted")
    except FileError as error:
        assert error.errno == errno.ENOSPC, error
    os.unlink("ballast")
    os.unlink(chunks.path(digests[0]))
    assert len((await backing.cut(8)).new_digests) == 1

asyncio.run(main())
"""


def test_a_full_disk_is_told_and_the_work_goes_on_once_there_is_room(tmp_path: Path) -> None:
    run_on_small_disk(tmp_path, 5, FULL_DISK)


async def test_files_of_an_earlier_life_are_shown_and_then_dropped(host: Host) -> None:
    Path(await host.backing.create(7, 3)).write_bytes(b"unsaved")
    await host.backing.create(8, 1)
    (host.directory / "backing" / "9.1.part").write_bytes(b"half")
    (host.directory / "backing" / "README").write_bytes(b"a person's")
    again = BackingStore(host.backing.directory, host.chunks)
    left = again.leftovers()
    assert [(x.ino, x.home_epoch, x.size) for x in left] == [(7, 3, 7), (8, 1, 0)]
    assert Path(left[0].path).read_bytes() == b"unsaved"
    await again.create(8, 1)
    assert [x.ino for x in again.leftovers()] == [7]
    await again.drop_leftovers()
    assert again.leftovers() == []
    assert host.names() == ["8.1", "README"]


# --- cuts ---------------------------------------------------------------------------------------
async def test_a_cut_of_an_unchanged_file_reads_nothing(host: Host) -> None:
    path = await host.backing.create(7, 1)
    Path(path).write_bytes(os.urandom(5 * CHUNK_BYTES))
    _settle(path)
    first = await host.backing.cut(7)
    os.chmod(path, 0)
    os.chmod(path, 0o600)
    _settle(path)
    second = await host.backing.cut(7)
    before = _bytes_read()
    third = await host.backing.cut(7)
    assert _bytes_read() - before < CHUNK_BYTES
    assert first.digests == second.digests == third.digests
    assert (second.new_digests, third.new_digests) == ([], [])
    before = _bytes_read()
    await host.backing.cut(7, force=True)
    assert _bytes_read() - before >= 5 * CHUNK_BYTES


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


async def test_a_write_right_after_a_cut_is_in_the_next_one(host: Host) -> None:
    path = await host.backing.create(7, 1)
    fd = os.open(path, os.O_RDWR)
    os.pwrite(fd, b"0" * 10, 0)
    for n in range(60):
        # The same length each time, and often within one tick of the file system's clock.
        os.pwrite(fd, b"%010d" % n, 0)
        (digest,) = (await host.backing.cut(7)).digests
        assert host.chunks.get(digest) == b"%010d" % n
    os.close(fd)


async def test_a_changed_file_with_its_old_time_put_back_is_cut_again(host: Host) -> None:
    path = await host.backing.create(7, 1)
    Path(path).write_bytes(b"old")
    info = os.stat(path)
    _settle(path)
    await host.backing.cut(7)
    Path(path).write_bytes(b"new")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    (digest,) = (await host.backing.cut(7)).digests
    assert host.chunks.get(digest) == b"new"


async def test_a_chunk_lost_since_the_last_cut_is_made_again(host: Host) -> None:
    path = await host.backing.create(7, 1)
    Path(path).write_bytes(b"data")
    _settle(path)
    cut = await host.backing.cut(7)
    os.unlink(host.chunks.path(cut.digests[0]))
    assert (await host.backing.cut(7)).new_digests == cut.digests
    assert host.chunks.get(cut.digests[0]) == b"data"


async def test_a_file_written_without_end_is_cut_all_the_same(host: Host) -> None:
    path = await host.backing.create(7, 1)
    stop = threading.Event()
    before = b"committed before the cut"
    fd = os.open(path, os.O_RDWR)
    os.pwrite(fd, before, 0)

    def write() -> None:
        at = n = 0
        while not stop.is_set():
            at, n = (at + 4096) % (3 * CHUNK_BYTES), n + 1
            os.pwrite(fd, b"%d" % n, len(before) + at)
            if n % 1000 == 0:
                os.ftruncate(fd, len(before) + at)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            cut = await asyncio.wait_for(host.backing.cut(7), WAIT_S)
            assert len(cut.digests) <= -(-cut.size // CHUNK_BYTES)
            assert host.chunks.get(cut.digests[0]).startswith(before)
            assert host.chunks.missing(cut.digests) == []
    finally:
        stop.set()
        writer.join()
        os.close(fd)
    data = Path(path).read_bytes()
    cut = await host.backing.cut(7)
    pieces = b"".join(host.chunks.get(digest) for digest in cut.digests)
    assert pieces.ljust(cut.size, b"\0") == data


async def test_cuts_of_one_file_at_once_agree(host: Host) -> None:
    Path(await host.backing.create(7, 1)).write_bytes(os.urandom(3 * CHUNK_BYTES))
    cuts = await asyncio.gather(*(host.backing.cut(7) for _ in range(4)))
    assert len({tuple(cut.digests) for cut in cuts}) == 1
    assert sum(len(cut.new_digests) for cut in cuts) == 3
