"""What a command's name means: which interpreter runs which file of the tree.

`python3` and `node` are the host's interpreters; any other name without a slash is a file of the
tree's /bin, else a program of the host. A file runs by its `#!` line, else by its suffix. What is
neither Python, JavaScript nor a script of our shell is native: the kernel runs it in a name space.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.tree import Tree

_PYTHON = re.compile(rb"python(3(\.\d+)?)?")
_NODE = re.compile(rb"node(js)?")
_HEAD_BYTES = 256
_BIN_ELSEWHERE = (b"/usr/bin", b"/usr/local/bin")
_SUFFIXES = {
    b".py": "python",
    b".js": "node",
    b".mjs": "node",
    b".cjs": "node",
}

_MACHINES = {3: "i686", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}

NOT_FOUND = 127
NOT_EXECUTABLE = 126


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its interpreter and what follows that.

    Of a "native" one, which has none, the arguments begin with the program itself. `on` is where it
    can only run, in the words of the shell's `on`.
    """

    interpreter: str
    arguments: list[bytes]
    on: tuple[str, ...] = ()


OnHost = Callable[[bytes], bool]

NO_INTERPRETERS: Mapping[bytes, str] = {}


def nowhere(name: bytes) -> bool:
    """For hosts that run no programs of their own."""
    return False


class CommandError(FileError):
    """A command that cannot be run; `status` is what sh makes of it."""

    def __init__(self, code: int, path: bytes, status: int, hint: str = "") -> None:
        super().__init__(code, path, hint)
        self.status = status


def _interpreter(name: bytes) -> str | None:
    if _PYTHON.fullmatch(name):
        return "python"
    if _NODE.fullmatch(name):
        return "node"
    return "sh" if name == b"sh" else None


def _interpreter_at(path: bytes, interpreters: Mapping[bytes, str]) -> str | None:
    """Which interpreter is at a path: one of this host's own, or where hosts have them."""
    place, _, name = path.rpartition(b"/")
    system = place in (b"/bin", *_BIN_ELSEWHERE)
    return interpreters.get(path) or (_interpreter(name) if system else None)


async def which(
    tree: Tree, name: bytes, cwd: bytes, caller: Caller, on_host: OnHost = nowhere
) -> bytes:
    """The path that a command's name stands for; that of an interpreter or of a program of the
    host is under /bin, where its programs find it.

    Args:
        on_host: says whether a name or path is that of a program of the host.

    Raises:
        CommandError: there is none (127), or it may not be run (126).
    """
    if b"/" not in name and _interpreter(name):
        return b"/bin/" + name
    path = await _find(tree, name, cwd, caller, on_host)
    return path or (os.path.join(cwd, name) if b"/" in name else b"/bin/" + name)


async def _find(
    tree: Tree, name: bytes, cwd: bytes, caller: Caller, on_host: OnHost
) -> bytes | None:
    """The file of the tree; None where it is a program of the host. Raises CommandError."""
    if not name:
        raise CommandError(errno.ENOENT, name, NOT_FOUND)
    path = b"/bin/" + name if b"/" not in name else os.path.join(cwd, name)
    try:
        attributes = await tree.stat(path, caller)
    except FileError as error:
        known = error.errno in (errno.ENOENT, errno.ENOTDIR)
        if known and on_host(os.path.normpath(path) if b"/" in name else name):
            return None
        if known and b"/" in name and on_host is not nowhere and await _is_link(tree, path, caller):
            # It leads out of the tree, to something of the host: a name space has both.
            return None
        raise CommandError(
            error.errno, name, NOT_FOUND if known else NOT_EXECUTABLE, error.hint
        ) from error
    if stat.S_ISDIR(attributes.mode):
        raise CommandError(errno.EISDIR, name, NOT_EXECUTABLE)
    if not attributes.mode & 0o111:
        raise CommandError(
            errno.EACCES,
            name,
            NOT_EXECUTABLE,
            hint="make it executable: chmod +x, or run it by its interpreter: python3 FILE",
        )
    return await _tidy(tree, path, caller)


async def _tidy(tree: Tree, path: bytes, caller: Caller) -> bytes:
    """The path without `.`, `..` and double slashes. Its own name stays, also of a link: programs
    look at what they are called by."""
    above, _, name = path.rpartition(b"/")
    names = [part for part in above.split(b"/") if part not in (b"", b".")]
    if b".." in names:
        # Only the tree knows where that is: what stands before it may be a link.
        above = await tree.realpath(above or b"/", caller)
        return above.rstrip(b"/") + b"/" + name
    return b"/" + b"/".join([*names, name])


