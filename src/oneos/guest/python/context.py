"""The evaluation context put together, and put in place of `posix` and `_io`.

It is made before `os` is imported, so `os`, `io`, `shutil`, `pathlib`, `tempfile`, `glob` and the
importer all find the replacements and need no change of their own. The replacements are bound
methods: unlike plain functions they do not bind again when a program stores one in a class.
"""

import _io
import _signal
import builtins
import io
import posix
import sys

from .changes import Changes
from .channel import Channel
from .descriptors import Descriptors
from .entries import DirEntry
from .family import Family
from .fileio import make_file_io
from .io_open import Opener
from .locks import Locks
from .looks import Looks
from .names import Names
from .paths import ENCODING, ERRORS, Paths, host_directories
from .process import BECOMING, Process
from .refusals import Refusals
from .spawning import Spawning
from .xattrs import Xattrs

NAMES = [
    "stat",
    "lstat",
    "access",
    "listdir",
    "scandir",
    "readlink",
    "statvfs",
    "fstatvfs",
    "pathconf",
    "getcwd",
    "getcwdb",
    "chdir",
    "fchdir",
    "chroot",
]
CHANGES = [
    "mkdir",
    "rmdir",
    "unlink",
    "remove",
    "rename",
    "replace",
    "chmod",
    "fchmod",
    "chown",
    "lchown",
    "fchown",
    "utime",
    "truncate",
    "symlink",
    "link",
    "mkfifo",
    "mknod",
]
XATTRS = ["getxattr", "listxattr", "setxattr", "removexattr"]
DESCRIPTORS = [
    "open",
    "close",
    "closerange",
    "dup",
    "dup2",
    "fstat",
    "umask",
    "fsync",
    "fdatasync",
    "ftruncate",
    "read",
    "write",
    "lseek",
    "pread",
    "pwrite",
    "readv",
    "writev",
    "preadv",
    "pwritev",
    "sendfile",
    "copy_file_range",
    "splice",
    "posix_fallocate",
    "posix_fadvise",
]
FAMILY = ["getppid", "wait", "wait3", "wait4", "waitid", "waitpid"]
PROGRAMS = [
    "execv",
    "execve",
    "fork",
    "forkpty",
    "posix_spawn",
    "posix_spawnp",
    "system",
    "putenv",
    "unsetenv",
]
PROCESS = [
    "getpid",
    "kill",
    "killpg",
    "getpgid",
    "getpgrp",
    "getsid",
    "setpgid",
    "tcgetpgrp",
    "tcsetpgrp",
    "pidfd_open",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "uname",
]
ABOUT = {
    "sched_getaffinity": 0,
    "sched_setaffinity": 0,
    "sched_getscheduler": 0,
    "sched_setscheduler": 0,
    "sched_getparam": 0,
    "sched_setparam": 0,
    "sched_rr_get_interval": 0,
    "getpriority": 1,
    "setpriority": 1,
}
"""Functions about a process, and which of their arguments is its PID."""
VARIABLES = ["SOCK", "PID", "PPID", "TOKEN", "CWD", "HOSTNAME", "STAGE", "UID", "GID"]
OPTIONAL = ["LAUNCHED", "ENVIRONMENT", "ALARM", "IGNORED"]


def take_variables() -> dict[str, str]:
    """The Runtime's variables, taken out of what the program will see."""
    found = {}
    environment = posix.environ
    for name in VARIABLES + OPTIONAL:
        key = b"ONEOS_" + name.encode()
        if key in environment:
            found[name] = environment[key].decode(ENCODING, ERRORS)
    for key in [key for key in environment if key.startswith(b"ONEOS_")]:
        del environment[key]
        posix.unsetenv(key)
    return found


class Context:
    """The parts of the evaluation context, in place from the moment this is made.

    Who the program is comes after, by `assume`: a warm interpreter does not know it yet.
    """

    def __init__(self) -> None:
        self.channel = channel = Channel()
        self.paths = paths = Paths(b"/", host_directories())
        self.looks = Looks(channel)
        self.descriptors = descriptors = Descriptors(channel, paths, self.looks)
        self.names = names = Names(channel, paths, descriptors, self.looks)
        self.family = family = Family(channel)
        self.process = process = Process(channel, family)
        self.programs = programs = Spawning(channel, paths, descriptors, names, family)
        changes = Changes(channel, paths, descriptors)
        xattrs = Xattrs(channel, paths, descriptors)
        for owner, replaced in (
            (names, NAMES),
            (changes, CHANGES),
            (xattrs, XATTRS),
            (descriptors, DESCRIPTORS),
            (process, PROCESS),
            (family, FAMILY),
            (programs, PROGRAMS),
        ):
            for name in replaced:
                if hasattr(posix, name):
                    setattr(posix, name, getattr(owner, name))
        for name in BECOMING:
            if hasattr(posix, name):
                setattr(posix, name, process.becoming(name))
        for name, at in ABOUT.items():
            if hasattr(posix, name):
                setattr(posix, name, process.about(name, at))
        posix.DirEntry = DirEntry  # type: ignore[misc,assignment]

        file_io = make_file_io(descriptors)
        opener = Opener(descriptors, file_io)
        opening = opener.open  # Once: `io.open is open` is true.
        for module in (_io, io):
            module.FileIO = file_io  # type: ignore[attr-defined]
            module.open = opening  # type: ignore[attr-defined]
            module.open_code = opener.open_code  # type: ignore[attr-defined]
        builtins.open = opening

        locks = Locks(descriptors, family)
        if hasattr(posix, "lockf"):
            posix.lockf = locks.posix_lockf
        self.refusals = Refusals(paths, descriptors, process, programs, locks)
        self.refusals.install(sys.modules)
        # What the importer found out before this was about the host.
        sys.path_importer_cache.clear()

    def assume(self) -> str | None:
        """Become the program that the environment says this process is.

        Returns:
            The directory of the packages that were installed for this program, if it has asked for
            any.

        Raises:
            SystemExit: the Runtime's variables are missing: nobody should start this by hand.
        """
        given = take_variables()
        missing = [f"ONEOS_{name}" for name in VARIABLES if name not in given]
        if missing:
            sys.exit(f"oneos: this is started by a OneOS Runtime; {', '.join(missing)} is not set")
        pid = int(given["PID"])
        self.channel.path = given["SOCK"]
        self.looks.assume(given["SOCK"])
        self.channel.greet(pid, given["TOKEN"])
        self.paths.cwd = given["CWD"].encode(ENCODING, ERRORS)
        packages = given.get("ENVIRONMENT")
        if packages:
            self.paths.read_from_host(packages.encode(ENCODING, ERRORS))
        launched = "LAUNCHED" in given
        self.family.assume(pid, int(given["PPID"]), launched)
        self.process.hostname = given["HOSTNAME"]
        for part in (self.names, self.process, self.programs):
            part.uid, part.gid = int(given["UID"]), int(given["GID"])
        for number in filter(None, given.get("IGNORED", "").split(",")):
            _signal.signal(int(number), _signal.SIG_IGN)
        environment = posix.environ
        self.programs.environment = dict(environment)
        user = environment.get(b"USER", b"user").decode(ENCODING, ERRORS)
        home = environment.get(b"HOME", b"/").decode(ENCODING, ERRORS)
        self.refusals.user, self.refusals.home = user, home
        if not launched:
            # So that the Runtime knows this process also where its parent could not name it.
            self.channel.open()
        if given.get("ALARM"):
            from . import alarm

            alarm.install(self.paths, lambda line: sys.__stderr__ and sys.__stderr__.write(line))
        return packages
