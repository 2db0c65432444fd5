"""A warm interpreter: the context and what every program imports are loaded; it forks on demand.

Started by the Runtime as `python -S boot.py Z FD [TERMINAL]`, with FD one end of a socket whose
other end only the Runtime has; with a terminal it leads the session there (`leader.py`). It answers
one request after the other and keeps nothing of a program: who a child is (arguments, environment,
token) goes through a socket of its own to the child alone, so no later one can find it in its
memory. It imports nothing that a program would not have loaded, has no thread, without a terminal
sets no signal handler, and ends when its socket does. It does not `gc.freeze`: a program could
tell, for the collector would not show it what came before it. The requests are in
docs/guest-protocol.md; the Runtime's side is `runtime/zygote.py`.
"""

import _signal
import _socket
import sys

from . import codec, renewed
from .context import Context
from .descriptors import real
from .paths import ENCODING, ERRORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

IDENTITY_BYTES_MAX = 256 * 1024
"""More than the Runtime sends: it starts programs with more to say in the cold."""

REQUEST_BYTES = 16 * 1024
"""Three numbers and six paths at most."""

NOT_STARTED = 126
WORD = 4
JOB_BYTES = 2 * WORD

Socket = _socket.socket  # The program's own is replaced as the context is made.


def serve(fd: int, terminal: int = -1) -> tuple[list[str], str | None]:
    """Answer requests until the socket ends.

    Args:
        fd: the socket to the Runtime.
        terminal: that of the session which this process leads, if it leads one.

    Returns:
        In each child, with its context in place: what `sys.orig_argv` is after a cold start, and
        the directory of its packages, if it has asked for any.
    """
    context = Context()
    # What the interpreter and `start` import for any program, so that a child has no more of it.
    import io  # noqa: F401
    import os  # noqa: F401
    import site  # noqa: F401

    # Every start looks for it beside the standard library; what is found there is remembered.
    sys.modules["_frozen_importlib_external"].PathFinder.find_spec("sitecustomize")
    runtime = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, fd)
    leader = None
    if terminal >= 0:
        from .leader import Leader

        leader = Leader(terminal, runtime)
    runtime.send(b"+")
    while True:
        request, received = receive(runtime)
        if not request:
            leave(0)
        if request[:1] == b"R":
            pid = int.from_bytes(request[1:], "little")
            inside = leader and leader.gates and leader.gates.reaped(pid)
            runtime.send(b"R" + (inside or reaped(pid)))
            continue
        if leader is not None and request[:1] != b"F":
            answer, marker = leader.answer(request)
            runtime.send(request[:1] + answer)
            # After the answer: the terminal may be slow.
            leader.mark(marker)
            continue
        pidfd = -1
        if leader is not None and len(request) > 1 + JOB_BYTES:
            pid, group, pidfd = leader.start_inside(request[1:], received, become_inside)
        else:
            try:
                pid = group = real["fork"]()
            except OSError as error:
                pid = group = -(error.errno or 1)
            if pid == 0:
                runtime.close()
                if leader is None:
                    lead(0)
                else:
                    leader.child()
                return become(context, received)
            if pid > 0 and leader is not None:
                group = leader.place(pid, request[1:])
            elif pid > 0:
                lead(pid)
        both = [number.to_bytes(WORD, "little", signed=True) for number in (pid, group)]
        runtime.sendmsg([b"F" + b"".join(both)], rights(pidfd))
        for descriptor in [*received, *([pidfd] if pidfd >= 0 else [])]:
            real["close"](descriptor)


def rights(fd: int) -> "list[Any]":
    """What has a descriptor go with a message, if there is one."""
    given = [fd.to_bytes(WORD, sys.byteorder)] if fd >= 0 else []
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw) for raw in given]


def receive(sock: Socket) -> tuple[bytes, list[int]]:
    """One request and the descriptors that came with it; an empty one at the socket's end."""
    space = _socket.CMSG_SPACE(4 * WORD)
    try:
        request, ancillary, _, _ = sock.recvmsg(REQUEST_BYTES, space)
    except OSError:
        return b"", []
    raw = b"".join(data for _, _, data in ancillary)
    fds = [raw[at : at + WORD] for at in range(0, len(raw), WORD)]
    return request, [int.from_bytes(fd, sys.byteorder) for fd in fds]


def reaped(pid: int) -> bytes:
    """The wait status of a child that has ended, or -1."""
    try:
        status = real["waitpid"](pid, 0)[1]
    except OSError:
        status = -1
    return status.to_bytes(WORD, "little", signed=True)  # type: ignore[no-any-return]


def lead(pid: int) -> None:
    """Make a process the leader of a group of its own, as the Runtime's children are."""
    try:
        real["setpgid"](pid, pid)
    except OSError:
        pass  # It did so itself, and may have ended.


def leave(status: int) -> "NoReturn":
    real["_exit"](status)
    raise SystemExit  # For the type checker: nothing comes back from there.


# --- in the child -------------------------------------------------------------------------------
def become(context: Context, received: list[int]) -> tuple[list[str], str | None]:
    """Turn this child into the program that the Runtime names: the command line of a cold start,
    and the directory of its packages.

    Where the Runtime does not name one, it has given this start up: nothing was done, and this
    process ends.
    """
    argv, environment, umask, foreign = identity(received)
    if foreign:
        real["umask"](umask)
        execute(argv, environment)
    from .io_open import real_open

    renewed.take_environment(environment)
    renewed.make_streams(real_open)
    context.descriptors.umask(umask)
    packages = context.assume()
    # A cold start has not loaded these.
    package = sys.modules["_oneos"]
    del sys.modules["_oneos.zygote"], package.zygote
    del sys.modules["_oneos.renewed"], package.renewed
    return [word.decode(ENCODING, ERRORS) for word in argv], packages


def become_inside(calls: "dict[str, Any]", received: list[int]) -> "NoReturn":
    """In a child that is in a name space: execute what the Runtime names.

    Args:
        calls: what stands in `fuse/calls.py`.
    """
    argv, environment, umask, (directory, terminals, ignored) = identity(received)
    real["umask"](umask)
    calls["name_terminals"](terminals)
    calls["execute"](directory, argv, dict(environment), ignored)
    leave(NOT_STARTED)


def identity(received: list[int]) -> "Any":
    """Who this child is, once the standard descriptors are in place; else it ends here."""
    private = renewed.put_standard(received, real["dup"], real["dup2"], real["close"])
    own = Socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, private)
    try:
        raw = own.recv(IDENTITY_BYTES_MAX)
    except OSError:
        raw = b""
    own.close()
    if not raw:
        leave(NOT_STARTED)
    return codec.decode(raw)


def execute(argv: list[bytes], environment: "list[list[bytes]]") -> "NoReturn":
    """Become a program that cannot be a fork of this one: the kernel starts it."""
    for number in (_signal.SIGPIPE, getattr(_signal, "SIGXFSZ", None)):
        if number is not None:
            _signal.signal(number, _signal.SIG_DFL)
    try:
        real["execve"](argv[0], argv, dict(environment))
    except OSError as error:
        real["write"](2, b"oneos: %s: %s\n" % (argv[0], str(error.strerror).encode()))
    leave(NOT_STARTED)
