"""The commands of the File System index, as they stand in its log.

Each carries `rid`, the client host and the number of its request: a request that comes twice is
done once. A client's numbers grow, also over a restart (begin at the incarnation, shifted), and it
has at most `NAME_RESULTS_MAX` under way. Each carries `now_ns`, the clock of whoever asked: it
becomes the times of files and decides nothing. Paths are absolute bytes; `names_walk` resolves
them, in the way that `walk` says.
"""

from __future__ import annotations

from msgspec import Struct, msgpack

from oneos.ids import HostName, Incarnation, Ino
from oneos.state.names_types import WALK, Walk


class Command(Struct, frozen=True, array_like=True, gc=False):
    """What all commands have."""

    rid: tuple[str, int]
    now_ns: int


class MkDir(Command, frozen=True, tag="mkdir"):
    """Make a directory. `mode` is masked by the program's umask already. Answers its Attr."""

    path: bytes
    mode: int
    uid: int
    gid: int
    walk: Walk = WALK


class RmDir(Command, frozen=True, tag="rmdir"):
    """Remove an empty directory."""

    path: bytes
    walk: Walk = WALK


class Unlink(Command, frozen=True, tag="unlink"):
    """Remove a file's name. Answers Removed."""

    path: bytes
    walk: Walk = WALK


class Rename(Command, frozen=True, tag="rename"):
    """As rename(2): replaces a file, or an empty directory by a directory. Answers Removed.

    `replace` False is RENAME_NOREPLACE: EEXIST when there is something of the new name.
    `settled` False: a file that its home may not have committed yet is not renamed; EAGAIN and
    `Unsettled`: have its home commit, and rename it with True. With either, EIO when the rename
    would replace something by a file that was never committed and lost its home. Old records, which
    have None, rename whatever there is.
    """

    old: bytes
    new: bytes
    walk: Walk = WALK
    replace: bool = True
    settled: bool | None = None


class Symlink(Command, frozen=True, tag="symlink"):
    """Make a symbolic link that says `target`, which need not lead anywhere. Answers its Attr."""

    target: bytes
    path: bytes
    uid: int
    gid: int
    walk: Walk = WALK


class MkNod(Command, frozen=True, tag="mknod"):
    """Make a FIFO or a socket's name: `mode` has the type bits. Answers its Attr.

    The index only names it. Each host's kernel has one of its own behind the name, at which the
    programs of that host meet.
    """

    path: bytes
    mode: int
    uid: int
    gid: int
    walk: Walk = WALK


class Link(Command, frozen=True, tag="link"):
    """Give a file one more name. `walk.follow`: the one that `old` leads to, where `old` is a
    symbolic link, and not the link. Answers its Attr."""

    old: bytes
    new: bytes
    walk: Walk = WALK


class SetAttr(Command, frozen=True, tag="setattr"):
    """Change what is not None, of `path`, or of `ino` when `path` is empty. Answers the Attr.

    `size` is only for a file without a home (ESTALE otherwise: ask the home), and only where it
    needs no bytes: to 0, to the end of a chunk, or longer (EBUSY otherwise: claim the file,
    truncate it as a local file and commit). `walk.follow` False is about a symbolic link itself;
    its mode never changes (EOPNOTSUPP).
    """

    path: bytes = b""
    ino: Ino = Ino(0)
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    size: int | None = None
    walk: Walk = WALK


class SetXattr(Command, frozen=True, tag="setxattr"):
    """Set an extended attribute of `path`, or of `ino` when `path` is empty. Answers the Attr.

    `create`: EEXIST where there is one of this name; `replace`: ENODATA where there is none.
    """

    path: bytes
    ino: Ino
    name: bytes
    value: bytes
    create: bool = False
    replace: bool = False
    walk: Walk = WALK


class RemoveXattr(Command, frozen=True, tag="removexattr"):
    """Remove an extended attribute, of what SetXattr says. Answers the Attr."""

    path: bytes
    ino: Ino
    name: bytes
    walk: Walk = WALK


