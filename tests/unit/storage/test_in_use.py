"""The kernel tells who has a file open, without a word from them."""

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oneos.storage.in_use import can_tell, in_use


@pytest.fixture
def file(tmp_path: Path) -> Path:
    if not can_tell(str(tmp_path)):
        pytest.skip("this file system has no leases")
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR])
def test_open_file_is_in_use_until_it_is_closed(file: Path, flags: int) -> None:
    assert not in_use(str(file))
    fd = os.open(file, flags)
    assert in_use(str(file)) and in_use(str(file))
    copy = os.dup(fd)
    os.close(fd)
    assert in_use(str(file))
    os.close(copy)
    assert not in_use(str(file))


def test_mapped_file_is_in_use_though_it_is_closed(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY)
    mapped = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
    os.close(fd)
    assert in_use(str(file))
    mapped.close()
    assert not in_use(str(file))


def test_question_ends_nobody_who_opens_the_file_meanwhile(file: Path) -> None:
    """A lease is broken by a signal, whose default is the end of the process that holds it."""
    program = "import sys\nwhile True:\n    open(sys.argv[1]).close()"
    process = subprocess.Popen([sys.executable, "-c", program, str(file)])
    try:
        answers = {in_use(str(file)) for _ in range(3000)}
        assert process.poll() is None
        assert answers <= {True, False}
    finally:
        process.kill()
        process.wait()
    assert not in_use(str(file))


def test_file_that_is_not_there_is_not_in_use(tmp_path: Path) -> None:
    assert not in_use(str(tmp_path / "nothing"))


def test_probe_leaves_nothing_behind(tmp_path: Path) -> None:
    can_tell(str(tmp_path))
    assert os.listdir(tmp_path) == []
