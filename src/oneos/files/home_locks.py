"""The locks of files at home here, of owners that are elsewhere or in this host's name space.

Each owner of locks on a file (a process of some host, or an open file) is stood for by an open
file description of the backing file, so the kernel's table is the one in which all programs meet,
with those of this host that lock by a descriptor of their own. What an owner holds goes with it:
when it is told to, and when an opening that it locked through is closed. A host that is declared
dead has its openings closed (`home_calls`), and its locks with them.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from oneos.errors import FileError
from oneos.files.home import HomeHandle
from oneos.ids import HostName
from oneos.limits import (
    LOCK_CLOSING_S,
    LOCK_DIRECT_MAX,
    LOCK_KICK_S,
    LOCK_OWNERS_MAX,
    LOCK_RANGES_MAX,
    LOCK_WAITS_MAX,
)
from oneos.storage.file_locks import READ, UNLOCK, FileLock, Found, Range, Wait

Who = tuple[HostName, str]
"""An owner: its host, and what that calls it."""


@dataclass(slots=True, eq=False)
class _Owner:
    """`through`: the openings that it locked through; `sets`: since its ranges were counted;
    `closing_until`: the loop's time until which it may be about to end; `handed`: somebody else
    locks by its descriptor too.
    """

    lock: FileLock
    pid: int
    through: set[int] = field(default_factory=set)
    waits: dict[int, tuple[Wait, Range]] = field(default_factory=dict)
    sets: int = 0
    closing_until: float = 0.0
    handed: bool = False
    over: bool = False


class HomeLocks:
    """See the module. All of it is for one event loop's thread.

    Args:
        path: of the backing file of an inode.
    """

    def __init__(self, path: Callable[[int], str]) -> None:
        self._path = path
        self._files: dict[int, dict[Who, _Owner]] = {}
        self._owners = self._waiting = 0
        self.named: Callable[[int], int] = lambda pid: 0
        """The network's PID of a process of this host; 0 for none."""

    def __len__(self) -> int:
        return self._owners

    async def lock(
        self, handle: HomeHandle, owner: str, pid: int, what: Range, number: int = 0
    ) -> None:
        """Lock or unlock a range.

        Args:
            handle: the opening by which it is done.
            owner: as its host calls it.
            pid: of the process that does it, in the network.
            number: by which a wait is called back; 0: do not wait.

        Raises:
            OSError: EAGAIN, somebody else has it; ENOLCK, there are too many; EDEADLK; EINTR, the
                wait was called back; EBADF, the file was closed meanwhile.
        """
        ino, who = handle.home.inode.ino, (handle.owner, owner)
        found = self._files.get(ino, {}).get(who)
        if found is None:
            if what.type == UNLOCK:
                return
            if self._owners >= LOCK_OWNERS_MAX:
                raise FileError(errno.ENOLCK)
            found = _Owner(FileLock(self._path(ino)), pid)
            self._files.setdefault(ino, {})[who] = found
            self._owners += 1
        found.through.add(id(handle))
        self._count(found)
        try:
            found.lock.set(what)
        except BlockingIOError:
            if number:
                await self._wait(ino, who, found, what, number)
            elif not await self._set_after_closing(ino, found, what):
                raise

    def hand(self, handle: HomeHandle, owner: str) -> int:
        """A descriptor by which another process of this host may lock for an owner, -1: there is
        none. It comes here at least once in LOCK_DIRECT_MAX times.
        """
        found = self._files.get(handle.home.inode.ino, {}).get((handle.owner, owner))
        if found is None:
            return -1
        found.handed = True
        return os.dup(found.lock.fd)

    def closing(self, handle: HomeHandle, owner: str) -> None:
        """Somebody closes a descriptor of an opening that owns locks: if it was the last one, the
        owner is released in a moment, while close(2) has returned by then.
        """
        found = self._files.get(handle.home.inode.ino, {}).get((handle.owner, owner))
        if found is not None:
            found.closing_until = asyncio.get_running_loop().time() + LOCK_CLOSING_S

    async def _set_after_closing(self, ino: int, owner: _Owner, what: Range) -> bool:
        """Lock what is held by an owner that is about to end, as soon as it does; False: it does
        not, or nobody is."""
        clock = asyncio.get_running_loop().time
        while not owner.over:
            others = self._files.get(ino, {}).values()
            if not any(x.closing_until > clock() for x in others if x is not owner):
                return False
            await asyncio.sleep(LOCK_KICK_S)
            try:
                owner.lock.set(what)
                return True
            except BlockingIOError:
                continue
        return False

    def _count(self, owner: _Owner) -> None:
        """Each request adds two ranges at most."""
        owner.sets += LOCK_DIRECT_MAX if owner.handed else 1
        if owner.sets * 2 > LOCK_RANGES_MAX:
            held = len(owner.lock.held())
            if held >= LOCK_RANGES_MAX - 2:
                raise FileError(errno.ENOLCK)
            owner.sets = held // 2

    async def _wait(self, ino: int, who: Who, owner: _Owner, what: Range, number: int) -> None:
        if self._waiting >= LOCK_WAITS_MAX:
            raise FileError(errno.ENOLCK)
        if what.kind == "posix" and self._would_wait_for_itself(ino, who, what):
            raise FileError(errno.EDEADLK)
        wait = Wait(owner.lock, what)
        owner.waits[number] = entry = wait, what
        self._waiting += 1
        try:
            code = await asyncio.shield(wait.code)
        except asyncio.CancelledError:
            # Whoever asked cannot be told any more, and asks again if it still wants it.
            if await wait.call_back() == 0 and not owner.over:
                owner.lock.set(replace(what, type=UNLOCK))
            raise
        finally:
            if owner.waits.get(number) is entry:
                del owner.waits[number]
            self._waiting -= 1
        if owner.over:
            code = errno.EBADF
        if code:
            raise OSError(code, os.strerror(code))

    async def call_back(self, host: HostName, number: int) -> None:
        """Let a wait of a host end with EINTR, if it has not ended; it answers for itself."""
        for owners in list(self._files.values()):
            for (owner_host, _), owner in list(owners.items()):
                if owner_host == host and number in owner.waits:
                    await owner.waits[number][0].call_back()
                    return

    def test(self, handle: HomeHandle, owner: str, what: Range) -> Found | None:
        """The first lock that keeps `owner` from `what`, with its process's PID in the network, 0
        where that is not known."""
        ino, who = handle.home.inode.ino, (handle.owner, owner)
        own = self._files.get(ino, {}).get(who)
        lock = own.lock if own is not None else FileLock(self._path(ino))
        try:
            found = lock.test(what)
        finally:
            if own is None:
                lock.close()
        if found is None:
            return None
        if found.pid > 0:
            return replace(found, pid=self.named(found.pid))
        return replace(found, pid=self.holder(ino, found.type, found.first, found.last))

    def holder(self, ino: int, type_: int, first: int, last: int) -> int:
        """The PID in the network of whoever has this lock here; 0 where that is not known."""
        whose = ("OFDLCK", type_, first, last)
        owners = self._files.get(ino, {}).values()
        return next((owner.pid for owner in owners if whose in owner.lock.held()), 0)

    async def release(self, handle: HomeHandle, owner: str) -> None:
        """Take all locks of an owner on a file from it. What it waits for it may get."""
        ino, who = handle.home.inode.ino, (handle.owner, owner)
        found = self._files.get(ino, {}).get(who)
        if found is not None and found.waits:
            found.lock.set(Range("posix", UNLOCK))
        else:
            await self._drop(ino, who)

    async def closed(self, handle: HomeHandle) -> None:
        """An opening is closed: whoever has locked through it has closed the file."""
        ino = handle.home.inode.ino
        for who, owner in list(self._files.get(ino, {}).items()):
            if id(handle) in owner.through:
                await self._drop(ino, who)

    async def _drop(self, ino: int, who: Who) -> None:
        owners = self._files.get(ino, {})
        owner = owners.pop(who, None)
        if owner is None:
            return
        if not owners:
            del self._files[ino]
        self._owners -= 1
        owner.over = True
        # First, since their threads are in calls on its descriptor.
        for wait, _ in list(owner.waits.values()):
            await wait.call_back()
        owner.lock.close()

    # --- deadlocks ------------------------------------------------------------------------------
    def _would_wait_for_itself(self, ino: int, who: Who, what: Range) -> bool:
        """Whether those who keep `who` from it wait for `who`, as far as is known here.

        As the kernel looks at processes of its own; it does not for open file descriptions.
        """
        seen: set[Who] = set()
        ahead = [(ino, who, what)]
        while ahead:
            for holder in self._in_the_way(*ahead.pop()):
                if holder == who:
                    return True
                if holder not in seen:
                    seen.add(holder)
                    ahead += [(at, holder, wanted) for at, wanted in self._wanted(holder)]
        return False

    def _in_the_way(self, ino: int, who: Who, what: Range) -> Iterator[Who]:
        for other, owner in self._files.get(ino, {}).items():
            if other == who:
                continue
            for kind, held, first, last in owner.lock.held():
                conflict = held != READ or what.type != READ
                if kind == "OFDLCK" and conflict and first <= what.last and what.first <= last:
                    yield other
                    break

    def _wanted(self, who: Who) -> Iterator[tuple[int, Range]]:
        for ino, owners in self._files.items():
            if who in owners:
                for _, what in owners[who].waits.values():
                    if what.kind == "posix":
                        yield ino, what
