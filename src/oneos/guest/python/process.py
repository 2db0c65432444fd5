"""What a program learns about itself: its PID, its user, the host's name; and signals to others.

A program has one PID in the whole network, from the Runtime; the kernel's is hidden. Its children
have theirs (`family.py`); signals to them, to itself and to its process groups go to the kernel at
once, those to any other process of the network through the Runtime.
"""

import errno
import posix

from .descriptors import real
from .failure import later, os_error, seamless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .family import Family

UnameResult = posix.uname_result


class Process:
    """The calls of `posix` about processes and users.

    Args:
        channel: to the Runtime, for signals to other processes of the network.
        family: this process and its children, by the network's PIDs and the kernel's.

    Attributes:
        uid: the user's number in the network.
        gid: the group's.
        hostname: the host's name in the network.
    """

    def __init__(self, channel: "Channel", family: "Family") -> None:
        self.channel = channel
        self.family = family
        self.uid = self.gid = 0
        self.hostname = ""

    @seamless
    def getpid(self) -> int:
        return self.family.pid

    @seamless
    def kill(self, pid: int, signal: int, /) -> None:
        if pid == -1:
            raise later("sending a signal to every process")
        if pid < 0:
            return self._kill_group(-pid, signal)
        if pid in self.family.children or pid == self.family.pid:
            return real["kill"](self.family.kernel(pid), signal)  # type: ignore[no-any-return]
        if pid == 0:
            return real["kill"](0, signal)  # type: ignore[no-any-return]
        return self.channel.call("kill", pid, int(signal))  # type: ignore[no-any-return]

    @seamless
    def killpg(self, pgid: int, signal: int, /) -> None:
        if pgid == 0:
            return real["killpg"](0, signal)  # type: ignore[no-any-return]
        return self._kill_group(pgid, signal)

    def _kill_group(self, pgid: int, signal: int) -> None:
        try:
            group = self.family.group(pgid)
        except ProcessLookupError:
            group = 0
        if group:
            real["killpg"](group, signal)
        else:
            self.channel.call("kill", -pgid, int(signal))

    @seamless
    def getpgrp(self) -> int:
        return self.family.named(real["getpgid"](0))

    @seamless
    def getpgid(self, pid: int) -> int:
        return self.family.named(real["getpgid"](self.family.kernel(pid) if pid else 0))

    @seamless
    def getsid(self, pid: int, /) -> int:
        return self.family.session(real["getsid"](self.family.kernel(pid) if pid else 0))

    @seamless
    def setpgid(self, pid: int, pgrp: int, /) -> None:
        kernel_pid = self.family.kernel(pid) if pid else 0
        real["setpgid"](kernel_pid, self.family.group(pgrp) if pgrp > 0 else pgrp)

    @seamless
    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        if pid != self.family.pid and pid not in self.family.children:
            raise later("watching another process by a descriptor")
        return real["pidfd_open"](self.family.kernel(pid), flags)  # type: ignore[no-any-return]

    @seamless
    def getuid(self) -> int:
        return self.uid

    @seamless
    def getgid(self) -> int:
        return self.gid

    @seamless
    def getresuid(self) -> tuple[int, int, int]:
        return self.uid, self.uid, self.uid

    @seamless
    def getresgid(self) -> tuple[int, int, int]:
        return self.gid, self.gid, self.gid

    @seamless
    def getgroups(self) -> list[int]:
        return [self.gid]

    geteuid, getegid = getuid, getgid

    def about(self, name: str, at: int = 0) -> "Any":
        """The function `name` of `posix`, which takes a PID as its argument number `at`.

        The program's own PID is the kernel's 0; any other but a child's is not the kernel's.
        """
        function = real[name]

        @seamless
        def call(*args: "Any") -> "Any":
            pid = args[at] if len(args) > at else 0
            if isinstance(pid, int) and pid:
                own = pid == self.family.pid
                args = (*args[:at], 0 if own else self.family.kernel(pid), *args[at + 1 :])
            return function(*args)

        call.__name__ = call.__qualname__ = name
        return call

    @seamless
    def become(self, *_ids: "Any") -> None:
        """Stands for setuid(2) and its kind: a program stays who its session is."""
        raise os_error(errno.EPERM)

    @seamless
    def uname(self) -> "Any":
        system = real["uname"]()
        return UnameResult((system[0], self.hostname, *system[2:]))

    @seamless
    def gethostname(self) -> str:
        return self.hostname
