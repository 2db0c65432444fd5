"""What a running script remembers: variables, parameters, options, functions, descriptors, traps.

A subshell is a copy of this (`copy`): what it changes is its own, the descriptors are shared by
count. Nothing here runs anything; the executor does, and is reached through `interpreter`, so
that expansions can run the commands they contain. The current directory and the umask are the
script's, not the process's, which is how several subshells can run in threads.
"""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oneos.errors import OneOSError
from oneos.local.client import Client
from oneos.local.console import Console
from oneos.shell import nodes
from oneos.shell.control import ShellError
from oneos.shell.descriptors import Descriptor, write_all

if TYPE_CHECKING:
    from oneos.shell.execute import Interpreter
    from oneos.shell.jobs import Job

OPTIONS = {
    "a": "allexport",
    "C": "noclobber",
    "e": "errexit",
    "f": "noglob",
    "u": "nounset",
    "x": "xtrace",
    "P": "pipefail",  # has a name only, as in POSIX of 2024
}

SHELL_NUMBER_BASE = 1_000_000_000
"""Numbers from here on name what runs in a shell and has no PID of the network: the shell itself
(`$$`: this plus the session), and jobs of its own threads (`$!`: twice this plus a count)."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable; `value` is None for one that is only marked, as after `export NAME`."""

    value: str | None = None
    exported: bool = False
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Who the shell works for, as the Runtime told."""

    sid: int
    user: str
    host: str


class Foreground:
    """The programs that Ctrl-C is for, and whether it was pressed.

    Shared by the shell and the threads of its foreground pipeline.
    """

    def __init__(self) -> None:
        self.pids: set[int] = set()
        self.interrupted = False
        self.deferred = 0
        """Above 0 while programs are being started: Ctrl-C then waits for their PIDs."""
        self.late = False
        """Whether it did."""
        self.shared = 0
        """Above 0 while programs of this process's own group run: the kernel tells them, too."""
        self.blocking = 0
        """Above 0 while a builtin waits (`read`, `wait`): a signal with a trap ends the wait."""
        self.lock = threading.RLock()

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """For what takes no time and must not be left half done: Ctrl-C comes after it.

        Raises:
            KeyboardInterrupt: it did, and no trap is set.
        """
        if threading.current_thread() is not threading.main_thread():
            # Ctrl-C breaks off nothing there.
            yield
            return
        with self.lock:
            self.deferred += 1
        try:
            yield
        finally:
            with self.lock:
                self.deferred -= 1
                late = self.late and self.interrupted and not self.deferred
                if not self.deferred:
                    self.late = False
        if late:
            raise KeyboardInterrupt

    @contextmanager
    def blocked(self) -> Iterator[None]:
        """For the time that a builtin waits."""
        self.blocking += 1
        try:
            yield
        finally:
            self.blocking -= 1


