"""What a name space shows beside the tree: the host's own system directories, in their places.

A native program needs the loader, libraries and interpreters of its host, a few files of /etc and
the kernel's own /dev and /proc entries. What it needs is listed here, once for all programs. The
root is a small file system in memory: the directories of the tree and those of the host are mounted
on it side by side. Nothing is mounted below a directory of the tree: the kernel takes away what is
mounted on a name when it drops the name from its cache. There, links lead to the host's part.
Everything of the host is read-only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from oneos.local.file_process import NODE_GUEST, PACKAGES, TERMINALS

_NODE_GUEST = os.path.join(os.path.dirname(os.path.dirname(__file__)), "guest", "node")

HOST_ROOT = "/.host"
"""Where those parts of the host lie that are not in the same place as on the host."""

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/opt", "/sys")

_ETC = frozenset(
    name
    for line in (
        "alternatives ca-certificates crypto-policies fonts gai.conf host.conf hosts java",
        "ld.so.cache ld.so.conf ld.so.conf.d locale.alias localtime machine-id mime.types",
        "nsswitch.conf pki perl protocols python3 resolv.conf rpc services ssl terminfo timezone",
    )
    for name in line.split()
)
"""Of /etc: what libraries read to work at all. Users and passwords are not among it."""

_DEVICES = ["null", "zero", "full", "random", "urandom", "tty"]
_STREAMS = {
    b"/dev/fd": b"/proc/self/fd",
    b"/dev/stdin": b"/proc/self/fd/0",
    b"/dev/stdout": b"/proc/self/fd/1",
    b"/dev/stderr": b"/proc/self/fd/2",
}

_OF_NETWORK = frozenset((b"cmdline", b"context", b"host", b"stat", b"status"))
"""Of /proc/PID; of what a program here has open the network knows the standard streams only."""

_STANDING = frozenset((b"/", b"/bin", b"/dev", b"/etc", b"/home", b"/proc", b"/tmp", b"/var"))
"""Directories of the tree itself: what is laid below them does not change what they are."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Something of the host, and where the name space has it."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Names that the host has in `source` stand in as links below `target`; empty `names`: all."""

    source: str
    target: bytes
    names: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class View:
    """What is shown beside the tree; made by `view_of`.

    `binds` are mounted on the root, and `root_links` symbolic links in it. In the tree's own
    directories, `links` are laid over names and `directories` on the way to them; `missing` says
    where names lead that the tree does not have in a directory.
    """

    binds: list[Bind] = field(default_factory=list)
    root_links: dict[str, str] = field(default_factory=dict)
    links: dict[bytes, bytes] = field(default_factory=dict)
    directories: set[bytes] = field(default_factory=set)
    missing: dict[bytes, list[Missing]] = field(default_factory=dict)
    _proc: str = ""
    _children: dict[bytes, dict[bytes, int]] = field(default_factory=dict)

    @property
    def proc(self) -> str:
        """The /proc of the programs here; empty where they have the host's PIDs."""
        return self._proc

    def kind(self, path: bytes) -> int:
        """S_IFDIR or S_IFLNK of what is laid at a path; 0: that is the tree's."""
        if path in self.links:
            return stat.S_IFLNK
        return stat.S_IFDIR if path in self.directories else 0

    def children(self, path: bytes) -> dict[bytes, int]:
        """The names laid over a directory, with their kinds."""
        return self._children.get(path, {})

    def stand_in(self, directory: bytes, name: bytes) -> bytes:
        """What a name leads to that the tree does not have in a directory; empty: nothing."""
        for there in self.missing.get(directory, ()):
            if there.names and name not in there.names:
                continue
            if os.path.lexists(os.path.join(os.fsencode(there.source), name)):
                return there.target + b"/" + name
        return b""

    @staticmethod
    def is_system(path: bytes) -> bool:
        """Whether a path names what only a kernel's /proc can have: the network's has numbers."""
        directory, _, name = path.rpartition(b"/")
        return directory == b"/proc" and not name.isdigit()

    def have_proc(self, fd: int) -> None:
        """The kernel's /proc of the programs here is open at `fd`, where their PIDs are their own.

        -1: they have the host's PIDs, and its /proc.
        """
        if fd >= 0:
            self._proc = f"/proc/self/fd/{fd}"
            self.missing[b"/proc"] = [Missing(self._proc, HOST_ROOT.encode() + b"/proc")]

    def of_kernel(self, path: bytes) -> bytes:
        """What a name in /proc/PID leads to, if that is a program here and only the kernel has it.

        What both have is the network's, which knows who started a program from where.
        """
        if not self._proc or not path.startswith(b"/proc/"):
            return b""
        _, _, pid, *names = path.split(b"/")
        if len(names) != 1 or not pid.isdigit() or names[0] in _OF_NETWORK:
            return b""
        if not os.path.lexists(os.path.join(os.fsencode(self._proc), pid, names[0])):
            return b""
        return HOST_ROOT.encode() + path

    def is_own(self, path: bytes, os_pid: int) -> bool:
        """Whether a path is /proc/PID of the very program that asks.

        Args:
            os_pid: the host's number of the thread that asks.
        """
        if not self._proc or not path.startswith(b"/proc/") or not path[6:].isdigit():
            return False
        return (number := number_of(os_pid)) > 0 and b"%d" % number == path[6:]

    def lay(self, path: bytes, target: bytes) -> None:
        """Show a symbolic link in a directory of the tree, with the directories above it."""
        self.links[path] = target
        kind = stat.S_IFLNK
        while path != b"/":
            path, _, name = path.rpartition(b"/")
            path = path or b"/"
            self._children.setdefault(path, {})[name] = kind
            if path in _STANDING:
                return
            self.directories.add(path)
            kind = stat.S_IFDIR

    def show(self, path: str, tree: Collection[str]) -> None:
        """Show a directory of the host in the same place.

        Args:
            path: absolute, without links.
            tree: the names of the tree's root.
        """
        if any(path == b.source or path.startswith(b.source + "/") for b in self.binds):
            return
        if path.split("/")[1] not in tree:
            self.binds.append(Bind(path, path))
            return
        self.binds.append(Bind(path, HOST_ROOT + path))
        self.lay(os.fsencode(path), os.fsencode(HOST_ROOT + path))


