"""Each command line gives what GNU's utilities give: output, status, files; and errors alike.

Skipped where the machine has no GNU utility of the name.
"""

import os
import re
import shlex
import shutil
import stat
import subprocess
from functools import cache
from pathlib import Path

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
    return path if b"GNU" in answer.stdout or name == "[" else ""


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
            found[str(path.relative_to(root))] = (oct(facts.st_mode), content, moment)
    return found


def lines_of(result: Result) -> list[bytes]:
    """Output whose order is the file system's: find and grep -r do not sort with GNU."""
    return sorted(re.split(rb"(?<=[\n\0])", result.out))


@pytest.mark.parametrize(
    ("line", "stdin"), CASES, ids=[f"{at}:{line}" for at, (line, _) in enumerate(CASES)]
)
def test_answers_as_gnu_does(runner: Runner, tmp_path: Path, line: str, stdin: bytes) -> None:
    argv = shlex.split(line)
    if not gnu(argv[0]):
        pytest.skip(f"no GNU {argv[0]} here")
    roots = [tmp_path / "theirs" / "tree", tmp_path / "ours" / "tree"]
    for root in roots:
        root.parent.mkdir()
        populate(root)
    theirs = by_gnu(argv, roots[0], stdin)
    ours = runner.run(argv, roots[1], stdin)
    assert ours.status == theirs.status, ours.err
    if argv[0] == "find" or (argv[0] == "grep" and "-r" in line):
        assert lines_of(ours) == lines_of(theirs)
    else:
        assert ours.out == theirs.out
    assert bool(ours.err) == bool(theirs.err), ours.err + theirs.err
    for reason in REASONS:
        assert (reason in ours.err) == (reason in theirs.err), ours.err + theirs.err
    # Times of copies made now differ by the moment; those that were asked for do not.
    exact = argv[0] in ("touch", "mv", "chmod") or (argv[0] == "cp" and {"-p", "-a"} & set(argv))
    times = bool(exact and "new" not in argv)
    assert files(roots[1], times) == files(roots[0], times)
