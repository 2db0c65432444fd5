"""The guest's half of the local protocol (docs/guest-protocol.md), served for real.

A `TreeServer` listens on a unix socket and shows a directory of this machine as the tree, so that
the contexts of Python and Node programs are tested over true sockets, with true kernel descriptors,
before and beside a whole network. It records every request, so a test can tell that a `close` was
sent; it can be told to answer some paths as `remote` files, to fail a request, and to hold one
back. It knows nothing of placement, commits or copies: those are tested with the Runtime itself.
"""

import array
import contextlib
import errno
import fnmatch
import os
import socket
import stat
import struct
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from oneos.files.kept import Generation
from tests.support.processes import Processes
from tests.support.waiting import WAIT_S

FRAME_BYTES_MAX = 8 * 1024 * 1024
READ_BYTES_MAX = 1024 * 1024
HOST_DEVICES = frozenset(
    f"/dev/{name}".encode()
    for name in ("null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr")
)

_LOOKS = frozenset(("hello", "stat", "look", "scan", "list", "readlink", "realpath", "fstat"))
"""Requests that change nothing."""


@dataclass
class Handle:
    """One open of a guest.

    Attributes:
        fd: the server's own descriptor, with which it reads and writes; -1 once it was given up.
        probe: one for `fstat` alone (O_PATH), which outlives the name of the file.
    """

    pid: int
    kind: str
    path: bytes
    flags: int
    fd: int
    probe: int
    holders: int = 1


@dataclass(frozen=True)
class Request:
    """One request as it came: the operation and its arguments."""

    op: str
    args: tuple[Any, ...]


@dataclass
class Failure:
    """How a request is answered instead of being done."""

    errno: int
    message: str = ""
    hint: str = ""


@dataclass
class _Connection:
    sock: socket.socket
    pid: int = 0
    fds: bool = False
    send: list[int] = field(default_factory=list)


