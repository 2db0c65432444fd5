"""Reaching a host's public port: resolve, connect, and say which kind of connection it shall be.

Used by calls and by streams alike; TLS starts only after this. Each step is bounded by the
caller's deadline, and what goes wrong is told by `tls.dial_error`.
"""

import asyncio
import errno
import socket

from oneos.errors import NetworkError

Address = tuple[str, int]


def text_of(address: Address) -> str:
    """The address as people write it: `host:port`, IPv6 in brackets."""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def open_socket(address: Address, preamble: bytes) -> socket.socket:
    """A connected, non-blocking socket over which the preamble has been sent.

    Raises:
        NetworkError: the host's name is not known.
        OSError: no address of it answers; the last one's error.
    """
    loop = asyncio.get_running_loop()
    host, port = address
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        raise NetworkError(
            f"there is no computer named {host!r}", hint="check the address for typing errors"
        ) from None
    failure: OSError = OSError(errno.EHOSTUNREACH, "no address")
    for family, kind, protocol, _, where in found:
        connection = socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, where)
            await loop.sock_sendall(connection, preamble)
            return connection
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
    raise failure
