"""Warm starts of Python programs: which programs, by which interpreter, and when there is one.

The first Python program of a host starts cold and has a warm interpreter started beside it; a host
that runs none has none. It stands for programs of one interpreter file and one locale. When the
file changes, programs of another locale come, or it dies, the next start is cold and another one is
started, so often in a minute and no more. A replaced one stays until what it forked has ended.
`zygote.py` is one of them; what a program sees is decided in `guest/python/zygote.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from oneos.guest import launch_python
from oneos.limits import (
    ZYGOTE_REQUEST_BYTES_MAX,
    ZYGOTE_STARTS_AFTER_S,
    ZYGOTE_STARTS_MAX,
    ZYGOTE_STARTS_WINDOW_S,
)
from oneos.runtime.forker import Forked
from oneos.runtime.zygote import Zygote

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a warm interpreter stands for: a file as it is now, and a locale."""

    interpreter: bytes
    files: tuple[tuple[int, ...], ...]
    locale: tuple[tuple[bytes, bytes], ...]


class Warmth:
    """See the module."""

    def __init__(self) -> None:
        self._zygote: Zygote | None = None
        self._kind: Kind | None = None
        self._all: set[Zygote] = set()
        self._starts: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def zygote(self) -> Zygote | None:
        """The warm interpreter for the next program, if there is one; it may not be ready."""
        return self._zygote

    async def start(
        self,
        argv: Sequence[bytes],
        own: Mapping[bytes, bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        umask: int,
        note: Callable[[int], None],
    ) -> Forked | None:
        """Start a Python program, if that can be done warm.

        Args:
            argv: its command line for a cold start.
            own: the environment that it is to see.
            environment: the one for a cold start.
            fds: its standard descriptors.
            umask: its file mode creation mask.
            note: told its PID on this host before it runs; it runs only if that returns.

        Returns:
            None when it has to start cold; nothing of it has run then.

        Raises:
            OneOSError: from `note`.
        """
        if not hasattr(os, "pidfd_open") or not launch_python.may_be_warm(argv, own):
            return None
        identity = identity_of(argv, environment, umask)
        kind = kind_of(argv[0], own)
        if kind is None or len(identity) > ZYGOTE_REQUEST_BYTES_MAX:
            return None
        zygote = self._zygote
        if zygote is None or self._kind != kind:
            self._renew_soon(kind)
            return None
        if not zygote.ready:
            return None
        try:
            return await start_by(zygote, identity, fds, note)
        except OSError as error:
            log.warning("a program starts cold: %s", error)
            return None

    def _renew_soon(self, kind: Kind) -> None:
        """Start another one, but not before the program that starts cold is on its way."""
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ZYGOTE_STARTS_AFTER_S, self._renew, kind)

    def _renew(self, kind: Kind) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._starts and self._starts[0] < now - ZYGOTE_STARTS_WINDOW_S:
            self._starts.popleft()
        if self._closed or len(self._starts) >= ZYGOTE_STARTS_MAX:
            return
        self._starts.append(now)
        replaced, self._zygote, self._kind = self._zygote, None, kind
        if replaced is not None:
            replaced.retire()
        environment = {b"PATH": os.fsencode(os.environ.get("PATH", os.defpath))}
        try:
            zygote = Zygote(kind.interpreter, environment | dict(kind.locale), self._lost)
        except OSError as error:
            log.warning("no warm interpreter: %s", error)
            return
        self._zygote = zygote
        self._all.add(zygote)
        task = asyncio.create_task(_until_ready(zygote), name="warm interpreter")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lost(self, zygote: Zygote) -> None:
        self._all.discard(zygote)
        if zygote is self._zygote:
            self._zygote = None
            if self._kind is not None:
                self._renew_soon(self._kind)

    async def close(self) -> None:
        """End the warm interpreters; what they forked is to have ended before."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        ending = list(self._all)
        for zygote in ending:
            zygote.end()
        for zygote in ending:
            await zygote.closed()
        if self._tasks:
            await asyncio.wait(self._tasks)


def identity_of(
    argv: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    umask: int,
    foreign: bool | list[bytes] = False,
) -> bytes:
    """Who a program is, as it is told; `foreign`: by exec, since it can be no fork; in the name
    space that it is in, in a directory, with more that it has to know there."""
    return msgspec.msgpack.encode([list(argv), list(environment.items()), umask, foreign])


async def start_by(
    zygote: Zygote,
    identity: bytes,
    fds: Sequence[int],
    note: Callable[[int], None],
    *words: int,
    where: bytes = b"",
) -> Forked:
    """Start a program as a child of a warm interpreter.

    Args:
        identity: who it is; see docs/guest-protocol.md.
        fds: its standard descriptors.
        note: told its PID on this host before it runs; it runs only if that returns.
        words, where: the job that it belongs to, for one that leads a session; and for a program
            of the name space its number and place there.

    Raises:
        OSError: it could not; nothing of the program has run then.
        OneOSError: from `note`.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            child = await zygote.fork([*fds, theirs.fileno()], *words, where=where)
        forked = None
        try:
            forked = child.watch()
            note(child.number)
            ours.setblocking(False)
            ours.send(identity, socket.MSG_NOSIGNAL)
        except BaseException:
            if forked is not None:
                forked.watched.close()
            # It waits for what will not come, and so ends.
            ours.close()
            child.give_up()
            raise
    return forked


async def _until_ready(zygote: Zygote) -> None:
    try:
        await zygote.until_ready()
    except OSError as error:
        log.warning("a warm interpreter did not start: %s", error)


def kind_of(interpreter: bytes, own: Mapping[bytes, bytes]) -> Kind | None:
    """What stands for a program; None where its interpreter is not there."""
    try:
        files = tuple(_stamp(path) for path in (interpreter, launch_python.BOOT))
    except OSError:
        return None
    return Kind(interpreter, files, tuple(launch_python.locale_of(own).items()))


def _stamp(path: str | bytes) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
