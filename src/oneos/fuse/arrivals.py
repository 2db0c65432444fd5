"""The kernel's requests as they come: the next one is looked for a moment before it is waited for.

A thread that sleeps takes 50 us to wake where it and the program are on two cores, at each of the
three requests that a program makes to open, read and close a file. So after a request the device is
asked again and again, but only as long as that pays: while requests follow one another closely. A
look that found nothing halves the next one; a request that came soon after all brings it back.
Where nobody asks anything, nothing is done; on a single core nothing could come meanwhile.
"""

import os
import select
import time

from oneos.limits import FUSE_LOOKS_MAX, FUSE_SOON_S


class Arrivals:
    """See the module. One thread at a time reads.

    Args:
        fuse: the descriptor of /dev/fuse, which does not block from now on.
    """

    def __init__(self, fuse: int) -> None:
        self._fuse = fuse
        os.set_blocking(fuse, False)
        self._poll = select.poll()
        self._poll.register(fuse, select.POLLIN)
        self._most = FUSE_LOOKS_MAX if len(os.sched_getaffinity(0)) > 1 else 0
        self._looks = 0

    def read(self, buffers: list[bytearray]) -> int:
        """Read the next request into buffers; its length in bytes.

        Raises:
            OSError: ENODEV, unmounted; ENOENT or EINTR, there is none after all.
        """
        left = self._looks
        while True:
            try:
                return os.readv(self._fuse, buffers)
            except BlockingIOError:
                if left > 0:
                    left -= 1
                    continue
            began = time.monotonic()
            self._poll.poll()
            soon = time.monotonic() - began < FUSE_SOON_S
            self._looks = self._most if soon else self._looks // 2
            left = self._looks
