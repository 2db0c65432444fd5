"""Which part of the tree a path begins in, and the walk within the parts that are made of facts.

Facts have no links, so `..` in them is the directory above by the text; but what it stands behind
must be there. Where a part has links, and one stands there, `Leaves` says where to go on. A path
may climb out of a part again, and what is left of it then starts at the root. All that begins
elsewhere is the File System's, which walks it itself.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

from oneos.errors import FileError
from oneos.files.handles import Caller
from oneos.files.virtual import Facts, Parts, check_directory
from oneos.limits import PATH_BYTES_MAX
from oneos.state.names_walk import Leaves


class Virtual(NamedTuple):
    """A place in a part made of facts. `path` is canonical; `slash`: a directory is asked for."""

    facts: Facts
    path: bytes
    place: Parts
    slash: bool


class Places:
    """See the module.

    Args:
        parts: the directories made up of facts, by their name under the root.
    """

    def __init__(self, parts: dict[bytes, Facts]) -> None:
        self._parts = parts

    async def where(self, path: bytes, caller: Caller) -> Virtual | bytes:
        """The place in a part where a path begins and stays; else a path for the File System.

        Raises:
            FileError: it is no path, or a `.` or `..` stands after what is no directory.
            Leaves: it stands after a link.
        """
        names = split(path)[::-1]
        slash = path.endswith(b"/")
        while True:
            while names and names[-1] in (b".", b".."):
                names.pop()
            if not names or names[-1] not in self._parts:
                return b"/" + b"/".join(names[::-1]) + (b"/" if slash and names else b"")
            part = names.pop()
            try:
                place = await self._below(part, names, caller)
            except Leaves as way:
                # A link stands before `.` or `..`: what is left goes on where it leads.
                rest = b"/".join(names[::-1]) + (b"/" if slash else b"")
                raise Leaves(path, way.path + b"/" + rest, way.links) from None
            if place is not None:
                whole = b"/" + b"/".join((part, *place))
                return Virtual(self._parts[part], whole, place, slash)

    async def _below(self, part: bytes, names: list[bytes], caller: Caller) -> Parts | None:
        """Take names of a part off the end of `names`; None when `..` leads out of it."""
        place: list[bytes] = []
        while names:
            name = names.pop()
            if name not in (b".", b".."):
                place.append(name)
                continue
            whole = b"/" + b"/".join((part, *place))
            try:
                await check_directory(self._parts[part], whole, tuple(place), caller)
            except Leaves:
                names.append(name)
                raise
            if name == b"..":
                if not place:
                    return None
                place.pop()
        return tuple(place)


async def check_slash(at: Virtual, caller: Caller) -> None:
    """Raises FileError(ENOENT, ENOTDIR) where a trailing slash stands behind no directory."""
    if at.slash:
        try:
            await check_directory(at.facts, at.path, at.place, caller)
        except Leaves as way:
            # What it leads to has to be a directory.
            raise Leaves(way.asked, way.path + b"/", way.links) from None


def split(path: bytes) -> list[bytes]:
    """A path's names, with `.` and `..` and without empty ones. Raises FileError."""
    if not path.startswith(b"/"):
        raise FileError(errno.EINVAL if path else errno.ENOENT, path)
    if len(path) >= PATH_BYTES_MAX:
        raise FileError(errno.ENAMETOOLONG, path[:64] + b"...")
    if b"\0" in path:
        raise FileError(errno.EINVAL, path)
    return [name for name in path.split(b"/") if name]
