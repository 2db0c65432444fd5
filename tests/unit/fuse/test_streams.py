"""Requests that wait for a stream: answered when it is ready, or interrupted, and only once."""

import errno
import os
import queue
import select
from collections.abc import Iterator

import pytest

from oneos.fuse.opened import StreamFile
from oneos.fuse.streams import Streams
from oneos.local.client import Client, OpenFd
from tests.support.waiting import WAIT_S


class Kernel:
    """The answers and notices that would go to /dev/fuse."""

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[tuple[int, int, bytes]] = queue.SimpleQueue()
        self.notices: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.streams = Streams(lambda *answer: self.answers.put(answer), self.notices.put)

    def answer(self) -> tuple[int, int, bytes]:
        return self.answers.get(timeout=WAIT_S)


def stream(fd: int, flags: int) -> StreamFile:
    def nobody() -> Client:
        raise AssertionError("a stream of no handle asks nobody")

    return StreamFile(nobody, OpenFd(fd, None), flags)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            pass


def test_read_is_answered_at_once_or_when_there_is_something(
    kernel: Kernel, pipe: tuple[int, int]
) -> None:
    read, write = pipe
    file = stream(read, os.O_RDONLY)
    os.write(write, b"one")
    kernel.streams.attempt(1, file, select.POLLIN, lambda: file.read(0, 100))
    assert kernel.answer() == (1, 0, b"one")
    kernel.streams.attempt(2, file, select.POLLIN, lambda: file.read(0, 100))
    os.write(write, b"two")
    assert kernel.answer() == (2, 0, b"two")
    kernel.streams.attempt(3, file, select.POLLIN, lambda: file.read(0, 100))
    os.close(write)
    assert kernel.answer() == (3, 0, b"")


def test_interrupted_read_is_answered_so_and_takes_nothing(
    kernel: Kernel, pipe: tuple[int, int]
) -> None:
    read, write = pipe
    file = stream(read, os.O_RDONLY)
    kernel.streams.attempt(1, file, select.POLLIN, lambda: file.read(0, 100))
    kernel.streams.interrupt(1)
    assert kernel.answer() == (1, errno.EINTR, b"")
    kernel.streams.interrupt(1)
    os.write(write, b"kept")
    kernel.streams.attempt(2, file, select.POLLIN, lambda: file.read(0, 100))
    assert kernel.answer() == (2, 0, b"kept")
    assert kernel.answers.empty()


def test_interrupt_that_overtakes_its_request_is_not_lost(
    kernel: Kernel, pipe: tuple[int, int]
) -> None:
    file = stream(pipe[0], os.O_RDONLY)
    kernel.streams.interrupt(7)
    kernel.streams.attempt(7, file, select.POLLIN, lambda: file.read(0, 100))
    assert kernel.answer() == (7, errno.EINTR, b"")


def test_reader_that_does_not_block_learns_that_there_is_nothing(
    kernel: Kernel, pipe: tuple[int, int]
) -> None:
    file = stream(pipe[0], os.O_RDONLY | os.O_NONBLOCK)
    kernel.streams.attempt(1, file, select.POLLIN, lambda: file.read(0, 100))
    assert kernel.answer() == (1, errno.EAGAIN, b"")


def test_write_waits_for_room_and_a_reader_that_left_is_told(
    kernel: Kernel, pipe: tuple[int, int]
) -> None:
    read, write = pipe
    file = stream(write, os.O_WRONLY)
    data = memoryview(bytes(1 << 20))
    kernel.streams.attempt(1, file, select.POLLOUT, lambda: b"%d" % file.write(0, data))
    filled = int(kernel.answer()[2])
    kernel.streams.attempt(2, file, select.POLLOUT, lambda: b"%d" % file.write(0, data[:10]))
    assert len(os.read(read, filled)) > 0
    assert kernel.answer() == (2, 0, b"10")
    os.close(read)
    kernel.streams.attempt(3, file, select.POLLOUT, lambda: b"%d" % file.write(0, data))
    assert kernel.answer() == (3, errno.EPIPE, b"")


def test_poll_tells_when_a_stream_becomes_ready(kernel: Kernel, pipe: tuple[int, int]) -> None:
    read, write = pipe
    file = stream(read, os.O_RDONLY)
    assert kernel.streams.poll(file, 42, select.POLLIN, True) == 0
    os.write(write, b"x")
    assert kernel.notices.get(timeout=WAIT_S) == 42
    assert kernel.streams.poll(file, 42, select.POLLIN, True) == select.POLLIN
