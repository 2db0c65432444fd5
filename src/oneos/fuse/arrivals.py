"""The kernel's requests as they come: the next one is looked for a moment before it is waited for.

A thread that sleeps takes 50 us to wake where it and the program are on two idle cores, at each of
the requests that a program makes to open, read and close a file. So while requests follow one
another closely the device is asked again and again before its thread sleeps. That is only good
where the program runs meanwhile: where it has to share a core with this thread, as on a machine
with much else to do, looking keeps off what is looked for (open, read and close then took 400 us
instead of 60). A look in vain tells: when the request came as soon as this thread slept, the next
ones are waited for without a look. Where nobody asks anything, nothing is done.
"""

import os
import time

from oneos.limits import FUSE_LOOKS_MAX, FUSE_RESTS_MAX, FUSE_SOON_S


class Arrivals:
    """See the module. One thread at a time reads.

    Args:
        fuse: the descriptor of /dev/fuse; whether it blocks is decided here.
    """

    def __init__(self, fuse: int) -> None:
        self._fuse = fuse
        os.set_blocking(fuse, True)
        self._able = len(os.sched_getaffinity(0)) > 1
        self._looking = False
        self._rests = 0

    def read(self, buffers: list[bytearray]) -> int:
        """Read the next request into buffers; its length in bytes.

        Raises:
            OSError: ENODEV, unmounted; ENOENT or EINTR, there is none after all.
        """
        vain = self._looking
        if vain:
            for _ in range(FUSE_LOOKS_MAX):
                try:
                    return os.readv(self._fuse, buffers)
                except BlockingIOError:
                    pass
            self._look(False)
        began = time.monotonic()
        count = os.readv(self._fuse, buffers)
        if time.monotonic() - began < FUSE_SOON_S:
            if vain:
                self._rests = FUSE_RESTS_MAX
            elif self._rests > 0:
                self._rests -= 1
            elif self._able:
                self._look(True)
        return count

    def _look(self, looking: bool) -> None:
        self._looking = looking
        os.set_blocking(self._fuse, not looking)
