"""The rules of files: who is a file's home, what its content is, and when it ends.

A file has at most one home. Each change of the home makes a new home epoch, and a commit of
another epoch is refused, so that a host that was thought dead and comes back cannot write over
what happened since. A lost host is one number (the newest lost incarnation), compared whenever an
inode is read, so that losing a host with a million files costs no more than losing one with none.
`test_names_homes.py` shows the rules.
"""

from __future__ import annotations

import errno
import stat

from msgspec.structs import replace

from oneos.errors import FileError
from oneos.ids import HostName, Incarnation, Ino
from oneos.limits import CHUNK_BYTES, COPIES_MAX, FILE_CHUNKS_MAX
from oneos.state import names_commands as c
from oneos.state.names_chunks import check_promises
from oneos.state.names_store import NameStore
from oneos.state.names_types import (
    ORPHANS,
    Attr,
    Entry,
    Inode,
    Opened,
    Removed,
    Unsettled,
    opened,
)
from oneos.state.names_walk import resolve

DIGEST_BYTES = 32
NOBODY = HostName("")


def _lost(home: str) -> str:
    return "lost:" + home


def inode_of(store: NameStore, ino: Ino) -> Inode:
    """The inode as it stands now: one whose home was lost has none.

    Raises:
        FileError: ESTALE when there is none, as a file handle that outlived its file.
    """
    inode = store.inode(ino)
    if inode is None:
        raise FileError(errno.ESTALE, f"inode {ino}")
    return as_it_stands(store, inode)


def as_it_stands(store: NameStore, inode: Inode) -> Inode:
    """An inode as the store has it, without a home that was lost."""
    # Counted from 1 more, since 0 means that nothing was lost, and 0 may be an incarnation.
    if inode.home and inode.home_incarnation < store.counter(_lost(inode.home)):
        return _homeless(inode)
    return inode


def _homeless(inode: Inode) -> Inode:
    return replace(inode, home=NOBODY, home_incarnation=Incarnation(0), writing=False)


class NotSettled(FileError):
    """A file is in use at a home that may not have committed all of it."""

    def __init__(self, inode: Inode) -> None:
        super().__init__(errno.EAGAIN, f"inode {inode.ino}")
        self.unsettled = Unsettled(inode.ino, inode.home, inode.home_epoch)


def check_settled(store: NameStore, ino: Ino, settled: bool, replaces: bool) -> None:
    """Whether a file's content may take the place of another's; see `Rename`.

    Raises:
        NotSettled: its home is to commit it first.
        FileError: EIO, all that was ever written to it went with its home: what it `replaces` may
            be the only content there is.
    """
    there, inode = store.inode(ino), inode_of(store, ino)
    if there is None or not there.writing:
        return
    if inode.home:
        if not settled:
            raise NotSettled(inode)
    elif replaces and not inode.version:
        raise FileError(errno.EIO, f"inode {ino}", hint="its content was lost with its home")


def check_home(store: NameStore, home: HostName, incarnation: Incarnation) -> None:
    """ESTALE when that incarnation was lost: it does not know yet that others took over."""
    if not home:
        raise FileError(errno.EINVAL, hint="a home is a host's name")
    if incarnation < store.counter(_lost(home)):
        raise FileError(errno.ESTALE, hint=f"incarnation {incarnation} of {home} is over")


def claimed(inode: Inode, home: HostName, incarnation: Incarnation, writing: bool) -> Inode:
    """The inode with this home. ESTALE when a newer incarnation of the same host has it."""
    if inode.home == home and inode.home_incarnation == incarnation:
        return replace(inode, writing=inode.writing or writing)
    if inode.home == home and inode.home_incarnation > incarnation:
        raise FileError(errno.ESTALE, f"inode {inode.ino}")
    return replace(
        inode,
        home=home,
        home_incarnation=incarnation,
        home_epoch=inode.home_epoch + 1,
        writing=writing,
    )


def _orphan_name(ino: Ino) -> bytes:
    return b"%d" % ino


def nameless(store: NameStore, ino: Ino, now_ns: int) -> Removed:
    """A file has lost a name. After the last one: delete it, or keep it for the home that has it
    in use."""
    inode = inode_of(store, ino)
    if inode.nlink > 1:
        store.put_inode(replace(inode, nlink=inode.nlink - 1, ctime_ns=now_ns))
        return Removed()
    if not inode.home:
        store.delete_inode(ino)
        return Removed(ino, True)
    store.put_inode(replace(inode, nlink=0, ctime_ns=now_ns))
    store.put_entry(ORPHANS, Entry(_orphan_name(ino), ino, stat.S_IFREG))
    return Removed(ino, False, inode.home)


def _end_orphan(store: NameStore, ino: Ino) -> Removed:
    store.delete_entry(ORPHANS, _orphan_name(ino))
    store.delete_inode(ino)
    return Removed(ino, True)


def _regular(store: NameStore, ino: Ino) -> Inode:
    inode = inode_of(store, ino)
    if inode.is_dir:
        raise FileError(errno.EISDIR, f"inode {ino}")
    if inode.is_link:
        raise FileError(errno.ELOOP, f"inode {ino}")
    if inode.is_meeting:
        raise FileError(errno.ENXIO, f"inode {ino}")
    return inode


def _homed(store: NameStore, ino: Ino, home: HostName, home_epoch: int) -> Inode:
    inode = _regular(store, ino)
    if not home or inode.home != home or inode.home_epoch != home_epoch:
        raise FileError(errno.ESTALE, f"inode {ino}", hint=f"{home} is not its home any more")
    return inode


def _check_copies(copies: tuple[HostName, ...]) -> None:
    if len(copies) > COPIES_MAX:
        raise FileError(errno.EINVAL, hint=f"at most {COPIES_MAX} hosts hold a file's chunks")


