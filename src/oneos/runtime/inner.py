"""Warm interpreters of the name space: plain ones, that fork plain Python programs there.

The first Python program of the name space starts cold and has a warm interpreter started beside it,
as `warmth.py` has outside; so does the first of each terminal, whose programs are to be of its
session. What one forks is not its own child but its parent's: of the process that starts programs
there, or of the terminal's. It ends when no program was started by it for a while; what it forked
goes on. What a program sees is decided in `guest/python/plain.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oneos.errors import OneOSError
from oneos.guest import launch_python
from oneos.limits import (
    INNER_MAX,
    INNER_REST_S,
    INNER_STARTS_MAX,
    ZYGOTE_ANSWER_S,
    ZYGOTE_READY_S,
    ZYGOTE_REQUEST_BYTES_MAX,
    ZYGOTE_STARTS_AFTER_S,
    ZYGOTE_STARTS_WINDOW_S,
)
from oneos.local.file_process import TERMINALS
from oneos.runtime.forker import FORK, READY, WORD, Forked, Forker, number, rights
from oneos.runtime.movable import Movable
from oneos.runtime.warmth import Kind, identity_of, kind_of
from oneos.runtime.watched import Watched, os_pid_of

log = logging.getLogger(__name__)

_BOOT = """
import sys
loaded = set(sys.modules)
import _socket
sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, 0)
text, rights, _, _ = sock.recvmsg(1 << 18, _socket.CMSG_SPACE(4))
texts = text.split(b"\\0")
sock.detach()
space = {"__name__": "oneos"}
exec(compile(texts[0], "<oneos>", "exec"), space)
try:
    fds = [int.from_bytes(right[2], sys.byteorder) for right in rights]
    space["main"](loaded, texts[1:], *fds)
except BaseException:
    setattr(
        __import__("sys").exception(),
        "__traceback__",
        __import__("sys").exception().__traceback__.tb_next,
    )
    raise
