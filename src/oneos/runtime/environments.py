"""The environments of this host: the packages that programs ask for, installed once and kept.

An environment is a directory named by a hash of all that it depends on: what was asked for, the
lock, the interpreter's version, the kind of machine. It is made aside and renamed, so that one with
that name is whole, and never changed afterwards. Which packages a program needs is
`requirements.py`'s business, installing them `installers.py`'s; `agents.py` asks before it starts a
program. Beyond the bounds in `limits.py` those that rest longest go first, never one in use.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import logging
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from oneos.errors import OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.guest import launch_node, launch_python
from oneos.kernel import messages as m
from oneos.limits import ENVIRONMENTS_BYTES_MAX, ENVIRONMENTS_MAX
from oneos.runtime.installers import MODULES, SITE, install
from oneos.runtime.interpreters import Interpreter, Interpreters
from oneos.runtime.requirements import Requirements, accepts, find

log = logging.getLogger(__name__)

_ABOUT = "environment.json"
_ASIDE = ".making-"
_GONE = ".gone-"


@dataclass(frozen=True, slots=True)
class Environment:
    """One that is there: its key, kind, and the directory that programs search for packages."""

    key: str
    kind: str
    path: str


@dataclass(slots=True)
class _Making:
    task: asyncio.Task[None]
    waiting: int = 0


class Environments:
    """See the module.

    Args:
        host: this host's name, for messages.
        directory: where they are kept; made when the first one is.
        tree: where programs say what they need.
        interpreters: for which they are made.
    """

    def __init__(self, host: str, directory: str, tree: Tree, interpreters: Interpreters) -> None:
        self._host = host
        self._directory = directory
        self._tree = tree
        self._interpreters = interpreters
        self._held: Counter[str] = Counter()
        self._making: dict[str, _Making] = {}

    @property
    def directory(self) -> str:
        """Where they are kept; a name space shows it."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        return self._directory

    # --- for a program that starts --------------------------------------------------------------
    async def wanted(self, start: m.Start, caller: Caller) -> Requirements | None:
        """What a program needs beside itself; None: nothing, as far as it says.

        Raises:
            UserError: what it says is not valid, or this host's Python is not one it accepts.
            OneOSError: it cannot be read.
        """
        interpreter = self._interpreters.get(start.interpreter)
        if interpreter is None:
            return None
        launch = launch_python if start.interpreter == "python" else launch_node
        script = launch.script(start.arguments)
        if script is None:
            return None
        path = os.path.join(start.cwd, script)
        if path.startswith(b"/bin/"):
            return None  # The utilities, which need nothing and are started most.
        found = await find(self._tree, start.interpreter, path, caller)
        if found is None:
            return None
        if not accepts(found.python, interpreter.version):
            raise UserError(
                f"{found.source} asks for Python {found.python}, and {self._host} has "
                f"{interpreter.version}",
                errno=errno.ENOEXEC,
                hint="run it where there is one: on host:NAME; or set `python` in oneos.toml",
            )
        return found if found.names else None

    def ready(self, wanted: Requirements) -> Environment | None:
        """The environment for `wanted`, held until `release`; None: it has to be made."""
        key = self._key(wanted)
        place = os.path.join(self._directory, key)
        try:
            os.utime(os.path.join(place, _ABOUT))  # When it was last used.
        except OSError:
            return None
        self._held[key] += 1
        path = os.path.join(place, MODULES if wanted.kind == "node" else SITE)
        return Environment(key, wanted.kind, path)

    async def make(self, wanted: Requirements, say: Callable[[str], None]) -> Environment:
        """As `ready`, but makes it; two that ask at once wait for the same.

        Args:
            say: takes the line that tells the program's user what is going on.

        Raises:
            UserError, OSError: it cannot be made.
        """
        key = self._key(wanted)
        while (made := self.ready(wanted)) is None:
            making = self._making.get(key)
            if making is None:
                task = asyncio.create_task(self._make(key, wanted), name=f"environment {key}")
                making = self._making[key] = _Making(task)
                task.add_done_callback(lambda _: self._making.pop(key, None))
            say(_line(wanted))
            making.waiting += 1
            try:
                await asyncio.shield(making.task)
            finally:
                making.waiting -= 1
                if not making.waiting:
                    making.task.cancel()  # Nobody waits for it any more.
        return made

    def hold(self, environment: Environment) -> Environment:
        """The same for one program more: a child finds the packages of its parent."""
        self._held[environment.key] += 1
        return environment

    def release(self, environment: Environment) -> None:
        """The program that it was for has ended."""
        self._held[environment.key] -= 1
        if not self._held[environment.key]:
            del self._held[environment.key]

    def _key(self, wanted: Requirements) -> str:
        interpreter = self._found(wanted)
        text = json.dumps(
            [
                wanted.kind,
                {name: content.hex() for name, content in sorted(wanted.files.items())},
                interpreter.path,
                interpreter.version,
                platform.machine(),
                platform.system(),
            ]
        )
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _found(self, wanted: Requirements) -> Interpreter:
        found = self._interpreters.get(wanted.kind)
        if found is None:
            raise UserError(f"{self._host} has no {wanted.kind}", errno=errno.ENOENT)
        return found

    # --- making ---------------------------------------------------------------------------------
    async def _make(self, key: str, wanted: Requirements) -> None:
        aside = os.path.join(self._directory, _ASIDE + key)
        began = time.monotonic()
        try:
            shutil.rmtree(aside, ignore_errors=True)
            os.makedirs(aside, mode=0o700)
            await install(wanted, self._found(wanted), aside)
            about = {
                "kind": wanted.kind,
                "program": wanted.program,
                "packages": list(wanted.names),
                "made": _iso(time.time()),
            }
            finishing = asyncio.create_task(asyncio.to_thread(self._finish, aside, key, about))
            try:
                await asyncio.shield(finishing)
            finally:
                # A thread does not stop because nobody wants its result any more.
                await asyncio.wait((finishing,))
        except BaseException:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True))
            raise
        log.info("environment %s made in %.1f s: %s", key, time.monotonic() - began, wanted.names)
        await self._shrink(key)

    def _finish(self, aside: str, key: str, about: dict[str, Any]) -> None:
        about["bytes"] = _size(aside)
        with open(os.path.join(aside, _ABOUT), "w", encoding="utf-8") as file:
            json.dump(about, file)
        # A power cut must not leave the name of a whole one on one with empty files.
        os.sync()
        os.rename(aside, os.path.join(self._directory, key))

    # --- keeping within bounds ------------------------------------------------------------------
    def list(self) -> list[dict[str, Any]]:
        """What is there, the last used first, as `oneos env ls --json` prints it."""
        found = []
        for key in _names(self._directory):
            path = os.path.join(self._directory, key, _ABOUT)
            try:
                with open(path, encoding="utf-8") as file:
                    about = json.load(file)
                used = os.stat(path).st_mtime
            except (OSError, ValueError):
                continue  # It is being removed.
            about |= {"key": key, "used": _iso(used), "in_use": self._held[key] > 0}
            found.append((used, key, about))
        return [about for _, _, about in sorted(found, reverse=True)]

    async def remove(self, key: str) -> None:
        """Remove one. Raises UserError: it is in use (EBUSY), or there is none (ENOENT)."""
        known = [about for about in self.list() if about["key"] == key]
        if not known:
            raise UserError(
                f"{self._host} has no environment {key}",
                errno=errno.ENOENT,
                hint="see which it has: oneos env ls",
            )
        if self._held[key]:
            raise UserError(
                f"a program on {self._host} uses environment {key}",
                errno=errno.EBUSY,
                hint="wait for its end, or end it: oneos ps",
            )
        gone = os.path.join(self._directory, f"{_GONE}{key}-{time.monotonic_ns()}")
        # First the name, and before anybody else's turn, so that nobody finds half of it.
        os.rename(os.path.join(self._directory, key), gone)
        await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)

    async def _shrink(self, newest: str) -> None:
        kept = self.list()
        count, total = len(kept), sum(about["bytes"] for about in kept)
        for about in reversed(kept):
            if count <= ENVIRONMENTS_MAX and total <= ENVIRONMENTS_BYTES_MAX:
                return
            if about["key"] == newest or self._held[about["key"]]:
                continue
            try:
                await self.remove(about["key"])
            except (OneOSError, OSError) as error:
                log.warning("environment %s stays: %s", about["key"], error)
                continue
            count, total = count - 1, total - about["bytes"]

    def clear(self) -> None:
        """Remove what a run that was killed left half made or half removed."""
        for name in _names(self._directory, (_ASIDE, _GONE)):
            shutil.rmtree(os.path.join(self._directory, name), ignore_errors=True)


def searched(environment: Environment, given: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The variables by which a program in the name space finds its packages.

    There it is the plain interpreter, which nothing of ours runs in; packages come before what
    `given`, the program's own variables, names.
    """
    name = b"NODE_PATH" if environment.kind == "node" else b"PYTHONPATH"
    paths = [os.fsencode(environment.path), given.get(name, b"")]
    return {name: b":".join(path for path in paths if path)}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _line(wanted: Requirements) -> str:
    shown = ", ".join(wanted.names[:5])
    more = f" and {len(wanted.names) - 5} more" if len(wanted.names) > 5 else ""
    return f"oneos: installing {shown}{more} for {wanted.program} ..."


def _names(directory: str, prefixes: tuple[str, ...] = ()) -> list[str]:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    return [x for x in names if (x.startswith(prefixes) if prefixes else not x.startswith("."))]


def _size(directory: str) -> int:
    """Bytes on disk."""
    total = 0
    for at, _, names in os.walk(directory):
        for name in names:
            total += os.lstat(os.path.join(at, name)).st_blocks * 512
    return total
