"""Every call on every kind of path answers, and leaves the tree, as a real directory does."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from tests.unit.state.names_support import Client

DIRS = [b"/d", b"/d/e", b"/d/e/g", b"/empty"]
FILES = [b"/f", b"/d/f", b"/d/e/g/f"]
PATHS = [
    *DIRS,
    *FILES,
    *(path + b"/" for path in [*DIRS, *FILES]),
    b"/new",
    b"/new/",
    b"/d/new",
    b"/d/e/g/new",
    b"/d//e//new//",
    b"/d/.",
    b"/d/..",
    b"/d/e/..",
    b"/d/./f",
    b"/d/e/../f",
    b"/f/.",
    b"/f/..",
    b"/f/new",
    b"/new/.",
    b"/new/..",
    b"/new/new",
    b"/d/" + b"n" * 255,
    b"/d/" + b"n" * 256,
    b"/" + b"n" * 256 + b"/new",
    b"/f/" + b"n" * 256,
    b"/d/.../x",
]


def _plant(root: bytes) -> Names:
    client = Client(names=Names(DictStore()))
    os.mkdir(root)
    for path in DIRS:
        os.mkdir(root + path, 0o755)
        client.must(c.MkDir, path, 0o755, 0, 0)
    for path in FILES:
        os.close(os.open(root + path, os.O_CREAT | os.O_WRONLY, 0o644))
        client.at_rest(path)
    return client.names


def _real_tree(root: bytes, path: bytes = b"") -> list[bytes]:
    found = []
    for name in sorted(os.listdir(root + path)):
        child = path + b"/" + name
        is_dir = os.path.isdir(root + child)
        found.append(child + (b"/" if is_dir else b"") + b" %d" % os.stat(root + child).st_nlink)
        if is_dir:
            found += _real_tree(root, child)
    return found


def _tree(names: Names, path: bytes = b"") -> list[bytes]:
    found = []
    for entry in names.list(path or b"/"):
        child = path + b"/" + entry.name
        inode = names.lookup(child)
        found.append(child + (b"/" if inode.is_dir else b"") + b" %d" % inode.nlink)
        if inode.is_dir:
            found += _tree(names, child)
    return found


def _errno(call: Callable[[], object]) -> int:
    try:
        call()
    except OSError as error:
        return error.errno or -1
    return 0


def _compare(
    tmp_path: Path, paths: tuple[bytes, ...], real: Callable[..., object], command: c.Command
) -> None:
    root = os.fsencode(tmp_path) + b"/tree"
    names = _plant(root)
    expected = _errno(lambda: real(*(root + path for path in paths)))
    assert (names.apply(command).errno, paths) == (expected, paths)
    assert (_tree(names), paths) == (_real_tree(root), paths)
    shutil.rmtree(root)


def _open(flags: int) -> Callable[[bytes], None]:
    return lambda path: os.close(os.open(path, flags | os.O_CREAT | os.O_WRONLY, 0o644))


CALLS: dict[str, tuple[Callable[[bytes], object], Callable[[bytes], c.Command]]] = {
    "mkdir": (os.mkdir, lambda p: c.MkDir(("z", 1), 1, p, 0o755, 0, 0)),
    "rmdir": (os.rmdir, lambda p: c.RmDir(("z", 1), 1, p)),
    "unlink": (os.unlink, lambda p: c.Unlink(("z", 1), 1, p)),
    "open": (_open(0), lambda p: c.Create(("z", 1), 1, p, 0o644, 0, 0, False, *HOME)),
    "open-excl": (_open(os.O_EXCL), lambda p: c.Create(("z", 1), 1, p, 0o644, 0, 0, True, *HOME)),
    "chmod": (lambda p: os.chmod(p, 0o700), lambda p: c.SetAttr(("z", 1), 1, p, mode=0o700)),
    "truncate": (lambda p: os.truncate(p, 9), lambda p: c.SetAttr(("z", 1), 1, p, size=9)),
}
HOME = ("h", 1)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_on_each_path(tmp_path: Path, call: str) -> None:
    real, command = CALLS[call]
    for path in PATHS:
        _compare(tmp_path, (path,), real, command(path))


@pytest.mark.parametrize("part", range(4))
def test_rename_of_each_path_to_each_path(tmp_path: Path, part: int) -> None:
    for old in PATHS[part::4]:
        for new in PATHS:
            _compare(tmp_path, (old, new), os.rename, c.Rename(("z", 1), 1, old, new))


@pytest.mark.parametrize("path", PATHS)
def test_stat_and_list_of_each_path(tmp_path: Path, path: bytes) -> None:
    root = os.fsencode(tmp_path) + b"/tree"
    names = _plant(root)
    _same_read(path, lambda: names.stat(path), lambda: os.stat(root + path))
    _same_read(path, lambda: names.list(path), lambda: os.listdir(root + path))


def _same_read(path: bytes, mine: Callable[[], object], real: Callable[[], object]) -> None:
    try:
        mine()
        code = 0
    except FileError as error:
        code = error.errno
    assert (code, path) == (_errno(real), path)
