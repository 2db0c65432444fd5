"""Unmodified programs cannot tell the context from plain Python: same output, errors and files."""

import pytest

from tests.unit.guest_python.conftest import PROGRAMS, World, interpreters

NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))


@pytest.mark.parametrize("where", ["here", "remote"])
@pytest.mark.parametrize("python", interpreters(), ids=lambda p: p.split("/")[-1])
@pytest.mark.parametrize("name", NAMES)
def test_program_runs_the_same(world: World, name: str, python: str, where: str) -> None:
    world.python = python
    assert world.server is not None
    world.server.remote = ("*",) if where == "remote" else ()
    world.write("program.py", (PROGRAMS / f"{name}.py").read_bytes())
    world.same(["program.py", "an argument", "--flag"], stdin=b"line one\nline two\nrest\n")
    native, inside = world.contents()
    assert inside == native
