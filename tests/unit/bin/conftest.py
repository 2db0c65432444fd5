"""What the tests of the utilities share: running them, and a directory of files to run them on."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from oneos.files.binaries import utilities

ENV = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nowhere",
    "USER": "someone",
}


@dataclass
class Result:
    """How a program ended."""

    status: int
    out: bytes
    err: str


class Runner:
    """Runs utilities, one at a time."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("runner.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, argv: list[str], cwd: Path, stdin: bytes = b"", out: str = "") -> Result:
        """Run a utility to its end.

        Args:
            argv: its name and arguments.
            cwd: the directory it runs in.
            stdin: what it reads.
            out: a file to write to, such as /dev/full, in place of what the result holds.
        """
        into = out or str(self.scratch / "out")
        (self.scratch / "in").write_bytes(stdin)
        new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        request: dict[str, Any] = {
            "argv": argv,
            "cwd": str(cwd),
            "env": ENV,
            "text": base64.b64encode(utilities()[argv[0]]).decode(),
            "files": [
                (str(self.scratch / "in"), os.O_RDONLY),
                (into, os.O_WRONLY if out else new),
                (str(self.scratch / "err"), new),
            ],
        }
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        status = json.loads(self.process.stdout.readline())
        err = (self.scratch / "err").read_bytes().decode("utf-8", "backslashreplace")
        assert "TRACEBACK" not in err, err
        return Result(status, b"" if out else (self.scratch / "out").read_bytes(), err)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    made = Runner(tmp_path_factory.mktemp("runner"))
    yield made
    assert made.process.stdin is not None and made.process.stdout is not None
    made.process.stdin.close()
    made.process.wait()
    made.process.stdout.close()


@pytest.fixture
def util(runner: Runner, tmp_path: Path) -> Callable[..., Result]:
    """Runs one utility in the test's own directory."""

    def call(*argv: str, stdin: bytes = b"", out: str = "") -> Result:
        return runner.run(list(argv), tmp_path, stdin, out)

    return call


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The utilities as files that can be run, as in the tree's /bin."""
    place = tmp_path_factory.mktemp("bin")
    for name, text in utilities().items():
        (place / name).write_bytes(text)
        (place / name).chmod(0o755)
    return place
