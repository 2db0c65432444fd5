"""The walk below an exported directory: the kernel's (openat2) and our own, name by name."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.files import beneath
from oneos.files.beneath import LinkMet, reach, reach_above


@pytest.fixture(params=["kernel", "ours"])
def root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> object:
    """A directory with something outside of it, walked by either."""
    if request.param == "ours":
        monkeypatch.setattr(beneath, "_able", False)
    elif not beneath._able:
        pytest.skip("this kernel has no openat2")
    (tmp_path / "secret").write_text("outside")
    inside = tmp_path / "export"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_text("inside")
    (inside / "absolute").symlink_to(tmp_path)
    (inside / "relative").symlink_to("../secret")
    (inside / "a" / "near").symlink_to("b")
    (inside / "magic").symlink_to("/proc/self/root")

    def opened() -> Iterator[int]:
        fd = os.open(inside, os.O_PATH | os.O_DIRECTORY)
        yield fd
        os.close(fd)

    fds = opened()
    request.addfinalizer(lambda: next(fds, None))
    return next(fds)


def kind(fd: int) -> int:
    try:
        return stat.S_IFMT(os.fstat(fd).st_mode)
    finally:
        os.close(fd)


def test_reaches_what_is_there_and_looks_behind_no_link(root: int) -> None:
    assert kind(reach(root, [])) == stat.S_IFDIR
    assert kind(reach(root, [b"a", b"file"])) == stat.S_IFREG
    assert kind(reach(root, [b"a", b"near"])) == stat.S_IFLNK
    assert kind(reach(root, [b"relative"])) == stat.S_IFLNK
    assert kind(reach_above(root, [b"a", b"new"])) == stat.S_IFDIR


@pytest.mark.parametrize(
    ("place", "at", "target"),
    [
        ([b"a", b"near", b"x"], 1, b"b"),
        ([b"relative", b"x"], 0, b"../secret"),
        ([b"magic", b"etc", b"passwd"], 0, b"/proc/self/root"),
    ],
)
def test_link_on_the_way_is_told_and_not_followed(
    root: int, place: list[bytes], at: int, target: bytes
) -> None:
    for walk in (reach, reach_above):
        with pytest.raises(LinkMet) as met:
            walk(root, [*place, b"y"])
        assert (met.value.at, met.value.target) == (at, target)


def test_link_to_the_outside_is_not_followed(root: int) -> None:
    with pytest.raises(LinkMet) as met:
        reach(root, [b"absolute", b"secret"])
    assert met.value.at == 0


@pytest.mark.parametrize(
    "place",
    [[b".."], [b"a", b"..", b".."], [b"."], [b""], [b"a/file"], [b"../secret"], [b"a\0b"]],
)
def test_what_is_no_name_is_refused(root: int, place: list[bytes]) -> None:
    for walk in (reach, reach_above):
        with pytest.raises(FileError) as error:
            walk(root, place)
        assert error.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("place", "number"),
    [
        ([b"none"], errno.ENOENT),
        ([b"none", b"x"], errno.ENOENT),
        ([b"a", b"file", b"x"], errno.ENOTDIR),
    ],
)
def test_what_is_not_there_has_its_errno(root: int, place: list[bytes], number: int) -> None:
    with pytest.raises(OSError) as error:
        reach(root, place)
    assert error.value.errno == number


def test_place_longer_than_a_path_is_reached(root: int) -> None:
    fd = os.dup(root)
    names = [b"n" * 250] * 20
    for name in names:
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_PATH | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    assert kind(reach(root, names)) == stat.S_IFDIR
