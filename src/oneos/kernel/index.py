"""This host's copy of the File System's index: a standby that follows, or the one that leads.

The copy is a SQLite file that says up to which record of the log it goes, so a start replays only
the tail. As a standby it applies what it reads. As the leader it appends batches, each fenced by
the sequence it has applied: if anybody else wrote in between, the append fails and the leader
knows that it leads no more. A batch is applied when the log has it, never before.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import msgspec
from msgspec import Struct

from oneos.engine.log import Compacted, Entry, Log
from oneos.errors import Fenced, NetworkError, OneOSError, Unknown
from oneos.failpoints import reach
from oneos.ids import HostName
from oneos.limits import CALL_TIMEOUT_S, INDEX_TAIL_RECORDS, LOG_APPEND_ATTEMPT_S
from oneos.state.names_commands import AnyCommand
from oneos.state.names_types import Result
from oneos.storage.index import SqliteNames

log = logging.getLogger(__name__)


class IndexRecord(Struct, frozen=True, array_like=True):
    """One entry of the files log: a batch of commands of one leader."""

    id: str
    commands: list[AnyCommand]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(IndexRecord).decode


class Index:
    """The index on this host.

    Args:
        path: of the SQLite file.
        host: this host, for the ids of its records.
    """

    def __init__(self, path: str, host: HostName) -> None:
        self.names = SqliteNames.open(path)
        self.fetch_snapshot: Callable[[], Awaitable[str]] | None = None
        """Gets a snapshot of another host's copy, for when the log has become too short."""
        self._log: Log | None = None
        self._follower: asyncio.Task[None] | None = None
        self._prefix = f"{host}.{os.urandom(6).hex()}"
        self._count = 0
        self.leading = False
        self._proven_s = float("-inf")

    def proof_age_s(self) -> float:
        """How long ago the log last showed that nobody else leads: when that append was begun."""
        return _clock_s() - self._proven_s

    async def start(self, files: Log) -> None:
        """Follow the log from where the copy ends."""
        self._log = files
        if not self.leading:
            self._follower = asyncio.create_task(self._follow(), name="files log")

    async def pause(self) -> None:
        """Stop following."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait((self._follower,))
            self._follower = None

    async def close(self) -> None:
        await self.pause()
        self.names.close()

    async def _follow(self) -> None:
        while True:
            try:
                assert self._log is not None
                async with aclosing(self._log.read(self.names.applied_seq)) as entries:
                    async for entry in entries:
                        self._apply(entry)
            except Compacted:
                await self._replace()
            except OneOSError as error:
                log.warning("the files log cannot be read: %s; trying again", error)
                await asyncio.sleep(1.0)

    async def _replace(self) -> None:
        """Put another host's copy in place of this one, which the log does not reach any more."""
        try:
            if self.fetch_snapshot is None:
                raise NetworkError("the files log is too short, and nobody gives a snapshot")
            received = await self.fetch_snapshot()
            reach("snapshot.received")
            path = self.names.path
            self.names.close()
            try:
                self.names = SqliteNames.restore(received, path)
            except OneOSError:
                # A copy that is too old is better than none: the next try may succeed.
                self.names = SqliteNames.open(path)
                raise
            log.info("the index was fetched from another host, up to %d", self.names.applied_seq)
        except OneOSError as error:
            log.warning("the index is too old and was not replaced: %s", error)
            await asyncio.sleep(1.0)

    async def compact(self) -> None:
        """Remove from the log what this copy holds safely, but for a tail; only for the leader.

        Raises:
            OneOSError: the disk or the engine refuses; the log stays as it is.
        """
        assert self._log is not None
        safe = self.names.checkpoint()
        reach("index.checkpointed")
        if safe > INDEX_TAIL_RECORDS:
            await self._log.purge_through(safe - INDEX_TAIL_RECORDS)

    def _apply(self, entry: Entry) -> tuple[str, list[Result]]:
        if entry.seq <= self.names.applied_seq:
            return "", []
        if not entry.data:
            self.names.apply(entry.seq, [])
            return "", []
        record = _decode(entry.data)
        return record.id, self.names.apply(entry.seq, record.commands)

    async def lead(self) -> None:
        """Take the lead: fence whoever led before, and apply all that was agreed.

        The barrier's place in the log is what fences: an older leader's next append expects a
        sequence that is no longer the last.
        """
        await self.pause()
        self.names.forget_ahead()
        # From here on; what an earlier leader granted is called back before anything is answered.
        self.names.noting = True
        await self._catch_up()
        self.leading = True

    async def _catch_up(self) -> None:
        assert self._log is not None
        began_s = _clock_s()
        goal = await self._log.barrier()
        async with _in_time(), aclosing(self._log.read(self.names.applied_seq)) as entries:
            async for entry in entries:
                self._apply(entry)
                if entry.seq >= goal:
                    self._proven_s = began_s
                    return

    async def follow(self) -> None:
        """Give up the lead and be a standby again."""
        self.leading = self.names.noting = False
        self.names.forget_ahead()
        self.names.take_touched()
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow(), name="files log")

    async def append(self, commands: list[AnyCommand]) -> list[Result]:
        """Append a batch and apply it; only for the leader.

        Raises:
            Fenced: somebody else wrote: this host leads no more, or not yet again.
            NetworkError: the log could not be reached for CALL_TIMEOUT_S; what became of the
                batch is not known, and `lead` must be called before the next append.
        """
        assert self._log is not None
        self._count += 1
        record = IndexRecord(f"{self._prefix}.{self._count}", commands)
        data = _encode(record)
        expected = self.names.applied_seq
        clock = asyncio.get_running_loop().time
        began_s = _clock_s()
        deadline = clock() + CALL_TIMEOUT_S
        unknown = False
        while clock() < deadline:
            try:
                seq = await self._log.append(
                    data, expect_last=expected, msg_id=record.id, timeout_s=LOG_APPEND_ATTEMPT_S
                )
            except Fenced:
                if unknown:
                    return await self._find(record, expected)
                raise
            except (Unknown, NetworkError):
                # The same batch under the same id: the engine takes it once at most.
                unknown = True
                await asyncio.sleep(0.1)
                continue
            if seq != expected + 1:
                raise Fenced(f"the files log is at {seq}, not at {expected + 1}")
            reach("index.appended")
            results = self.names.apply(seq, commands)
            self._proven_s = began_s
            return results
        raise _silent()

    async def _find(self, record: IndexRecord, expected: int) -> list[Result]:
        """Learn whether a batch of unknown fate is in the log, by reading the log."""
        assert self._log is not None
        goal = await self._log.barrier()
        async with _in_time(), aclosing(self._log.read(self.names.applied_seq)) as entries:
            async for entry in entries:
                found, results = self._apply(entry)
                if found == record.id:
                    return results
                if entry.seq >= goal:
                    break
        raise Fenced(f"another batch took the place after {expected}")


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Read the log for CALL_TIMEOUT_S at most; raises NetworkError beyond it."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            yield
    except TimeoutError:
        raise _silent() from None


def _silent() -> NetworkError:
    return NetworkError("the files log does not answer", hint="oneos status shows the voters")


def _clock_s() -> float:
    """A clock that goes on while this host sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
