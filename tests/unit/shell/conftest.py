"""One small Runtime and one parser for all tests of the shell; an empty tree for each."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneos.local.client import Client
from oneos.shell.descriptors import Descriptor
from oneos.shell.main import Source, new_shell, run_source
from oneos.shell.parse import Parser
from oneos.shell.state import Shell
from tests.support.localspawner import LocalSpawner


@dataclass(frozen=True)
class Outcome:
    """What a script did."""

    output: str
    errors: str
    status: int


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    made = Parser()
    yield made
    made.close()


@pytest.fixture(scope="session")
def session_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSpawner]:
    directory = tmp_path_factory.mktemp("runtime")
    tree = directory / "tree"
    tree.mkdir()
    made = LocalSpawner(str(tree), str(directory / "sock"))
    yield made
    made.close()


@pytest.fixture
def runtime(session_runtime: LocalSpawner) -> LocalSpawner:
    home = home_of(session_runtime)
    shutil.rmtree(home)
    home.mkdir()
    session_runtime.spawned.clear()
    return session_runtime


def home_of(runtime: LocalSpawner) -> Path:
    return Path(os.fsdecode(runtime.root)) / "home/alice"


@pytest.fixture
def client(runtime: LocalSpawner) -> Iterator[Client]:
    with Client(runtime.socket_path) as made:
        yield made


@pytest.fixture
def shell(client: Client, parser: Parser) -> Iterator[Shell]:
    """A shell's state, for tests of single stages; its output goes nowhere."""
    made = new_shell(client, parser, "alice")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        made.descriptors[fd] = Descriptor(null, owned=False)
    yield made
    made.close()
    os.close(null)


Runner = Callable[..., Outcome]


@pytest.fixture
def ours(runtime: LocalSpawner, parser: Parser, tmp_path: Path) -> Runner:
    """Runs a script in our shell, in this process, with files for its standard streams."""

    def run(script: str, given: str = "") -> Outcome:
        names = [tmp_path / name for name in ("in", "out", "err")]
        names[0].write_text(given)
        flags = [os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND] * 2]
        with Client(runtime.socket_path) as client:
            shell = new_shell(client, parser, "alice")
            for fd, (name, flag) in enumerate(zip(names, flags, strict=True)):
                shell.descriptors[fd] = Descriptor(os.open(name, flag))
            status = run_source(shell, Source(text=script))
            shell.close()
        return _outcome(names, status)

    return run


@pytest.fixture
def dash(tmp_path: Path) -> Runner:
    """Runs a script in the machine's own dash, the same way."""

    def run(script: str, given: str = "") -> Outcome:
        home = tmp_path / "native/home/alice"
        home.mkdir(parents=True)
        names = [tmp_path / name for name in ("in", "out", "err")]
        names[0].write_text(given)
        environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "USER": "alice"}
        with names[0].open() as stdin, names[1].open("w") as out, names[2].open("w") as err:
            process = subprocess.run(
                ["dash", "-c", script, "sh"],
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=home,
                env=environment,
                timeout=20,
            )
        code = process.returncode
        return _outcome(names, 128 - code if code < 0 else code)

    return run


def _outcome(names: list[Path], status: int) -> Outcome:
    output, errors = (name.read_bytes().decode("utf-8", "surrogateescape") for name in names[1:])
    return Outcome(output, errors, status)
