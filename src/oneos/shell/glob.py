"""File name patterns against the tree: which names match, in the order sh gives them.

Each directory on the way is listed once by a `list` request; parts without a pattern are only
looked up. A name that begins with a dot is matched by an explicit dot alone. Reading a
directory that may not be read, or is not there, finds nothing, as in sh.
"""

import os
import re
import stat

from oneos.errors import FileError
from oneos.local.client import Client
from oneos.shell import pattern as patterns


def expand(client: Client, cwd: str, pattern: str) -> list[str]:
    """The names that match, sorted by their bytes; none where nothing does.

    Args:
        client: asked for listings.
        cwd: absolute; where a pattern that does not begin with a slash starts.
        pattern: as pattern.py has it; the result is as relative as the pattern is.
    """
    found = [""]
    parts = re.findall(r"/+|[^/]+", pattern)
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if patterns.is_magic(part):
            found = [
                prefix + name
                for prefix in found
                for name in _matching(client, cwd, prefix, part, directories=not last)
            ]
            continue
        # Slashes stay as they are written; at the end they ask for directories alone, which
        # looking the name up with its slash tells.
        name = patterns.unescape(part)
        found = [prefix + name for prefix in found]
        if last:
            found = [path for path in found if _exists(client, cwd, path)]
    return sorted(found, key=_bytes)


def _matching(client: Client, cwd: str, prefix: str, part: str, *, directories: bool) -> list[str]:
    try:
        entries = client.call("list", _bytes(os.path.join(cwd, prefix)))
    except FileError:
        return []
    wanted = patterns.compiled(part)
    names = []
    for raw, mode, *_rest in entries:
        name = raw.decode("utf-8", "surrogateescape")
        if name.startswith(".") and not part.startswith((".", "\\.")):
            continue
        if not wanted.fullmatch(name):
            continue
        if not directories or _leads_on(client, os.path.join(cwd, prefix, name), mode):
            names.append(name)
    # `.` and `..` are in no listing, but `.*` matches them in sh.
    if part.startswith("."):
        names.extend(name for name in (".", "..") if wanted.fullmatch(name))
    return names


def _leads_on(client: Client, path: str, mode: int) -> bool:
    """Whether it is a directory, or a link to one; `mode` is from the listing."""
    if not stat.S_ISLNK(mode):
        return stat.S_ISDIR(mode)
    try:
        return stat.S_ISDIR(client.call("stat", _bytes(path), True)[0])
    except FileError:
        return False


def _exists(client: Client, cwd: str, path: str) -> bool:
    try:
        client.call("stat", _bytes(os.path.join(cwd, path)), False)
    except FileError:
        return False
    return True


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