def claim(store: NameStore, command: c.Claim) -> Opened:
    """See `Claim`."""
    inode = _regular(store, command.ino)
    if inode.home_epoch != command.expect_home_epoch:
        raise FileError(errno.ESTALE, f"inode {command.ino}")
    check_home(store, command.home, command.incarnation)
    inode = claimed(inode, command.home, command.incarnation, command.writing)
    store.put_inode(inode)
    return opened(inode, created=False)


def commit(store: NameStore, command: c.Commit) -> Attr:
    """EINVAL for a list of chunks that cannot be the file's, EFBIG for one too long; EAGAIN when a
    holder may have removed some of them (`names_chunks`)."""
    inode = _homed(store, command.ino, command.home, command.home_epoch)
    if len(command.chunks) > FILE_CHUNKS_MAX:
        raise FileError(errno.EFBIG, f"inode {command.ino}")
    if (
        not (len(command.chunks) - 1) * CHUNK_BYTES < command.size < 2**63
        or command.size < 0
        or any(len(digest) != DIGEST_BYTES for digest in command.chunks)
    ):
        raise FileError(errno.EINVAL, f"inode {command.ino}")
    _check_copies(command.copies)
    check_promises(store, inode, command)
    inode = replace(
        inode,
        size=command.size,
        mtime_ns=command.mtime_ns,
        ctime_ns=command.now_ns
        if command.ctime_ns is None
        else max(inode.ctime_ns, command.ctime_ns),
        version=inode.version + 1,
        chunks=command.chunks,
        copies=command.copies,
        writing=inode.writing and not command.final,
        wanted=min(max(0, command.wanted), COPIES_MAX),
    )
    store.put_inode(inode)
    return inode.attr()


def release(store: NameStore, command: c.Release) -> Removed:
    """See `Release`."""
    inode = _homed(store, command.ino, command.home, command.home_epoch)
    if not inode.nlink:
        return _end_orphan(store, command.ino)
    store.put_inode(_homeless(inode))
    return Removed()


def hand_over(store: NameStore, command: c.HandOver) -> Opened | Removed:
    """See `HandOver`."""
    inode = _homed(store, command.ino, command.home, command.home_epoch)
    if not inode.nlink:
        return _end_orphan(store, command.ino)
    check_home(store, command.to, command.incarnation)
    inode = claimed(_homeless(inode), command.to, command.incarnation, command.writing)
    store.put_inode(inode)
    return opened(inode, created=False)


def host_lost(store: NameStore, command: c.HostLost) -> None:
    """See `HostLost`. A loss of an older incarnation than one lost before changes nothing."""
    if not command.home or not 0 <= command.incarnation < 2**62:
        raise FileError(errno.EINVAL)
    if command.incarnation < store.counter(_lost(command.home)):
        return
    store.set_counter(_lost(command.home), command.incarnation + 1)
    for entry in store.entries(ORPHANS):
        if not inode_of(store, entry.ino).home:
            _end_orphan(store, entry.ino)


def copies(store: NameStore, command: c.Copies) -> None:
    """See `Copies`."""
    inode = _regular(store, command.ino)
    if inode.version != command.version:
        raise FileError(errno.ESTALE, f"inode {command.ino}")
    _check_copies(command.copies)
    store.put_inode(replace(inode, copies=command.copies))


def set_attr(store: NameStore, command: c.SetAttr) -> Attr:
    """See `SetAttr`."""
    ino = resolve(store, command.path, command.walk).ino if command.path else command.ino
    inode = inode_of(store, ino)
    mode, now = inode.mode, command.now_ns
    if command.mode is not None:
        if inode.is_link:
            raise FileError(errno.EOPNOTSUPP, command.path)
        mode = stat.S_IFMT(mode) | (command.mode & 0o7777)
    elif (command.uid is not None or command.gid is not None) and not inode.is_dir:
        # As chown(2): the new owner shall not find a program that runs as somebody it never was.
        mode &= ~stat.S_ISUID
        if mode & stat.S_IXGRP:
            mode &= ~stat.S_ISGID
    size, chunks, mtime_ns, version = inode.size, inode.chunks, inode.mtime_ns, inode.version
    if command.size is not None:
        chunks = _truncated(inode, command.size)
        size, mtime_ns, version = command.size, now, version + 1
    inode = replace(
        inode,
        mode=mode,
        uid=inode.uid if command.uid is None else command.uid,
        gid=inode.gid if command.gid is None else command.gid,
        size=size,
        atime_ns=inode.atime_ns if command.atime_ns is None else command.atime_ns,
        mtime_ns=mtime_ns if command.mtime_ns is None else command.mtime_ns,
        ctime_ns=now,
        version=version,
        chunks=chunks,
    )
    store.put_inode(inode)
    return inode.attr()


def _truncated(inode: Inode, size: int) -> tuple[bytes, ...]:
    if inode.is_dir:
        raise FileError(errno.EISDIR, f"inode {inode.ino}")
    if inode.is_link or inode.is_meeting or not 0 <= size < 2**63:
        raise FileError(errno.EINVAL, f"inode {inode.ino}")
    if inode.home:
        raise FileError(errno.ESTALE, f"inode {inode.ino}", hint=f"in use at {inode.home}")
    if size >= inode.size:
        return inode.chunks
    whole, rest = divmod(size, CHUNK_BYTES)
    if rest and whole < len(inode.chunks):
        # Only somebody who has the bytes can cut a chunk in two.
        raise FileError(errno.EBUSY, f"inode {inode.ino}", hint="claim it, truncate, commit")
    return inode.chunks[:whole]
