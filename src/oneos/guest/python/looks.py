"""Looking at names, and keeping what was seen as long as it holds.

An answer of the Runtime may be kept in this process until the host's number changes, which the
Runtime raises before any change of the tree is answered (`oneos.files.kept`); and for KEPT_S at
most, which ends what is kept where the Runtime is cut off, stopped or gone. Both are read for each
use, and the number is read before a request is sent: what was under way when it changed is used
once and not kept. The number belongs to the host, and so do the grants of the File System, so a
forked child goes on with what its parent kept. A directory's names are kept with the listing; when
a program looks at a third of them, the attributes of all are asked for at once.
`tests/system/test_name_cache.py` holds it against random changes by other hosts.
"""

import _stat
import errno
import posix
import time

from .channel import out_of_the_way
from .descriptors import Stat, stat_result
from .failure import os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel

KEPT_S = 2.0
"""As the Runtime's CACHE_VALID_S, which says why."""

PATHS_MAX = 4_096
PATH_BYTES_MAX = 512
"""Paths kept with what is there, and the longest of them: 4 MiB at most. Beyond it all are dropped,
for most are old by then."""

LENT_MAX = 1_024
"""Files that may be opened again without asking, half a kilobyte each."""

NAMES_MAX = 32_768
"""Names in listings that are kept, 250 bytes each with their attributes."""

SINGLE_LOOKS = 2
"""Looks at names of one listing before those of all are asked for, which costs as much as these."""

NAME_BYTES_MAX = 255
ROW = 12
"""Numbers that make up the attributes of one name in a listing."""

NUMBER_BYTES = 8
NOTHING = bytes(NUMBER_BYTES)

real_pread, real_open, real_close = posix.pread, posix.open, posix.close  # Replaced later.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""One that goes on while the machine sleeps, for others go on meanwhile."""
clock_gettime = time.clock_gettime


class Listing:
    """The names of a directory, in the order they were told.

    Attributes:
        names: as raw bytes.
        numbers: for each name its attributes, or its type and number alone; by `width`.
        whole: they are attributes.
    """

    __slots__ = ("_places", "looked", "names", "number", "numbers", "until", "whole", "width")

    def __init__(self, answer: "Any", number: bytes, until: float) -> None:
        joined, numbers, self.whole, kept = answer
        self.names: list[bytes] = joined.split(b"\0") if joined else []
        self.numbers = memoryview(numbers).cast("q")
        self.width = ROW if self.whole else 2
        self.number = number if kept else NOTHING
        self.until = until
        self.looked = 0
        self._places: dict[bytes, int] | None = None

    def place(self, name: bytes) -> int | None:
        """Which of its names this is."""
        if self._places is None:
            self._places = {name: at for at, name in enumerate(self.names)}
        return self._places.get(name)

    def row(self, at: int) -> list[int]:
        """The numbers of a name; of `whole` listings with a device of 0 where they are unknown."""
        return self.numbers[at * self.width : (at + 1) * self.width].tolist()

    def attributes(self, at: int, follow: bool) -> Stat | None:
        """What `stat` shows of a name, where the listing tells."""
        row = self.row(at)
        if len(row) < ROW or not row[2] or (follow and _stat.S_ISLNK(row[0])):
            return None
        return stat_result(row)


def directory(where: bytes) -> bytes:
    """The path by which the listing of a directory is kept: as the paths of its names begin."""
    where = where.replace(b"/./", b"/")
    if where.endswith(b"/."):
        where = where[:-2]
    return where.rstrip(b"/") or b"/"


