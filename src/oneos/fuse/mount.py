"""A mount of the tree on this host: made, served by this process, and taken away again.

What a name space does for its programs this does for any program of the host: the same server and
the same caches, without the host's own directories beside the tree. A thread does what the Runtime
orders (`runtime/mounts.py`); when the Runtime ends, so does the mount. Root mounts by itself;
others by fusermount3(1), where the host has it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from types import FrameType

from oneos.errors import OneOSError, UserError
from oneos.fuse import kernel, succession
from oneos.fuse.journal import Journal
from oneos.fuse.server import FuseServer
from oneos.fuse.view import View
from oneos.local.client import Client
from oneos.local.mounted import KIND, mounts, source_of

_HELPER = "fusermount3"


def serve(
    socket_path: str, directory: str, read_only: bool, ready: Callable[[], None]
) -> str | None:
    """Mount the tree, serve it until it is unmounted, Ctrl-C, SIGTERM or the Runtime's end.

    Args:
        socket_path: of the Runtime.
        directory: an empty directory, absolute.
        read_only: nothing can be changed through it.
        ready: called when it is there.

    Returns:
        Why it ended by itself; None where somebody wanted it.

    Raises:
        OneOSError, OSError: it cannot be mounted.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    secret = secrets.token_hex(16)
    ended: list[str] = []
    with Client(socket_path, shared=secret) as holder, Client(socket_path) as orders:
        # It keeps open what others open, and what cannot be mounted is told before anything is.
        holder.call("stat", b"/")
        journal = Journal(os.memfd_create("mount", os.MFD_CLOEXEC))
        journal.begin()
        journal.note(succession.FACTS, {"tree": []})
        journal.commit()
        # Before its kernel keeps anything.
        orders.call("next_drop", 0)
        fuse = mount(source_of(socket_path), directory, read_only)
        server = FuseServer(
            fuse,
            lambda: Client(socket_path, shared=secret),
            View(),
            os.path.dirname(socket_path),
            journal,
        )
        server.start()
        listening = threading.Thread(target=_obey, args=(orders, server, ended), daemon=True)
        listening.start()
        with _signals():
            try:
                ready()
                server.over.wait()
            except KeyboardInterrupt:
                pass
            if any(found.path == os.fsencode(directory) for found in mounts()):
                with contextlib.suppress(OSError, OneOSError):
                    unmount(directory, lazily=True)
    return ended[0] if ended else None


def _obey(orders: Client, server: FuseServer, ended: list[str]) -> None:
    """Do what the Runtime orders, until it ends."""
    done = 0
    try:
        while True:
            done, inos, everything, idle, over = orders.call("next_drop", done)
            if over:
                ended.append("the Runtime stops")
                break
            if idle:
                server.files.drop_idle(inos)
            else:
                server.cache.recall(inos, everything)
    except (OneOSError, OSError):
        ended.append("the Runtime has ended")
    server.over.set()


@contextlib.contextmanager
def _signals():  # type: ignore[no-untyped-def]
    """SIGTERM ends it as Ctrl-C does, a second one does no harm; and it cannot be stopped: then
    its kernel would keep what others change."""

    def interrupted(number: int, frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    yield


def mount(source: str, directory: str, read_only: bool) -> int:
    """Mount; returns the descriptor by which it is served.

    Raises:
        UserError: this user may not, or there is no /dev/fuse.
        OSError: the kernel's word.
    """
    if not os.path.exists("/dev/fuse"):
        hint = "on Linux: modprobe fuse; in a container: --device /dev/fuse"
        raise UserError("this host has no /dev/fuse", hint=hint)
    if os.geteuid() != 0:
        return _mount_by_helper(source, directory, read_only)
    fuse = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    options = f"fd={fuse},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | (kernel.MS_RDONLY if read_only else 0)
    try:
        kernel.mount(source, directory, KIND, flags, options + ",default_permissions,allow_other")
    except OSError as error:
        os.close(fuse)
        if isinstance(error, PermissionError):
            hint = "it takes CAP_SYS_ADMIN; in a container: --cap-add SYS_ADMIN"
            raise UserError("this process may not mount", hint=hint) from None
        raise
    return fuse


def _mount_by_helper(source: str, directory: str, read_only: bool) -> int:
    """As fusermount3 does it for everybody: it sends /dev/fuse over the socket that it is given."""
    helper = shutil.which(_HELPER)
    if helper is None:
        hint = "as root, or with fusermount3 installed (package fuse3)"
        raise UserError("only root may mount here", hint=hint)
    options = f"{'ro' if read_only else 'rw'},nosuid,nodev,default_permissions"
    options += f",subtype=oneos,fsname={source}"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [helper, "-o", options, "--", directory],
            env={**os.environ, "_FUSE_COMMFD": str(theirs.fileno())},
            pass_fds=[theirs.fileno()],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise UserError(done.stderr.decode("utf-8", "replace").strip() or f"{helper} failed")
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    if not fds:
        raise UserError(f"{helper} gave no descriptor")
    os.set_inheritable(fds[0], False)
    return fds[0]


def unmount(directory: str, lazily: bool) -> None:
    """Take a mount away; `lazily`: also one that is in use, at once from all who look.

    Raises:
        UserError: fusermount3 cannot.
        OSError: EBUSY, programs use it; EPERM.
    """
    if os.geteuid() == 0:
        kernel.unmount(directory, lazily)
        return
    words = [shutil.which(_HELPER) or _HELPER, "-u", *(["-z"] if lazily else []), "--", directory]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        raise UserError(done.stderr.decode("utf-8", "replace").strip())
