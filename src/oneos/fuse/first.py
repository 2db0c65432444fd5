"""The first process of a name space: it starts the Runtime's programs there, and reaps.

Executed by whoever builds the name space, as `python -S -I first.py FD NOFILE PROC FIRST SIZE`. It
is process 1 of a name space of PIDs, so that a program has the very number that the log gave it,
and what that starts gets numbers of this host's block. With it all programs end, so there is little
here: no thread, no signal handler, one request at a time, and nothing of a program: what it is to
execute lies in a file of its own, which the child alone reads. It ends when its socket does. The
requests are in docs/guest-protocol.md; the Runtime's side is `runtime/starter.py`.

Where there can be no name space of PIDs, PROC is "-": it starts programs all the same, under the
numbers that the host's kernel gives.
"""

import os
import resource
import select
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneos.fuse import asking, calls, kills, reopened
else:
    import asking
    import calls
    import kills
    import reopened

REQUEST_BYTES = 16
WORD = 4
DESCRIPTORS = 6
"""0, 1, 2, of what can move (Node) two more, and the file that says what to execute."""

TICK_MS = 250
"""How often it looks for orphans to reap, and at the numbers, while anything runs: half a block in
that time are 12,000 forks a second, ten times what a small host can do."""


class Refused(Exception):
    """Why there can be no numbers of one's own here."""


class Numbers:
    """Keeps the numbers that the kernel gives in this host's block.

    Args:
        proc: where to mount /proc.
        first, size: the block.

    Raises:
        OSError, Refused: the kernel has no such numbers.
    """

    def __init__(self, proc: bytes, first: int, size: int) -> None:
        calls.mount_proc(proc)
        self.proc = os.open(proc, os.O_RDONLY | os.O_DIRECTORY)
        self._first, self._size = first, size
        most = int(self._read("sys/kernel/pid_max"))
        if most < first + size:
            # Before Linux 6.14 this was the host's own, which is not ours to change.
            raise Refused(f"kernel.pid_max is {most}, and it takes {first + size}")
        self._last = os.open("sys/kernel/ns_last_pid", os.O_RDWR, dir_fd=self.proc)
        self.wind()
        # Whether a number can be chosen shows when one is.
        pid, pidfd = calls.fork(first + size - 1)
        if pid == 0:
            os._exit(0)
        os.close(pidfd)
        os.waitpid(pid, 0)

    def _read(self, name: str) -> bytes:
        fd = os.open(name, os.O_RDONLY, dir_fd=self.proc)
        try:
            return os.read(fd, 64)
        finally:
            os.close(fd)

    def wind(self) -> None:
        """Go back to the block's beginning, well before its end; the kernel skips what is used."""
        last = int(os.pread(self._last, 64, 0))
        if not self._first <= last < self._first + self._size // 2:
            os.pwrite(self._last, b"%d" % (self._first - 1), 0)


