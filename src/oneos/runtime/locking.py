"""Locks as programs ask for them: whose they are, who waits, and what goes when a program ends.

A lock belongs to a process or to an open file (fcntl(2), flock(2)); here each owner gets a name
that no other of this host has, and the file's home keeps the locks under it (`home_locks`).
A program that is instrumented comes here for files of other hosts only: at home it has the kernel's
own descriptor. The file process of a name space comes for all files, also for devices and texts,
which have no home and whose locks hold on this host.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from oneos.errors import FileError, OneOSError
from oneos.files.home import Home, HomeHandle, unknown
from oneos.files.home_locks import HomeLocks
from oneos.files.opened import LocalFile
from oneos.files.remote import RemoteFile
from oneos.files.shared import Shared
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import LOCK_EARLY_MAX, LOCK_WAITS_MAX
from oneos.runtime.agent import Agent
from oneos.storage.file_locks import Kind, Range

Waiting = tuple[str, int]
"""Whose wait it is, and its number there."""


class Lockable(Protocol):
    """A file that can be locked; see `HomeLocks` for what its methods do."""

    async def lock(self, owner: str, pid: int, what: Range, number: int) -> None: ...
    async def locked(self, owner: str, what: Range) -> m.HomeLocked | None: ...
    async def unlock(self, owner: str) -> None: ...
    async def closing(self, owner: str) -> None: ...
    async def call_back(self, number: int) -> None: ...


class Locking:
    """See the module.

    Args:
        host: this host.
    """

    def __init__(self, host: HostName) -> None:
        self._host = host
        self._numbers = itertools.count(1)
        self._waits: dict[Waiting, tuple[Lockable, int]] = {}
        self._early: OrderedDict[Waiting, None] = OrderedDict()
        self._of_agents: dict[int, set[int]] = {}
        self._facts = Facts(host)

    # --- files ----------------------------------------------------------------------------------
    def file(self, handle: Any, ino: int) -> Lockable:
        """What is locked for a handle of the file process; `ino` where it has no home."""
        file = handle.file if isinstance(handle, Shared) else handle
        return file if isinstance(file, LocalFile | RemoteFile) else self._facts.of(ino)

    @staticmethod
    def owner(agent: Agent, file: RemoteFile, kind: str) -> str:
        """An instrumented program's name for its locks on a file."""
        return f"p{agent.start.pid}" if kind == "posix" else f"o{file.opening}"

    # --- what is asked --------------------------------------------------------------------------
    async def lock(
        self, file: Lockable, owner: str, pid: int, what: Range, waiting: Waiting | None
    ) -> None:
        """As `HomeLocks.lock`; `waiting`: by which a wait is called back, None: do not wait.

        Raises:
            OSError, OneOSError: as `HomeLocks.lock`.
        """
        if waiting is None:
            return await file.lock(owner, pid, what, 0)
        if waiting in self._early:
            del self._early[waiting]
            raise FileError(errno.EINTR)
        if len(self._waits) >= LOCK_WAITS_MAX:
            raise FileError(errno.ENOLCK)
        number = next(self._numbers)
        self._waits[waiting] = file, number
        try:
            return await file.lock(owner, pid, what, number)
        finally:
            if self._waits.get(waiting) == (file, number):
                del self._waits[waiting]

    async def call_back(self, waiting: Waiting) -> None:
        """Let a wait end with EINTR, also one that is yet to come; it answers for itself."""
        found = self._waits.get(waiting)
        if found is None:
            self._early[waiting] = None
            if len(self._early) > LOCK_EARLY_MAX:
                self._early.popitem(last=False)
            return
        file, number = found
        await file.call_back(number)

    async def call_back_all(self, who: str) -> None:
        """Let all waits of a client or program end: nobody is there any more to be told."""
        own = [waiting for waiting in self._waits if waiting[0] == who]
        await _all(self.call_back(waiting) for waiting in own)

    # --- instrumented programs ------------------------------------------------------------------
    def noted(self, agent: Agent, file: RemoteFile, kind: str) -> None:
        """A program is about to lock a file as a process."""
        if kind == "posix":
            self._of_agents.setdefault(agent.start.pid, set()).add(file.ino)

    async def closing(self, agent: Agent, handle: Any) -> None:
        """A program closes a descriptor of a file: its locks as a process are gone."""
        file = handle.file if isinstance(handle, Shared) else handle
        inos = self._of_agents.get(agent.start.pid)
        if inos and isinstance(file, RemoteFile) and file.ino in inos:
            name = f"p{agent.start.pid}"
            if not any(who == name for who, _ in self._waits):
                # Else another of its threads is about to lock.
                inos.discard(file.ino)
            await file.unlock(name)

    async def ended(self, agent: Agent) -> None:
        """A program has ended; what it had open may go on with its children."""
        if agent.start.pid not in self._of_agents and not self._waits:
            return
        handles = [*agent.standard.streams, *agent.handles.values()]
        await self.call_back_all(f"p{agent.start.pid}")
        await _all(self.closing(agent, handle) for handle in handles)
        self._of_agents.pop(agent.start.pid, None)

    # --- the file process -----------------------------------------------------------------------
    async def client_ended(self, who: str) -> None:
        """A client has ended: the files it had open are closed, and their locks are gone."""
        await self.call_back_all(who)
        await self._facts.drop(who)


