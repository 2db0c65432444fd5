"""A check of the whole store, or of what lies below a path, that a person waits for: `oneos fsck`.

In this order: all live hosts read their chunks and compare them with their names (not if `quick`);
what they hold is compared with what the index says; and all names are gone through, for those that
stand for nothing and for the paths of what was found. With `repair`, what can be done is done as it
is found, by the means of the audit, the repair and the collection (`check_files.py`, `audit.py`,
`storage.py`, `collector.py`). Damaged chunks are put aside by whoever reads them, so the network
may repair what is found here at once and by itself: that counts as repaired, too.
"""

from __future__ import annotations

import asyncio
import stat
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from oneos.errors import FileError, OneOSError, UserError
from oneos.ids import HostName, Ino
from oneos.kernel import messages as m
from oneos.kernel.audit import Auditor
from oneos.kernel.check_files import FileCheck
from oneos.kernel.collector import Collector
from oneos.kernel.digests import Digests
from oneos.kernel.index import Index
from oneos.limits import (
    CHECK_FINDINGS_MAX,
    CHECK_FINDINGS_PER_LOOK,
    CHECK_LAG_S,
    CHUNK_TIMEOUT_S,
    COLLECT_DIGESTS_MAX,
    INDEX_POLL_S,
    VERIFY_CHUNKS_PER_CALL,
)
from oneos.net.links import Links
from oneos.state.names_types import ORPHANS, ROOT, Inode


