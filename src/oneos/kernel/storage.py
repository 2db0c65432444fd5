"""The Storage Kernel Agent: sees that every file has the copies it should have, that who should
hold one does (`audit.py`), and removes what no file has (`collector.py`). A person may have it look
at everything at once (`check.py`).

It reads the index's copy on its own host, which may be a little old: what it finds is a reason to
look, never a decision. The repair itself is made by a host that pulls the chunks, and is written
down by a record that names the file's version: a file that changed meanwhile refuses it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from oneos.actor.actor import Actor, Address
from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.audit import Auditor, ChangeNames, CurrentInode
from oneos.kernel.check import Check
from oneos.kernel.checks import Checks
from oneos.kernel.collector import Collector
from oneos.kernel.control_log import ControlLog
from oneos.kernel.index import Index
from oneos.limits import (
    AUDIT_INTERVAL_S,
    COLLECT_ALL_S,
    COLLECT_INTERVAL_S,
    COPIES_MAX,
    REPAIR_INTERVAL_S,
)
from oneos.net.links import Links
from oneos.state import control_types as t
from oneos.state import names_commands as n
from oneos.state.names_types import Inode

log = logging.getLogger(__name__)


class Storage(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        control: says which hosts are alive.
        index: this host's copy of the index.
        links: the connections to other Runtimes.
        change: sends a command to the File System.
        current: asks it for an inode.
        wanted: copies each chunk should have, where the file does not say so.
    """

    def __init__(
        self,
        address: Address,
        control: ControlLog,
        index: Index,
        links: Links,
        change: ChangeNames,
        current: CurrentInode,
        wanted: int,
    ) -> None:
        super().__init__(address)
        self._control = control
        self._index = index
        self._links = links
        self._change = change
        self._current = current
        self._collector = Collector(control, index, links, change)
        self._auditor = Auditor(control, index, links, change, current, wanted)
        self._checks = Checks(
            lambda asked: Check(asked, index, links, self._auditor, self._collector, self.repair)
        )
        self._look = asyncio.Event()
        self._to_audit: set[HostName] = set()
        self._audit = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._control.watch(self._control_changed)
        self._look.set()
        for work, name in (
            (self._repair_all(), "repair"),
            (self._collect_all(), "collection"),
            (self._audit_all(), "audit"),
        ):
            task = asyncio.create_task(work, name=f"storage {name}")
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    async def stop(self) -> None:
        self._control.unwatch(self._control_changed)
        self._checks.stop()
        for task in self._tasks:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def receive(self, message: m.StorageMessage, sender: HostName) -> object:
        if isinstance(message, m.Health):
            # Also for want of hosts.
            return self._short(COPIES_MAX, least=0)
        if isinstance(message, m.CollectNow):
            return self._collector.collect()
        if isinstance(message, m.Lost):
            return self._auditor.lost_count()
        if isinstance(message, m.Audit):
            self._to_audit.add(HostName(message.host))
            self._audit.set()
            return None
        if isinstance(message, m.CheckBegin | m.CheckLook | m.CheckEnd):
            return self._checks.receive(message)
        return [x.name for x in self._control.machine.alive() if x.name != message.home]

    def _control_changed(self, command: t.Command, result: t.Result) -> None:
        if isinstance(command, t.Arrive | t.Depart | t.DeclareDead):
            self._look.set()
        if isinstance(command, t.Arrive):
            # Its disk may be another one than it was; and what was lost may be on it.
            lost = self._auditor.lost_count()
            self._to_audit.update(self._auditor.alive() if lost else [command.host])
            self._audit.set()

    def _short(self, hosts: int, least: int) -> int:
        """How many files have fewer copies on live hosts than they should, and `hosts` can hold,
        but `least` of them."""
        alive = set(self._auditor.alive())
        return sum(
            held.files
            for held in self._index.names.holders()
            if least
            <= len(alive.intersection(held.copies))
            < min(self._auditor.wanted_of(held), hosts)
        )

    async def _under_replicated(self) -> AsyncGenerator[Inode, None]:
        """Files with fewer copies on live hosts than they should have and could.

        One at a time: all files of a host that dies may be among them.
        """
        if not self._short(len(self._auditor.alive()), least=1):
            # As mostly; and nothing can be done for what no live host has.
            return
        async for inode in self._auditor.inodes():
            alive = self._auditor.alive() if inode.chunks else []
            wanted = min(self._auditor.wanted_of(inode), len(alive))
            if len(set(alive).intersection(inode.copies)) < wanted:
                yield inode

    async def _repair_all(self) -> None:
        while True:
            try:
                async with asyncio.timeout(REPAIR_INTERVAL_S):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            async with aclosing(self._under_replicated()) as found:
                async for inode in found:
                    try:
                        await self.repair(inode)
                    except OneOSError as error:
                        log.warning("file %d keeps too few copies for now: %s", inode.ino, error)
                    if self._look.is_set():
                        # The hosts are others now: mostly, one that was missed is back.
                        break

    async def repair(self, inode: Inode) -> None:
        """Have as many live hosts hold a file as should, as far as there are some that can.

        Raises:
            OneOSError: a host or the File System cannot be asked.
        """
        async with self._auditor.one:
            await self._repair(await self._current(inode.ino))

    async def _repair(self, inode: Inode) -> None:
        alive = self._auditor.alive()
        sources = [name for name in inode.copies if name in alive]
        if not sources:
            # Nothing can be copied until a host that holds it returns.
            return
        spare = [name for name in alive if name not in inode.copies]
        # Those that were struck off hold nothing any more; the list must not grow for ever.
        copies = [name for name in inode.copies if name in self._control.state.members]
        missing = min(self._auditor.wanted_of(inode), len(alive)) - len(sources)
        for name in spare:
            if missing <= 0:
                break
            await self._auditor.pull(name, list(dict.fromkeys(inode.chunks)), sources)
            if lacking := await self._auditor.missing(name, inode.chunks):
                log.warning("%s lacks %d chunks of file %d", name, len(lacking), inode.ino)
                continue
            copies.append(name)
            missing -= 1
        if copies == list(inode.copies):
            return
        result = await self._change(
            lambda rid, ns: n.Copies(
                rid=rid,
                now_ns=ns,
                ino=inode.ino,
                version=inode.version,
                copies=tuple(copies),
            )
        )
        if result.errno not in (0, errno.ESTALE, errno.ENOENT):
            log.warning("the copies of file %d could not be noted: %d", inode.ino, result.errno)

    async def _audit_all(self) -> None:
        """All hosts at the start and once in a while, and each that has lost something."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            if clock() >= due:
                self._to_audit.update(self._auditor.alive())
                due = clock() + AUDIT_INTERVAL_S
            hosts, self._to_audit = self._to_audit, set()
            if hosts := hosts.intersection(self._auditor.alive()):
                self._to_audit |= await self._auditor.audit(hosts)
                # Who was struck off the holders of a file leaves it with too few.
                self._look.set()
            # Those that failed are tried again.
            wait_s = REPAIR_INTERVAL_S if self._to_audit else max(due - clock(), 0.0)
            try:
                async with asyncio.timeout(wait_s):
                    await self._audit.wait()
            except TimeoutError:
                pass
            self._audit.clear()

    async def _collect_all(self) -> None:
        clock = asyncio.get_running_loop().time
        collected: object = None
        left, due = 0, clock()
        while True:
            await asyncio.sleep(COLLECT_INTERVAL_S)
            names, now = self._index.names, clock()
            if names is collected and names.left == left and now < due:
                # No file has left anything. What never was any file's can wait.
                continue
            left = names.left
            try:
                await self._collector.collect()
                collected, due = names, now + COLLECT_ALL_S
            except OneOSError as error:
                log.warning("nothing was collected: %s", error)
