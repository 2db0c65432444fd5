"""What a program learns about itself: its PID, its user, the host's name; and signals to others.

A program has one PID in the whole network, from the Runtime; the kernel's is hidden. Its children
have theirs (`family.py`); signals to them, to itself and to its process groups go to the kernel at
once, those to any other process of the network through the Runtime.
"""

import errno
import posix

from .descriptors import real
from .failure import later, os_error, seamless
from .places import owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .channel import Channel
    from .family import Family

UnameResult = posix.uname_result

BECOMING = {
    **dict.fromkeys(["setuid", "seteuid", "setgid", "setegid", "setgroups"], 1),
    **dict.fromkeys(["setreuid", "setregid", "initgroups"], 2),
    **dict.fromkeys(["setresuid", "setresgid"], 3),
}
"""Functions that make a process another user's, and how many arguments each takes."""


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
        if pid == 1:
            # Nobody, whose group is nobody's: the parent of programs that no program started.
            return 1
        return self.family.named(real["getpgid"](self._relative(pid, False) if pid else 0))

    @seamless
    def getsid(self, pid: int, /) -> int:
        return self.family.session(real["getsid"](self._relative(pid, False) if pid else 0))

    @seamless
    def setpgid(self, pid: int, pgrp: int, /) -> None:
        kernel_pid = self.family.kernel(pid) if pid else 0
        real["setpgid"](kernel_pid, self.family.group(pgrp) if pgrp > 0 else pgrp)

    @seamless
    def tcgetpgrp(self, fd: int, /) -> int:
        return self.family.named(real["tcgetpgrp"](fd))

    @seamless
    def tcsetpgrp(self, fd: int, pgid: int, /) -> None:
        real["tcgetpgrp"](fd)  # What is wrong with the descriptor comes before the group.
        real["tcsetpgrp"](fd, self.family.group(pgid))

    @seamless
    def pidfd_open(self, pid: int, flags: int = 0) -> int:
        if pid <= 0:
            return real["pidfd_open"](pid, flags)  # type: ignore[no-any-return]
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

    def _relative(self, pid: int, asks: bool) -> int:
        """The kernel's number of a child or the parent.

        Args:
            asks: nothing is changed: then 1, the parent of who has none, is the host's too.

        Raises:
            OSError: ESRCH, it is neither.
        """
        family = self.family
        if pid == family.parent and family.kernel_parent == real["getppid"]():
            return family.kernel_parent
        return 1 if pid == 1 and asks else family.kernel(pid)

    def about(self, name: str, at: int = 0) -> "Any":
        """The function `name` of `posix`, which takes a PID as its argument number `at`.

        The program's own PID is the kernel's 0; any other but a child's is not the kernel's.
        """
        function, asks = real[name], "set" not in name

        @seamless
        def call(*args: "Any") -> "Any":
            pid = args[at] if len(args) > at else 0
            if isinstance(pid, int) and pid:
                number = 0 if pid == self.family.pid else self._relative(pid, asks)
                args = (*args[:at], number, *args[at + 1 :])
            return function(*args)

        call.__name__ = call.__qualname__ = name
        return call

    def becoming(self, name: str) -> "Any":
        """Stands for the function `name` of `posix`: setuid(2) or one of its kind.

        A program stays who its session is: that it may become, as it may natively, but nobody else.
        """
        function, count = real[name], BECOMING[name]
        of_groups, what = name.endswith("groups"), "gid" if "g" in name else "uid"

        @seamless
        def become(*ids: "Any") -> None:
            if len(ids) != count:
                function(*ids)  # For its error.
            wanted = ids[-1] if name == "setgroups" else ids[-1:] if of_groups else ids
            numbers = {owner(id, what) for id in wanted}
            if count == 1 and -1 in numbers:
                raise os_error(errno.EINVAL)
            own = self.uid if what == "uid" else self.gid
            # No group but one's own: so there is none to give up, or to take.
            if not numbers <= {own, -1} or (of_groups and (self.uid or numbers != {own})):
                raise os_error(errno.EPERM)

        become.__name__ = become.__qualname__ = name
        return become

    @seamless
    def uname(self) -> "Any":
        system = real["uname"]()
        return UnameResult((system[0], self.hostname, *system[2:]))

    @seamless
    def gethostname(self) -> str:
        return self.hostname
