"""The Membership Service's replica: follows the control log, and appends to it.

Every Runtime has one. Reads come from the local copy; whoever must not act on old news calls
`barrier` first, which is a record of its own in the log. A change is a command that the state
machine judges when its place in the log is known, so two hosts that decide at once get one order
and one of them an error. An append whose fate is unknown is repeated under the same id, which
neither the engine nor the state machine takes twice.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import msgspec

from oneos.engine.log import Compacted, Log
from oneos.engine.snapshots import Snapshots
from oneos.errors import (
    FileError,
    InternalError,
    NetworkError,
    OneOSError,
    Unknown,
    UserError,
)
from oneos.ids import HostName
from oneos.limits import (
    CALL_TIMEOUT_S,
    FOLLOW_RETRY_S,
    GROWTH_TIMEOUT_S,
    LOG_APPEND_ATTEMPT_S,
    SNAPSHOT_EVERY_RECORDS,
)
from oneos.state import control_types as t
from oneos.state.control import Control, ControlState
from oneos.unreadable import UNREADABLE

log = logging.getLogger(__name__)

Watcher = Callable[[t.Command, t.Result], None]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(t.Record).decode


class ControlLog:
    """This host's copy of the control state.

    Args:
        host: the host that appends; the engine checks that it is who it says.
    """

    def __init__(self, host: HostName) -> None:
        self.host = host
        self.machine = Control()
        self.applied = 0
        self.generation = 0
        """Of the servers that the engine's connection leads to."""
        self._log: Log | None = None
        self._snapshots: Snapshots | None = None
        self._follower: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[t.Result]] = {}
        self._compaction: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        # Clear from the record that names other servers until this host is connected to them.
        self._settled = asyncio.Event()
        self._settled.set()
        self._watchers: list[Watcher] = []
        self.broken: Callable[[OneOSError], None] | None = None
        """Called when this copy cannot go on: the Runtime must start anew, from a snapshot."""
        self._started = False
        # Ids must not repeat after a restart, when the counter starts again.
        self._prefix = f"{host}.{os.urandom(6).hex()}"
        self._count = 0

    @property
    def state(self) -> ControlState:
        """The control state as far as this host has read the log."""
        return self.machine.state

    def watch(self, watcher: Watcher) -> None:
        """Have `watcher` called after each command that was applied; it must not wait."""
        self._watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Undo `watch`."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    async def start(self, control: Log, snapshots: Snapshots) -> None:
        """Catch up with the log as it is now, and follow it from then on."""
        self._log, self._snapshots = control, snapshots
        await self._load()
        goal = await control.last_seq()
        self._follower = asyncio.create_task(self._follow(control), name="control log")
        await self.wait_for(lambda: self.applied >= goal)
        self._started = True

    async def _load(self) -> None:
        assert self._log is not None and self._snapshots is not None
        latest = await self._snapshots.latest(self._log.name)
        if latest is not None and latest[0] > self.applied:
            self.applied, self.machine = latest[0], Control.load(latest[1])

    def moved(self, generation: int) -> None:
        """The engine's connection leads to the servers of this generation: go on."""
        self.generation = generation
        self._settled.set()

    async def settled(self, timeout_s: float = GROWTH_TIMEOUT_S) -> None:
        """Wait until no move of the logs to other servers is under way.

        Raises:
            NetworkError: it did not end in time.
        """
        await self.wait_for(lambda: not self.state.frozen_by, timeout_s)
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
        except TimeoutError:
            raise NetworkError(
                f"this host has not reached the new voters for {timeout_s:g} s",
                errno=errno.ETIMEDOUT,
                hint="are enough voters up? see: oneos status",
            ) from None

    async def close(self) -> None:
        """Stop following; the state stays readable."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait((self._follower,))
            self._follower = None

    async def _follow(self, control: Log) -> None:
        while True:
            await self._settled.wait()
            try:
                async with aclosing(control.read(self.applied)) as entries:
                    async for entry in entries:
                        self._take(entry.seq, entry.author, entry.data)
                        if not self._settled.is_set():
                            # What the old servers have behind this place is not in the log.
                            break
            except Compacted as error:
                await self._fell_behind(error)
            except OneOSError as error:
                log.warning("the control log cannot be read: %s; trying again", error)
                await asyncio.sleep(FOLLOW_RETRY_S)
            except UNREADABLE as error:
                self._break(
                    InternalError(
                        f"record {self.applied} of the control log cannot be read: {error}",
                        hint="are all hosts on the same version of OneOS?",
                    )
                )
                return

    async def _fell_behind(self, error: Compacted) -> None:
        """The next record is no longer there; what it said is in a snapshot."""
        if self._started:
            # Watchers have acted on each record, and would miss those.
            self._break(error)
        else:
            try:
                # One that was put since we looked; the log was shortened after it.
                await self._load()
            except OneOSError as failed:
                log.warning("no snapshot of the control log: %s; trying again", failed)
        await asyncio.sleep(FOLLOW_RETRY_S)

    def _break(self, error: OneOSError) -> None:
        log.error("the copy of the control log cannot go on: %s", error)
        if self.broken is not None:
            self.broken(error)

    def _take(self, seq: int, author: str, data: bytes) -> None:
        if seq <= self.applied or not self._settled.is_set():
            return
        self.applied = seq
        if data:
            record = _decode(data)
            result = self.machine.apply(author, record)
            if self.state.engine.generation > self.generation:
                self._settled.clear()
            waiting = self._waiting.pop(record.id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(result)
            for watcher in list(self._watchers):
                try:
                    watcher(record.command, result)
                except Exception:
                    log.exception("a watcher of the control log failed")
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if seq % SNAPSHOT_EVERY_RECORDS == 0:
            self._compact(seq)

    def _compact(self, seq: int) -> None:
        # One host suffices; that two may think they hold the service is harmless, since
        # both write the same bytes for the same sequence.
        placed = self.machine.holder("session")
        if placed is None or placed.host != self.host:
            return
        data = self.machine.dump()

        async def write() -> None:
            assert self._snapshots is not None and self._log is not None
            try:
                await self._snapshots.put(self._log.name, seq, data)
                # The records before it stay until the next one, for followers that are a little
                # behind: they need no snapshot then.
                if seq > SNAPSHOT_EVERY_RECORDS:
                    await self._log.purge_through(seq - SNAPSHOT_EVERY_RECORDS)
            except OneOSError as error:
                log.warning("the control log was not compacted: %s", error)

        self._compaction = asyncio.create_task(write(), name="compact control log")

    async def wait_for(
        self, condition: Callable[[], Any], timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Wait until the state fulfils a condition; returns its (true) value.

        Raises:
            NetworkError: ETIMEDOUT, the log brought nothing of the kind in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not (value := condition()):
                    await self._changed.wait()
                return value
        except TimeoutError:
            raise NetworkError(
                f"the control log said nothing new for {timeout_s:g} s",
                errno=errno.ETIMEDOUT,
                hint="are enough voters up? see: oneos status",
            ) from None

    async def changed(self) -> None:
        """Wait for the next record, however long it takes."""
        await self._changed.wait()

    async def barrier(self) -> None:
        """Return when this copy has everything that was agreed before the call."""
        await self.submit(t.Nothing())

    async def submit(self, command: t.Command, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Append a command and return the value that applying it gave.

        Raises:
            OneOSError: with the errno of the state machine's refusal.
            Unknown: the log did not answer in time; the command may still be applied.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            self._count += 1
            record_id = f"{self._prefix}.{self._count}"
            result = await self._submit(t.Record(record_id, command), record_id, deadline)
            if result.errno == errno.EAGAIN:
                # The logs are moving to other servers; that takes seconds.
                left = deadline - asyncio.get_running_loop().time()
                await self.wait_for(lambda: not self.state.frozen_by, max(left, 0.01))
                continue
            if result.errno:
                raise _error(result)
            return result.value

    async def _submit(self, record: t.Record, record_id: str, deadline: float) -> t.Result:
        clock = asyncio.get_running_loop().time
        applied: asyncio.Future[t.Result] = asyncio.get_running_loop().create_future()
        self._waiting[record_id] = applied
        data = _encode(record)
        sent = False
        last: OneOSError = NetworkError("the control log was not reached", errno=errno.ETIMEDOUT)
        try:
            while True:
                left = deadline - clock()
                if left > 0 and not self._settled.is_set():
                    try:
                        async with asyncio.timeout(left):
                            await self._settled.wait()
                    except TimeoutError:
                        pass
                    continue
                if left <= 0 and not sent:
                    assert isinstance(last, NetworkError)
                    raise last
                if left <= 0:
                    raise Unknown(
                        "the control log did not answer in time; the change may still happen",
                        errno=errno.ETIMEDOUT,
                        hint="are enough voters up? see: oneos status",
                    )
                assert self._log is not None
                try:
                    seq = await self._log.append(
                        data, msg_id=record_id, timeout_s=min(left, LOG_APPEND_ATTEMPT_S)
                    )
                except (Unknown, NetworkError) as error:
                    # Unknown, not failed: it may have been taken, so look before repeating.
                    last = error
                    sent = sent or isinstance(error, Unknown)
                    done, _ = await asyncio.wait((applied,), timeout=0.2)
                    if done:
                        return applied.result()
                    continue
                sent = True
                if seq == self.applied + 1:
                    # Nobody was in between, so our own record is the next to apply: this saves
                    # the way from the server back to us.
                    self._take(seq, self.host, data)
                done, _ = await asyncio.wait((applied,), timeout=max(deadline - clock(), 0.01))
                if done:
                    return applied.result()
        finally:
            self._waiting.pop(record_id, None)


def now_ns() -> int:
    """The wall clock, for people; nothing is decided by it."""
    return time.time_ns()


def _error(result: t.Result) -> OneOSError:
    if result.errno == errno.ESTALE:
        return NetworkError(result.message, errno=errno.ESTALE)
    if not result.message:
        return FileError(result.errno)
    return UserError(result.message, errno=result.errno)
