"""What the package brings for the tree: the programs of /bin, and the shell as a program."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from pathlib import Path

from oneos.errors import FileError
from oneos.files.binaries import utilities
from oneos.files.handles import Caller
from oneos.files.regular import RegularFiles
from oneos.files.tree import Tree
from oneos.storage.disk import write_all


async def install(tree: Tree, regular: RegularFiles) -> None:
    """Make /bin hold the utilities of this version; what is the same is left alone.

    Raises:
        OneOSError: the File System or the disk refuses; calling again goes on.
    """
    caller = Caller("root", os.getuid(), os.getgid())
    for name, content in utilities().items():
        path = b"/bin/" + name.encode()
        try:
            inode = await regular.names.inode(path)
            if inode.chunks == (hashlib.sha256(content).digest(),) and not inode.writing:
                continue
        except FileError as error:
            if error.errno != errno.ENOENT:
                raise
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        handle = await tree.open(path, flags, 0o755, caller)
        try:
            if handle.fd >= 0:
                write_all(handle.fd, content, 0)
        finally:
            await handle.close()


def shell_command(directory: Path) -> list[str]:
    """How this host runs a shell script of the tree."""
    socket_path = directory / "run" / "local.sock"
    return [sys.executable, "-m", "oneos.cli.main", "sh", "--socket", os.fspath(socket_path)]


def clear(directory: Path) -> None:
    """Empty a directory of what programs of an earlier run staged there."""
    for entry in directory.iterdir():
        shutil.rmtree(entry, ignore_errors=True)