class Create(Command, frozen=True, tag="create"):
    """Open for O_CREAT: make the file with `home` as its home, or open the one that is there.

    A file that is there and has no other home is claimed for `home` too. `exclusive` is O_EXCL,
    and not `walk.follow` is O_NOFOLLOW. A symbolic link that leads to nothing makes its target.
    Truncation is the home's, by its next Commit. Answers Opened.
    """

    path: bytes
    mode: int
    uid: int
    gid: int
    exclusive: bool
    home: HostName
    incarnation: Incarnation
    writing: bool = True
    walk: Walk = WALK


class Claim(Command, frozen=True, tag="claim"):
    """Make `home` the file's home. ESTALE when its home epoch is not `expect_home_epoch`.

    The epoch grows when the host or its incarnation changes; whoever was the home before can
    commit nothing any more. `writing` False does not end another writer's use at the same home.
    Answers Opened.
    """

    ino: Ino
    home: HostName
    incarnation: Incarnation
    writing: bool
    expect_home_epoch: int


class Commit(Command, frozen=True, tag="commit"):
    """The home's content is cut and stored at `copies`: make it the file's. Answers the Attr.

    ESTALE when `home` and `home_epoch` are not the file's. `final` says nobody writes it now.
    `promises` are those of `copies`, in their order, to keep the chunks (see `Collect`): EAGAIN
    when one is void, and a chunk that the file did not have may be gone there. Ask it again.
    `ctime_ns` is when the content was changed last; what old records, which have none, meant is
    the time of the commit. `wanted` is how many hosts should hold it; 0: as many as the Storage
    service thinks, as for old records.
    """

    ino: Ino
    home: HostName
    home_epoch: int
    size: int
    mtime_ns: int
    chunks: tuple[bytes, ...]
    copies: tuple[HostName, ...]
    final: bool
    ctime_ns: int | None = None
    promises: tuple[int, ...] = ()
    wanted: int = 0


class Release(Command, frozen=True, tag="release"):
    """The home gives the file up; one without a name is deleted. Answers Removed."""

    ino: Ino
    home: HostName
    home_epoch: int


class HandOver(Command, frozen=True, tag="hand-over"):
    """The home gives the file to another host: `Release` and that host's `Claim` in one, so that
    nobody comes between. Answers Opened; Removed where the file had no name.

    ESTALE when `home` and `home_epoch` are not the file's, or `incarnation` of `to` is over.
    """

    ino: Ino
    home: HostName
    home_epoch: int
    to: HostName
    incarnation: Incarnation
    writing: bool


class HostLost(Command, frozen=True, tag="host-lost"):
    """Every file at home there, under this incarnation or an older one, has no home any more."""

    home: HostName
    incarnation: Incarnation


class Copies(Command, frozen=True, tag="copies"):
    """Who holds the chunks of this version now; ESTALE when it is not the file's version."""

    ino: Ino
    version: int
    copies: tuple[HostName, ...]


class Collect(Command, frozen=True, tag="collect"):
    """A host begins its collection of this number: what it promised under a lower one, to keep
    chunks that no file had yet, is void from here on."""

    host: HostName
    number: int


class Skip(Command, frozen=True, tag="skip"):
    """Leave out so many numbers of inodes: an earlier File System may have told of them, and its
    records of that were never agreed on."""

    count: int


class Barrier(Command, frozen=True, tag="barrier"):
    """Changes nothing: once it is applied, so is all that was appended before it."""


AnyCommand = (
    MkDir
    | RmDir
    | Unlink
    | Rename
    | Symlink
    | MkNod
    | Link
    | SetAttr
    | SetXattr
    | RemoveXattr
    | Create
    | Claim
    | Commit
    | Release
    | HandOver
    | HostLost
    | Copies
    | Collect
    | Skip
    | Barrier
)

encode_commands = msgpack.Encoder().encode
"""The commands of one log record as bytes."""

decode_commands = msgpack.Decoder(list[AnyCommand]).decode
"""The commands of one log record; raises msgspec.ValidationError or DecodeError."""
