"""What this host exports of its own files: each look and change, below the directories it names.

Where the owner has not allowed writing, every change is EROFS. Of what is there only regular files
are opened, and directories listed: a device, FIFO or socket is EACCES, since to open one acts on
the host. All is done by the Runtime's user, from descriptors that `beneath` reaches, so nothing
leads out of an export; a file that has another name outside (a hard link), and what the owner
mounts inside, are his business. What is made gets no set-user-ID bit: it would be the owner's.
These are calls of the kernel, which may wait for a disk: they are made in `export_threads`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from oneos.config_exports import ExportConfig
from oneos.errors import FileError
from oneos.files.beneath import LinkMet, reach, reach_above, refuse_link, rename_to_new
from oneos.files.handles import wants_to_write
from oneos.files.virtual import FACTS_SINCE
from oneos.kernel import messages as m
from oneos.limits import EXPORT_NAMES_BYTES_MAX, EXPORT_TRIES_MAX

_USED = os.O_ACCMODE | os.O_APPEND | os.O_TRUNC | os.O_SYNC | os.O_CLOEXEC
"""Flags that mean something for a regular file of another's, and cannot harm."""

_MODE_BITS = 0o1777

_ENTRY_BYTES = 24
"""Of a name in an answer, beside the name itself: its type and number, roughly."""


