"""A warm interpreter inside the name space: a plain one, whose children are plain programs.

Executed as any program there, as `python3 -S -c ...` with one end of a socket as standard input;
the other end only the Runtime has. Its first message brings the text of this file and of four
others, which lie outside of what the name space shows. A child of it is its parent's child, under
a number of the Runtime's choice; it waits for who it is on a socket of its own, and then goes on as
if it had been executed: no module, descriptor, argument or variable is left of what it was.
`zygote.py` is its like for instrumented programs; the Runtime's side is `runtime/inner.py`.
"""

import _socket
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HERE = "<oneos>"
WORD = 4
REQUEST_BYTES = 64
IDENTITY_BYTES_MAX = 256 * 1024
NOT_STARTED = 126


def main(loaded: "set[str]", texts: list[bytes], extension: int = -1) -> None:
    """Serve, and become a program in each child.

    Args:
        loaded: the modules of a bare start.
        extension: what lets programs move, as an open file; -1: theirs do not.
        texts: those of `fuse/calls.py`, `start.py`, `codec.py` and `renewed.py`.
    """
    calls, start, codec, renewed = map(load, texts)
    # What a start loads without `-S`, before it looks at what the program brings.
    own = set(sys.modules) - loaded
    import io  # noqa: F401
    import os  # noqa: F401
    import site  # noqa: F401

    sys.modules["_frozen_importlib_external"].PathFinder.find_spec("sitecustomize")
    native = load_extension(extension) if extension >= 0 else None
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
                become(fds, calls, codec, start, renewed, title, own, native)
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


def receive(sock: _socket.socket, most: int = REQUEST_BYTES) -> tuple[bytes, list[int]]:
    """One request and the descriptors that came with it; an empty one at the socket's end."""
    space = _socket.CMSG_SPACE(4 * WORD)
    try:
        data, ancillary, _, _ = sock.recvmsg(most, space, _socket.MSG_CMSG_CLOEXEC)
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
    renewed: "dict[str, Any]",
    title: "Any",
    own: "set[str]",
    native: "Any",
) -> None:
    """Be the program that the Runtime names, to its end."""
    private = renewed["put_standard"](fds, posix.dup, posix.dup2, posix.close)
    try:
        # At a terminal its parent puts it into the group of its job, before it is told who it is.
        posix.setpgid(0, 0)
    except OSError:
        pass
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, private)
    raw, more = receive(sock, IDENTITY_BYTES_MAX)
    sock.close()
    if not raw:
        posix._exit(NOT_STARTED)
    argv, pairs, umask, (cwd, terminals, *files) = codec["decode"](raw)
    try:
        posix.chdir(cwd)
    except OSError as error:
        text = b"oneos: " + cwd + b": " + (error.strerror or "").encode() + b"\n"
        posix.write(2, text)
        posix._exit(NOT_STARTED)
    reopen(files)
    posix.umask(umask)
    calls["name_terminals"](terminals)
    renewed["take_environment"](pairs)
    title.show(argv, [name + b"=" + value for name, value in pairs])
    for name in own | {"_ctypes", "_socket"}:
        sys.modules.pop(name, None)
    renewed["make_streams"](open)
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
    control, *moved = (high(fd) for fd in more) if native is not None else (-1,)
    outside = tuple(start[name].__code__ for name in RUNNERS)
    if control >= 0:
        read_lines(native)
    if moved:
        serving = load_package(moved[1], native, outside)
        sys.exit(serving.go_on(moved[0], control, (HERE, "<string>")))
    if control >= 0:
        native.listen(control, Door(control, native, outside).serve)
    start["run"](arguments, space, False)


# --- moving -------------------------------------------------------------------------------------
RUNNERS = ("run_file_code", "run_command", "run_module", "run_container")
"""What of `start.py` calls a program's code."""

HIGH = 100
"""Where the descriptors of a program do not come to lie soon."""


def reopen(files: "list[bytes]") -> None:
    """Have files as standard descriptors: for each its number, flags, position, inode and path,
    with spaces between; without a path it is a copy of the number in the place of the position."""
    for file in files:
        number, flags, position, _, path = file.split(b" ", 4)
        if not path:
            posix.dup2(int(position), int(number))
            continue
        try:
            fd = posix.open(path, int(flags) & USED | posix.O_CLOEXEC)
            if int(position):
                posix.lseek(fd, int(position), 0)
            posix.dup2(fd, int(number))
            posix.close(fd)
        except OSError as error:
            posix.write(2, b"oneos: " + path + b": " + (error.strerror or "").encode() + b"\n")
            posix._exit(NOT_STARTED)


USED = posix.O_ACCMODE | posix.O_APPEND | posix.O_NONBLOCK | posix.O_SYNC | posix.O_DSYNC
"""Of a file's flags, those that say how it is used, and not how it was made."""


def high(fd: int) -> int:
    """A descriptor at a number that is in nobody's way."""
    import fcntl

    try:
        moved: int = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
    finally:
        posix.close(fd)
        sys.modules.pop("fcntl")
    return moved


def read_lines(native: "Any") -> None:
    """Have the program read lines of a pipe in such a way that it can move while it waits."""
    plain: Any = sys.stdin
    if plain is None or posix.fstat(0).st_mode & 0o170000 != FIFO:
        return
    encoding, errors, mode = plain.encoding, plain.errors, plain.mode
    one = native.LineReader(plain.detach(), encoding=encoding, errors=errors)
    one.mode = mode
    sys.stdin = one
    sys.__stdin__ = one  # type: ignore[misc]


FIFO = 0o010000


def load_extension(fd: int) -> "Any":
    """The extension in an open file; None if it does not fit. No module of that name is left."""
    import _imp

    spec = sys.modules["_frozen_importlib"].ModuleSpec(
        "oneos_moving", None, origin=f"/proc/self/fd/{fd}"
    )
    try:
        native = _imp.create_dynamic(spec)
        _imp.exec_dynamic(native)
    except ImportError:
        native = None
    posix.close(fd)
    sys.modules.pop("oneos_moving", None)
    return native


def load_package(fd: int, native: "Any", outside: "tuple[Any, ...]") -> "Any":
    """What is needed only when a program moves, from an open zip file."""
    path = f"/proc/self/fd/{fd}"
    sys.modules["oneos_moving"] = native
    sys.path.insert(0, path)
    try:
        import _oneos_moving.serving as serving
    finally:
        sys.path.remove(path)
        sys.path_importer_cache.pop(path, None)
        posix.close(fd)
    serving.outside_of(outside)
    return serving


class Door:
    """Waits for the first request to move, with as little as possible."""

    def __init__(self, control: int, native: "Any", outside: "tuple[Any, ...]") -> None:
        self.control, self.native, self.outside = control, native, outside
        self.real: Any = None

    def serve(self, request: int) -> bool:
        if self.real is not None:
            return bool(self.real.serve(request))
        if request != ord("C"):
            return True
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, self.control)
        try:
            limit, fds = receive(sock, WORD)
        finally:
            sock.detach()
        try:
            serving = load_package(fds[0], self.native, self.outside)
        except BaseException as error:
            text = b"N" + repr(error).encode()
            posix.write(self.control, len(text).to_bytes(WORD, "little") + text)
            return True
        self.real = serving.Door(self.control)
        self.real.capture(int.from_bytes(limit, "little") / 1000)
        return True
