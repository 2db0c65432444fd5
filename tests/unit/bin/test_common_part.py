"""What holds for every utility: one text of the common part, a quick start, true help."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from oneos.files.binaries import ALIASES, utilities
from tests.unit.bin.conftest import Runner

START, END = b"# --- common part", b"# --- end of the common part"
PROGRAMS = [name for name in utilities() if name not in ALIASES]
PLAIN = {"true", "false"}
# The ones that are started most, for each line of a script; all others may import more.
LEAN = ["cat", "echo", "head", "tail", "wc", "ls", "rm", "mkdir", "cp", "mv", "tee", "sort", "true"]


def common(name: str) -> bytes:
    text = utilities()[name]
    return text[text.index(START) : text.index(END)]


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in PLAIN])
def test_the_common_part_is_the_same_everywhere(name: str) -> None:
    assert common(name) == common("cat"), f"copy the part between the two marks of cat.py: {name}"


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_stands_alone(name: str) -> None:
    text = utilities()[name]
    assert text.startswith(b"#!/usr/bin/env python3\n")
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add((node.module or "").partition(".")[0])
    assert imported <= set(sys.stdlib_module_names), imported - set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", LEAN)
def test_what_is_started_often_imports_nothing_slow(name: str, installed: Path) -> None:
    """`re`, `typing`, `argparse` and the like each cost as much as the interpreter's own start."""
    script = (
        "import sys; before = set(sys.modules); sys.argv = sys.argv[1:]\n"
        "source = open(sys.argv[0]).read()\n"
        "exec(compile(source, 'x', 'exec'), {'__name__': 'x'})\n"
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(installed / name)]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    # Under -S even `os` with what it needs is new; `time` and `errno` are built in.
    usual = "os os.path stat _stat posixpath genericpath _collections_abc abc time errno"
    assert set(loaded) - set(usual.split()) == set()


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in PLAIN])
def test_help_says_how_it_is_used(runner: Runner, tmp_path: Path, name: str) -> None:
    result = runner.run([name, "--help"], tmp_path)
    if name == "test":  # As POSIX demands, its operand is a string that is not empty.
        assert (result.status, result.out) == (0, b"")
        return
    assert result.out.startswith(f"Usage: {name}".encode()), result
    assert (result.status, result.err) == (0, "")


def test_names_of_utilities_that_every_session_needs() -> None:
    needed = "cat ls cp mv rm mkdir rmdir echo head tail wc grep sort tee ps kill stat touch sleep"
    assert set(needed.split()) | {"true", "false", "["} <= utilities().keys()
