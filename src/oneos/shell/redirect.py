"""Redirections: from `> file`, `2>&1`, `<<EOF` to descriptors and to the ends of programs.

For what runs in the shell (builtins, compound commands) the files are opened here, through the
client, and put into the shell's table for the time of the command (`applied`). For a program
they are only described (`Ends`), so that its own host opens them and the bytes never pass
through the shell. `/dev/stdin`, `/dev/stdout`, `/dev/stderr` and `/dev/fd/N` mean the script's
own descriptors.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from oneos.errors import FileError, OneOSError
from oneos.shell import expand, nodes
from oneos.shell.control import RedirectError
from oneos.shell.descriptors import Descriptor, from_bytes, open_in_tree
from oneos.shell.state import Shell, encode

_FLAGS = {
    "read": os.O_RDONLY,
    "write": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "clobber": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "append": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "readwrite": os.O_RDWR | os.O_CREAT,
}
_OWN = re.compile(r"/dev/(?:fd/(\d+)|(stdin|stdout|stderr))")
_OWN_NUMBER = {"stdin": 0, "stdout": 1, "stderr": 2}
_NULL = b"/dev/null"
_TERMINAL = b"/dev/tty"


@dataclass(frozen=True, slots=True)
class FileEnd:
    """A file that the program's host opens."""

    path: bytes
    flags: int
    mode: int


@dataclass(frozen=True, slots=True)
class PipeEnd:
    """A pipe between two programs, which the Runtimes make; the number within the request."""

    number: int


End = Descriptor | FileEnd | PipeEnd | None


def _target(shell: Shell, redirection: nodes.Redirection) -> FileEnd | int:
    """What a file redirection names: a file, or the number of a descriptor of the script."""
    text = expand.single(shell, redirection.word)
    if redirection.kind == "here":
        raise AssertionError("a here-document names no file")
    if own := _OWN.fullmatch(text):
        return int(own[1]) if own[1] else _OWN_NUMBER[own[2]]
    if not text:
        raise RedirectError("cannot open '': No such file or directory")
    flags = _FLAGS[redirection.kind]
    path = shell.path(text)
    if redirection.kind == "write" and "C" in shell.options:
        mode = _mode(shell, path)
        if mode is None:
            # What comes into being meanwhile is not overwritten, nor what a link to nothing names.
            flags |= os.O_EXCL
        elif stat.S_ISREG(mode):
            raise RedirectError(f"cannot create {text}: File exists")
    return FileEnd(path, flags, 0o666 & ~shell.umask)


def _mode(shell: Shell, path: bytes) -> int | None:
    """The mode of what is there, None for nothing."""
    try:
        mode: int = shell.client.call("stat", path, True)[0]
    except FileError:
        return None
    return mode


def _duplicated(shell: Shell, redirection: nodes.Redirection) -> int | None:
    """The number a `>&` names; None for `-`, which closes."""
    text = expand.single(shell, redirection.word)
    if text == "-":
        return None
    if not text.isdigit():
        raise RedirectError(f"{text}: bad file descriptor (a number or - comes after >&)")
    return int(text)


def _open(shell: Shell, end: FileEnd) -> Descriptor:
    try:
        return open_in_tree(shell.client, end.path, end.flags, end.mode)
    except OneOSError as error:
        raise _cannot(end, error) from error


def _cannot(end: FileEnd, error: OneOSError) -> RedirectError:
    verb = "create" if end.flags & os.O_CREAT else "open"
    name = end.path.decode("utf-8", "backslashreplace")
    reason = os.strerror(error.errno) if isinstance(error, FileError) else error.message
    return RedirectError(
        f"cannot {verb} {name}: {reason}" + (f" ({error.hint})" if error.hint else "")
    )


def _here(shell: Shell, redirection: nodes.Redirection) -> Descriptor:
    return from_bytes(encode(expand.single(shell, redirection.word)))


# --- in the shell ------------------------------------------------------------------------------


@contextmanager
def applied(shell: Shell, redirections: Sequence[nodes.Redirection]) -> Iterator[None]:
    """The shell's table with the redirections, for the time of the `with`.

    Raises:
        RedirectError: one failed; those before it are undone.
    """
    saved: dict[int, Descriptor | None] = {}
    failed = False
    try:
        for redirection in redirections:
            fd = redirection.fd
            new = _descriptor(shell, redirection)
            old = shell.descriptors.pop(fd, None)
            if fd in saved:
                if old is not None:
                    failed |= not shell.release([old])
            else:
                saved[fd] = old
            if new is not None:
                shell.descriptors[fd] = new
        yield
    finally:
        opened = []
        for fd, old in saved.items():
            current = shell.descriptors.pop(fd, None)
            if current is not None:
                opened.append(current)
            if old is not None:
                shell.descriptors[fd] = old
        failed |= not shell.release(opened)
    if failed:
        # Why was said when the file was closed.
        raise RedirectError("", 1)


def make_permanent(shell: Shell, redirections: Sequence[nodes.Redirection]) -> None:
    """`exec > file`: change the shell's table for good.

    Raises:
        RedirectError: one failed.
    """
    for redirection in redirections:
        new = _descriptor(shell, redirection)
        old = shell.descriptors.pop(redirection.fd, None)
        if new is not None:
            shell.descriptors[redirection.fd] = new
        if old is not None:
            shell.release([old])


