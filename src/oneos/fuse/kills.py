"""Answers what the filter of `asking.py` asks, in the first process of a name space.

A number that its kernel knows is that kernel's business: the call goes on as if nobody had asked.
So it does for a program that has a name space of PIDs of its own, whose numbers mean nothing here.
All else the Runtime is asked for, and nothing waits for its answer but the program itself. `kill`
gives the kernel no pointer, so nothing that was looked at can be changed before the call goes on; a
process may end meanwhile, as ever.
"""

import errno
import fcntl
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LISTENERS_MAX = 1024
"""Programs at a time that instrumented ones have started here: each has a process of 10 MB that
stands for it."""

ASKED_MAX = 256
"""Calls the Runtime has not answered yet: an answer from another host takes a millisecond. Beyond
it a program gets EAGAIN."""

_TAKE, _ANSWER, _IS_THERE = 0xC0502100, 0xC0182101, 0x40082102
"""ioctl(2) with struct seccomp_notif (80 bytes) and struct seccomp_notif_resp, and with an id."""

_NOTICE_BYTES = 80
_GO_ON = 1

_STATUS_BYTES = 4096


class Kills:
    """See the module.

    Args:
        poll: where the listening descriptors are waited for.
        proc: the /proc of the name space.
        ask: asks the Runtime: its number for this call, the PID, the signal.
    """

    def __init__(
        self, poll: select.poll, proc: int, ask: "Callable[[int, int, int], None]"
    ) -> None:
        self._poll = poll
        self._proc = proc
        self._ask = ask
        self._listeners: set[int] = set()
        self._asked: dict[int, tuple[int, bytes, bool]] = {}
        self._last = 0

    def listen(self, fd: int) -> None:
        """Answer what comes from a listening descriptor, which is this object's from now on.

        Beyond LISTENERS_MAX it is closed: those who ask get ENOSYS.
        """
        if len(self._listeners) >= LISTENERS_MAX:
            os.close(fd)
            return
        self._listeners.add(fd)
        self._poll.register(fd, select.POLLIN)

    def serve(self, fd: int, events: int) -> None:
        """Take up one call that waits; or close what nobody has any more who could ask."""
        if events & select.POLLIN:
            notice = bytearray(_NOTICE_BYTES)
            try:
                # It comes at once: what has been announced and is gone by now is ENOENT.
                fcntl.ioctl(fd, _TAKE, notice)
            except OSError:
                return
            self._consider(fd, bytes(notice))
        elif events:
            self._poll.unregister(fd)
            self._listeners.discard(fd)
            self._asked = {n: call for n, call in self._asked.items() if call[0] != fd}
            os.close(fd)

    def answered(self, number: int, code: int) -> None:
        """The Runtime's answer to what it was asked: 0, or an errno."""
        fd, call, allowed = self._asked.pop(number, (-1, b"", False))
        if fd >= 0:
            reply(fd, call, code if code or allowed else errno.EPERM)

    def _consider(self, fd: int, notice: bytes) -> None:
        call, caller = notice[:8], word(notice[8:12])
        pid, number = word(notice[32:36]), word(notice[40:44])
        allowed = None if is_here(pid) else self._rights(caller)
        if allowed is None:
            reply(fd, call, 0, _GO_ON)
            return
        if len(self._asked) >= ASKED_MAX:
            reply(fd, call, errno.EAGAIN)
            return
        try:
            # Whoever was looked at is who asks, and not a later one of that number.
            fcntl.ioctl(fd, _IS_THERE, call)
        except OSError:
            return
        self._last = (self._last + 1) % (1 << 31)
        self._asked[self._last] = fd, call, allowed
        self._ask(self._last, pid, number if allowed else 0)

    def _rights(self, caller: int) -> "bool | None":
        """Whether a program may signal the network's, which are this user's; None: it has PIDs of
        its own."""
        try:
            fd = os.open(f"{caller}/status", os.O_RDONLY, dir_fd=self._proc)
        except OSError:
            return None
        try:
            lines = os.read(fd, _STATUS_BYTES).split(b"\n")
        except OSError:
            return None
        finally:
            os.close(fd)
        found = dict(line.split(b":", 1) for line in lines if b":" in line)
        if len(found.get(b"NSpid", b"").split()) != 1:
            return None
        real, effective = map(int, found[b"Uid"].split()[:2])
        return effective == 0 or os.getuid() in (real, effective)


def is_here(pid: int) -> bool:
    """Whether this kernel knows a process or thread, or with a negative number a group."""
    kind = os.PRIO_PROCESS if pid > 0 else os.PRIO_PGRP
    try:
        # What kill(2) would tell, but that is asked about in this process too.
        os.getpriority(kind, abs(pid))
    except OSError:
        return False
    return True


def reply(fd: int, call: bytes, code: int, flags: int = 0) -> None:
    """Let a call return 0 or with an errno; or go on to the kernel."""
    answer = call + bytes(8)
    answer += (-code).to_bytes(4, sys.byteorder, signed=True) + flags.to_bytes(4, sys.byteorder)
    try:
        fcntl.ioctl(fd, _ANSWER, answer)
    except OSError:
        pass  # It was killed meanwhile.


def word(raw: bytes) -> int:
    """The signed number in four bytes."""
    return int.from_bytes(raw, sys.byteorder, signed=True)
