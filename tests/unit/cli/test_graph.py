"""Graph files: what they say, and what is wrong in them."""

from __future__ import annotations

import os

import pytest

from oneos.cli.graph import Graph
from oneos.errors import UserError

HOME = b"/home/ann"

AVERAGES = b"""
checkpoint = "10s"

[program.read]
run = "python3 'read it.py' -v"
from = "/dev/sensor/1"
to = "average"
on = "device:sensor/1"
env = { TZ = "UTC" }

[program.average]
run = ["node", "average.js"]
to = "./averages.txt"
errors = ">> /srv/errors"
memory = "64M"
cores = 0.5

[program.watch]
run = "python3 watch.py"
restart = "always"
restarts_max = 3
window = "2m"
checkpoint = "0"
"""


def test_programs_are_joined_as_the_file_says() -> None:
    graph = Graph(AVERAGES, "averages.toml")
    assert graph.groups == [["read", "average"], ["watch"]]
    read, average = graph.stages(["read", "average"], HOME, {b"PATH": b"/bin"})
    assert read["argv"] == [b"python3", b"read it.py", b"-v"]
    assert read["io"] == {
        0: ["file", b"/dev/sensor/1", os.O_RDONLY, 0],
        1: ["pipe", 1],
        2: ["log"],
    }
    assert (read["on"], read["env"]) == (["device:sensor/1"], {b"PATH": b"/bin", b"TZ": b"UTC"})
    assert average["io"][0] == ["pipe", 1]
    kind, path, flags, _ = average["io"][1]
    assert (kind, path) == ("file", b"/home/ann/averages.txt")
    assert flags & os.O_TRUNC and not flags & os.O_APPEND
    kind, path, flags, _ = average["io"][2]
    assert path == b"/srv/errors" and flags & os.O_APPEND and not flags & os.O_TRUNC
    assert (average["cores"], average["memory_bytes"], average["cwd"]) == (
        0.5,
        2**26,
        b"/home/ann/",
    )


def test_program_by_itself_writes_everything_into_its_log() -> None:
    [watch] = Graph(AVERAGES, "averages.toml").stages(["watch"], HOME, {})
    assert watch["io"] == {0: ["null"], 1: ["log"], 2: ["dup", 1]}


def test_what_a_program_says_of_itself_comes_before_what_is_said_for_all() -> None:
    graph = Graph(AVERAGES, "averages.toml")
    assert graph.policy(["read", "average"]) == {"restart": "never", "checkpoint_s": 10.0}
    assert graph.policy(["watch"]) == {
        "restart": "always",
        "restarts_max": 3,
        "window_s": 120.0,
        "checkpoint_s": 0.0,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there are no programs in it"),
        ("[program.a]", "run"),
        ("[program.a]\nrun = 'x'\ntoo = 'b'", "too"),
        ("[program.a", "x.toml: "),
        ("[program.a]\nrun = 'x'\nto = 'b'", '"b" is no program here'),
        ("[program.a]\nrun = 'x'\nto = 'a'", "sends to itself"),
        (
            "[program.a]\nrun = 'x'\nto = 'c'\n[program.b]\nrun = 'x'\nto = 'c'\n"
            "[program.c]\nrun = 'x'",
            "two programs send to it",
        ),
        (
            "[program.a]\nrun = 'x'\nto = 'b'\n[program.b]\nrun = 'x'\nfrom = '/f'",
            'reads /f, and what "a" sends',
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_file_and_the_program(text: str, says: str) -> None:
    with pytest.raises(UserError) as raised:
        Graph(text.encode(), "x.toml")
    assert "x.toml" in raised.value.message and says in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("memory = '6 apples'", "memory"),
        ("checkpoint = 'often'", "often"),
        ("run = ''", "run is empty"),
    ],
)
def test_amounts_that_are_none_are_told(line: str, says: str) -> None:
    run = "" if line.startswith("run") else "run = 'x'\n"
    graph = Graph(f"[program.a]\n{run}{line}\n".encode(), "x.toml")
    with pytest.raises(UserError) as raised:
        graph.stages(["a"], HOME, {})
        graph.policy(["a"])
    assert says in raised.value.message


def test_joined_programs_have_one_policy() -> None:
    text = b"""
    [program.a]
    run = "x"
    to = "b"
    restart = "always"
    [program.b]
    run = "x"
    restart = "never"
    """
    with pytest.raises(UserError, match='restart differs from that of "a"'):
        Graph(text, "x.toml").policy(["a", "b"])