async def resolve(
    tree: Tree,
    argv: list[bytes],
    cwd: bytes,
    caller: Caller,
    on_host: OnHost = nowhere,
    interpreters: Mapping[bytes, str] = NO_INTERPRETERS,
) -> Command:
    """What to start for `argv`.

    Args:
        on_host: as for `which`.
        interpreters: the host's paths of interpreters, and which they are: programs give the shell
            lines with `sys.executable` in them.

    Raises:
        CommandError: there is none (127), or it may not be run (126).
    """
    name = argv[0] if argv else b""
    if b"/" not in name:
        known = _interpreter(name)
    else:
        known = None if on_host(name) else _interpreter_at(os.path.normpath(name), interpreters)
    if known:
        return Command(known, argv[1:])
    path = await _find(tree, name, cwd, caller, on_host)
    if path is None:
        return Command("native", list(argv))
    head = await tree.head(path, _HEAD_BYTES, caller)
    if head.startswith(b"#!"):
        return _by_shebang(path, head, argv, native=on_host is not nowhere)
    for suffix, interpreter in _SUFFIXES.items():
        if path.endswith(suffix):
            return Command(interpreter, [path, *argv[1:]])
    if b"\0" in head:
        machine = machine_of(head)
        on = (f"machine:{machine}",) if machine else ()
        return Command("native", [path, *argv[1:]], on)
    # As POSIX has it: a text that nothing else claims is a script of the shell.
    return Command("sh", [path, *argv[1:]])


async def resolve_file(
    tree: Tree,
    path: bytes,
    argv: list[bytes],
    caller: Caller,
    interpreters: Mapping[bytes, str],
    on_host: OnHost = nowhere,
) -> Command:
    """What to start where a program names the file to execute, as exec(2) does.

    Args:
        path: absolute, in the tree. What hosts have in /usr/bin and /usr/local/bin is in the
            tree's /bin where this host runs none of its own, and the host's own interpreters are
            known by their paths too, since `sys.executable` and `process.execPath` are such.
        argv: the arguments; the first is not looked at.
        interpreters: the host's paths of interpreters, and which they are.
        on_host: as for `which`.

    Raises:
        CommandError: there is none, or it may not be run.
    """
    tidy = os.path.normpath(path)
    place, _, name = tidy.rpartition(b"/")
    known = _interpreter_at(tidy, interpreters)
    if known is not None:
        return Command(known, argv[1:])
    if place in _BIN_ELSEWHERE and not on_host(tidy):
        path = b"/bin/" + name
    return await resolve(tree, [path, *argv[1:]], b"/", caller, on_host)


def machine_of(head: bytes) -> str:
    """The kind of machine that an ELF program is for, as uname(1) calls it; empty: not known.

    The field `e_machine` of its header (System V ABI, chapter 4).
    """
    if not head.startswith(b"\x7fELF") or len(head) < 20:
        return ""
    order: Literal["little", "big"] = "big" if head[5] == 2 else "little"
    return _MACHINES.get(int.from_bytes(head[18:20], order), "")


async def _is_link(tree: Tree, path: bytes, caller: Caller) -> bool:
    try:
        return stat.S_ISLNK((await tree.stat(path, caller, follow=False)).mode)
    except FileError:
        return False


def _by_shebang(path: bytes, head: bytes, argv: list[bytes], *, native: bool) -> Command:
    """What a first line asks for; `native`: whether programs of the host itself can run."""
    words = head[2:].split(b"\n", 1)[0].split()
    if words and words[0].rsplit(b"/", 1)[-1] == b"env":
        words = [word for word in words[1:] if word != b"-S"]
    program = words[0].rsplit(b"/", 1)[-1] if words else b""
    interpreter = _interpreter(program)
    named = words[0].rpartition(b"/")[0] if words else b""
    ours = named in (b"", b"/bin", *_BIN_ELSEWHERE)
    if interpreter is None or (native and not ours):
        # The kernel finds what its first line names, or says that it is not there: also the Python
        # of a virtual environment, which has packages of its own.
        return Command("native", [path, *argv[1:]])
    return Command(interpreter, [*words[1:], path, *argv[1:]])
