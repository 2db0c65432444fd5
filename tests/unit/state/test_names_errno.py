"""Every call on every kind of path answers, and leaves the tree, as a real directory does."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from oneos.errors import FileError
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from oneos.state.names_types import Walk
from tests.unit.state.names_support import Client

DIRS = [b"/d", b"/d/e", b"/d/e/g", b"/empty"]
FILES = [b"/f", b"/d/f", b"/d/e/g/f"]
LINKS = {
    b"/to-d": b"d",
    b"/d/to-f": b"../f",
    b"/d/e/up": b"..",
    b"/d/up-slash": b"./e/../",
    b"/dangling": b"d/made",
    b"/dangling-slash": b"made/",
    b"/to-link": b"to-d/to-f",
    b"/loop": b"loop",
    b"/through-file": b"f/x",
}
PATHS = [
    *DIRS,
    *FILES,
    *LINKS,
    *(path + b"/" for path in [*DIRS, *FILES, *LINKS]),
    b"/to-d/f",
    b"/to-d/new",
    b"/to-d/..",
    b"/d/e/up/..",
    b"/d/e/up/e/up/new",
    b"/to-d/e/../../f",
    b"/loop/f",
    b"/dangling/x",
    b"/d/to-f/x",
    b"/through-file/..",
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
    for path, target in LINKS.items():
        os.symlink(target, root + path)
        client.must(c.Symlink, target, path, 0, 0)
    return client.names


def _real_tree(root: bytes, path: bytes = b"") -> list[bytes]:
    found = []
    for name in sorted(os.listdir(root + path)):
        child = path + b"/" + name
        info = os.lstat(root + child)
        is_dir = stat.S_ISDIR(info.st_mode)
        said = b" " + os.readlink(root + child) if stat.S_ISLNK(info.st_mode) else b""
        found.append(child + (b"/" if is_dir else b"") + b" %d" % info.st_nlink + said)
        if is_dir:
            found += _real_tree(root, child)
    return found


def _tree(names: Names, path: bytes = b"") -> list[bytes]:
    found = []
    for entry in names.list(path or b"/"):
        child = path + b"/" + entry.name
        inode = names.lookup(child, NO_FOLLOW)
        said = b" " + names.readlink(child) if inode.is_link else b""
        found.append(child + (b"/" if inode.is_dir else b"") + b" %d" % inode.nlink + said)
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
    "open-nofollow": (
        _open(os.O_NOFOLLOW),
        lambda p: c.Create(("z", 1), 1, p, 0o644, 0, 0, False, *HOME, walk=NO_FOLLOW),
    ),
    "symlink": (lambda p: os.symlink(b"x", p), lambda p: c.Symlink(("z", 1), 1, b"x", p, 0, 0)),
    "chown": (
        lambda p: os.chown(p, -1, os.getgid()),
        lambda p: c.SetAttr(("z", 1), 1, p, gid=os.getgid()),
    ),
    "lchown": (
        lambda p: os.lchown(p, -1, os.getgid()),
        lambda p: c.SetAttr(("z", 1), 1, p, gid=os.getgid(), walk=NO_FOLLOW),
    ),
    "chmod": (lambda p: os.chmod(p, 0o700), lambda p: c.SetAttr(("z", 1), 1, p, mode=0o700)),
    "truncate": (lambda p: os.truncate(p, 9), lambda p: c.SetAttr(("z", 1), 1, p, size=9)),
}
HOME = ("h", 1)
NO_FOLLOW = Walk(follow=False)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_on_each_path(tmp_path: Path, call: str) -> None:
    real, command = CALLS[call]
    for path in PATHS:
        _compare(tmp_path, (path,), real, command(path))


SHARES = 12


def parts(count: int) -> list[object]:
    """Shares of all paths to begin with; one shows a broken rule, all of them are for the night."""
    return [0, *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1, count))]


@pytest.mark.parametrize("part", parts(SHARES))
def test_rename_of_each_path_to_each_path(tmp_path: Path, part: int) -> None:
    for old in PATHS[part::SHARES]:
        for new in PATHS:
            _compare(tmp_path, (old, new), os.rename, c.Rename(("z", 1), 1, old, new))


@pytest.mark.parametrize("part", parts(SHARES))
@pytest.mark.parametrize("follow", [False, True])
def test_link_of_each_path_to_each_path(tmp_path: Path, part: int, follow: bool) -> None:
    def real(old: bytes, new: bytes) -> None:
        # The keyword alone is not enough: without a directory's descriptor Python's os.link
        # leaves it to link(2), which follows nothing.
        root = os.open("/", os.O_RDONLY)
        try:
            os.link(old, new, src_dir_fd=root, follow_symlinks=follow)
        finally:
            os.close(root)

    for old in PATHS[part::SHARES]:
        for new in [b"/new", b"/new/", b"/f", b"/dangling", b"/to-d/new", b"/f/new", b"/d/.."]:
            _compare(tmp_path, (old, new), real, c.Link(("z", 1), 1, old, new, Walk(follow)))


@pytest.mark.parametrize("path", PATHS)
def test_stat_and_list_of_each_path(tmp_path: Path, path: bytes) -> None:
    root = os.fsencode(tmp_path) + b"/tree"
    names = _plant(root)
    _same_read(path, lambda: names.stat(path), lambda: os.stat(root + path))
    _same_read(path, lambda: names.stat(path, NO_FOLLOW), lambda: os.lstat(root + path))
    _same_read(path, lambda: names.list(path), lambda: os.listdir(root + path))
    _same_read(path, lambda: names.readlink(path), lambda: os.readlink(root + path))
    try:
        found = names.find(path).path
    except FileError:
        return
    assert found == os.path.realpath(root + path)[len(os.path.realpath(root)) :] or found == b"/"


def _same_read(path: bytes, mine: Callable[[], object], real: Callable[[], object]) -> None:
    try:
        mine()
        code = 0
    except FileError as error:
        code = error.errno
    assert (code, path) == (_errno(real), path)
