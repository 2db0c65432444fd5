"""What a Runtime and the file process of its name space have to agree on, apart from requests.

The Runtime sends numbered orders over a socket pair of their own (SOCK_SEQPACKET); the file process
answers each with its number once it is done.
"""

from __future__ import annotations

import msgspec

PACKAGES = "/.host/packages"
"""Where a name space shows what programs asked to be installed."""

TERMINALS = "/.host/terminals"
"""Where a name space shows its host's pseudo-terminals, those of sessions among them."""

ORDER_BYTES_MAX = 256 * 1024
"""A batch of the index touches a few inodes a command."""


class Drop(msgspec.Struct):
    """Drop what the kernel keeps of these inodes and of all names, or of everything.

    `idle`: only close what is open of these inodes and nobody uses any more.
    """

    inos: list[int]
    everything: bool = False
    idle: bool = False


def encode(number: int, order: Drop) -> bytes:
    """An order, for the file process."""
    return msgspec.msgpack.encode((number, order))


def decode(data: bytes) -> tuple[int, Drop]:
    """An order and its number. Raises msgspec.DecodeError."""
    return msgspec.msgpack.decode(data, type=tuple[int, Drop])
