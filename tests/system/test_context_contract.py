"""What a program sees (docs/context.md): the same in both languages, whichever way it is kept."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.terminal import person
from tests.system.conftest import DEVICES
from tests.system.support import HOME, ONEOS, USER, Cluster, read_line, wait_until
from tests.system.support_context import (
    CARRIERS,
    FAMILY,
    FILES,
    FILES_SEEN,
    HIDDEN,
    SELF,
    STREAMS,
    TERMINAL,
    cluster_of_both,
)

SOON_S = 60.0
HOSTS = {"instrumented": "host1", "namespace": "host2"}
COMMANDS = {"py": "python3", "js": "node"}

pytestmark = [
    pytest.mark.parametrize("carrier", CARRIERS),
    pytest.mark.parametrize("language", ["py", "js"]),
]


@pytest.fixture(scope="module")
def both() -> Iterator[Cluster]:
    """A host for each way; host2 has the sensors too."""
    cluster = cluster_of_both(2, HOSTS, {"host2": DEVICES})
    yield cluster
    cluster.close()


def run(both: Cluster, carrier: str, language: str, text: str, *words: str) -> str:
    """The command line for a program that was put into the tree."""
    both[1].put(f"{HOME}/program.{language}", text.encode())
    line = " ".join((COMMANDS[language], f"program.{language}", *words))
    return f"on host:{HOSTS[carrier]} {line}"


def test_it_knows_where_it_is_and_what_it_was_given(
    both: Cluster, carrier: str, language: str
) -> None:
    line = run(both, carrier, language, SELF[language], "a", "'b c'")
    host = HOSTS[carrier]
    assert both[1].sh(f"GIVEN=word {line}").ok().splitlines() == [
        f"cwd {HOME}",
        "arguments ['a', 'b c']",
        "ours []",
        "given word",
        f"host {host} {host}",
        "terminal False",
        f"user {os.getuid()}",
    ]


def test_files_behave_and_fail_as_posix_says(both: Cluster, carrier: str, language: str) -> None:
    line = run(both, carrier, language, FILES[language])
    assert both[1].sh(line).ok() == FILES_SEEN


def test_streams_and_exit_status_reach_the_shell_on_another_host(
    both: Cluster, carrier: str, language: str
) -> None:
    line = run(both, carrier, language, STREAMS[language])
    for host in both.hosts:
        outcome = host.sh(f"echo words | {line}")
        assert (outcome.status, outcome.text) == (3, "WORDS\n192707\n")
        assert outcome.err == "to the side\n"


def test_of_its_host_it_sees_no_more_than_it_needs(
    both: Cluster, carrier: str, language: str, tmp_path: Path
) -> None:
    (tmp_path / "secret").touch()
    secrets = (str(tmp_path / "secret"), str(both.directory), "/etc/shadow")
    line = run(both, carrier, language, HIDDEN[language], *secrets)
    assert both[1].sh(line).ok() == "[]\nFalse\nFalse\nFalse\nTrue True\n"


def test_it_and_its_children_have_the_numbers_that_ps_shows_and_obey_any_host(
    both: Cluster, carrier: str, language: str
) -> None:
    with both[1].shell(run(both, carrier, language, FAMILY[language])) as process:
        own, child = (int(read_line(process.stdout)) for _ in range(2))

        def shown() -> dict[int, tuple[int, str, str, str]]:
            rows = {p["pid"]: p for p in both[1].processes() if p["state"] == "running"}
            return {
                pid: tuple(rows[pid][key] for key in ("ppid", "host", "user", "command"))
                for pid in (own, child)
                if pid in rows and "sleep" in rows[child]["command"]
            }

        found = wait_until(lambda: len(shown()) == 2 and shown(), SOON_S, "ps shows both")
        assert found[own][1] == found[child][1] == HOSTS[carrier]
        assert found[child][0] == own and found[child][2] == found[own][2]
        for host in both.hosts:
            assert f"PPid:\t{own}\n" in host.get(f"/proc/{child}/status").decode()
            assert host.get(f"/proc/{child}/context") == f"{carrier}\n".encode()
            host.sh(f"kill -0 {child} && kill -s CONT {child}").ok()
        other = next(host for host in both.hosts if host.name != HOSTS[carrier])
        other.sh(f"kill -TERM {child}").ok()
        assert read_line(process.stdout) == b"15\n"
        assert process.wait(SOON_S) == 0


def test_it_is_in_the_table_and_ends_by_a_signal_from_any_host(
    both: Cluster, carrier: str, language: str
) -> None:
    text = {"py": "print('up', flush=True)\nimport time\ntime.sleep(60)\n"}
    text["js"] = "console.log('up');\nsetTimeout(() => {}, 60_000);\n"
    with both[1].shell(run(both, carrier, language, text[language])) as process:
        assert read_line(process.stdout) == b"up\n"
        command = f"{COMMANDS[language]} program"
        (found,) = wait_until(lambda: both[2].running(command), SOON_S, "it is in the table")
        assert both[1].get(f"/proc/{found['pid']}/context") == f"{carrier}\n".encode()
        assert found["host"] == HOSTS[carrier]
        both[2].sh(f"kill -TERM {found['pid']}").ok()
        assert process.wait(SOON_S) == 128 + signal.SIGTERM


@pytest.mark.parametrize("typed_at", [1, 2])
def test_the_terminal_is_the_persons_on_any_host(
    both: Cluster, carrier: str, language: str, typed_at: int
) -> None:
    line = run(both, carrier, language, TERMINAL[language])
    host = both[typed_at]
    command = [*ONEOS, "run", "--user", USER, "--on", *line.split()[1:]]
    with person(command, {**os.environ, **host.env}) as somebody:
        somebody.see("terminal True True True True\r\nsize 97 33\r\n")
        somebody.resize(20, 60)
        somebody.see("size 60 20\r\n")
        somebody.type("wprd\x7f\x7f\x7ford\r")
        somebody.see("said word\r\n")
        assert somebody.wait() == 0
        assert somebody.modes() == somebody.before
