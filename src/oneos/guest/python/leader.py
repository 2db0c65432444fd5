"""What a warm interpreter does for a terminal: it leads the session whose terminal it is.

Every program of that terminal is forked here, so that the kernel has them all in one session: the
line discipline signals the group in the foreground, `/dev/tty` opens, and a program that stops is
seen by its parent. Which job is in the foreground the Runtime says; its programs are one process
group. What a warm interpreter does without a terminal is in `zygote.py`, the requests are in
docs/guest-protocol.md.
"""

import _signal
import posix
import sys

from .descriptors import real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket as Socket
    from collections.abc import Callable
    from typing import Any

WORD = 4
TYPED_BYTES_MAX = 4096
"""What a line discipline holds of input that nobody has read (N_TTY_BUF_SIZE)."""

QUIET = (_signal.SIGINT, _signal.SIGQUIT, _signal.SIGTSTP, _signal.SIGTTIN, _signal.SIGTTOU)
"""What is meant for the jobs. A shell ignores the same."""

KEYS = (_signal.SIGINT, _signal.SIGQUIT)
"""What a key sends here while the job in the foreground has no process yet."""

FORGET, KEEP, SAVE = 0, 1, 2
"""What becomes of the modes that a job leaves: nothing; the next job's; its own when it goes on."""


