"""What a command's name means: which interpreter runs which file of the tree.

`python3` and `node` are the host's interpreters; any other name without a slash is a file of the
tree's /bin. A file runs by its `#!` line, else by its suffix. Native programs need a context that
this version has not, and are refused.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.tree import Tree, canonical

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

NOT_FOUND = 127
NOT_EXECUTABLE = 126


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its interpreter ("python", "node" or "sh") and what follows it."""

    interpreter: str
    arguments: list[bytes]


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


async def which(tree: Tree, name: bytes, cwd: bytes, caller: Caller) -> bytes:
    """The path in the tree that a command's name stands for; an interpreter's is under /bin.

    Raises:
        CommandError: there is none (127), or it may not be run (126).
    """
    if not name:
        raise CommandError(errno.ENOENT, name, NOT_FOUND)
    if b"/" not in name and _interpreter(name):
        return b"/bin/" + name
    path = b"/bin/" + name if b"/" not in name else os.path.join(cwd, name)
    try:
        attributes = await tree.stat(path, caller)
    except FileError as error:
        known = error.errno in (errno.ENOENT, errno.ENOTDIR)
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
    return canonical(path)


async def resolve(tree: Tree, argv: list[bytes], cwd: bytes, caller: Caller) -> Command:
    """What to start for `argv`. Raises CommandError."""
    name = argv[0] if argv else b""
    known = _interpreter(name) if b"/" not in name else None
    if known:
        return Command(known, argv[1:])
    path = await which(tree, name, cwd, caller)
    head = await tree.head(path, _HEAD_BYTES, caller)
    if head.startswith(b"#!"):
        return _by_shebang(name, path, head, argv)
    for suffix, interpreter in _SUFFIXES.items():
        if path.endswith(suffix):
            return Command(interpreter, [path, *argv[1:]])
    if b"\0" in head:
        raise CommandError(
            errno.ENOEXEC,
            name,
            NOT_EXECUTABLE,
            hint="native programs need a later version; Python, JavaScript and sh run",
        )
    # As POSIX has it: a text that nothing else claims is a script of the shell.
    return Command("sh", [path, *argv[1:]])


async def resolve_file(
    tree: Tree,
    path: bytes,
    argv: list[bytes],
    caller: Caller,
    interpreters: Mapping[bytes, str],
) -> Command:
    """What to start where a program names the file to execute, as exec(2) does.

    Args:
        path: absolute, in the tree. What hosts have in /usr/bin and /usr/local/bin is in the
            tree's /bin, and the host's own interpreters are known by their paths too, since
            `sys.executable` and `process.execPath` are such.
        argv: the arguments; the first is not looked at.
        interpreters: the host's paths of interpreters, and which they are.

    Raises:
        CommandError: there is none, or it may not be run.
    """
    place, _, name = canonical(path).rpartition(b"/")
    known = interpreters.get(canonical(path))
    if known is None and place in (b"/bin", *_BIN_ELSEWHERE):
        known = _interpreter(name)
    if known is not None:
        return Command(known, argv[1:])
    if place in _BIN_ELSEWHERE:
        path = b"/bin/" + name
    return await resolve(tree, [path, *argv[1:]], b"/", caller)


def _by_shebang(name: bytes, path: bytes, head: bytes, argv: list[bytes]) -> Command:
    words = head[2:].split(b"\n", 1)[0].split()
    if words and words[0].rsplit(b"/", 1)[-1] == b"env":
        words = [word for word in words[1:] if word != b"-S"]
    program = words[0].rsplit(b"/", 1)[-1] if words else b""
    interpreter = _interpreter(program)
    if interpreter is None:
        raise CommandError(
            errno.ENOENT,
            name,
            NOT_EXECUTABLE,
            hint=f"its first line asks for {program.decode('utf-8', 'replace')!r}; "
            "python3, node and sh are there",
        )
    return Command(interpreter, [*words[1:], path, *argv[1:]])