class Facts:
    """Files that have no home, as their locks see them: each a piece of memory, while it is locked.

    Args:
        host: this host.
    """

    def __init__(self, host: HostName) -> None:
        self.host = host
        self.locks = HomeLocks(lambda ino: f"/proc/self/fd/{self.files[ino].memory}")
        self.files: dict[int, Fact] = {}

    def of(self, ino: int) -> Fact:
        """The one of that number."""
        return self.files.get(ino) or Fact(self, ino)

    async def drop(self, who: str) -> None:
        """Take their locks from all owners of a client."""
        for file in list(self.files.values()):
            for owner in [x for x in file.owners if x.startswith(f"{who}.")]:
                await file.unlock(owner)


class Fact:
    """One of them."""

    def __init__(self, facts: Facts, ino: int) -> None:
        self._facts = facts
        self._handle = HomeHandle(Home(unknown(ino, 0)), os.O_RDWR, -1, facts.host)
        self._ino = ino
        self.memory = -1
        self.owners: set[str] = set()

    async def lock(self, owner: str, pid: int, what: Range, number: int) -> None:
        if self.memory < 0:
            self.memory = os.memfd_create("locked", os.MFD_CLOEXEC)
            self._facts.files[self._ino] = self
        self.owners.add(owner)
        await self._facts.locks.lock(self._handle, owner, pid, what, number)

    async def locked(self, owner: str, what: Range) -> m.HomeLocked | None:
        if self.memory < 0:
            return None
        found = self._facts.locks.test(self._handle, owner, what)
        return m.HomeLocked(found.type, found.first, found.last, found.pid) if found else None

    async def unlock(self, owner: str) -> None:
        self.owners.discard(owner)
        if self.memory >= 0:
            await self._facts.locks.release(self._handle, owner)
        if not self.owners and self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
            self._facts.files.pop(self._ino, None)

    async def closing(self, owner: str) -> None:
        if self.memory >= 0:
            self._facts.locks.closing(self._handle, owner)

    async def call_back(self, number: int) -> None:
        await self._facts.locks.call_back(self._facts.host, number)


def range_of(kind: str, type_: int, first: int, last: int) -> Range:
    """What a request names. Raises OSError(EINVAL)."""
    return Range(cast(Kind, kind), type_, first, last)


async def _all(works: Any) -> None:
    """Have all of it done; what fails does so for files whose home has gone, with their locks."""
    results: list[Awaitable[None]] = list(works)
    for result in await asyncio.gather(*results, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, OneOSError | OSError):
            raise result
