"""Snapshots of the index between hosts, so that the files log need not be kept for ever.

The leader removes the old part of the log once its own copy is safe on its disk. A standby that
was away for longer than what is left finds its next record gone; it then fetches a snapshot from
another core host and follows from there. A snapshot is one SQLite file, sent piece by piece.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import os

from msgspec import Struct

from oneos.errors import FileError, NetworkError, OneOSError
from oneos.failpoints import reach
from oneos.ids import HostName
from oneos.kernel.control_log import ControlLog
from oneos.kernel.index import Index
from oneos.limits import (
    INDEX_PIECE_BYTES,
    INDEX_SNAPSHOT_LIFE_S,
    INDEX_SNAPSHOTS_MAX,
)
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.storage.disk import remove

log = logging.getLogger(__name__)


class TakeSnapshot(Struct, frozen=True):
    """index.snapshot: make one, and answer what it is."""


class Taken(Struct, frozen=True, array_like=True):
    """The answer of index.snapshot."""

    number: int
    size: int
    seq: int


class ReadSnapshot(Struct, frozen=True, array_like=True):
    """index.piece: a part of a snapshot."""

    number: int
    offset: int


class IndexSnapshots:
    """See the module.

    Args:
        host: this host.
        index: this host's copy.
        directory: where snapshots are made and received.
        control: says which core hosts are alive.
        links: the connections to them.
    """

    def __init__(
        self, host: HostName, index: Index, directory: str, control: ControlLog, links: Links
    ) -> None:
        self.host = host
        self._index = index
        self._directory = directory
        self._control = control
        self._links = links
        self._numbers = itertools.count(1)
        self._made: dict[int, str] = {}

    def serve(self, routes: Routes) -> None:
        """Answer `index.*`."""
        routes.add("index.snapshot", self._on_take, TakeSnapshot)
        routes.add("index.piece", self._on_read, ReadSnapshot)

    async def _on_take(self, peer: Peer, request: TakeSnapshot) -> Taken:
        if len(self._made) >= INDEX_SNAPSHOTS_MAX:
            raise NetworkError("other hosts fetch snapshots already", errno=errno.EAGAIN)
        number = next(self._numbers)
        path = os.path.join(self._directory, f"index-{number}.snapshot")
        # In this thread: the connection belongs to it, and 200,000 files take 60 ms (measured).
        seq = self._index.names.snapshot(path)
        reach("snapshot.taken")
        self._made[number] = path
        asyncio.get_running_loop().call_later(INDEX_SNAPSHOT_LIFE_S, self._drop, number)
        return Taken(number, os.path.getsize(path), seq)

    async def _on_read(self, peer: Peer, request: ReadSnapshot) -> bytes:
        path = self._made.get(request.number)
        if path is None:
            raise FileError(errno.ESTALE, hint="the snapshot is kept no longer: take another")
        with open(path, "rb") as file:
            return os.pread(file.fileno(), INDEX_PIECE_BYTES, request.offset)

    def _drop(self, number: int) -> None:
        path = self._made.pop(number, None)
        if path is not None:
            remove(path)

    async def fetch(self) -> str:
        """A snapshot from another core host; answers the path of the received file.

        Raises:
            NetworkError: no other core host gave one.
        """
        for member in self._control.machine.alive():
            if member.name == self.host or not member.facts.core:
                continue
            try:
                return await self._fetch_from(member.name)
            except OneOSError as error:
                log.warning("%s gives no snapshot of the index: %s", member.name, error)
        raise NetworkError("no other core host gives a snapshot of the index")

    async def _fetch_from(self, host: HostName) -> str:
        taken: Taken = await self._links.call(host, "index.snapshot", TakeSnapshot(), Taken)
        path = os.path.join(self._directory, "index.received")
        offset = 0
        with open(path, "wb") as file:
            while offset < taken.size:
                request = ReadSnapshot(taken.number, offset)
                piece: bytes = await self._links.call(
                    host, "index.piece", request, bytes, bulk=True
                )
                if not piece:
                    raise NetworkError(f"{host} ended the snapshot early")
                file.write(piece)
                offset += len(piece)
        return path
