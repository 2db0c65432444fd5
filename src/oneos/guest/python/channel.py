"""Requests to the Runtime, from any thread of the program, over the socket of the local protocol.

A request takes an idle connection (or makes one), waits for the reply, and puts the connection back
only when that reply has been read whole: a signal handler that raises half way costs the connection
and never leaves one out of step. A handler that itself makes a request just takes another one.
After fork the child starts with none. When the Runtime has gone, everything fails at once with EIO.
What the requests mean is decided elsewhere.
"""

import _socket
import errno
import fcntl
import posix
import sys

from . import codec
from .failure import os_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONNECTIONS_IDLE_MAX = 8
"""Idle connections kept: as many threads as commonly do file work at one moment."""

OWED_MAX = 64
"""Replies of posted requests left unread on one connection, well below what fills its buffer."""

DESCRIPTOR_MIN = 700
"""Connections sit at high numbers: a program's first `open` must give the 3 it gives natively, and
`for fd in range(3, 256): close(fd)` must not meet them. Below the usual limit of 1,024."""

FRAME_BYTES_MAX = 8 * 1024 * 1024
READ_BYTES = 64 * 1024
RIGHTS_BYTES = _socket.CMSG_SPACE(4)
GONE = "the OneOS Runtime of this host has gone"
GONE_HINT = "nothing of the tree can be reached from this program any more"

Real = _socket.socket  # The program's own `socket` is replaced later; see `refusals`.


class Connection:
    """One socket to the Runtime, greeted. Used by one thread at a time."""

    __slots__ = ("descriptors", "owed", "sock", "unread")

    def __init__(self, path: str, greeting: bytes) -> None:
        self.sock = _high(Real(_socket.AF_UNIX, _socket.SOCK_STREAM, 0))
        self.unread = b""
        self.owed = 0
        self.descriptors: list[int] = []
        self.sock.connect(path)
        self.send(greeting)

    def send(self, body: bytes) -> None:
        # A program may have set SIGPIPE to its default: our socket must not end it.
        self.sock.sendall(len(body).to_bytes(4, "little") + body, _socket.MSG_NOSIGNAL)

    def reply(self) -> "list[Any]":
        """The reply to the last request sent; those owed before it are read and dropped."""
        while self.owed:
            self._frame()
            self.owed -= 1
        return codec.decode(self._frame())  # type: ignore[no-any-return]

    def _frame(self) -> bytes:
        parts = [self.unread]
        have = len(self.unread)
        size = -1
        while size < 0 or have < size:
            if size < 0 and have >= 4:
                head = b"".join(parts)
                parts = [head]
                size = 4 + int.from_bytes(head[:4], "little")
                if size > FRAME_BYTES_MAX + 4:
                    raise ConnectionError("frame too long")
                continue
            data, ancillary, _, _ = self.sock.recvmsg(
                max(READ_BYTES, size - have), RIGHTS_BYTES, _socket.MSG_CMSG_CLOEXEC
            )
            if not data:
                raise ConnectionError("end of stream")
            for _, _, raw in ancillary:
                self.descriptors.append(int.from_bytes(raw[:4], sys.byteorder))
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self.unread = whole[size:]
        return whole[4:size]


