"""What a name space shows beside the tree: the host's own system directories, in their places.

A native program needs the loader, libraries and interpreters of its host, a few files of /etc and
the kernel's own /dev and /proc entries. What it needs is listed here, once for all programs: names
that something of the host is mounted on, symbolic links, and directories whose missing names lead
to the host. Everything else is the tree's. What belongs to the host is read-only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field

HOST_ROOT = b"/.host"
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

_DEV_FILES = ["null", "zero", "full", "random", "urandom", "tty"]
_DEV_LINKS = {
    b"/dev/ptmx": b"pts/ptmx",
    b"/dev/fd": b"/proc/self/fd",
    b"/dev/stdin": b"/proc/self/fd/0",
    b"/dev/stdout": b"/proc/self/fd/1",
    b"/dev/stderr": b"/proc/self/fd/2",
}

_STANDING = frozenset((b"/", b"/bin", b"/dev", b"/etc", b"/home", b"/proc", b"/tmp", b"/var"))
"""Directories of the tree itself: what is laid below them does not change what they are."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Something of the host, and where the name space has it."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """Names that the host has in `source` stand in as links below `target`; empty `names`: all."""

    source: str
    target: bytes
    names: frozenset[bytes] = frozenset()


@dataclass(slots=True)
class View:
    """What is laid over the tree; made by `view_of`.

    `links` are symbolic links by path, `directories` and `files` placeholders that something is
    mounted on, `binds` what is mounted where. `missing` says where names lead that the tree does
    not have in a directory.
    """

    links: dict[bytes, bytes] = field(default_factory=dict)
    directories: set[bytes] = field(default_factory=set)
    files: set[bytes] = field(default_factory=set)
    binds: list[Bind] = field(default_factory=list)
    missing: dict[bytes, list[Missing]] = field(default_factory=dict)
    _children: dict[bytes, dict[bytes, int]] = field(default_factory=dict)

    def kind(self, path: bytes) -> int:
        """S_IFDIR, S_IFREG or S_IFLNK of what is laid at a path; 0: that is the tree's."""
        if path in self.links:
            return stat.S_IFLNK
        if path in self.directories:
            return stat.S_IFDIR
        return stat.S_IFREG if path in self.files else 0

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

    def bind(self, source: str, target: str = "", *, writable: bool = False) -> None:
        """Show a file or directory of the host, at `target` or in the same place."""
        target = target or source
        self.binds.append(Bind(source, target, writable))
        raw = os.fsencode(target)
        (self.directories if os.path.isdir(source) else self.files).add(raw)
        self._lay(raw, stat.S_IFDIR if os.path.isdir(source) else stat.S_IFREG)

    def link(self, path: bytes, target: bytes) -> None:
        """Show a symbolic link."""
        self.links[path] = target
        self._lay(path, stat.S_IFLNK)

    def _lay(self, path: bytes, kind: int) -> None:
        parent, _, name = path.rpartition(b"/")
        parent = parent or b"/"
        self._children.setdefault(parent, {})[name] = kind
        if parent not in _STANDING:
            self.directories.add(parent)
        if parent != b"/":
            self._lay(parent, stat.S_IFDIR)


def view_of(interpreters: Sequence[str]) -> View:
    """What programs of this host are to see of it.

    Args:
        interpreters: directories of this host that interpreters need and that are not below the
            usual ones, such as the prefix of a Python of one's own.
    """
    view = View()
    for path in _SYSTEM:
        if os.path.islink(path):
            view.link(os.fsencode(path), os.fsencode(os.readlink(path)))
        elif os.path.isdir(path):
            view.bind(path)
    for name in _DEV_FILES:
        view.bind(f"/dev/{name}")
    for path in ("/dev/pts", "/dev/shm", os.fsdecode(HOST_ROOT), "/proc/.host"):
        raw = os.fsencode(path)
        view.directories.add(raw)
        view._lay(raw, stat.S_IFDIR)
    for link, target in _DEV_LINKS.items():
        view.link(link, target)
    for path in interpreters:
        real = os.path.realpath(path)
        if not any(real == b.source or real.startswith(b.source + "/") for b in view.binds):
            view.bind(real)
    view.missing = {
        b"/bin": [Missing("/usr/bin", b"/usr/bin")],
        b"/etc": [Missing("/etc", HOST_ROOT + b"/etc", frozenset(map(os.fsencode, _ETC)))],
        b"/proc": [Missing("/proc", b".host")],
    }
    if not os.path.islink("/bin") and os.path.isdir("/bin"):
        view.missing[b"/bin"].append(Missing("/bin", HOST_ROOT + b"/bin"))
    return view


def host_parts() -> list[Bind]:
    """What lies below HOST_ROOT; mounted on a file system in memory, so the tree has no part."""
    root = os.fsdecode(HOST_ROOT)
    parts = [
        Bind(f"/etc/{name}", f"{root}/etc/{name}")
        for name in _ETC
        if os.path.exists(f"/etc/{name}")
    ]
    if not os.path.islink("/bin") and os.path.isdir("/bin"):
        parts.append(Bind("/bin", f"{root}/bin"))
    return parts
