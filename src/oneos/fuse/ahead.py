"""Looking ahead: programs that list a directory mostly look at each of its names next.

When names are asked for in the order of the listing, the next ones are asked of the Runtime with
them, and answered from here: a few at first, more while they are used. The kernel has a request of
its own for that (READDIRPLUS), but takes such an answer for new also when it was called back before
the kernel took it up; one to LOOKUP it does not. What is kept here ends as what the kernel keeps
does: by a recall, or by its time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from oneos.errors import FileError
from oneos.fuse.cache import Cache, Kept
from oneos.fuse.nodes import Node
from oneos.limits import LOOKS_DIRECTORIES_MAX, LOOKS_KEPT_MAX, LOOKS_MAX, LOOKS_NAMES_MAX
from oneos.local.client import Client

_NEAR = 16
"""So many names may be passed over and it is still one after the other: those of one kind, say."""

_TOGETHER = {(b"/etc", b"ld.so.preload"): [b"ld.so.preload", b"ld.so.cache", b"ssl"]}
"""What follows in a directory that nobody lists: the loader begins each program so."""

_FIRST = 8
"""Names that are asked for together at first."""


@dataclass(slots=True)
class Listing:
    """A directory's names in order, and how far programs have come in it.

    `last` was asked for last; up to `end` it was looked ahead, by `step` names. A `step` of -1: in
    vain, since what was found did not hold until it was asked for; so not again in this pass.
    """

    names: list[bytes]
    last: int = -1
    end: int = 0
    step: int = 0

    def next(self, name: bytes) -> list[bytes]:
        """The names to look at together, beginning with this one; empty: this one alone."""
        after = self.names[self.last + 1 : self.last + 1 + _NEAR]
        near = name in after
        if near:
            at = self.last + 1 + after.index(name)
        elif name in self.names:
            at = self.names.index(name)
        else:
            return []
        if at <= self.last:
            # Another pass, if it begins at the beginning.
            self.end = self.step = 0
            near = at < _NEAR
        wasted, self.last = at < self.end, at
        if wasted or self.step < 0:
            self.step = -1
            return []
        if not near:
            return []
        self.step = min(max(2 * self.step, _FIRST), LOOKS_MAX)
        self.end = at + self.step
        return self.names[at : self.end]

    def passed(self, name: bytes) -> None:
        """A name was asked for that was looked at already."""
        following = self.last + 1
        if following < len(self.names) and self.names[following] == name:
            self.last = following


class Ahead:
    """See the module. Any thread may call.

    Args:
        cache: what may be kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._listings: OrderedDict[Node, Listing] = OrderedDict()
        self._kept: dict[tuple[Node, bytes], Kept] = {}

    def listed(self, directory: Node, names: list[bytes]) -> None:
        """A directory was listed, in this order."""
        with self._lock:
            self._listings.pop(directory, None)
            if len(names) > LOOKS_NAMES_MAX:
                return
            self._listings[directory] = Listing(names)
            if len(self._listings) > LOOKS_DIRECTORIES_MAX:
                self._listings.popitem(last=False)

    def take(self, directory: Node, name: bytes) -> Kept | None:
        """What was found ahead under a name, if that still holds; it is given once."""
        if not self._kept:
            return None
        with self._lock:
            look = self._kept.pop((directory, name), None)
            if look is None or not self._cache.shorten(look):
                return None
            listing = self._listings.get(directory)
            if listing is not None:
                listing.passed(name)
        return look

    def fetch(self, client: Client, directory: Node, path: bytes, name: bytes) -> Kept | None:
        """Look at a name and those after it, if programs look at one after the other.

        Args:
            path: of the directory.

        Returns:
            What was found of `name`; None: it must be looked at by itself.
        """
        with self._lock:
            listing = self._listings.get(directory)
            names = listing.next(name) if listing is not None else []
        names = names or _TOGETHER.get((path, name), [])
        if not names:
            return None
        try:
            looks = self._cache.look_many(client, path, names)
        except FileError:
            return None
        with self._lock:
            if len(self._kept) > LOOKS_KEPT_MAX - LOOKS_MAX:
                self._kept.clear()
            for at, look in zip(names, looks, strict=True):
                if look is not None:
                    self._kept[directory, at] = look
            return self._kept.pop((directory, name), None)
