"""A warm interpreter inside the name space: a plain one, whose children are plain programs.

Executed as any program there, as `python3 -S -c ...` with one end of a socket as standard input;
the other end only the Runtime has. Its first message brings the text of this file and of three
others, which lie outside of what the name space shows. A child of it is its parent's child, under
a number of the Runtime's choice; it waits for who it is on a socket of its own, and then goes on as
if it had been executed: no module, descriptor, argument or variable is left of what it was.
`zygote.py` is its like for instrumented programs; the Runtime's side is `runtime/inner.py`.
"""

import _socket
import posix
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HERE = "<oneos>"
LOCALE = (b"LC_ALL", b"LC_CTYPE", b"LANG")
WORD = 4
REQUEST_BYTES = 64
IDENTITY_BYTES_MAX = 256 * 1024
NOT_STARTED = 126


def main(loaded: "set[str]", texts: list[bytes]) -> None:
    """Serve, and become a program in each child.

    Args:
        loaded: the modules of a bare start.
        texts: those of `fuse/calls.py`, `start.py` and `codec.py`.
    """
    calls, start, codec = map(load, texts)
    # What a start loads without `-S`, before it looks at what the program brings.
    own = set(sys.modules) - loaded
    import io  # noqa: F401
    import os  # noqa: F401
    import site  # noqa: F401

    sys.modules["_frozen_importlib_external"].PathFinder.find_spec("sitecustomize")
    runtime = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, posix.dup(0))
    # Not before it is known that a child can look like any other.
    title = calls["Title"]()
    runtime.send(b"+" + word(posix.getpid()))
    while True:
        request, fds = receive(runtime)
        if not request:
            posix._exit(0)
        pid, pidfd = -1, -1
        try:
            pid, pidfd = calls["copy"](int.from_bytes(request[1:], sys.byteorder))
        except OSError as error:
            pid = -(error.errno or 1)
        if pid == 0:
            runtime.close()
            try:
                become(fds, calls, codec, start, title, own)
            except BaseException:
                strip()
                raise
            return
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, word(pidfd))] if pidfd >= 0 else []
        runtime.sendmsg([b"F" + word(pid)], rights)
        for fd in [*fds, *([pidfd] if pidfd >= 0 else [])]:
            posix.close(fd)


def load(text: bytes) -> "dict[str, Any]":
    space: dict[str, Any] = {"__name__": "oneos"}
    exec(compile(text, HERE, "exec"), space)
    return space


def strip() -> None:
    """Take our frames off the front of the traceback of the exception being handled."""
    error = sys.exception()
    if error is None:
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == HERE:
        trace = trace.tb_next
    error.__traceback__ = trace


def word(number: int) -> bytes:
    return number.to_bytes(WORD, sys.byteorder, signed=True)


def receive(sock: _socket.socket) -> tuple[bytes, list[int]]:
    """One request and the descriptors that came with it; an empty one at the socket's end."""
    space = _socket.CMSG_SPACE(4 * WORD)
    try:
        data, ancillary, _, _ = sock.recvmsg(REQUEST_BYTES, space, _socket.MSG_CMSG_CLOEXEC)
    except OSError:
        return b"", []
    raw = b"".join(piece for _, _, piece in ancillary)
    fds = [raw[at : at + WORD] for at in range(0, len(raw), WORD)]
    return data, [int.from_bytes(fd, sys.byteorder) for fd in fds]


# --- in the child -------------------------------------------------------------------------------
def become(
    fds: list[int],
    calls: "dict[str, Any]",
    codec: "dict[str, Any]",
    start: "dict[str, Any]",
    title: "Any",
    own: "set[str]",
) -> None:
    """Be the program that the Runtime names, to its end."""
    *standard, private = [aside(fd) for fd in fds]
    for number, fd in enumerate(standard):
        posix.dup2(fd, number)
        posix.close(fd)
    try:
        # At a terminal its parent puts it into the group of its job, before it is told who it is.
        posix.setpgid(0, 0)
    except OSError:
        pass
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, private)
    try:
        raw = sock.recv(IDENTITY_BYTES_MAX)
    except OSError:
        raw = b""
    sock.close()
    if not raw:
        posix._exit(NOT_STARTED)
    argv, pairs, umask, (cwd, terminals) = codec["decode"](raw)
    try:
        posix.chdir(cwd)
    except OSError as error:
        text = b"oneos: " + cwd + b": " + (error.strerror or "").encode() + b"\n"
        posix.write(2, text)
        posix._exit(NOT_STARTED)
    posix.umask(umask)
    calls["name_terminals"](terminals)
    take_environment(pairs)
    time.tzset()
    title.show(argv, [name + b"=" + value for name, value in pairs])
    for name in own | {"_ctypes", "_socket"}:
        sys.modules.pop(name, None)
    make_streams()
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    sys.orig_argv = [part.decode(encoding, errors) for part in argv]
    arguments = sys.orig_argv[1:]
    sys.argv = list(arguments)
    # What `-c` brought; the program's own comes with it.
    del sys.path[0]
    sys.flags = start["flags_with_site"]()
    space = sys.modules["__main__"].__dict__
    for name in list(space):
        if name not in ("__name__", "__builtins__"):
            del space[name]
    space.update(__doc__=None, __package__=None, __loader__=None, __spec__=None)
    space["__annotations__"] = {}
    start["add_packages"](None)
    start["run"](arguments, space, False)


def aside(fd: int) -> int:
    """`fd` at a number that is no standard descriptor's."""
    return fd if fd > 2 else aside(posix.dup(fd))


def take_environment(pairs: "list[list[bytes]]") -> None:
    """Have this environment and no other: Python's own and C's."""
    environment = posix.environ
    coerced = {name: environment[name] for name in LOCALE if name in environment}
    for name in list(environment):
        posix.unsetenv(name)
    environment.clear()
    environment.update((name, value) for name, value in pairs)
    environment.update(coerced)
    for name, value in environment.items():
        posix.putenv(name, value)


def make_streams() -> None:
    """The standard streams anew, as the interpreter's C code makes them for these descriptors."""

    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        old: Any = getattr(sys, name)
        buffered: Any = open(fd, mode + "b", closefd=False)  # noqa: SIM115
        buffered.raw.name = f"<{name}>"
        lines = fd == 2 or buffered.raw.isatty()
        new: Any = type(old)(buffered, old.encoding, old.errors, "\n", lines)
        new.mode = mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)
