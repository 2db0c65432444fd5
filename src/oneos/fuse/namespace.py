"""Building the name space in which native programs run: its root is the tree.

Done once, by a child of the file process that ends when it has handed over what keeps the name
space alive: descriptors. Programs enter it by them. Where the Runtime is not root the name space
gets a user name space of its own, in which it may mount (user_namespaces(7)).
"""

from __future__ import annotations

import os
import socket
import stat

from oneos.fuse import kernel
from oneos.fuse.view import HOST_ROOT, Bind, View, host_parts

_KEPT_FLAGS = 2 | 4 | 8 | 1024 | 2048
"""nosuid, nodev, noexec, noatime, nodiratime: statvfs(3) and mount(2) number them alike. A mount
taken over into a user name space may not lose them."""

KINDS = ("mnt", "uts", "user")
"""What `build` sends: descriptors of these name spaces, the last only where it was made."""


def build(view: View, mountpoint: str, hostname: str, to: socket.socket) -> None:
    """Make the name space around this process, whose root it becomes.

    First /dev/fuse is sent to `to`: from then on the other side must serve the mount. Then, when
    all is in place, the descriptors of the name spaces.

    Args:
        view: what is laid over the tree.
        mountpoint: an empty directory of the host.
        hostname: what programs see as the host's name.
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
    # Opened in the user name space that mounts it, as the kernel demands.
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fuse},rootmode=40000,user_id={uid},group_id={gid},default_permissions"
    kernel.mount(
        "oneos",
        mountpoint,
        "fuse.oneos",
        kernel.MS_NOSUID | kernel.MS_NODEV,
        options + ",allow_other",
    )
    socket.send_fds(to, [b"f"], [fuse])
    os.close(fuse)
    kernel.set_hostname(hostname)
    _host_parts(mountpoint)
    for bind in view.binds:
        _bind(bind, mountpoint)
    _own_file_systems(mountpoint)
    kinds = KINDS if own_user else KINDS[:2]
    kept = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds]
    _become_root(mountpoint)
    socket.send_fds(to, [b"n"], kept)


def _map_ids(uid: int, gid: int) -> None:
    """Keep our own numbers: programs see who they are on the host."""
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _host_parts(mountpoint: str) -> None:
    """What lies in a place of its own: on a small file system in memory."""
    root = mountpoint + os.fsdecode(HOST_ROOT)
    kernel.mount("host", root, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755,size=64k")
    os.mkdir(f"{root}/old")
    for part in host_parts():
        target = mountpoint + part.target
        if os.path.islink(part.source):
            # A link of /etc leads into /usr or to a neighbour, which are all here.
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.symlink(os.readlink(part.source), target)
            continue
        if os.path.isdir(part.source):
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o444))
        _bind(part, mountpoint)


def _bind(bind: Bind, mountpoint: str) -> None:
    target = mountpoint + bind.target
    kernel.mount(bind.source, target, "", kernel.MS_BIND | kernel.MS_REC)
    mode = os.stat(bind.source).st_mode
    if bind.writable or stat.S_ISCHR(mode):
        return
    kept = os.statvfs(target).f_flag & _KEPT_FLAGS
    flags = kernel.MS_REMOUNT | kernel.MS_BIND | kernel.MS_RDONLY | kept
    kernel.mount("", target, "", flags)


def _own_file_systems(mountpoint: str) -> None:
    kernel.mount(
        "devpts", f"{mountpoint}/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620"
    )
    kernel.mount(
        "shm",
        f"{mountpoint}/dev/shm",
        "tmpfs",
        kernel.MS_NOSUID | kernel.MS_NODEV,
        "mode=1777",
    )
    # Not one of its own: that takes a PID name space, and programs are found by the host's PIDs.
    kernel.mount("/proc", f"{mountpoint}/proc/.host", "", kernel.MS_BIND | kernel.MS_REC)


def _become_root(mountpoint: str) -> None:
    os.chdir(mountpoint)
    old = os.fsdecode(HOST_ROOT).lstrip("/") + "/old"
    kernel.pivot_root(".", old)
    os.chdir("/")
    kernel.unmount("/" + old)
    os.rmdir("/" + old)
    flags = kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("host", os.fsdecode(HOST_ROOT), "tmpfs", flags, "mode=755,size=64k")
