"""Compares what hosts hold with what the index says they do, and makes good what is lacking.

A holder that lacks a chunk (put aside as damaged, or gone from its disk) fetches it from whichever
live host has it. One that cannot, as its disk is full, is struck off the file's holders, so that
the file counts as one with too few copies. A file of which a chunk is nowhere on a live host is
remembered as lost, and looked at again when a host comes. What is read here of the index may be a
little old: the host is asked once more before anything is fetched, and the File System before a
file is struck or called lost.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from oneos.errors import FileError, OneOSError
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.kernel.digests import Digests
from oneos.kernel.index import Index
from oneos.limits import (
    AUDIT_LOST_MAX,
    CHUNK_TIMEOUT_S,
    CUT_AGAIN_TIMEOUT_S,
    LOOK_INODES,
    REPAIR_CHUNKS_PER_CALL,
)
from oneos.net.links import Links
from oneos.state import names_commands as n
from oneos.state.names_types import Inode, Result
from oneos.storage.index_holders import Held

log = logging.getLogger(__name__)

ChangeNames = Callable[[Callable[[tuple[str, int], int], n.AnyCommand]], Awaitable[Result]]
CurrentInode = Callable[[Ino], Awaitable[Inode]]
"""Asks the File System for an inode as it is now; FileError(ESTALE) when there is none."""


@dataclass(frozen=True)
class Lacked:
    """What a holder lacked of a file when it was asked, and of that, what it still lacks."""

    before: int = 0
    still: tuple[bytes, ...] = ()


async def batches(index: Index) -> AsyncIterator[Sequence[Inode]]:
    """All inodes of a host's copy of the index, in order of number, some at a time."""
    clock = asyncio.get_running_loop().time
    after, began_s = 0, clock()
    while batch := index.names.names.scan(after, LOOK_INODES):
        after, took_s = batch[-1].ino, clock() - began_s
        yield batch
        # A million files are a look of half a minute: everybody else has as much of this host's
        # time as it, and waits for one batch at most.
        await asyncio.sleep(took_s)
        began_s = clock()


