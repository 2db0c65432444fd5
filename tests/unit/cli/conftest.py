"""Runs the command line in this process against a server on a true socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oneos.cli.main import run
from tests.support.askserver import AskServer


@dataclass(frozen=True)
class Outcome:
    """What a command line did."""

    status: int
    out: str
    err: str


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AskServer]:
    path = str(tmp_path / "local.sock")
    monkeypatch.setenv("ONEOS_SOCKET", path)
    server = AskServer(path)
    yield server
    server.close()


@pytest.fixture
def oneos(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    for name in ("ONEOS_DEBUG", "ONEOS_DIR", "ONEOS_CLUSTER_DIR"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Outcome:
        status = run(arguments)
        out, err = capfd.readouterr()
        return Outcome(status, out, err)

    return call
