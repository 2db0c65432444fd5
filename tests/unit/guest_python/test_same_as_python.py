"""Unmodified programs cannot tell the context from plain Python: same output, errors and files."""

import pytest

from tests.unit.guest_python.conftest import PROGRAMS, World, interpreters, version

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))


PYTHONS = interpreters()
KERNEL_FILES = {"inherited", "multi"}
"""What a file that is open at another host cannot do: it has no descriptor of the kernel."""
PLACES = [("here", python) for python in PYTHONS] + [("remote", PYTHONS[0])]


@pytest.mark.parametrize(("where", "python"), PLACES, ids=version)
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
