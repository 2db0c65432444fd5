"""What this version leaves out, refused in words; and what reaches the host behind `posix`.

Some extension modules open files by themselves: each is changed as it is loaded, and only if the
program loads it. A thing left out raises an `OSError` that says so; it is never
quietly done on the host instead. This keeps honest programs in the tree. It is no wall against
hostile ones: that is the kernel's work.
"""

import _imp
import errno

from . import certificates, databases
from .failure import LATER, later, os_error, seamless
from .paths import shown, to_bytes
from .programs import install
from .sockets import make_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from .descriptors import Descriptors
    from .locks import Locks
    from .paths import Paths
    from .process import Process
    from .programs import Programs


class Refusals:
    """The changes to extension modules, by the module's name.

    Args:
        paths: tells the tree's paths from the host's.
        descriptors: tells remote files from others.
        process: knows the host's name and the user.
        programs: starts programs, for `_posixsubprocess`.
        locks: locks files, for `fcntl`.

    Attributes:
        user: the user's name, for `pwd`.
        home: the user's home directory.
    """

    def __init__(
        self,
        paths: "Paths",
        descriptors: "Descriptors",
        process: "Process",
        programs: "Programs",
        locks: "Locks",
    ) -> None:
        self.paths = paths
        self.descriptors = descriptors
        self.process = process
        self.programs = programs
        self.user = self.home = ""
        self.changes: dict[str, Callable[[Any], None]] = {
            "_posixsubprocess": self._posixsubprocess,
            "_signal": self._signal,
            "_socket": self._socket,
            "_sqlite3": self._sqlite3,
            "_ssl": self._ssl,
            "_ctypes": self._ctypes,
            "fcntl": locks.install,
            "mmap": self._mmap,
            "_dbm": self._dbm,
            "_gdbm": self._dbm,
            "readline": self._readline,
            "pwd": self._pwd,
            "grp": self._grp,
            "_xxsubinterpreters": self._interpreters,
            "_interpreters": self._interpreters,
        }

    def install(self, loaded: "dict[str, ModuleType]") -> None:
        """Change what is loaded already, and have the importer tell of the rest."""
        for name, change in self.changes.items():
            if name in loaded:
                change(loaded[name])
        real_exec, real_builtin = _imp.exec_dynamic, _imp.exec_builtin
        real_create = _imp.create_dynamic

        def exec_dynamic(module: "Any", /) -> "Any":
            result = real_exec(module)
            self._loaded(module)
            return result

        def exec_builtin(module: "Any", /) -> "Any":
            result = real_builtin(module)
            self._loaded(module)
            return result

        @seamless
        def create_dynamic(spec: "Any", file: "Any" = None, /) -> "Any":
            if self.paths.locate(spec.origin):
                text = f"loading native code from the tree {LATER}"
                raise ImportError(text, name=spec.name, path=spec.origin)
            return real_create(spec)

        _imp.exec_dynamic, _imp.exec_builtin = exec_dynamic, exec_builtin
        _imp.create_dynamic = create_dynamic

    def _loaded(self, module: "Any") -> None:
        change = self.changes.get(module.__name__)
        if change is not None:
            change(module)

    def _guard(self, function: "Any", what: str, at: int = 0) -> "Any":
        """`function`, refused when its argument number `at` is a path of the tree."""

        @seamless
        def guarded(*args: "Any", **kwargs: "Any") -> "Any":
            path: Any = args[at] if len(args) > at else next(iter(kwargs.values()), None)
            if self.paths.locate(path):
                raise later(what, shown(path))
            return function(*args, **kwargs)

        guarded.__name__ = getattr(function, "__name__", what)
        return guarded

    # --- one method for each module ---------------------------------------------------------
    def _posixsubprocess(self, module: "Any") -> None:
        install(module, self.programs)

    def _socket(self, module: "Any") -> None:
        unix = getattr(module, "AF_UNIX", None)
        socket = make_socket(module.socket, unix, self.descriptors)
        module.socket = module.SocketType = socket
        module.gethostname = self.process.gethostname

        @seamless
        def sethostname(name: "Any", /) -> None:
            raise os_error(errno.EPERM)

        module.sethostname = sethostname

    def _signal(self, module: "Any") -> None:
        if not hasattr(module, "pidfd_send_signal"):
            return
        table, process, real = self.descriptors.table, self.process, module.pidfd_send_signal

        @seamless
        def pidfd_send_signal(
            pidfd: int, signalnum: int, siginfo: "Any" = None, flags: int = 0, /
        ) -> None:
            handle = table.get(pidfd)
            if handle is None:
                return real(pidfd, signalnum, siginfo, flags)  # type: ignore[no-any-return]
            if siginfo is not None:
                raise TypeError("siginfo must be None")
            # A directory of /proc names a process too.
            above, _, pid = handle.path.rpartition(b"/")
            if handle.kind != "dir" or above != b"/proc" or not pid.isdigit():
                raise os_error(errno.EBADF)
            return process.kill(int(pid), signalnum)

        # `signal` shows it as its own, and programs can tell that it is no function of C.
        pidfd_send_signal.__module__ = "signal"
        module.pidfd_send_signal = pidfd_send_signal

    def _sqlite3(self, module: "Any") -> None:
        databases.change(module, self.paths)

    def _ssl(self, module: "Any") -> None:
        certificates.install(module, self.paths)

    def _ctypes(self, module: "Any") -> None:
        real_dlopen, paths = module.dlopen, self.paths

        @seamless
        def dlopen(name: "Any", flag: int = 0, /) -> int:
            # A name without a slash is looked up by the linker in the host's libraries.
            if name is not None and b"/" in to_bytes(name) and paths.locate(name):
                raise later("loading native code from the tree", shown(name))
            return real_dlopen(name, flag)  # type: ignore[no-any-return]

        module.dlopen = dlopen

    def _mmap(self, module: "Any") -> None:
        far = self.descriptors.far

        class mmap(module.mmap):  # type: ignore[misc]
            __module__ = "mmap"

            @seamless
            def __new__(cls, fileno: int, *args: "Any", **kwargs: "Any") -> "Any":
                if far(fileno) is not None:
                    raise later("mapping a file that is open at another host into memory")
                return super().__new__(cls, fileno, *args, **kwargs)

            def __repr__(self) -> str:
                shown: str = super().__repr__()
                return shown.replace("<mmap ", "<mmap.mmap ", 1)

        module.mmap = mmap

    def _dbm(self, module: "Any") -> None:
        module.open = self._guard(module.open, "a DBM database in the tree")

    def _readline(self, module: "Any") -> None:
        for name in ("read_init_file", "read_history_file", "write_history_file"):
            what = "a file of the line editor in the tree"
            setattr(module, name, self._guard(getattr(module, name), what))
        module.append_history_file = self._guard(module.append_history_file, what, 1)

    def _pwd(self, module: "Any") -> None:
        """The one user that a program can see is its own."""
        me = module.struct_passwd(
            (self.user, "x", self.process.uid, self.process.gid, "", self.home, "/bin/sh")
        )

        @seamless
        def getpwuid(uid: int, /) -> "Any":
            if uid != me.pw_uid:
                raise KeyError(f"getpwuid(): uid not found: {uid}")
            return me

        @seamless
        def getpwnam(name: str, /) -> "Any":
            if name != me.pw_name:
                raise KeyError(f"getpwnam(): name not found: {name!r}")
            return me

        module.getpwuid, module.getpwnam, module.getpwall = getpwuid, getpwnam, lambda: [me]

    def _grp(self, module: "Any") -> None:
        mine = module.struct_group((self.user, "x", self.process.gid, [self.user]))

        @seamless
        def getgrgid(id: int) -> "Any":
            if id != mine.gr_gid:
                raise KeyError(f"getgrgid(): gid not found: {id}")
            return mine

        @seamless
        def getgrnam(name: str) -> "Any":
            if name != mine.gr_name:
                raise KeyError(f"getgrnam(): name not found: {name!r}")
            return mine

        module.getgrgid, module.getgrnam, module.getgrall = getgrgid, getgrnam, lambda: [mine]

    def _interpreters(self, module: "Any") -> None:
        @seamless
        def create(*_args: "Any", **_kwargs: "Any") -> "Any":
            raise later("a second interpreter in one program")

        module.create = create
