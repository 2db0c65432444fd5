"""The tree does what a local directory does, whoever asks: random operations from two hosts.

Programs on each of two hosts, one for each kind of context, work in the same directory of the
tree; and as many on a local one, each with the same operations. What comes of each is compared. In
the end all do something at once, which must come out as if one had been first.
"""

import contextlib
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster
from tests.system.support_drivers import NODE_PROGRAM, PROGRAM, Op, in_the_tree, natively
from tests.system.support_operations import Both, Chooser

SYSTEM_PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")
"""Named by its path it runs in the name space."""

EPISODE = 200
"""Operations in one directory: short enough that a list of them can be shortened."""

LONGER = pytest.mark.nightly


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    kinds = [(1, "python3"), (2, "python3")]
    if SYSTEM_PYTHON and not no_name_space():
        kinds += [(1, SYSTEM_PYTHON), (2, SYSTEM_PYTHON)]
    if shutil.which("node"):
        kinds += [(2, "node")]
    with contextlib.ExitStack() as stack:
        cluster = Cluster(2)
        stack.callback(cluster.close)
        for program in PROGRAM, NODE_PROGRAM:
            cluster[1].put(f"{HOME}/{program.name}", program.read_bytes())
        local = stack.enter_context(tempfile.TemporaryDirectory())
        ours, theirs = {}, []
        for number, kind in kinds:
            driver = stack.enter_context(in_the_tree(cluster[number], kind, HOME))
            ours[f"host{number} {kind}"] = driver
            theirs.append(stack.enter_context(natively(Path(local))))
        yield Both(ours, theirs, (f"{HOME}/work".encode(), f"{local}/work".encode()))


@pytest.mark.parametrize("episodes", [10, pytest.param(500, marks=LONGER)])
def test_names_and_files_are_as_on_a_local_disk(both: Both, episodes: int) -> None:
    for seed in range(episodes):
        chosen = Chooser(seed, len(both.ours)).chosen("names")
        both.check(list(islice(chosen, EPISODE)), f"seed {seed}")


@pytest.mark.parametrize("episodes", [8, pytest.param(500, marks=LONGER)])
def test_the_bytes_of_files_are_as_on_a_local_disk(both: Both, episodes: int) -> None:
    for seed in range(episodes):
        chosen = Chooser(seed, len(both.ours), [b"one", b"other"]).chosen("bytes")
        both.check(list(islice(chosen, EPISODE)), f"seed {seed}")


@pytest.mark.parametrize("checks", [500, pytest.param(20_000, marks=LONGER)])
def test_what_one_host_has_written_no_other_sees_old(both: Both, checks: int) -> None:
    both.checks = 0
    seed = 0
    while both.checks < checks:
        seed += 1
        paths = [b"a", b"b", b"d/a", b"d/b", b"d"]
        chooser = Chooser(seed, len(both.ours), paths)
        names, pieces = chooser.chosen("names"), chooser.chosen("bytes")
        chosen = [(0, ("mkdir", b"d", 0o755))]
        for _ in range(20):
            chosen += [next(names), next(pieces)]
        both.check(chosen, f"seed {seed}", looking=True)


CREATES = os.O_RDWR | os.O_CREAT
PYTHON, OTHER_PYTHON = "host1 python3", "host2 python3"
NATIVE, OTHER_NATIVE = f"host1 {SYSTEM_PYTHON}", f"host2 {SYSTEM_PYTHON}"
NODE = "host2 node"
FOUND: list[tuple[str, list[tuple[str, Op]]]] = [
    (
        "an open file whose directory another host has moved, and put a file in its place",
        [
            (PYTHON, ("mkdir", b"d", 0o755)),
            (NATIVE, ("open", 1, b"d/b", CREATES, 0o644)),
            (OTHER_PYTHON, ("rename", b"d", b"b")),
            (OTHER_PYTHON, ("open", 1, b"d", CREATES, 0o644)),
            (NATIVE, ("fchmod", 1, 0o600)),
        ],
    ),
    (
        "a file that is open and mapped when it loses its set-group bit, and is opened again",
        [
            (OTHER_PYTHON, ("put", b"f", b"x" * 5000)),
            (OTHER_PYTHON, ("open", 2, b"f", CREATES, 0o644)),
            (OTHER_PYTHON, ("fchmod", 2, 0o2755)),
            (OTHER_NATIVE, ("open", 2, b"f", CREATES, 0o644)),
            (PYTHON, ("chmod", b"f", 0o644)),
            (OTHER_NATIVE, ("map_write", 2, b"mapped", 100)),
            (OTHER_NATIVE, ("open", 0, b"f", CREATES, 0o644)),
            (OTHER_NATIVE, ("pread", 0, 200, 0)),
        ],
    ),
    (
        "two paths of which neither is one",
        [
            (PYTHON, ("put", b"f", b"x")),
            *((who, ("rename", b"f/below", b"")) for who in (PYTHON, NATIVE, NODE)),
            *((who, ("link", b"f/below", b"", False)) for who in (PYTHON, NATIVE, NODE)),
            *((who, ("rename", b"", b"f/below")) for who in (PYTHON, NATIVE, NODE)),
        ],
    ),
]
"""What the longer forms have found, in as few operations as it takes."""


