"""The number that takes back what programs keep: seen by those who have its page, at once."""

import os
from pathlib import Path

from oneos.files.kept import NAME, NUMBER_BYTES, Generation


def page(directory: Path) -> int:
    return os.open(directory / NAME, os.O_RDONLY)


def test_number_changes_for_whoever_has_the_page(tmp_path: Path) -> None:
    generation = Generation()
    generation.start(str(tmp_path))
    fd = page(tmp_path)
    seen = {os.pread(fd, NUMBER_BYTES, 0)}
    for _ in range(300):
        generation.advance()
        seen.add(os.pread(fd, NUMBER_BYTES, 0))
    assert len(seen) == 301
    generation.end()
    assert os.pread(fd, NUMBER_BYTES, 0) == bytes(NUMBER_BYTES)
    assert os.listdir(tmp_path) == []
    os.close(fd)


def test_programs_of_an_earlier_run_do_not_see_the_numbers_of_the_next(tmp_path: Path) -> None:
    first, second = Generation(), Generation()
    first.start(str(tmp_path))
    old = page(tmp_path)
    before = os.pread(old, NUMBER_BYTES, 0)
    second.start(str(tmp_path))
    new = page(tmp_path)
    second.advance()
    assert os.pread(old, NUMBER_BYTES, 0) == before != os.pread(new, NUMBER_BYTES, 0)
    for fd in (old, new):
        os.close(fd)
    second.end()


def test_number_counts_before_the_page_is_shared() -> None:
    generation = Generation()
    generation.advance()
    assert generation.number == 1
