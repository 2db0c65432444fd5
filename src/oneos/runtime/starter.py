"""The process that starts programs in a name space, as the Runtime has it.

With it end all programs of the name space, where that has PIDs of its own; so it is ended only when
it hangs, or when nobody needs it. What it does is decided in `fuse/first.py`; how it is asked, in
`forker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence

from oneos.limits import STARTER_ANSWER_S
from oneos.runtime.forker import WORD, Forked, Forker
from oneos.runtime.watched import Watched

_KEEP = b"K"


class Starter(Forker):
    """See the module.

    Args:
        sock: to it; ours from now on.
        pidfd: of it; ours from now on.
        lost: called once when it has ended or was ended.
    """

    def __init__(self, sock: socket.socket, pidfd: int, lost: Callable[[Starter], None]) -> None:
        name = "the process that starts programs"
        super().__init__(sock, name, STARTER_ANSWER_S, lambda: lost(self))
        self._process = Watched(0, pidfd)
        self._gone: asyncio.Future[None] | None = None

    async def start(
        self,
        pid: int,
        cwd: bytes,
        umask: int,
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
    ) -> Forked:
        """Start a program.

        Args:
            pid: its number, where programs here have the network's.
            cwd: its directory, in the name space.
            umask: its mask for new files' modes.
            argv: its command line; the first word is looked for along its PATH.
            environment: what it sees.
            fds: its standard descriptors.

        Raises:
            ValueError: there is a NUL byte in what no kernel takes one in.
            OSError: it could not be started. What cannot be executed ends as in sh instead.
        """
        variables = [name + b"=" + value for name, value in environment.items()]
        words = [cwd, b"%d" % umask, b"%d" % len(argv), *argv, *variables]
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

    async def keep(self, pid: int) -> None:
        """Have it keep how a program ends that a warm interpreter forks for it. Raises OSError."""
        request = _KEEP + pid.to_bytes(WORD, "little", signed=True)
        await self._answer(self._ask(request, _KEEP), STARTER_ANSWER_S)
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
