"""The session's terminal on any host: job control, full-screen programs, and old modes at the end.

What a program sees of it, by each way of its context, is in test_context_contract.py.
"""

import os
import re
import shutil
import signal
import termios
from collections.abc import Callable, Iterator

import pytest

from tests.support.namespaces import no_name_space
from tests.support.terminal import Person, person
from tests.system.support import HOME, ONEOS, USER, Cluster, wait_until

SOON_S = 60.0
PROMPT = f"{HOME}$"
ENTERED = "\x1b[?2004l"
"""What the line editor shows last of a line: what follows is the command's."""

ASK = "python3 -c 'print(input(str(6 * 7)) * 2)'"
NATIVE_ASK = """bash -c 'echo its own $((6 * 7)); read b </dev/tty; echo $b$b'"""
CURSES = """
import curses

def main(screen):
    screen.addstr(2, 3, "size %d %d" % screen.getmaxyx())
    screen.refresh()
    for _ in range(2):
        key = curses.keyname(screen.getch()).decode()
        screen.addstr(4, 3, "key %s %d" % (key, screen.getmaxyx()[0]))
        screen.refresh()

curses.wrapper(main)
print("drawn")
"""

PAGER = """
import sys, tty

print(sys.stdin.readline())
keys = open("/dev/tty", "rb", 0)
tty.setcbreak(keys)
print("left by", keys.read(1).decode())
"""

NAME_SPACE = pytest.mark.skipif(bool(no_name_space()), reason=f"none here: {no_name_space()}")

HOSTS = pytest.mark.parametrize("on", ["", "on host:host2 "], ids=["here", "elsewhere"])


class AtPrompt:
    """Somebody at a prompt of a shell on host1."""

    def __init__(self, cluster: Cluster, somebody: Person) -> None:
        self.cluster = cluster
        self.person = somebody

    def line(self, text: str) -> None:
        """Type a command."""
        self.person.type(text + "\r")
        self.person.see(ENTERED)

    def prompt(self) -> str:
        """Wait for the prompt; what showed before it."""
        return self.person.see(PROMPT)

    def status(self) -> int:
        """That of the command before."""
        self.line("echo status-$?")
        shown = self.prompt()
        found = re.search(r"status-(\d+)", shown)
        assert found, shown
        return int(found[1])


@pytest.fixture
def at_prompt(shared: Cluster) -> Iterator[AtPrompt]:
    command = [*ONEOS, "sh", "--user", USER]
    with person(command, {**os.environ, **shared[1].env}) as somebody:
        somebody.see(PROMPT)
        yield AtPrompt(shared, somebody)


@HOSTS
def test_ctrl_c_ends_a_program_that_asks(at_prompt: AtPrompt, on: str) -> None:
    at_prompt.line(on + ASK)
    at_prompt.person.see("42")
    at_prompt.person.press("\x03", "KeyboardInterrupt")
    at_prompt.prompt()
    assert at_prompt.status() == 130


@HOSTS
def test_ctrl_z_stops_a_job_that_fg_and_bg_have_go_on(at_prompt: AtPrompt, on: str) -> None:
    at_prompt.line(on + ASK)
    at_prompt.person.see("42")
    at_prompt.person.press("\x1a", "[1]+  Stopped")
    at_prompt.prompt()
    assert at_prompt.status() == 148
    # In the background it is stopped again, for it reads.
    at_prompt.line("bg")
    at_prompt.person.press("\r", "[1]+  Stopped")
    at_prompt.prompt()
    at_prompt.line("fg")
    at_prompt.person.press("ab\r", "abab")
    at_prompt.prompt()
    at_prompt.line("jobs")
    assert "Stopped" not in at_prompt.prompt()


def test_ctrl_c_ends_the_line_of_a_job_that_fg_brought_back(at_prompt: AtPrompt) -> None:
    at_prompt.line("cat")
    at_prompt.person.type("one\r")
    at_prompt.person.see("one\r\none\r\n")
    at_prompt.person.press("\x1a", "[1]+  Stopped")
    at_prompt.prompt()
    at_prompt.line("fg; echo no''t")
    at_prompt.person.type("two\r")
    at_prompt.person.see("two\r\ntwo\r\n")
    at_prompt.person.type("\x03")
    assert "not" not in at_prompt.prompt()
    assert at_prompt.status() == 130


