"""What the package brings for the tree: the programs of /bin, tables of names, and the shell.

/etc/passwd does not name the Runtime's own user: all programs of a Runtime share its number,
whatever their session is called, so the table would name the wrong one. Programs are told by the
session instead.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import hashlib
import os
import shutil
import sys
from pathlib import Path

from oneos.errors import FileError
from oneos.files.binaries import utilities
from oneos.files.handles import Caller, Handle
from oneos.files.regular import RegularFiles
from oneos.files.tree import Tree
from oneos.storage.disk import write_all


async def install(tree: Tree, regular: RegularFiles) -> None:
    """Make /bin hold the utilities of this version; what is the same is left alone.

    /etc/passwd and /etc/group are made where there are none, for the names that `ls -l` shows.

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
        await _write(await tree.open(path, flags, 0o755, caller), content)
    for table, rows in ((b"passwd", _users()), (b"group", _groups())):
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            await _write(await tree.open(b"/etc/" + table, flags, 0o644, caller), rows)
        except FileError as error:
            # What is there may have been changed by people; it is theirs.
            if error.errno != errno.EEXIST:
                raise


async def _write(handle: Handle, content: bytes) -> None:
    try:
        if handle.fd >= 0:
            write_all(handle.fd, content, 0)
    finally:
        await handle.close()


def _users() -> bytes:
    """Who owns what no session's user does: devices, /proc, /bin."""
    return b"root:x:0:0:root:/:/bin/sh\n" if os.getuid() else b""


def _groups() -> bytes:
    """The groups that files of the tree can have here: root's, and that of this Runtime."""
    names = {0: "root"}
    with contextlib.suppress(KeyError):
        names[os.getgid()] = grp.getgrgid(os.getgid()).gr_name
    return "".join(f"{name}:x:{number}:\n" for number, name in names.items()).encode()


def shell_command(directory: Path) -> list[str]:
    """How this host runs a shell script of the tree.

    `-I`: the variables of Python that the script's environment may hold are for its programs.
    """
    socket_path = directory / "run" / "local.sock"
    return [sys.executable, "-I", "-m", "oneos.cli.main", "sh", "--socket", os.fspath(socket_path)]


def clear(directory: Path) -> None:
    """Empty a directory of what programs of an earlier run staged there."""
    for entry in directory.iterdir():
        shutil.rmtree(entry, ignore_errors=True)
