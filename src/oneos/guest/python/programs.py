"""Starting programs: `subprocess`, `os.exec*` and `os.fork`; `spawning.py` has the rest.

The Runtime is asked first: it finds the program in the tree, enters it in the process table, and
answers what to execute and with which environment; then the real function does just that. So
whatever a program gives along (no environment, `-S`, `-I`), what makes the context is there. A
failure is raised with the errno of execve(2), and no process was made for it.
"""

import errno
import posix
import sys

from .channel import out_of_the_way
from .descriptors import real
from .failure import later, os_error, seamless
from .paths import ENCODING, ERRORS, shown, to_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from .channel import Channel
    from .descriptors import Descriptors
    from .family import Family
    from .names import Names
    from .paths import Paths
    from .remote import Handle

real_fork_exec: "Callable[..., int]"


def raw(value: "Any") -> bytes:
    """An argument or part of the environment as the kernel takes it. Raises TypeError."""
    value = posix.fspath(value)
    return value.encode(ENCODING, ERRORS) if isinstance(value, str) else bytes(value)


def own_environment() -> dict[bytes, bytes]:
    """This program's environment as it is now."""
    module = sys.modules.get("os")
    return dict(module.environb if module is not None else posix.environ)


def listed(environment: "Any") -> list[bytes]:
    """An environment as its `NAME=value` strings."""
    return [raw(name) + b"=" + raw(value) for name, value in environment.items()]


def mapped(environment: "Iterable[bytes]") -> dict[bytes, bytes]:
    """An environment from its `NAME=value` strings."""
    return dict(entry.partition(b"=")[::2] for entry in environment)


