"""Random operations on files: which there are, and how they are done in the tree and natively.

An operation stands for itself: it names paths and slots, whatever these are by then. So every part
of a list of operations is one too, and what fails is shortened by leaving some out.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.support.xattrs import HAS_XATTRS
from tests.system.support_drivers import Came, Driver, Op

SHRINK_S = 90.0
"""For leaving out what does not matter; then the list is shown as it is."""

SLOTS = 3
NAMES = [b"a", b"b", b"c", b"d", b"\xff\xfe\x80", "ü".encode(), b"n" * 255]
ODD = [b".", b"..", b"n" * 256, b"a/", b"b//a", b"", b"a/../b", b"./.", b"/".join([b"d"] * 2100)]
TARGETS = [b"a", b"b", b"../a", b"./c", b"a/b", b"d/", b"t" * 4095, b"..", b"\xff\xfe\x80"]
NAME_BYTES = bytes({*range(1, 256)} - {ord("/")})
MODES = [0o644, 0o600, 0o755, 0o700, 0o444, 0o2755, 0o4711, 0o1777, 0o000]
XATTRS = [b"user.a", b"user.b", b"user." + b"n" * 250, b"user.", b"other.a", b"user"]
LENGTH_MAX = 256 * 1024
TOUCHES = os.O_WRONLY, os.O_RDWR, os.O_RDWR, os.O_RDONLY
EXTRAS = [0, 0, os.O_CREAT, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_TRUNC, os.O_APPEND]
EXTRAS += [os.O_CREAT | os.O_APPEND, os.O_CREAT | os.O_TRUNC, os.O_NOFOLLOW, os.O_DIRECTORY]
EXTRAS += [os.O_CREAT | os.O_NOFOLLOW, os.O_EXCL]

Chosen = tuple[int, Op]
"""Which driver, and what it is to do."""


class Chooser:
    """Chooses operations.

    Args:
        seed: of the choice.
        drivers: how many there are.
        paths: of what operations are about; None: of any of some names, down to three levels.
    """

    def __init__(self, seed: int, drivers: int, paths: list[bytes] | None = None) -> None:
        self.random = random.Random(seed)
        self.drivers = drivers
        self.paths = paths

    def path(self) -> bytes:
        rng = self.random
        if self.paths is not None:
            return rng.choice(self.paths)
        if rng.random() < 0.04:
            return rng.choice(ODD)
        # Few names, so that most operations meet what others have made.
        names = NAMES[:3] if rng.random() < 0.8 else NAMES
        depth = rng.choice([1, 1, 1, 2, 2, 3])
        return b"/".join(rng.choice(names) for _ in range(depth))

    def two(self) -> tuple[bytes, bytes]:
        """Two paths, of which none is too long: which of two errors is told is left open."""
        while True:
            one, other = self.path(), self.path()
            if max(len(one), len(other)) < 4096 and b"n" * 256 not in (one, other):
                return one, other

    def slot(self) -> int:
        return self.random.randrange(SLOTS)

    def place(self) -> int:
        """Mostly near the beginning, where others work as well."""
        return self.random.choice([0, 1, 100, 4095, 4096, 5000, self.random.randrange(LENGTH_MAX)])

    def data(self) -> bytes:
        rng = self.random
        count = rng.choice([1, 10, 10, 500, 4096, rng.randrange(1, 48 * 1024)])
        # Short to print, and different at each place.
        word = b"%x." % rng.randrange(1 << 40)
        return (word * (count // len(word) + 1))[:count]

    def odd_names(self) -> list[bytes]:
        """Many names of any bytes that a name can have."""
        rng = self.random
        lengths = [rng.choice([1, 2, 8, 255]) for _ in range(40)]
        return [bytes(rng.choice(NAME_BYTES) for _ in range(length)) for length in lengths]

    def flags(self) -> int:
        return self.random.choice(TOUCHES) | self.random.choice(EXTRAS)

    def on_names(self) -> Op:
        rng, path = self.random, self.path
        kinds: list[Callable[[], Op]] = [
            lambda: ("put", path(), self.data()),
            lambda: ("put", path(), self.data()),
            lambda: ("get", path()),
            lambda: ("mkdir", path(), rng.choice([0o755, 0o700, 0o7777])),
            lambda: ("mkdir", path(), 0o755),
            lambda: ("rmdir", path()),
            lambda: ("rename", *self.two()),
            lambda: ("rename", *self.two()),
            lambda: ("rename", *self.two()),
            lambda: ("link", *self.two(), rng.random() < 0.5),
            lambda: ("symlink", rng.choice(TARGETS), path()),
            lambda: ("readlink", path()),
            lambda: ("unlink", path()),
            lambda: ("unlink", path()),
            lambda: ("chmod", path(), rng.choice(MODES)),
            lambda: ("utime", path(), rng.choice([0, 1, 10**9, 12345678901234])),
            lambda: ("truncate", path(), rng.choice([0, 1, 100, self.place()])),
            lambda: ("stat", path()),
            lambda: ("lstat", path()),
            lambda: ("access", path(), rng.choice([os.F_OK, os.R_OK, os.X_OK])),
            lambda: ("listdir", rng.choice([b".", path()])),
            lambda: ("scandir", rng.choice([b".", path()])),
            lambda: ("samefile", *self.two()),
            lambda: ("open", self.slot(), path(), self.flags(), rng.choice(MODES)),
            lambda: ("open", self.slot(), path(), self.flags(), 0o644),
        ]
        if rng.random() < 0.01:
            return ("populate", rng.choice([b".", path()]), self.odd_names())
        if HAS_XATTRS:
            kinds += [
                lambda: ("setxattr", path(), rng.choice(XATTRS), b"v" * 9, rng.randrange(3)),
                lambda: ("getxattr", path(), rng.choice(XATTRS)),
                lambda: ("listxattr", path()),
                lambda: ("removexattr", path(), rng.choice(XATTRS)),
            ]
        return rng.choice(kinds)()

    def on_bytes(self) -> Op:
        rng, slot, place = self.random, self.slot, self.place
        kinds: list[Callable[[], Op]] = [
            lambda: ("pread", slot(), rng.choice([100, 5000, 65536]), place()),
            lambda: ("pread", slot(), rng.choice([100, 5000, 65536]), place()),
            lambda: ("pwrite", slot(), self.data(), place()),
            lambda: ("pwrite", slot(), self.data(), place()),
            lambda: ("read", slot(), rng.choice([1, 100, 5000])),
            lambda: ("write", slot(), self.data()),
            lambda: ("write", slot(), self.data()),
            lambda: ("seek", slot(), place(), os.SEEK_SET),
            lambda: ("seek", slot(), rng.choice([0, 10, -10]), rng.choice([1, 2])),
            lambda: ("ftruncate", slot(), rng.choice([0, 50, 5000, place()])),
            lambda: ("fsync", slot()),
            lambda: ("fstat", slot()),
            lambda: ("fchmod", slot(), rng.choice(MODES)),
            lambda: ("futime", slot(), rng.choice([0, 10**9])),
            lambda: ("holes", slot(), place()),
            lambda: ("close", slot()),
            lambda: ("get", self.path()),
            lambda: ("add", self.path(), self.data()),
            lambda: ("patch", self.path(), self.data(), place()),
            lambda: ("stat", self.path()),
            lambda: ("truncate", self.path(), place()),
        ]
        return rng.choice(kinds)()

    def on_maps(self) -> Op:
        if self.random.random() < 0.5:
            return ("map_read", self.slot(), 5000, self.place())
        return ("map_write", self.slot(), self.data(), self.place())

    def chosen(self, kind: str) -> Iterator[Chosen]:
        """Operations without end: on `names`, or on the `bytes` of few files."""
        while True:
            driver = self.random.randrange(self.drivers)
            if kind == "names":
                op = self.on_names() if self.random.random() < 0.75 else self.on_bytes()
            elif self.random.random() < 0.15:
                op = ("open", self.slot(), self.path(), os.O_RDWR | os.O_CREAT, 0o644)
            else:
                op = self.on_maps() if self.random.random() < 0.1 else self.on_bytes()
            yield driver, op


@dataclass(frozen=True)
class Difference:
    """Where the tree was not as the local directory."""

    at: int
    chosen: Chosen
    ours: Came
    theirs: Came


class Both:
    """The tree and a local directory, with as many drivers each.

    Args:
        ours: in the tree; each with what it is called.
        theirs: natively.
        place: a directory of each kind, below which they may work.
    """

    def __init__(
        self, ours: dict[str, Driver], theirs: Sequence[Driver], place: tuple[bytes, bytes]
    ) -> None:
        self.names = list(ours)
        self.ours = list(ours.values())
        self.theirs = theirs
        self.place = place
        self.count = itertools.count()
        self.checks = 0

    def begin(self) -> None:
        """Go to a directory that nobody has been in."""
        # So deep that a `..` of a symbolic link ends in one that is the same in both.
        below = b"/%d/w/w/w/w" % next(self.count)
        for drivers, place in zip((self.ours, self.theirs), self.place, strict=True):
            for driver in drivers:
                assert driver("begin", place + below) == ("ok", None)

    def do(self, at: int, chosen: Chosen) -> Difference | None:
        """Do one operation in both."""
        driver, op = chosen
        ours, theirs = self.ours[driver], self.theirs[driver]
        if op[0] in ours.lacks:
            return None
        ours.begin(op)
        if op[0].startswith("map_"):
            # Not every carrier has maps of each file, and says so.
            came = ours.end()
            if came[0] == "failed" and came[1] in ("ENODEV", "EPERM"):
                return None
            expected = theirs(*op)
        else:
            theirs.begin(op)
            came, expected = ours.end(), theirs.end()
        self.checks += 1
        return None if came == expected else Difference(at, chosen, came, expected)

    def look(self, at: int, chosen: Chosen) -> Difference | None:
        """All drivers look at everything."""
        for driver in (*self.ours, *self.theirs):
            driver.begin(("look",))
        came = [(a.end(), b.end()) for a, b in zip(self.ours, self.theirs, strict=True)]
        for number, (ours, theirs) in enumerate(came):
            self.checks += len(theirs[1])
            if ours != theirs:
                return Difference(at, (number, ("look", "after", *chosen)), ours, theirs)
        return None

    def run(self, chosen: Sequence[Chosen], looking: bool = False) -> Difference | None:
        """Do operations in a fresh directory; the first that came out differently."""
        self.begin()
        for at, one in enumerate(chosen):
            found = self.do(at, one) or (self.look(at, one) if looking else None)
            if found is not None:
                return found
        return None

    def check(self, chosen: Sequence[Chosen], what: str, looking: bool = False) -> None:
        """Fail when they do not come out alike, with as few of them as are needed for that."""
        found = self.run(chosen, looking)
        if found is None:
            return
        left = list(chosen[: found.at + 1])
        found, left = self.shortened(found, left, looking)
        lines = [f"{self.names[driver]}: {op!r}" for driver, op in left]
        raise AssertionError(
            f"{what}: the tree gave {found.ours!r}, a local directory {found.theirs!r}"
            f" for {self.names[found.chosen[0]]}: {found.chosen[1]!r}, after\n" + "\n".join(lines)
        )

    def shortened(
        self, found: Difference, left: list[Chosen], looking: bool
    ) -> tuple[Difference, list[Chosen]]:
        """Leave out what may be left out: by halves first, by single ones in the end."""
        deadline = time.monotonic() + SHRINK_S
        size = len(left) // 2
        while size:
            at = 0
            while at < len(left) and time.monotonic() < deadline:
                tried = left[:at] + left[at + size :]
                again = self.run(tried, looking)
                if again is not None:
                    found, left = again, tried[: again.at + 1]
                else:
                    at += size
            size //= 2
        return found, left
