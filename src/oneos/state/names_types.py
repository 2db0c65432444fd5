"""The records of the File System index: inodes, and what commands answer.

An inode says what a file is and where its bytes are: a list of chunk hashes that was committed
last, the hosts that hold those chunks, and the one host (the home) where the file is a real local
file while it is in use. A symbolic link's inode says where it leads. Everything here is data; the
rules are in `names_tree`, `names_links` and `names_files`.
"""

from __future__ import annotations

import stat

import msgspec
from msgspec import Struct

from oneos.ids import HostName, Incarnation, Ino

ROOT = Ino(1)
"""The inode of `/`."""

ORPHANS = Ino(0)
"""A directory no path leads to: it names the files that have lost their last name in the tree but
are still in use at their home."""


class Walk(Struct, frozen=True, array_like=True, gc=False):
    """How a command's paths are walked; what old records, which have none, meant is the default.

    `follow`: a symbolic link in last place is followed, where the call lets it say. `parts`: the
    names under the root that somebody else serves: a path that comes to one ends there, and the
    answer is `Elsewhere`. `links`: symbolic links followed already on this path's way.
    """

    follow: bool = True
    parts: tuple[bytes, ...] = ()
    links: int = 0


WALK = Walk()
"""The plain walk: of everything that is in the index, following links."""


class Attr(Struct, frozen=True, array_like=True, tag="attr", gc=False):
    """What stat shows. `mode` has the type bits; a directory's `size` is its number of names, and
    that of a symbolic link the length of its target."""

    ino: Ino
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    version: int


class Inode(Struct, frozen=True, array_like=True, gc=False):
    """A file, directory, symbolic link, or the name of a FIFO or socket.

    `version` counts the committed contents. `chunks` are their SHA-256 hashes, one for each
    `CHUNK_BYTES`; what lies beyond the last chunk, or beyond the data of a short one, up to `size`
    is zeros, and data of a chunk beyond `size` does not occur. `home` is "" while no host has the
    file; `home_epoch` grows with each change of the home and fences what older homes still send.
    `target` is what a symbolic link says, as it was given; b"" for all that is none. `wanted` is
    how many hosts should hold the content, 0 where nobody said so.
    """

    ino: Ino
    mode: int
    nlink: int
    uid: int
    gid: int
    size: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    version: int = 0
    chunks: tuple[bytes, ...] = ()
    copies: tuple[HostName, ...] = ()
    home: HostName = HostName("")
    home_incarnation: Incarnation = Incarnation(0)
    home_epoch: int = 0
    writing: bool = False
    target: bytes = b""
    wanted: int = 0

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link."""
        return stat.S_ISLNK(self.mode)

    @property
    def is_meeting(self) -> bool:
        """Whether this is a FIFO or a socket, which has no content."""
        return stat.S_ISFIFO(self.mode) or stat.S_ISSOCK(self.mode)

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory."""
        return stat.S_ISDIR(self.mode)

    def attr(self) -> Attr:
        """The part of it that stat shows."""
        return Attr(
            self.ino,
            self.mode,
            self.nlink,
            self.uid,
            self.gid,
            self.size,
            self.atime_ns,
            self.mtime_ns,
            self.ctime_ns,
            self.version,
        )


class Opened(Struct, frozen=True, array_like=True, tag="opened", gc=False):
    """Answer of `Create`, `Claim` and `HandOver`: the file, and who its home is now.

    When `home` is another host than the one that asked, the file is in use there: go there. `path`
    is where `Create` found or made it, without links; b"" where that is not known.
    """

    attr: Attr
    home: HostName
    home_incarnation: Incarnation
    home_epoch: int
    writing: bool
    created: bool
    chunks: tuple[bytes, ...]
    copies: tuple[HostName, ...]
    path: bytes = b""


class Removed(Struct, frozen=True, array_like=True, tag="removed", gc=False):
    """Answer of `Unlink` and `Rename`: the file that lost its last name, if one did.

    `ino` is 0 when none did. `deleted` is False while `home` still has it in use; that host should
    `Release` it when the last program has closed it.
    """

    ino: Ino = Ino(0)
    deleted: bool = False
    home: HostName = HostName("")


class Elsewhere(Struct, frozen=True, array_like=True, tag="elsewhere", gc=False):
    """Answer of any command whose path leads to a part that somebody else serves; errno is EXDEV
    and nothing was changed.

    `asked` is the command's path that did, `path` where to go on instead of it, and `links` how
    many symbolic links led there: for the `Walk` of whoever goes on.
    """

    asked: bytes
    path: bytes
    links: int


class Unsettled(Struct, frozen=True, array_like=True, tag="unsettled", gc=False):
    """Answer of a `Rename` of a file that its home may not have committed yet; errno is EAGAIN and
    nothing was changed."""

    ino: Ino
    home: HostName
    home_epoch: int


Value = Attr | Opened | Removed | Elsewhere | Unsettled | None


class Result(Struct, frozen=True, array_like=True, gc=False):
    """Answer to a command: `errno` is 0 and `value` its answer, or `errno` says why not."""

    errno: int = 0
    value: Value = None


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One name in a directory. `kind` is the type part of the inode's mode, as S_IFDIR."""

    name: bytes
    ino: Ino
    kind: int


class Found(Struct, frozen=True, array_like=True, gc=False):
    """Answer of a look at a path.

    `path` has no `.`, `..` and symbolic links, but for one in last place that was not followed.
    `inode` is None where the path leads to a part that somebody else serves: go on at `path`.
    `entries` are the names in it, where they were asked for.
    """

    path: bytes
    links: int
    inode: Inode | None
    entries: list[Entry] | None = None


def opened(inode: Inode, created: bool, path: bytes = b"") -> Opened:
    """The answer that shows this inode."""
    return Opened(
        inode.attr(),
        inode.home,
        inode.home_incarnation,
        inode.home_epoch,
        inode.writing,
        created,
        inode.chunks,
        inode.copies,
        path,
    )


encode_inode = msgspec.msgpack.Encoder().encode
decode_inode = msgspec.msgpack.Decoder(Inode).decode
encode_xattrs = msgspec.msgpack.Encoder().encode
decode_xattrs = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode
encode_result = msgspec.msgpack.Encoder().encode
decode_result = msgspec.msgpack.Decoder(Result).decode
