"""What programs of this host may keep of names, and the one number that takes it all back.

Instrumented programs keep in their own memory what they were told of paths. Each use of it reads a
number from a page of memory that this host shares with all of them; what was asked for under
another number is not used. So to drop everything that all of them keep is to raise the number:
one store to memory, done before a recall is acknowledged, or before a change that was made here
is answered. Whoever learns of either learns it through the kernel, and so after the store.
The page is memory of this run, with a name beside the Runtime's socket: programs of an earlier run
hold one that never changes again, and what they keep ends by itself after CACHE_VALID_S.
"""

from __future__ import annotations

import mmap
import os

PAGE_BYTES = 4096
NUMBER_BYTES = 8
"""In the host's order of bytes, at the page's start; programs compare it and do not count."""

NAME = "kept"
"""Of the file; programs know it, see docs/guest-protocol.md."""

NOTHING = 0
"""The number under which nothing is kept."""


class Generation:
    """The number, in its page. Until `start` nobody shares it."""

    def __init__(self) -> None:
        self._page: memoryview | None = None
        self._number = NOTHING
        self._path = ""
        self._fd = -1

    @property
    def number(self) -> int:
        """As programs see it."""
        return self._number

    def start(self, directory: str) -> None:
        """Share it from now on.

        Args:
            directory: where the Runtime's socket is.

        Raises:
            OSError: the page cannot be made.
        """
        self._path = os.path.join(directory, NAME)
        # Memory and not a file of a disk: storing to it must not fail because that is full.
        self._fd = os.memfd_create("oneos kept", os.MFD_CLOEXEC)
        os.ftruncate(self._fd, PAGE_BYTES)
        self._page = memoryview(mmap.mmap(self._fd, PAGE_BYTES)).cast("Q")
        self.advance()
        self._unlink()
        os.symlink(f"/proc/{os.getpid()}/fd/{self._fd}", self._path)

    def advance(self) -> None:
        """Have programs drop all they keep; done when this returns."""
        self._number += 1
        if self._page is not None:
            self._page[0] = self._number

    def end(self) -> None:
        """Have programs keep nothing from now on."""
        if self._page is not None:
            self._page[0] = NOTHING
            self._page = None
            os.close(self._fd)
            self._unlink()

    def _unlink(self) -> None:
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass
