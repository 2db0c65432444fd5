"""Building the name space in which native programs run.

Done once, by a child of the file process that ends when it has handed over what keeps the name
space alive: descriptors, and the socket of the process that starts programs in it (`first.py`).
Where the Runtime is not root the name space gets a user name space of its own, in which it may
mount (user_namespaces(7)). Where the kernel has no name space of PIDs for us, programs keep the
host's numbers, and the log says why.
"""

from __future__ import annotations

import os
import resource
import socket
import stat
import sys
from dataclasses import dataclass
from typing import NoReturn

from oneos.fuse import kernel
from oneos.fuse.view import HOST_ROOT, Bind, View

TREE = f"{HOST_ROOT}/tree"
"""Where the whole tree is mounted; its directories are shown at the root one by one."""

KINDS = ("starter", "first", "proc", "tree", "user", "mnt", "uts", "pid")
"""What `build` may send: the socket to the process that starts programs, a pidfd of that, its
/proc, the tree where processes outside may walk it, and the name spaces in the order in which they
are entered."""

_FIRST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "first.py")
_ANSWER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Start:
    """What the process is told that starts programs.

    Attributes:
        first, count: the numbers that its kernel gives; 0 of them where the host has none.
        files: how many descriptors a program may have.
    """

    first: int
    count: int
    files: int


_ROOT_OPTIONS = "mode=755,size=1m"
_KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048
"""nosuid, nodev, noexec, noatime, nodiratime: statvfs(3) and mount(2) number them alike. A mount
taken over into a user name space may not lose them."""


def build(view: View, mountpoint: str, hostname: str, start: Start, to: socket.socket) -> None:
    """Make the name space around this process.

    First /dev/fuse is sent to `to`: from then on the other side must serve the mount. Then, when
    all is in place, the names of those of KINDS that there are, with their descriptors; on a
    second line, why there are no numbers of its own.

    Args:
        view: what is shown beside the tree.
        mountpoint: an empty directory of the host.
        hostname: what programs see as the host's name.
        start: for the process that starts programs.
        to: a unix socket.

    Raises:
        OSError: the kernel refuses a step; nothing of it shows outside this process.
    """
    own_user = os.getuid() != 0
    uid, gid = os.getuid(), os.getgid()
    kernel.unshare(
        kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS | (kernel.CLONE_NEWUSER if own_user else 0)
    )
    if own_user:
        _map_ids(uid, gid)
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    safe = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("oneos", mountpoint, "tmpfs", safe, _ROOT_OPTIONS)
    os.makedirs(mountpoint + TREE)
    # Opened in the user name space that mounts it, as the kernel demands.
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fuse},rootmode=40000,user_id={uid},group_id={gid},default_permissions"
    kernel.mount("oneos", mountpoint + TREE, "fuse.oneos", safe, options + ",allow_other")
    socket.send_fds(to, [b"f"], [fuse])
    os.close(fuse)
    kernel.set_hostname(hostname)
    _show_tree(mountpoint)
    for bind in view.binds:
        _bind(bind, mountpoint)
    for path, target in view.root_links.items():
        os.symlink(target, mountpoint + path)
    _own_file_systems(mountpoint)
    kept, why = start_first(f"{mountpoint}{HOST_ROOT}/proc", start, own_user)
    if not own_user:
        # To a process outside of a user name space the kernel shows nothing of its mount.
        kept["tree"] = os.open(mountpoint + TREE, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for kind in ("user", "mnt", "uts")[not own_user :]:
        kept[kind] = os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    _become_root(mountpoint)
    said = " ".join(["n", *kept]) + "\n" + why
    socket.send_fds(to, [said.encode()], list(kept.values()))


def start_first(proc: str, start: Start, own_user: bool) -> tuple[dict[str, int], str]:
    """Start the process that starts programs, with /proc as they are to see it.

    Returns:
        What of KINDS there is then; and why programs have the host's numbers, if they do.

    Raises:
        OSError: it cannot be started.
    """
    why = "this host has no numbers of its own"
    if start.count:
        try:
            kernel.unshare(kernel.CLONE_NEWPID)
        except OSError as error:
            why = f"the kernel refuses a name space of PIDs: {error.strerror}"
        else:
            found, why = _execute_first(proc, start, own_user)
            if found:
                # It is there only since a process is in it.
                inside = os.open("/proc/self/ns/pid_for_children", os.O_RDONLY | os.O_CLOEXEC)
                return found | {"pid": inside}, ""
            kernel.setns("/proc/self/ns/pid")
    kernel.mount("/proc", proc, "", kernel.MS_BIND | kernel.MS_REC)
    found, failure = _execute_first("-", start, own_user)
    if not found:
        raise OSError(0, failure)
    return found, why


def _execute_first(proc: str, start: Start, own_user: bool) -> tuple[dict[str, int], str]:
    """It, as soon as it is ready: what of KINDS comes from it. Or nothing, and what failed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        _become_first(theirs, proc, start, own_user)
    theirs.close()
    answer, fds, _, _ = socket.recv_fds(ours, _ANSWER_BYTES, 2)
    if answer == b"+":
        return dict(zip(KINDS, [ours.detach(), *fds], strict=False)), ""
    ours.close()
    os.wait()
    return {}, answer[1:].decode("utf-8", "replace") or "it ended as it began"


def _become_first(sock: socket.socket, proc: str, start: Start, own_user: bool) -> NoReturn:
    try:
        if own_user:
            kernel.keep_capabilities()
        # The file process's end shows by its standard input, which nobody else may hold.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sock.set_inheritable(True)
        words = [sock.fileno(), start.files, proc, start.first, start.count]
        os.execv(sys.executable, [sys.executable, "-S", "-I", _FIRST, *map(str, words)])
    finally:
        os._exit(1)


def limit_of_files() -> int:
    """How many descriptors this process may have: a program's limit, before ours is raised."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _map_ids(uid: int, gid: int) -> None:
    """Keep our own numbers: programs see who they are on the host."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _show_tree(mountpoint: str) -> None:
    """Mount what stands in the tree's root on the root."""
    for entry in os.scandir(mountpoint + TREE):
        target = f"{mountpoint}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), target)
        else:
            _make(target, entry.is_dir())
            kernel.mount(entry.path, target, "", kernel.MS_BIND)


def _make(target: str, directory: bool) -> None:
    """Something to mount on."""
    if directory:
        os.makedirs(target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))


