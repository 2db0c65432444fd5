"""`oneos run`: what it asks of the Runtime, and what it says of a program that does not start."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.askserver import AskServer, Refusal
from tests.unit.cli.conftest import Outcome

Oneos = Callable[..., Outcome]


@pytest.fixture
def answers(server: AskServer) -> Iterator[dict[Any, Any]]:
    session = {"sid": 5, "user": "alice", "home": b"/home/alice", "env": {}, "host": "hub"}
    server.answers |= {
        "session": session,
        "stat": [0o40755, 1],
        # What `data` leads to is called by its own name.
        ("realpath", b"/home/alice/data"): b"/srv/data",
        "spawn": [{"pid": 9, "host": "pi1"}],
        "wait": [7],
    }
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield server.answers
    # The verb forwards these to its program for the rest of its process's life.
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_run_places_a_program_and_ends_with_its_status(
    server: AskServer, answers: dict[Any, Any], oneos: Oneos
) -> None:
    words = ["--on", "host:pi1", "--cwd", "data", "--user", "alice", "cat", "--json", "x"]
    assert oneos("run", *words).status == 7
    spec = next(request[1] for request in server.requests if request[0] == "spawn")
    assert spec["sid"] == 5
    (stage,) = spec["stages"]
    assert stage["argv"] == [b"cat", b"--json", b"x"]
    assert (stage["cwd"], stage["on"]) == (b"/srv/data", ["host:pi1"])


def test_run_names_a_command_that_is_not_there(answers: dict[Any, Any], oneos: Oneos) -> None:
    answers["spawn"] = [{"errno": 2, "message": "nosuch: No such file", "hint": "", "status": 127}]
    outcome = oneos("run", "nosuch")
    assert outcome.status == 127
    assert outcome.err == "oneos: nosuch: not found\n       see what there is: oneos run ls /bin\n"


def test_run_names_a_command_once(answers: dict[Any, Any], oneos: Oneos) -> None:
    answers["spawn"] = [{"errno": 13, "message": "./x: Denied", "hint": "chmod", "status": 126}]
    outcome = oneos("run", "./x")
    assert (outcome.status, outcome.err) == (126, "oneos: ./x: Denied\n       chmod\n")


def test_run_refuses_a_directory_that_is_none(answers: dict[Any, Any], oneos: Oneos) -> None:
    answers["stat"] = Refusal(2, "/no: No such file or directory")
    outcome = oneos("run", "--cwd", "/no", "cat")
    assert (outcome.status, outcome.err) == (1, "oneos: --cwd: /no: No such file or directory\n")
    answers["stat"] = [0o100644, 1]
    assert oneos("run", "--cwd", "/no", "cat").err == "oneos: --cwd: /no: Not a directory\n"


def test_an_option_nobody_knows_is_no_command(oneos: Oneos) -> None:
    outcome = oneos("run", "--onn", "host:pi1", "cat")
    assert outcome.status == 2
    assert outcome.err.startswith("oneos: run: no such option '--onn'")
