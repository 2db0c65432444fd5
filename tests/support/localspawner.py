"""A small real Runtime for tests of the shell: one host, whose tree is a directory.

It serves the local protocol's client side on a unix socket: sessions, spawn, wait, names and
open files. Programs are plain processes of this machine with real pipes between them; the
commands of the tree's `/bin` are the machine's own. There is no network in it, and no context:
a program sees the machine's files, so scripts name their files relatively. Files whose name
begins with `remote` are answered as if they were in use at another host. At a terminal each program
leads a session of its own there, so one at a time has Ctrl-C, and none can be stopped.
"""

import array
import contextlib
import errno
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

_LENGTH = struct.Struct("<I")


class LocalSpawner:
    """Serves until `close`.

    Args:
        directory: the tree's root; `home/alice` is made in it.
        socket_path: where to listen.
    """

    def __init__(self, directory: str, socket_path: str) -> None:
        self.root = os.fsencode(os.path.realpath(directory))
        self.socket_path = socket_path
        os.makedirs(self.root + b"/home/alice", exist_ok=True)
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.spawned: list[dict[str, Any]] = []
        self.closed_handles: list[int] = []
        self.remote: dict[int, int] = {}
        self.close_fails = False
        self.sessions: list[int] = []
        self.terminal: tuple[int, int] | None = None
        self._next = 1
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(socket_path)
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop serving; kill what still runs."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for fd in self.terminal or ():
            os.close(fd)
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while (frame := _receive(connection)) is not None:
                (op, *arguments), fds = frame
                send_fds: list[int] = []
                try:
                    result = getattr(self, f"op_{op}")(*arguments, fds=fds, send_fds=send_fds)
                    reply = [0, result]
                except OSError as error:
                    reply = [error.errno, error.strerror, ""]
                for fd in fds:
                    os.close(fd)
                data = msgspec.msgpack.encode(reply)
                with contextlib.suppress(OSError):
                    _send(connection, _LENGTH.pack(len(data)) + data, send_fds)
                for fd in send_fds:
                    os.close(fd)
        self._connections.discard(connection)

    def _host(self, path: bytes) -> bytes:
        return self.root + path

    # --- requests ----------------------------------------------------------------------------

    def op_hello(self, who: dict[str, Any], **_: Any) -> Any:
        return {"host": "here", "network": "oneos"}

    def op_session(self, wanted: dict[str, Any], **_: Any) -> Any:
        sid = wanted.get("sid")
        if sid is None:
            with self._lock:
                sid, self._next = self._next, self._next + 1
            self.sessions.append(sid)
        elif sid not in self.sessions:
            raise ProcessLookupError(errno.ESRCH, "no such session")
        return {
            "sid": sid,
            "user": wanted["user"],
            "home": b"/home/alice",
            "env": {"HOME": "/home/alice", "PATH": "/bin", "USER": wanted["user"]},
            "host": "here",
        }

    def op_status(self, **_: Any) -> Any:
        members = [
            {"name": name, "address": "127.0.0.1", "state": "alive", "tags": tags}
            for name, tags in (("here", ["hub"]), ("pi1", ["camera"]))
        ]
        return {"network": "oneos", "host": "here", "members": members, "services": []}

    def op_stat(self, path: bytes, follow: bool, **_: Any) -> Any:
        got = os.stat(self._host(path)) if follow else os.lstat(self._host(path))
        return [
            *(got.st_mode, got.st_ino, got.st_dev, got.st_nlink, got.st_uid, got.st_gid),
            *(got.st_size, got.st_atime_ns, got.st_mtime_ns, got.st_ctime_ns),
            *(got.st_blocks, got.st_rdev),
        ]

    def op_list(self, path: bytes, **_: Any) -> Any:
        if path.rstrip(b"/") == b"/bin":
            return [[name, 0o100755, 1] for name in (b"cat", b"ls", b"sort", b"wc")]
        with os.scandir(self._host(path)) as entries:
            return [[e.name, e.stat(follow_symlinks=False).st_mode, e.inode()] for e in entries]

    def op_realpath(self, path: bytes, **_: Any) -> Any:
        real = os.path.realpath(self._host(path), strict=True)
        return real[len(self.root) :] or b"/"

    def op_open(self, path: bytes, flags: int, mode: int, send_fds: list[int], **_: Any) -> Any:
        if path.startswith(b"/dev/"):
            return {"k": "host", "path": path}
        if os.path.isdir(self._host(path)) and flags & os.O_ACCMODE == os.O_RDONLY:
            return {"k": "dir", "path": path}
        fd = _open(self._host(path), flags, mode)
        with self._lock:
            handle, self._next = self._next, self._next + 1
        if os.path.basename(path).startswith(b"remote"):
            self.remote[handle] = fd
            append = bool(flags & os.O_APPEND)
            return {"k": "remote", "h": handle, "size": os.fstat(fd).st_size, "append": append}
        send_fds.append(fd)
        return {"k": "fd", "h": handle, "path": self._host(path)}

    def op_close(self, handle: int, **_: Any) -> Any:
        self.closed_handles.append(handle)
        if handle in self.remote:
            os.close(self.remote.pop(handle))
        if self.close_fails:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def op_pread(self, handle: int, offset: int, size: int, **_: Any) -> Any:
        return os.pread(self.remote[handle], size, offset)

    def op_pwrite(self, handle: int, offset: int, data: bytes, **_: Any) -> Any:
        fd = self.remote[handle]
        if offset < 0:
            written = os.write(fd, data)
            return [written, os.fstat(fd).st_size]
        written = os.pwrite(fd, data, offset)
        return [written, offset + written]

    def op_commands(self, prefix: bytes, **_: Any) -> Any:
        return [name for name in (b"git", b"gitk") if name.startswith(prefix)]

    def op_which(self, name: bytes, cwd: bytes, **_: Any) -> Any:
        found = self._command(os.fsdecode(name), cwd)
        return name if b"/" in name else b"/bin/" + os.path.basename(found)

    def op_kill(self, pid: int, signal: int, **_: Any) -> Any:
        process = self.processes.get(abs(pid))
        if process is None or process.poll() is not None:
            raise ProcessLookupError(3, "No such process")
        if pid < 0:
            os.killpg(process.pid, signal)
        else:
            process.send_signal(signal)

    def op_spawn(self, spec: dict[str, Any], fds: list[int], **_: Any) -> Any:
        self.spawned.append(spec)
        pipes: dict[int, tuple[int, int]] = {}
        for stage in spec["stages"]:
            for end in stage["io"].values():
                if end[0] == "pipe" and end[1] not in pipes:
                    pipes[end[1]] = os.pipe()
        if "job" in spec and self.terminal is None:
            self.terminal = os.openpty()
        try:
            return [self._start(stage, fds, pipes) for stage in spec["stages"]]
        finally:
            for pair in pipes.values():
                os.close(pair[0])
                os.close(pair[1])

    def op_terminal(self, number: int, send_fds: list[int], **_: Any) -> None:
        assert self.terminal is not None
        send_fds += [os.dup(self.terminal[0]), os.dup(self.terminal[0])]

    def op_take_back(self, number: int, job: int, modes: int, marker: bytes, **_: Any) -> bytes:
        self.op_mark(number, marker)
        return b""

    def op_mark(self, number: int, marker: bytes, **_: Any) -> None:
        assert self.terminal is not None
        os.write(self.terminal[1], marker)

    def op_wait(self, pids: Sequence[int], stops: bool = False, **_: Any) -> Any:
        return [_status(self.processes[pid].wait()) for pid in pids]

    def op_poll(self, pids: Sequence[int], **_: Any) -> Any:
        codes = [self.processes[pid].poll() for pid in pids]
        return [None if code is None else _status(code) for code in codes]

    # --- programs ----------------------------------------------------------------------------

    def _command(self, name: str, cwd: bytes) -> bytes:
        if "/" in name:
            path = self._host(os.path.join(cwd, os.fsencode(name)))
            if not os.path.exists(path):
                raise FileNotFoundError(2, "No such file or directory")
            if os.path.isdir(path) or not os.access(path, os.X_OK):
                raise PermissionError(13, "Permission denied")
            return path
        found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin")
        if found is None:
            raise FileNotFoundError(2, "No such file or directory")
        return os.fsencode(found)

    def _start(
        self, stage: dict[str, Any], fds: list[int], pipes: dict[int, tuple[int, int]]
    ) -> Any:
        name = os.fsdecode(stage["argv"][0])
        try:
            program = self._command(name, stage["cwd"])
        except OSError as error:
            status = 127 if error.errno == 2 else 126
            message = f"{name}: {'not found' if status == 127 else error.strerror}"
            return {"errno": error.errno, "message": message, "hint": "", "status": status}
        opened: list[int] = []
        try:
            ends = {}
            for fd in (1, 2, 0):
                kind, *rest = stage["io"][fd]
                if kind == "fd":
                    ends[fd] = fds[rest[0]]
                elif kind == "pipe":
                    ends[fd] = pipes[rest[0]][0 if fd == 0 else 1]
                elif kind == "tty":
                    assert self.terminal is not None
                    ends[fd] = self.terminal[1]
                elif kind == "dup":
                    ends[fd] = ends[rest[0]]
                else:
                    path, flags, mode = (b"/dev/null", os.O_RDWR, 0) if kind == "null" else rest
                    in_tree = not path.startswith(b"/dev/")
                    ends[fd] = _open(self._host(path) if in_tree else path, flags, mode)
                    opened.append(ends[fd])
            process = subprocess.Popen(
                [program, *stage["argv"][1:]],
                stdin=ends[0],
                stdout=ends[1],
                stderr=ends[2],
                env={**stage["env"], b"PATH": b"/usr/local/bin:/usr/bin:/bin"},
                cwd=self._host(stage["cwd"]),
                start_new_session=True,
                preexec_fn=lambda: self._prepare(stage),
            )
        except OSError as error:
            name = os.fsdecode(error.filename or b"").removeprefix(os.fsdecode(self.root))
            message = f"cannot open {name}: {error.strerror}"
            return {"errno": error.errno, "message": message, "hint": "", "status": 1}
        finally:
            for fd in opened:
                os.close(fd)
        self.processes[process.pid] = process
        terminal = 0 if self.terminal is None else 1
        return {"pid": process.pid, "host": "here", "terminal": terminal}

    @staticmethod
    def _prepare(stage: dict[str, Any]) -> None:
        for number in stage.get("ignored", []):
            signal.signal(number, signal.SIG_IGN)
        if "tty" in stage["io"][0]:
            # By force, from the session of the program before.
            fcntl.ioctl(0, termios.TIOCSCTTY, 1)


def _open(path: bytes, flags: int, mode: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, mode)


def _status(code: int) -> int:
    return 128 - code if code < 0 else code


def _receive(connection: socket.socket) -> tuple[list[Any], list[int]] | None:
    data, fds = b"", []
    size = _LENGTH.size
    while len(data) < size:
        try:
            piece, ancillary, _flags, _addr = connection.recvmsg(
                size - len(data), socket.CMSG_SPACE(32 * 4)
            )
        except OSError:
            return None
        for _level, _kind, payload in ancillary:
            fds.extend(array.array("i", payload))
        if not piece:
            return None
        data += piece
        if size == len(data) == _LENGTH.size:
            size += _LENGTH.unpack(data)[0]
    return msgspec.msgpack.decode(data[_LENGTH.size :], strict=False), fds


def _send(connection: socket.socket, data: bytes, fds: list[int]) -> None:
    view = memoryview(data)
    if fds:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
        view = view[connection.sendmsg([view], [rights]) :]
    connection.sendall(view)
