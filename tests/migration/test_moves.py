"""Programs that are moved in the middle of anything give the output that they give undisturbed."""

from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import HELPER, PROGRAMS, Subject, compare
from tests.migration.python.interpreters import INTERPRETERS

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py") if path.stem != HELPER)
QUICK_POINTS, NIGHTLY_POINTS = 1, 30
QUICK_ELSEWHERE = ("loops", "generators", "exceptions", "operators", "classes")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("extensions")


def moved(python: str, name: str, cache: Path, scratch: Path, points: int, chain: bool) -> None:
    extension = build(python, cache)
    if extension.path is None:
        pytest.skip(extension.reason)
    subject = Subject(python, str(extension.path), PROGRAMS / f"{name}.py", scratch)
    result = compare(subject, points, chain=chain)
    assert not result.failures, result.failures[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_program_goes_on_elsewhere_from_any_instruction(
    name: str, cache: Path, tmp_path: Path
) -> None:
    moved(INTERPRETERS[0], name, cache, tmp_path, QUICK_POINTS, chain=False)


@pytest.mark.parametrize("python", INTERPRETERS[1:])
@pytest.mark.parametrize("name", QUICK_ELSEWHERE)
def test_a_program_of_another_version_goes_on_elsewhere(
    python: str, name: str, cache: Path, tmp_path: Path
) -> None:
    moved(python, name, cache, tmp_path, QUICK_POINTS, chain=False)


def test_a_program_can_be_moved_many_times(cache: Path, tmp_path: Path) -> None:
    moved(INTERPRETERS[0], "loops", cache, tmp_path, 0, chain=True)


@pytest.mark.nightly
@pytest.mark.parametrize("python", INTERPRETERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_program_goes_on_from_many_instructions(
    python: str, name: str, cache: Path, tmp_path: Path
) -> None:
    moved(python, name, cache, tmp_path, NIGHTLY_POINTS, chain=True)
