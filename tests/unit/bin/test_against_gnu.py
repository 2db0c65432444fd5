"""Each command line gives what GNU's utilities give: output, status, files; and errors alike.

Skipped where the machine has no GNU utility of the name.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit.bin.cases import CASES, populate
from tests.unit.bin.conftest import ENV, Result, Runner

REASONS = [
    "No such file or directory",
    "Is a directory",
    "Not a directory",
    "File exists",
    "Directory not empty",
    "Permission denied",
]


@cache
def gnu(name: str) -> str:
    """Where GNU's utility is; empty if there is none."""
    path = shutil.which(name)
    if path is None:
        return ""
    answer = subprocess.run([path, "--version"], capture_output=True, check=False)
    # test(1) has no options, as POSIX demands; where `[` is GNU's, it is, too.
    known = b"GNU" in answer.stdout or (name == "test" and bool(gnu("[")))
    return path if known else ""


def by_gnu(argv: list[str], cwd: Path, stdin: bytes) -> Result:
    # A file, as the other side has: of a pipe wc, head and tail answer otherwise.
    source = cwd.parent / "in"
    source.write_bytes(stdin)
    with source.open("rb") as opened:
        done = subprocess.run(
            argv,
            executable=gnu(argv[0]),
            cwd=cwd,
            env=ENV,
            stdin=opened,
            capture_output=True,
            check=False,
        )
    return Result(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


def files(root: Path, times: bool) -> dict[str, tuple[object, ...]]:
    """Every name below with all that a command may have changed of it."""
    found: dict[str, tuple[object, ...]] = {}
    for place, directories, names in os.walk(root):
        for name in [*names, *directories]:
            path = Path(place, name)
            facts = path.lstat()
            content: object = None
            if stat.S_ISREG(facts.st_mode):
                content = path.read_bytes()
            elif stat.S_ISLNK(facts.st_mode):
                content = os.readlink(path)
            moment = facts.st_mtime_ns if times and not stat.S_ISDIR(facts.st_mode) else 0
            names_of_it = facts.st_nlink if not stat.S_ISDIR(facts.st_mode) else 0
            found[str(path.relative_to(root))] = (oct(facts.st_mode), names_of_it, content, moment)
    return found


def lines_of(result: Result) -> list[bytes]:
    """Output whose order is the file system's: find and grep -r do not sort with GNU."""
    return sorted(re.split(rb"(?<=[\n\0])", result.out))


# These change files: each run has trees of its own. All others share one pair.
CHANGING = ["chmod", "cp", "find", "ln", "mkdir", "mv", "rm", "rmdir", "tee", "touch"]


def outline(root: Path) -> list[tuple[str, int, int, int]]:
    """Names, modes, sizes and times, without reading: that would change the time of last use."""
    paths = [Path(place, name) for place, _, names in os.walk(root) for name in names]
    facts = [(path, path.lstat()) for path in sorted(paths)]
    return [(str(path.relative_to(root)), f.st_mode, f.st_size, f.st_mtime_ns) for path, f in facts]


def make_trees(place: Path) -> tuple[Path, Path]:
    """Two equal trees; their names are equal, too, since some commands write them."""
    for side in ("theirs", "ours"):
        (place / side).mkdir()
        populate(place / side / "tree")
    return place / "theirs" / "tree", place / "ours" / "tree"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    trees = make_trees(tmp_path_factory.mktemp("shared"))
    before = outline(trees[1])
    yield trees
    assert outline(trees[1]) == before == outline(trees[0])


@pytest.mark.parametrize("option", ["-f", "-e", "-m", "-fz", "-en", "-fe"])
@pytest.mark.parametrize(
    "path",
    (
        *("link", "dangling", "loop", "dirlink/../a.txt", "dirlink/up", "dir/nope/x"),
        *(
            "nope/",
            "a.txt/",
            "a.txt/..",
            "/",
            "//dev//null",
            "dir//./sub/",
            "..",
            ".",
            "",
            "link/x",
        ),
    ),
)
def test_readlink_finds_the_whole_name_as_gnu_does(
    runner: Runner, shared: tuple[Path, Path], option: str, path: str
) -> None:
    # In one tree, since the whole name says which.
    argv = ["readlink", option, path]
    theirs, ours = by_gnu(argv, shared[1], b""), runner.run(argv, shared[1], b"")
    assert (ours.status, ours.out, ours.err) == (theirs.status, theirs.out, theirs.err)


@pytest.mark.parametrize(
    ("line", "stdin"), CASES, ids=[f"{at}:{line}" for at, (line, _) in enumerate(CASES)]
)
def test_answers_as_gnu_does(
    runner: Runner, shared: tuple[Path, Path], request: Any, line: str, stdin: bytes
) -> None:
    argv = shlex.split(line)
    if not gnu(argv[0]):
        pytest.skip(f"no GNU {argv[0]} here")
    changing = argv[0] in CHANGING or "out" in argv or "-o" in argv
    trees = make_trees(request.getfixturevalue("tmp_path")) if changing else shared
    theirs = by_gnu(argv, trees[0], stdin)
    ours = runner.run(argv, trees[1], stdin)
    assert ours.status == theirs.status, ours.err
    if argv[0] == "find" or (argv[0] == "grep" and "-r" in line):
        assert lines_of(ours) == lines_of(theirs)
    else:
        assert ours.out == theirs.out
    assert bool(ours.err) == bool(theirs.err), ours.err + theirs.err
    for reason in REASONS:
        assert (reason in ours.err) == (reason in theirs.err), ours.err + theirs.err
    if changing:
        # Times of copies made now differ by the moment; those that were asked for do not.
        kept = argv[0] == "cp" and bool({"-p", "-a"} & set(argv))
        times = (argv[0] in ("touch", "mv", "chmod") or kept) and "new" not in argv
        assert files(trees[1], times) == files(trees[0], times)
