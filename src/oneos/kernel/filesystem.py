"""The File System Kernel Agent: owns names and inodes.

It leads the index: reads are answered from the copy it leads, changes wait in a queue, and all
that came while one batch was on its way to the log goes into the next, so the cost of an agreed
write is shared by everyone who waits. It decides nothing about bytes: which host is a file's home
is a record like any other, fenced by the home's epoch. Some changes it answers before the log has
them: see `_may_be_early`. A host that the control log declared gone
loses its homes here. A leader that was stopped for a while may have been replaced without knowing
it: so before it answers a read it has an append that is not older than others are patient.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from oneos.actor.actor import Actor, Address
from oneos.errors import Fenced, FileError, NetworkError, OneOSError
from oneos.failpoints import reach
from oneos.ids import HostName, Incarnation, Ino
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.grants import Call, Grants
from oneos.kernel.index import Index
from oneos.limits import (
    BATCH_BYTES_MAX,
    BATCH_COMMANDS_MAX,
    EARLY_HOLD_S,
    EARLY_LAST_S,
    EARLY_MAX,
    INDEX_COMPACT_EVERY_RECORDS,
    LEADER_PROOF_S,
    LOOKS_MAX,
    SCANNED_MAX,
)
from oneos.state import control_types as t
from oneos.state import names_commands as n
from oneos.state.names_types import ROOT, WALK, Attr, Found, Inode, Result, Walk

log = logging.getLogger(__name__)


class StatPath(Struct, frozen=True, tag="stat", array_like=True):
    """Answers Found."""

    path: bytes
    walk: Walk = WALK


class ListPath(Struct, frozen=True, tag="list", array_like=True):
    """Answers Found with entries."""

    path: bytes
    walk: Walk = WALK


class Look(Struct, frozen=True, tag="look", array_like=True):
    """Answers Looked: what stands at a path, for a host that may keep the answer."""

    path: bytes
    walk: Walk = WALK


class Looked(Struct, frozen=True, array_like=True):
    """What was found, or the errno. `granted`: it may be kept until it is called back."""

    errno: int
    found: Found | None
    granted: bool


class LookMany(Struct, frozen=True, tag="looks", array_like=True):
    """Answers LookedMany: what names in a directory stand for, for a kernel that may keep it."""

    path: bytes
    names: list[bytes]
    walk: Walk = WALK


class LookedMany(Struct, frozen=True, array_like=True):
    """The directory, or where it is instead; and for each name what stat shows.

    None: nothing stands there, another part of the tree, or what is being written, whose size only
    its home knows.
    """

    found: Found
    shown: list[Attr | None]
    granted: bool


class Scan(Struct, frozen=True, tag="scan", array_like=True):
    """Answers Scanned: the names in a directory, for a host that may keep the answer.

    `attributes`: with those of what they stand for.
    """

    path: bytes
    walk: Walk = WALK
    attributes: bool = False


class Scanned(Struct, frozen=True, array_like=True):
    """What was found, with its entries; and their attributes in the same order, if asked for.

    `writing` are those that some host writes: their sizes and times are at their homes.
    """

    found: Found
    attributes: list[Attr]
    writing: list[Ino]
    granted: bool


class ReadXattrs(Struct, frozen=True, tag="xattrs", array_like=True):
    """Answers XattrsRead: an extended attribute, or with an empty `name` the names of all; of
    `path`, or of `ino` when `path` is empty."""

    path: bytes
    ino: int
    name: bytes
    walk: Walk = WALK


class XattrsRead(Struct, frozen=True, array_like=True):
    """What was found; and what was read of it, or the errno."""

    found: Found
    errno: int = 0
    value: bytes = b""
    names: list[bytes] = []


class GetInode(Struct, frozen=True, tag="inode", array_like=True):
    ino: int


class Change(Struct, frozen=True, tag="change", array_like=True):
    """`seen_to`: the asking host drops by itself what it keeps of what this touches. `early`: who
    asks makes no more of the answer than what may be lost with this agent's host."""

    command: n.AnyCommand
    seen_to: bool = False
    early: bool = False


class ChangeMany(Struct, frozen=True, tag="changes", array_like=True):
    """Answers the results of several changes, in one record as far as they fit; none is early."""

    commands: list[n.AnyCommand]
    seen_to: bool = False


Reading = StatPath | ListPath | Look | LookMany | Scan | ReadXattrs | GetInode
FileSystemMessage = Reading | Change | ChangeMany


@dataclass(slots=True)
class _Asked:
    """A command in the queue; `by`: a host that sees to its own copies by itself."""

    command: n.AnyCommand
    answer: asyncio.Future[Result]
    by: HostName | None

    early: Result | None = None
    """What was answered before the log has it."""

    def fail(self, why: str) -> None:
        """Have whoever asked ask again: what became of the command is not known here."""
        if not self.answer.done():
            self.answer.set_exception(Fenced(why))