class Programs:
    """The calls that start programs.

    Args:
        channel: to the Runtime.
        paths: knows the current directory.
        descriptors: knows which descriptors are files of the tree.
        names: finds a directory to start in.
        family: enters children.

    Attributes:
        uid: the user's number in the network, which is everybody's there.
        gid: the group's.
    """

    def __init__(
        self,
        channel: "Channel",
        paths: "Paths",
        descriptors: "Descriptors",
        names: "Names",
        family: "Family",
    ) -> None:
        self.channel = channel
        self.paths = paths
        self.descriptors = descriptors
        self.names = names
        self.family = family
        self.uid = self.gid = 0

    # --- asking -----------------------------------------------------------------------------
    def _spec(
        self,
        files: "Iterable[bytes]",
        argv: list[bytes],
        env: list[bytes],
        cwd: bytes,
        handles: "Iterable[Handle]" = (),
    ) -> dict[str, "Any"]:
        whole = [file if file.startswith(b"/") else cwd + b"/" + file for file in files]
        numbers = sorted({handle.h for handle in handles if handle.h})
        return {"files": whole, "argv": argv, "env": env, "cwd": cwd, "handles": numbers}

    def _child(self, spec: dict[str, "Any"], name: "Any") -> "tuple[int, str, list[bytes], Any]":
        """Enter a child: its PID and token, and the command line and environment to execute."""
        answer = self.channel.call("child", spec, names=(name,))
        argv = [raw(word) for word in answer["argv"]]
        return answer["pid"], answer["token"], argv, answer["env"]

    def _inheritable(self) -> "list[Handle]":
        """The files of the tree that a child inherits which gets all that may be inherited."""
        table = self.descriptors.table
        return [table[fd] for fd in list(table) if real["get_inheritable"](fd)]

    def _handles(self, fds: "Iterable[int]") -> "list[Handle]":
        table = self.descriptors.table
        return [table[fd] for fd in fds if fd in table]

    def _piped(self, pid: int, fd: int, reading: bool) -> int:
        """A descriptor for a child that gives it a file in use at another host; else -1."""
        handle = self.descriptors.far(fd)
        if handle is None:
            return -1
        _, made = self.channel.call_with_descriptor("pipe", pid, handle.h, handle.offset, reading)
        self.family.piped.add(pid)
        return out_of_the_way_and_closed(made)

    # --- subprocess -------------------------------------------------------------------------
    @seamless
    def fork_exec(self, *given: "Any") -> int:
        """`_posixsubprocess.fork_exec`, whose arguments are only ever given by position."""
        args, files, close_fds, pass_fds, cwd, env = given[:6]
        argv = [raw(arg) for arg in args]
        name = self._named(args, argv, files)
        gid, groups, uid = given[17:20]
        if uid not in (None, -1, self.uid) or gid not in (None, -1, self.gid) or groups:
            raise os_error(errno.EPERM)
        where = self.paths.cwd if cwd is None else self.names.directory(cwd)
        environment = listed(own_environment()) if env is None else list(env)
        ends = [given[6], given[9], given[11]]
        fds = [end if end >= 0 else number for number, end in enumerate(ends)]
        handles = self._handles([*fds, *pass_fds])
        if not close_fds:
            handles += self._inheritable()
        if any(self.descriptors.far(fd) is not None for fd in pass_fds):
            raise later("giving a program a file that is open at another host")
        spec = self._spec(files, argv, environment, where, handles)
        pid, token, command, env = self._child(spec, name)
        changed = list(given)
        changed[0:2] = command, (command[0],)
        changed[4:6] = None, env
        changed[17:20] = None, None, None
        if given[16] > 0:
            changed[16] = self.family.group(given[16])
        made: list[int] = []
        try:
            for at, number in ((6, 0), (9, 1), (11, 2)):
                end = self._piped(pid, fds[number], number == 0)
                if end >= 0:
                    made.append(end)
                    changed[at] = end
            return self._begin(pid, token, lambda: real_fork_exec(*changed))
        finally:
            for end in made:
                real["close"](end)

    def _begin(self, pid: int, token: str, start: "Callable[[], Any]") -> int:
        self.family.begin(pid, token, start)
        return pid

    def _named(self, args: "Any", argv: list[bytes], files: "Any") -> "Any":
        """What an error calls the program: as it was given, where that can be told."""
        first = argv[0] if argv else b""
        if any(file == first or file.endswith(b"/" + first) for file in files):
            return args[0]
        return to_str(files[0])

    # --- becoming another program -----------------------------------------------------------
    @seamless
    def execv(self, path: "Any", argv: "Any", /) -> None:
        if not isinstance(argv, list | tuple) or not argv or not raw(argv[0]):
            real["execv"]("/", argv)  # For its errors; it could not execute a directory.
        self._become(path, argv, listed(own_environment()), ())  # Unlike execve it names no file.

    @seamless
    def execve(self, path: "Any", argv: "Any", env: "Any") -> None:
        if not isinstance(argv, list | tuple) or not argv or not raw(argv[0]):
            real["execve"]("/", argv, env)
        self._become(path, argv, listed(env), (shown(path),))

    def _become(
        self, path: "Any", argv: "Any", env: list[bytes], shown_as: "tuple[Any, ...]"
    ) -> None:
        if isinstance(path, int):
            handle = self.descriptors.table.get(path)
            if handle is None:
                raise later("executing a program by its descriptor")
            file = handle.path
        else:
            file = raw(path)
        spec = self._spec([file], [raw(word) for word in argv], env, self.paths.cwd)
        answer = self.channel.call("exec", spec, names=shown_as)
        command = [raw(word) for word in answer["argv"]]
        real["execve"](command[0], command, mapped(answer["env"]))

    # --- fork -------------------------------------------------------------------------------
    @seamless
    def fork(self) -> int:
        entered = self.channel.call("fork")
        kernel_pid = self.family.begin(entered["pid"], entered["token"], real["fork"])
        return entered["pid"] if kernel_pid else 0

    @seamless
    def forkpty(self) -> tuple[int, int]:
        entered = self.channel.call("fork")
        kernel_pid, fd = self.family.begin(entered["pid"], entered["token"], real["forkpty"])
        return entered["pid"] if kernel_pid else 0, fd


def out_of_the_way_and_closed(fd: int) -> int:
    """`fd` moved to a high number, where a child's standard descriptors cannot meet it."""
    high = out_of_the_way(fd)
    real["close"](fd)
    return high


def install(module: "Any", programs: Programs) -> None:
    """Put `fork_exec` in place of `_posixsubprocess`'s own."""
    global real_fork_exec
    real_fork_exec = module.fork_exec
    module.fork_exec = programs.fork_exec