class Looks:
    """See the module.

    Args:
        channel: to the Runtime.
    """

    def __init__(self, channel: "Channel") -> None:
        self.channel = channel
        self._page = -1
        # The number it was asked under, until when it holds, and what was there.
        self._paths: dict[tuple[bytes, bool], tuple[bytes, float, Stat | None]] = {}
        self._listings: dict[bytes, Listing] = {}
        self._names = 0
        # The number, until when it holds, the path on this host, and the attributes.
        self._lent: dict[bytes, tuple[bytes, float, str, list[int]]] = {}

    def assume(self, socket_path: str) -> None:
        """Be a program of the Runtime that listens there; without its number nothing is kept."""
        try:
            fd = real_open(socket_path.rpartition("/")[0] + "/kept", posix.O_RDONLY)
        except OSError:
            return
        self._page = out_of_the_way(fd)
        real_close(fd)
        self.channel.reserved.add(self._page)

    def _number(self) -> bytes:
        try:
            return real_pread(self._page, NUMBER_BYTES, 0)
        except OSError:
            return NOTHING

    # --- what a path leads to -----------------------------------------------------------------
    def stat(self, where: bytes, follow: bool, names: "tuple[Any, ...]") -> Stat:
        """What stat(2) shows.

        Args:
            where: a path of the tree.
            follow: a symbolic link at its end.
            names: the path as the program gave it, for the error.

        Raises:
            OSError: as stat(2).
        """
        if b"/./" in where:
            where = where.replace(b"/./", b"/")
        number, now = self._number(), clock_gettime(CLOCK)
        kept = self._paths.get((where, follow))
        if kept is not None and kept[0] == number and now < kept[1]:
            found: Stat | None = kept[2]
        else:
            known, found = self._from_listing(where, follow, number, now)
            if not known:
                found = self._ask(where, follow, names, number, now)
        if found is None:
            raise os_error(errno.ENOENT, *names)
        return found

    def ask(self, where: bytes, follow: bool, names: "tuple[Any, ...]") -> Stat:
        """As `stat`, of what no listing tells."""
        found = self._ask(where, follow, names, *self.begin())
        if found is None:
            raise os_error(errno.ENOENT, *names)
        return found

    def _ask(
        self, where: bytes, follow: bool, names: "tuple[Any, ...]", number: bytes, now: float
    ) -> Stat | None:
        attr, name_kept, attributes_kept = self.channel.call("look", where, follow, names=names)
        found = None if attr is None else stat_result(attr)
        if name_kept and (attributes_kept or found is None):
            self._keep(where, follow, number, now, found)
        return found

    def _keep(
        self, where: bytes, follow: bool, number: bytes, now: float, found: Stat | None
    ) -> None:
        if number == NOTHING or len(where) > PATH_BYTES_MAX:
            return
        if len(self._paths) >= PATHS_MAX:
            self._paths.clear()
        self._paths[where, follow] = (number, now + KEPT_S, found)

    def _from_listing(
        self, where: bytes, follow: bool, number: bytes, now: float
    ) -> "tuple[bool, Stat | None]":
        """Whether the listing of the directory above tells, and what."""
        above, _, name = where.rpartition(b"/")
        above = above or b"/"
        listing = self._listings.get(above)
        if listing is None or not self._holds(listing, number, now):
            return False, None
        if name in (b"", b".", b"..") or len(name) > NAME_BYTES_MAX:
            return False, None
        at = listing.place(name)
        if at is None:
            return True, None
        found = self.entry_stat(above, listing, at, follow)
        if found is None:
            return False, None
        self._keep(where, follow, number, listing.until - KEPT_S, found)
        return True, found

    # --- files at rest ------------------------------------------------------------------------
    def begin(self) -> tuple[bytes, float]:
        """The number and the time before a file is asked for; for `lend`."""
        return self._number(), clock_gettime(CLOCK)

    def lend(self, where: bytes, begun: tuple[bytes, float], path: str, attr: list[int]) -> None:
        """Note that a file may be opened again without asking.

        Args:
            where: its path in the tree.
            begun: what `begin` gave before it was asked for.
            path: of its content on this host.
            attr: its attributes.
        """
        if begun[0] == NOTHING or len(where) > PATH_BYTES_MAX:
            return
        if len(self._lent) >= LENT_MAX:
            self._lent.clear()
        self._lent[where] = (begun[0], begun[1] + KEPT_S, path, attr)

    def reopen(self, where: bytes) -> "tuple[int, list[int]] | None":
        """Open a file to read it, if it was lent and that still holds; its attributes then.

        Before the file goes to another host this host's number changes, and only then the kernel is
        asked whether somebody has it open. So one that was opened under an unchanged number stays
        here while it is open.
        """
        kept = self._lent.get(where)
        if kept is None:
            return None
        number, until, path, attr = kept
        if self._number() != number or clock_gettime(CLOCK) >= until:
            del self._lent[where]
            return None
        try:
            fd = real_open(path, posix.O_RDONLY | posix.O_CLOEXEC)
        except OSError:
            return None
        if self._number() == number:
            return fd, attr
        real_close(fd)
        return None

    # --- listings -----------------------------------------------------------------------------
    def _holds(self, listing: Listing, number: bytes, now: float) -> bool:
        return listing.number == number and now < listing.until

    def listing(self, where: bytes, names: "tuple[Any, ...]" = ()) -> Listing:
        """The names of a directory, by its path as `directory` gives it. Raises OSError."""
        number, now = self._number(), clock_gettime(CLOCK)
        found = self._listings.get(where)
        if found is not None and self._holds(found, number, now):
            return found
        return self._scan(where, False, number, now, names)

    def _scan(
        self,
        where: bytes,
        attributes: bool,
        number: bytes,
        now: float,
        names: "tuple[Any, ...]" = (),
    ) -> Listing:
        answer = self.channel.call("scan", where, attributes, names=names)
        found = Listing(answer, number, now + KEPT_S)
        before = self._listings.pop(where, None)
        if before is not None:
            self._names -= len(before.names) + 1
        if found.number == NOTHING or len(where) > PATH_BYTES_MAX:
            return found
        if self._names + len(found.names) > NAMES_MAX:
            self._listings.clear()
            self._names = 0
        if len(found.names) <= NAMES_MAX:
            self._listings[where] = found
            self._names += len(found.names) + 1
        return found

    def entry_stat(self, where: bytes, listing: Listing, at: int, follow: bool) -> Stat | None:
        """What stat(2) shows of a name of a listing; None where that has to be asked for.

        Args:
            where: the directory, as the listing was asked for.
            at: which of the names.
            follow: a symbolic link.
        """
        number, now = self._number(), clock_gettime(CLOCK)
        newest = self._listings.get(where)
        if newest is None or newest.number != number or now >= newest.until:
            return None
        if newest is not listing:
            if newest.names is not listing.names and newest.names != listing.names:
                return None
            # The same names, asked for once more with their attributes.
            newest.names = listing.names
        if not newest.whole:
            newest.looked += 1
            if newest.looked != SINGLE_LOOKS + 1:
                return None
            try:
                newest = self._scan(where, True, number, now)
            except OSError:
                return None
            if newest.names != listing.names:
                return None
        return newest.attributes(at, follow)
