"""`oneos sh` as a process: options, scripts, standard input, Ctrl-C, a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.localspawner import LocalSpawner
from tests.support.waiting import WAIT_S
from tests.unit.shell.conftest import home_of

Sh = Callable[..., "subprocess.CompletedProcess[str]"]


def _arguments(runtime: LocalSpawner, *arguments: str) -> list[str]:
    start = [sys.executable, "-m", "oneos.cli.main", "sh", "--socket", runtime.socket_path]
    return [*start, *arguments]


@pytest.fixture
def sh(runtime: LocalSpawner) -> Sh:
    def run(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            _arguments(runtime, *arguments),
            input=given,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )

    return run


def test_commands_as_an_argument(sh: Sh) -> None:
    done = sh("-c", 'echo "$0:$1:$#"; exit 7', "name", "a", "b")
    assert (done.stdout, done.stderr, done.returncode) == ("name:a:2\n", "", 7)


def test_options_count(sh: Sh) -> None:
    done = sh("-eux", "-c", "echo a; false; echo b")
    assert (done.stdout, done.returncode) == ("a\n", 1)
    assert done.stderr == "+ echo a\n+ false\n"


def test_script_of_this_host_then_of_the_tree(
    sh: Sh, runtime: LocalSpawner, tmp_path: Path
) -> None:
    (home_of(runtime) / "s.sh").write_text("echo tree $1 $0")
    assert sh("s.sh", "x").stdout == "tree x s.sh\n"
    script = tmp_path / "s.sh"
    script.write_text("echo host $1\n")
    assert sh(str(script), "-x").stdout == "host -x\n"
    done = sh("nosuch.sh")
    assert done.returncode == 127
    assert done.stderr == "sh: cannot open nosuch.sh: No such file or directory\n"


def test_shell_that_is_a_program_goes_on_where_its_parent_is(
    runtime: LocalSpawner, tmp_path: Path
) -> None:
    (home_of(runtime) / "d").mkdir()
    script = tmp_path / "s.sh"
    script.write_text("echo of the host\n")
    told = {"ONEOS_PID": "42", "ONEOS_PPID": "41", "ONEOS_TOKEN": "t", "ONEOS_CWD": "/home/alice/d"}

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            _arguments(runtime, *arguments),
            env={**told, "X": "1", "HOME": "/home/alice"},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
        )

    said = run("-c", "echo $X $PWD $$ $PPID [$ONEOS_TOKEN] $HOME")
    assert said.stdout == "1 /home/alice/d 42 41 [] /home/alice\n", said.stderr
    # Its scripts are files of the tree, never of the host it happens to run on.
    assert run(str(script)).returncode == 127


@pytest.mark.parametrize("seekable", [True, False])
def test_standard_input_is_shared_with_the_commands(
    runtime: LocalSpawner, tmp_path: Path, seekable: bool
) -> None:
    text = (
        "echo a\nread x\nthis is data\necho got $x\ncat <<E\nhi\nE\n"
        "if true\nthen echo 'b\nc'\nfi\nhead -c 3\nd\ne\necho f\n"
    )
    given = tmp_path / "given"
    given.write_text(text)
    with given.open() as file:
        feed = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        with given.open() as again:
            done = subprocess.run(
                _arguments(runtime),
                stdin=again if seekable else feed.stdout,
                capture_output=True,
                text=True,
                timeout=WAIT_S,
            )
        assert feed.stdout is not None
        feed.stdout.close()
        feed.wait()
    # `head` may read ahead in a pipe and not give back; what is before it is exact.
    assert done.stdout.startswith("a\ngot this is data\nhi\nb\nc\nd\n"), done.stderr


def test_commands_run_as_they_come(runtime: LocalSpawner) -> None:
    with subprocess.Popen(
        _arguments(runtime), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for text in ("one", "two"):
            process.stdin.write(f"echo {text}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{text}\n"


@pytest.mark.parametrize(
    ("given", "output", "status"),
    [("echo a\necho )\necho b\n", "a\n", 2), ("echo a\nif true\n", "a\n", 2), ("", "", 0)],
)
def test_errors_on_standard_input(sh: Sh, given: str, output: str, status: int) -> None:
    done = sh(given=given)
    assert (done.stdout, done.returncode) == (output, status)
    assert done.stderr.count("\n") == (status != 0)


def test_wrong_use_is_one_line_and_a_hint(sh: Sh) -> None:
    done = sh("-c")
    assert done.returncode == 2 and "-c needs the commands" in done.stderr
    done = sh("--socket", "/nonexistent", "-c", "true")
    assert done.returncode == 1
    assert done.stderr == (
        "oneos: no Runtime answers at /nonexistent\n       start one: oneos up\n"
    )


# --- Ctrl-C ------------------------------------------------------------------------------------


def _interrupted(runtime: LocalSpawner, script: str) -> tuple[int, str]:
    """Send SIGINT once the script has printed a line; the status and the rest."""
    with subprocess.Popen(
        _arguments(runtime, "-c", script), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        spawned = time.monotonic() + WAIT_S
        while "sleep" in script and not runtime.spawned and time.monotonic() < spawned:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        return process.wait(WAIT_S), rest


@pytest.mark.parametrize(
    ("script", "status", "rest"),
    [
        ("echo ready; sleep 60; echo no", -signal.SIGINT, ""),
        ("echo ready; sleep 60 | cat; echo no", -signal.SIGINT, ""),
        ("echo ready; (sleep 60); echo no", -signal.SIGINT, ""),
        ("echo ready; x=$(sleep 60); echo no", -signal.SIGINT, ""),
        ("echo ready; while :; do :; done", -signal.SIGINT, ""),
        ("trap 'echo bye' EXIT; echo ready; sleep 60", -signal.SIGINT, "bye\n"),
        ("trap 'echo got' INT; echo ready; sleep 60; echo $?", 0, "got\n130\n"),
        ("trap 'echo got; x=1' INT; echo ready; while [ -z $x ]; do :; done; echo on", 0, None),
    ],
)
def test_interrupt_goes_to_the_programs_and_ends_the_script(
    runtime: LocalSpawner, script: str, status: int, rest: str | None
) -> None:
    got = _interrupted(runtime, script)
    assert got == (status, "got\non\n" if rest is None else rest)


def test_a_shell_that_nobody_reads_ends_by_sigpipe(runtime: LocalSpawner) -> None:
    script = "echo ready; while :; do echo more; done"
    with subprocess.Popen(_arguments(runtime, "-c", script), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(6) == b"ready\n"
        process.stdout.close()
        assert process.wait(WAIT_S) == -signal.SIGPIPE


# --- a terminal --------------------------------------------------------------------------------


class Terminal:
    """A shell on a pseudo-terminal."""

    def __init__(self, runtime: LocalSpawner, state: Path) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", XDG_STATE_HOME=str(state), PROMPT_TOOLKIT_NO_CPR="1")
            os.execv(sys.executable, _arguments(runtime))
        self._seen = ""

    def send(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def expect(self, pattern: str) -> str:
        """What comes, up to and with the pattern; fails at the deadline."""
        deadline = time.monotonic() + WAIT_S
        while not (found := re.search(pattern, self._seen)):
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} did not come: {self._seen!r}"
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                raise AssertionError(f"{pattern!r} did not come: {self._seen!r}") from None
            self._seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode())
        seen, self._seen = self._seen[: found.end()], self._seen[found.end() :]
        return seen

    def end(self, key: str = "") -> int:
        """Wait for the shell's end; its status. A key is pressed until then: one that comes
        before the line editor has made the terminal raw is lost."""
        deadline = time.monotonic() + WAIT_S
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < deadline, f"the shell goes on: {self._seen!r}"
            if key:
                self.send(key)
            time.sleep(0.1)
        self.pid = 0
        return os.waitstatus_to_exitcode(ended[1])

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


PROMPT = r"oneos:/home/alice\$ "


@pytest.fixture
def terminal(runtime: LocalSpawner, tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(runtime, tmp_path)
    try:
        made.expect(PROMPT)
        yield made
    finally:
        made.close()


def test_a_session_at_a_terminal(terminal: Terminal, runtime: LocalSpawner, tmp_path: Path) -> None:
    terminal.send("echo $((20+1))\r")
    terminal.expect(r"\n21\r\n")
    terminal.expect(PROMPT)
    # Ctrl-C clears a half-typed line.
    terminal.send("nosuch\x03")
    terminal.expect(PROMPT)
    # A command of several lines.
    terminal.send("if true\r")
    terminal.expect(r"> ")
    terminal.send("then echo y''es; fi\r")
    terminal.expect(r"\nyes\r\n")
    terminal.expect(PROMPT)
    # Ctrl-C ends the program, and the shell goes on.
    terminal.send("sleep 60\r")
    deadline = time.monotonic() + WAIT_S
    while not runtime.spawned and time.monotonic() < deadline:
        time.sleep(0.01)
    terminal.send("\x03")
    terminal.expect(PROMPT)
    terminal.send("echo status $?\r")
    terminal.expect(r"\nstatus 130\r\n")
    # Errors end the line only.
    for line, said in ((")", "yntax error"), ("echo ${x?}", "x: parameter not set")):
        terminal.expect(PROMPT)
        terminal.send(line + "\r")
        terminal.expect(said)
    terminal.expect(PROMPT)
    terminal.send("exit 3\r")
    assert terminal.end() == 3
    history = tmp_path / "oneos/history"
    assert "+echo status $?" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_end_of_input_ends_the_shell(terminal: Terminal) -> None:
    # The output comes after the line was drawn for the last time, so the prompt is the next.
    terminal.send("echo o''n; (exit 4)\r")
    terminal.expect(r"\non\r\n")
    terminal.expect(PROMPT)
    assert terminal.end("\x04") == 4