class Exports:
    """The exports of one host. No method may be called by a thread that must not wait.

    Args:
        host: this host's name.
        configs: as `parse_exports` gives them.
    """

    def __init__(self, host: str, configs: Sequence[ExportConfig]) -> None:
        self._host = host.encode()
        self._configs = {config.name: config for config in configs}
        self._table: dict[str, Callable[[m.ExportAsk], Any]] = {
            "names": lambda ask: sorted(self._configs),
            "stat": self._stat,
            "list": self._list,
            "readlink": self._readlink,
            "statvfs": self._statvfs,
            "chmod": self._chmod,
            "chown": self._chown,
            "utime": self._utime,
            "mkdir": self._mkdir,
            "rmdir": self._rmdir,
            "unlink": self._unlink,
            "symlink": self._symlink,
            "rename": self._rename,
            "link": self._link,
        }

    def ask(self, ask: m.ExportAsk) -> m.ExportAnswer:
        """Look or change.

        Raises:
            FileError, OSError: as the call that it is named after.
        """
        act = self._table.get(ask.what)
        if act is None:
            raise FileError(errno.ENOSYS, hint="are all hosts on the same version of OneOS?")
        try:
            return m.ExportAnswer(act(ask))
        except LinkMet as met:
            return m.ExportAnswer(link=met.at, target=met.target)
        except _SecondLinkMet as met:
            return m.ExportAnswer(link=met.at, target=met.target, second=True)

    def row(self, found: os.stat_result) -> list[int]:
        """What an answer has of an inode; behind it whose the Runtime's own files are here."""
        return [
            found.st_mode,
            self._number(found.st_dev, found.st_ino),
            found.st_size,
            found.st_nlink,
            found.st_uid,
            found.st_gid,
            found.st_atime_ns,
            found.st_mtime_ns,
            found.st_ctime_ns,
            found.st_rdev,
            found.st_blocks,
            os.getuid(),
            os.getgid(),
        ]

    def _number(self, device: int, inode: int) -> int:
        """An inode's number in the tree: its own among all hosts, as long as it is the same."""
        which = b"%s %d %d" % (self._host, device, inode)
        digest = hashlib.blake2b(which, digest_size=7).digest()
        return FACTS_SINCE | int.from_bytes(digest, "big")

    # --- opening ----------------------------------------------------------------------------------
    def open(self, export: str, place: Sequence[bytes], flags: int, mode: int) -> int:
        """Open a regular file, as open(2); the descriptor is the caller's.

        Raises:
            LinkMet: a link stands on the way, or in last place.
            FileError, OSError: also EACCES for what is neither file nor directory, EISDIR for a
                directory, and EROFS for a change where the owner allows none.
        """
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise FileError(errno.EOPNOTSUPP)
        if not flags & os.O_CREAT or not place:
            return self._open_there(export, place, flags)
        for _ in range(EXPORT_TRIES_MAX):
            fd = self._create(export, place, flags, mode)
            if fd >= 0:
                return fd
            try:
                return self._open_there(export, place, flags)
            except FileNotFoundError:
                pass  # Somebody removed it after it was found to be there.
        raise FileError(errno.EBUSY)

    def _open_there(self, export: str, place: Sequence[bytes], flags: int) -> int:
        with self._at(export, place) as found:
            mode = os.fstat(found).st_mode
            if stat.S_ISLNK(mode):
                if flags & os.O_NOFOLLOW:
                    raise FileError(errno.ELOOP)
                refuse_link(found, len(place) - 1)
            if stat.S_ISDIR(mode):
                raise FileError(errno.EISDIR)
            if flags & os.O_DIRECTORY:
                raise FileError(errno.ENOTDIR)
            if not stat.S_ISREG(mode):
                raise FileError(errno.EACCES, hint="of an export only regular files can be opened")
            if wants_to_write(flags):
                self._check_write(export)
            # By the descriptor, so that it is what was looked at.
            return os.open(_again(found), flags & _USED | os.O_CLOEXEC)

    def _create(self, export: str, place: Sequence[bytes], flags: int, mode: int) -> int:
        """Create a file; -1 where the name is there and may be."""
        if not self._may_write(export):
            if flags & os.O_EXCL:
                # EEXIST comes first, as on a disk that is mounted read-only.
                with self._at(export, place):
                    raise FileError(errno.EEXIST)
            try:
                with self._at(export, place):
                    return -1
            except FileNotFoundError:
                with self._above(export, place):
                    raise FileError(errno.EROFS) from None
        with self._above(export, place) as (directory, name):
            try:
                made = flags & _USED | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                fd = os.open(name, made, mode & _MODE_BITS, dir_fd=directory)
            except FileExistsError:
                if flags & os.O_EXCL:
                    raise
                return -1
            # The program's umask is taken off already, and this process's is none of its business.
            os.fchmod(fd, mode & _MODE_BITS)
            return fd

    # --- looking ----------------------------------------------------------------------------------
    def _stat(self, ask: m.ExportAsk) -> list[int]:
        with self._at(ask.export, ask.place) as fd:
            if ask.follow:
                refuse_link(fd, len(ask.place) - 1)
            return self.row(os.fstat(fd))

    def _list(self, ask: m.ExportAsk) -> list[tuple[bytes, int, int]]:
        with self._at(ask.export, ask.place) as found:
            refuse_link(found, len(ask.place) - 1)
            fd = os.open(_again(found), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        with _closing(fd), os.scandir(fd) as entries:
            device, total = os.fstat(fd).st_dev, 0
            names: list[tuple[bytes, int, int]] = []
            for entry in entries:
                name = os.fsencode(entry.name)
                total += len(name) + _ENTRY_BYTES
                if total > EXPORT_NAMES_BYTES_MAX:
                    raise FileError(errno.EOVERFLOW, hint="too many names for one listing")
                names.append((name, _kind(entry), self._number(device, entry.inode())))
            return sorted(names)

    def _readlink(self, ask: m.ExportAsk) -> bytes:
        with self._at(ask.export, ask.place) as fd:
            if not stat.S_ISLNK(os.fstat(fd).st_mode):
                raise FileError(errno.EINVAL)
            return os.readlink(b"", dir_fd=fd)

    def _statvfs(self, ask: m.ExportAsk) -> list[int]:
        with self._at(ask.export, ask.place) as fd:
            refuse_link(fd, len(ask.place) - 1)
            found = os.fstatvfs(fd)
        numbers = list(found[:10])
        if not self._may_write(ask.export):
            numbers[8] |= os.ST_RDONLY
        return [*numbers, 0]

    # --- changing attributes ----------------------------------------------------------------------
    def _chmod(self, ask: m.ExportAsk) -> None:
        (mode,) = ask.numbers
        with self._to_change(ask) as fd:
            if stat.S_ISLNK(os.fstat(fd).st_mode):
                raise FileError(errno.EOPNOTSUPP)
            os.chmod(_again(fd), mode & _MODE_BITS)

    def _chown(self, ask: m.ExportAsk) -> None:
        uid, gid = ask.numbers
        with self._to_change(ask) as fd:
            os.chown(_again(fd), uid, gid)

    def _utime(self, ask: m.ExportAsk) -> None:
        atime_ns, mtime_ns = ask.numbers
        with self._to_change(ask) as fd:
            os.utime(_again(fd), ns=(atime_ns, mtime_ns))

    @contextmanager
    def _to_change(self, ask: m.ExportAsk) -> Iterator[int]:
        with self._at(ask.export, ask.place) as fd:
            if ask.follow:
                refuse_link(fd, len(ask.place) - 1)
            self._check_write(ask.export)
            yield fd

    # --- changing names ---------------------------------------------------------------------------
    def _mkdir(self, ask: m.ExportAsk) -> None:
        (mode,) = ask.numbers
        with self._new(ask.export, ask.place) as (directory, name):
            os.mkdir(name, mode & _MODE_BITS, dir_fd=directory)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            try:
                with _closing(os.open(name, flags, dir_fd=directory)) as fd:
                    os.fchmod(fd, mode & _MODE_BITS)
            except OSError:
                pass  # Somebody removed it meanwhile, or it may not even be read: it was made.

    def _symlink(self, ask: m.ExportAsk) -> None:
        with self._new(ask.export, ask.place) as (directory, name):
            os.symlink(ask.text, name, dir_fd=directory)

    def _rmdir(self, ask: m.ExportAsk) -> None:
        with self._old(ask.export, ask.place) as (directory, name):
            os.rmdir(name, dir_fd=directory)

    def _unlink(self, ask: m.ExportAsk) -> None:
        with self._old(ask.export, ask.place) as (directory, name):
            os.unlink(name, dir_fd=directory)

    def _rename(self, ask: m.ExportAsk) -> None:
        (replacing,) = ask.numbers
        with self._old(ask.export, ask.place) as old, self._second(ask) as new:
            if replacing:
                os.rename(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0])
            else:
                rename_to_new(old, new)

    def _link(self, ask: m.ExportAsk) -> None:
        with self._old(ask.export, ask.place) as old, self._second(ask) as new:
            os.link(old[1], new[1], src_dir_fd=old[0], dst_dir_fd=new[0], follow_symlinks=False)

    # --- reaching ---------------------------------------------------------------------------------
    @contextmanager
    def _root(self, export: str) -> Iterator[int]:
        config = self._configs.get(export)
        if config is None:
            raise FileError(errno.ENOENT, export)
        # Opened anew each time: the owner may unmount it, or put another in its place.
        with _closing(os.open(config.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
            yield fd

    @contextmanager
    def _at(self, export: str, place: Sequence[bytes]) -> Iterator[int]:
        with self._root(export) as root, _closing(reach(root, place)) as fd:
            yield fd

    @contextmanager
    def _above(self, export: str, place: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        if not place:
            raise FileError(errno.EBUSY, export)
        with self._root(export) as root, _closing(reach_above(root, place)) as fd:
            yield fd, place[-1]

    @contextmanager
    def _new(self, export: str, place: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Where a name is to be made: EEXIST for one that is there, and then EROFS."""
        if not place:
            raise FileError(errno.EEXIST, export)
        with self._above(export, place) as (directory, name):
            if not self._may_write(export):
                there = os.path.lexists(_again(directory) + b"/" + name)
                raise FileError(errno.EEXIST if there else errno.EROFS)
            yield directory, name

    @contextmanager
    def _old(self, export: str, place: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
        """Where a name is to be taken away."""
        self._check_write(export)
        with self._above(export, place) as found:
            yield found

    @contextmanager
    def _second(self, ask: m.ExportAsk) -> Iterator[tuple[int, bytes]]:
        if not ask.other:
            raise FileError(errno.EBUSY, ask.export)
        with self._root(ask.export) as root:
            try:
                fd = reach_above(root, ask.other)
            except LinkMet as met:
                raise _SecondLinkMet(met.at, met.target) from None
        with _closing(fd):
            yield fd, ask.other[-1]

    def _may_write(self, export: str) -> bool:
        config = self._configs.get(export)
        return config is not None and config.write

    def _check_write(self, export: str) -> None:
        if export in self._configs and not self._configs[export].write:
            raise FileError(errno.EROFS)


class _SecondLinkMet(Exception):
    def __init__(self, at: int, target: bytes) -> None:
        super().__init__()
        self.at = at
        self.target = target


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)


def _again(fd: int) -> bytes:
    """A path of the kernel's for what a descriptor is of, whatever its name is by now."""
    return b"/proc/self/fd/%d" % fd


def _kind(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return stat.S_IFREG