@pytest.mark.parametrize(("what", "found"), FOUND, ids=[what for what, _ in FOUND])
def test_what_was_found_once_is_as_on_a_local_disk(
    both: Both, what: str, found: list[tuple[str, Op]]
) -> None:
    chosen = [(both.names.index(who), op) for who, op in found if who in both.names]
    both.check(chosen, what, looking=True)


EXCLUSIVE = os.O_CREAT | os.O_EXCL | os.O_WRONLY
FIRSTS: list[tuple[str, Op, Op, str]] = [
    ("make a file", ("mkdir", b"d", 0o755), ("open", 0, b"d/new", EXCLUSIVE, 0o644), "EEXIST"),
    ("make a directory", ("mkdir", b"d", 0o755), ("mkdir", b"d/new", 0o755), "EEXIST"),
    ("make a link", ("mkdir", b"d", 0o755), ("symlink", b"x", b"d/new"), "EEXIST"),
    ("name a file", ("put", b"f", b"x"), ("link", b"f", b"g", False), "EEXIST"),
    ("remove a file", ("put", b"f", b"x"), ("unlink", b"f"), "ENOENT"),
    ("remove a directory", ("mkdir", b"d", 0o755), ("rmdir", b"d"), "ENOENT"),
    ("rename a file", ("put", b"f", b"x"), ("rename", b"f", b"to-%d"), "ENOENT"),
    ("rename a directory", ("mkdir", b"d", 0o755), ("rename", b"d", b"to-%d"), "ENOENT"),
]
"""What only one can do: first, then all at once; and what it is for the others."""


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=LONGER)])
def test_of_all_who_do_what_only_one_can_one_does(both: Both, rounds: int) -> None:
    for _ in range(rounds):
        for what, first, then, others in FIRSTS:
            both.begin()
            assert random.choice(both.ours)(*first)[0] == "ok"
            came = at_once(both, then)
            assert sorted(x[0] for x in came) == ["failed"] * (len(came) - 1) + ["ok"], (what, came)
            assert {x[1] for x in came if x[0] == "failed"} == {others}, (what, came)
            looks = [
                [row for row in driver("look")[1] if row[0].startswith(b"./")]
                for driver in both.ours
            ]
            assert looks == [looks[0]] * len(looks), (what, looks)


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=LONGER)])
def test_what_all_write_at_once_is_whole_and_the_same_for_all(both: Both, rounds: int) -> None:
    for _ in range(rounds):
        both.begin()
        assert random.choice(both.ours)("put", b"added", b"") == ("ok", None)
        for _ in range(4):
            at_once(both, ("add", b"added", b"<%d>" * 100))
            at_once(both, ("put", b"whole", b"%d" * 5000))
        texts = [[driver("get", name)[1] for name in (b"added", b"whole")] for driver in both.ours]
        assert all(text == texts[0] for text in texts)
        added, whole = texts[0]
        for number in range(len(both.ours)):
            # Each piece stands whole: no other came in between.
            assert added.count(b"<%d>" % number * 100) == 4, added
        assert len(added) == 4 * len(both.ours) * 300
        assert whole in {b"%d" % number * 5000 for number in range(len(both.ours))}


@pytest.mark.parametrize("rounds", [2, pytest.param(30, marks=LONGER)])
def test_directories_that_are_moved_into_each_other_at_once_make_no_ring(
    both: Both, rounds: int
) -> None:
    for _ in range(rounds):
        both.begin()
        for name in b"a", b"b":
            assert both.ours[0]("mkdir", name, 0o755) == ("ok", None)
        ways = [("rename", b"a", b"b/a"), ("rename", b"b", b"a/b")]
        for number, driver in enumerate(both.ours):
            driver.begin(ways[number % 2])
        came = [driver.end() for driver in both.ours]
        assert [x[0] for x in came].count("ok") == 1, came
        assert len(both.ours[0]("look")[1]) == 2


def at_once(both: Both, op: Op) -> list[tuple[str, object]]:
    """All drivers do something, each with its number where a `%d` stands; what came of each."""
    for number, driver in enumerate(both.ours):
        text = b"%d" % number
        driver.begin(tuple(x.replace(b"%d", text) if type(x) is bytes else x for x in op))
    return [driver.end() for driver in both.ours]
