"""Requests are read as they come, and nobody looks for them in vain for long."""

import os
import threading
from collections.abc import Iterator

import pytest

from oneos.fuse.arrivals import Arrivals
from oneos.limits import FUSE_LOOKS_MAX, FUSE_RESTS_MAX

BUFFER_BYTES = 64


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_requests_are_read_in_their_order(ends: tuple[int, int]) -> None:
    arrivals, buffer = Arrivals(ends[0]), bytearray(BUFFER_BYTES)
    for text in (b"one", b"three"):
        os.write(ends[1], text)
        assert bytes(buffer[: arrivals.read([buffer])]) == text


def test_request_is_waited_for_without_looking_once_none_came_for_long(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrivals, buffer = Arrivals(ends[0]), bytearray(BUFFER_BYTES)
    looked = 0
    readv = os.readv

    def counted(fd: int, buffers: list[bytearray]) -> int:
        nonlocal looked
        looked += 1
        return readv(fd, buffers)

    monkeypatch.setattr(os, "readv", counted)
    for _ in range(10):
        later = threading.Timer(0.01, os.write, (ends[1], b"late"))
        later.start()
        looked = 0
        assert arrivals.read([buffer]) == 4
        later.join()
    # Once before it waits, once after; once in all where it came before that.
    assert looked <= 2


def test_request_that_comes_only_once_nobody_looks_is_waited_for(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the program that makes it has to share a core with who looks."""
    arrivals, buffer = Arrivals(ends[0]), bytearray(BUFFER_BYTES)
    looked = 0
    readv = os.readv

    def counted(fd: int, buffers: list[bytearray]) -> int:
        nonlocal looked
        looked += 1
        if os.get_blocking(fd):
            os.write(ends[1], b"soon")
        return readv(fd, buffers)

    monkeypatch.setattr(os, "readv", counted)
    requests = 4 * FUSE_RESTS_MAX
    for _ in range(requests):
        assert arrivals.read([buffer]) == 4
    assert looked <= requests + 5 * FUSE_LOOKS_MAX


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="nothing can come meanwhile")
def test_requests_that_follow_closely_are_looked_for(ends: tuple[int, int]) -> None:
    arrivals, buffer = Arrivals(ends[0]), bytearray(BUFFER_BYTES)
    for _ in range(2):
        os.write(ends[1], b"soon")
        arrivals.read([buffer])
    assert not os.get_blocking(ends[0])
