"""Checkpoints of groups of programs: the states of all of them at one moment, every so often.

The host of a group's first program sees to it: it has all stand, go on, and write their states into
files (`snapshots.py`), and says in the log that the group falls back to these from now on. The
record names the attempt of each, so states of which one is of a program that has moved, ended anew
or fallen back meanwhile are never those that a group goes on from. Files that no record names are
of no use, and are removed.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

from oneos.errors import NetworkError, OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.tree import Tree
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import SAFE_POINT_S, SNAPSHOT_WRITE_S
from oneos.net.links import Links
from oneos.runtime.places import CHECKPOINTS, checkpoint_of, make_directory
from oneos.state import control_types as t

log = logging.getLogger(__name__)

_STAND_S = 2 * SAFE_POINT_S + 1.0
"""For its turn, and for a safe point."""


class Checkpoints:
    """See the module.

    Args:
        host: this host.
        control: the process table.
        links: to the hosts of a group.
        tree: where the files are.
        start_task: starts what goes on beside.
    """

    def __init__(
        self,
        host: HostName,
        control: ControlLog,
        links: Links,
        tree: Tree,
        start_task: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._host = host
        self._control = control
        self._links = links
        self._tree = tree
        self._start_task = start_task
        self._followed: set[int] = set()

    def look(self) -> None:
        """See to the groups whose first program is here now; after each change of the table."""
        for process in self._control.state.processes.values():
            if self._is_ours(process) and process.pid not in self._followed:
                self._followed.add(process.pid)
                self._start_task(self._follow(process.pid))

    def _is_ours(self, process: t.Process | None) -> bool:
        return (
            process is not None
            and process.template is not None
            and process.template.policy.checkpoint_s > 0
            and process.group == process.pid
            and process.host == self._host
            and process.state != "waiting"
        )

    async def _follow(self, pid: int) -> None:
        said, written = "", dict[int, str]()
        try:
            while self._is_ours(process := self._control.state.processes.get(pid)):
                assert process is not None and process.template is not None
                await asyncio.sleep(process.template.policy.checkpoint_s)
                try:
                    await self._checkpoint(pid, written)
                    said = ""
                except (OneOSError, OSError) as error:
                    if str(error) != said:
                        said = str(error)
                        log.warning("no checkpoint of program %d: %s", pid, said)
        finally:
            self._followed.discard(pid)
        if process is None or process.template is None:
            # It is over, and nobody goes on from these any more.
            for one, name in written.items():
                await self._remove(checkpoint_of(one, name))

    async def _checkpoint(self, pid: int, written: dict[int, str]) -> None:
        group = sorted(
            (
                one
                for one in self._control.state.processes.values()
                if one.group == pid and one.template is not None
            ),
            # As they were asked for: along the pipe.
            key=lambda one: one.pid,
        )
        if not group or any(
            one.state == "waiting" or one.back or one.moving or one.target for one in group
        ):
            return  # It falls back, or moves: soon it is all there again.
        written |= {one.pid: one.checkpoint for one in group if one.checkpoint}
        name = f"{int(time.time())}-{secrets.token_hex(6)}"
        await make_directory(self._tree, CHECKPOINTS, 0o700)
        try:
            await self.take([(one, checkpoint_of(one.pid, name)) for one in group], name, "root")
        except (OneOSError, OSError):
            for one in group:
                await self._remove(checkpoint_of(one.pid, name))
            raise
        try:
            await self._control.submit(
                t.Checkpointed(name, [(one.pid, one.attempt) for one in group])
            )
        except OneOSError as error:
            if error.errno in (errno.ESTALE, errno.EINVAL):
                for one in group:
                    await self._remove(checkpoint_of(one.pid, name))
            raise
        for one in group:
            if one.checkpoint:
                await self._remove(checkpoint_of(one.pid, one.checkpoint))
            written[one.pid] = name

    async def take(self, programs: list[tuple[t.Process, bytes]], name: str, user: str) -> int:
        """Have programs stand together, go on, and their states written.

        Args:
            programs: each with the path of its file; those first that others read from.
            name: of this attempt to do so; no two are the same.
            user: in whose name the files are made.

        Returns:
            How many bytes were written.

        Raises:
            OneOSError: one could not; no state is kept then, and all run on.
        """
        standing, failed = list[tuple[t.Process, bytes]](), list[tuple[t.Process, Exception]]()
        for one, path in programs:
            # One after the other, those first that others read from: a program that writes what
            # nobody takes, since its reader stands already, would never come to stand itself.
            stand = m.SnapshotStand(one.pid, one.attempt, name)
            try:
                await self._links.call(one.host, "snapshot.stand", stand, None, timeout_s=_STAND_S)
            except OneOSError as error:
                failed.append((one, error))
                break
            standing.append((one, path))
        kept = await asyncio.gather(
            *(
                self._links.call(
                    one.host,
                    "snapshot.keep",
                    m.SnapshotKeep(one.pid, name, b"" if failed else path, user),
                    int,
                    timeout_s=SNAPSHOT_WRITE_S,
                )
                for one, path in standing
            ),
            return_exceptions=True,
        )
        for one, why in failed:
            raise _told(why, f"{one.pid} on {one.host}")
        for size in kept:
            if isinstance(size, BaseException):
                raise _told(size, "its state")
        return sum(size for size in kept if isinstance(size, int))

    async def _remove(self, path: bytes) -> None:
        try:
            await self._tree.unlink(path, Caller("root", os.getuid(), os.getgid()))
        except OneOSError as error:
            if error.errno != errno.ENOENT:
                log.info("%s is left: %s", os.fsdecode(path), error)


def _told(error: BaseException, what: str) -> BaseException:
    if isinstance(error, UserError | NetworkError):
        return UserError(f"{what}: {error.message}", errno=error.errno)
    return error
