"""Runs a program twice, by plain Python and in the context, so that tests can compare the two."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneos.guest.launch_python import command
from tests.support.interpreter import bare_python
from tests.support.treeserver import TreeServer

TIMEOUT_S = 60


def interpreters() -> list[str]:
    """One Python of each minor version that this machine has, from 3.11 on; this one first."""
    found = {sys.version_info[:2]: bare_python()}
    for minor in range(11, 16):
        installed = sorted((Path.home() / ".pyenv/versions").glob(f"3.{minor}.*/bin/python3"))
        path = str(installed[-1]) if installed else shutil.which(f"python3.{minor}")
        if path:
            found.setdefault((3, minor), os.path.realpath(path))
    return list(found.values())


def each_interpreter() -> list[object]:
    """For parametrising slow tests: the others run in the nightly form only."""
    first, *rest = interpreters()
    return [first, *(pytest.param(path, marks=pytest.mark.nightly) for path in rest)]


def version(path: object) -> str:
    """How a test names an interpreter."""
    return str(path).rpartition("/")[2]


@dataclass
class Outcome:
    """What can be seen of a run from outside."""

    status: int
    out: bytes
    err: bytes


class World:
    """A directory that exists natively, then only in the tree, under the same name."""

    def __init__(self, base: Path) -> None:
        self.home = base / "home"
        self.root = base / "tree"
        self.inside = Path(f"{self.root}{self.home}")
        self.inside.mkdir(parents=True)
        self.python = bare_python()
        self.remote: list[str] = []
        self.variables: dict[str, str] = {}
        self.server: TreeServer | None = None

    def write(self, name: str, text: str | bytes) -> None:
        """Put a file into both worlds."""
        for place in (self.home, self.inside):
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode() if isinstance(text, str) else text)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            "GREETING": "hello",
            **self.variables,
        }

    def native(self, args: Sequence[str | bytes], stdin: bytes = b"") -> Outcome:
        """Run by plain Python in the native directory, which is out of the way afterwards."""
        self.home.mkdir(exist_ok=True)
        run = subprocess.run(
            [self.python, *args],
            input=stdin, capture_output=True, cwd=self.home, env=self.environment(),
            timeout=TIMEOUT_S,
        )  # fmt: skip
        self.home.rename(self.home.with_name("native-done"))
        return Outcome(run.returncode, run.stdout, run.stderr)

    def context(self, args: Sequence[str | bytes], stdin: bytes = b"") -> Outcome:
        """Run in the context, with the directory in the tree only."""
        assert self.server is not None
        self.server.python = self.python
        given = {
            **self.environment(),
            **self.server.environment(str(self.home)),
            "ONEOS_UID": str(os.getuid()),
            "ONEOS_GID": str(os.getgid()),
        }
        run = subprocess.run(
            command(self.python, args),
            input=stdin, capture_output=True, cwd="/", env=given, timeout=TIMEOUT_S,
        )  # fmt: skip
        return Outcome(run.returncode, run.stdout, run.stderr)

    def same(self, args: Sequence[str | bytes], stdin: bytes = b"") -> Outcome:
        """Run both ways; assert that nothing tells them apart; give the native outcome."""
        expected = self.native(args, stdin)
        got = self.context(args, stdin)
        assert _text(got.out) == _text(expected.out)
        assert _text(got.err) == _text(expected.err)
        assert got.status == expected.status
        return expected

    def contents(self) -> "tuple[dict[str, bytes], dict[str, bytes]]":
        """The files left behind by the native run and by the one in the context."""
        return _files(self.home.with_name("native-done")), _files(self.inside)


def _text(raw: bytes) -> str:
    """Output as it is compared: where an object happens to lie in memory is left out."""
    return re.sub(r"\b0x[0-9a-f]{6,}\b", "0x...", raw.decode(errors="replace"))


def _files(top: Path) -> dict[str, bytes]:
    found = {}
    for directory, _, names in os.walk(os.fsencode(top)):
        for name in names:
            if not name.endswith((b".pyc", b".gz", b".zip")):  # These hold times.
                path = os.path.join(directory, name)
                shown = os.path.relpath(path, os.fsencode(top)).decode(errors="replace")
                if os.path.islink(path):
                    found[shown] = b"-> " + os.readlink(path)
                    continue
                with open(path, "rb") as f:
                    found[shown] = f.read()
    return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world with its tree served."""
    made = World(tmp_path)
    with TreeServer(str(made.root)) as server:
        made.server = server
        yield made
