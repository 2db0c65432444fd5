"""Backing files: the real local files of those files of the tree that are in use at this host.

Programs have them open by descriptor and write them at native speed; this module only makes them
from chunks, cuts them into chunks, and drops them. It decides when a cut may be skipped because
nothing changed, and that a file written while it is cut is cut again. Who the home is and what is
committed is decided by others. A file is zeros where its list of chunks says nothing; all-zero
chunks are holes here and cost no disk.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, ParamSpec, TypeVar

from oneos.errors import FileError
from oneos.limits import CHUNK_GROUP
from oneos.storage.chunks import ChunkStore, Offer
from oneos.storage.cut import Cut, Seen, cut_file
from oneos.storage.cut_small import cut_small_files
from oneos.storage.disk import as_file_error, remove
from oneos.storage.fill import Spot, fill_fetched, fill_local, finish, make_empty
from oneos.storage.spares import Spares

Fetch = Callable[[bytes], Awaitable[bytes]]
"""Gets a chunk from a host that holds it; its answer is verified here."""

FetchMany = Callable[[str, list[Spot], int], Awaitable[list[Spot]]]
"""Has many chunks written into a file of this path and size; answers those that were not."""

PART = ".part"
P = ParamSpec("P")
T = TypeVar("T")


class Leftover(NamedTuple):
    """A backing file of an earlier life of this host's Runtime."""

    ino: int
    home_epoch: int
    path: str
    size: int
    mtime_ns: int


