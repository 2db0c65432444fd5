"""The process that starts programs in a name space, as the Runtime has it.

With it end all programs of the name space, where that has PIDs of its own; so it is ended only when
it hangs, or when nobody needs it. What it does is decided in `fuse/first.py`; how it is asked, in
`forker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence

from oneos.errors import OneOSError
from oneos.limits import STARTER_ANSWER_S
from oneos.runtime.forker import WORD, Forked, Forker, number, rights
from oneos.runtime.watched import Watched

KILL, LISTEN, KEEP = b"K", b"L", b"W"

Kill = Callable[[int, int], Awaitable[None]]
"""Sends a signal: the process, or minus the leader of the group; the signal."""


class Starter(Forker):
    """See the module.

    Args:
        sock: to it; ours from now on.
        pidfd: of it; ours from now on.
        kill: sends a signal for one of its programs to a process of the network; raises OneOSError.
        lost: called once when it has ended or was ended.
    """

    def __init__(
        self, sock: socket.socket, pidfd: int, kill: Kill, lost: Callable[[Starter], None]
    ) -> None:
        name = "the process that starts programs"
        super().__init__(sock, name, STARTER_ANSWER_S, lambda: lost(self))
        self._process = Watched(0, pidfd)
        self._gone: asyncio.Future[None] | None = None
        self._pass_on = kill
        self._signals: set[asyncio.Task[None]] = set()

    async def start(
        self,
        pid: int,
        cwd: bytes,
        umask: int,
        ignored: Sequence[int],
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        files: Sequence[bytes] = (),
    ) -> Forked:
        """Start a program.

        Args:
            pid: its number, where programs here have the network's.
            cwd: its directory, in the name space.
            umask: its mask for new files' modes.
            ignored: the signals that it begins with ignored.
            argv: its command line; the first word is looked for along its PATH.
            environment: what it sees.
            fds: its standard descriptors; of one that can move what `movable_node.py` hands it.
            files: what it has open by number, as `fuse/reopened.py` takes it.

        Raises:
            ValueError: there is a NUL byte in what no kernel takes one in.
            OSError: it could not be started. What cannot be executed ends as in sh instead.
        """
        variables = [name + b"=" + value for name, value in environment.items()]
        head = [cwd, b"%d" % umask, ",".join(map(str, ignored)).encode(), b"%d" % len(files)]
        words = [*head, *files, b"%d" % len(argv), *argv, *variables]
        if any(b"\0" in word for word in words):
            raise ValueError("embedded null byte")
        what = os.memfd_create("program", os.MFD_CLOEXEC)
        try:
            with open(what, "wb", closefd=False) as file:
                file.write(b"\0".join(words))
            os.lseek(what, 0, os.SEEK_SET)
            child = await self.fork([*fds, what], pid)
        finally:
            os.close(what)
        try:
            return child.watch()
        except BaseException:
            child.give_up()
            raise

    def listen(self, fd: int) -> None:
        """Have it answer what a filter asks that was installed elsewhere; see `fuse/asking.py`.

        Raises:
            OSError: it has ended, or hangs.
        """
        self._sock.sendmsg([LISTEN], rights([fd]))

    def _heard(self, data: bytes) -> bool:
        if data[:1] != KILL:
            return False
        call, pid, signal = (number(data[1 + at * WORD :]) for at in range(3))
        task = self._loop.create_task(self._signal(call, pid, signal))
        self._signals.add(task)
        task.add_done_callback(self._signals.discard)
        return True

    async def _signal(self, call: int, pid: int, signal: int) -> None:
        """Send what a program sends that its kernel cannot, and say how that went."""
        try:
            await self._pass_on(pid, signal)
            code = 0
        except OneOSError as error:
            code = error.errno or errno.EIO
        except OSError as error:
            code = error.errno or errno.EIO
        with contextlib.suppress(OSError):
            words = (word.to_bytes(WORD, "little") for word in (call, code))
            self._sock.send(KILL + b"".join(words))

    async def keep(self, pid: int) -> None:
        """Have it keep how a program ends that a warm interpreter forks for it. Raises OSError."""
        request = KEEP + pid.to_bytes(WORD, "little", signed=True)
        await self._answer(self._ask(request, KEEP), STARTER_ANSWER_S)
        self._children += 1

    def _kill(self) -> None:
        self._process.kill()
        self._gone = asyncio.ensure_future(self._wait())

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STARTER_ANSWER_S):
                await self._process.ended()
        self._process.close()

    async def closed(self) -> None:
        """Return when its process is gone; `end` comes before."""
        if self._gone is not None:
            await self._gone
