"""`_socket.socket` for a program: unix sockets whose names are in the tree.

The tree has the name; what lies behind it is a socket of this host, at a path that the Runtime
gives. An address has room for 108 bytes only: a longer path is reached through a descriptor of its
directory. The kernel then knows the socket by what it was bound to; so each address that comes from
the kernel is put back into the name that the program knows. Everything else is C's.
"""

import errno
import posix
from collections import OrderedDict

from .descriptors import real
from .failure import os_error, seamless
from .paths import shown, to_bytes, to_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .descriptors import Descriptors

NAMES_KEPT_MAX = 4096
"""Sockets of which the program's own name is known: as many as a program may have files open."""

OURS = "/proc/self/fd/"

ADDRESS_BYTES_MAX = 107
"""Of the path in an address; one byte more ends it."""


def make_socket(base: "Any", unix: "int | None", descriptors: "Descriptors") -> "type[Any]":
    """The class that takes the place of `base`, the C class.

    Args:
        unix: the number of AF_UNIX.
        descriptors: knows the tree's paths, and the Runtime.
    """
    channel, paths = descriptors.channel, descriptors.paths
    family_of = base.family.__get__
    known: OrderedDict[str, str] = OrderedDict()

    def place(sock: "Any", address: "Any", *, making: bool = False) -> "bytes | None":
        """Where in the tree an address is; None for all that are not there."""
        if family_of(sock) != unix or not isinstance(shown(address), str | bytes):
            return None
        if not address or address[:1] in ("\0", b"\0"):
            return None
        return (paths.writable(address, making=True) if making else paths.locate(address)) or None

    def at(
        path: str, address: "Any", act: "Callable[[Any], Any]", *, binding: bool = False
    ) -> "Any":
        """`act` with the kernel's address of a socket that is at a path of the host."""
        directory, _, name = path.rpartition("/")
        if len(to_bytes(path)) <= ADDRESS_BYTES_MAX:
            remember(path, address, binding)
            return act(path)
        fd = real["open"](directory, posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            short = f"{OURS}{fd}/{name}"
            remember(name, address, binding)
            return act(short)
        finally:
            real["close"](fd)

    def remember(shown: str, address: "Any", binding: bool) -> None:
        # Where this program has bound it, that is its name, however it is reached.
        if binding or shown not in known:
            known[shown] = to_str(to_bytes(address))
        while len(known) > NAMES_KEPT_MAX:
            known.popitem(last=False)

    def reaching(where: bytes, address: "Any", act: "Callable[[Any], Any]") -> "Any":
        """As `at`; that nobody of this host has bound it means that nobody listens."""
        try:
            return at(channel.call("meeting", where), address, act)
        except FileNotFoundError:
            channel.call("stat", where, True)
        raise os_error(errno.ECONNREFUSED)

    def named(address: "Any") -> "Any":
        """An address as the program knows it."""
        if not isinstance(address, str) or not address.startswith("/"):
            return address
        if address.startswith(OURS):
            return known.get(address.rpartition("/")[2], address)
        if address in known:
            return known[address]
        # Another program's: behind the descriptor that leads to the tree is the name.
        parts = address.split("/", 5)
        inside = len(parts) > 5 and parts[1] == "proc" and parts[3] == "fd"
        return "/" + parts[5] if inside else address

    class socket(base):  # type: ignore[misc]
        __slots__ = ()
        __module__ = "_socket"

        @seamless
        def bind(self, address: "Any", /) -> None:
            where = place(self, address, making=True)
            if where is None:
                return base.bind(self, address)  # type: ignore[no-any-return]
            try:
                path, made = channel.call("bind", where, 0o777 & ~descriptors._umask)
            except FileExistsError:
                raise os_error(errno.EADDRINUSE) from None
            try:
                at(path, address, lambda path: base.bind(self, path), binding=True)
            except BaseException:
                if made:
                    channel.post("unlink", where)
                raise
            return None

        @seamless
        def connect(self, address: "Any", /) -> None:
            where = place(self, address)
            if where is None:
                base.connect(self, address)
            else:
                reaching(where, address, lambda path: base.connect(self, path))

        @seamless
        def connect_ex(self, address: "Any", /) -> int:
            where = place(self, address)
            if where is None:
                return base.connect_ex(self, address)  # type: ignore[no-any-return]
            try:
                path = channel.call("meeting", where)
                found = at(path, address, lambda path: base.connect_ex(self, path))
            except OSError as error:
                return error.errno or errno.EIO
            return errno.ECONNREFUSED if found == errno.ENOENT else found

        @seamless
        def sendto(self, data: "Any", *rest: "Any") -> int:
            where = place(self, rest[-1]) if rest else None
            if where is None:
                return base.sendto(self, data, *rest)  # type: ignore[no-any-return]
            return reaching(  # type: ignore[no-any-return]
                where, rest[-1], lambda path: base.sendto(self, data, *rest[:-1], path)
            )

        @seamless
        def sendmsg(
            self, buffers: "Any", ancdata: "Any" = (), flags: int = 0, address: "Any" = None, /
        ) -> int:
            where = None if address is None else place(self, address)
            if where is None:
                return base.sendmsg(self, buffers, ancdata, flags, address)  # type: ignore[no-any-return]
            return reaching(  # type: ignore[no-any-return]
                where, address, lambda path: base.sendmsg(self, buffers, ancdata, flags, path)
            )

        @seamless
        def getsockname(self) -> "Any":
            return named(base.getsockname(self))

        @seamless
        def getpeername(self) -> "Any":
            return named(base.getpeername(self))

        @seamless
        def _accept(self) -> "tuple[int, Any]":
            fd, address = base._accept(self)
            return fd, named(address)

        @seamless
        def recvfrom(self, *given: "Any") -> "tuple[bytes, Any]":
            data, address = base.recvfrom(self, *given)
            return data, named(address)

        @seamless
        def recvfrom_into(self, *given: "Any", **options: "Any") -> "tuple[int, Any]":
            count, address = base.recvfrom_into(self, *given, **options)
            return count, named(address)

    return socket
