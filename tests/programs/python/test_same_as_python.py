"""Unmodified programs cannot tell the context from plain Python: same output, errors and files."""

import pytest

from tests.programs.python.conftest import PROGRAMS
from tests.unit.guest_python.conftest import (
    World,
    interpreters,
    version,
)

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))


PYTHONS = interpreters()
KERNEL_FILES = {"inherited", "multi"}
"""What a file that is open at another host cannot do: it has no descriptor of the kernel."""


def places() -> list[object]:
    """Here with each interpreter, the further ones in the nightly form; and at another host."""
    further = [pytest.param("here", python, marks=pytest.mark.nightly) for python in PYTHONS[1:]]
    return [("here", PYTHONS[0]), ("remote", PYTHONS[0]), *further]


@pytest.mark.parametrize(("where", "python"), places(), ids=version)
@pytest.mark.parametrize("name", NAMES)
def test_program_runs_the_same(world: World, name: str, python: str, where: str) -> None:
    if where == "remote" and name in KERNEL_FILES:
        pytest.skip("such files are neither inherited by number nor mapped")
    world.python = python
    assert world.server is not None
    world.server.remote = ("*",) if where == "remote" else ()
    world.write("program.py", (PROGRAMS / f"{name}.py").read_bytes())
    world.same(["program.py", "an argument", "--flag"], stdin=b"line one\nline two\nrest\n")
    native, inside = world.contents()
    assert inside == native
