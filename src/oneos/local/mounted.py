"""Which mounts of the tree this host shows, as its kernel tells (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

KIND = "fuse.oneos"

_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mounted(NamedTuple):
    """Where, and of which Runtime: see `source_of`."""

    path: bytes
    source: str


def source_of(socket_path: str) -> str:
    """What stands for a Runtime as the source of a mount, as `df` shows it."""
    return f"oneos:{os.path.abspath(socket_path)}"


def mounts() -> list[Mounted]:
    """All that this process can see, the newest last."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        about, _, rest = line.partition(b" - ")
        kind, source, *_ = rest.split(b" ")
        if kind == KIND.encode():
            path = _plain(about.split(b" ")[4])
            found.append(Mounted(path, os.fsdecode(_plain(source))))
    return found


def _plain(text: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), text)
