"""What a host exports: nothing leads out of it, and it is changed only where the owner says so."""

import errno
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneos.config_exports import ExportConfig
from oneos.errors import FileError
from oneos.files import beneath
from oneos.files.beneath import LinkMet
from oneos.files.exports import Exports
from oneos.kernel import messages as m

SWAPS = """
import os, sys
outside, directory, link = sys.argv[1:]
os.symlink(outside, link)
while True:
    # An open directory and a link of the same name take turns.
    os.rename(directory, directory + ".aside")
    os.rename(link, directory)
    os.rename(directory, link)
    os.rename(directory + ".aside", directory)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    inside = tmp_path / "export"
    (inside / "d").mkdir(parents=True)
    (inside / "d" / "f").write_text("inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").write_text("outside")
    return inside


@pytest.fixture
def exports(place: Path) -> Exports:
    both = [
        ExportConfig(name="rw", path=str(place), write=True),
        ExportConfig(name="ro", path=str(place)),
    ]
    return Exports("lab", both)


def ask(exports: Exports, export: str, what: str, where: str, *numbers: int, **more: Any) -> Any:
    names = [os.fsencode(name) for name in where.split("/") if name]
    return exports.ask(m.ExportAsk(what, export, names, numbers=list(numbers), **more))


def read(exports: Exports, *names: bytes) -> str:
    fd = exports.open("ro", names, os.O_RDONLY, 0)
    with open(fd, encoding="utf-8") as file:
        return file.read()


def failure(act: Any, *arguments: Any, **more: Any) -> str:
    with pytest.raises((FileError, OSError)) as error:
        act(*arguments, **more)
    return errno.errorcode[error.value.errno or 0]


@pytest.mark.parametrize("walker", ["kernel", "ours"])
def test_directory_swapped_for_a_link_leads_nowhere(
    exports: Exports, place: Path, monkeypatch: pytest.MonkeyPatch, walker: str
) -> None:
    if walker == "ours":
        monkeypatch.setattr(beneath, "_able", False)
    words = [str(place.parent / "outside"), str(place / "d"), str(place / "link")]
    swapping = subprocess.Popen([sys.executable, "-S", "-c", SWAPS, *words])
    seen = dict.fromkeys(("inside", "met", "gone"), 0)
    try:
        # Until each was met that can be: on a busy machine the other may pause for long.
        while sum(seen.values()) < 2000 or not (seen["inside"] and seen["met"]):
            assert swapping.poll() is None
            try:
                seen[read(exports, b"d", b"f")] += 1
                exports.ask(m.ExportAsk("chmod", "rw", [b"d", b"f"], numbers=[0o600]))
            except LinkMet:
                seen["met"] += 1
            except FileNotFoundError:
                seen["gone"] += 1
    finally:
        swapping.kill()
        swapping.wait()
    # "outside" would have been a KeyError; nor was anything done there.
    assert stat.S_IMODE((place.parent / "outside" / "f").stat().st_mode) != 0o600


def test_link_is_left_to_whoever_asks(exports: Exports, place: Path) -> None:
    (place / "out").symlink_to(place.parent / "outside")
    for name in ("out", "out/f"):
        answer = ask(exports, "ro", "stat", name)
        assert (answer.link, answer.target) == (0, os.fsencode(place.parent / "outside"))
    with pytest.raises(LinkMet):
        exports.open("rw", [b"out", b"new"], os.O_WRONLY | os.O_CREAT, 0o644)
    assert ask(exports, "rw", "mkdir", "out/new", 0o755).link == 0
    assert os.listdir(place.parent / "outside") == ["f"]
    found = ask(exports, "ro", "stat", "out", follow=False)
    assert stat.S_ISLNK(found.value[0])
    assert ask(exports, "ro", "readlink", "out").value == os.fsencode(place.parent / "outside")


def test_nothing_is_changed_where_the_owner_allows_no_writing(
    exports: Exports, place: Path
) -> None:
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC):
        assert failure(exports.open, "ro", [b"d", b"f"], flags, 0) == "EROFS"
    create = os.O_WRONLY | os.O_CREAT
    assert failure(exports.open, "ro", [b"new"], create, 0o644) == "EROFS"
    assert failure(exports.open, "ro", [b"none", b"new"], create, 0o644) == "ENOENT"
    assert failure(exports.open, "ro", [b"d", b"f"], create | os.O_EXCL, 0) == "EEXIST"
    os.close(exports.open("ro", [b"d", b"f"], os.O_RDONLY | os.O_CREAT, 0o644))
    assert failure(ask, exports, "ro", "mkdir", "new", 0o755) == "EROFS"
    assert failure(ask, exports, "ro", "mkdir", "d", 0o755) == "EEXIST"
    assert failure(ask, exports, "ro", "symlink", "new", text=b"x") == "EROFS"
    assert failure(ask, exports, "ro", "unlink", "d/f") == "EROFS"
    assert failure(ask, exports, "ro", "rmdir", "d") == "EROFS"
    assert failure(ask, exports, "ro", "rename", "d", 1, other=[b"e"]) == "EROFS"
    assert failure(ask, exports, "ro", "link", "d/f", 1, other=[b"e"]) == "EROFS"
    assert failure(ask, exports, "ro", "chmod", "d/f", 0o600) == "EROFS"
    assert failure(ask, exports, "ro", "chown", "d/f", 1, 1) == "EROFS"
    assert failure(ask, exports, "ro", "utime", "d/f", 1, 1) == "EROFS"
    assert failure(ask, exports, "ro", "chmod", "none", 0o600) == "ENOENT"
    assert [entry[0] for entry in ask(exports, "ro", "list", "").value] == [b"d"]
    assert (place / "d" / "f").read_text() == "inside"
    assert ask(exports, "ro", "statvfs", "").value[8] & os.ST_RDONLY


def test_where_it_is_allowed_each_change_is_done(exports: Exports, place: Path) -> None:
    fd = exports.open("rw", [b"d", b"new"], os.O_WRONLY | os.O_CREAT, 0o4666)
    os.write(fd, b"12")
    os.close(fd)
    # As the program asked, whatever this process's own umask; and no set-user-ID.
    assert stat.S_IMODE((place / "d" / "new").stat().st_mode) == 0o666
    ask(exports, "rw", "mkdir", "e", 0o777)
    assert stat.S_IMODE((place / "e").stat().st_mode) == 0o777
    ask(exports, "rw", "rename", "d/new", 1, other=[b"e", b"moved"])
    assert failure(ask, exports, "rw", "rename", "d/f", 0, other=[b"e", b"moved"]) == "EEXIST"
    ask(exports, "rw", "symlink", "e/link", text=b"moved")
    ask(exports, "rw", "link", "e/moved", 1, other=[b"d", b"again"])
    ask(exports, "rw", "chmod", "d/again", 0o4600)
    ask(exports, "rw", "utime", "d/again", 1_000, 2_000)
    about = (place / "e" / "moved").stat()
    assert (about.st_nlink, about.st_mtime_ns) == (2, 2_000)
    assert stat.S_IMODE(about.st_mode) == 0o600
    ask(exports, "rw", "utime", "e/link", 3, 4, follow=False)
    assert os.lstat(place / "e" / "link").st_mtime_ns == 4
    for name in ("e/moved", "e/link"):
        ask(exports, "rw", "unlink", name)
    ask(exports, "rw", "rmdir", "e")
    assert sorted(os.listdir(place)) == ["d"]
    for what in ("rmdir", "unlink"):
        assert failure(ask, exports, "rw", what, "") == "EBUSY"


def test_only_regular_files_are_opened(exports: Exports, place: Path) -> None:
    os.mkfifo(place / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "socket"))
    for name in (b"fifo", b"socket"):
        for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT):
            assert failure(exports.open, "rw", [name], flags, 0) == "EACCES"
    assert failure(exports.open, "rw", [b"d"], os.O_RDONLY, 0) == "EISDIR"
    assert failure(exports.open, "rw", [], os.O_RDONLY | os.O_CREAT, 0) == "EISDIR"
    assert failure(exports.open, "rw", [b"d"], os.O_TMPFILE | os.O_RDWR, 0) == "ENOTSUP"
    assert failure(exports.open, "rw", [b"d", b"f"], os.O_DIRECTORY, 0) == "ENOTDIR"
    assert failure(exports.open, "none", [b"f"], os.O_RDONLY, 0) == "ENOENT"
    kinds = {name: kind for name, kind, _ in ask(exports, "ro", "list", "").value}
    assert kinds == {b"d": stat.S_IFDIR, b"fifo": stat.S_IFIFO, b"socket": stat.S_IFSOCK}


def test_number_of_a_file_is_that_of_its_listing_and_one_hosts(
    exports: Exports, place: Path
) -> None:
    ((_, _, listed),) = ask(exports, "ro", "list", "d").value
    assert listed == ask(exports, "rw", "stat", "d/f").value[1] >= 1 << 56
    other = Exports("other", [ExportConfig(name="ro", path=str(place))])
    assert listed != ask(other, "ro", "stat", "d/f").value[1]