class Leader:
    """See the module.

    Args:
        terminal: a descriptor of the terminal, which becomes that of this session.
        runtime: where stopped programs are reported.
    """

    def __init__(self, terminal: int, runtime: "Socket") -> None:
        before = set(sys.modules)
        import fcntl
        import termios

        self.loaded = [name for name in ("fcntl", "termios") if name not in before]
        self.fcntl: Any = fcntl
        self.termios: Any = termios
        self.terminal = terminal
        self.runtime = runtime
        self.gates: Any = None
        self.groups: dict[int, int] = {}
        self.modes: dict[int, list[Any]] = {}
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        self.base = termios.tcgetattr(terminal)
        self.before = [(number, _signal.signal(number, _signal.SIG_IGN)) for number in QUIET]
        for number in KEYS:
            _signal.signal(number, self.pressed)
        _signal.signal(_signal.SIGCHLD, self.changed)

    def child(self) -> None:
        """In a child: be again what a warm interpreter without a terminal is."""
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        for number, action in self.before:
            _signal.signal(number, action)
        real["close"](self.terminal)
        self.runtime.close()
        if self.gates is not None:
            self.gates.leave()
        for name in [*self.loaded, "_oneos.leader", "_oneos.inside"]:
            sys.modules.pop(name, None)
        for name in ("leader", "inside"):
            vars(sys.modules["_oneos"]).pop(name, None)

    def changed(self, _number: int, _frame: "Any") -> None:
        """A child has stopped, goes on, or has ended; the last is not ours to see."""
        watched = posix.WSTOPPED | posix.WCONTINUED | posix.WNOHANG
        while True:
            try:
                found = real["waitid"](posix.P_ALL, 0, watched)
            except OSError:
                return
            if found is None:
                return
            stopped = found.si_status if found.si_code == posix.CLD_STOPPED else 0
            self.runtime.send(b"Z" + word(found.si_pid) + word(stopped))

    def pressed(self, number: int, _frame: "Any") -> None:
        """A key was meant for a program that is still to be started."""
        self.runtime.send(b"I" + word(number))

    def place(self, pid: int, request: bytes) -> int:
        """Put a new child into the group of its job; that group."""
        job, foreground = words(request)
        group = self.groups.get(job, pid)
        try:
            real["setpgid"](pid, group)
        except OSError:
            # All others of the job have ended, and their group with them.
            group = pid
            real["setpgid"](pid, pid)
        self.groups[job] = group
        if foreground:
            real["tcsetpgrp"](self.terminal, group)
        return group

    def start_inside(
        self, request: bytes, fds: list[int], become: "Callable[..., Any]"
    ) -> tuple[int, int, int]:
        """Start a program in the host's name space: its number or minus an errno, the group of its
        job, and a pidfd of it or -1."""
        if self.gates is None:
            from .inside import Gates

            self.gates = Gates(self, become)
        job, foreground, number = words(request[: 3 * WORD])
        before = self.groups.get(job, 0)
        pid, pidfd = self.gates.fork(number, before, request[3 * WORD :], fds)
        if pid <= 0:
            return pid, 0, pidfd
        self.groups[job] = group = real["getpgid"](pid)
        if foreground:
            real["tcsetpgrp"](self.terminal, group)
        return pid, group, pidfd

    def adopt(self, job: int, foreground: int, pid: int) -> int:
        """Take a program for one of ours that a warm interpreter of the name space forked; the
        group of its job."""
        if self.gates is None:
            return 0
        self.gates.adopt(pid, self.groups.get(job, 0))
        group: int = real["getpgid"](pid)
        self.groups[job] = group
        if foreground:
            real["tcsetpgrp"](self.terminal, group)
        return group

    def answer(self, request: bytes) -> tuple[bytes, bytes]:
        """Do one request that is about the terminal; what to answer, and to write there then."""
        kind, rest = request[:1], request[1:]
        try:
            if kind == b"G":
                self.go_on(*words(rest))
            elif kind == b"A":
                return word(self.adopt(*words(rest))), b""
            elif kind == b"M":
                return b"", rest
            elif kind == b"H":
                return self.take_back(*words(rest[: 2 * WORD])), rest[2 * WORD :]
            elif kind == b"Q":
                lines = self.termios.tcgetattr(self.terminal)[3] & self.termios.ICANON
                return b"0" if lines else b"1", b""
            elif kind == b"W":
                self.fcntl.ioctl(self.terminal, self.termios.TIOCSWINSZ, rest)
        except (OSError, self.termios.error):
            pass  # The terminal is gone; SIGHUP is on its way.
        return b"", b""

    def go_on(self, job: int, foreground: int) -> None:
        """Have a job go on; in the foreground, as it left it."""
        group = self.groups.get(job, 0)
        if not group:
            return
        if foreground:
            modes = self.modes.pop(job, None)
            if modes is not None:
                self.termios.tcsetattr(self.terminal, self.termios.TCSADRAIN, modes)
            real["tcsetpgrp"](self.terminal, group)
        real["killpg"](group, _signal.SIGCONT)

    def take_back(self, job: int, modes: int) -> bytes:
        """Take the terminal from a job; what was typed and nobody has read."""
        termios = self.termios
        real["tcsetpgrp"](self.terminal, real["getpgrp"]())
        found = termios.tcgetattr(self.terminal)
        if modes == KEEP:
            self.base = found
        if modes == SAVE:
            self.modes[job] = found
        else:
            self.groups.pop(job, None)
            self.modes.pop(job, None)
        # Without lines, to get at one that is not finished; without waiting.
        plain = [*found[:3], found[3] & ~termios.ICANON, *found[4:6], [*found[6]]]
        plain[6][termios.VMIN] = plain[6][termios.VTIME] = 0
        termios.tcsetattr(self.terminal, termios.TCSANOW, plain)
        typed = b""
        while len(typed) < TYPED_BYTES_MAX:
            piece = real["read"](self.terminal, TYPED_BYTES_MAX - len(typed))
            if not piece:
                break
            typed += piece
        termios.tcsetattr(self.terminal, termios.TCSANOW, self.base)
        # Output that Ctrl-S holds up: whoever has the terminal now shall see it.
        termios.tcflow(self.terminal, termios.TCOON)
        return typed

    def mark(self, marker: bytes) -> None:
        """Write behind all that the jobs wrote so far."""
        try:
            if marker:
                real["write"](self.terminal, marker)
        except OSError:
            pass


def word(number: int) -> bytes:
    return number.to_bytes(WORD, "little", signed=True)


def words(data: bytes) -> list[int]:
    return [
        int.from_bytes(data[at : at + WORD], "little", signed=True)
        for at in range(0, len(data), WORD)
    ]
