"""What the shell asks of the Runtime: one request a pipeline, where to place, which ends."""

import os
import time
from pathlib import Path

import pytest

from tests.support.descriptors import open_ends
from tests.support.localspawner import LocalSpawner
from tests.support.waiting import WAIT_S
from tests.unit.shell.conftest import Runner, home_of


def test_pipeline_of_programs_is_one_request_with_pipes_between(
    ours: Runner, runtime: LocalSpawner
) -> None:
    assert ours("printf 'b\\na\\n' > f; cat < f | sort | head -n 1 > g; cat g").output == "a\n"
    first, second, third = runtime.spawned[0]["stages"]
    assert first["io"][0] == ["file", b"/home/alice/f", os.O_RDONLY, 0o644]
    assert first["io"][1] == ["pipe", 0] == second["io"][0]
    assert second["io"][1] == ["pipe", 1] == third["io"][0]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    assert third["io"][1] == ["file", b"/home/alice/g", flags, 0o644]
    assert third["argv"] == [b"head", b"-n", b"1"]


def test_shared_file_is_opened_once(ours: Runner, runtime: LocalSpawner) -> None:
    ours("ls . nosuch > f 2>&1; ls 2>&1 | cat; cat < /dev/null")
    [alone], [left, _], [null] = (spec["stages"] for spec in runtime.spawned)
    assert alone["io"][1][0] == "file" and alone["io"][2] == ["dup", 1]
    assert left["io"][1] == ["pipe", 0] and left["io"][2] == ["dup", 1]
    assert null["io"][0] == ["null"]


def test_on_places_a_program(ours: Runner, runtime: LocalSpawner) -> None:
    outcome = ours(
        "X=1 on host:here tag:hub device:s echo a | on tag:camera cat; on host:here ls /nosuch"
    )
    assert outcome.output == "a\n"
    first, second = runtime.spawned[0]["stages"]
    assert first["on"] == ["host:here", "tag:hub", "device:s"] and second["on"] == ["tag:camera"]
    assert first["argv"] == [b"echo", b"a"] and first["env"][b"X"] == b"1"


PLACES = "host:NAME, tag:NAME, device:NAME or machine:KIND"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("on", f"on: {PLACES} comes first, not nothing"),
        (
            "on pi1 ls",
            f"on: {PLACES} comes first, not 'pi1'",
        ),
        ("on host:pi1", "on: no command after host:pi1"),
        (
            "on host: ls",
            f"on: {PLACES} comes first, not 'host:'",
        ),
        ("on host:pi1 cd /", "on: cd is part of this shell and runs here only"),
        ("f() { :; }; on host:pi1 f", "on: f is part of this shell and runs here only"),
    ],
)
def test_wrong_placement_is_refused(ours: Runner, script: str, message: str) -> None:
    outcome = ours(script)
    assert outcome.status != 0
    assert outcome.errors == f"sh: {message}\n"


@pytest.mark.parametrize(
    ("script", "part"),
    [
        ("alias x=y", "alias: aliases are not in this version"),
        ("fg", "fg: there is no job control"),
        ("ulimit -n", "ulimit: limits are not"),
        ("set -m", "set: -m: no such option"),
        ("set -o vi", "set: -o vi: no such option"),
        ("ls 3> f", "3>: a program gets descriptors 0, 1 and 2 only"),
        ("umask u=rw", "umask: u=rw: an octal number"),
        ("read -t 1 x", "read: -t: no such option"),
        ("kill $$", "kill: this shell has no PID of the network"),
        ("f() { f; }; f", "f: functions nested over"),
    ],
)
def test_what_is_left_out_is_refused_with_one_line(ours: Runner, script: str, part: str) -> None:
    outcome = ours(script)
    assert outcome.status != 0
    assert part in outcome.errors and outcome.errors.count("\n") == 1


def test_session_gives_the_environment(ours: Runner, runtime: LocalSpawner) -> None:
    assert ours("echo $HOME $PWD $USER $HOST").output == "/home/alice /home/alice alice here\n"
    ours("cat f; export Y=2; cat f")
    first, second = (spec["stages"][0] for spec in runtime.spawned)
    assert first["cwd"] == b"/home/alice" and b"Y" not in first["env"]
    assert second["env"][b"Y"] == b"2"


def test_remote_file_is_read_and_written_through_pipes(ours: Runner, runtime: LocalSpawner) -> None:
    script = """
    { echo one; echo two | cat; echo three; } > remote
    { read x; echo first $x; cat; } < remote
    echo four >> remote
    while read x; do last=$x; done < remote
    echo $last
    """
    outcome = ours(script)
    assert outcome.errors == ""
    assert outcome.output == "first one\ntwo\nthree\nfour\n"
    assert (home_of(runtime) / "remote").read_text() == "one\ntwo\nthree\nfour\n"
    assert runtime.remote == {}


def test_file_that_cannot_be_committed_is_a_failure(ours: Runner, runtime: LocalSpawner) -> None:
    runtime.close_fails = True
    try:
        outcome = ours("echo a > f; echo $?; { echo b; } > g; echo $?")
    finally:
        runtime.close_fails = False
    assert outcome.output == "1\n1\n"
    assert outcome.errors.count("No space left on device") == 2


def test_every_opened_file_is_closed(ours: Runner, runtime: LocalSpawner) -> None:
    closed, before = len(runtime.closed_handles), open_ends(sockets=True)
    ours("echo a > f; exec 4> g; cat < f | while read x; do echo $x; done; (echo b) >> f & wait")
    assert len(runtime.closed_handles) - closed == 3
    # The Runtime of this test is in this process; its ends of the connections go when it notices.
    deadline = time.monotonic() + WAIT_S
    while not open_ends(sockets=True) <= before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_subshell_in_a_thread_keeps_the_files_of_the_thread(ours: Runner) -> None:
    script = "echo a | { exec 3> f; (ls > /dev/null); echo b >&3; (cat > g); exec 3>&-; cat f g; }"
    assert ours(script).output == "b\na\n"


def test_all_connections_of_a_shell_act_in_one_session(ours: Runner, runtime: LocalSpawner) -> None:
    before = len(runtime.sessions)
    ours("ls | while read x; do :; done; echo a | { cat; }; { cat; } < /dev/null & wait; ls")
    assert len(runtime.sessions) == before + 1
    assert {spec["sid"] for spec in runtime.spawned} == {runtime.sessions[-1]}


def test_pipefail(ours: Runner) -> None:
    script = "set -o pipefail; false | true; echo $?; (exit 3) | cat | true; echo $?"
    assert ours(script).output == "1\n3\n"


def test_many_arguments_and_bytes(ours: Runner, runtime: LocalSpawner) -> None:
    name = Path(os.fsdecode(os.fsencode(home_of(runtime)) + b"/x\xff"))
    name.write_text("a\n")
    assert ours('cat x*; for f in x*; do cat "$f"; done').output == "a\na\n"
    assert ours("cat $(printf '%0100000d' 1)").status != 0
    outcome = ours("x=$(printf '%09000000d' 1); cat $x; echo $?")
    assert "do not fit one request" in outcome.errors
