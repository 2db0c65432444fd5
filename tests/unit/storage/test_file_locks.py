"""Locks by the kernel for owners without a descriptor, held against the rules of POSIX."""

import asyncio
import errno
import fcntl
import os
import struct
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneos.storage.file_locks import LAST, READ, UNLOCK, WRITE, FileLock, Found, Range, Wait

BYTES = 12


class Model:
    """Record locks as fcntl(2) describes them: a type for each byte and owner."""

    def __init__(self, owners: int) -> None:
        self.bytes: list[list[int]] = [[UNLOCK] * (BYTES + 1) for _ in range(owners)]

    def set(self, owner: int, type_: int, first: int, last: int) -> bool:
        """Whether it is granted; the last place stands for all bytes from BYTES on."""
        if self.test(owner, type_, first, last):
            return False
        for at in range(first, min(last, BYTES) + 1):
            self.bytes[owner][at] = type_
        return True

    def test(self, owner: int, type_: int, first: int, last: int) -> bool:
        """Whether somebody else is in the way."""
        if type_ == UNLOCK:
            return False
        return any(
            other[at] == WRITE or (other[at] == READ and type_ == WRITE)
            for number, other in enumerate(self.bytes)
            if number != owner
            for at in range(first, min(last, BYTES) + 1)
        )

    def held(self, owner: int) -> list[tuple[int, int, int]]:
        """Its ranges, as long as they can be."""
        found: list[tuple[int, int, int]] = []
        for at, type_ in enumerate(self.bytes[owner]):
            if type_ == UNLOCK:
                continue
            last = LAST if at == BYTES else at
            if found and found[-1][0] == type_ and found[-1][2] == at - 1:
                found[-1] = type_, found[-1][1], last
            else:
                found.append((type_, at, last))
        return found


steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([READ, WRITE, UNLOCK]),
        st.integers(0, BYTES),
        st.one_of(st.none(), st.integers(0, BYTES)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_owners_lock_by_the_rules_of_posix(
    tmp_path_factory: pytest.TempPathFactory, taken: list[tuple[int, int, int, int | None]]
) -> None:
    path = tmp_path_factory.mktemp("locks") / "file"
    path.touch()
    model = Model(3)
    owners = [FileLock(str(path)) for _ in range(3)]
    try:
        for owner, type_, first, length in taken:
            # None: to the end, wherever that is; one that goes beyond the model does as well.
            last = LAST if length is None or first + length >= BYTES else first + length
            what = Range("posix", type_, first, last)
            if type_ != UNLOCK:
                in_the_way = owners[owner].test(what)
                assert bool(in_the_way) == model.test(owner, type_, first, last)
            try:
                owners[owner].set(what)
                granted = True
            except BlockingIOError:
                granted = False
            assert granted == model.set(owner, type_, first, last)
            for number, lock in enumerate(owners):
                held = sorted(lock.held(), key=lambda entry: entry[2])
                assert [entry[1:] for entry in held] == model.held(number)
    finally:
        for lock in owners:
            lock.close()


def test_a_process_of_this_host_and_an_owner_without_a_descriptor_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    owner = FileLock(str(path))
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)
        assert owner.test(Range("posix", READ)) == Found(WRITE, 5, 14, os.getpid())
        with pytest.raises(BlockingIOError):
            owner.set(Range("posix", WRITE, 14, 20))
        owner.set(Range("posix", WRITE, 15, 20))
        with pytest.raises(BlockingIOError):
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 20)
        fcntl.flock(file, fcntl.LOCK_SH)
        owner.set(Range("flock", READ))
        with pytest.raises(BlockingIOError):
            owner.set(Range("flock", WRITE))
        owner.close()
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("kind", ["posix", "flock"])
async def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.touch()
    holder, other = FileLock(str(path)), FileLock(str(path))
    what = Range(kind, WRITE)  # type: ignore[arg-type]
    holder.set(what)
    wait = Wait(other, what)
    assert not wait.code.done()
    holder.close()
    assert await asyncio.wait_for(wait.code, 60) == 0
    with pytest.raises(BlockingIOError):
        FileLock(str(path)).set(what)
    other.close()


@pytest.mark.parametrize("kind", ["posix", "flock"])
async def test_who_is_called_back_holds_nothing_and_leaves_no_thread(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "file"
    path.touch()
    holder, other = FileLock(str(path)), FileLock(str(path))
    what = Range(kind, WRITE)  # type: ignore[arg-type]
    holder.set(what)
    before = threading.active_count()
    waits = [Wait(other, what) for _ in range(20)]
    # Some are in their calls by now, and some are not.
    codes = await asyncio.wait_for(asyncio.gather(*(wait.call_back() for wait in waits)), 60)
    assert codes == [errno.EINTR] * 20
    for wait in waits:
        wait._thread.join(60)
    assert threading.active_count() == before
    assert len(holder.held()) == 1 and other.held() == []
    holder.close()
    other.close()


def test_a_range_that_is_none_is_refused() -> None:
    for first, last in ((-1, 5), (6, 5), (0, LAST + 1)):
        with pytest.raises(OSError) as caught:
            Range("posix", READ, first, last)
        assert caught.value.errno == errno.EINVAL
    count = struct.unpack_from("@hhqq", Range("posix", READ, 3, LAST).record())[3]
    assert count == 0