class TreeServer(Processes):
    """Serves `root` as the tree to guests.

    Args:
        root: the directory of this machine that is the tree's `/`.
        remote: patterns (fnmatch, on the tree's path) of regular files to answer as `remote`.
        socket_path: where to listen; a fresh private directory if not given.

    Attributes:
        requests: every request served, in order, `hello` included.
        fail: answers to give instead, by (operation, path pattern); `*` for requests by handle.
        later: files are of an `async` directory.
        by_path: give descriptors by path even to guests that could receive them.
        hold: while an operation has an unset Event here, its requests wait for it.
        handles: what guests have open now.
    """

    def __init__(
        self,
        root: str,
        *,
        remote: Iterable[str] = (),
        socket_path: str | None = None,
        pid: int = 4242,
        token: str = "test-token",
        hostname: str = "pi1",
    ) -> None:
        super().__init__()
        self.root = os.path.realpath(os.fsencode(root)).rstrip(b"/")
        self.remote = tuple(remote)
        self.later = False
        self.pid, self.token, self.hostname = pid, token, hostname
        self.requests: list[Request] = []
        self.fail: dict[tuple[str, str], Failure] = {}
        self.by_path = False
        self.hold: dict[str, threading.Event] = {}
        self.handles: dict[int, Handle] = {}
        self.pipes: dict[int, tuple[int, threading.Thread]] = {}
        self._next = 1
        self._changed = threading.Condition()
        self.generation = Generation()
        self._connections: set[socket.socket] = set()
        self._own_dir = None if socket_path else tempfile.TemporaryDirectory(prefix="oneos-t-")
        self.socket_path = socket_path or os.path.join(self._own_dir.name, "s")  # type: ignore[union-attr]
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def __enter__(self) -> "TreeServer":
        self._listener.bind(self.socket_path)
        self._listener.listen(64)
        self.generation.start(os.path.dirname(self.socket_path))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.disconnect()
        self.generation.end()
        for entry in self.handles.values():
            _close(entry)
        if self._own_dir:
            self._own_dir.cleanup()

    def disconnect(self) -> None:
        """End as a Runtime that was killed does: nothing listens, every connection breaks."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket_path)
        with self._changed:
            for sock in self._connections:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def environment(self, cwd: str = "/", stage: str = "") -> dict[str, str]:
        """The variables that a Runtime gives to a guest it starts in `cwd` of the tree."""
        return {
            "ONEOS_SOCK": self.socket_path,
            "ONEOS_PID": str(self.pid),
            "ONEOS_PPID": "0",
            "ONEOS_TOKEN": self.token,
            "ONEOS_CWD": cwd,
            "ONEOS_HOSTNAME": self.hostname,
            "ONEOS_STAGE": stage or os.path.dirname(self.socket_path),
            "ONEOS_UID": "1000",
            "ONEOS_GID": "1000",
            "ONEOS_LAUNCHED": "1",
        }

    def count(self, op: str) -> int:
        """How many requests of this operation have come."""
        with self._changed:
            return sum(1 for request in self.requests if request.op == op)

    def wait_for(self, op: str, count: int = 1, timeout_s: float = WAIT_S) -> bool:
        """Wait until `count` requests of this operation have come; false after `timeout_s`."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(1 for request in self.requests if request.op == op) >= count, timeout_s
            )

    # --- connections ------------------------------------------------------------------------
    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self._connections.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        connection = _Connection(sock)
        try:
            for request in _frames(sock):
                reply = self._answer(connection, request)
                _send(sock, reply, connection.send)
                while connection.send:
                    os.close(connection.send.pop())
        except OSError:
            pass  # The guest has gone, which is how connections end.
        finally:
            with self._changed:
                self._connections.discard(sock)
            sock.close()

    def _answer(self, connection: _Connection, request: list[Any]) -> list[Any]:
        op, *args = request
        with self._changed:
            self.requests.append(Request(op, tuple(args)))
            self._changed.notify_all()
        event = self.hold.get(op)
        if event is not None:
            event.wait(60)
        subject = os.fsdecode(args[0]) if args and isinstance(args[0], bytes) else "*"
        for (name, pattern), failure in self.fail.items():
            if name == op and fnmatch.fnmatchcase(subject, pattern):
                return [failure.errno, failure.message or os.strerror(failure.errno), failure.hint]
        handler = getattr(self, f"do_{op}", None)
        if handler is None:
            return [errno.ENOSYS, f"unknown request {op}", ""]
        changes = self._changes(op, args)
        try:
            return [0, handler(connection, *args)]
        except OSError as error:
            return [error.errno or errno.EIO, error.strerror or str(error), ""]
        except (TypeError, ValueError, OverflowError) as error:
            return [errno.EINVAL, f"{op}: {error}", ""]
        finally:
            if changes:
                self.generation.advance()

    def _changes(self, op: str, args: list[Any]) -> bool:
        """Whether a request may change what somebody has looked at."""
        if op == "open":
            return args[1] & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC) != os.O_RDONLY
        if op in ("close", "opened"):
            handle = self.handles.get(args[0])
            return handle is not None and handle.flags & os.O_ACCMODE != os.O_RDONLY
        return op not in _LOOKS

    # --- requests ---------------------------------------------------------------------------
    def do_hello(self, connection: _Connection, greeting: dict[str, Any]) -> dict[str, Any]:
        pid, token = greeting.get("pid", 0), greeting.get("token")
        if token != (self.token if pid == self.pid else self.token_of(pid)):
            raise PermissionError(errno.EACCES, "wrong PID or token")
        connection.pid, connection.fds = greeting["pid"], bool(greeting.get("fds"))
        return {"host": self.hostname, "user": "alice", "uid": 1000, "gid": 1000}

    def do_stat(self, _c: _Connection, path: bytes, follow: bool) -> list[int]:
        return _attr(os.stat(self._host(path, follow), follow_symlinks=False))

    def do_look(self, c: _Connection, path: bytes, follow: bool = False) -> list[Any]:
        kept = not self._written()
        try:
            return [self.do_stat(c, path, follow), kept, kept]
        except FileNotFoundError:
            return [None, kept, False]

    def do_scan(self, _c: _Connection, path: bytes, attributes: bool) -> list[Any]:
        with os.scandir(self._host(path, True)) as found:
            shown = [(entry.name, _attr(entry.stat(follow_symlinks=False))) for entry in found]
        numbers = array.array("q")
        for _, attr in shown:
            numbers.extend(attr if attributes else attr[:2])
        names = b"\0".join(name for name, _ in shown)
        return [names, numbers.tobytes(), attributes, not self._written()]

    def _written(self) -> bool:
        """Whether some file is open for writing, whose size nobody tells of."""
        with self._changed:
            return any(h.flags & os.O_ACCMODE != os.O_RDONLY for h in self.handles.values())

    def do_list(self, _c: _Connection, path: bytes) -> list[list[Any]]:
        with os.scandir(self._host(path, True)) as entries:
            return [[e.name, e.stat(follow_symlinks=False).st_mode, e.inode()] for e in entries]

    def do_mkdir(self, _c: _Connection, path: bytes, mode: int) -> None:
        os.mkdir(self._host(path))
        os.chmod(self._host(path), mode)  # The guest has applied its umask: ours must not count.

    def do_mknod(self, _c: _Connection, path: bytes, mode: int) -> None:
        os.mknod(self._host(path), mode)
        os.chmod(self._host(path), mode & 0o7777)

    def do_meeting(self, _c: _Connection, path: bytes) -> str:
        about = os.stat(self._host(path, follow=True))
        if not stat.S_ISSOCK(about.st_mode):
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        return f"{os.path.dirname(self.socket_path)}/{about.st_ino}"

    def do_bind(self, connection: _Connection, path: bytes, mode: int) -> list[Any]:
        self.do_mknod(connection, path, stat.S_IFSOCK | mode)
        return [self.do_meeting(connection, path), True]

    def do_statvfs(self, _c: _Connection, path: bytes) -> list[int]:
        return [*os.statvfs(self._host(path, follow=True)), 0]

    def do_rmdir(self, _c: _Connection, path: bytes) -> None:
        os.rmdir(self._host(path))

    def do_unlink(self, connection: _Connection, path: bytes) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.do_meeting(connection, path))
        os.unlink(self._host(path))

    def do_rename(self, _c: _Connection, old: bytes, new: bytes) -> None:
        os.rename(self._host(old), self._host(new))

    def do_symlink(self, _c: _Connection, target: bytes, path: bytes) -> None:
        os.symlink(target, self._host(path))

    def do_readlink(self, _c: _Connection, path: bytes) -> bytes:
        return os.readlink(self._host(path, False))

    def do_link(self, _c: _Connection, old: bytes, new: bytes, follow: bool = False) -> None:
        os.link(self._host(old, follow), self._host(new))

    def do_chmod(self, _c: _Connection, path: bytes, mode: int, follow: bool = True) -> None:
        host = self._host(path, follow)
        if os.path.islink(host):
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        os.chmod(host, mode)

    def do_utime(
        self, _c: _Connection, path: bytes, atime_ns: int, mtime_ns: int, follow: bool = True
    ) -> None:
        os.utime(self._host(path, follow), ns=(atime_ns, mtime_ns), follow_symlinks=False)

    def do_chown(
        self, _c: _Connection, path: bytes, uid: int, gid: int, follow: bool = True
    ) -> None:
        os.chown(self._host(path, follow), uid, gid, follow_symlinks=False)

    def _subject(self, what: bytes | int, follow: bool) -> tuple[bytes, bool]:
        """What has extended attributes, for the real functions, and whether they follow that."""
        if isinstance(what, int):
            return b"/proc/self/fd/%d" % self._handle(what).probe, True
        return self._host(what, follow), False

    def do_getxattr(
        self, _c: _Connection, what: bytes | int, name: bytes, follow: bool = True
    ) -> bytes:
        subject, link = self._subject(what, follow)
        return os.getxattr(subject, name, follow_symlinks=link)

    def do_listxattr(self, _c: _Connection, what: bytes | int, follow: bool = True) -> list[bytes]:
        subject, link = self._subject(what, follow)
        return [os.fsencode(name) for name in os.listxattr(subject, follow_symlinks=link)]

    def do_setxattr(
        self,
        _c: _Connection,
        what: bytes | int,
        name: bytes,
        value: bytes,
        flags: int,
        follow: bool = True,
    ) -> None:
        subject, link = self._subject(what, follow)
        os.setxattr(subject, name, value, flags, follow_symlinks=link)

    def do_removexattr(
        self, _c: _Connection, what: bytes | int, name: bytes, follow: bool = True
    ) -> None:
        subject, link = self._subject(what, follow)
        os.removexattr(subject, name, follow_symlinks=link)

    def do_truncate(self, _c: _Connection, path: bytes, size: int) -> None:
        os.truncate(self._host(path, True), size)

    def do_realpath(self, _c: _Connection, path: bytes) -> bytes:
        host = self._host(path, True)
        os.stat(host)
        return self._tree(host)

    def do_open(
        self, connection: _Connection, path: bytes, flags: int, mode: int
    ) -> dict[str, Any]:
        if path in HOST_DEVICES or path.startswith(b"/dev/fd/"):
            return {"k": "host", "path": os.fsdecode(path)}
        exclusive = flags & os.O_CREAT and flags & os.O_EXCL
        host = self._host(path, not (exclusive or flags & os.O_NOFOLLOW))
        if host == self.root + b"/dev/null":
            return {"k": "host", "path": "/dev/null"}
        if os.path.exists(host) and stat.S_ISFIFO(os.stat(host).st_mode):
            return {"k": "host", "path": os.fsdecode(host)}
        fd = _open(host, flags, mode)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            return {"k": "dir", "path": self._tree(host)}
        remote = stat.S_ISREG(os.fstat(fd).st_mode) and any(
            fnmatch.fnmatchcase(os.fsdecode(path), pattern) for pattern in self.remote
        )
        with self._changed:
            h, self._next = self._next, self._next + 1
            probe = os.open(f"/proc/self/fd/{fd}", os.O_PATH)
            entry = Handle(connection.pid, "remote" if remote else "fd", host, flags, fd, probe)
            self.handles[h] = entry
        if remote:
            append = bool(flags & os.O_APPEND)
            return {"k": "remote", "h": h, "size": os.fstat(fd).st_size, "append": append}
        answer = {"k": "fd", "h": h, "path": host.decode(errors="replace")}
        again = flags == os.O_RDONLY and _at_rest(fd) and not self._written()
        if again and os.fsencode(answer["path"]) == host:
            answer["again"] = _attr(os.fstat(fd))
        if self.later:
            answer["later"] = True
        if connection.fds and not self.by_path:
            connection.send.append(fd)
            entry.fd = -1
        elif "again" not in answer:
            answer["path"] = f"/proc/{os.getpid()}/fd/{fd}"
        return answer

    def do_opened(self, _c: _Connection, h: int) -> None:
        entry = self._handle(h)
        os.close(entry.fd)
        entry.fd = -1

    def do_close(self, _c: _Connection, h: int) -> None:
        entry = self._handle(h)
        with self._changed:
            entry.holders -= 1
            if entry.holders:
                return
            del self.handles[h]
        _close(entry)

    def do_sync(self, _c: _Connection, h: int) -> None:
        self._handle(h)

    def do_fstat(self, _c: _Connection, h: int) -> list[int]:
        entry = self._handle(h)
        return _attr(os.fstat(entry.probe))

    def do_fsetattr(self, _c: _Connection, h: int, change: dict[str, int]) -> None:
        path = f"/proc/self/fd/{self._handle(h).probe}"
        if "mode" in change:
            os.chmod(path, change["mode"])
        os.chown(path, change.get("uid", -1), change.get("gid", -1))
        if "mtime_ns" in change:
            os.utime(path, ns=(change["atime_ns"], change["mtime_ns"]))

    def do_pread(self, _c: _Connection, h: int, offset: int, n: int) -> bytes:
        return os.pread(self._handle(h).fd, min(n, READ_BYTES_MAX), offset)

    def do_pwrite(self, _c: _Connection, h: int, offset: int, data: bytes) -> list[int]:
        fd = self._handle(h).fd
        if offset < 0:
            written = os.write(fd, data)
            return [written, os.lseek(fd, 0, os.SEEK_CUR)]
        written = os.pwrite(fd, data, offset)
        return [written, offset + written]

    def do_ftruncate(self, _c: _Connection, h: int, size: int) -> None:
        os.ftruncate(self._handle(h).fd, size)

    def do_kill(self, _c: _Connection, pid: int, number: int) -> None:
        if pid != self.pid:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def do_fork(self, connection: _Connection) -> dict[str, Any]:
        with self._changed:
            mine = [h for h, entry in self.handles.items() if entry.pid == connection.pid]
        self.keep(mine)
        return super().do_fork(connection)

    def do_pipe(
        self, connection: _Connection, pid: int, h: int, offset: int, reading: bool
    ) -> dict[str, Any]:
        file = os.dup(self._handle(h).fd)
        ours, theirs = os.pipe()[:: -1 if reading else 1]

        def carry() -> None:
            at = offset
            while data := os.pread(file, 65536, at) if reading else os.read(ours, 65536):
                at += os.write(ours, data) if reading else os.pwrite(file, data, at)
            os.close(ours)
            os.close(file)

        carrier = threading.Thread(target=carry, daemon=True)
        carrier.start()
        self.pipes[pid] = (theirs, carrier)
        if connection.fds:
            connection.send.append(os.dup(theirs))
        return {"path": f"/proc/{os.getpid()}/fd/{theirs}"}

    def do_reaped(self, connection: _Connection, pid: int, status: int) -> None:
        if pid in self.pipes:
            theirs, carrier = self.pipes.pop(pid)
            os.close(theirs)
            carrier.join()
        super().do_reaped(connection, pid, status)

    # --- helpers ----------------------------------------------------------------------------
    def keep(self, handles: list[int]) -> None:
        """A program inherits files: each is closed when all that hold it have closed it."""
        with self._changed:
            for h in handles:
                self.handles[h].holders += 1

    def _handle(self, h: int) -> Handle:
        with self._changed:
            if h not in self.handles:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return self.handles[h]

    def _host(self, path: bytes, follow: bool | None = None) -> bytes:
        """The host path of a path of the tree; `..` and links never leave the root.

        Args:
            path: of the tree, absolute.
            follow: whether a link in last place is followed; None: nor for a trailing slash.
        """
        if not path.startswith(b"/") or b"\0" in path:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        names: list[bytes] = []
        todo = path.split(b"/")[::-1]
        slash = path.endswith((b"/", b"/."))
        last = follow if follow is None else follow or slash
        links = 0
        while todo:
            name = todo.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                # As the kernel does: what stands before `..` must be a directory.
                os.scandir(b"/".join([self.root, *names])).close()
                del names[-1:]
                continue
            host = b"/".join([self.root, *names, name])
            more = any(name not in (b"", b".") for name in todo)
            if not (more or last) or not os.path.islink(host):
                names.append(name)
                continue
            links += 1
            if links > 40:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(host)
            if target.startswith(b"/"):
                names = []
            todo.extend(target.split(b"/")[::-1])
        end = b"/" if names and slash else b""
        return b"/".join([self.root, *names]) + end if names else self.root + b"/"

    def _tree(self, host: bytes) -> bytes:
        return host.rstrip(b"/")[len(self.root) :] or b"/"