@pytest.mark.skipif(bool(no_name_space()), reason=f"none here: {no_name_space()}")
@HOSTS
def test_a_native_job_is_stopped_goes_on_and_is_killed(at_prompt: AtPrompt, on: str) -> None:
    # Here it is in one group with a program that is no native one.
    first = "" if on else "python3 -c pass | "
    at_prompt.line(f"{first}{on}{NATIVE_ASK}")
    at_prompt.person.see("its own 42")
    at_prompt.person.press("\x1a", "[1]+  Stopped")
    at_prompt.prompt()
    assert at_prompt.status() == 148
    at_prompt.line("fg")
    at_prompt.person.press("ab\r", "abab")
    at_prompt.prompt()
    at_prompt.line(f"{on}bash -c 'kill -KILL $$'")
    at_prompt.prompt()
    assert at_prompt.status() == 137


@pytest.mark.skipif(bool(no_name_space()), reason=f"none here: {no_name_space()}")
def test_native_programs_start_when_what_started_them_was_killed(at_prompt: AtPrompt) -> None:
    runtime = at_prompt.cluster[1].runtime()
    assert runtime is not None
    for number in range(3):
        at_prompt.line(f"bash -c 'echo started $((6 * 7)) {number}'")
        at_prompt.person.see(f"started 42 {number}")
        at_prompt.prompt()
        leaders = [child for child in runtime.children() if "Z" in child.cmdline()]
        for gate in [gate for leader in leaders for gate in leader.children()]:
            gate.kill()


@HOSTS
def test_curses_draws_reads_keys_and_follows_the_window(at_prompt: AtPrompt, on: str) -> None:
    at_prompt.cluster[1].put(f"{HOME}/curses_.py", CURSES.encode())
    at_prompt.line(f"{on}python3 curses_.py")
    at_prompt.person.see("size 33 97")
    at_prompt.person.type("\x1bOA")
    at_prompt.person.see("key KEY_UP 33")
    at_prompt.person.resize(20, 60)
    at_prompt.person.see("drawn\r\n")
    at_prompt.prompt()


@HOSTS
def test_the_modes_are_the_old_ones_after_a_kill(at_prompt: AtPrompt, on: str) -> None:
    raw = "import os, time, tty; tty.setraw(0); print('pid', os.getpid(), 'x', flush=True)"
    at_prompt.line(f'{on}python3 -c "{raw}; time.sleep(99)"')
    at_prompt.person.see("pid ")
    pid = at_prompt.person.see(" x")
    at_prompt.cluster[3].run("kill", "-s", "KILL", pid).ok()
    at_prompt.prompt()
    assert at_prompt.status() == 137
    # The next program starts with the session's modes, and not with those that it left.
    at_prompt.line(on + ASK)
    at_prompt.person.see("42")
    at_prompt.person.press("y\x7fz\r", "zz")
    at_prompt.prompt()


@HOSTS
def test_a_shell_that_is_ended_gives_its_terminal_back(at_prompt: AtPrompt, on: str) -> None:
    somebody = at_prompt.person
    at_prompt.line(f"{on}python3 -c 'import time; print(6 * 7, flush=True); time.sleep(99)'")
    somebody.see("42")
    wait_until(lambda: not somebody.modes()[3] & termios.ICANON, SOON_S, "it is raw")
    somebody.process.send_signal(signal.SIGTERM)
    assert somebody.wait() == -signal.SIGTERM
    assert somebody.modes() == somebody.before
    # Its programs are hung up.
    wait_until(lambda: not at_prompt.cluster[1].running("python3 -c import time"), SOON_S, "gone")


@NAME_SPACE
@HOSTS
def test_a_native_program_can_open_its_terminal_by_name(at_prompt: AtPrompt, on: str) -> None:
    at_prompt.line(f"{on}/usr/bin/sh -c 'echo by-name-$((6 * 7)) > \"$(tty)\"'")
    at_prompt.person.see("by-name-42\r\n")
    at_prompt.prompt()


