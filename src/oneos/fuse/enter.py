"""Runs a program in a name space that another program starts outside, and stands for it there.

Executed by the other program itself, as `python -S -I enter.py PID FIRST SIZE KINDS SOCKET
TERMINALS IGNORED CWD ARGUMENT...` with its child's descriptors, environment, group and session:
KINDS are the paths of descriptors of the name spaces, separated by commas, in the order in which
they are to be entered. A name space of PIDs holds only who is started in it; so where there is one
(else PID is 0) the program becomes a child of this process, under its number PID of the network.
This process then passes signals on to it, stops and ends as it does, and is killed with it the
other way round.

A terminal that it has open gets a name there: TERMINALS is where the host's are shown. IGNORED are
the signals that the program begins with ignored, beside those that this process does.

That the program's `kill` reaches other hosts takes a filter of its own (`asking.py`; FIRST and SIZE
are this host's block of numbers). Who answers it gets the listening descriptor over the Runtime's
SOCKET.
"""

import _socket
import posix
import sys

sys.path.insert(0, __file__.rpartition("/")[0])

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from typing import NoReturn

    from oneos.fuse import asking, calls
else:
    import _signal

    import asking
    import calls

UNSEEN = {_signal.SIGKILL, _signal.SIGSTOP}
OWN = {_signal.SIGCONT, _signal.SIGTTIN, _signal.SIGTTOU, _signal.SIGTSTP}
"""What is not passed on: it comes from the program, or has reached it as one of its group."""


def main() -> None:
    """See the module."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    words = (word.encode(encoding, errors) for word in sys.argv[1:])
    number, first, size, kinds, runtime, terminals, ignored, cwd, *arguments = words
    # All are opened before any is entered: the paths are those of outside.
    fds = [posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC) for path in kinds.split(b",")]
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    if number != b"0":
        sock.connect(runtime)
    for fd in fds:
        calls.setns(fd)
    calls.name_terminals(terminals)
    environment = posix.environ
    if number == b"0":
        calls.execute(cwd, arguments, environment, ignored)
    # Blocked before there is a program to pass them on to, and in this process for good.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    pid, pidfd = calls.fork(int(number))
    if pid == 0:
        calls.die_with_parent()
        asking.offer(int(first), int(size), sock)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
        calls.execute(cwd, arguments, environment, ignored)
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, OWN)
    # The program's streams are its own: whoever reads them waits for its copies to be closed.
    posix.closerange(0, pidfd)
    posix.closerange(pidfd + 1, posix.sysconf("SC_OPEN_MAX"))
    stand_for(pid, pidfd)


def stand_for(pid: int, pidfd: int) -> "NoReturn":
    """Pass signals on until the program ends, and end likewise."""
    while True:
        got = _signal.sigwaitinfo(_signal.valid_signals() - UNSEEN - OWN)
        if got.si_signo != _signal.SIGCHLD:
            # What the kernel sent (Ctrl-C) it has sent to the whole group.
            if got.si_code <= 0:
                pass_on(pidfd, got.si_signo)
            continue
        ended, status = posix.waitpid(pid, posix.WNOHANG | posix.WUNTRACED)
        if not ended:
            continue
        if posix.WIFSTOPPED(status):
            posix.kill(posix.getpid(), _signal.SIGSTOP)
            # Here again, it was continued: by its parent, or as one of a group.
            pass_on(pidfd, _signal.SIGCONT)
            continue
        end_as(status)


def pass_on(pidfd: int, number: int) -> None:
    """Send the program a signal; whether it has ended shows as its status."""
    try:
        _signal.pidfd_send_signal(pidfd, number)
    except OSError:
        pass


def end_as(status: int) -> "NoReturn":
    """End as a process did."""
    if posix.WIFSIGNALED(status):
        number = posix.WTERMSIG(status)
        # The program has left its memory already, if it should.
        calls.leave_no_core()
        if number not in UNSEEN:
            _signal.signal(number, _signal.SIG_DFL)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {number})
        posix.kill(posix.getpid(), number)
    posix._exit(posix.waitstatus_to_exitcode(status) & 0xFF)


if __name__ == "__main__":
    main()
