"""What lets programs of this host move: the extension for its interpreter, and the package with it.

Both are made once for each interpreter and version of OneOS, in a cache that all Runtimes of a user
share, by a thread while the Runtime works already; programs that start before cannot move. Programs
get them as open files, since a name space does not show where they lie.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import logging
import os
import subprocess
import tempfile
from pathlib import Path

from oneos.errors import OneOSError, UserError
from oneos.kernel import messages as m
from oneos.runtime import extensions

log = logging.getLogger(__name__)

_PACKAGE = Path(__file__).parents[1] / "guest/python/moving"
_NAME = "_oneos_moving"
"""Of the package inside of programs."""

_ZIP = """
import os, shutil, sys, tempfile, zipfile
source, name, target = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    package = os.path.join(folder, name)
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("native", "__pycache__"))
    with zipfile.PyZipFile(target, "w") as whole:
        whole.writepy(package)
"""
"""Run by the interpreter itself, whose byte code it is to be."""

_ZIP_S = 60.0


class Movable:
    """See the module. Until `prepare` has ended nothing is movable."""

    def __init__(self) -> None:
        self.reason = "this host has just started: it is made ready for that"
        """Why programs cannot move; empty if they can."""
        self.known = asyncio.Event()
        """Set once it is known whether they can."""
        self._files: tuple[int, int] | None = None

    async def prepare(self, python: str | None) -> None:
        """Make or find both files for an interpreter."""
        try:
            await self._prepare(python)
        finally:
            self.known.set()

    async def _prepare(self, python: str | None) -> None:
        if python is None:
            self.reason = "this host has no python"
            return
        try:
            paths = await asyncio.to_thread(_made, python, cache_directory())
        except (OSError, OneOSError, subprocess.SubprocessError) as error:
            self.reason = str(error)
            log.info("programs of this host cannot move: %s", error)
            return
        extension, package = (os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths)
        self._files = extension, package
        self.reason = ""

    @property
    def extension(self) -> int:
        """The extension, as an open file; -1: there is none."""
        return self._files[0] if self._files is not None else -1

    @property
    def package(self) -> int:
        """The package, likewise."""
        return self._files[1] if self._files is not None else -1

    def close(self) -> None:
        """Close the files."""
        for fd in self._files or ():
            os.close(fd)
        self._files = None


def told(file: m.OpenFile) -> bytes:
    """A file that a program has open, as whoever starts its process is told of it."""
    numbers = (file.number, file.flags, file.offset, file.inode)
    return b"%d %d %d %d " % numbers + os.fsencode(file.path)


def cache_directory() -> Path:
    """Where what was built is kept for all Runtimes of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "oneos"


def _made(python: str, cache: Path) -> tuple[Path, Path]:
    """Paths of both files. Raises OSError, UserError, SubprocessError."""
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        # Several Runtimes start at once, and one is to do the work.
        fcntl.flock(lock, fcntl.LOCK_EX)
        extension = extensions.build(python, cache)
        if extension.path is None:
            raise UserError(extension.reason)
        package = extension.path.with_suffix(f".{_stamp()}.zip")
        if not package.exists():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                made = os.path.join(folder, "package.zip")
                command = [python, "-I", "-c", _ZIP, os.fspath(_PACKAGE), _NAME, made]
                subprocess.run(command, capture_output=True, timeout=_ZIP_S, check=True)
                os.rename(made, package)
        return extension.path, package


def _stamp() -> str:
    """A name for the package's text."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