"""
"""What it is executed with; it runs in the module that becomes the program's, and leaves nothing
there. The texts cannot be files: the name space does not show where they lie."""

_PACKAGE = Path(__file__).parents[1]
_TEXTS = (
    "guest/python/plain.py",
    "fuse/calls.py",
    "guest/python/start.py",
    "guest/python/codec.py",
    "guest/python/renewed.py",
)


@dataclass(frozen=True, slots=True)
class Site:
    """Where a program is to start: in the name space, at a terminal or at none.

    Attributes:
        parent: whose child it becomes.
        execute: executes a command line there, with an environment and descriptors.
        adopt: tells the parent of a child, by its numbers there and on this host, before that runs;
            its process group, 0: one of its own.
        by_own: whether the parent knows a child by its number there.
        space: stands for the name space; with it that is over.
    """

    parent: Forker
    space: Forker
    execute: Callable[
        [Sequence[bytes], Mapping[bytes, bytes], Sequence[int]], Awaitable[Forked | None]
    ]
    adopt: Callable[[int, int], Awaitable[int]]
    by_own: bool


class Inner(Forker):
    """One warm interpreter.

    Args:
        sock: to it; ours from now on.
        process: it.
        lost: called once when it has ended or was ended.
        can_move: whether its programs can.
    """

    def __init__(
        self,
        sock: socket.socket,
        process: Forked,
        lost: Callable[[Inner], None],
        can_move: bool,
    ) -> None:
        name = f"the warm interpreter of the name space (process {process.watched.os_pid})"
        super().__init__(sock, name, ZYGOTE_ANSWER_S, lambda: lost(self))
        self._process = process
        self.gone: asyncio.Task[None] | None = None
        self.can_move = can_move
        self.number = 0
        """Its own number in the name space, once it is ready."""
        self._greeting = self._expect(READY)

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return not self.over and self.number > 0

    async def until_ready(self) -> None:
        """Return when it can be asked. Raises OSError; then it has ended."""
        self.number = number((await self._answer(self._greeting, ZYGOTE_READY_S))[0])

    async def copy(self, pid: int, fds: Sequence[int]) -> Watched:
        """Have it fork a child with a number, which waits to be told who it is.

        Raises:
            OSError: it could not.
        """
        request = FORK + pid.to_bytes(WORD, "little", signed=True)
        data, pidfd = await self._answer(self._ask(request, FORK, rights(fds)), self._answer_s)
        if number(data) < 0:
            raise OSError(-number(data), os.strerror(-number(data)))
        return Watched(os_pid_of(pidfd), pidfd)

    def _kill(self) -> None:
        self._process.watched.kill()
        self.gone = asyncio.ensure_future(self._reap())

    async def _reap(self) -> None:
        await self._process.ended()
        await self._process.status()


class Inners:
    """See the module.

    Args:
        movable: what lets programs move.
        seed: of the hashes of strings, which is the same on all hosts: a dictionary that moves
            has to find its keys.
    """

    def __init__(self, movable: Movable, seed: Callable[[], int]) -> None:
        self._movable = movable
        self._seed = seed
        self._kept: dict[tuple[Forker, Forker], tuple[Kind, Inner]] = {}
        self._rests: dict[Inner, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._making: dict[tuple[Forker, Forker], asyncio.Task[None]] = {}
        self._starts: deque[float] = deque()
        self._closed = False

    def numbers(self) -> set[int]:
        """Those of the warm interpreters in the name space, which are no programs."""
        return {inner.number for _, inner in self._kept.values()}

    async def start(
        self,
        site: Site,
        pid: int,
        cwd: bytes,
        argv: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        umask: int,
        note: Callable[[int], None],
        more: Sequence[int] = (),
        files: Sequence[bytes] = (),
    ) -> Forked | None:
        """Start a Python program, if that can be done warm.

        Args:
            site: where.
            pid: its number there.
            cwd: its directory there.
            argv, environment: what a cold start executes there.
            fds: its standard descriptors.
            umask: its mask for new files' modes.
            note: told its PID on this host before it runs; it runs only if that returns.
            more: the socket by which it is asked to move; then what it goes on from.
            files: its standard descriptors that it opens by itself, as `movable.told` has them.

        Returns:
            None when it has to start cold; nothing of it has run then.

        Raises:
            OneOSError: from `note`.
        """
        wrapped = launch_python.command(os.fsdecode(argv[0]), argv[1:])
        # Only root may choose numbers without what a program must not have.
        if os.getuid() or not pid or not launch_python.may_be_warm(wrapped, environment):
            return None
        identity = identity_of(argv, environment, umask, [cwd, os.fsencode(TERMINALS), *files])
        kind = kind_of(argv[0], environment)
        if kind is None or len(identity) > ZYGOTE_REQUEST_BYTES_MAX:
            return None
        known, inner = self._kept.get((site.parent, site.space), (None, None))
        can_move = self._movable.extension >= 0
        if inner is not None and inner.can_move != can_move:
            # It started before there was the extension.
            inner.end()
        if inner is None or inner.over or known != kind or not inner.ready:
            making = self._make_soon(site, kind, at_once=bool(more))
            if making is None or not more:
                return None
            # One that is to be able to move starts warm, also the first.
            await asyncio.wait((making,), timeout=ZYGOTE_READY_S)
            known, inner = self._kept.get((site.parent, site.space), (None, None))
            if inner is None or known != kind or not inner.ready:
                return None
        self._rest_later(inner)
        try:
            return await self._start_by(inner, site, pid, identity, fds, note, more)
        except OSError as error:
            log.warning("a program starts cold: %s", error)
            return None

    async def _start_by(
        self,
        inner: Inner,
        site: Site,
        pid: int,
        identity: bytes,
        fds: Sequence[int],
        note: Callable[[int], None],
        more: Sequence[int],
    ) -> Forked:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                watched = await inner.copy(pid, [*fds, theirs.fileno()])
            forked = None
            try:
                group = await site.adopt(pid, watched.os_pid)
                known_as = pid if site.by_own else watched.os_pid
                forked = Forked(watched, site.parent, known_as, group)
                note(watched.os_pid)
                ours.setblocking(False)
                ours.sendmsg([identity], rights(more), socket.MSG_NOSIGNAL)
            except BaseException:
                # It waits for what will not come, and so ends.
                watched.kill()
                if forked is not None:
                    site.parent.reap(forked.number)
                watched.close()
                raise
        return forked

    # --- one of them ----------------------------------------------------------------------------
    def _make_soon(self, site: Site, kind: Kind, at_once: bool) -> asyncio.Task[None] | None:
        """Make one; returns who does, None: there is to be none.

        Args:
            at_once: a program waits for it; else it is made when the one that starts cold is on
                its way.
        """
        key = (site.parent, site.space)
        if key in self._making:
            return self._making[key]
        for (parent, space), (_, inner) in list(self._kept.items()):
            if parent.over or space.over or parent is site.parent:
                inner.end()
        if self._closed or len(self._kept) >= INNER_MAX:
            return None
        now = asyncio.get_running_loop().time()
        while self._starts and self._starts[0] < now - ZYGOTE_STARTS_WINDOW_S:
            self._starts.popleft()
        if len(self._starts) >= INNER_STARTS_MAX:
            return None
        self._starts.append(now)
        pause_s = 0.0 if at_once else ZYGOTE_STARTS_AFTER_S
        task = asyncio.create_task(self._make(site, kind, pause_s), name="warm interpreter inside")
        self._making[key] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _make(self, site: Site, kind: Kind, pause_s: float) -> None:
        try:
            await asyncio.sleep(pause_s)
            inner = await self._execute(site, kind)
            if inner is None:
                return
            self._kept[site.parent, site.space] = (kind, inner)
            self._rest_later(inner)
            site.parent.followers.append(inner.end)
            await inner.until_ready()
        except (OSError, OneOSError) as error:
            log.warning("no warm interpreter in the name space: %s", error)
        finally:
            self._making.pop((site.parent, site.space), None)

    async def _execute(self, site: Site, kind: Kind) -> Inner | None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        seed = b"%d" % self._seed()
        environment = {b"PATH": b"/usr/bin:/bin", b"PYTHONHASHSEED": seed, **dict(kind.locale)}
        command = [kind.interpreter, b"-S", b"-c", _BOOT.encode()]
        try:
            texts = b"\0".join((_PACKAGE / name).read_bytes() for name in _TEXTS)
            extension = self._movable.extension
            ours.sendmsg([texts], rights([extension] if extension >= 0 else []))
            with theirs, open(os.devnull, "wb") as null:
                fds = [theirs.fileno(), null.fileno(), null.fileno()]
                process = await site.execute(command, environment, fds)
            if process is None:
                ours.close()
                return None
            return Inner(ours, process, self._lost, extension >= 0)
        except BaseException:
            ours.close()
            raise

    def _rest_later(self, inner: Inner) -> None:
        if (timer := self._rests.pop(inner, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._rests[inner] = loop.call_later(INNER_REST_S, inner.end)

    def _lost(self, inner: Inner) -> None:
        for parent, _ in self._kept:
            if inner.end in parent.followers:
                parent.followers.remove(inner.end)
        if (timer := self._rests.pop(inner, None)) is not None:
            timer.cancel()
        for key, (_, kept) in list(self._kept.items()):
            if kept is inner:
                del self._kept[key]

    async def close(self) -> None:
        """End them all; what they forked is to have ended before."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        ending = [inner for _, inner in self._kept.values()]
        for inner in ending:
            inner.end()
        gone = [inner.gone for inner in ending if inner.gone is not None]
        if gone:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ZYGOTE_ANSWER_S):
                    await asyncio.wait(gone)