def _close(entry: Handle) -> None:
    os.close(entry.probe)
    if entry.fd >= 0:
        os.close(entry.fd)


def _open(path: bytes, flags: int, mode: int) -> int:
    if flags & os.O_CREAT:
        try:
            fd = os.open(path, flags | os.O_EXCL, mode)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
        else:
            os.fchmod(fd, mode)  # The guest has applied its umask: ours must not count.
            return fd
    return os.open(path, flags & ~os.O_CREAT, mode)


def _at_rest(fd: int) -> bool:
    """Whether it is a file that may be opened again by its path."""
    return stat.S_ISREG(os.fstat(fd).st_mode)


def _attr(s: os.stat_result) -> list[int]:
    return [
        s.st_mode, s.st_ino, s.st_dev, s.st_nlink, s.st_uid, s.st_gid, s.st_size,
        s.st_atime_ns, s.st_mtime_ns, s.st_ctime_ns, s.st_blocks, s.st_rdev,
    ]  # fmt: skip


def _frames(sock: socket.socket) -> Iterator[list[Any]]:
    buffer = bytearray()
    while True:
        while len(buffer) < 4 or len(buffer) < 4 + struct.unpack_from("<I", buffer)[0]:
            data = sock.recv(1 << 18)
            if not data:
                return
            buffer += data
        size = struct.unpack_from("<I", buffer)[0]
        if size > FRAME_BYTES_MAX:
            return
        yield msgspec.msgpack.decode(bytes(buffer[4 : 4 + size]))
        del buffer[: 4 + size]


def _send(sock: socket.socket, reply: list[Any], fds: list[int]) -> None:
    body = msgspec.msgpack.encode(reply)
    frame = memoryview(struct.pack("<I", len(body)) + body)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sent = sock.sendmsg([frame], rights)
    sock.sendall(frame[sent:])
