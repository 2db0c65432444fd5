"""Copying a file: whole or not at all, on from where it broke off, with its holes."""

import os
import stat
from pathlib import Path

import pytest

from oneos.errors import UserError
from oneos.local.sides import Found, HostSide
from oneos.local.transfer import Changed, Transfer, part_of

MIB = 1 << 20


class Broken(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(os.urandom(3 * MIB + 5))
    return path


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "dest"


def part(dest: Path) -> Path:
    return Path(os.fsdecode(part_of(os.fsencode(dest), HostSide.part)))


def copy(
    source: Path, dest: Path, *, keep: bool = False, anew: bool = False, most: int = 1 << 40
) -> list[int]:
    """Copy a file; what was told of the progress. Breaks off once `most` bytes are done."""
    told: list[int] = []

    def progress(count: int) -> None:
        told.append(count)
        if sum(told) >= most:
            raise Broken

    side = HostSide()
    found = side.look(os.fsencode(source))
    assert isinstance(found, Found)
    transfer = Transfer(side, side, keep=keep, anew=anew)
    transfer.file(os.fsencode(source), found, os.fsencode(dest), progress)
    return told


def test_copy_is_whole_and_leaves_nothing_beside_it(source: Path, dest: Path) -> None:
    source.chmod(0o750)
    assert sum(copy(source, dest)) == 3 * MIB + 5
    assert dest.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(dest.stat().st_mode) & 0o700 == 0o700
    assert sorted(os.listdir(dest.parent)) == ["dest", "source"]


def test_modes_and_times_are_kept_where_asked_for_and_no_other_users_rights(
    source: Path, dest: Path
) -> None:
    source.chmod(0o4640)
    os.utime(source, ns=(1, 2_000_000_003))
    copy(source, dest, keep=True)
    about = dest.stat()
    assert (stat.S_IMODE(about.st_mode), about.st_mtime_ns) == (0o640, 2_000_000_003)


def test_file_that_is_written_over_keeps_its_mode_and_shows_nothing_half(
    source: Path, dest: Path
) -> None:
    dest.write_text("before")
    dest.chmod(0o604)
    with pytest.raises(Broken):
        copy(source, dest, most=1)
    assert dest.read_text() == "before"
    copy(source, dest)
    assert dest.read_bytes() == source.read_bytes()
    assert stat.S_IMODE(dest.stat().st_mode) == 0o604


def test_broken_copy_goes_on_where_it_stopped(source: Path, dest: Path) -> None:
    with pytest.raises(Broken):
        copy(source, dest, most=1)
    begun = part(dest)
    begun.write_bytes(source.read_bytes()[: 2 * MIB])
    # The first word is of what was there.
    assert copy(source, dest)[0] == 2 * MIB
    assert dest.read_bytes() == source.read_bytes()
    assert not begun.exists()


def test_what_was_left_is_trusted_no_further_than_it_is_the_same(source: Path, dest: Path) -> None:
    wrong = bytearray(source.read_bytes() + b"and more")
    wrong[MIB + 7] ^= 1
    part(dest).write_bytes(wrong)
    assert copy(source, dest)[0] == MIB
    assert dest.read_bytes() == source.read_bytes()


def test_file_that_is_there_is_not_copied_again(source: Path, dest: Path) -> None:
    copy(source, dest)
    inode = dest.stat().st_ino
    assert copy(source, dest) == [3 * MIB + 5]
    assert dest.stat().st_ino == inode
    copy(source, dest, anew=True)
    assert dest.stat().st_ino != inode
    # The same size is not the same content.
    other = bytearray(source.read_bytes())
    other[-1] ^= 1
    dest.write_bytes(other)
    copy(source, dest)
    assert dest.read_bytes() == source.read_bytes()


def test_holes_stay_holes(tmp_path: Path, dest: Path) -> None:
    source = tmp_path / "sparse"
    with source.open("wb") as file:
        file.seek(64 * MIB)
        file.write(b"middle")
        file.truncate(128 * MIB)
    if source.stat().st_blocks * 512 > 32 * MIB:
        pytest.skip("this file system has no holes")
    assert sum(copy(source, dest)) == 128 * MIB
    about = dest.stat()
    assert about.st_size == 128 * MIB and about.st_blocks * 512 < 32 * MIB
    with dest.open("rb") as file:
        file.seek(64 * MIB)
        assert file.read(10) == b"middle\0\0\0\0"


def test_what_has_no_size_before_it_is_read_is_copied(dest: Path) -> None:
    copy(Path("/proc/self/status"), dest)
    assert dest.read_text().startswith("Name:")


def test_source_that_is_written_meanwhile_is_told(source: Path, dest: Path) -> None:
    side = HostSide()
    found = side.look(os.fsencode(source))
    assert found is not None
    transfer = Transfer(side, side, keep=False, anew=False)

    def write(count: int) -> None:
        source.write_text("other")

    with pytest.raises(Changed):
        transfer.file(os.fsencode(source), found, os.fsencode(dest), write)


def test_two_copies_to_one_name_do_not_mix(source: Path, dest: Path) -> None:
    def second(count: int) -> None:
        with pytest.raises(UserError) as error:
            copy(source, dest)
        assert "another oneos cp" in str(error.value)
        raise Broken

    side = HostSide()
    found = side.look(os.fsencode(source))
    assert found is not None
    transfer = Transfer(side, side, keep=False, anew=False)
    with pytest.raises(Broken):
        transfer.file(os.fsencode(source), found, os.fsencode(dest), second)
    # Nor did the second remove what the first had begun.
    assert part(dest).exists()


def test_link_in_the_way_is_written_through(source: Path, dest: Path) -> None:
    real = dest.parent / "real"
    real.write_text("before")
    dest.symlink_to("real")
    copy(source, dest)
    assert dest.is_symlink() and real.read_bytes() == source.read_bytes()


def test_long_name_leaves_room_for_that_of_the_half_copied(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / ("n" * 255)
    copy(source, dest)
    assert dest.read_bytes() == source.read_bytes()
