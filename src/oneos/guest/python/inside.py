"""Starting a terminal's programs in the host's name space, as children of its session.

The leader of the session (`leader.py`) forks one process that enters the name space and stays
there: the gate. What it forks is of the leader's session and of the name space, under the number
that the log gave, with no process between it and whoever signals, stops or waits for it. The leader
asks it over a socket pair, one request at a time; that a program was stopped it tells the Runtime
by itself. It is made for the first such program, and made anew with the name space; an old one
stays until its programs have ended.
"""

import _socket
import errno
import posix
import sys

from .channel import Real as Socket
from .descriptors import real

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from .leader import Leader

WORD = 4
MESSAGE_BYTES = 64
OWN_WORDS = 5
"""Of what says where to start, those that do not say what to enter."""


class Gates:
    """The leader's side.

    Args:
        leader: it.
        become: has a child execute what it is told, by the functions of `fuse/calls.py` and with
            what it received.
    """

    def __init__(
        self, leader: "Leader", become: "Callable[[dict[str, Any], list[int]], NoReturn]"
    ) -> None:
        self.leader = leader
        self.become = become
        self.ended: list[int] = []
        self.gate: Socket | None = None
        self.entered: list[tuple[int, int]] = []
        self.of: dict[int, Socket] = {}
        """The gate of each program that was not waited for."""

    def fork(self, number: int, group: int, where: bytes, fds: list[int]) -> tuple[int, int]:
        """Start a child in a name space.

        Args:
            number: its number there; 0: what the kernel gives.
            group: the host's number of the process group that it joins; 0: one of its own.
            where: paths of `fuse/calls.py`, `fuse/asking.py` and the Runtime's socket, the first
                and the count of this host's numbers, and in the order in which they are entered the
                paths of the name spaces' descriptors; with NUL between each two.
            fds: what the child gets.

        Returns:
            The host's number of the child, or minus an errno; and a pidfd of it, or -1.
        """
        told = where.split(b"\0")
        own, kinds = told[:OWN_WORDS], told[OWN_WORDS:]
        try:
            entered = [(found.st_dev, found.st_ino) for found in map(real["stat"], kinds)]
            if self.gate is None or self.entered != entered:
                self.close()
                self.gate, self.entered = self.make(own, kinds, fds), entered
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, words(fds))]
            self.gate.sendmsg([b"F" + words([number, group])], rights)
            answer, received = receive(self.gate)
        except OSError:
            answer, received = b"", []
        if not answer or self.gate is None:
            # It could not enter, or was killed; the next one may.
            self.close()
            return -errno.ENOSYS, -1
        pid = int.from_bytes(answer, "little", signed=True)
        if pid > 0:
            self.of[pid] = self.gate
        return pid, received[0] if received else -1

    def adopt(self, pid: int, group: int) -> None:
        """Have a child of the gate that a program of it has made put into a group.

        Raises:
            OSError: there is no gate.
        """
        if self.gate is None:
            raise OSError(errno.ESRCH, "")
        self.gate.send(b"A" + words([pid, group]))
        self.gate.recv(MESSAGE_BYTES)
        self.of[pid] = self.gate

    def make(self, own: list[bytes], kinds: list[bytes], fds: list[int]) -> Socket:
        """A gate, which does not keep `fds`; what it could not do shows as its end."""
        # Those before it have ended, unless their programs go on.
        self.ended = [pid for pid in self.ended if not real["waitpid"](pid, posix.WNOHANG)[0]]
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        pid = real["fork"]()
        if pid == 0:
            try:
                self.leave()
                for fd in [ours.detach(), *fds]:
                    real["close"](fd)
                serve(self, own, kinds, theirs)
            finally:
                real["_exit"](1)
        self.ended.append(pid)
        theirs.close()
        return ours

    def leave(self) -> None:
        """In a child: have no way to a gate."""
        for gate in {self.gate, *self.of.values()}:
            if gate is not None:
                gate.close()

    def reaped(self, pid: int) -> bytes | None:
        """The wait status of a program that a gate started and that has ended; None: none did."""
        gate = self.of.pop(pid, None)
        if gate is None:
            return None
        status = b""
        try:
            gate.send(b"R" + words([pid]))
            status = gate.recv(MESSAGE_BYTES)
        except OSError:
            pass  # It was killed, and nobody else knows.
        if gate is not self.gate and gate not in self.of.values():
            gate.close()
        return status or words([-1])

    def close(self) -> None:
        """Ask the gate nothing more; it ends once nobody has to ask it how its programs ended."""
        gate, self.gate = self.gate, None
        if gate is not None and gate not in self.of.values():
            gate.close()