def _bind(bind: Bind, mountpoint: str) -> None:
    target = mountpoint + bind.target
    if os.path.islink(bind.source):
        # A link of /etc leads into /usr or to a neighbour, which are all here.
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(os.readlink(bind.source), target)
        return
    mode = os.stat(bind.source).st_mode
    _make(target, stat.S_ISDIR(mode))
    kernel.mount(bind.source, target, "", kernel.MS_BIND | kernel.MS_REC)
    if stat.S_ISCHR(mode):
        return
    kept = os.statvfs(target).f_flag & _KEPT_FLAGS
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kept
    kernel.mount("", target, "", flags)


def _own_file_systems(mountpoint: str) -> None:
    host = mountpoint + HOST_ROOT
    for name in ("dev/pts", "dev/shm", "proc", "old"):
        os.makedirs(f"{host}/{name}")
    options = "newinstance,ptmxmode=0666,mode=620"
    kernel.mount("devpts", f"{host}/dev/pts", "devpts", kernel.MS_NOSUID, options)
    os.symlink("pts/ptmx", f"{host}/dev/ptmx")
    safe = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("shm", f"{host}/dev/shm", "tmpfs", safe, "mode=1777")


def _become_root(mountpoint: str) -> None:
    os.chdir(mountpoint)
    old = f"{HOST_ROOT}/old"
    kernel.pivot_root(".", old[1:])
    os.chdir("/")
    kernel.unmount(old)
    os.rmdir(old)
    flags = kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("oneos", "/", "tmpfs", flags, _ROOT_OPTIONS)
