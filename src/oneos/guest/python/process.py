"""What a program learns about itself: its PID, its user, the host's name; and signals to others.

A program has one PID in the whole network, from the Runtime; the kernel's is hidden. A child made
by fork has no entry in the network's table in this version: it and its parent know it by the
kernel's number, which serves for `waitpid` and `kill` between them.
"""

import errno
import posix

from .descriptors import real
from .failure import later, os_error, seamless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel

UnameResult = posix.uname_result


class Process:
    """The calls of `posix` about processes and users.

    Args:
        channel: to the Runtime, for signals to other processes of the network.
        pid: of this process in the network.
        uid: the user's number in the network.
        gid: the group's.
        hostname: the host's name in the network.
    """

    def __init__(self, channel: "Channel", pid: int, uid: int, gid: int, hostname: str) -> None:
        self.channel = channel
        self.pid, self.parent = pid, 1
        self.uid, self.gid, self.hostname = uid, gid, hostname
        self.kernel_pid: int = real["getpid"]()
        real["register_at_fork"](after_in_child=self._forked)

    @seamless
    def getpid(self) -> int:
        return self.pid

    @seamless
    def getppid(self) -> int:
        return self.parent

    def _forked(self) -> None:
        """In a child made by fork, which goes by the kernel's number."""
        self.parent = self.pid
        self.pid = self.kernel_pid = real["getpid"]()

    def _is_child(self, pid: int) -> bool:
        options = posix.WEXITED | posix.WNOHANG | posix.WNOWAIT
        try:
            real["waitid"](posix.P_PID, pid, options)
        except (ChildProcessError, OverflowError):
            return False
        return True

    @seamless
    def kill(self, pid: int, signal: int, /) -> None:
        if pid == self.pid:
            return real["kill"](self.kernel_pid, signal)  # type: ignore[no-any-return]
        if pid <= 0:
            raise later("sending a signal to a group of processes")
        if self._is_child(pid):
            return real["kill"](pid, signal)  # type: ignore[no-any-return]
        return self.channel.call("kill", pid, int(signal))  # type: ignore[no-any-return]

    @seamless
    def killpg(self, pgid: int, signal: int, /) -> None:
        raise later("sending a signal to a group of processes")

    @seamless
    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        if pid != self.pid and not self._is_child(pid):
            raise later("watching another process by a descriptor")
        kernel_pid = self.kernel_pid if pid == self.pid else pid
        return real["pidfd_open"](kernel_pid, flags)  # type: ignore[no-any-return]

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
                if pid != self.pid and not self._is_child(pid):
                    raise os_error(errno.ESRCH)
                args = (*args[:at], 0 if pid == self.pid else pid, *args[at + 1 :])
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