# --- in the gate --------------------------------------------------------------------------------
def serve(gates: Gates, own: list[bytes], kinds: list[bytes], leader: Socket) -> None:
    """Enter the name spaces, then start programs until the socket ends."""
    # This process is no program of the network, so it does what the host's kernel does.
    for name, function in real.items():
        setattr(posix, name, function)
    code, asking, path, first, size = own
    calls, asks = load(code, "calls"), load(asking, "asking")
    runtime = Socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    if int(first):
        runtime.connect(path)
    # All are opened before any is entered: the paths are those of outside.
    for fd in [posix.open(kind, posix.O_RDONLY | posix.O_CLOEXEC) for kind in kinds]:
        calls["setns"](fd)
        posix.close(fd)
    if int(first):
        asks["offer"](int(first), int(size), runtime)
    runtime.close()
    while True:
        request, fds = receive(leader)
        if not request:
            return
        if request[:1] == b"R":
            leader.send(status_of(int.from_bytes(request[1:], "little")))
            continue
        number, group = (int.from_bytes(request[at : at + WORD], "little") for at in (1, 1 + WORD))
        if request[:1] == b"A":
            place(number, group)
            leader.send(words([number]))
            continue
        try:
            pid, pidfd = calls["fork"](number)
        except OSError as error:
            pid, pidfd = -(error.errno or 1), -1
        if pid == 0:
            # The number of its group is one of outside, so it is put there from outside.
            gates.leader.child()
            gates.become(calls, fds)
        rights = []
        if pid > 0:
            place(pid, group)
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, words([pidfd]))]
        leader.sendmsg([words([pid])], rights)
        for fd in [*fds, *([pidfd] if pidfd >= 0 else [])]:
            posix.close(fd)


def load(path: bytes, name: str) -> "dict[str, Any]":
    """What a file of `fuse` defines, which finds what was loaded before."""
    module = type(sys)(name)
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    sys.modules[name] = module
    exec(compile(posix.read(fd, posix.fstat(fd).st_size), path, "exec"), module.__dict__)
    posix.close(fd)
    return module.__dict__


def place(pid: int, group: int) -> None:
    """Put a child into a group, or into one of its own where all others of that have ended."""
    for wanted in (group, 0):
        try:
            posix.setpgid(pid, wanted)
            return
        except OSError:
            continue


def status_of(pid: int) -> bytes:
    try:
        return words([posix.waitpid(pid, 0)[1]])
    except OSError:
        return words([-1])


def words(numbers: list[int]) -> bytes:
    return b"".join(number.to_bytes(WORD, sys.byteorder, signed=True) for number in numbers)


def receive(sock: Socket) -> tuple[bytes, list[int]]:
    """A message and its descriptors; an empty one at the socket's end."""
    space = _socket.CMSG_SPACE(WORD * WORD)
    data, ancillary, _, _ = sock.recvmsg(MESSAGE_BYTES, space, _socket.MSG_CMSG_CLOEXEC)
    raw = b"".join(piece for _, _, piece in ancillary)
    fds = [raw[at : at + WORD] for at in range(0, len(raw), WORD)]
    return data, [int.from_bytes(fd, sys.byteorder) for fd in fds]
