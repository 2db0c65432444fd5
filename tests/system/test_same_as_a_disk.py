"""The tree does what a local directory does, whoever asks: random operations from two hosts.

Four programs, two on each host, one of each kind of context, work in the same directory of the
tree; and four on a local one, each with the same operations. What comes of each is compared.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster
from tests.system.support_drivers import PROGRAM, in_the_tree, natively
from tests.system.support_operations import Both, Chooser

SYSTEM_PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin")
"""Named by its path it runs in the name space."""

EPISODE = 200
"""Operations in one directory: short enough that a list of them can be shortened."""

LONGER = pytest.mark.nightly


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    pythons = ["python3"] if no_name_space() or not SYSTEM_PYTHON else ["python3", SYSTEM_PYTHON]
    with contextlib.ExitStack() as stack:
        cluster = Cluster(2)
        stack.callback(cluster.close)
        cluster[1].put(f"{HOME}/driver.py", PROGRAM.read_bytes())
        local = stack.enter_context(tempfile.TemporaryDirectory())
        ours, theirs = {}, []
        for host in cluster.hosts:
            for python in pythons:
                driver = stack.enter_context(in_the_tree(host, python, HOME))
                ours[f"{host.name} {python}"] = driver
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
