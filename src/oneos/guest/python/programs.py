"""Starting programs: `subprocess`, `os.exec*` and `os.fork`; `spawning.py` has the rest.

The Runtime is asked first: it finds the program in the tree, enters it in the process table, and
answers what to execute and with which environment; then the real function does just that. So
whatever a program gives along (no environment, `-S`, `-I`), what makes the context is there. A
failure is raised with the errno of execve(2), and no process was made for it.
"""

import errno
import posix

from .channel import out_of_the_way
from .descriptors import real
from .failure import later, os_error, seamless
from .paths import ENCODING, ERRORS, shown, to_str
from .places import owner

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
    """An argument or part of the environment as the kernel takes it.

    Raises:
        TypeError, ValueError: it is no such thing.
    """
    value = posix.fspath(value)
    found = value.encode(ENCODING, ERRORS) if isinstance(value, str) else bytes(value)
    if 0 in found:
        raise ValueError("embedded null byte")
    return found


def words_of(argv: "Any") -> list[bytes]:
    """The arguments of a program. Raises TypeError, ValueError."""
    return [raw(word) for word in argv]


def listed(environment: "Any") -> list[bytes]:
    """An environment as its `NAME=value` strings. Raises TypeError, ValueError."""
    found = []
    for name, value in environment.items():
        name, value = raw(name), raw(value)
        if not name or b"=" in name[1:]:
            raise ValueError("illegal environment variable name")
        found.append(name + b"=" + value)
    return found


def strings(environment: dict[bytes, bytes]) -> list[bytes]:
    """As `listed`, of what is one for certain."""
    return [name + b"=" + value for name, value in environment.items()]


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
        environment: this program's as C has it: what `os.environ` shows, and what was put there
            by `os.putenv`.
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
        self.environment: dict[bytes, bytes] = {}

    # --- the environment --------------------------------------------------------------------
    @seamless
    def putenv(self, name: "Any", value: "Any", /) -> None:
        real["putenv"](name, value)
        self.environment[raw(name)] = raw(value)

    @seamless
    def unsetenv(self, name: "Any", /) -> None:
        real["unsetenv"](name)
        self.environment.pop(raw(name), None)

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
        argv = words_of(answer["argv"])
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
        check_kept(pass_fds)
        argv = words_of(args)
        files = words_of(files)
        name = self._named(args, argv, files)
        gid, groups, uid = given[17:20]
        self._check_user(uid, gid, groups)
        where = self.paths.cwd if cwd is None else self.names.directory(posix.fspath(cwd))
        environment = strings(self.environment) if env is None else words_of(env)
        ends = [given[6], given[9], given[11]]
        fds = [end if end >= 0 else number for number, end in enumerate(ends)]
        handles = self._handles([*fds, *pass_fds])
        if not close_fds:
            handles += self._inheritable()
        if any(self.descriptors.far(fd) is not None for fd in pass_fds):
            raise later("giving a program a file that is open at another host")
        spec = self._spec(files, argv, environment, where, handles)
        pid, token, command, made_env = self._child(spec, name)
        changed = list(given)
        changed[0:2] = command, (command[0],)
        changed[4:6] = None, made_env
        changed[17:20] = None, None, None
        if given[21] is not None:
            # What it changes in the child counts for what the child executes.
            changed[5], changed[21] = None, self._before(given[21], where, env is None, made_env)
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

    def _check_user(self, uid: "Any", gid: "Any", groups: "Any") -> None:
        """A program stays who its session is. Raises OSError(EPERM), TypeError, OverflowError."""
        for given, what, own in ((uid, "uid", self.uid), (gid, "gid", self.gid)):
            if given is not None and owner(given, what) not in (-1, own):
                raise os_error(errno.EPERM)
        if groups:
            raise os_error(errno.EPERM)

    def _before(
        self, function: "Any", where: bytes, inherits: bool, environment: list[bytes]
    ) -> "Callable[[], None]":
        """What runs in a child before it executes a program: `function` of the asker, and then C's
        environment is made the one that the Runtime gave, with what the function changed.

        Args:
            where: the directory that the child begins in.
            inherits: the program is to have this program's environment.
            environment: the Runtime's, as `NAME=value`.
        """
        before = dict(self.environment)

        def run() -> None:
            self.paths.cwd = where
            function()
            final = mapped(environment)
            final[b"ONEOS_CWD"] = self.paths.cwd
            if inherits:
                now = self.environment
                for name in before.keys() - now.keys():
                    final.pop(name, None)
                final.update((n, v) for n, v in now.items() if before.get(n) != v)
            for name in self.environment.keys() - final.keys():
                real["unsetenv"](name)
            for name, value in final.items():
                real["putenv"](name, value)

        return run

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
        self._become(path, argv, strings(self.environment), ())  # Unlike execve it names no file.

    @seamless
    def execve(self, path: "Any", argv: "Any", env: "Any") -> None:
        if not isinstance(argv, list | tuple) or not argv or not raw(argv[0]):
            real["execve"]("/", argv, env)
        if not hasattr(env, "keys"):
            raise TypeError("execve: environment must be a mapping object")
        self._become(path, argv, listed(env), (shown(path),))

    def _become(
        self, path: "Any", argv: "Any", env: list[bytes], shown_as: "tuple[Any, ...]"
    ) -> None:
        if isinstance(path, int):
            handle = self.descriptors.table.get(path)
            file = self._behind(path) if handle is None else handle.path
        else:
            file = raw(path)
        spec = self._spec([file], words_of(argv), env, self.paths.cwd)
        answer = self.channel.call("exec", spec, names=shown_as)
        command = words_of(answer["argv"])
        real["execve"](command[0], command, mapped(answer["env"]))

    def _behind(self, fd: int) -> bytes:
        """The host's path of an open file. Raises OSError(EBADF, EACCES)."""
        real["fstat"](fd)
        file: bytes = real["readlink"](b"/proc/self/fd/%d" % fd)
        if not file.startswith(b"/"):
            raise os_error(errno.EACCES)
        return file

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


def check_kept(fds: "Any") -> None:
    """Refuse what are no descriptors to keep, as the real `fork_exec` does. Raises ValueError."""
    before = -1
    for fd in fds:
        if not isinstance(fd, int) or not before < fd < 1 << 31:
            raise ValueError("bad value(s) in fds_to_keep")
        before = fd


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