def _descriptor(shell: Shell, redirection: nodes.Redirection) -> Descriptor | None:
    if redirection.kind == "here":
        return _here(shell, redirection)
    if redirection.kind == "dup":
        number = _duplicated(shell, redirection)
        if number is None:
            return None
    else:
        target = _target(shell, redirection)
        if isinstance(target, FileEnd):
            return _open(shell, target)
        number = target
    if number not in shell.descriptors:
        raise RedirectError(f"{number}: bad file descriptor")
    return shell.descriptors[number].acquire()


# --- for programs ------------------------------------------------------------------------------


class Ends:
    """The three standard descriptors of a program that is about to start.

    Args:
        shell: the state whose descriptors it begins with.
        replaced: ends that a pipeline gives it, by number; they count as borrowed.
    """

    def __init__(self, shell: Shell, replaced: dict[int, End] | None = None) -> None:
        self._shell = shell
        self._held: list[Descriptor] = []
        self._table: dict[int, End] = dict(shell.descriptors)
        self._table.update(replaced or {})
        self._own_files: set[int] = set()

    def apply(self, redirections: Sequence[nodes.Redirection]) -> None:
        """Add redirections, in their order.

        Raises:
            RedirectError: one names a descriptor that is not open, or a file that the shell
                itself must open and cannot.
        """
        for redirection in redirections:
            fd = redirection.fd
            new: End
            self._own_files.discard(fd)
            if redirection.kind == "here":
                new = self._hold(_here(self._shell, redirection))
            elif redirection.kind == "dup":
                number = _duplicated(self._shell, redirection)
                new = None if number is None else self._existing(number)
            else:
                target = _target(self._shell, redirection)
                if isinstance(target, int):
                    new = self._existing(target)
                elif fd > 2:
                    new = self._hold(_open(self._shell, target))
                    self._own_files.add(fd)
                else:
                    new = target
            self._replace(fd, new)

    def end(self, fd: int) -> End:
        """What a descriptor is now."""
        return self._table.get(fd)

    def check(self) -> None:
        """Refuse what the local protocol cannot hand over.

        Raises:
            RedirectError: the program would get a file as a descriptor above 2.
        """
        if self._own_files:
            number = min(self._own_files)
            raise RedirectError(f"{number}>: a program gets descriptors 0, 1 and 2 only", 1)

    def resolve(self, number: int, descriptor: Descriptor) -> None:
        """Put a pipe of this process in the place of one between programs."""
        for fd, end in self._table.items():
            if isinstance(end, PipeEnd) and end.number == number:
                self._table[fd] = descriptor

    def wire(self, fds: list[int]) -> dict[int, list[Any]]:
        """The ends as the local protocol has them.

        Args:
            fds: descriptors that go with the request; those this program needs are appended.
        """
        described: dict[int, list[Any]] = {}
        first_of: dict[int, int] = {}
        # Outputs first: `dup` may name 1 or 2, so an input shared with one refers to it.
        for fd in (1, 2, 0):
            end = self._table.get(fd)
            if end is None:
                described[fd] = ["null"]
            elif self._at_terminal(end):
                described[fd] = ["tty"]
            elif isinstance(end, Descriptor):
                if end.fd not in fds:
                    fds.append(end.fd)
                described[fd] = ["fd", fds.index(end.fd)]
            elif id(end) in first_of:
                described[fd] = ["dup", first_of[id(end)]]
            elif isinstance(end, PipeEnd):
                described[fd] = ["pipe", end.number]
                first_of[id(end)] = fd
            elif end.path == _NULL:
                described[fd] = ["null"]
            else:
                described[fd] = ["file", end.path, end.flags, end.mode]
                first_of[id(end)] = fd
        return described

    def _at_terminal(self, end: End) -> bool:
        """Whether it is the person's terminal, of which each host has its own side."""
        console = self._shell.console
        if console is None:
            return False
        if isinstance(end, FileEnd):
            return end.path == _TERMINAL
        return isinstance(end, Descriptor) and console.is_terminal(end.fd)

    def complain(self, message: str) -> None:
        """One line to what the program's standard error would have been, as sh does."""
        end = self._table.get(2)
        line = encode(f"sh: {message}\n")
        if isinstance(end, FileEnd):
            try:
                held = open_in_tree(
                    self._shell.client, end.path, end.flags & ~os.O_TRUNC | os.O_APPEND, end.mode
                )
                os.write(held.fd, line)
                held.release()
            except (OSError, OneOSError):
                self._shell.complain(message)
        elif isinstance(end, Descriptor):
            try:
                os.write(end.fd, line)
            except OSError:
                pass  # Nobody reads it, as with any program's message.
        elif isinstance(end, PipeEnd):
            self._shell.complain(message)

    def release(self) -> None:
        """Give back what was opened for the program; it has its own by now."""
        held, self._held = self._held, []
        self._shell.release(held)

    def hold(self, descriptors: Sequence[Descriptor]) -> None:
        """Release these, too, once the program has started."""
        self._held.extend(descriptors)

    def _hold(self, descriptor: Descriptor) -> Descriptor:
        self._held.append(descriptor)
        return descriptor

    def _existing(self, number: int) -> End:
        if self._table.get(number) is None:
            raise RedirectError(f"{number}: bad file descriptor")
        return self._table[number]

    def _replace(self, fd: int, new: End) -> None:
        old = self._table.get(fd)
        self._table[fd] = new
        # `> a > b`: nobody else opens `a`, but sh creates it, and says when it cannot.
        if (
            isinstance(old, FileEnd)
            and old.path != _NULL
            and all(end is not old for end in self._table.values())
        ):
            self._shell.release([_open(self._shell, old)])