class First:
    """See the module. `numbers` is None where they are the host's."""

    def __init__(self, runtime: socket.socket, numbers: "Numbers | None") -> None:
        self._runtime = runtime
        self._numbers = numbers
        self._poll = select.poll()
        proc = numbers.proc if numbers is not None else -1
        self.kills = kills.Kills(self._poll, proc, self._ask_to_kill)
        self._programs: set[int] = set()
        self._statuses: dict[int, int] = {}

    def serve(self) -> None:
        """Answer requests until the socket ends."""
        self._poll.register(self._runtime, select.POLLIN)
        while True:
            busy = self._reap()
            if self._numbers is not None:
                self._numbers.wind()
            for fd, events in self._poll.poll(TICK_MS if busy else None):
                if fd != self._runtime.fileno():
                    self.kills.serve(fd, events)
                elif not self._answer():
                    return

    def _reap(self) -> bool:
        """Reap what has ended; keep how programs ended until asked. Whether there is any child."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid in self._programs:
                self._programs.discard(pid)
                self._statuses[pid] = status

    def _answer(self) -> bool:
        try:
            request, fds = receive(self._runtime)
        except OSError:
            return False
        if not request:
            return False
        number = int.from_bytes(request[1 : 1 + WORD], "little", signed=True)
        if request[:1] == b"K":
            self.kills.answered(number, int.from_bytes(request[1 + WORD :], "little"))
        elif request[:1] == b"L" and fds:
            self.kills.listen(fds.pop())
        elif request[:1] == b"F":
            self._start(number, fds)
        elif request[:1] == b"R":
            self._send(b"R", self._ended(number))
        elif request[:1] == b"W":
            # A child that another process makes for us; it runs only after this.
            self._programs.add(number)
            self._send(b"W", 0)
        for fd in fds:
            os.close(fd)
        return True

    def _start(self, number: int, fds: "list[int]") -> None:
        try:
            pid, pidfd = calls.fork(number if self._numbers is not None else 0)
        except OSError as error:
            self._send(b"F", -(error.errno or 1))
            return
        if pid == 0:
            become(fds)
        lead(pid)
        self._programs.add(pid)
        self._send(b"F", pid, fds=[pidfd])
        os.close(pidfd)

    def _ended(self, pid: int) -> int:
        """How a program ended, which is asked once; -1: nobody knows, or it has not."""
        self._reap()
        # Else it is reaped with the orphans.
        self._programs.discard(pid)
        return self._statuses.pop(pid, -1)

    def _ask_to_kill(self, call: int, pid: int, number: int) -> None:
        self._send(b"K", call, pid, number)

    def _send(self, kind: bytes, *numbers: int, fds: "Sequence[int]" = ()) -> None:
        words = [number.to_bytes(WORD, "little", signed=True) for number in numbers]
        try:
            socket.send_fds(self._runtime, [kind, *words], fds)
        except OSError:
            pass  # Its end shows as the next request.


def receive(sock: socket.socket) -> "tuple[bytes, list[int]]":
    """One request and its descriptors, which no program inherits: `recv_fds` forgets to say so."""
    space = socket.CMSG_SPACE(DESCRIPTORS * WORD)
    request, ancillary, _, _ = sock.recvmsg(REQUEST_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    raw = b"".join(data for _, _, data in ancillary)
    fds = [raw[at : at + WORD] for at in range(0, len(raw), WORD)]
    return request, [int.from_bytes(fd, sys.byteorder) for fd in fds]


def lead(pid: int) -> None:
    """Make a process the leader of a group of its own."""
    try:
        os.setpgid(pid, pid)
    except OSError:
        pass  # It did so itself, and may have ended.


def become(fds: "list[int]") -> None:
    """In the child: be the program that the last of the descriptors names."""
    try:
        lead(0)
        *handed, what = (reopened.aside(fd, len(fds)) for fd in fds)
        for number, fd in enumerate(handed):
            os.dup2(fd, number)
        with open(what, "rb") as file:
            cwd, umask, ignored, opened, *words = file.read().split(b"\0")
        files = [words.pop(0) for _ in range(int(opened))]
        if files:
            reopened.reopen(files, len(handed))
        count, *words = words
        os.umask(int(umask))
        split = (word.partition(b"=") for word in words[int(count) :])
        environment = {name: value for name, _, value in split}
        calls.execute(cwd, words[: int(count)], environment, ignored)
    finally:
        os._exit(calls.NOT_STARTED)


def main() -> None:
    """See the module. Over the socket first goes `+`, with /proc, or `!` and what failed."""
    calls.default_signals()
    runtime = socket.socket(fileno=int(sys.argv[1]))
    runtime.set_inheritable(False)
    nofile, hard = int(sys.argv[2]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, hard))
    numbers = None
    try:
        # Of its programs' session it is the leader; none of them shares the Runtime's.
        os.setsid()
        if sys.argv[3] != "-":
            numbers = Numbers(os.fsencode(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    except (OSError, Refused) as error:
        runtime.sendall(f"!{error}".encode())
        return
    shown = [numbers.proc] if numbers is not None else []
    own = os.pidfd_open(os.getpid())
    socket.send_fds(runtime, [b"+"], [own, *shown])
    os.close(own)
    first = First(runtime, numbers)
    if numbers is not None:
        try:
            first.kills.listen(asking.install(int(sys.argv[4]), int(sys.argv[5])))
        except OSError as error:
            say = "kill(2) of native programs reaches their own host only: "
            os.write(2, f"{say}{error.strerror or error}\n".encode())
    first.serve()


if __name__ == "__main__":
    main()
