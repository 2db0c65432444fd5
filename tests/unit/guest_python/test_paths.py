"""Which paths are the tree's, which the host's, and where a relative one leads."""

import sys
from pathlib import PurePosixPath

import pytest

from oneos.guest.python.paths import NOT_A_PATH, Paths, host_directories, normal


@pytest.fixture
def paths() -> Paths:
    return Paths(b"/home/alice", {b"/usr", b"/opt/py", b"", b"/"})


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("x", b"/home/alice/x"),
        ("../x", b"/home/alice/../x"),
        (b"\xff", b"/home/alice/\xff"),
        ("\udcff", b"/home/alice/\xff"),
        (PurePosixPath("a/b"), b"/home/alice/a/b"),
        ("/etc/passwd", b"/etc/passwd"),
        ("/users", b"/users"),
        ("/dev/sensor/1", b"/dev/sensor/1"),
        ("/dev/nullx", b"/dev/nullx"),
        ("/", b"/"),
        ("/proc/self/status", b"/proc/self/status"),
        ("/usr/../etc", b"/usr/../etc"),
    ],
)
def test_tree(paths: Paths, path: object, where: bytes) -> None:
    assert paths.locate(path) == where


@pytest.mark.parametrize(
    "path",
    ["/usr", "/usr/lib/x", "//usr/lib", "/etc/../usr/x", "../../usr", "/dev/null", "/dev/fd/3",
     "/opt/py/lib", b"/opt/py", "/./usr/"],
)  # fmt: skip
def test_host(paths: Paths, path: object) -> None:
    assert paths.locate(path) is None


@pytest.mark.parametrize("path", ["", b"", "a\0b", 1.5, None, "\ud800", [], object()])
def test_no_path(paths: Paths, path: object) -> None:
    assert paths.locate(path) == NOT_A_PATH


def test_host_files_are_read_only(paths: Paths) -> None:
    with pytest.raises(OSError, match="Read-only") as caught:
        paths.writable("/usr")
    assert caught.value.filename == "/usr"
    with pytest.raises(OSError, match="Read-only"):
        paths.writable("/usr/not-there", making=True)


def test_host_files_are_made_and_removed_where_that_does_nothing(paths: Paths) -> None:
    with pytest.raises(FileExistsError):
        paths.writable("/usr", making=True)
    with pytest.raises(FileNotFoundError):
        paths.writable("/usr/not-there")


def test_relative_path_for_a_real_function_is_absolute(paths: Paths) -> None:
    assert paths.native("../../usr/x") == "/usr/x"
    assert paths.native(b"../../usr/x") == b"/usr/x"
    assert paths.native("/usr/x") == "/usr/x"


def test_normal() -> None:
    assert normal(b"//a/./b/../c/") == b"/a/c"
    assert normal(b"/../..") == b"/"


def test_the_interpreter_is_the_hosts() -> None:
    found = host_directories()
    assert sys.base_prefix.encode() in found and sys.prefix.encode() in found
