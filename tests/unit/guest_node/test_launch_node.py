"""What `node ARGS` becomes, without starting it."""

import pytest

from oneos.guest.launch_node import PRELOAD, RELATIVE, command, environment, split

ALWAYS = ["--expose-internals", "--require", PRELOAD]


@pytest.mark.parametrize(
    ("args", "script"),
    [
        (["main.js"], 0),
        (["../a b/ä.js", "-e", "x"], 0),
        (["--title", "x", "main.js"], 2),
        (["--title=x", "main.js", "--title"], 1),
        (["-r", "./pre.js", "-C", "dev", "main.js"], 4),
        (["--max-old-space-size=9", "main.js"], 1),
        (["--no-warnings", "--", "main.js"], 2),
        (["--unhandled_rejections", "strict", "main.js"], 2),
        (["--check", "main.js"], 1),
    ],
)
def test_a_relative_script_is_kept_from_the_hosts_directory(args: list[str], script: int) -> None:
    made = command("/usr/bin/node", args)
    assert made[:4] == ["/usr/bin/node", *ALWAYS]
    words = made[4:]
    assert [word for i, word in enumerate(words) if i != script] == [
        arg.encode() for i, arg in enumerate(args) if i != script
    ]
    spelled = words[script]
    assert isinstance(spelled, bytes)
    assert spelled.startswith(RELATIVE)
    # One name, which no resolving of `.` and `..` can change.
    assert b"/" not in spelled[len(RELATIVE) :]
    assert b"." not in spelled[len(RELATIVE) :]


@pytest.mark.parametrize(
    "args",
    [
        ["/home/alice/main.js", "x"],
        [],
        ["-"],
        ["-", "main.js"],
        ["-e", "1", "main.js"],
        ["-p", "1", "main.js"],
        ["-pe", "1"],
        ["--eval=1", "x"],
        ["--input-type", "module", "-e", "1"],
        ["-i"],
        ["--version"],
    ],
)
def test_all_else_is_passed_as_it_is(args: list[str]) -> None:
    assert command("node", args) == ["node", *ALWAYS, *(arg.encode() for arg in args)]


def test_arguments_may_be_bytes_that_are_no_text() -> None:
    assert command("node", [b"/x.js", b"\xff\xfe"])[-1] == b"\xff\xfe"


@pytest.mark.parametrize(
    "args",
    [
        ["--env-file=.env", "x.js"],
        ["--env-file", ".env", "x.js"],
        ["--cpu-prof", "x.js"],
        ["--run", "build"],
        ["--loader", "./l.mjs", "x.js"],
        ["--watch", "x.js"],
        ["--redirect_warnings=/tmp/x", "x.js"],
    ],
)
def test_options_that_act_on_the_host_are_refused(args: list[str]) -> None:
    made = command("node", args)
    assert made[1] == "-e"
    assert "not in this version" in str(made[2])
    assert "exitCode=9" in str(made[2])


def test_the_same_word_after_the_script_is_the_programs() -> None:
    assert command("node", ["/x.js", "--env-file=.env"])[-1] == b"--env-file=.env"


def test_the_environment_cannot_act_before_the_preload() -> None:
    given = {b"NODE_OPTIONS": b"-r ./x.js", b"NODE_V8_COVERAGE": b"/tmp/c", b"A": b"1"}
    assert environment(given) == {b"ONEOS_NODE_OPTIONS": b"-r ./x.js", b"A": b"1"}


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (["main.js", "-r"], 0),
        (["--title", "x", "main.js", "y"], 2),
        (["--no-warnings", "--", "main.js"], 2),
        (["-e", "1", "x"], None),
        ([], None),
    ],
)
def test_options_end_where_the_script_stands(args: list[str], options: int | None) -> None:
    words = [arg.encode() for arg in args]
    at = len(words) if options is None else options
    assert split(words) == (words[:at], words[at:])
