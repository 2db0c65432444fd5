"""Whether the ports of a host are free, asked before a token is used up or a network made.

Only a look: another program may take a port right after it. Then the Runtime's own start says so.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from oneos.errors import UserError


def require_free(listen: str, ports: Iterable[int]) -> None:
    """Refuse ports that cannot be listened at.

    Args:
        listen: the address, or "0.0.0.0" for all.
        ports: all that the host will use.

    Raises:
        UserError: the first one that is taken or not allowed, or an address of another host.
    """
    for port in ports:
        try:
            (family, kind, protocol, _, address), *_ = socket.getaddrinfo(
                listen, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except socket.gaierror:
            raise UserError(
                f"listen: {listen!r} is no address", hint="write one of this host's"
            ) from None
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                what = f"cannot listen at port {port} of {listen}: {error.strerror}"
                if error.errno == errno.EADDRINUSE:
                    what = f"port {port} of {listen} is in use"
                raise UserError(
                    what,
                    errno=error.errno,
                    hint=f"choose others by --port; who has it: ss -ltnp 'sport = :{port}'",
                ) from None
