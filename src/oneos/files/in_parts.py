"""What calls of POSIX that change something do in the parts of the tree that are no File System's.

Facts are changed by nobody: EPERM, or EEXIST for what is there and was to be made. Files that a
part serves (`Served`) may be.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.places import Virtual, check_slash
from oneos.files.served import Served
from oneos.files.virtual import open_virtual, stat_virtual
from oneos.limits import LINKS_FOLLOWED_MAX
from oneos.state.names_types import Walk
from oneos.state.names_walk import Leaves

Change = Callable[[Virtual], Awaitable[None]]


def change_in(what: str, *numbers: int, follow: bool = False) -> Change:
    """Change what stands at a place; `what` and `numbers` as `Served.change`."""

    async def change(at: Virtual) -> None:
        links = follow or at.slash
        if at.slash and what in ("rmdir", "unlink"):
            # As the kernel: a slash behind a link does not make it go.
            links = False
            found = await stat_virtual(at.facts, at.path, at.place, Caller(), follow=False)
            if not stat.S_ISDIR(found.mode):
                raise FileError(errno.ENOTDIR, at.path)
        else:
            await check_slash(at, Caller())
        if isinstance(at.facts, Served) and await at.facts.change(
            what, at.path, at.place, numbers, follow=links
        ):
            return
        raise FileError(errno.EPERM, at.path)

    return change


def new_in(caller: Caller, what: str = "", *numbers: int, text: bytes = b"") -> Change:
    """Make something at a place; without `what` it is something that only the File System has."""

    async def make(at: Virtual) -> None:
        facts = at.facts if what else None
        if isinstance(facts, Served) and await facts.change(what, at.path, at.place, numbers, text):
            return
        there = await at.facts.find(at.place, caller)
        raise FileError(errno.EPERM if there is None else errno.EEXIST, at.path)

    return make


async def both_in(one: Virtual, two: Virtual, what: str, number: int) -> None:
    """Rename or link from one place to another: within one part that serves files, else EPERM."""
    if not isinstance(one.facts, Served) or one.facts is not two.facts:
        raise FileError(errno.EPERM, one.path)
    await one.facts.change_both(what, one.path, two.path, (one.place, two.place), number)


async def head_of(at: Virtual, count: int, caller: Caller) -> bytes:
    """The first bytes of a file that a part serves; nothing of facts."""
    if not isinstance(at.facts, Served):
        return b""
    handle = await open_virtual(at.facts, at.path, at.place, os.O_RDONLY, caller)
    try:
        if handle.kind == "remote":
            data: bytes = await handle.pread(0, count)  # type: ignore[attr-defined]
            return data
        return os.pread(handle.fd, count, 0) if handle.fd >= 0 else b""
    finally:
        await handle.close()


def followed(walk: Walk, way: Leaves) -> Walk:
    """The walk behind one more link. Raises FileError(ELOOP)."""
    links = walk.links + way.links
    if links > LINKS_FOLLOWED_MAX:
        raise FileError(errno.ELOOP, way.asked)
    return replace(walk, links=links)