class Check:
    """One check. `run` it once; `state` says how far it is.

    Args:
        asked: what to check, and whether to repair.
        index: this host's copy of the index.
        links: the connections to other Runtimes.
        auditor, collector: what it finds and repairs with.
        repair: makes copies for a file that has too few.
    """

    def __init__(
        self,
        asked: m.CheckBegin,
        index: Index,
        links: Links,
        auditor: Auditor,
        collector: Collector,
        repair: Callable[[Inode], Awaitable[None]],
    ) -> None:
        self._asked = asked
        self._index = index
        self._links = links
        self._auditor = auditor
        self._collector = collector
        self._repair = repair
        self._step, self._done, self._total = "", 0, 0
        self._findings: list[m.Finding] = []
        self._states: Counter[str] = Counter()
        self._beyond = self._files = self._chunks = 0
        self.over = False
        self.error = ""
        # By host, what it has; a host that could not be asked is not in it.
        self._held: dict[HostName, Digests] = {}
        # Damaged chunks, by host; the number of a file that needs it there, 0 for none.
        self._damaged: dict[tuple[HostName, bytes], Ino] = {}
        # What was found of files whose paths are not known yet.
        self._by_ino: dict[int, list[m.Finding]] = {}

    def state(self, after: int) -> m.CheckState:
        """How far it is, and some findings after the first ones."""
        return m.CheckState(
            self._step,
            self._done,
            self._total,
            self.over,
            self._findings[after : after + CHECK_FINDINGS_PER_LOOK],
            len(self._findings),
            self._files,
            self._chunks,
            self._states["left"],
            self._states["repaired"],
            self._beyond,
            self.error,
        )

    async def run(self) -> None:
        """Do it.

        Raises:
            OneOSError: there is no such path, or the File System or the index cannot be asked.
        """
        start = await self._start()
        everything = start.ino == ROOT
        self._begin("reading the index")
        below = None if everything else await self._below(start)
        used, existing = await self._used(below)
        hosts = self._auditor.alive()
        for host, state in self._auditor.away().items():
            text = f"is {state}: its disk is not looked at"
            self._add(m.Finding("unchecked", "note", text, host=host))
        await asyncio.gather(*(self._look_at(host, None if everything else used) for host in hosts))
        await self._compare(below, len(existing))
        await self._settle_damage()
        await self._names(start, existing)
        if everything:
            await self._unused(used)
            await self._leftovers()

    def _begin(self, step: str, total: int = 0) -> None:
        self._step, self._done, self._total = step, 0, total

    def _add(self, finding: m.Finding) -> None:
        self._states[finding.state] += 1
        if len(self._findings) < CHECK_FINDINGS_MAX:
            self._findings.append(finding)
        else:
            self._beyond += 1

    def _found(self, ino: int, kind: str, state: str, text: str, host: str = "") -> None:
        self._by_ino.setdefault(ino, []).append(m.Finding(kind, state, text, host=host))

    async def _start(self) -> Inode:
        for _ in range(round(CHECK_LAG_S / INDEX_POLL_S)):
            try:
                return self._index.names.names.lookup(self._asked.path)
            except FileError:
                # It may be so new that this host's copy of the index has yet to show it.
                await asyncio.sleep(INDEX_POLL_S)
        return self._index.names.names.lookup(self._asked.path)

    # --- what there is ------------------------------------------------------------------------
    async def _below(self, start: Inode) -> array[int]:
        found = array("Q", [start.ino])
        async for _, ino in self._walk(start, self._asked.path):
            found.append(ino)
        return array("Q", sorted(set(found)))

    async def _walk(self, start: Inode, path: bytes) -> AsyncIterator[tuple[bytes, Ino]]:
        """Every name below a directory, as a path and what it stands for."""
        todo = [(path.rstrip(b"/"), start.ino)] if start.is_dir else []
        while todo:
            above, directory = todo.pop()
            for entry in self._index.names.names.entries(directory):
                yield above + b"/" + entry.name, entry.ino
                if stat.S_ISDIR(entry.kind):
                    todo.append((above + b"/" + entry.name, entry.ino))
            await asyncio.sleep(0)

    async def _used(self, below: array[int] | None) -> tuple[Digests, array[int]]:
        """The chunks of the files that are checked; and the numbers of all inodes, in order."""
        used, existing, count = Digests(), array("Q"), 0
        async for inode in self._auditor.inodes():
            existing.append(inode.ino)
            if below is None or _among(inode.ino, below):
                count += len(inode.chunks)
                for digest in inode.chunks:
                    used.add(digest)
            if count > COLLECT_DIGESTS_MAX:
                raise UserError(f"over {COLLECT_DIGESTS_MAX} chunks: too many for one check")
        await used.seal()
        return used, existing

    # --- the chunks of a host -----------------------------------------------------------------
    async def _look_at(self, host: HostName, only: Digests | None) -> None:
        try:
            held = await self._auditor.held(host)
            if not self._asked.quick:
                self._step = "reading chunks"
                count = len(held) if only is None else await held.count_in(only)
                self._total += count
                await self._verify(host, only)
                held = await self._auditor.held(host)
            self._held[host] = held
        except OneOSError as error:
            self._add(m.Finding("unchecked", "left", str(error), host=host))

    async def _verify(self, host: HostName, only: Digests | None) -> None:
        for first in range(256):
            names = await self._auditor.listed(host, first)
            if only is not None:
                names = [digest for digest in names if digest in only]
            for at in range(0, len(names), VERIFY_CHUNKS_PER_CALL):
                part = names[at : at + VERIFY_CHUNKS_PER_CALL]
                damaged: list[bytes] = await self._links.call(
                    host,
                    "chunk.verify",
                    m.ChunkList(part),
                    list[bytes],
                    timeout_s=CHUNK_TIMEOUT_S * VERIFY_CHUNKS_PER_CALL,
                )
                self._damaged.update(((host, digest), Ino(0)) for digest in damaged)
                self._done += len(part)
                self._chunks += len(part)

    # --- the files ----------------------------------------------------------------------------
    async def _compare(self, below: array[int] | None, count: int) -> None:
        self._begin("comparing files", count)
        repair = self._repair if self._asked.repair else None
        files = FileCheck(self._auditor, self._held, repair, self._found)
        async for inode in self._auditor.inodes():
            self._done += 1
            if below is not None and not _among(inode.ino, below):
                continue
            self._files += stat.S_ISREG(inode.mode)
            if inode.chunks and inode.nlink:
                for host, digest in self._damaged:
                    if digest in inode.chunks and host in inode.copies:
                        self._damaged[host, digest] = inode.ino
                await files.check(inode)

    async def _settle_damage(self) -> None:
        """Say of each damaged chunk what became of it."""
        for (host, digest), ino in self._damaged.items():
            text = f"chunk {digest.hex()[:16]} was damaged"
            if not ino:
                text += ", and no file needs it there"
                self._add(m.Finding("damaged", "repaired", text, host=host))
                continue
            try:
                state = "left" if await self._auditor.missing(host, [digest]) else "repaired"
            except OneOSError as error:
                state, text = "left", f"{text}; {error}"
            self._found(ino, "damaged", state, text, host)

    # --- the names, and what is over ----------------------------------------------------------
    async def _names(self, start: Inode, existing: array[int]) -> None:
        self._begin("looking through names")
        self._name(start.ino, self._asked.path)
        async for path, ino in self._walk(start, self._asked.path):
            self._done += 1
            self._name(ino, path)
            if not _among(ino, existing) and self._stands_for_nothing(ino):
                text = "a name without a file; remove it by: rm"
                self._add(m.Finding("nameless", "left", text, path))
        for unnamed in list(self._by_ino):
            self._name(Ino(unnamed), b"(without a name, inode %d)" % unnamed)

    def _name(self, ino: Ino, path: bytes) -> None:
        for found in self._by_ino.pop(ino, []):
            self._add(m.Finding(found.kind, found.state, found.text, path, found.host))

    def _stands_for_nothing(self, ino: Ino) -> bool:
        # It may have been made since.
        try:
            self._index.names.names.inode(ino)
        except FileError:
            return ino != ORPHANS
        return False

    async def _unused(self, used: Digests) -> None:
        """What no file has is no fault: it is new, or collected soon."""
        self._begin("looking for what no file has")
        if self._asked.repair:
            for one in await self._collector.collect():
                if one.error:
                    self._add(m.Finding("unchecked", "left", one.error, host=one.host))
                elif one.chunks:
                    text = f"{one.chunks} chunks that no file has: removed {one.bytes} bytes"
                    self._add(m.Finding("unused", "note", text, host=one.host))
            return
        for host, held in self._held.items():
            count = len(held) - await held.count_in(used)
            if count:
                text = f"{count} chunks that no file has: removed soon, or by --repair"
                self._add(m.Finding("unused", "note", text, host=host))

    async def _leftovers(self) -> None:
        for host in self._held:
            try:
                count, size = await self._links.call(
                    host,
                    "chunk.leftovers",
                    m.ChunkLeftovers(self._asked.repair),
                    tuple[int, int],
                    timeout_s=CHUNK_TIMEOUT_S,
                )
            except OneOSError as error:
                self._add(m.Finding("unchecked", "left", str(error), host=host))
                continue
            if count:
                done = "removed" if self._asked.repair else "removed by --repair"
                text = f"{count} leftovers, {size} bytes: {done}"
                self._add(m.Finding("leftover", "note", text, host=host))


def _among(value: int, of: array[int]) -> bool:
    at = bisect_left(of, value)
    return at < len(of) and of[at] == value
