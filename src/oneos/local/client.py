"""A synchronous client of the local protocol (docs/guest-protocol.md), in the role `client`.

One instance holds one connection and sends one request at a time; threads that share an
instance take turns, so a thread that waits for programs should have its own (`clone`). A call
that is broken off half-way, by Ctrl-C for example, drops the connection: replies come in
order, so the late reply would be taken for the next one's. The next call opens a new one. A
connection can join a session that another one began (`join`), so that all a shell's connections
act for the same user; the session and open files end with the connection that began them.
What the requests mean is the Runtime's business; this file only carries them.
"""

import array
import os
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from oneos.errors import FileError, InternalError, NetworkError, UserError
from oneos.limits import FRAME_BYTES_MAX, LOCAL_FDS_MAX

_LENGTH = struct.Struct("<I")
_CHANGES_MAX = 16
"""Changes that one request of a kernel takes: two or three."""

_OWED_MAX = 64
"""Replies that nobody has read yet: far from what fills a socket's buffer."""

_FD_BYTES = array.array("i").itemsize


@dataclass(frozen=True, slots=True)
class OpenFd:
    """A file of the tree, opened as a real descriptor, which the caller owns and closes.

    `handle` is None where the Runtime keeps no account of it (`/dev/null` and its kind);
    else `Client.close(handle)` after closing the descriptor commits what was written. `generated`:
    it is a text made for this opening, whose name shows no size. `exported`: it is a host's own,
    and closing it commits nothing. `attributes`: of what was to be created, if need be, at its home
    here. `later`: closing it commits nothing yet, so what `flush` says need not be waited for.
    """

    fd: int
    handle: int | None
    generated: bool = False
    attributes: Sequence[int] = ()
    exported: bool = False
    later: bool = False


@dataclass(frozen=True, slots=True)
class OpenRemote:
    """A file that is in use at another host: read and written by requests."""

    handle: int
    size: int
    append: bool


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """A directory: there is nothing to read; it is listed by its canonical path."""

    path: bytes


Opened = OpenFd | OpenRemote | OpenDirectory


