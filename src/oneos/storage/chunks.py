"""The chunks a host keeps: immutable pieces of files, each named by the SHA-256 of its bytes.

A chunk has its name only once its bytes are on the disk, so that whatever a crash leaves under a
name is whole; until that name is safe it is found under the one that it was written with. What rots
later is found because every read compares the hash, and goes to `corrupt/` so that nobody is served
it again. Which chunks a file has, who else holds them and when one may go is decided by others. All
calls block on the disk: call them in a thread. They may be called from several threads at once.

On the disk: `ab/abcdef...` the chunks, by the first two digits; `tmp/` what is being written;
`spare/` what will be (`spares`), and then is written there; `corrupt/` what was found damaged.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

from oneos.errors import FileError
from oneos.failpoints import reach
from oneos.limits import (
    CHUNK_BYTES,
    CORRUPT_KEPT_MAX,
    CUT_GROUP,
    LEFTOVER_AGE_S,
    SYNCS_AT_ONCE,
)
from oneos.storage.damage import Damage
from oneos.storage.disk import (
    as_file_error,
    forget,
    read_up_to,
    remove,
    sync_directory,
    sync_file,
    write_all,
)
from oneos.storage.promises import Promises
from oneos.storage.spares import Spares


class Put(NamedTuple):
    """What became of one piece of data: its name, and whether it was not there before."""

    digest: bytes
    new: bool


Offer = Callable[[Sequence[tuple[bytes, bytes]]], None]
"""Is shown new pieces, digest and data of each, while they are on their way to the disk; called in
the thread that puts them, which it may hold up."""


class Usage(NamedTuple):
    """What the store holds."""

    chunks: int
    bytes: int
    corrupt: int


class ChunkStore:
    """The chunks below one directory, which is made when it is not there.

    Raises:
        FileError: the directory cannot be made or read.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.promises = Promises()
        self._tmp = os.path.join(directory, "tmp")
        self._corrupt = os.path.join(directory, "corrupt")
        self._serial = itertools.count()
        # A folder's names are safe up to a count of renames; what an earlier life named may not
        # have been synced, so nothing counts as safe at the start.
        self._lock = threading.Lock()
        self._named: dict[str, int] = {}
        self._synced: dict[str, int] = {}
        self._syncers: ThreadPoolExecutor | None = None
        with as_file_error(directory):
            for path in (directory, self._tmp, self._corrupt):
                os.makedirs(path, mode=0o700, exist_ok=True)
            # Made once, so that a put never has to make one and sync its parent.
            for first in range(256):
                os.makedirs(os.path.join(directory, f"{first:02x}"), mode=0o700, exist_ok=True)
            sync_directory(directory)
            self._spares = Spares(os.path.join(directory, "spare"), self._adopt)
            for name in os.listdir(self._tmp):
                remove(os.path.join(self._tmp, name))
            aside = {digest for name in os.listdir(self._corrupt) if (digest := _digest_of(name))}
            self.damage = Damage(x for x in aside if not os.path.exists(self.path(x)))

    def path(self, digest: bytes) -> str:
        """Where a chunk is, if it is there. Reading it there verifies nothing: see `get`."""
        if len(digest) != 32:
            raise FileError(errno.EINVAL, digest.hex(), hint="a chunk is named by 32 bytes")
        name = digest.hex()
        return os.path.join(self.directory, name[:2], name)

    # --- writing ------------------------------------------------------------------------------
    def put(self, data: bytes) -> bytes:
        """Keep a chunk; answers its name once it is safe on the disk.

        Raises:
            FileError: ENOSPC, EDQUOT, EIO or what else the disk says; nothing of it stays then.
        """
        return self.put_many([data])[0].digest

    def put_many(self, pieces: Sequence[bytes]) -> list[Put]:
        """Keep several chunks and sync each directory once; answers when all are safe.

        Raises:
            FileError: as `put`, and EINVAL for a piece longer than `CHUNK_BYTES`. Some of the
                pieces may be there then, each of them whole.
        """
        return self.put_named([(hashlib.sha256(data).digest(), data) for data in pieces])

    def put_named(
        self,
        named: Sequence[tuple[bytes, bytes]],
        offer: Offer | None = None,
        cached: bool = True,
    ) -> list[Put]:
        """`put_many` for a caller that has hashed the pieces itself: digest and data of each.

        Args:
            offer: is shown the pieces that were not there, before the disk is waited for.
            cached: they may stay in the kernel's memory, too.
        """
        if any(len(data) > CHUNK_BYTES for _, data in named):
            raise FileError(errno.EINVAL, hint=f"a chunk has at most {CHUNK_BYTES} bytes")
        self.promises.keep(digest for digest, _ in named)
        puts = [Put(digest, False) for digest, _ in named]
        new: dict[str, tuple[bytes, bytes]] = {}
        for at, (digest, data) in enumerate(named):
            path = self.path(digest)
            if path not in new and not self._holds(path, data):
                puts[at] = Put(digest, True)
                new[path] = digest, data
        if offer is not None and new:
            offer(list(new.values()))
        written: dict[str, str] = {}
        spared: set[str] = set()
        try:
            for path, (_, data) in new.items():
                written[path], spare = self._write(data)
                if spare:
                    spared.add(path)
            # Only after all are written: the disk takes them in one sweep, not in turns.
            self._each(lambda part: self._sync(part, cached), written.values())
            reach("chunks.written")
            for path, part in written.items():
                self._name(part, path, path in spared)
        except BaseException:
            for part in written.values():
                remove(part)
            raise
        reach("chunks.named")
        # Also for a chunk that was there: another thread may have named it a moment ago.
        paths = {self.path(digest) for digest, _ in puts} - spared
        self._each(self._sync_names, {os.path.dirname(path) for path in paths})
        return puts

    def _each(self, sync: Callable[[str], None], paths: Collection[str]) -> None:
        """Sync some paths; many at once, since then their flushes of the disk's cache are one."""
        if len(paths) <= CUT_GROUP:
            for path in paths:
                sync(path)
            return
        with self._lock:
            if self._syncers is None:
                self._syncers = ThreadPoolExecutor(SYNCS_AT_ONCE, thread_name_prefix="sync")
        under_way = [self._syncers.submit(sync, path) for path in paths]
        # All of them end before any failure is told: what is written is removed then.
        wait(under_way)
        for one in under_way:
            one.result()

    def _sync(self, part: str, cached: bool) -> None:
        with as_file_error(part):
            sync_file(part, cached)

    def _name(self, part: str, path: str, spare: bool) -> None:
        """Give a chunk its name; a `spare` is safe under the one it has, so this need not be."""
        folder = os.path.dirname(path)
        # Under the lock, so that whoever sees the name also sees that it is not synced.
        with as_file_error(path), self._lock:
            os.rename(part, path)
            if not spare:
                self._named[folder] = self._named.get(folder, 0) + 1
        self.damage.put(bytes.fromhex(os.path.basename(path)))

    def _sync_names(self, folder: str) -> None:
        with self._lock:
            named = self._named.get(folder, 0)
            if self._synced.get(folder, -1) >= named:
                return
        with as_file_error(folder):
            sync_directory(folder)
        with self._lock:
            self._synced[folder] = max(named, self._synced.get(folder, -1))

    def _holds(self, path: str, data: bytes) -> bool:
        seen = None
        try:
            with open(path, "rb", buffering=0) as file:
                seen = os.fstat(file.fileno())
                there = read_up_to(file.fileno(), len(data) + 1, 0)
        except FileNotFoundError:
            return False
        except OSError:
            there = b""
        if there == data:
            return True
        # A damaged chunk under this name is no reason to believe that the data is safe.
        self._set_aside(path, seen)
        return False

    def _adopt(self, path: str) -> None:
        """Give a chunk its name that an earlier life wrote, and whose name was lost."""
        if os.stat(path).st_size > CHUNK_BYTES:
            return
        with open(path, "rb", buffering=0) as file:
            data = read_up_to(file.fileno(), CHUNK_BYTES, 0)
        # What that life was still writing becomes a chunk that no file has, and is collected.
        named = self.path(hashlib.sha256(data).digest())
        if not os.path.exists(named):
            sync_file(path)
            os.rename(path, named)

    def _write(self, data: bytes) -> tuple[str, bool]:
        """Answers where it was written, and whether that is a file made ahead."""
        spare = self._spares.take()
        part = spare or os.path.join(self._tmp, str(next(self._serial)))
        making = 0 if spare else os.O_CREAT | os.O_EXCL
        with as_file_error(part):
            fd = os.open(part, os.O_WRONLY | os.O_CLOEXEC | making, 0o600)
            try:
                write_all(fd, data, 0)
            except BaseException:
                remove(part)
                raise
            finally:
                os.close(fd)
        return part, spare is not None

    def collect(self, number: int, digests: Iterable[bytes]) -> Usage:
        """Remove chunks that no file has, but for those promised since the collection began.

        Args:
            number: of the collection; nothing is removed when it is not the one that goes on.

        Returns:
            What was removed.

        Raises:
            FileError: EIO or what else the disk says.
        """
        count = size = 0
        for digest in digests:
            path = self.path(digest)
            with as_file_error(path), self.promises.removing(number, digest) as may:
                try:
                    if may:
                        bytes_here = os.stat(path).st_size
                        os.unlink(path)
                        count, size = count + 1, size + bytes_here
                        reach("collect.removing")
                except FileNotFoundError:
                    pass
        return Usage(count, size, 0)

    # --- reading ------------------------------------------------------------------------------
    def get(self, digest: bytes) -> bytes:
        """A chunk's bytes, compared with its name.

        Raises:
            FileError: ENOENT when it is not here; EIO when it is damaged or cannot be read. A
                damaged one is moved aside, so that it counts as missing from then on.
        """
        return self._read(digest, from_disk=False)

    def check(self, digest: bytes) -> int:
        """Read a chunk from the disk, also where the kernel has it in memory, and compare it.

        Returns:
            Its length in bytes. They do not stay in the kernel's memory.

        Raises:
            FileError: as `get`.
        """
        return len(self._read(digest, from_disk=True))

    def _read(self, digest: bytes, from_disk: bool) -> bytes:
        path = self.path(digest)
        seen = None
        try:
            with as_file_error(path), open(path, "rb", buffering=0) as file:
                seen = os.fstat(file.fileno())
                if from_disk:
                    forget(file.fileno())
                data = read_up_to(file.fileno(), CHUNK_BYTES + 1, 0)
                if from_disk:
                    forget(file.fileno())
        except FileError as error:
            if error.errno == errno.EIO:
                self._set_aside(path, seen)
            raise
        if hashlib.sha256(data).digest() != digest:
            self._set_aside(path, seen)
            hint = "damaged on this disk and moved to corrupt/: another host's copy is used instead"
            raise FileError(errno.EIO, path, hint=hint)
        return data

    def has(self, digest: bytes) -> bool:
        """Whether a chunk of this name is here, which then stays; its bytes are not read."""
        self.promises.keep([digest])
        return os.path.exists(self.path(digest))

    def missing(self, digests: Iterable[bytes]) -> list[bytes]:
        """Those that are not here, each once, in the order given."""
        return [digest for digest in dict.fromkeys(digests) if not self.has(digest)]

    def digests(self, first: int | None = None) -> Iterator[bytes]:
        """The names of all chunks; chunks that come and go meanwhile may show or not.

        Args:
            first: only those that begin with this byte.
        """
        for path in self._paths(range(256) if first is None else (first,)):
            yield bytes.fromhex(os.path.basename(path))

    def usage(self) -> Usage:
        """Count what is here: reads every directory."""
        count = size = 0
        for path in self._paths():
            try:
                size += os.stat(path).st_size
                count += 1
            except FileNotFoundError:
                pass
        return Usage(count, size, len(os.listdir(self._corrupt)))

    def _paths(self, firsts: Iterable[int] = range(256)) -> Iterator[str]:
        for first in firsts:
            folder = os.path.join(self.directory, f"{first:02x}")
            for name in sorted(os.listdir(folder)):
                # A file that a person left here is none of ours.
                if len(name) == 64 and name.startswith(f"{first:02x}"):
                    yield os.path.join(folder, name)

    def leftovers(self, remove_them: bool) -> Usage:
        """What lies about beside the chunks: unfinished ones nobody writes any more, and damaged
        ones that were put aside and are whole here again.

        Args:
            remove_them: whether they are removed.
        """
        count = size = 0
        for path in [*self._unfinished(), *self._made_good()]:
            try:
                size += os.stat(path).st_size
                count += 1
                if remove_them:
                    os.unlink(path)
            except FileNotFoundError:
                pass
        return Usage(count, size, len(os.listdir(self._corrupt)))

    def _unfinished(self) -> Iterator[str]:
        for name in os.listdir(self._tmp):
            path = os.path.join(self._tmp, name)
            try:
                if time.time() - os.stat(path).st_mtime > LEFTOVER_AGE_S:
                    yield path
            except FileNotFoundError:
                pass

    def _made_good(self) -> Iterator[str]:
        for name in os.listdir(self._corrupt):
            digest = _digest_of(name)
            if digest and os.path.exists(self.path(digest)):
                yield os.path.join(self._corrupt, name)

    def _set_aside(self, path: str, seen: os.stat_result | None) -> None:
        """Move a damaged chunk away; not one that was put in its place since it was `seen`."""
        name = os.path.basename(path)
        aside = os.path.join(self._corrupt, f"{name}.{next(self._serial)}")
        try:
            with self._lock:
                now = os.stat(path)
                if seen is not None and (now.st_dev, now.st_ino) != (seen.st_dev, seen.st_ino):
                    return
                os.rename(path, aside)
            self.damage.note(bytes.fromhex(name))
            kept = [os.path.join(self._corrupt, name) for name in os.listdir(self._corrupt)]
            kept.sort(key=os.path.getctime)
            for old in kept[: max(0, len(kept) - CORRUPT_KEPT_MAX)]:
                remove(old)
        except FileNotFoundError:
            # Another thread found the same damage.
            pass


def _digest_of(aside: str) -> bytes:
    """Which chunk a file in `corrupt/` was; b"" for what a person left there."""
    name = aside.partition(".")[0]
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return b""
    return digest if len(digest) == 32 else b""
