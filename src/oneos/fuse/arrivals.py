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

from oneos.limits import FUSE_KEPT_OFF_S, FUSE_LOOKS_MAX, FUSE_RESTS_MAX, FUSE_SOON_S


class Arrivals:
    """See the module. One thread at a time reads.

    Args:
        fuse: the descriptor of /dev/fuse; whether it blocks is decided here.
    """

    def __init__(self, fuse: int) -> None:
        self._fuse = fuse
        self._able = len(os.sched_getaffinity(0)) > 1
        self._looking = self._found = False
        self._rests = 0
        os.set_blocking(fuse, True)

    def read(self, buffers: list[bytearray]) -> int:
        """Read the next request into buffers; its length in bytes.

        Raises:
            OSError: ENODEV, unmounted; ENOENT or EINTR, there is none after all.
        """
        looked = self._looking
        if looked:
            for _ in range(FUSE_LOOKS_MAX):
                try:
                    count = os.readv(self._fuse, buffers)
                except BlockingIOError:
                    continue
                self._found = True
                return count
            self._look(False)
        began = time.monotonic()
        count = os.readv(self._fuse, buffers)
        waited_s = time.monotonic() - began
        if waited_s >= FUSE_SOON_S:
            # The end of many that followed closely; this may be the first of as many.
            if looked and self._found:
                self._look(True)
        elif looked and waited_s < FUSE_KEPT_OFF_S:
            self._rests = FUSE_RESTS_MAX
        elif self._rests > 0:
            self._rests -= 1
        elif self._able:
            self._look(True)
        self._found = False
        return count

    def _look(self, looking: bool) -> None:
        self._looking = looking
        # Who sleeps is woken with the least work in a read that blocks.
        os.set_blocking(self._fuse, not looking)
