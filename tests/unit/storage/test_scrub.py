"""The plan of a scrub under a clock that is turned: all is read in time, and never hastily."""

import itertools
import random
from pathlib import Path

import pytest

from oneos.limits import SCRUB_BYTES_PER_S_MAX, SCRUB_SHARE
from oneos.storage.scrub import KEYS, Progress, key, pause_s

PERIOD_S = 7 * 86_400.0


def run(progress: Progress, begin_s: float, end_s: float, step_s: float) -> list[tuple[int, int]]:
    """The windows of a host that is up from one time to another."""
    windows = []
    now_s = begin_s
    while now_s <= end_s:
        low, high = progress.window(PERIOD_S, now_s)
        windows.append((low, high))
        progress.done(high, now_s)
        now_s += step_s
    return windows


def test_each_place_is_read_once_in_the_period() -> None:
    progress = Progress(1000.0)
    windows = run(progress, 1000.0, 1000.0 + PERIOD_S, PERIOD_S / 100)
    assert windows[0] == (0, 0)
    assert all(before[1] == after[0] for before, after in itertools.pairwise(windows))
    assert windows[-1][1] == KEYS
    assert (progress.place, progress.passes, progress.begun_s) == (0, 1, 1000.0 + PERIOD_S)


def test_what_is_due_grows_evenly() -> None:
    progress = Progress(0.0)
    widths = [high - low for low, high in run(progress, 0.0, PERIOD_S * 0.99, 3600.0)][1:]
    assert max(widths) - min(widths) <= 1


def test_a_host_that_restarts_daily_gets_through_all(tmp_path: Path) -> None:
    path = str(tmp_path / "scrub.json")
    read = []
    for day in range(8):
        now_s = day * 86_400.0
        progress = Progress.load(path, now_s)
        read += run(progress, now_s, now_s + 80_000, 3600.0)
        progress.save(path)
    assert progress.passes == 1
    assert read[0][0] == 0
    ends = [high for _, high in read]
    assert KEYS in ends


def test_a_host_that_is_mostly_off_reads_what_fell_due_when_it_is_on(tmp_path: Path) -> None:
    progress = Progress(0.0)
    assert run(progress, PERIOD_S / 2, PERIOD_S / 2, 1.0) == [(0, KEYS // 2)]
    # After an absence of months one pass is due, and not several.
    assert run(progress, 20 * PERIOD_S, 20 * PERIOD_S, 1.0) == [(KEYS // 2, KEYS)]
    assert progress.passes == 1
    assert progress.window(PERIOD_S, 20 * PERIOD_S) == (0, 0)


def test_a_clock_that_is_put_back_delays_nothing() -> None:
    progress = Progress(1e9)
    run(progress, 1e9, 1e9 + PERIOD_S / 4, PERIOD_S / 100)
    place = progress.place
    assert progress.window(PERIOD_S, 5.0) == (place, place)
    low, high = progress.window(PERIOD_S, 5.0 + PERIOD_S / 2)
    assert low == place
    assert abs(high - place - KEYS // 2) <= KEYS // 1000


@pytest.mark.parametrize("text", ["", "{", '{"begun_s": 1, "place": -1}', '{"place": 3}'])
def test_a_place_that_cannot_be_read_begins_a_new_pass(tmp_path: Path, text: str) -> None:
    path = tmp_path / "scrub.json"
    path.write_text(text)
    assert Progress.load(str(path), 7.0) == Progress(7.0)


def test_reading_is_never_faster_than_its_rate_nor_more_than_its_share_of_the_disks_time() -> None:
    random.seed(4)
    now_s = busy_s = 0.0
    read = 0
    for _ in range(1000):
        size, taken_s = random.randrange(1 << 20), random.choice((0.0001, 0.01, 0.5))
        busy_s += taken_s
        now_s += taken_s + pause_s(size, taken_s)
        read += size
        assert read <= now_s * SCRUB_BYTES_PER_S_MAX + 1
        assert busy_s <= now_s * SCRUB_SHARE + 1e-6


def test_places_are_in_the_order_of_names() -> None:
    random.seed(4)
    names = sorted(random.randbytes(32) for _ in range(100))
    assert [key(name) for name in names] == sorted(key(name) for name in names)
    assert all(0 <= key(name) < KEYS for name in names)
