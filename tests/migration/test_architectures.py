"""A program goes on under another processor's interpreter, and comes back."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.foreign import VERSION, foreign
from tests.migration.python.harness import MOVED, PROGRAMS, Subject, Warm, environment, runner
from tests.migration.python.interpreters import INTERPRETERS, runs

NAMES = (
    *("loops", "expressions", "classes", "closures", "generators", "exceptions", "coroutines"),
    *("iterators_own", "collections_all", "strings_numbers", "structures", "recursion", "files"),
    *("contexts", "operators", "dataclasses_enums", "metaclasses", "threads_basic"),
)
POINTS = 5

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warm, Warm, str, str]]:
    """Forks of this processor's interpreter and of the other's; the former and its extension."""
    # The system's own first: it brings along what the other has.
    found = (f"/usr/bin/python{VERSION}", *INTERPRETERS)
    here = next((one for one in found if runs(one, VERSION)), None)
    if here is None:
        pytest.skip(f"there is no Python {VERSION} here")
    extension = build(here, tmp_path_factory.mktemp("extensions"))
    if extension.path is None:
        pytest.skip(extension.reason)
    other = foreign()
    if isinstance(other, str):
        pytest.skip(f"no Python for AArch64: {other}")
    away = runner(other[0], str(other[1]))
    home = runner(here, str(extension.path))
    places = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("away")
    with (
        Warm(home, environment(), places[0]) as ours,
        Warm(away, environment(), places[1]) as theirs,
    ):
        yield ours, theirs, here, str(extension.path)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_moves_to_another_processor_and_back(
    name: str, both: tuple[Warm, Warm, str, str], tmp_path: Path
) -> None:
    ours, theirs, python, extension = both
    subject = Subject(python, extension, PROGRAMS / f"{name}.py", tmp_path, ours)
    expected = subject.plain()
    steps = int(subject.start("--steps", str(10**12)).report["steps"])
    chance, both_ways = random.Random(name), 0
    for _ in range(POINTS):
        first, second = chance.randrange(steps // 2), chance.randrange(1, steps // 4)
        subject.warm = ours
        run = subject.start("--steps", str(first))
        output, moves = run.output, 0
        while run.status == MOVED:
            moves += 1
            subject.warm = ours if subject.warm is theirs else theirs
            run = subject.resume("--steps", str(second))
            output += run.output
        assert (run.status, output) == (expected.status, expected.output), run.why
        both_ways += moves > 1
    assert both_ways > 0
