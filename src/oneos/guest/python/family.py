"""A program's children: their PIDs in the network and in the kernel, and waiting for them.

Children are the kernel's own, so wait(2) and its kind, SIGCHLD, sessions and process groups are the
kernel's too; what is kept here is which of its numbers stands for which PID of the network. The
Runtime is told which OS process a child is, and how it ended, since only the parent may wait.
"""

import _thread
import errno
import posix
from collections import OrderedDict

from .descriptors import real
from .failure import os_error, seamless

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .channel import Channel

GROUPS_KEPT_MAX = 256
"""Children that have ended and may have led a process group, whose PIDs still name that group."""

NOBODY = -1
"""The kernel's number of a parent that is none of this process's parents in the kernel."""

WaitidResult = posix.waitid_result


class Family:
    """The children of this process.

    Args:
        channel: to the Runtime.
    """

    def __init__(self, channel: "Channel") -> None:
        self.channel = channel
        self.assume(0, 0)
        # Network to kernel, and back; the second also for those that have ended lately.
        self.children: dict[int, int] = {}
        self.names: OrderedDict[int, int] = OrderedDict()
        # Children whose output has to be taken over by the Runtime before they count as ended.
        self.piped: set[int] = set()
        # Re-entrant: a handler of SIGCHLD may wait while its own thread starts a child.
        self.lock = _thread.RLock()
        self.starting: tuple[int, str] | None = None
        real["register_at_fork"](after_in_child=self._forked)

    def assume(self, pid: int, parent: int, launched: bool = False) -> None:
        """Be a process of the network.

        Args:
            pid: of this process.
            parent: the PID of its parent; 0 if a client started it.
            launched: its parent in the kernel is the Runtime or a warm interpreter: no process of
                the network, and nobody whose process group a program may signal.
        """
        self.pid = pid
        self.kernel_pid: int = real["getpid"]()
        self.parent = parent or 1
        self.kernel_parent: int = NOBODY if launched else real["getppid"]()

    # --- starting ---------------------------------------------------------------------------
    def begin(self, pid: int, token: str, start: "Callable[[], Any]") -> "Any":
        """Start a child that the Runtime has entered.

        Args:
            pid: its PID in the network.
            token: with which it says hello.
            start: forks; gives the kernel's PID, or a tuple that begins with it.

        Returns:
            What `start` gave; in the child, as fork(2) does.

        Raises:
            OSError: it could not be started; the Runtime is told.
        """
        with self.lock:
            self.starting = (pid, token)
            try:
                result = start()
            except BaseException:
                self.channel.post("unborn", pid)
                raise
            finally:
                self.starting = None
            kernel_pid: int = result[0] if isinstance(result, tuple) else result
            # A signal handler of this thread may have waited for it already.
            there = kernel_pid != 0 and self.names.get(kernel_pid) != pid
            if there:
                self.children[pid] = kernel_pid
                self._name(pid, kernel_pid)
        if there:
            try:
                # Not posted: if this process ends next, its child must be watched by then.
                self.channel.call("started", pid, kernel_pid)
            except OSError:
                pass  # The Runtime has gone; the child runs.
        return result

    def _name(self, pid: int, kernel_pid: int) -> None:
        self.names[kernel_pid] = pid
        self.names.move_to_end(kernel_pid)

    def _forked(self) -> None:
        """In a child that still runs this program: it is another process of the network."""
        if self.starting is None:
            return
        self.parent, self.kernel_parent = self.pid, self.kernel_pid
        self.pid, token = self.starting
        self.kernel_pid = real["getpid"]()
        self.children.clear()
        self.piped.clear()
        self.channel.greet(self.pid, token)

    # --- numbers ----------------------------------------------------------------------------
    def kernel(self, pid: int) -> int:
        """The kernel's PID of this process or a child of it. Raises OSError(ESRCH)."""
        if pid == self.pid:
            return self.kernel_pid
        found = self.children.get(pid)
        if found is None:
            raise os_error(errno.ESRCH)
        return found

    def group(self, pgid: int) -> int:
        """The kernel's number of a process group. Raises OSError(ESRCH)."""
        if pgid == self.pid:
            return self.kernel_pid
        if pgid == self.parent and self.kernel_parent != NOBODY:
            return self.kernel_parent
        for kernel_pid, pid in reversed(self.names.items()):
            if pid == pgid:
                return kernel_pid
        if pgid == real["getpgid"](0):
            return pgid  # One that an ancestor leads goes by the kernel's number here.
        raise os_error(errno.ESRCH)

    def named(self, number: int) -> int:
        """The PID of the network for one of the kernel's, where it is known here."""
        if number == self.kernel_pid:
            return self.pid
        if number == self.kernel_parent:
            return self.parent
        found: int = self.names.get(number, number)
        return found

    def session(self, number: int) -> int:
        """The PID of a session's leader; 0 for one that is not known here, as the kernel has it
        where the leader is in another PID name space."""
        known = number in (self.kernel_pid, self.kernel_parent) or number in self.names
        return self.named(number) if known else 0

    @seamless
    def getppid(self) -> int:
        there = self.kernel_parent in (NOBODY, real["getppid"]())
        return self.parent if there else 1

    # --- waiting ----------------------------------------------------------------------------
    def _awaited(self, pid: int) -> int:
        """The kernel's number for what `pid` means to waitpid(2)."""
        if pid > 0:
            if pid not in self.children:
                raise os_error(errno.ECHILD)
            return self.children[pid]
        try:
            return -self.group(-pid) if pid < -1 else pid
        except ProcessLookupError:
            pass
        raise os_error(errno.ECHILD)

    def _ended(self, kernel_pid: int, status: int) -> int:
        """Note what wait(2) gave; the PID in the network."""
        if kernel_pid <= 0:
            return kernel_pid
        with self.lock:
            pid = self.names.get(kernel_pid, kernel_pid)
            known = pid in self.children
            if not known and self.starting is not None:
                # It ended, and a signal handler waits for it, before it was entered.
                pid, known = self.starting[0], True
                self._name(pid, kernel_pid)
            if posix.WIFSTOPPED(status) or posix.WIFCONTINUED(status):
                return pid
            self.children.pop(pid, None)
            while len(self.names) - len(self.children) > GROUPS_KEPT_MAX:
                oldest = next(k for k, p in self.names.items() if p not in self.children)
                del self.names[oldest]
        if pid in self.piped:
            self.piped.discard(pid)
            self.channel.call("reaped", pid, status)
        elif known:
            self.channel.post("reaped", pid, status)
        return pid

    def wait_for(self, name: str, pid: int, options: int) -> "tuple[Any, ...]":
        """waitpid or wait4, by the network's PIDs."""
        target = self._awaited(pid)
        try:
            result: tuple[Any, ...] = real[name](target, options)
        except ChildProcessError:
            # Where SIGCHLD is ignored the kernel keeps no zombies.
            self.children.pop(pid, None)
            raise
        return (self._ended(result[0], result[1]), *result[1:])

    @seamless
    def waitpid(self, pid: int, options: int, /) -> "tuple[Any, ...]":
        return self.wait_for("waitpid", pid, options)

    @seamless
    def wait4(self, pid: int, options: int) -> "tuple[Any, ...]":
        return self.wait_for("wait4", pid, options)

    @seamless
    def wait3(self, options: int) -> "tuple[Any, ...]":
        return self.wait_for("wait4", -1, options)

    @seamless
    def wait(self) -> "tuple[Any, ...]":
        return self.wait_for("waitpid", -1, 0)

    @seamless
    def waitid(self, idtype: int, id: int, options: int, /) -> "Any":
        if idtype == posix.P_PID and id > 0:
            id = self._awaited(id)
        elif idtype == posix.P_PGID and id > 0:
            id = -self._awaited(-id)
        found = real["waitid"](idtype, id, options)
        if found is None:
            return None
        kernel_pid, uid, number, status, code = found
        pid = self.named(kernel_pid)
        ended = code in (posix.CLD_EXITED, posix.CLD_KILLED, posix.CLD_DUMPED)
        if ended and not options & posix.WNOWAIT:
            pid = self._ended(kernel_pid, status << 8 if code == posix.CLD_EXITED else status)
        return WaitidResult((pid, uid, number, status, code))