@dataclass
class Shell:
    """The state of one shell or subshell."""

    client: Client
    session: Session
    interpreter: "Interpreter"
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, nodes.Node] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    name: str = "sh"
    options: set[str] = field(default_factory=set)
    cwd: str = "/"
    """Where relative paths start: a path without symbolic links, as a kernel would have it."""
    pwd: str = "/"
    """The same place as the script went there, links and all: what `pwd` and `$PWD` say."""
    umask: int = 0o022
    descriptors: dict[int, Descriptor] = field(default_factory=dict)
    traps: dict[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    """Signals that were ignored as it began: no trap changes that."""
    pending_signals: list[str] = field(default_factory=list)
    jobs: "list[Job]" = field(default_factory=list)
    status: int = 0
    killed: int = 0
    """The signal by which the shell is to end, once it has given back what it holds."""
    substitution_status: int | None = None
    last_background: int | None = None
    line: int = 0
    loops: int = 0
    functions_depth: int = 0
    sources_depth: int = 0
    tested: bool = False
    """Whether the command that runs stands in a condition, where `set -e` lets it fail."""
    interactive: bool = False
    subshell: bool = False
    threaded: bool = False
    """Whether it is, or is within, a subshell that runs in a thread."""
    owns_client: bool = True
    """Whether its end is the end of the client's connection."""
    foreground: Foreground = field(default_factory=Foreground)
    console: Console | None = None
    """The person's terminal, where the shell has it."""
    locals_stack: list[dict[str, Variable | None]] = field(default_factory=list)
    option_index: int = 0
    """Where `getopts` is within a word of several options."""

    def copy(self, *, client: Client | None = None, background: bool = False) -> "Shell":
        """The state of a subshell that begins now.

        Args:
            client: for one that runs in a thread, a client of its own.
            background: Ctrl-C is not for it.
        """
        return Shell(
            client=client or self.client,
            session=self.session,
            interpreter=self.interpreter,
            variables=dict(self.variables),
            functions=dict(self.functions),
            parameters=list(self.parameters),
            name=self.name,
            options=set(self.options),
            cwd=self.cwd,
            pwd=self.pwd,
            umask=self.umask,
            descriptors={fd: held.acquire() for fd, held in self.descriptors.items()},
            # Ignored signals stay ignored in a subshell; what a trap would run does not.
            traps={name: action for name, action in self.traps.items() if not action},
            ignored=self.ignored,
            status=self.status,
            last_background=self.last_background,
            line=self.line,
            functions_depth=self.functions_depth,
            tested=self.tested,
            subshell=True,
            threaded=self.threaded or client is not None,
            owns_client=client is not None,
            foreground=Foreground() if background else self.foreground,
            console=self.console,
            locals_stack=list(self.locals_stack),
        )

    # --- variables ---------------------------------------------------------------------------

    def get(self, name: str) -> str | None:
        """A variable's value; None where it is not set."""
        if name == "LINENO":
            return str(self.line)
        variable = self.variables.get(name)
        return None if variable is None else variable.value

    def set(self, name: str, value: str, *, exported: bool = False) -> None:
        """Assign a variable.

        Raises:
            ShellError: it is read-only.
        """
        known = self.variables.get(name, Variable())
        if known.readonly:
            raise ShellError(f"{name}: is read only")
        exported = exported or known.exported or "a" in self.options
        self.variables[name] = Variable(value, exported)
        if name == "OPTIND":
            self.option_index = 0

    def unset(self, name: str) -> None:
        """Forget a variable.

        Raises:
            ShellError: it is read-only.
        """
        if name in self.variables and self.variables[name].readonly:
            raise ShellError(f"{name}: is read only")
        self.variables.pop(name, None)

    def environment(self) -> dict[bytes, bytes]:
        """What a program started now gets."""
        return {
            encode(name): encode(variable.value)
            for name, variable in self.variables.items()
            if variable.exported and variable.value is not None
        }

    def ignored_signals(self) -> list[int]:
        """The signals that a program started now ignores, as it would have inherited that."""
        names = {name for name, action in self.traps.items() if not action and name != "EXIT"}
        return sorted(int(signal.Signals[f"SIG{name}"]) for name in names | self.ignored)

    def separators(self) -> str:
        """The characters of IFS."""
        value = self.get("IFS")
        return " \t\n" if value is None else value

    # --- files and messages ------------------------------------------------------------------

    def path(self, text: str) -> bytes:
        """A path of a script as an absolute one; not normalised."""
        return encode(text if text.startswith("/") else os.path.join(self.cwd, text))

    def write(self, fd: int, text: str) -> None:
        """Write to one of the script's descriptors, whole.

        Raises:
            OSError: as write(2); BrokenPipeError where nobody reads.
        """
        held = self.descriptors.get(fd)
        if held is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        data = encode(text)
        write_all(held.fd, data if self.console is None else self.console.shown(held.fd, data))

    def complain(self, message: str) -> None:
        """One line on standard error, as sh writes it. Nowhere to write to is no error."""
        self.complain_plain(f"sh: {message}")

    def complain_plain(self, line: str) -> None:
        """One line on standard error without the shell's name before it."""
        try:
            self.write(2, line + "\n")
        except OSError:
            pass

    def release(self, descriptors: list[Descriptor]) -> bool:
        """Give descriptors back; tells by a message, and False, what could not be committed."""
        good = True
        for held in descriptors:
            try:
                held.release()
            except OneOSError as error:
                self.complain(explain(error))
                good = False
        return good

    def close(self) -> bool:
        """Release all descriptors, and the connection if it is its own: the end of a shell."""
        held = [each for job in self.jobs for each in job.take_held()]
        held += self.descriptors.values()
        good = self.release(held)
        self.descriptors = {}
        if self.owns_client:
            self.client.drop()
        return good


def encode(text: str) -> bytes:
    """Text of a script as the bytes it came from."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """Bytes as text of a script; `encode` gives the same bytes back."""
    return data.decode("utf-8", "surrogateescape")


def explain(error: OneOSError) -> str:
    """An error's message with its hint, on one line."""
    return f"{error.message} ({error.hint})" if error.hint else error.message


def is_name(text: str) -> bool:
    """Whether the text can name a variable."""
    return text.isascii() and text.isidentifier()


def option_letters(shell: Shell) -> str:
    """The value of `$-`."""
    letters = "".join(sorted(letter for letter in shell.options if letter != "P"))
    return letters + ("i" if shell.interactive else "")


def plain(value: Any) -> str:
    """A value quoted so that the shell reads it back: what `set` and `export -p` print."""
    return "'" + str(value).replace("'", "'\"'\"'") + "'"
