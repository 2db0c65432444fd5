"""The utilities as they are used: in the context of a program, on files of the tree.

Each line is run by plain Python on real files, and in the context on the same files of a tree that
is served; nothing may tell the two apart. The same programs against GNU's are in
`test_against_gnu`.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.files.binaries import utilities
from tests.support.treeserver import TreeServer
from tests.unit.bin.cases import FILES
from tests.unit.guest_python.conftest import World

LINES = [
    ("cat a.txt - b.txt", b"middle\n"),
    ("cat nope dir", b""),
    ("tail -n 2 lines", b""),
    ("grep -rn foo dir", b""),
    ("sort -t : -k 2n -o table table", b""),
    ("ls -R", b""),
    ("cp -r dir copy", b""),
    ("mv a.txt b.txt dir2", b""),
    ("rm -r dir nope", b""),
    ("mkdir -p new/a/b", b""),
    ("rmdir hollow dir", b""),
    ("tee -a a.txt new", b"more\n"),
    ("touch -d @1600000000 a.txt new", b""),
    ("find . -name '*.txt' -size -1k", b""),
    ("chmod -R go-rx dir", b""),
    ("ln -s a.txt new", b""),
    ("ln -sfn dir2 soft", b""),
    ("ln -sr a.txt soft/sub", b""),
    ("ln -f a.txt b.txt", b""),
    ("ls -F soft/ soft", b""),
    ("readlink -f soft/sub/../file soft/nope gone", b""),
    ("realpath soft gone nope/x", b""),
    ("cp -a soft gone twin a.txt hollow", b""),
    ("cp -rL soft copy", b""),
    ("rm -r soft/sub soft", b""),
    ("find -L soft -type f", b""),
    ("stat -c '%N %h %F' soft gone twin", b""),
    ("test -h gone", b""),
    ("mv soft gone dir2", b""),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    for name, data in FILES.items():
        made.write(name, data)
        for place in (made.home, made.inside):
            os.utime(place / name, (1_700_000_000, 1_700_000_000))
    for place in (made.home, made.inside):
        (place / "soft").symlink_to("dir")
        (place / "gone").symlink_to("nothing")
        (place / "twin").hardlink_to(place / "a.txt")
    with TreeServer(str(made.root)) as server:
        made.server = server
        yield made


@pytest.mark.parametrize(("line", "stdin"), LINES, ids=[line for line, _ in LINES])
def test_answers_in_the_tree_as_on_the_host(world: World, line: str, stdin: bytes) -> None:
    name, *words = shlex.split(line)
    for place in (world.home, world.inside):
        (place / "hollow").mkdir()
    world.write("bin/" + name, utilities()[name])
    world.same([str(world.home / "bin" / name), *words], stdin)
    native, inside = world.contents()
    assert native == inside
