"""One small Runtime and one parser for all tests of the shell; an empty tree for each."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oneos.local.client import Client
from oneos.shell.descriptors import Descriptor
from oneos.shell.main import new_shell
from oneos.shell.parse import Parser
from oneos.shell.state import Shell
from tests.support.localspawner import LocalSpawner
from tests.support.shell_runner import Outcome, run_dash, run_ours


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
    """Runs a script in our shell."""

    def run(script: str, given: str = "") -> Outcome:
        return run_ours(runtime.socket_path, parser, script, given, tmp_path)

    return run


@pytest.fixture
def dash(tmp_path: Path) -> Runner:
    """Runs a script in the machine's own dash, the same way."""

    def run(script: str, given: str = "") -> Outcome:
        return run_dash(script, given, tmp_path)

    return run
