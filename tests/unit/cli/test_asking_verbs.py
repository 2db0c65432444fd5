"""The verbs that ask the Runtime and show what it says."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oneos.kernel.manifest import default_manifest
from tests.support.askserver import AskServer, Refusal
from tests.support.waiting import WAIT_S
from tests.unit.cli.conftest import Outcome

Oneos = Callable[..., Outcome]


def minutes_ago(minutes: int) -> str:
    """A moment somewhat more than so many minutes ago."""
    return (datetime.now(UTC) - timedelta(minutes=minutes, seconds=2)).isoformat()


EARLIER = minutes_ago(5)

STATUS = {
    "network": "home",
    "host": "hub",
    "version": "0.1.0",
    "members": [
        {
            "name": "hub",
            "address": "10.0.0.1:4100",
            "state": "alive",
            "incarnation": 3,
            "tags": [],
            "core": True,
            "voter": True,
            "cores": 4,
            "memory_bytes": 8 * 1024**3,
            "load": 0.5,
            "since": EARLIER,
            "agents": 2,
        },
        {
            "name": "pi1",
            "address": "10.0.0.2:4100",
            "state": "dead",
            "incarnation": 1,
            "tags": ["camera", "garden"],
            "core": False,
            "voter": False,
            "cores": 1,
            "memory_bytes": 512 * 1024**2,
            "load": None,
            "since": EARLIER,
            "agents": 0,
        },
    ],
    "services": [{"name": "filesystem", "host": "hub", "epoch": 7, "state": "running"}],
    "voters": ["hub"],
    "generation": 1,
    "under_replicated": 0,
}

PROCESSES = [
    {
        "pid": 1042,
        "ppid": 1,
        "user": "alice",
        "host": "pi1",
        "state": "running",
        "started": EARLIER,
        "command": b"python3 to_\xffcelsius.py \x1b[31m",
        "status": None,
    },
    {
        "pid": 7,
        "ppid": 1,
        "user": "alice",
        "host": "hub",
        "state": "ended",
        "started": EARLIER,
        "command": b"cat",
        "status": 141,
    },
]


def test_status_shows_hosts_services_and_voters(server: AskServer, oneos: Oneos) -> None:
    # Made now: the tests before this one may have taken minutes.
    members = [member | {"since": minutes_ago(5)} for member in STATUS["members"]]
    server.answers["status"] = STATUS | {"members": members}
    outcome = oneos("status")
    assert outcome.status == 0
    assert server.requests == [["status"]]
    # Columns have two blanks between them at least.
    rows = [re.split("  +", line) for line in outcome.out.splitlines()]
    assert ["network home, seen from hub"] in rows
    end = ["4", "8.0 GiB", "0.50", "2", "-"]
    assert ["hub", "alive", "5 min", "10.0.0.1:4100", "yes", "yes", *end] in rows
    end = ["1", "512 MiB", "-", "0", "camera,garden"]
    assert ["pi1", "dead", "5 min", "10.0.0.2:4100", "no", "no", *end] in rows
    assert ["filesystem", "hub", "7", "running"] in rows
    assert ["log carried by: hub (generation 1)"] in rows


def test_status_tells_when_copies_are_missing(server: AskServer, oneos: Oneos) -> None:
    server.answers["status"] = STATUS | {"under_replicated": 12}
    assert "fewer copies than wanted: 12\n" in oneos("status").out
    server.answers["status"] = STATUS | {"under_replicated": None}
    assert "fewer copies than wanted: unknown\n" in oneos("status").out


def test_status_as_json_is_the_whole_answer(server: AskServer, oneos: Oneos) -> None:
    server.answers["status"] = STATUS
    assert json.loads(oneos("status", "--json").out) == STATUS


def test_ps_shows_where_each_program_runs(server: AskServer, oneos: Oneos) -> None:
    server.answers[("ps", False)] = PROCESSES[:1]
    outcome = oneos("ps")
    head, row = outcome.out.splitlines()
    assert head.split() == ["PID", "PPID", "USER", "HOST", "STATE", "AGE", "COMMAND"]
    assert row.split()[:5] == ["1042", "1", "alice", "pi1", "running"]


def test_a_command_line_cannot_write_control_sequences(server: AskServer, oneos: Oneos) -> None:
    server.answers["ps"] = PROCESSES
    out = oneos("ps").out
    assert "\x1b" not in out
    assert out.splitlines()[1].endswith(r"python3 to_\xffcelsius.py \x1b[31m")


def test_ps_all_shows_how_programs_ended(server: AskServer, oneos: Oneos) -> None:
    server.answers[("ps", True)] = PROCESSES
    rows = [line.split() for line in oneos("ps", "--all").out.splitlines()]
    assert rows[0][5] == "STATUS"
    assert (rows[1][5], rows[2][5]) == ("-", "141")
    assert json.loads(oneos("ps", "-a", "--json").out)[1]["status"] == 141


@pytest.mark.parametrize(
    ("name", "number"), [("TERM", 15), ("int", 2), ("SIGKILL", 9), ("10", 10), ("0", 0)]
)
def test_kill_sends_the_signal(server: AskServer, oneos: Oneos, name: str, number: int) -> None:
    assert oneos("kill", "-s", name, "42").status == 0
    assert server.requests == [["kill", 42, number]]


def test_kill_goes_on_after_a_program_that_is_gone(server: AskServer, oneos: Oneos) -> None:
    server.answers[("kill", 1, 15)] = Refusal(3, "No such process", "see: oneos ps")
    outcome = oneos("kill", "--json", "1", "2")
    assert outcome.status == 1
    assert server.requests == [["kill", 1, 15], ["kill", 2, 15]]
    assert outcome.err == "oneos: kill 1: No such process\n       see: oneos ps\n"
    assert json.loads(outcome.out) == [
        {"pid": 1, "error": "No such process"},
        {"pid": 2, "error": None},
    ]


@pytest.mark.parametrize("name", ["NOPE", "4711", ""])
def test_kill_refuses_what_is_no_signal(server: AskServer, oneos: Oneos, name: str) -> None:
    outcome = oneos("kill", "-s", name, "42")
    assert outcome.status == 1
    assert outcome.err.startswith(f"oneos: kill: no signal is called {name}")
    assert server.requests == []


def test_voters_moves_the_log(server: AskServer, oneos: Oneos) -> None:
    server.answers["voters"] = {"voters": ["hub", "pi1", "pi2"], "generation": 2}
    outcome = oneos("voters", "3")
    assert server.requests == [["voters", 3]]
    assert outcome.out == "log carried by: hub, pi1, pi2 (generation 2)\n"
    assert "moving the log to 3 voters" in outcome.err


def test_voters_without_a_number_changes_nothing(server: AskServer, oneos: Oneos) -> None:
    server.answers["status"] = STATUS
    outcome = oneos("voters", "--json")
    assert json.loads(outcome.out) == {"voters": ["hub"], "generation": 1}
    assert server.requests == [["status"]]


@pytest.mark.parametrize("number", ["0", "2", "4", "7"])
def test_voters_refuses_numbers_without_a_majority_worth_having(
    server: AskServer, oneos: Oneos, number: str
) -> None:
    outcome = oneos("voters", number)
    assert outcome.status == 1
    assert outcome.err == f"oneos: {number} voters are not possible\n       choose 1, 3 or 5\n"
    assert server.requests == []


def test_forget_names_the_host_and_reports_the_refusal(server: AskServer, oneos: Oneos) -> None:
    assert json.loads(oneos("forget", "--json", "pi1").out) == {"host": "pi1"}
    assert server.requests == [["forget", "pi1"]]
    server.answers["forget"] = Refusal(16, "pi1 is alive: stop it first")
    outcome = oneos("forget", "pi1")
    assert (outcome.status, outcome.err) == (1, "oneos: pi1 is alive: stop it first\n")


def test_collect_shows_what_went_and_fails_for_a_host_that_could_not_be_asked(
    server: AskServer, oneos: Oneos
) -> None:
    done = [{"host": "hub", "chunks": 3, "bytes": 3 << 20, "error": ""}]
    server.answers["collect"] = done
    assert json.loads(oneos("collect", "--json").out) == done
    outcome = oneos("collect")
    assert outcome.status == 0
    assert outcome.out.split() == ["HOST", "CHUNKS", "FREED", "ERROR", "hub", "3", "3", "MiB", "-"]
    done.append({"host": "pi1", "chunks": 0, "bytes": 0, "error": "pi1 does not answer"})
    outcome = oneos("collect")
    assert outcome.status == 1
    assert "pi1 does not answer" in outcome.out


CHECKED = {
    "step": "looking",
    "done": 3,
    "total": 3,
    "over": True,
    "findings": [],
    "found": 0,
    "files": 3,
    "chunks": 9,
    "left": 0,
    "repaired": 0,
    "beyond": 0,
    "error": "",
}


def finding(kind: str, state: str, path: bytes, host: str, text: str) -> dict[str, object]:
    return {"kind": kind, "state": state, "path": path, "host": host, "text": text}


def test_fsck_of_what_is_whole_is_clean(server: AskServer, oneos: Oneos) -> None:
    server.answers["fsck_look"] = CHECKED
    outcome = oneos("fsck", "--quick", "/home")
    assert (outcome.status, outcome.out, outcome.err) == (0, "3 files: clean\n", "")
    begin, look = server.requests
    assert [begin[0], *begin[2:]] == ["fsck", b"/home", False, True]
    assert look == ["fsck_look", begin[1], 0]
    assert oneos("fsck").out == "3 files, 9 chunks read: clean\n"


def test_fsck_tells_by_its_status_what_became_of_what_it_found(
    server: AskServer, oneos: Oneos
) -> None:
    good = finding("damaged", "repaired", b"/a\x1b", "hub", "chunk 12 was damaged")
    bad = finding("lost", "left", b"/b", "", "no whole copy")
    unasked = finding("unchecked", "left", b"", "pi1", "does not answer")
    state = CHECKED | {"findings": [good], "found": 1, "repaired": 1}
    server.answers["fsck_look"] = state
    outcome = oneos("fsck", "--repair")
    assert outcome.status == 1
    first, last = outcome.out.splitlines()
    assert first == r"/a\x1b: hub: chunk 12 was damaged [repaired]"
    assert last == "3 files, 9 chunks read: 1 repaired, 0 left"
    server.answers["fsck_look"] = state | {"findings": [good, bad], "found": 2, "left": 1}
    assert oneos("fsck", "--repair").status == 4
    server.answers["fsck_look"] = state | {"findings": [bad, unasked], "found": 2, "left": 2}
    outcome = oneos("fsck", "--json")
    assert outcome.status == 8
    said = json.loads(outcome.out)
    assert [one["kind"] for one in said["findings"]] == ["lost", "unchecked"]
    assert (said["files"], said["chunks"], said["left"]) == (3, 9, 2)


def test_fsck_that_cannot_be_done_says_so_in_a_line(server: AskServer, oneos: Oneos) -> None:
    outcome = oneos("fsck", "home")
    assert (outcome.status, outcome.out) == (8, "")
    assert outcome.err == "oneos: fsck: home: a path of the tree begins with /\n"
    server.answers["fsck_look"] = CHECKED | {"error": "/x: No such file or directory"}
    outcome = oneos("fsck", "/x")
    assert (outcome.status, outcome.out) == (8, "")
    assert outcome.err == "oneos: fsck: /x: No such file or directory\n"
    server.answers["fsck"] = Refusal(16, "another check goes on", "wait for the other oneos fsck")
    assert oneos("fsck").status == 8


def test_fsck_completes_paths_of_the_tree(server: AskServer) -> None:
    server.answers[("list", b"/home")] = [[b"alice", 0o040000, 7], [b"all", 0o100000, 8]]
    done = subprocess.run(
        [sys.executable, "-m", "oneos.cli.main"],
        env={
            "_ONEOS_COMPLETE": "bash_complete",
            "COMP_WORDS": "oneos fsck /home/al",
            "COMP_CWORD": "2",
            "ONEOS_SOCKET": server.path,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["plain,/home/alice/", "plain,/home/all"]


def test_status_tells_what_was_found_damaged(server: AskServer, oneos: Oneos) -> None:
    hub, pi1 = STATUS["members"]
    members = [hub | {"damaged": 3, "repaired": 2}, pi1 | {"damaged": None, "repaired": None}]
    server.answers["status"] = STATUS | {"members": members, "lost": 1}
    out = oneos("status").out
    assert "damaged chunks found on hub: 3, repaired 2\n" in out
    assert "files without a whole copy: 1; which ones: oneos fsck --quick\n" in out
    assert "on pi1" not in out


def test_hosts_that_may_be_forgotten_complete(server: AskServer) -> None:
    server.answers["status"] = STATUS
    done = subprocess.run(
        [sys.executable, "-m", "oneos.cli.main"],
        env={
            "_ONEOS_COMPLETE": "bash_complete",
            "COMP_WORDS": "oneos forget ",
            "COMP_CWORD": "2",
            "ONEOS_SOCKET": server.path,
        },
        capture_output=True,
        text=True,
        timeout=WAIT_S,
    )
    assert done.stdout.split() == ["plain,pi1"]


def test_manifest_prints_the_agreed_text_unchanged(server: AskServer, oneos: Oneos) -> None:
    server.answers["manifest"] = default_manifest().text
    assert oneos("manifest").out == default_manifest().text
    services = json.loads(oneos("manifest", "--json").out)["services"]
    assert [s["name"] for s in services][3] == "filesystem"


def test_manifest_check_names_file_and_fault(oneos: Oneos, tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(default_manifest().text.replace('hosts = "core"', "hosts = []", 1))
    outcome = oneos("manifest", "--check", str(file))
    assert outcome.status == 1
    assert outcome.err.startswith(
        f"oneos: {file}: service.pubsub.hosts: service pubsub may run on no host (line 11)\n"
    )
    file.write_text(default_manifest().text)
    assert oneos("manifest", "--check", str(file)).out == f"{file}: 5 services, nothing wrong\n"


def test_token_prints_the_line_to_paste(server: AskServer, oneos: Oneos) -> None:
    token = {"token": "s3cret", "join_line": "oneos join hub:4100 ...", "expires_s": 86400}
    server.answers["token"] = token
    outcome = oneos("token")
    assert outcome.out == "oneos join hub:4100 ...\n"
    assert outcome.err == "oneos: for one host, within 24 h\n"
    assert oneos("token", "--bare").out == "s3cret\n"
    assert json.loads(oneos("token", "--json").out) == token


@pytest.mark.parametrize("verb", ["status", "ps", "manifest", "token"])
def test_a_refusal_of_the_runtime_reaches_the_person(
    server: AskServer, oneos: Oneos, verb: str
) -> None:
    server.answers[verb] = Refusal(5, "the log is away", "wait")
    outcome = oneos(verb)
    assert (outcome.status, outcome.out) == (1, "")
    assert outcome.err == "oneos: the log is away\n       wait\n"


ENVIRONMENT = {
    "key": "3f2a",
    "kind": "python",
    "program": "/home/alice/report.py",
    "packages": ["requests", "rich"],
    "bytes": 6 * 1024**2,
    "made": EARLIER,
    "used": EARLIER,
    "in_use": False,
}


def test_env_lists_what_is_installed(server: AskServer, oneos: Oneos) -> None:
    server.answers["environments"] = [ENVIRONMENT]
    head, row = oneos("env", "ls").out.splitlines()
    assert head.split() == ["KEY", "KIND", "SIZE", "USED", "IN", "USE", "FOR", "PACKAGES"]
    assert row.split()[:4] == ["3f2a", "python", "6", "MiB"]
    assert row.endswith("no      /home/alice/report.py  requests,rich")
    assert json.loads(oneos("env", "ls", "--json").out) == [ENVIRONMENT]


def test_env_removes_all_that_is_not_in_use(server: AskServer, oneos: Oneos) -> None:
    busy = ENVIRONMENT | {"key": "b0b0", "in_use": True}
    server.answers["environments"] = [ENVIRONMENT, busy]
    server.answers[("environment_remove", "3f2a")] = None
    assert json.loads(oneos("env", "rm", "--all", "--json").out) == {"removed": ["3f2a"]}
    assert oneos("env", "rm").status == 2
    server.answers[("environment_remove", "b0b0")] = Refusal(16, "in use", "wait")
    assert oneos("env", "rm", "b0b0").status == 1
