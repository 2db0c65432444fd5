"""The shell at a terminal: from the key that ends a line until its output is on the screen."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence

from bench.case import NATIVE, ONEOS, SSH, Case, Measured, Row
from bench.setting import Setting, environment
from oneos.errors import OneOSError

READ_S = 20.0


class Terminal:
    """A program on a pseudo-terminal.

    Args:
        words: the program.
        more: added to its environment.
    """

    def __init__(self, words: Sequence[str], more: dict[str, str]) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            try:
                os.execvpe(words[0], list(words), environment() | more)
            finally:
                os._exit(127)
        self._seen = b""

    def until(self, text: bytes) -> None:
        """Read until the text is on the screen. Raises OneOSError."""
        deadline = time.monotonic() + READ_S
        while text not in self._seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise OneOSError(f"{text!r} did not come; there is {self._seen[-200:]!r}")
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                data = b""
            if not data:
                raise OneOSError(f"the shell ended: {self._seen[-200:]!r}")
            self._seen += data
        self._seen = self._seen.partition(text)[2]

    def quiet(self, seconds: float) -> None:
        """Read until nothing has come for a while: the prompt is there."""
        while select.select([self._fd], [], [], seconds)[0]:
            os.read(self._fd, 65536)
        self._seen = b""

    def time(self, line: bytes, text: bytes) -> float:
        """How long after the line is entered the text appears."""
        os.write(self._fd, line)
        # The editor echoes what is typed; it is to be through with that.
        self.quiet(0.05)
        began = time.perf_counter()
        os.write(self._fd, b"\r")
        self.until(text)
        return time.perf_counter() - began

    def close(self) -> None:
        """End it."""
        os.close(self._fd)
        try:
            os.kill(self._pid, signal.SIGHUP)
        except ProcessLookupError:
            pass
        os.waitpid(self._pid, 0)


def cases(setting: Setting) -> list[Case]:
    """A builtin, and a utility in a directory with one name that the screen cannot show before."""
    rows = (
        Row("shell.echo", "s", "echo at the prompt, until its output shows"),
        Row("shell.ls", "s", "/bin/ls at the prompt, until its output shows"),
    )
    count = setting.sized(10, 3)
    socket_path = setting.cluster.hosts[0].socket
    marker = "listed-by-ls"
    (setting.plain / marker).touch()
    setting.cluster.session.run(
        [(setting.home, ["python3", "-c", f"open({marker!r}, 'w').close()"])]
    )

    def measure(words: Sequence[str], more: dict[str, str], directory: str) -> Measured:
        terminal = Terminal(words, more)
        try:
            terminal.quiet(1.0)
            os.write(terminal._fd, f"cd {directory}; echo rea$((0))dy\r".encode())
            terminal.until(b"rea0dy")
            terminal.quiet(0.3)
            echo, ls = [], []
            for number in range(count):
                shown = f"out-{number + 1000}-put".encode()
                line = f"echo out-$(({number}+1000))-put".encode()
                echo.append(terminal.time(line, shown))
                terminal.quiet(0.1)
                ls.append(terminal.time(b"/bin/ls", marker.encode()))
                terminal.quiet(0.1)
        finally:
            terminal.close()
        return {"shell.echo": echo, "shell.ls": ls}

    oneos = [sys.executable, "-m", "oneos.cli.main", "sh", "--socket", socket_path]
    state = {
        "TERM": "xterm",
        # There is nobody at this terminal to answer where its cursor is.
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "XDG_STATE_HOME": str(setting.plain / "state"),
    }
    home = setting.cluster.session.home.decode()
    contenders: dict[str, Callable[[], Measured]] = {
        ONEOS: lambda: measure(oneos, state, home),
        NATIVE: lambda: measure(["sh", "-i"], {}, str(setting.plain)),
    }
    missing = {}
    ssh = setting.ssh
    if ssh is not None:
        contenders[SSH] = lambda: measure(ssh.shell(), {}, str(setting.plain))
    else:
        missing[SSH] = setting.ssh_missing or "-"
    return [Case(rows, contenders, missing)]
