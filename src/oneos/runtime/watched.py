"""The end of an OS process that is not this one's child, and how it ended.

Programs start programs by the kernel's own means, so those are not children of the Runtime, and
only their parent may wait for them. A pidfd tells when one has ended. How it ended is read from the
kernel: of a zombie in /proc, of one that was waited for from the pidfd (Linux 6.15 and newer).
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
from pathlib import Path

_INFO_BYTES = 64
_GET_INFO = 3 << 30 | _INFO_BYTES << 16 | 0xFF << 8 | 11
_INFO_EXIT = 1 << 3
_EXIT_CODE_AT = 60
"""`struct pidfd_info` of its first version: the mask comes first, the exit code last."""

UNKNOWN_STATUS = 128
"""Status of a program of which nobody can tell how it ended: an older kernel told only its parent,
and that ignores SIGCHLD or has gone. No program ends so: it would be signal 0."""


def shell_status(wait_status: int) -> int:
    """A status of wait(2) as sh has it: the exit code, or 128 + the signal."""
    code = os.waitstatus_to_exitcode(wait_status)
    return code if code >= 0 else 128 - code


class Watched:
    """One OS process.

    Args:
        os_pid: its PID on this host.
        pidfd: a pidfd of it, which is ours from now on; -1: one is opened.

    Raises:
        ProcessLookupError: there is none, it has ended and was waited for.
        OSError: out of descriptors.
    """

    def __init__(self, os_pid: int, pidfd: int = -1) -> None:
        self.os_pid = os_pid
        self.pidfd = os.pidfd_open(os_pid) if pidfd < 0 else pidfd
        self.parent = _parent(os_pid)

    async def ended(self) -> None:
        """Return when it has ended."""
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def over() -> None:
            if not ended.done():
                ended.set_result(None)

        loop.add_reader(self.pidfd, over)
        try:
            await ended
        finally:
            loop.remove_reader(self.pidfd)

    def status(self) -> int | None:
        """How it ended, as sh has it; None when the kernel does not tell any more."""
        raw = self._of_zombie()
        if raw is None:
            raw = self._of_reaped()
        return None if raw is None else shell_status(raw)

    def _of_zombie(self) -> int | None:
        fields = _stat(self.os_pid)
        # While it is a zombie nobody else has its number; its last field is the wait status.
        if not fields or fields[0] != "Z":
            return None
        return int(fields[49]) if len(fields) > 49 else None

    def _of_reaped(self) -> int | None:
        request = bytearray(struct.pack("=Q", _INFO_EXIT).ljust(_INFO_BYTES, b"\0"))
        try:
            fcntl.ioctl(self.pidfd, _GET_INFO, request)
        except OSError:
            # An older kernel, or it is not over.
            return None
        if not struct.unpack_from("=Q", request)[0] & _INFO_EXIT:
            return None
        return int(struct.unpack_from("=i", request, _EXIT_CODE_AT)[0])

    def kill(self) -> None:
        """End it at once; one that has ended is no error."""
        try:
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        """Give the descriptor back."""
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def os_pid_of(pidfd: int) -> int:
    """The PID on this host of the process that a pidfd is of; 0 once it was waited for."""
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text(encoding="ascii")
    found = (int(line.split()[1]) for line in text.splitlines() if line.startswith("Pid:"))
    return max(next(found), 0)


def _stat(os_pid: int) -> list[str]:
    """What /proc says of a process, from its state on (the third field); empty for none."""
    try:
        text = Path(f"/proc/{os_pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The name, in brackets, may have anything in it; what follows it are numbers.
    return text.rpartition(")")[2].split()


def _parent(os_pid: int) -> int:
    fields = _stat(os_pid)
    return int(fields[1]) if len(fields) > 1 else 0
