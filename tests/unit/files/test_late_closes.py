"""Closes that nobody waits for: together, at once where somebody wants the file, none forgotten."""

import asyncio
import errno

import pytest

from oneos.errors import FileError
from oneos.files.late_closes import LateCloses
from oneos.limits import BATCH_COMMANDS_MAX, CLOSE_LATE_S, CUT_SETTLED_NS
from tests.support.waiting import WAIT_S, eventually


class Closed:
    """What was closed, and how many were being closed at a time."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.together = 0
        self._now = 0

    async def __call__(self, name: str) -> None:
        self._now += 1
        self.together = max(self.together, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        self.names.append(name)
        if name == "broken":
            raise FileError(errno.EIO)


async def test_files_are_closed_together_and_a_broken_one_stops_no_other() -> None:
    closed = Closed()
    late = LateCloses[str](closed)
    for ino, name in enumerate(("a", "broken", "b")):
        await late.add(ino, name)
    assert closed.names == []
    await eventually(lambda: len(closed.names) == 3)
    assert closed.together == 3
    await late.add(9, "again")
    await eventually(lambda: "again" in closed.names)


@pytest.fixture
def never_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test asks for is all that is closed, however long it takes."""
    monkeypatch.setattr("oneos.files.late_closes.CLOSE_LATE_S", WAIT_S)


async def test_file_that_somebody_wants_is_closed_before_he_gets_it(never_by_itself: None) -> None:
    closed = Closed()
    late = LateCloses[str](closed)
    await late.add(1, "one")
    await late.add(1, "the same")
    await late.add(2, "other")
    await late.now(1)
    assert closed.names == ["one", "the same"]
    await late.stop()
    assert closed.names == ["one", "the same", "other"]


async def test_beyond_a_bound_whoever_closes_waits(never_by_itself: None) -> None:
    closed = Closed()
    late = LateCloses[str](closed)
    for ino in range(BATCH_COMMANDS_MAX + 1):
        await late.add(ino, str(ino))
    assert closed.names == [str(BATCH_COMMANDS_MAX)]
    await late.stop()
    assert len(closed.names) == BATCH_COMMANDS_MAX + 1


def test_a_second_write_in_one_tick_of_the_clock_shows_at_the_late_close() -> None:
    assert CLOSE_LATE_S * 1e9 > CUT_SETTLED_NS
