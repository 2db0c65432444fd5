"""What a program says of the packages it needs: read from the tree, checked, made uniform.

For Python that is the script's inline metadata (PEP 723), or else `requirements.txt` or
`pyproject.toml` beside it; for JavaScript `package.json` with `package-lock.json`. Nothing is
installed here: see `environments.py`. Python's three forms become one list of lines, so that the
same packages are the same environment whoever asks for them.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from oneos.errors import FileError, OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.remote import Remote
from oneos.files.tree import Tree
from oneos.limits import CHUNK_BYTES, INLINE_METADATA_BYTES_MAX, REQUIREMENTS_BYTES_MAX

# As PEP 723 gives it.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_COMMENT = re.compile(r"(^|\s)#.*$")
# A name, extras, and a version, marker or address: no path, and no address by itself.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*($|[<>=!~;(]|@\s*(?P<url>\S+))"
)
_OPTION_NAMES = """
    --no-index --find-links -f --index-url -i --extra-index-url --pre --prefer-binary
    --require-hashes --only-binary --no-binary --trusted-host
"""
_OPTIONS = frozenset(_OPTION_NAMES.split())
"""What a requirements file may say besides packages. The rest names further files, which would be
those of the host and not of the tree."""

_NODE_KEYS = ("dependencies", "optionalDependencies", "overrides")
_LOCKED_KEYS = ("name", "version", "devDependencies", "peerDependencies", "peerDependenciesMeta")


@dataclass(frozen=True, slots=True)
class Requirements:
    """The packages that one program needs.

    Attributes:
        kind: "python" or "node".
        program: the program's path, for people.
        source: the file that says so, for people.
        names: the packages asked for, for people.
        files: what the installer is given, by file name.
        python: which versions of Python it accepts, as PEP 440 writes it; empty: all.
    """

    kind: str
    program: str
    source: str
    names: tuple[str, ...]
    files: dict[str, bytes]
    python: str = ""


async def find(tree: Tree, kind: str, script: bytes, caller: Caller) -> Requirements | None:
    """What the program `script` of the tree needs, or None if it does not say.

    Args:
        kind: "python" or "node".
        script: its absolute path.
        caller: in whose name files are read.

    Raises:
        UserError: what it says is not valid; the message names the file.
        OneOSError: a file is there and cannot be read.
    """
    beside = os.path.dirname(script)
    program = os.fsdecode(script)
    if kind == "node":
        path = os.path.join(beside, b"package.json")
        text = await _read(tree, path, caller)
        return await _of_node(tree, beside, program, text, caller) if text else None
    names = (b"requirements.txt", b"pyproject.toml")
    head, lines, project = await asyncio.gather(
        _head(tree, script, caller),
        *(_read(tree, os.path.join(beside, name), caller) for name in names),
    )
    if head and b"# /// script" in head:
        found = _inline(head.decode("utf-8", "replace"), program)
        if found is not None:
            return _of_table(found, program, program)
    if lines is not None:
        source = os.path.join(os.fsdecode(beside), "requirements.txt")
        return _of_python(lines.decode("utf-8", "replace").splitlines(), program, source)
    if project is not None:
        source = os.path.join(os.fsdecode(beside), "pyproject.toml")
        table = _toml(project.decode("utf-8", "replace"), source).get("project", {})
        return _of_table(table, program, source)
    return None


# --- Python -----------------------------------------------------------------------------------
def _inline(text: str, program: str) -> dict[str, Any] | None:
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if not blocks:
        return None
    if len(blocks) > 1:
        raise UserError(
            f"{program}: two blocks of inline metadata", hint="leave one `# /// script`"
        )
    lines = blocks[0]["content"].splitlines()
    return _toml("\n".join(line[2:] for line in lines), program)


def _toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{source}: not TOML: {error}", hint="correct it there") from error


def _of_table(table: Any, program: str, source: str) -> Requirements | None:
    table = table if isinstance(table, dict) else {}
    wanted = table.get("dependencies", [])
    python = table.get("requires-python", "")
    key = "dependencies" if isinstance(python, str) else "requires-python"
    if not isinstance(python, str) or not isinstance(wanted, list | tuple):
        raise UserError(f"{source}: {key} has the wrong type", hint="see PEP 621 and PEP 723")
    if not all(isinstance(line, str) for line in wanted):
        raise UserError(f"{source}: dependencies is not a list of texts", hint='as in ["six>=1"]')
    if any(line.lstrip().startswith("-") or "\n" in line for line in wanted):
        raise UserError(f"{source}: an option among the dependencies", hint="name packages only")
    return _of_python(wanted, program, source, python)


def _of_python(
    lines: Iterable[str], program: str, source: str, python: str = ""
) -> Requirements | None:
    kept, names = [], []
    for line in _joined(lines):
        word = re.split(r"[\s=]", line, maxsplit=1)[0]
        if word.startswith("-") and word not in _OPTIONS:
            raise UserError(
                f"{source}: {word} is not possible here", hint="name the packages themselves"
            )
        kept.append(line)
        if word.startswith("-"):
            continue
        match = _REQUIREMENT.match(line)
        if not match:
            raise UserError(f"{source}: not a requirement: {line}", hint="as in six>=1.16")
        # Installers build what else an address leads to, whatever they are told; see installers.py.
        if match["url"] and not re.split("[?#]", match["url"])[0].endswith(".whl"):
            raise UserError(
                f"{source}: not a wheel: {line}", hint="give the address of a .whl file"
            )
        names.append(match["name"])
    if not names and not python:
        return None
    text = "".join(line + "\n" for line in kept).encode()
    return Requirements(
        "python", program, source, tuple(names), {"requirements.txt": text}, python.strip()
    )


def _joined(lines: Iterable[str]) -> list[str]:
    """The lines of a requirements file: without comments, continued ones in one."""
    whole, begun = [], ""
    for line in lines:
        text = begun + _COMMENT.sub("", line).strip()
        begun = text[:-1] if text.endswith("\\") else ""
        if not begun and text:
            whole.append(text)
    return [*whole, begun.strip()] if begun.strip() else whole


def accepts(python: str, version: str) -> bool:
    """Whether a `requires-python` accepts a version; what it does not understand it accepts."""
    have = tuple(int(part) for part in version.split("."))
    for clause in filter(None, (part.strip() for part in python.split(","))):
        match = re.fullmatch(r"(~=|==|!=|<=|>=|<|>)\s*(\d+(?:\.\d+)*)(\.\*)?", clause)
        if not match:
            continue
        operator, asked = match[1], tuple(int(part) for part in match[2].split("."))
        width = len(asked) if match[3] or operator == "~=" else max(len(asked), len(have))
        mine = (have + (0,) * width)[:width]
        asked = (asked + (0,) * width)[:width]
        if not {
            "~=": mine >= asked and mine[:-1] == asked[:-1],
            "==": mine == asked,
            "!=": mine != asked,
            "<=": mine <= asked,
            ">=": mine >= asked,
            "<": mine < asked,
            ">": mine > asked,
        }[operator]:
            return False
    return True


# --- JavaScript -------------------------------------------------------------------------------
async def _of_node(
    tree: Tree, beside: bytes, program: str, text: bytes, caller: Caller
) -> Requirements | None:
    source = os.path.join(os.fsdecode(beside), "package.json")
    try:
        package = json.loads(text)
    except ValueError as error:
        raise UserError(f"{source}: not JSON: {error}", hint="correct it there") from error
    package = package if isinstance(package, dict) else {}
    kept = {key: package[key] for key in _NODE_KEYS if package.get(key)}
    names = [name for key in _NODE_KEYS[:2] for name in kept.get(key, {})]
    if not names:
        return None
    own, lock = await asyncio.gather(
        _is_there(tree, os.path.join(beside, b"node_modules"), caller),
        _read(tree, os.path.join(beside, b"package-lock.json"), caller),
    )
    if own:
        # It was installed into the tree, and is what the program finds there.
        return None
    # Only what concerns packages: another script or description makes no other environment.
    # npm compares more of it with the lock, though it installs no more.
    kept |= {key: package[key] for key in _LOCKED_KEYS if lock and key in package}
    files = {"package.json": json.dumps(kept, sort_keys=True).encode()}
    if lock:
        files["package-lock.json"] = lock
    return Requirements("node", program, source, tuple(names), files)


# --- reading ----------------------------------------------------------------------------------
async def _head(tree: Tree, path: bytes, caller: Caller) -> bytes | None:
    """The first bytes of the program; None where the program itself will say what is wrong."""
    try:
        return await tree.head(path, INLINE_METADATA_BYTES_MAX, caller)
    except OneOSError:
        return None


async def _is_there(tree: Tree, path: bytes, caller: Caller) -> bool:
    try:
        await tree.stat(path, caller)
    except FileError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise
        return False
    return True


async def _read(tree: Tree, path: bytes, caller: Caller) -> bytes | None:
    """A file's content; None where there is none."""
    try:
        head = await tree.head(path, CHUNK_BYTES, caller)
    except FileError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR):
            return None
        raise
    if len(head) < CHUNK_BYTES:
        return head
    size = (await tree.stat(path, caller)).size
    if size > REQUIREMENTS_BYTES_MAX:
        raise UserError(
            f"{os.fsdecode(path)}: {size} bytes are too many", hint="is that the right file?"
        )
    handle = await tree.open(path, os.O_RDONLY, 0, caller)
    try:
        if not isinstance(handle, Remote):
            return os.pread(handle.fd, size, 0)
        parts = bytearray()
        while len(parts) < size and (part := await handle.pread(len(parts), CHUNK_BYTES)):
            parts += part
        return bytes(parts)
    finally:
        await handle.close()
