"""Whether any process of this host has a file open, as the kernel knows it.

Programs may open the backing file of a file at rest by its path, and tell nobody; before the file
goes elsewhere its home asks here. The kernel counts for its leases (fcntl(2), F_SETLEASE): one for
writing is given only where nobody else has the file open or mapped. It is given back at once;
whoever opens the file in between waits for that.
"""

from __future__ import annotations

import fcntl
import os
import signal

PROBE = "lease.part"
"""A name that `BackingStore` takes for something unfinished, and removes."""


def in_use(path: str) -> bool:
    """Whether somebody has the file open for reading or writing, or mapped; True if unsure."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        # The signal for whoever waits would end this process; this one is ignored by default.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (OSError, AttributeError):
        return True
    finally:
        os.close(fd)
    return False


def can_tell(directory: str) -> bool:
    """Whether the file system of this directory, and its kernel, answer such questions."""
    path = os.path.join(directory, PROBE)
    try:
        with open(path, "wb"):
            pass
        with open(path, "rb"):
            open_is_seen = in_use(path)
        closed_is_seen = not in_use(path)
        os.unlink(path)
    except OSError:
        return False
    return open_is_seen and closed_is_seen
