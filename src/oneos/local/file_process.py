"""What a Runtime and the file process of its name space have to agree on, apart from requests.

The Runtime sends numbered orders over a socket pair of their own (SOCK_SEQPACKET); the file process
answers each with its number once it is done. Before all orders goes what it begins with.
"""

from __future__ import annotations

import msgspec

PACKAGES = "/.host/packages"
"""Where a name space shows what programs asked to be installed."""

NODE_GUEST = "/.host/node"
"""Where a name space shows what lets programs of Node move; read-only, as all of the host."""

TERMINALS = "/.host/terminals"
"""Where a name space shows its host's pseudo-terminals, those of sessions among them."""

BEGIN_FDS_MAX = 3
"""What it begins with: the memory for its notes, and where it takes over /dev/fuse and /proc."""

ORDER_BYTES_MAX = 256 * 1024
"""A batch of the index touches a few inodes a command."""


class Begin(msgspec.Struct):
    """What a file process begins with.

    Attributes:
        secret: its connections to the Runtime share what they open under it.
        kinds: what the descriptors are that come with this: "memory", "fuse", "proc". With "fuse"
            it takes over from another, which has died.
    """

    secret: str
    kinds: list[str]


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
