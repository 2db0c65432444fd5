"""Who watches what: read from what the kernel says of inotify descriptors."""

import ctypes
import os
from pathlib import Path

from oneos.fuse.watches import watched

CHANGED = 0x4


def test_what_is_watched_is_found_and_what_no_longer_is_is_not(tmp_path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init()
    (tmp_path / "file").write_bytes(b"")
    try:
        for path in (tmp_path, tmp_path / "file"):
            assert libc.inotify_add_watch(fd, os.fsencode(path), CHANGED) >= 0
        inodes = {tmp_path.stat().st_ino, (tmp_path / "file").stat().st_ino}
        assert inodes <= set(watched("/proc"))
        watch = libc.inotify_add_watch(fd, os.fsencode(tmp_path / "file"), CHANGED)
        assert libc.inotify_rm_watch(fd, watch) == 0
        text = Path(f"/proc/self/fdinfo/{fd}").read_text()
        assert text.count("inotify wd:") == 1
    finally:
        os.close(fd)


def test_processes_that_end_meanwhile_and_what_is_no_process_are_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "12").mkdir()
    (tmp_path / "self").mkdir()
    assert list(watched(str(tmp_path))) == []
