"""Program ends of a stream: pipes, terminals, files, read and written so that nothing hangs.

A pump must never sleep inside read or write, where nothing could wake it. Where the descriptor is a
pipe or terminal, it is opened once more for ourselves: a flag like O_NONBLOCK belongs to the open
file, which others may share, and a shell whose terminal turns non-blocking breaks. What cannot be
opened again is asked by poll before each small step. Regular files never block for long.
"""

import fcntl
import os
import stat

from oneos.limits import PIPE_BYTES, STREAM_BUFFER_BYTES

_WITHOUT_BLOCKING_BYTES = 4096
"""PIPE_BUF: what a pipe that polls writable takes without sleeping."""


_GET_NUMBER = 0x80045430
"""TIOCGPTN of Linux: which pseudo-terminal it is; ENOTTY for all but the master's side."""


class ProgramEnd:
    """One descriptor of a program, taken over.

    Args:
        descriptor: owned from now on.
        writing: which way it is used.

    Attributes:
        descriptor: what to poll.
        ask_first: whether to poll before each step, because a step could sleep.
        step_bytes: the most that one write may be.
        master: whether it is a pseudo-terminal's other side. Its end is EIO: nobody has the
            terminal open any more.
    """

    def __init__(self, descriptor: int, *, writing: bool) -> None:
        self.descriptor = descriptor
        self.ask_first = True
        self.step_bytes = _WITHOUT_BLOCKING_BYTES
        mode = os.fstat(descriptor).st_mode
        self.master = stat.S_ISCHR(mode) and _is_master(descriptor)
        if stat.S_ISFIFO(mode):
            _enlarge(descriptor)
        if stat.S_ISREG(mode):
            self.step_bytes = STREAM_BUFFER_BYTES
        elif self.master:
            # It has no name to open it again by. The open file is its terminal's maker's alone.
            os.set_blocking(descriptor, False)
            self.ask_first = False
            self.step_bytes = STREAM_BUFFER_BYTES
        elif stat.S_ISFIFO(mode) or os.isatty(descriptor):
            self._reopen(writing)

    def _reopen(self, writing: bool) -> None:
        flags = (os.O_WRONLY if writing else os.O_RDONLY) | os.O_NONBLOCK | os.O_NOCTTY
        try:
            own = os.open(f"/proc/self/fd/{self.descriptor}", flags | os.O_CLOEXEC)
        except OSError:
            return  # No /proc, another user's terminal, a FIFO without a reader: ask first.
        os.close(self.descriptor)
        self.descriptor = own
        self.ask_first = False
        self.step_bytes = STREAM_BUFFER_BYTES

    def close(self) -> None:
        """Close it; again does nothing."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _is_master(descriptor: int) -> bool:
    try:
        fcntl.ioctl(descriptor, _GET_NUMBER, bytes(4))
    except OSError:
        return False
    return True


def _enlarge(descriptor: int) -> None:
    size = getattr(fcntl, "F_SETPIPE_SZ", None)
    if size is not None:
        try:
            fcntl.fcntl(descriptor, size, PIPE_BYTES)
        except OSError:
            pass  # Above the user's quota for pipes: it works with the size it has, only slower.
