"""Files at other hosts and topics as pipes: no thread, no descriptor, no byte lost; breaks told."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from oneos.errors import FileError
from oneos.files.handles import Plain
from oneos.files.piped import PipedFile, piped
from oneos.files.pipes import read_some, reader_gone, write_all
from tests.support.descriptors import open_ends
from tests.support.waiting import WAIT_S


@pytest.fixture
async def no_leak() -> AsyncIterator[None]:
    before = open_ends()
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    assert open_ends() <= before


class Remote(Plain):
    """A file elsewhere, as `RemoteFile` shows it: bytes, or the error of a host that broke off."""

    def __init__(self, data: bytes = b"", fails_at: int | None = None) -> None:
        super().__init__()
        self.data = bytearray(data)
        self.fails_at = fails_at
        self.closed = False

    async def pread(self, offset: int, count: int) -> bytes:
        if self.fails_at is not None and offset >= self.fails_at:
            raise FileError(5, hint="the host broke off")
        # Short, as a read of a file that is being written may be.
        return bytes(self.data[offset : offset + min(count, 1000)])

    async def pwrite(self, offset: int, data: bytes) -> tuple[int, int]:
        if self.fails_at is not None and offset >= self.fails_at:
            raise FileError(28)
        taken = data[:3000]
        self.data[offset : offset + len(taken)] = taken
        return len(taken), offset + len(taken)

    async def truncate(self, size: int) -> None:
        del self.data[size:]

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def taken(handle: Plain) -> AsyncIterator[int]:
    """The program's end, as the program has it."""
    fd, handle.fd = handle.fd, -1
    os.set_blocking(fd, False)
    try:
        yield fd
    finally:
        os.close(fd)


async def read_all(fd: int) -> bytes:
    parts = []
    while part := await read_some(fd, 65536):
        parts.append(part)
    return b"".join(parts)


async def test_program_reads_the_whole_file(no_leak: None) -> None:
    data = os.urandom(300_000)
    remote = Remote(data)
    handle = PipedFile(remote, True)
    async with taken(handle) as fd:
        assert await read_all(fd) == data
    await handle.close()
    assert remote.closed


async def test_program_writes_all_of_it_and_close_waits_for_that(no_leak: None) -> None:
    data = os.urandom(300_000)
    remote = Remote()
    handle = PipedFile(remote, False)
    async with taken(handle) as fd:
        await write_all(fd, data)
    await handle.close()
    assert bytes(remote.data) == data
    assert remote.closed


async def test_truncation_comes_before_the_first_write(no_leak: None) -> None:
    remote = Remote(b"old content")
    handle = await piped(remote, False, os.O_WRONLY | os.O_TRUNC)
    assert isinstance(handle, PipedFile)
    async with taken(handle) as fd:
        await write_all(fd, b"new")
    await handle.close()
    assert bytes(remote.data) == b"new"


async def test_break_is_told_before_the_program_can_see_an_end(no_leak: None) -> None:
    order: list[str] = []
    handle = PipedFile(Remote(b"x" * 5000, 2000), True, lambda: order.append("broken"))
    async with taken(handle) as fd:
        got = await read_all(fd)
        order.append("end")
        assert len(got) == 2000
    assert order == ["broken", "end"]
    with pytest.raises(FileError):
        await handle.close()


async def test_failed_write_is_the_error_of_the_close(no_leak: None) -> None:
    remote = Remote(fails_at=3000)
    handle = PipedFile(remote, False)
    async with taken(handle) as fd:
        with pytest.raises(BrokenPipeError):
            while True:
                await write_all(fd, b"x" * 65536)
    with pytest.raises(FileError) as raised:
        await handle.close()
    assert raised.value.errno == 28
    assert remote.closed


async def test_program_that_stops_reading_ends_the_reading(no_leak: None) -> None:
    handle = PipedFile(Remote(b"x" * 1_000_000), True)
    async with taken(handle) as fd:
        assert await read_some(fd, 10) == b"x" * 10
    async with asyncio.timeout(WAIT_S):
        await handle.close()


async def test_file_that_is_closed_at_once_leaks_nothing(no_leak: None) -> None:
    for reading in (True, False):
        remote = Remote(b"x")
        await PipedFile(remote, reading).close()
        assert remote.closed


async def test_many_idle_programs_hold_no_thread(no_leak: None) -> None:
    handles = [PipedFile(Remote(), False) for _ in range(50)]
    async with asyncio.timeout(WAIT_S):
        assert await asyncio.to_thread(lambda: "there is a thread") == "there is a thread"
    for handle in handles:
        await handle.close()


async def test_end_of_the_reader_is_noticed_without_writing(no_leak: None) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    waiting = asyncio.create_task(reader_gone(write))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    os.close(read)
    async with asyncio.timeout(WAIT_S):
        await waiting
    os.close(write)


async def test_waiting_for_a_pipe_can_be_given_up(no_leak: None) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    waiting = asyncio.create_task(read_some(read, 1))
    await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait((waiting,))
    os.write(write, b"x")
    assert await read_some(read, 1) == b"x"
    os.close(read)
    os.close(write)