def view_of(interpreters: Sequence[str], tree: Collection[str], packages: str = "") -> View:
    """What programs of this host are to see of it.

    Args:
        interpreters: directories of this host that interpreters need, such as the prefix of a
            Python of one's own.
        tree: the names of the tree's root; of the host's names, those are not shown.
        packages: the directory with what programs asked to be installed; shown at PACKAGES.
    """
    view = View()
    for path in _SYSTEM:
        if path[1:] in tree:
            continue
        if os.path.islink(path):
            view.root_links[path] = os.readlink(path)
        elif os.path.isdir(path):
            view.show(path, tree)
    for path in interpreters:
        view.show(os.path.realpath(path), tree)
    if packages:
        view.binds.append(Bind(packages, PACKAGES))
    view.binds.append(Bind(os.path.realpath(_NODE_GUEST), NODE_GUEST))
    if os.path.isdir("/dev/pts"):
        # A session's terminal is one of the host's: its programs are not all in the name space.
        view.binds.append(Bind("/dev/pts", TERMINALS))
    for name in _DEVICES:
        view.binds.append(Bind(f"/dev/{name}", f"{HOST_ROOT}/dev/{name}"))
    for name in (*_DEVICES, "ptmx", "pts", "shm"):
        view.lay(f"/dev/{name}".encode(), f"{HOST_ROOT}/dev/{name}".encode())
    for link, target in _STREAMS.items():
        view.lay(link, target)
    for name in sorted(_ETC):
        if os.path.exists(f"/etc/{name}"):
            view.binds.append(Bind(f"/etc/{name}", f"{HOST_ROOT}/etc/{name}"))
    root = HOST_ROOT.encode()
    view.missing = {
        b"/bin": [Missing("/usr/bin", b"/usr/bin")],
        b"/etc": [Missing("/etc", root + b"/etc", frozenset(map(os.fsencode, _ETC)))],
        b"/proc": [Missing("/proc", root + b"/proc")],
    }
    if not os.path.islink("/bin") and os.path.isdir("/bin"):
        view.binds.append(Bind("/bin", f"{HOST_ROOT}/bin"))
        view.missing[b"/bin"].append(Missing("/bin", root + b"/bin"))
    return view


def number_of(os_pid: int) -> int:
    """The number of a process in its own name space; 0: it has ended.

    Args:
        os_pid: the host's number of one of its threads.
    """
    try:
        with open(f"/proc/{os_pid}/status", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return 0
    # Its numbers from the outermost name space to its own.
    return next((int(line.split()[-1]) for line in lines if line.startswith(b"NStgid:")), 0)


def is_of(os_pid: int, process: int) -> bool:
    """Whether a thread is one of a process, by the host's numbers of both."""
    return os.path.isdir(f"/proc/{process}/task/{os_pid}")