@NAME_SPACE
@pytest.mark.skipif(not shutil.which("tmux"), reason="there is no tmux here")
def test_tmux_starts_and_has_the_keys(at_prompt: AtPrompt) -> None:
    command = "echo asks-$((6 * 7)); read answer; echo $answer-$answer; read rest"
    at_prompt.line(f"tmux -L oneos-test -f /dev/null new-session '{command}'")
    at_prompt.person.see("asks-42")
    at_prompt.person.type("ab\r")
    at_prompt.person.see("ab-ab")
    at_prompt.person.type("\r")
    at_prompt.person.see("[exited]")
    at_prompt.prompt()


@pytest.mark.parametrize("writer", ["echo first", "yes first"], ids=["ended", "running"])
def test_keys_reach_a_pager_behind_a_program_of_another_host(
    at_prompt: AtPrompt, writer: str
) -> None:
    at_prompt.cluster[1].put(f"{HOME}/pager.py", PAGER.encode())
    at_prompt.line(f"{writer} | on host:host2 python3 pager.py")
    at_prompt.person.see("first")
    at_prompt.person.press("q", "left by q")
    at_prompt.prompt()


def test_what_is_typed_ahead_is_for_the_prompt(at_prompt: AtPrompt) -> None:
    at_prompt.line("on host:host2 python3 -c 'import time; print(42, flush=True); time.sleep(1)'")
    at_prompt.person.see("42")
    at_prompt.person.type("echo typed''-ahead\r")
    at_prompt.person.see("typed-ahead\r\n")
    at_prompt.prompt()


def test_what_is_pasted_behind_a_command_is_for_its_program(at_prompt: AtPrompt) -> None:
    at_prompt.person.type(f"{ASK}\rab\recho be''hind\r")
    at_prompt.person.see("abab\r\n")
    at_prompt.person.see("behind\r\n")
    at_prompt.prompt()


def test_read_s_does_not_show_what_is_typed(at_prompt: AtPrompt) -> None:
    at_prompt.line("read -s -p 'pass'word: word; echo $word-$word")
    at_prompt.person.see("password:")
    at_prompt.person.type("secret\r")
    assert "secret" not in at_prompt.person.see("secret-secret")
    at_prompt.prompt()


def test_a_script_that_is_stopped_stops_whole(at_prompt: AtPrompt) -> None:
    at_prompt.cluster[1].put(f"{HOME}/asks.sh", f"{ASK}\necho behind\n".encode())
    at_prompt.line("sh asks.sh")
    at_prompt.person.see("42")
    at_prompt.person.press("\x1a", "Stopped")
    at_prompt.prompt()
    at_prompt.line("fg")
    at_prompt.person.press("ab\r", "abab\r\nbehind\r\n")
    at_prompt.prompt()


@HOSTS
def test_programs_of_a_script_are_at_its_own_terminal(at_prompt: AtPrompt, on: str) -> None:
    at_prompt.cluster[1].put(f"{HOME}/name.py", b"import os; print('at', os.ttyname(1), 'x')\n")
    names = []
    for command in ("python3 name.py", "sh -c 'python3 name.py; exit'"):
        at_prompt.line(on + command)
        at_prompt.person.see("at ")
        names.append(at_prompt.person.see(" x"))
        at_prompt.prompt()
    assert names[0] == names[1]


def test_ctrl_c_ends_a_script_with_its_program(at_prompt: AtPrompt) -> None:
    at_prompt.cluster[1].put(f"{HOME}/asks.sh", f"{ASK}\necho behind\n".encode())
    at_prompt.line("sh asks.sh; echo no''t")
    at_prompt.person.see("42")
    at_prompt.person.press("\x03", "KeyboardInterrupt")
    shown = at_prompt.prompt()
    assert "behind" not in shown and "not" not in shown
    assert at_prompt.status() == 130


def test_a_lost_host_gives_the_terminal_back(make_cluster: Callable[[int], Cluster]) -> None:
    cluster = make_cluster(2)
    command = [*ONEOS, "sh", "--user", USER]
    with person(command, {**os.environ, **cluster[1].env}) as somebody:
        at = AtPrompt(cluster, somebody)
        at.prompt()
        at.line("on host:host2 python3 -c 'import time; print(6 * 7, flush=True); time.sleep(99)'")
        somebody.see("42")
        cluster[2].kill()
        somebody.see("sh: the terminal at host2 is gone\r\n")
        at.prompt()
        assert at.status() == 137
