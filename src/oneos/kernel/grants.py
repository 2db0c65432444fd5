"""Which hosts may have names and attributes cached, and how they are called back.

The kernel of a host with a name space keeps what it was told of a name, and so do instrumented
programs, so that looking again costs no request. The File System grants that with its answer, to a
host and for the inodes concerned; a change of one of them is answered only when every host with a
grant has dropped what it kept, or the log says that it is dead. So a change that has returned is
seen by every later look, on any host (Sprite's and AFS's callbacks; Howard et al., Scale and
Performance in a Distributed File System, 1988). A grant ends by itself after CACHE_VALID_S, which
is far less than it takes to declare a host dead: a host that is cut off shows nothing old once
others go on without it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from oneos.errors import Fenced, NetworkError, Unknown
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import GRANTS_KEPT_S, GRANTS_MAX, RECALL_TIMEOUT_S, SERVICE_RETRY_S

Call = Callable[[HostName, m.Recall], Awaitable[None]]
"""Asks a host to drop what it keeps; returns when it has."""


_NOBODY: frozenset[HostName] = frozenset()


class Grants:
    """The grants of one File System agent.

    Args:
        control: says which hosts are alive.
        call: the way to a host.
    """

    def __init__(self, control: ControlLog, call: Call) -> None:
        self._control = control
        self._call = call
        # Two generations: what is in the older one only has ended by itself.
        self._new: dict[int, frozenset[HostName]] = {}
        self._old: dict[int, frozenset[HostName]] = {}
        # One object for each set of hosts, of which there are few: an inode costs its place only.
        self._sets: dict[frozenset[HostName], frozenset[HostName]] = {}
        self._turned_s = time.monotonic()
        self._cleared: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def start(self) -> None:
        """Call back what an earlier agent granted: nobody knows any more what that was."""
        hosts = [member.name for member in self._control.machine.alive()]
        everything = m.Recall([], everything=True)
        self._cleared = asyncio.ensure_future(self._call_all(hosts, everything))

    def stop(self) -> None:
        """Give up; who leads next starts by calling everything back."""
        if self._cleared is not None:
            self._cleared.cancel()

    def grant(self, host: HostName, inos: Iterable[int]) -> bool:
        """Let a host keep what it is told of these inodes; False: it may not."""
        if len(self._new) >= GRANTS_MAX:
            now_s = time.monotonic()
            if now_s - self._turned_s < GRANTS_KEPT_S:
                return False
            self._old, self._new, self._turned_s = self._new, {}, now_s
        for ino in inos:
            self._enter(ino, host)
        return True

    def _enter(self, ino: int, host: HostName) -> None:
        before = self._new.get(ino, _NOBODY)
        if host not in before:
            after = before | {host}
            self._new[ino] = self._sets.setdefault(after, after)

    def recall(self, touched: Iterable[int], but: HostName | None) -> Awaitable[None] | None:
        """Call back what was granted of these inodes.

        Args:
            touched: the inodes that a change has touched.
            but: a host that drops by itself what it keeps of this, and needs no telling.

        Returns:
            What to wait for before the change may be answered; None: nothing.
        """
        concerned: dict[HostName, list[int]] = {}
        for ino in touched:
            hosts = self._new.pop(ino, _NOBODY) | self._old.pop(ino, _NOBODY)
            for host in hosts:
                if host == but:
                    self._enter(ino, host)
                else:
                    concerned.setdefault(host, []).append(ino)
        clearing = self._cleared is not None and not self._cleared.done()
        if not concerned and not clearing:
            return None
        return self._recall(concerned)

    async def _recall(self, concerned: dict[HostName, list[int]]) -> None:
        if self._cleared is not None:
            await asyncio.shield(self._cleared)
        await asyncio.gather(
            *(self._until_done(host, m.Recall(inos)) for host, inos in concerned.items())
        )

    async def _call_all(self, hosts: list[HostName], recall: m.Recall) -> None:
        await asyncio.gather(*(self._until_done(host, recall) for host in hosts))

    async def _until_done(self, host: HostName, recall: m.Recall) -> None:
        """Until the host has dropped it, or is not the one any more that it was granted to."""
        granted_to = self._incarnation(host)
        while granted_to is not None and self._incarnation(host) == granted_to:
            try:
                async with asyncio.timeout(RECALL_TIMEOUT_S):
                    await self._call(host, recall)
                return
            except (NetworkError, Unknown, Fenced, TimeoutError):
                # Not answered is not done. Its death, if it is dead, is on its way into the log.
                try:
                    await self._control.wait_for(
                        lambda: self._incarnation(host) != granted_to, SERVICE_RETRY_S
                    )
                except NetworkError:
                    continue

    def _incarnation(self, host: HostName) -> int | None:
        member = self._control.state.members.get(host)
        return member.incarnation if member is not None and member.state == "alive" else None
