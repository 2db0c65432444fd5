"""Mounts of the tree on this host (`oneos mount`), as far as its Runtime has to know of them.

Each is served by a process of its own, whose kernel keeps names as a name space's does, and drops
them by orders. These it asks for one by one, on a connection that is for nothing else, and says
with the next question that the one before is done. A process that does not answer in time is
killed: its kernel then answers nothing from it, and what it kept ends by itself, so until that time
has passed no change is answered. When the Runtime stops it has them unmount; where it was killed
they do so by themselves, and what is left of one that was killed too goes at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass, field

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import CACHE_VALID_S, MOUNTS_MAX, NAMESPACE_RECALL_S
from oneos.local.mounted import mounts, source_of
from oneos.runtime.local_server import Connection

log = logging.getLogger(__name__)

Order = tuple[list[int], bool, bool, bool]
"""Inodes to drop, or everything; only what is open and unused; and to end."""


@dataclass(slots=True)
class _Mount:
    """One, by the process that serves it; `over`: that has ended, or is not to be told any more."""

    pidfd: int
    last: int = 0
    unsent: deque[tuple[int, Order]] = field(default_factory=deque)
    waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class Mounts:
    """See the module."""

    def __init__(self) -> None:
        self._mounts: dict[Connection, _Mount] = {}
        self._lately: list[_Mount] = []

    def __len__(self) -> int:
        """How many kernels keep something by these."""
        return len(self._mounts) + len(self._lately)

    # --- for the processes ------------------------------------------------------------------------
    async def next(self, connection: Connection, done: int) -> list[object]:
        """The next order; the first time an empty one, at once.

        Args:
            done: the number of the order that is done.

        Raises:
            UserError: EMFILE; ECONNABORTED, the process has ended.
        """
        mount = self._mounts.get(connection)
        if mount is None:
            if len(self._mounts) >= MOUNTS_MAX:
                raise UserError(f"at most {MOUNTS_MAX} mounts", errno=errno.EMFILE)
            mount = self._mounts[connection] = _Mount(os.pidfd_open(connection.os_pid))
            loop = asyncio.get_running_loop()
            loop.add_reader(mount.pidfd, self._process_ended, connection)
            return [0, [], False, False, False]
        future = mount.waiting.pop(done, None)
        if future is not None and not future.done():
            future.set_result(None)
        while not mount.unsent:
            mount.wake.clear()
            await mount.wake.wait()
            if mount.ended.is_set():
                raise UserError("the mount has ended", errno=errno.ECONNABORTED)
        number, order = mount.unsent.popleft()
        return [number, *order]

    def connection_ended(self, connection: Connection) -> None:
        """Nobody asks for orders any more: the process is about to end, or else is ended."""
        mount = self._mounts.get(connection)
        if mount is not None:
            asyncio.get_running_loop().call_later(NAMESPACE_RECALL_S / 2, self._end, mount)

    def _end(self, mount: _Mount) -> None:
        if not mount.ended.is_set():
            mount.kill()

    def _process_ended(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        mount = self._mounts.pop(connection)
        loop.remove_reader(mount.pidfd)
        os.close(mount.pidfd)
        mount.ended.set()
        mount.wake.set()
        self._lately.append(mount)
        loop.call_later(CACHE_VALID_S, self._forget, mount)

    def _forget(self, mount: _Mount) -> None:
        """What its kernel kept has ended by itself."""
        self._lately.remove(mount)
        for future in mount.waiting.values():
            if not future.done():
                future.set_result(None)

    # --- for the Runtime --------------------------------------------------------------------------
    async def recall(self, recall: m.Recall) -> None:
        """Have the kernel drop what it keeps of this by any mount; returns when it has."""
        await self._tell((recall.inos, recall.everything, False, False))

    async def drop_idle(self, ino: int) -> None:
        """Have a file closed that is kept open for whoever opens it next."""
        await self._tell(([ino], False, True, False))

    async def _tell(self, order: Order) -> None:
        both = [*self._mounts.values(), *self._lately]
        if both:
            await asyncio.gather(*(self._tell_one(mount, order) for mount in both))

    async def _tell_one(self, mount: _Mount, order: Order) -> None:
        mount.last += 1
        number = mount.last
        done = mount.waiting[number] = asyncio.get_running_loop().create_future()
        mount.unsent.append((number, order))
        mount.wake.set()
        try:
            await asyncio.wait([done], timeout=NAMESPACE_RECALL_S)
            if not done.done() and not mount.ended.is_set():
                log.error("a mount of the tree does not drop what it keeps: it is ended")
                mount.kill()
            await done
        finally:
            mount.waiting.pop(number, None)

    async def close(self) -> None:
        """Have all unmounted."""
        mounts = list(self._mounts.values())
        for mount in mounts:
            mount.unsent.append((mount.last + 1, ([], False, False, True)))
            mount.wake.set()
        waits = [asyncio.ensure_future(mount.ended.wait()) for mount in mounts]
        if waits:
            _, late = await asyncio.wait(waits, timeout=NAMESPACE_RECALL_S)
            for wait in late:
                wait.cancel()
        for mount in mounts:
            self._end(mount)


def clear(socket_path: str) -> None:
    """Take away what is left of the mounts of an earlier run, whose processes were killed."""
    words = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-u", "-z"]
    for mount in mounts():
        if mount.source == source_of(socket_path):
            try:
                subprocess.run([*words, mount.path], capture_output=True, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                log.warning("the dead mount at %s is left: %s", os.fsdecode(mount.path), error)