class Channel:
    """All requests of this process. `path` is the Runtime's socket; who asks, `greet` says."""

    def __init__(self) -> None:
        self.path = ""
        self.greeting = b""
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self.reserved: set[int] = set()  # Descriptors of ours: not the program's to close.
        posix.register_at_fork(after_in_child=self._forked)

    def greet(self, pid: int, token: str) -> None:
        """Say hello as this process of the network from the next connection on.

        Args:
            pid: this process in the network's table.
            token: shows the Runtime that it is.
        """
        self.greeting = codec.encode(["hello", {"pid": pid, "token": token, "fds": True}])

    def open(self) -> None:
        """Say hello now. Where the Runtime has gone, the first request tells."""
        try:
            self._put_back(self._take())
        except OSError:
            pass

    def call(self, *request: "Any", names: "tuple[object, ...]" = ()) -> "Any":
        """Do one request and give its result.

        Args:
            request: the operation and its arguments.
            names: the file names for the error, as the program gave them.

        Raises:
            OSError: with the Runtime's errno; EIO when the Runtime has gone.
        """
        return self.call_with_descriptor(*request, names=names)[0]

    def call_with_descriptor(
        self, *request: "Any", names: "tuple[object, ...]" = ()
    ) -> "tuple[Any, int]":
        """As `call`; the second value is the descriptor that came with the reply, or -1."""
        reply, descriptor = self._exchange(codec.encode(request))
        if reply[0]:
            message, hint = reply[1], reply[2] if len(reply) > 2 else ""
            raise os_error(reply[0], *names, message=message, hint=hint)
        return reply[1], descriptor

    def begin(self, *request: "Any") -> Connection:
        """Send one request, of which `until_answered` and `end` bring the answer.

        For one that may wait for long: what a signal's handler raises meanwhile, the program gets.
        """
        connection = self._take()
        failed = False
        try:
            while connection.owed:
                connection._frame()
                connection.owed -= 1
            connection.send(codec.encode(request))
        except BaseException as error:
            self._drop(connection)
            if not isinstance(error, (OSError, ValueError)):
                raise
            failed = True
        if failed:
            raise os_error(errno.EIO, message=GONE, hint=GONE_HINT)
        return connection

    def until_answered(self, connection: Connection) -> None:
        """Wait for an answer. Raises whatever a signal's handler does; then `drop` it."""
        import select

        if not connection.unread:
            ready = select.poll()
            ready.register(connection.sock.fileno(), select.POLLIN)
            ready.poll()

    def end(self, connection: Connection) -> "Any":
        """The answer to what was begun. Raises OSError, as `call`."""
        reply, _ = self._answered(connection, b"")
        if reply[0]:
            hint = reply[2] if len(reply) > 2 else ""
            raise os_error(reply[0], message=reply[1], hint=hint)
        return reply[1]

    def drop(self, connection: Connection) -> None:
        """Do without an answer."""
        self._drop(connection)

    def post(self, *request: "Any") -> None:
        """Send a request whose outcome nobody needs: its reply is dropped when it comes."""
        try:
            connection = self._take()
        except OSError:
            return
        try:
            connection.send(codec.encode(request))
            connection.owed += 1
            while connection.owed > OWED_MAX:
                connection._frame()
                connection.owed -= 1
        except BaseException as error:
            self._drop(connection)
            if isinstance(error, OSError):
                return
            raise
        self._put_back(connection)

    def _exchange(self, body: bytes) -> "tuple[list[Any], int]":
        if len(body) > FRAME_BYTES_MAX:
            raise os_error(errno.EMSGSIZE)
        return self._answered(self._take(), body)

    def _answered(self, connection: Connection, body: bytes) -> "tuple[list[Any], int]":
        failed = False
        try:
            if body:
                connection.send(body)
            reply = connection.reply()
        except BaseException as error:
            self._drop(connection)
            if not isinstance(error, (OSError, ValueError)):
                raise
            failed = True
        if failed:  # Outside of the handler: the program's error has no context of ours.
            raise os_error(errno.EIO, message=GONE, hint=GONE_HINT)
        descriptor = connection.descriptors.pop() if connection.descriptors else -1
        self._put_back(connection)
        return reply, descriptor

    def _take(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            pass
        reply = None
        try:
            connection = Connection(self.path, self.greeting)
            reply = connection.reply()
        except (OSError, ValueError):
            pass
        if reply is None:
            raise os_error(errno.EIO, message=GONE, hint=GONE_HINT)
        if reply[0]:
            raise os_error(errno.EIO, message=f"the OneOS Runtime refuses this program: {reply[1]}")
        self._all.add(connection)
        self.reserved.add(connection.sock.fileno())
        return connection

    def _put_back(self, connection: Connection) -> None:
        if len(self._idle) >= CONNECTIONS_IDLE_MAX:
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _drop(self, connection: Connection) -> None:
        self._all.discard(connection)
        self.reserved.discard(connection.sock.fileno())
        connection.sock.close()
        for descriptor in connection.descriptors:
            posix.close(descriptor)
        connection.descriptors.clear()

    def _forked(self) -> None:
        """In the child: the sockets are shared with the parent, so not one may be used."""
        for connection in list(self._all):
            self.reserved.discard(connection.sock.fileno())
            connection.sock.close()
        self._all.clear()
        self._idle.clear()


def _high(sock: Real) -> Real:
    high = out_of_the_way(sock.fileno())
    sock.close()
    return Real(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, high)


def out_of_the_way(descriptor: int) -> int:
    """A copy of `descriptor` at a high number, where a program will not meet it."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR_MIN)
    except OSError:  # The limit on descriptors is lower than that.
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 0)