class Auditor:
    """See the module.

    `lost`: files without a whole copy, with the version that is.

    Args:
        control: says which hosts are alive.
        index: this host's copy of the index.
        links: the connections to other Runtimes.
        change: sends a command to the File System.
        current: asks it for an inode.
        wanted: copies each file should have, where the file does not say so.
    """

    def __init__(
        self,
        control: ControlLog,
        index: Index,
        links: Links,
        change: ChangeNames,
        current: CurrentInode,
        wanted: int,
    ) -> None:
        self._control = control
        self._index = index
        self._links = links
        self._change = change
        self._current = current
        self._wanted = wanted
        self.lost: dict[int, int] = {}
        self.one = asyncio.Lock()
        """Held while the holders of a file are looked at and changed."""

    # --- looking ------------------------------------------------------------------------------
    def alive(self) -> list[HostName]:
        """The live hosts."""
        return [member.name for member in self._control.machine.alive()]

    def wanted_of(self, file: Inode | Held) -> int:
        """How many copies a file should have: its directory's number, else the network's."""
        return file.wanted or self._wanted

    def away(self) -> dict[HostName, str]:
        """Hosts that were there once and are not, with what they are instead."""
        members = self._control.state.members.values()
        return {x.name: x.state for x in members if x.state not in ("alive", "admitted")}

    async def inodes(self) -> AsyncIterator[Inode]:
        """All inodes of this host's copy of the index, in order of number."""
        async for batch in batches(self._index):
            for inode in batch:
                yield inode

    async def held(self, host: HostName) -> Digests:
        """The chunks that a host has. Raises OneOSError when it cannot be asked."""
        held = Digests()
        for first in range(256):
            for digest in await self.listed(host, first):
                held.add(digest)
        await held.seal()
        return held

    async def listed(self, host: HostName, first: int) -> list[bytes]:
        """Those whose names begin with this byte."""
        found: list[bytes] = await self._links.call(
            host, "collect.list", m.CollectList(first), list[bytes]
        )
        return found

    async def missing(self, host: HostName, digests: Iterable[bytes]) -> list[bytes]:
        """Which of these a host does not have, each once; those it has it keeps."""
        names = list(dict.fromkeys(digests))
        found: list[bytes] = []
        for at in range(0, len(names), 1024):
            answer = await self._links.call(
                host,
                "chunk.missing",
                m.ChunkList(names[at : at + 1024]),
                m.ChunksHeld,
                timeout_s=CHUNK_TIMEOUT_S,
            )
            found += answer.digests
        return found

    async def holders(self, ino: Ino, among: Iterable[str]) -> list[str]:
        """Who of these holds a file by the index as it is now."""
        holders = (await self._current(ino)).copies
        return [name for name in among if name in holders]

    async def nowhere(self, digests: Iterable[bytes]) -> list[bytes]:
        """Which of these no live host has.

        Raises:
            OneOSError: one does not answer, so nothing can be said.
        """
        left = list(digests)
        for host in self.alive():
            if not left:
                break
            left = await self.missing(host, left)
        return left

    def lost_count(self) -> int:
        """How many files are known to be lost, without those changed or removed since."""
        for ino, version in list(self.lost.items()):
            try:
                inode = self._index.names.names.inode(Ino(ino))
                if inode.version != version or not inode.nlink:
                    del self.lost[ino]
            except FileError:
                del self.lost[ino]
        return len(self.lost)

    # --- making good --------------------------------------------------------------------------
    async def audit(self, hosts: Iterable[HostName]) -> set[HostName]:
        """Make good what hosts lack of the files they should hold, in one look through the index.

        Returns:
            Those that could not be asked to the end.
        """
        held, failed = {}, set()
        for host in hosts:
            try:
                held[host] = await self.held(host)
            except OneOSError as error:
                log.warning("%s could not be audited: %s", host, error)
                failed.add(host)
        async for inode in self.inodes():
            # Without a name it is its home's alone, and what was committed of it nobody reads.
            for host in held.keys() & inode.copies if inode.nlink else ():
                suspected = [digest for digest in inode.chunks if digest not in held[host]]
                if not suspected and inode.ino not in self.lost:
                    continue
                try:
                    await self.restore(inode, host, suspected)
                except OneOSError as error:
                    log.warning("%s could not be audited: %s", host, error)
                    failed.add(host)
                    del held[host]
            if not held:
                break
        return failed

    async def restore(
        self, inode: Inode, host: HostName, suspected: Iterable[bytes], repair: bool = True
    ) -> Lacked:
        """Have a holder of a file get what it lacks of it.

        Args:
            inode: as this host's copy of the index has it.
            suspected: what it may lack.
            repair: False to look only.

        Raises:
            OneOSError: the host cannot be asked.
        """
        async with self.one:
            lacking = await self.missing(host, suspected)
            before = len(lacking)
            if lacking and repair:
                lacking = await self._fetch(inode, host, lacking)
            if lacking and not await self._still_holder(inode, host):
                return Lacked()
            if not lacking:
                self.lost.pop(inode.ino, None)
                if before:
                    log.warning("%s lacked %d chunks of file %d", host, before, inode.ino)
            elif gone := await self.nowhere(lacking):
                if self.lost.get(inode.ino) != inode.version and len(self.lost) < AUDIT_LOST_MAX:
                    self.lost[inode.ino] = inode.version
                    log.error("no live host has %d chunks of file %d", len(gone), inode.ino)
            elif repair:
                await self._strike(inode.ino, host)
            return Lacked(before, tuple(lacking))

    async def _fetch(self, inode: Inode, host: HostName, lacking: list[bytes]) -> list[bytes]:
        """Have a host fetch these from wherever they are; those it still lacks."""
        await self.pull(host, lacking, [*inode.copies, *self.alive()])
        lacking = await self.missing(host, lacking)
        if lacking and inode.home in self.alive():
            # Where it is in use, or was lately, its content is a real file as well.
            file = m.HomeFile(inode.ino, inode.home_epoch)
            try:
                await self._links.call(
                    inode.home, "home.cut", file, None, timeout_s=CUT_AGAIN_TIMEOUT_S
                )
            except OneOSError as error:
                log.warning("%s did not cut file %d again: %s", inode.home, inode.ino, error)
            await self.pull(host, lacking, [inode.home])
            lacking = await self.missing(host, lacking)
        return lacking

    async def pull(self, host: HostName, digests: list[bytes], sources: Iterable[str]) -> None:
        """Have a host fetch chunks, as far as it and they can; what it lacks then, ask it."""
        alive = self.alive()
        names = [name for name in dict.fromkeys(sources) if name != host and name in alive]
        if not names:
            return
        for start in range(0, len(digests), REPAIR_CHUNKS_PER_CALL):
            part = digests[start : start + REPAIR_CHUNKS_PER_CALL]
            try:
                await self._links.call(
                    host,
                    "chunk.pull",
                    m.ChunkPull(part, names[0], names[1:]),
                    int,
                    timeout_s=CHUNK_TIMEOUT_S * REPAIR_CHUNKS_PER_CALL,
                )
            except FileError as error:
                log.warning("%s could not fetch all of %d chunks: %s", host, len(part), error)

    async def _still_holder(self, inode: Inode, host: HostName) -> bool:
        """Whether the File System, too, has this version of the file, and the host as a holder."""
        try:
            now = await self._current(inode.ino)
        except FileError as error:
            if error.errno == errno.ESTALE:
                return False
            raise
        return now.version == inode.version and host in now.copies

    async def _strike(self, ino: Ino, host: HostName) -> None:
        """Take a host that cannot hold all of a file off its holders, if another one does."""
        now = await self._current(ino)
        copies = tuple(name for name in now.copies if name != host)
        for name in copies:
            if name in self.alive() and not await self.missing(name, now.chunks):
                break
        else:
            # Each has a part only: they stay known, until one of them has room for the rest.
            return
        log.warning("%s has no room for file %d, and is no holder of it any more", host, ino)
        await self._change(
            lambda rid, ns: n.Copies(
                rid=rid, now_ns=ns, ino=ino, version=now.version, copies=copies
            )
        )
