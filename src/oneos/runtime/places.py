"""Where in the tree the network keeps what is of programs."""

import errno
import os

from oneos.errors import OneOSError
from oneos.files.handles import Caller
from oneos.files.tree import Tree

LOGS = b"/var/log/programs"
"""The output of programs that nobody waits for, a file each."""

CHECKPOINTS = b"/var/lib/oneos/checkpoints"
"""The states that programs go on from, a file each."""


def log_of(pid: int) -> bytes:
    """The log of a program that nobody waits for."""
    return LOGS + b"/%d.log" % pid


def checkpoint_of(pid: int, name: str) -> bytes:
    """The file with a program's part of a checkpoint."""
    return CHECKPOINTS + b"/%d.%s" % (pid, name.encode())


async def make_directory(tree: Tree, path: bytes, mode: int) -> None:
    """Make a directory with this mode, and those above it, where they are not there.

    Raises:
        OneOSError: one cannot be made.
    """
    caller = Caller("root", os.getuid(), os.getgid())
    parts = path.split(b"/")[1:]
    for count in range(1, len(parts) + 1):
        own = mode if count == len(parts) else 0o755
        try:
            await tree.mkdir(b"/" + b"/".join(parts[:count]), own, caller)
        except OneOSError as error:
            if error.errno != errno.EEXIST:
                raise
