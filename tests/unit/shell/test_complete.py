"""What a Tab offers."""

import contextlib

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from oneos.local.client import Client
from oneos.shell.complete import TreeCompleter
from oneos.shell.state import Shell
from tests.support.localspawner import LocalSpawner
from tests.unit.shell.conftest import home_of


def _offers(shell: Shell, line: str) -> list[str]:
    """The lines that could come of it."""
    completer = TreeCompleter(shell)
    with contextlib.closing(completer):
        found = list(completer.get_completions(Document(line, len(line)), CompleteEvent()))
    return [line[: len(line) + each.start_position] + each.text for each in found]


@pytest.fixture
def files(runtime: LocalSpawner) -> None:
    home = home_of(runtime)
    (home / "docs").mkdir()
    (home / "docs/readme.txt").touch()
    (home / "two words").touch()
    (home / ".hidden").touch()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ex", ["exec ", "exit ", "export "]),
        ("ls | so", ["ls | sort ", "ls | source "]),
        ("if pyth", ["if python3 "]),
        ("X=1 no", ["X=1 node "]),
        ("gi", ["git ", "gitk "]),
        ("cat do", ["cat docs/"]),
        ("cat docs/r", ["cat docs/readme.txt "]),
        ("cat < docs/", ["cat < docs/readme.txt "]),
        ("cat ~/d", ["cat ~/docs/"]),
        ("cat tw", ["cat two\\ words "]),
        ("cat two\\ w", ["cat two\\ words "]),
        ("cat .h", ["cat .hidden "]),
        ("echo $HOM", ["echo $HOME"]),
        ("on ho", ["on host:"]),
        ("on host:", ["on host:here ", "on host:pi1 "]),
        ("on host:p", ["on host:pi1 "]),
        ("on host:pi1 tag:c", ["on host:pi1 tag:camera "]),
        ("on host:pi1 pyth", ["on host:pi1 python3 "]),
        ("true && on tag:h", ["true && on tag:hub "]),
        ("echo on ho", []),
        ("cat nosuch/", []),
    ],
)
def test_tab(shell: Shell, files: None, line: str, offered: list[str]) -> None:
    assert _offers(shell, line) == offered


def test_runtime_that_is_away_offers_nothing(shell: Shell) -> None:
    shell.client = Client("/nonexistent")
    assert _offers(shell, "cat x") == []
