"""Copies of chunks on other hosts: sent when a file is committed, fetched when one is opened.

Which hosts should hold them is the Storage service's advice; the bytes go straight from host to
host on the connection kept for bulk. Every chunk is checked against its name on arrival, so a
wrong byte on one host is met by asking the next one. A commit succeeds with as many copies as
there are hosts; what is missing then is written down with the file and made good later.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import logging
from collections.abc import Iterable, Sequence

from oneos.errors import AuthError, FileError, NetworkError, OneOSError, Unknown
from oneos.failpoints import reach
from oneos.files.ahead import Ahead
from oneos.files.chunk_streams import ChunkStreams
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import CHUNK_PUT_BYTES_MAX, CHUNK_TIMEOUT_S
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.net.streams import Streams
from oneos.storage.chunks import ChunkStore
from oneos.storage.fill import ZERO_DIGEST, ZEROS, Spot

log = logging.getLogger(__name__)


class Copies:
    """This host's part in holding chunks.

    Args:
        host: this host.
        chunks: the chunks on this host's disk.
        control: says which hosts are alive.
        links: the connections to them.
        streams: for what is large.
        wanted: how many hosts should hold each chunk, where no rule of its directory says so.
    """

    def __init__(
        self,
        host: HostName,
        chunks: ChunkStore,
        control: ControlLog,
        links: Links,
        streams: Streams,
        wanted: int,
    ) -> None:
        self.host = host
        self.wanted = wanted
        self._chunks = chunks
        self._control = control
        self._links = links
        self._streams = ChunkStreams(chunks, links, streams)

    def targets(self, ino: int) -> list[HostName]:
        """Other live hosts, the best for this file first: core hosts, spread by the number."""
        others = [x for x in self._control.machine.alive() if x.name != self.host]
        core = [x.name for x in others if x.facts.core]
        edge = [x.name for x in others if not x.facts.core]
        turn = ino % len(core) if core else 0
        return core[turn:] + core[:turn] + edge

    def _candidates(self, ino: int, old: Iterable[str]) -> list[HostName]:
        before = set(old)
        return sorted(self.targets(ino), key=lambda name: name not in before)

    def ahead(self, ino: int, old: Iterable[str], wanted: int = 0) -> Ahead:
        """The hosts that `spread` will ask first, for sending them chunks before it is called."""
        hosts = self.first_targets(ino, old, wanted)
        return Ahead(hosts, self._put, self._streams.send)

    def first_targets(self, ino: int, old: Iterable[str], wanted: int = 0) -> list[HostName]:
        """Which other hosts those are."""
        return self._candidates(ino, old)[: (wanted or self.wanted) - 1]

    def suffice(self, holders: Sequence[HostName], wanted: int = 0) -> bool:
        """Whether these are as many as should hold a file, and all alive."""
        members = self._control.state.members
        alive = [h for h in holders if (member := members.get(h)) and member.state == "alive"]
        return len(holders) >= (wanted or self.wanted) and len(alive) == len(holders)

    @property
    def promise(self) -> int:
        """Under which this host keeps the chunks that it puts, or finds here, from now on."""
        return self._chunks.promises.number

    async def spread(
        self,
        ino: int,
        digests: list[bytes],
        old: Iterable[str],
        ahead: Ahead,
        promise: int,
        wanted: int = 0,
    ) -> dict[HostName, int]:
        """Have enough hosts hold these chunks.

        Args:
            ino: the file, for choosing hosts.
            digests: all chunks of the file, which are on this host's disk.
            old: who held the version before; they lack the least, so they are asked first.
            ahead: what was sent already.
            promise: of this host, read before they were put.
            wanted: how many hosts are enough; 0: as many as usual.

        Returns:
            Who holds them all, this host first, and under which promise each keeps them.
        """
        holders = {self.host: promise}
        for name in self._candidates(ino, old):
            if len(holders) >= (wanted or self.wanted):
                break
            there, promises = await ahead.arrived(name)
            try:
                lacking = [digest for digest in digests if digest not in there]
                promises += await self._send(name, lacking)
                # No promise: it was asked for nothing, so for nothing new.
                holders[name] = min(promises, default=0)
            except OneOSError as error:
                log.warning("%s takes no copy of file %d: %s", name, ino, error)
        return holders

    async def _send(self, host: HostName, digests: list[bytes]) -> list[int]:
        """Send what is missing there; the promises for all of them."""
        unique = list(dict.fromkeys(digests))
        promises = []
        if len(unique) > 1:
            # One small chunk is sent unasked: the question would cost as much as the answer.
            missing = await self._links.call(
                host,
                "chunk.missing",
                m.ChunkList(unique),
                m.ChunksHeld,
                timeout_s=CHUNK_TIMEOUT_S,
            )
            promises.append(missing.promise)
            unique = missing.digests
        contents: list[bytes] = []
        size = 0
        for digest in unique:
            content = await asyncio.to_thread(self._chunks.get, digest)
            if contents and size + len(content) > CHUNK_PUT_BYTES_MAX:
                promises.append((await self._put(host, contents)).promise)
                contents, size = [], 0
            contents.append(content)
            size += len(content)
        if contents:
            promises.append((await self._put(host, contents)).promise)
        return promises

    async def _put(self, host: HostName, contents: list[bytes]) -> m.ChunksHeld:
        kept: m.ChunksHeld = await self._links.call(
            host,
            "chunk.put",
            m.ChunkPut(contents),
            m.ChunksHeld,
            timeout_s=CHUNK_TIMEOUT_S,
            bulk=sum(map(len, contents)) > 64 * 1024,
        )
        return kept

    async def content(self, digest: bytes, holders: Iterable[str]) -> bytes:
        """A chunk's content, from this host's disk or else from a holder, and then kept here."""
        if not self._chunks.missing([digest]):
            try:
                return await asyncio.to_thread(self._chunks.get, digest)
            except FileError as error:
                log.error("chunk %s is damaged here: %s", digest.hex()[:12], error)
        content = await self.fetch(digest, holders)
        await asyncio.to_thread(self._chunks.put, content)
        return content

    async def fetch(self, digest: bytes, holders: Iterable[str]) -> bytes:
        """One chunk's content from whichever of the holders has it whole.

        Raises:
            FileError: EIO when every holder answered without it, EHOSTUNREACH when one is away.
        """
        if digest == ZERO_DIGEST:
            return ZEROS
        away = []
        for name in holders:
            member = self._control.state.members.get(name)
            if name == self.host:
                continue
            if member is None or member.state != "alive":
                away.append(name)
                continue
            try:
                content: bytes = await self._links.call(
                    HostName(name),
                    "chunk.get",
                    m.ChunkGet(digest),
                    bytes,
                    timeout_s=CHUNK_TIMEOUT_S,
                    bulk=True,
                )
                if await asyncio.to_thread(_digest, content) == digest:
                    return content
                log.error("%s gave something else for chunk %s", name, digest.hex()[:12])
            except FileError as error:
                # It may hold another part of the file only.
                level = logging.INFO if error.errno == errno.ENOENT else logging.ERROR
                log.log(level, "%s cannot give chunk %s: %s", name, digest.hex()[:12], error)
            except OneOSError as error:
                log.warning("%s does not answer for a chunk: %s", name, error)
                away.append(name)
        if away:
            raise FileError(
                errno.EHOSTUNREACH, hint=f"the content is on {', '.join(away)}, which is away"
            )
        raise FileError(errno.EIO, hint="no host has an undamaged copy")

    async def fetch_into(
        self, path: str, spots: list[Spot], size: int, holders: Iterable[str]
    ) -> list[Spot]:
        """Write many chunks into a file of this size, from whichever of the holders has them.

        Returns:
            Those that none gave whole; `fetch` says why.
        """
        for name in holders:
            member = self._control.state.members.get(name)
            if not spots or name == self.host or member is None or member.state != "alive":
                continue
            try:
                spots = await self._streams.fetch(HostName(name), path, spots, size)
            except (NetworkError, AuthError, Unknown) as error:
                log.warning("%s sends no chunks: %s", name, error)
        return spots

    def serve(self, routes: Routes) -> None:
        """Answer other hosts' `chunk.*`."""
        self._streams.serve(routes)
        routes.add("chunk.missing", self._on_missing, m.ChunkList)
        routes.add("chunk.get", self._on_get, m.ChunkGet)
        routes.add("chunk.put", self._on_put, m.ChunkPut, finish=True)
        routes.add("chunk.pull", self._on_pull, m.ChunkPull)

    async def _on_missing(self, peer: Peer, message: m.ChunkList) -> m.ChunksHeld:
        promise = self.promise
        return m.ChunksHeld(self._chunks.missing(message.digests), promise)

    async def _on_get(self, peer: Peer, message: m.ChunkGet) -> bytes:
        return await asyncio.to_thread(self._chunks.get, message.digest)

    async def _on_put(self, peer: Peer, message: m.ChunkPut) -> m.ChunksHeld:
        reach("copy.begun")
        promise = self.promise
        put = await asyncio.to_thread(self._chunks.put_many, message.contents)
        reach("copy.kept")
        return m.ChunksHeld([one.digest for one in put], promise)

    async def _on_pull(self, peer: Peer, message: m.ChunkPull) -> int:
        missing = self._chunks.missing(message.digests)
        failure: FileError | None = None
        for digest in missing:
            try:
                content = await self.fetch(digest, [message.source, *message.others])
            except FileError as error:
                # The others may be had all the same.
                failure = error
                continue
            await asyncio.to_thread(self._chunks.put, content)
        if failure is not None:
            raise failure
        return len(missing)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
