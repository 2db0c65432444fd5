"""What is asked of the disk is what its kernel does."""

import os
from pathlib import Path

from oneos.storage.disk import stamp_ns


def test_nothing_that_is_written_looks_older_than_the_clock_of_stamps(tmp_path: Path) -> None:
    for number in range(1000):
        before = stamp_ns()
        (tmp_path / "file").write_bytes(b"%d" % number)
        assert os.stat(tmp_path / "file").st_mtime_ns >= before