@dataclass
class _Backing:
    home_epoch: int
    path: str
    seen: Seen | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class BackingStore:
    """The backing files below one directory, which is made when it is not there.

    Files found in it are leftovers: they stay until `drop_leftovers`, or until the same file comes
    into use again. One event loop uses a store; the blocking work runs in threads.

    Args:
        directory: on the same file system as the chunks where reflinks shall work.
        chunks: where cut chunks go and present ones come from.
    """

    def __init__(self, directory: str, chunks: ChunkStore) -> None:
        self.directory = directory
        self._chunks = chunks
        self._files: dict[int, _Backing] = {}
        self._in_making: set[int] = set()
        self._leftovers: list[Leftover] = []
        self._unwanted: list[str] = []
        self._dropping: asyncio.Task[dict[str, OSError]] | None = None
        with as_file_error(directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._spares = Spares(os.path.join(directory, "spare"))
            for name in sorted(os.listdir(directory)):
                self._sort_in(name)

    def _sort_in(self, name: str) -> None:
        path = os.path.join(self.directory, name)
        if name.endswith(PART):
            remove(path)
            return
        ino, dot, epoch = name.partition(".")
        if dot and ino.isdecimal() and epoch.isdecimal():
            info = os.stat(path)
            found = Leftover(int(ino), int(epoch), path, info.st_size, info.st_mtime_ns)
            self._leftovers.append(found)

    # --- coming into use ----------------------------------------------------------------------
    async def create(self, ino: int, home_epoch: int, mtime_ns: int | None = None) -> str:
        """Make an empty backing file, in place of one of another epoch; answers its path.

        Raises:
            FileError: EEXIST when it is in use here in this epoch, EBUSY when it is being made;
                ENOSPC or EIO of the disk.
        """
        with self._making(ino, home_epoch) as path:
            await self._named(path, make_empty, path, mtime_ns)
            await self._begin(ino, home_epoch, path)
        return path

    async def materialise(
        self,
        ino: int,
        home_epoch: int,
        chunks: Sequence[bytes],
        size: int,
        fetch: Fetch,
        mtime_ns: int | None = None,
        fetch_many: FetchMany | None = None,
    ) -> str:
        """Make the backing file of a file at rest; answers its path when it is whole.

        Args:
            chunks: the inode's list; shorter than `size` when the file ends in a hole.
            fetch: called for chunks that are not on this disk, or damaged here; up to
                `CHUNK_GROUP` at a time.
            mtime_ns: the file's modification time; now when it is None.
            fetch_many: asked before `fetch` where more than such a group is missing.

        Raises:
            FileError: as `create`; EIO when a fetched chunk is not what its name says; or whatever
                `fetch` raises. Nothing of it stays then.
        """
        with self._making(ino, home_epoch) as path:
            if not chunks and not size:
                # A name and nothing to wait for: a thread would take longer than the work.
                path = self._empty(path, mtime_ns)
                await self._begin(ino, home_epoch, path)
                return path
            part = path + PART
            try:
                missing = await self._named(
                    path, _fill_and_finish, part, path, self._chunks, chunks, size, mtime_ns
                )
                whole = not missing
                if fetch_many is not None and len(missing) > CHUNK_GROUP:
                    missing = await fetch_many(part, missing, size)
                for first in range(0, len(missing), CHUNK_GROUP):
                    group = missing[first : first + CHUNK_GROUP]
                    # Whatever fails, all the others end before the file is removed under them.
                    done = await asyncio.gather(
                        *(_fetched(fetch, part, at, digest, size) for at, digest in group),
                        return_exceptions=True,
                    )
                    for failed in done:
                        if failed is not None:
                            raise failed
                if not whole:
                    await self._named(path, finish, part, path, mtime_ns)
            except BaseException:
                remove(part)
                raise
            await self._begin(ino, home_epoch, path)
        return path

    def _empty(self, path: str, mtime_ns: int | None) -> str:
        """An empty file, which has another path where it was made ahead."""
        spare = self._spares.take()
        if spare is None:
            make_empty(path, mtime_ns)
            return path
        with as_file_error(spare):
            if mtime_ns is None:
                os.utime(spare)
            else:
                os.utime(spare, ns=(mtime_ns, mtime_ns))
        return spare

    @contextmanager
    def _making(self, ino: int, home_epoch: int) -> Iterator[str]:
        path = os.path.join(self.directory, f"{ino}.{home_epoch}")
        if ino in self._in_making:
            raise FileError(errno.EBUSY, path, hint="it is being made")
        if ino in self._files and self._files[ino].home_epoch == home_epoch:
            raise FileError(errno.EEXIST, path)
        self._in_making.add(ino)
        try:
            yield path
        finally:
            self._in_making.discard(ino)

    async def _named(self, path: str, call: Callable[P, T], *args: P.args, **kw: P.kwargs) -> T:
        try:
            return await in_thread(call, *args, **kw)
        except asyncio.CancelledError:
            # It has its name by now, and nobody will ever ask for it.
            remove(path)
            raise

    async def _begin(self, ino: int, home_epoch: int, path: str) -> None:
        old = self._files.get(ino)
        self._files[ino] = _Backing(home_epoch, path)
        self._leftovers = [left for left in self._leftovers if left.path != path]
        if old is not None:
            await in_thread(remove, old.path)

    # --- in use -------------------------------------------------------------------------------
    def path(self, ino: int) -> str:
        """Where the backing file is. FileError(ENOENT) when the file is not in use here."""
        return self._backing(ino).path

    def home_epoch(self, ino: int) -> int:
        """The home epoch it was made for. FileError(ENOENT) when it is not in use here."""
        return self._backing(ino).home_epoch

    def inos(self) -> list[int]:
        """The files in use here."""
        return sorted(self._files)

    async def cut(self, ino: int, force: bool = False, offer: Offer | None = None) -> Cut:
        """Cut the file into chunks and keep those that are not there; safe on disk when it returns.

        Args:
            force: read the file also when its times say that it has not changed since the last
                cut, for stores through a memory map, which show in no time stamp until they are
                written back.
            offer: is shown new pieces, in a thread, while they are on their way to the disk.

        Raises:
            FileError: ENOENT when it is not in use here, EFBIG when it has too many chunks,
                ENOSPC or EIO of the disk.
        """
        backing = self._backing(ino)
        async with backing.lock:
            seen = None if force else backing.seen
            taken, backing.seen = await in_thread(cut_file, backing.path, self._chunks, seen, offer)
        return taken

    async def cut_small(self, inos: Sequence[int], offer: Offer) -> dict[int, Cut]:
        """Cut small files at once, as `cut`; those that are none, or not here, are left out.

        Nothing else may cut any of them meanwhile.

        Raises:
            FileError: as `cut`.
        """
        there = {ino: found for ino in inos if (found := self._files.get(ino)) is not None}
        paths = [found.path for found in there.values()]
        cuts: dict[int, Cut] = {}
        for (ino, found), taken in zip(
            there.items(),
            await in_thread(cut_small_files, paths, self._chunks, offer),
            strict=True,
        ):
            if taken is not None:
                cuts[ino], found.seen = taken
        return cuts

    async def drop(self, ino: int) -> None:
        """Remove the backing file, if it is there. Programs that have it open keep their bytes."""
        backing = self._files.pop(ino, None)
        if backing is None:
            return
        self._unwanted.append(backing.path)
        if self._dropping is None:
            self._dropping = asyncio.create_task(self._drop_all(), name="dropped files")
        failed = await asyncio.shield(self._dropping)
        if (error := failed.get(backing.path)) is not None:
            raise FileError(error.errno or errno.EIO, backing.path) from error

    async def _drop_all(self) -> dict[str, OSError]:
        """Remove what is unwanted, by one thread: commits need the others."""
        failed: dict[str, OSError] = {}
        try:
            while self._unwanted:
                paths, self._unwanted = self._unwanted, []
                failed |= await in_thread(_remove_all, paths)
        finally:
            self._dropping = None
        return failed

    def _backing(self, ino: int) -> _Backing:
        backing = self._files.get(ino)
        if backing is None:
            raise FileError(errno.ENOENT, f"inode {ino}", hint="it is not in use at this host")
        return backing

    # --- what an earlier life left ------------------------------------------------------------
    def leftovers(self) -> list[Leftover]:
        """Backing files found at the start that nobody uses now."""
        return list(self._leftovers)

    async def drop_leftovers(self) -> None:
        """Remove them."""
        while self._leftovers:
            left = self._leftovers.pop()
            with as_file_error(left.path):
                await in_thread(remove, left.path)


def _remove_all(paths: Sequence[str]) -> dict[str, OSError]:
    failed = {}
    for path in paths:
        try:
            remove(path)
        except OSError as error:
            failed[path] = error
    return failed


def _fill_and_finish(
    part: str,
    path: str,
    store: ChunkStore,
    chunks: Sequence[bytes],
    size: int,
    mtime_ns: int | None,
) -> list[Spot]:
    """Make a file of what is here, and name it if that is all; answers what is missing."""
    missing = fill_local(part, store, chunks, size)
    if not missing:
        finish(part, path, mtime_ns)
    return missing


async def _fetched(fetch: Fetch, part: str, at: int, digest: bytes, size: int) -> None:
    data = await fetch(digest)
    await in_thread(fill_fetched, part, at, digest, data, size)


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call in a thread. When the task is cancelled the call ends first.

    A thread cannot be stopped, so whoever cleans up after a cancelled task must come after it.
    """
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                pass
        if not work.cancelled():
            work.exception()
        raise
