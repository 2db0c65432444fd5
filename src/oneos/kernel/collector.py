"""Collects the chunks that no file has any more, on all live hosts at once: mark and sweep.

Every host begins to note what is asked of its chunks; then the log is told, so that a commit which
counts on something older is refused (`state.names_chunks`); then this host's copy of the index,
once it has that record, says which chunks some file has; and each host removes the others, but for
those it was asked about meanwhile. So it may be stopped, or done by two at once, at any step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from oneos.errors import NetworkError, OneOSError, UserError
from oneos.failpoints import reach
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.audit import batches
from oneos.kernel.control_log import ControlLog
from oneos.kernel.digests import Digests
from oneos.kernel.index import Index
from oneos.limits import (
    CALL_TIMEOUT_S,
    CHUNK_TIMEOUT_S,
    COLLECT_BATCH,
    COLLECT_DIGESTS_MAX,
    INDEX_POLL_S,
)
from oneos.net.links import Links
from oneos.state import names_commands as n
from oneos.state.names_types import Result

log = logging.getLogger(__name__)

ChangeNames = Callable[[Callable[[tuple[str, int], int], n.AnyCommand]], Awaitable[Result]]


class Collector:
    """See the module.

    Args:
        control: says which hosts are alive.
        index: this host's copy of the index.
        links: the connections to other Runtimes.
        change: sends a command to the File System.
    """

    def __init__(
        self, control: ControlLog, index: Index, links: Links, change: ChangeNames
    ) -> None:
        self._control = control
        self._index = index
        self._links = links
        self._change = change
        self._one = asyncio.Lock()

    async def collect(self) -> list[m.Collected]:
        """Remove what no file has; what was removed at each live host.

        Raises:
            UserError: there are more chunks than can be compared.
            OneOSError: the index could not be read up to where the collection began.
        """
        async with self._one:
            begun, failed = {}, {}
            for member in self._control.machine.alive():
                try:
                    begun[member.name] = await self._begin(member.name)
                except OneOSError as error:
                    failed[member.name] = m.Collected(member.name, error=str(error))
            try:
                await self._caught_up(begun)
                used = await self._used()
                # Another copy, an older one, may have taken this one's place meanwhile.
                if not self._has(begun):
                    raise NetworkError("this host's copy of the index was replaced")
                reach("collect.listed")
                done = await asyncio.gather(
                    *(self._remove(host, number, used) for host, number in begun.items())
                )
            finally:
                for host, number in begun.items():
                    await self._end(host, number)
        for one in done:
            if one.chunks:
                log.info(
                    "%s: %d chunks that no file has, %d bytes", one.host, one.chunks, one.bytes
                )
        return [*done, *failed.values()]

    async def _begin(self, host: HostName) -> int:
        number: int = await self._links.call(host, "collect.begin", m.Nothing(), int)
        reach("collect.begun")
        result = await self._change(
            lambda rid, ns: n.Collect(rid=rid, now_ns=ns, host=host, number=number)
        )
        if result.errno:
            await self._end(host, number)
            raise NetworkError(f"{host} begins another collection", errno=result.errno)
        reach("collect.recorded")
        return number

    async def _end(self, host: HostName, number: int) -> None:
        try:
            await self._links.call(host, "collect.end", m.CollectEnd(number), None)
        except OneOSError as error:
            # It goes on noting what it is asked, within its bound, until the next one.
            log.info("%s was not told that the collection is over: %s", host, error)

    async def _caught_up(self, begun: dict[HostName, int]) -> None:
        """Wait until this host's copy of the index has the records of `begun`."""
        for _ in range(round(CALL_TIMEOUT_S / INDEX_POLL_S)):
            if self._has(begun):
                return
            await asyncio.sleep(INDEX_POLL_S)
        raise NetworkError("this host's copy of the index lags behind")

    def _has(self, begun: dict[HostName, int]) -> bool:
        names = self._index.names.names
        return all(names.collection(host) >= number for host, number in begun.items())

    async def _used(self) -> Digests:
        """The chunks that some file has. Two names that begin alike only keep one too many."""
        used = Digests()
        count = 0
        async for batch in batches(self._index):
            for inode in batch:
                count += len(inode.chunks)
                for digest in inode.chunks:
                    used.add(digest)
            if count > COLLECT_DIGESTS_MAX:
                raise UserError(f"over {COLLECT_DIGESTS_MAX} chunks: too many to be collected")
        await used.seal()
        return used

    async def _remove(self, host: HostName, number: int, used: Digests) -> m.Collected:
        chunks = size = 0
        try:
            for first in range(256):
                held: list[bytes] = await self._links.call(
                    host, "collect.list", m.CollectList(first), list[bytes]
                )
                unused = [digest for digest in held if digest not in used]
                for at in range(0, len(unused), COLLECT_BATCH):
                    gone = await self._links.call(
                        host,
                        "collect.remove",
                        m.CollectRemove(number, unused[at : at + COLLECT_BATCH]),
                        tuple[int, int],
                        timeout_s=CHUNK_TIMEOUT_S,
                    )
                    chunks, size = chunks + gone[0], size + gone[1]
        except OneOSError as error:
            return m.Collected(host, chunks, size, str(error))
        return m.Collected(host, chunks, size)