class FileSystem(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        index: this host's copy of the index.
        control: the control log, for what became of hosts.
        recall: calls back what a host keeps.
        is_async: whether the file with a path, without links, is in an `async` directory.
    """

    def __init__(
        self,
        address: Address,
        index: Index,
        control: ControlLog,
        recall: Call,
        is_async: Callable[[bytes], bool] = lambda path: False,
    ) -> None:
        super().__init__(address)
        self._index = index
        self._control = control
        self._grants = Grants(control, recall)
        self._is_async = is_async
        self._early: deque[_Asked] = deque()
        self._early_bytes = 0
        self._appending = False
        self._queue: deque[_Asked] = deque()
        self._answering: set[asyncio.Future[None]] = set()
        self._unanswered: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._work = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._own = 0
        self._records = 0

    async def start(self) -> None:
        await self._index.lead()
        # Numbers must grow also when this agent is started again in the same epoch; no record
        # holds more commands than this, so none of ours was as high.
        self._own = self._index.names.applied_seq * BATCH_COMMANDS_MAX
        self._writer = asyncio.create_task(self._write_all(), name="file system writer")
        self._writer.add_done_callback(self._writer_ended)
        self._grants.start()
        self._control.watch(self._control_changed)
        self._enqueue_own(n.Skip(rid=self._rid(), now_ns=now_ns(), count=EARLY_MAX))
        for member in self._control.state.members.values():
            self._void(member)
        for path, mode in _FIRST_DIRECTORIES:
            self._enqueue_own(
                n.MkDir(rid=self._rid(), now_ns=now_ns(), path=path, mode=mode, uid=0, gid=0)
            )

    async def stop(self) -> None:
        self._control.unwatch(self._control_changed)
        with suppress(TimeoutError):
            async with asyncio.timeout(EARLY_LAST_S):
                await self._settle_early()
        if self._writer is not None:
            self._writer.cancel()
        self._grants.stop()
        for answering in self._answering:
            answering.cancel()
        for asked in self._queue:
            asked.fail("the File System has moved")
        await self._index.follow()

    def receive(self, message: FileSystemMessage, sender: HostName) -> object:
        if isinstance(message, Change):
            if isinstance(message.command, n.Rename) and (no := self._not_yet(message.command)):
                return no
            by = sender if message.seen_to else None
            if message.early and self._may_be_early(message.command):
                return self._answer_early(message.command, by)
            return self._enqueue(message.command, by)
        if isinstance(message, ChangeMany):
            by = sender if message.seen_to else None
            return asyncio.gather(*(self._enqueue(each, by) for each in message.commands))
        if self._index.proof_age_s() < LEADER_PROOF_S:
            return self._read(message, sender)
        return self._read_later(message, sender)

    # --- before the log has it -----------------------------------------------------------------
    def _may_be_early(self, command: n.AnyCommand) -> bool:
        """Whether a change may be answered now, and appended with the next ones.

        It is the next in the log's order only while no other is on its way there. Who makes a file
        to write it commits it later, which comes after this in the log, or fails; so in any
        directory. What was removed outlasts this agent's host but in `async` directories. Nor is
        anybody told of an exclusive file that might not be: it may be a lock.
        """
        if self._appending or self._queue or len(self._early) >= EARLY_MAX:
            return False
        if self._index.proof_age_s() >= LEADER_PROOF_S or not self._index.leading:
            return False
        if self._early_bytes + _weight(command) > BATCH_BYTES_MAX // 2:
            return False
        if isinstance(command, n.Create):
            return command.writing and not command.exclusive
        if not isinstance(command, n.Unlink):
            return False
        path = self._index.names.names.place_of(command.path, command.walk)
        return path is not None and self._is_async(path)

    def _answer_early(
        self, command: n.AnyCommand, by: HostName | None
    ) -> Result | Awaitable[Result]:
        result = self._index.names.ahead(command)
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        done.set_result(result)
        if not self._early:
            asyncio.get_running_loop().call_later(EARLY_HOLD_S, self._work.set)
        self._early.append(_Asked(command, done, by, result))
        self._early_bytes += _weight(command)
        recalled = self._grants.recall(self._index.names.take_touched(), by)
        before = self._unanswered.get(command.rid)
        if recalled is None and before is None:
            return result
        return self._answer_after(result, recalled, before)

    async def _answer_after(
        self,
        result: Result,
        recalled: Awaitable[None] | None,
        before: asyncio.Future[None] | None,
    ) -> Result:
        if recalled is not None:
            await recalled
        if before is not None:
            await asyncio.wait((before,))
        return result

    async def _settle_early(self) -> None:
        """Have the log take what was answered early, while this agent may still append."""
        writer = self._writer
        while writer is not None and not writer.done() and (self._early or self._appending):
            self._work.set()
            await asyncio.sleep(EARLY_HOLD_S / 10)

    def _not_yet(self, rename: n.Rename) -> Result | None:
        """The answer to a rename that has to wait for a commit: without a record, mostly."""
        if rename.settled is not False or self._index.proof_age_s() >= LEADER_PROOF_S:
            return None
        return self._index.names.names.not_yet(rename)

    def _read(self, message: Reading, sender: HostName) -> object:
        names = self._index.names.names
        if isinstance(message, StatPath):
            return names.find(message.path, message.walk)
        if isinstance(message, ListPath):
            return names.find(message.path, message.walk, entries=True)
        if isinstance(message, Look):
            return self._look(message, sender)
        if isinstance(message, LookMany):
            return self._look_many(message, sender)
        if isinstance(message, Scan):
            return self._scan(message, sender)
        if isinstance(message, ReadXattrs):
            return self._read_xattrs(message)
        return names.inode(Ino(message.ino))

    def _look(self, message: Look, sender: HostName) -> Looked:
        visited: list[Ino] = []
        try:
            found = self._index.names.names.find(message.path, message.walk, visited=visited)
        except FileError as error:
            if error.errno != errno.ENOENT:
                raise
            return Looked(errno.ENOENT, None, self._grants.grant(sender, visited))
        if found.inode is None:
            return Looked(0, found, False)
        return Looked(0, found, self._grants.grant(sender, [*visited, found.inode.ino]))

    def _look_many(self, message: LookMany, sender: HostName) -> LookedMany:
        names = self._index.names.names
        found = names.find(message.path, message.walk)
        directory = found.inode
        if directory is None:
            return LookedMany(found, [], False)
        others = message.walk.parts if directory.ino == ROOT else ()
        shown: list[Attr | None] = []
        for name in message.names[:LOOKS_MAX]:
            inode = None if name in others else names.within(directory.ino, name)
            shown.append(None if inode is None or inode.writing else inode.attr())
        inos = [directory.ino, *(attr.ino for attr in shown if attr is not None)]
        return LookedMany(found, shown, self._grants.grant(sender, inos))

    def _scan(self, message: Scan, sender: HostName) -> Scanned:
        names = self._index.names.names
        visited: list[Ino] = []
        found = names.find(message.path, message.walk, entries=True, visited=visited)
        if found.inode is None:
            return Scanned(found, [], [], False)
        shown: list[Inode] = []
        if message.attributes and len(found.entries or ()) <= SCANNED_MAX:
            shown = [names.inode(entry.ino) for entry in found.entries or ()]
        kept = [*visited, found.inode.ino, *(inode.ino for inode in shown)]
        return Scanned(
            replace(found, inode=replace(found.inode, chunks=())),
            [inode.attr() for inode in shown],
            [inode.ino for inode in shown if inode.writing],
            self._grants.grant(sender, kept),
        )

    def _read_xattrs(self, message: ReadXattrs) -> XattrsRead:
        names = self._index.names.names
        if message.path:
            found = names.find(message.path, message.walk)
        else:
            found = Found(b"", 0, names.inode(Ino(message.ino)))
        if found.inode is None:
            return XattrsRead(found)
        ino = found.inode.ino
        found = replace(found, inode=replace(found.inode, chunks=()))
        if not message.name:
            return XattrsRead(found, names=list(names.xattrs(ino)))
        try:
            return XattrsRead(found, value=names.xattr(ino, message.name))
        except FileError as error:
            return XattrsRead(found, error.errno)

    async def _read_later(self, message: Reading, sender: HostName) -> object:
        await self._enqueue(n.Barrier(rid=self._rid(), now_ns=now_ns()))
        return self._read(message, sender)

    def _enqueue(self, command: n.AnyCommand, by: HostName | None = None) -> asyncio.Future[Result]:
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append(_Asked(command, answer, by))
        self._work.set()
        return answer

    def _enqueue_own(self, command: n.AnyCommand) -> None:
        # Nobody waits for it; if it fails, so does the writer, and the next start repeats it.
        self._enqueue(command).add_done_callback(lambda done: done.cancelled() or done.exception())

    def _next_batch(self) -> list[_Asked]:
        batch = list(self._early)
        size = self._early_bytes
        self._early.clear()
        self._early_bytes = 0
        if not batch and self._queue:
            batch.append(self._queue.popleft())
            size = _weight(batch[0].command)
        while self._queue and len(batch) < BATCH_COMMANDS_MAX:
            size += _weight(self._queue[0].command)
            if size > BATCH_BYTES_MAX:
                break
            batch.append(self._queue.popleft())
        if not self._queue:
            self._work.clear()
        return batch

    async def _write_all(self) -> None:
        while True:
            await self._work.wait()
            batch = self._next_batch()
            if not batch:
                continue
            reach("index.begun")
            self._appending = True
            try:
                results = await self._append([asked.command for asked in batch])
            except BaseException as error:
                # Never as a failure of the command: it may be in the log. Whoever asked asks
                # again, under the same request id.
                if lost := sum(asked.early is not None for asked in batch):
                    log.warning("%d changes that were answered may not be in the log", lost)
                why = "it has moved" if isinstance(error, asyncio.CancelledError) else error
                for asked in batch:
                    asked.fail(f"the File System does not lead: {why}")
                raise
            reach("index.applied")
            self._appending = False
            for asked, result in zip(batch, results, strict=True):
                if asked.early is not None and asked.early != result:
                    log.warning("a change was answered that came out another way: %s", asked)
            makers = {asked.by for asked in batch if asked.early is None}
            maker = makers.pop() if len(makers) == 1 else None
            recalled = self._grants.recall(self._index.names.take_touched(), maker)
            # Asked again while it was not answered yet: then the same is waited for.
            batch = [asked for asked in batch if asked.early is None]
            before = [
                self._unanswered[rid] for x in batch if (rid := x.command.rid) in self._unanswered
            ]
            results = results[len(results) - len(batch) :]
            if recalled is None and not before:
                _answer(batch, results)
            else:
                # The next batch need not wait for those who keep what this one changed.
                work = self._answer_later(batch, results, recalled, before)
                answering = asyncio.ensure_future(work)
                self._answering.add(answering)
                answering.add_done_callback(self._answering.discard)
                self._unanswered.update((x.command.rid, answering) for x in batch)
            await self._compact()

    async def _answer_later(
        self,
        batch: list[_Asked],
        results: list[Result],
        recalled: Awaitable[None] | None,
        before: list[asyncio.Future[None]],
    ) -> None:
        own = asyncio.current_task()
        try:
            if recalled is not None:
                await recalled
                reach("index.recalled")
            if before:
                await asyncio.wait(before)
        except BaseException:
            for asked in batch:
                asked.fail("the File System has moved")
            raise
        finally:
            for asked in batch:
                if self._unanswered.get(asked.command.rid) is own:
                    del self._unanswered[asked.command.rid]
        _answer(batch, results)

    async def _append(self, commands: list[n.AnyCommand]) -> list[Result]:
        while True:
            try:
                return await self._index.append(commands)
            except (Fenced, NetworkError):
                # Someone else wrote to the log. Only the control log says whether that was a
                # new holder, a move of the logs to other servers, or nothing that concerns us.
                await self._control.barrier()
                placed = self._control.machine.holder("filesystem")
                if placed is None or (placed.host, placed.epoch) != (
                    self.address.host,
                    self.address.epoch,
                ):
                    raise
                await self._control.settled()
                # The request ids keep a batch that did get in from being applied twice.
                await self._index.lead()

    async def _compact(self) -> None:
        self._records += 1
        if self._records % INDEX_COMPACT_EVERY_RECORDS:
            return
        try:
            await self._index.compact()
        except OneOSError as error:
            log.warning("the files log was not compacted: %s", error)

    def _writer_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def _control_changed(self, command: t.Command, result: t.Result) -> None:
        if result.errno == 0 and isinstance(command, t.Arrive | t.Depart | t.DeclareDead):
            self._void(self._control.state.members[command.host])

    def _void(self, member: t.Member) -> None:
        """Take a host's homes from it, as far as an ended incarnation of it held them."""
        over = Incarnation(member.incarnation - (member.state == "alive"))
        if over < 0:
            return
        self._enqueue_own(
            n.HostLost(rid=self._rid(), now_ns=now_ns(), home=member.name, incarnation=over)
        )

    def _rid(self) -> tuple[str, int]:
        self._own += 1
        return ("filesystem", (self.address.epoch << 32) + self._own)


def _answer(batch: list[_Asked], results: list[Result]) -> None:
    for asked, result in zip(batch, results, strict=True):
        if not asked.answer.done():
            asked.answer.set_result(result)


def _weight(command: n.AnyCommand) -> int:
    """About how many bytes a command takes in a record: hashes, names, values, and the rest."""
    texts = ("path", "old", "new", "target", "name", "value")
    size = 256 + sum(len(getattr(command, text, b"")) for text in texts)
    return size + 34 * len(getattr(command, "chunks", ()))


_FIRST_DIRECTORIES = (
    *((b"/" + name, 0o755) for name in (b"bin", b"dev", b"etc", b"home", b"host", b"proc")),
    *((b"/" + name, 0o755) for name in (b"runtime", b"srv", b"topic", b"var")),
    (b"/tmp", 0o1777),
    (b"/etc/oneos", 0o755),
)
