"""Requests about locks of open files."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

from oneos.errors import FileError
from oneos.files.opened import LocalFile
from oneos.files.remote import RemoteFile
from oneos.files.shared import Shared
from oneos.runtime.agent import Agent
from oneos.runtime.agents import Agents
from oneos.runtime.local_server import Answer
from oneos.runtime.locking import Lockable, Locking, range_of
from oneos.runtime.requests.callers import Client, Who, client_of, handle_of, remote


class LockRequests:
    """See the module.

    Args:
        locking: the locks of this host's programs.
        agents: says whose an OS process is.
        note: tells a person of what nobody waits for.
    """

    FOR_ALL = "lock locked unlock call_back holder"
    FOR_CLIENTS = "closing"
    FOR_PROGRAMS = ""

    def __init__(self, locking: Locking, agents: Agents, note: Callable[[str], None]) -> None:
        self._locking = locking
        self._agents = agents
        self._note = note
        self._calling: set[asyncio.Task[None]] = set()

    def _lock_owner(
        self, who: Who, number: int, kind: str, owner: int, ino: int
    ) -> tuple[Lockable, str]:
        """What is locked, and whose lock it is. A program has what is at home here by itself."""
        if isinstance(who.owner, Client):
            client_of(who)
            handle = handle_of(who, number) if number else None
            return self._locking.file(handle, ino), f"{who.owner.name}.{owner:x}"
        file = remote(who, number)
        if not isinstance(file, RemoteFile):
            # Another host's own file: what locks it there is none of the network's.
            raise FileError(errno.ENOLCK)
        return file, self._locking.owner(who.owner, file, kind)

    async def op_lock(
        self,
        who: Who,
        number: int,
        kind: str,
        type_: int,
        first: int,
        last: int,
        wait: int = 0,
        owner: int = 0,
        pid: int = 0,
        ino: int = 0,
        hand: bool = False,
    ) -> Any:
        file, name = self._lock_owner(who, number, kind, owner, ino)
        if isinstance(who.owner, Agent) and isinstance(file, RemoteFile):
            pid = who.owner.start.pid
            self._locking.noted(who.owner, file, kind)
        waiting = (self._waits(who), wait) if wait else None
        await self._locking.lock(file, name, pid, range_of(kind, type_, first, last), waiting)
        fd = file.hand(name) if hand and isinstance(file, LocalFile) else -1
        return Answer(None, [fd]) if fd >= 0 else None

    async def op_locked(
        self,
        who: Who,
        number: int,
        kind: str,
        type_: int,
        first: int,
        last: int,
        owner: int = 0,
        ino: int = 0,
    ) -> list[int] | None:
        file, name = self._lock_owner(who, number, kind, owner, ino)
        found = await file.locked(name, range_of(kind, type_, first, last))
        return [found.type, found.first, found.last, found.pid] if found else None

    async def op_unlock(self, who: Who, number: int, owner: int = 0, ino: int = 0) -> None:
        file, name = self._lock_owner(who, number, "posix", owner, ino)
        await file.unlock(name)

    async def op_closing(self, who: Who, number: int, owner: int, ino: int) -> None:
        file, name = self._lock_owner(who, number, "open", owner, ino)
        await file.closing(name)

    async def op_holder(
        self, who: Who, number: int, type_: int, first: int, last: int, os_pid: int
    ) -> int:
        """The PID in the network of who has a lock that the kernel showed."""
        handle = handle_of(who, number)
        file = handle.file if isinstance(handle, Shared) else handle
        if os_pid > 0 or not isinstance(file, LocalFile):
            return self._agents.named(os_pid)
        return file.holder(type_, first, last)

    async def op_call_back(self, who: Who, wait: int) -> None:
        calling = self._locking.call_back((self._waits(who), wait))
        if isinstance(who.owner, Agent):
            await calling
            return
        # The wait answers; and one at a home that is away holds up no other.
        task = asyncio.ensure_future(calling)
        self._calling.add(task)
        task.add_done_callback(self._called_back)

    def _called_back(self, task: asyncio.Task[None]) -> None:
        self._calling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note(f"a wait for a lock was not called back: {error}")

    @staticmethod
    def _waits(who: Who) -> str:
        owner = who.owner
        return owner.name if isinstance(owner, Client) else f"p{owner.start.pid}"