class Client:
    """The way to one Runtime.

    Args:
        socket_path: the Runtime's local socket; see address.py.
        program: where this is a program that the Runtime started: its PID and token, so that what
            it starts has it as its parent.
        shared: connections that name the same secret share the files they open, which are closed
            with the last of them; empty: each has its own.
    """

    def __init__(
        self, socket_path: str, program: tuple[int, str] | None = None, *, shared: str = ""
    ) -> None:
        self.socket_path = socket_path
        self.program = program
        self._shared = shared
        self.greeting: dict[str, Any] = {}
        self.generation = 0
        """Counts the connections that ended: files opened before are closed with theirs."""
        self.request = 0
        """The number of what this connection is asked to do next, where it may be asked again by
        another that does not know whether it was done; see `change`."""
        self._changes = 0
        self._session: dict[str, Any] | None = None
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._received_fds: list[int] = []
        self._owed = 0

    def clone(self) -> "Client":
        """Another client of the same Runtime, and session, with a connection of its own."""
        other = Client(self.socket_path, self.program, shared=self._shared)
        other._session = self._session
        return other

    def join(self, user: str, sid: int) -> "Client":
        """A client whose connections act in a session that this one began."""
        other = Client(self.socket_path, self.program, shared=self._shared)
        other._session = {"user": user, "sid": sid}
        return other

    def drop(self) -> None:
        """Close the connection. The next call opens another."""
        connection, self._socket = self._socket, None
        self._owed = 0
        if connection is not None:
            connection.close()
            self.generation += 1
        self._close_received()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.drop()

    def call(self, op: str, *args: Any, fds: Sequence[int] = ()) -> Any:
        """Send one request and wait for its reply, however long that takes.

        Args:
            op: the request's name, as docs/guest-protocol.md lists them.
            args: its arguments; paths as bytes.
            fds: descriptors to hand over with the request; they stay open here.

        Raises:
            FileError: the Runtime answered with an errno.
            UserError: no Runtime answers at the socket, or it does not let this user in.
            NetworkError: the Runtime ended while it was asked.
        """
        with self._lock:
            result = self._request(op, args, fds)
            self._close_received()
            return result

    def serves(self, request: int) -> None:
        """What follows is for a request of that number, of which the Runtime does a change once."""
        self.request, self._changes = request, 0

    def change(self, op: str, *args: Any) -> Any:
        """As `call`, for what may not be done twice: whoever serves the same request does so in
        the same order, and gets the outcome there was.

        Raises:
            OneOSError: as `call`.
        """
        return self.call(*self._once(op), *args)

    def _once(self, op: str) -> tuple[Any, ...]:
        if not self.request:
            return (op,)
        self._changes += 1
        return "once", self.request * _CHANGES_MAX + self._changes, op

    def take(self, op: str, *args: Any) -> list[int]:
        """Send one request whose reply brings descriptors, which the caller owns and closes.

        Raises:
            OneOSError: as `call`.
        """
        with self._lock:
            self._request(op, args, ())
            fds, self._received_fds = self._received_fds, []
            return fds

    def open(
        self,
        path: bytes,
        flags: int,
        mode: int = 0o666,
        owner: Sequence[int] = (),
        ino: int = 0,
        pid: int = 0,
    ) -> Opened:
        """Open a path of the tree.

        Args:
            path: absolute.
            flags: as open(2).
            mode: of a file that is created, with the umask already taken off.
            owner: user and group of a file that is created, where not the Runtime's.
            ino: for a file that is not created: the inode that a kernel knows to stand there.
            pid: the process that it is opened for, where that is not this one.

        Raises:
            FileError: as `call`; also EISDIR for a directory that is not opened as one.
        """
        with self._lock:
            if pid:
                more: tuple[Any, ...] = (owner, ino, pid)
            else:
                more = (owner, ino) if ino else (owner,) if owner else ()
            changing = flags & (os.O_CREAT | os.O_TRUNC)
            op, *before = self._once("open") if changing else ("open",)
            result = self._request(op, (*before, path, flags, mode, *more), ())
            fds, self._received_fds = self._received_fds, []
        return self._opened(path, flags, result, fds)

    def adopt(self, handle: int, flags: int) -> Opened:
        """Get an open file again that another connection of the same secret opened.

        Args:
            handle: the Runtime's number for it.
            flags: with which it was opened.

        Raises:
            FileError: EBADF, it is not open.
        """
        with self._lock:
            result = self._request("adopt", (handle,), ())
            fds, self._received_fds = self._received_fds, []
        return self._opened(b"", flags, result, fds)

    def _opened(self, path: bytes, flags: int, result: dict[str, Any], fds: list[int]) -> Opened:
        done = os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW
        flags_native = (flags & ~done) | os.O_CLOEXEC
        kind = result.get("k")
        if kind == "fd" and fds:
            attributes = result.get("attr", ())
            generated, exported = bool(result.get("text")), bool(result.get("export"))
            later = bool(result.get("later"))
            return OpenFd(fds[0], result["h"], generated, attributes, exported, later)
        if kind == "fd":
            fd = _open_native(result["path"], flags_native, path)
            self.call("opened", result["h"])
            return OpenFd(fd, result["h"])
        if kind == "host":
            return OpenFd(_open_native(result["path"], flags_native, path), None)
        if kind == "remote":
            return OpenRemote(result["h"], result["size"], result["append"])
        if kind == "dir":
            return OpenDirectory(result["path"])
        raise InternalError(f"the Runtime answered open with a kind {kind!r} nobody knows")

    def post(self, op: str, *args: Any) -> None:
        """Send one request whose outcome nobody needs; it is done before the next one is.

        Raises:
            NetworkError, UserError: as `call`.
        """
        with self._lock:
            self._exchange([op, *args], owed=True)

    def close(self, handle: int) -> None:
        """End an open file. For one that was written, returns when the content is committed.

        Raises:
            FileError: the content could not be committed.
        """
        self.call("close", handle)

    def _request(self, op: str, args: tuple[Any, ...], fds: Sequence[int]) -> Any:
        if len(fds) > LOCAL_FDS_MAX:
            raise InternalError(f"{op}: {len(fds)} descriptors in one request")
        reply = self._exchange([op, *args], fds)
        if not reply or reply[0] != 0:
            raise _error_of(reply)
        return reply[1]

    def _exchange(self, request: list[Any], fds: Sequence[int] = (), owed: bool = False) -> Any:
        """Send a request and read its reply, after those that are owed for earlier ones; where it
        is `owed` itself, only so many of those that not too many are left."""
        if self._socket is None:
            self._connect()
        try:
            self._send(request, fds)
            self._owed += owed
            while self._owed > (_OWED_MAX if owed else 0):
                self._receive()
                self._owed -= 1
            return None if owed else self._receive()
        except OSError as error:
            self.drop()
            raise NetworkError(
                f"the Runtime at {self.socket_path} broke off: {error.strerror or error}",
                hint="see whether it still runs: oneos status",
            ) from error
        except BaseException:
            self.drop()
            raise

    def _connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self.socket_path)
        except PermissionError as error:
            connection.close()
            raise UserError(
                f"the Runtime at {self.socket_path} does not let this user in",
                hint="run this as the user that started the Runtime",
            ) from error
        except OSError as error:
            connection.close()
            raise UserError(
                f"no Runtime answers at {self.socket_path}", hint="start one: oneos up"
            ) from error
        self._socket = connection
        claims: dict[str, Any] = {"client": True, "fds": True}
        if self.program is not None:
            claims["pid"], claims["token"] = self.program
        if self._shared:
            claims["shared"] = self._shared
        self.greeting = self._request("hello", (claims,), ())
        if self._session is not None:
            self._request("session", (self._session,), ())

    def _send(self, request: list[Any], fds: Sequence[int]) -> None:
        assert self._socket is not None
        body = msgspec.msgpack.encode(request)
        if len(body) > FRAME_BYTES_MAX:
            raise UserError(
                f"{request[0]}: {len(body)} bytes do not fit one request",
                hint=f"at most {FRAME_BYTES_MAX} bytes; pass long lists by a file or a pipe",
            )
        data = memoryview(_LENGTH.pack(len(body)) + body)
        if fds:
            # The descriptors travel with the first byte, so they are there before the frame is.
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))
            data = data[self._socket.sendmsg([data], [rights]) :]
        self._socket.sendall(data)

    def _receive(self) -> Any:
        (size,) = _LENGTH.unpack(self._receive_exactly(_LENGTH.size))
        if size > FRAME_BYTES_MAX:
            raise InternalError(f"the Runtime sent a frame of {size} bytes")
        return msgspec.msgpack.decode(self._receive_exactly(size))

    def _receive_exactly(self, size: int) -> bytes:
        assert self._socket is not None
        parts = bytearray()
        while len(parts) < size:
            data, ancillary, _flags, _address = self._socket.recvmsg(
                size - len(parts), socket.CMSG_SPACE(LOCAL_FDS_MAX * _FD_BYTES)
            )
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    whole = len(payload) - len(payload) % _FD_BYTES
                    received = array.array("i", payload[:whole])
                    for fd in received:
                        os.set_inheritable(fd, False)
                    self._received_fds.extend(received)
            if not data:
                raise ConnectionError("end of stream")
            parts += data
        return bytes(parts)

    def _close_received(self) -> None:
        fds, self._received_fds = self._received_fds, []
        for fd in fds:
            os.close(fd)


def _open_native(host_path: str | bytes, flags: int, path: bytes) -> int:
    try:
        return os.open(host_path, flags)
    except OSError as error:
        raise FileError(error.errno or 0, path) from error


def _error_of(reply: Any) -> FileError:
    try:
        errno, message, hint = reply
    except (TypeError, ValueError) as error:
        raise InternalError("the Runtime sent a reply that is none") from error
    failure = FileError(errno, hint=hint or "")
    if message:
        # The Runtime's own words say more than strerror does: which host, which path.
        failure.message = message
        failure.args = (message,)
    return failure
