"""A process that forks for the Runtime: asked over a socket to fork, and to wait for its children.

There are two kinds: a warm interpreter (`zygote.py`), and the first process of a name space
(`starter.py`). Either answers in the order of the requests, and nothing waits for it without a
bound: whoever gets no answer ends it. What a request to fork says, and to whom, is theirs.
"""

from __future__ import annotations

import array
import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oneos.runtime.watched import UNKNOWN_STATUS, Watched, os_pid_of, shell_status

log = logging.getLogger(__name__)

READY, FORK, REAP = b"+", b"F", b"R"
WORD = 4
_ANSWER_BYTES = 8192
"""The longest answer is what was typed at a terminal and not read: 4 KiB at most."""

Answer = asyncio.Future[tuple[bytes, int]]
"""What it says, behind the letter that it begins with; and the descriptor with that, or -1."""


def receive(sock: socket.socket, size: int, fds_max: int) -> tuple[bytes, list[int]]:
    """A message and the descriptors with it, which no program that is executed inherits.

    `socket.recv_fds` does not pass that flag on, in Python 3.11.

    Raises:
        OSError: as recvmsg(2) fails.
    """
    fds = array.array("i")
    flags = socket.MSG_CMSG_CLOEXEC
    data, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_LEN(fds_max * fds.itemsize), flags)
    for level, kind, raw in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(raw[: len(raw) - len(raw) % fds.itemsize])
    return data, list(fds)


def rights(fds: Sequence[int]) -> list[tuple[int, int, array.array[int]]]:
    """What has descriptors go with a message, if there are any."""
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []


class Forker:
    """See the module.

    Args:
        sock: to the process (SOCK_SEQPACKET); ours from now on.
        name: what it is, for the log.
        answer_s: within which it has to answer.
        lost: called once when it has ended or was ended.
    """

    def __init__(
        self, sock: socket.socket, name: str, answer_s: float, lost: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._name = name
        self._answer_s = answer_s
        self._lost = lost
        self._children = 0
        self._retired = False
        self.followers: list[Callable[[], None]] = []
        """Called when it has ended: what cannot go on without it."""
        self._answers: deque[tuple[bytes, Answer]] = deque()
        self._sock.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._readable)

    @property
    def over(self) -> bool:
        """Whether it has ended or was ended."""
        return self._sock.fileno() < 0

    async def fork(self, fds: Sequence[int], *words: int, where: bytes = b"") -> Child:
        """Have it fork.

        Args:
            fds: descriptors for the child.
            words: what else it has to know: the child's number, where that can be chosen; of one
                that leads a terminal's session, the job that the child belongs to.
            where: of such a one, the name space that the child is to be in; see `NameSpace.place`.

        Raises:
            OSError: it could not, or did not answer; in the latter case it has ended.
        """
        numbers = [word.to_bytes(WORD, "little", signed=True) for word in words]
        request = b"".join([FORK, *numbers, where])
        answer = self._ask(request, FORK, rights(fds))
        try:
            data, pidfd = await self._answer(answer, self._answer_s)
        except asyncio.CancelledError:
            answer.add_done_callback(self._unwanted)
            raise
        pid = number(data)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        self._children += 1
        return Child(self, pid, pidfd, number(data[WORD:]))

    def _unwanted(self, answer: Answer) -> None:
        """A child nobody waits for any more."""
        if answer.cancelled() or answer.exception() is not None:
            return
        data, pidfd = answer.result()
        if number(data) > 0:
            self._children += 1
            Child(self, number(data), pidfd).give_up()

    def reap(self, pid: int) -> Answer | None:
        """Have it wait for a child that has ended, or is about to; the answer is for `reaped`."""
        self._children -= 1
        try:
            return self._ask(REAP + pid.to_bytes(WORD, "little"), REAP)
        except OSError:
            return None
        finally:
            self._end_when_idle()

    async def reaped(self, answer: Answer | None) -> int:
        """The status of wait(2) that `reap` brought, or -1: nobody knows it any more."""
        if answer is None:
            return -1
        try:
            return number((await self._answer(answer, self._answer_s))[0])
        except OSError:
            return -1

    # --- asking ---------------------------------------------------------------------------------
    def _ask(
        self,
        request: bytes,
        kind: bytes,
        ancillary: Sequence[tuple[int, int, array.array[int]]] = (),
    ) -> Answer:
        if self.over:
            raise ConnectionError(f"{self._name} has ended")
        # When its socket is full it hangs, which is for the next one that waits for it to see.
        self._sock.sendmsg([request], ancillary)
        return self._expect(kind)

    def _expect(self, kind: bytes) -> Answer:
        """Its next answer."""
        answer: Answer = self._loop.create_future()
        self._answers.append((kind, answer))
        return answer

    async def _answer(self, answer: Answer, timeout_s: float) -> tuple[bytes, int]:
        try:
            # Shielded: the answer comes in any case, and has to be known as this one's.
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            log.warning("%s hangs: ending it", self._name)
            self.end()
            raise

    def _readable(self) -> None:
        try:
            data, fds = receive(self._sock, _ANSWER_BYTES, 1)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if data and self._heard(data):
            return
        if not data or not self._answers or self._answers[0][0] != data[:1]:
            self.end()
            return
        _, answer = self._answers.popleft()
        if not answer.done():
            answer.set_result((data[1:], fds[0] if fds else -1))
        self._end_when_idle()

    def _heard(self, data: bytes) -> bool:
        """Whether this is no answer, but something it says by itself."""
        return False

    # --- ending ---------------------------------------------------------------------------------
    def retire(self) -> None:
        """End it as soon as all that it forked has ended and was waited for."""
        self._retired = True
        self._end_when_idle()

    def _end_when_idle(self) -> None:
        if self._retired and not self._children and not self._answers:
            self.end()

    def end(self) -> None:
        """End it. Whoever waits for an answer gets ConnectionError."""
        if self.over:
            return
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._kill()
        while self._answers:
            _, answer = self._answers.popleft()
            if not answer.done():
                answer.set_exception(ConnectionError(f"{self._name} has ended"))
                # Nobody may be waiting for it.
                answer.exception()
        self._lost()
        for follow in list(self.followers):
            follow()

    def _kill(self) -> None:
        """Kill the process, and have it waited for."""
        raise NotImplementedError


@dataclass(slots=True)
class Child:
    """What was forked: its number where it was forked, a pidfd of it or -1, and its group."""

    forker: Forker
    number: int
    pidfd: int
    group: int = 0

    def watch(self) -> Forked:
        """It, watched from now on.

        Raises:
            OSError: out of descriptors.
        """
        if self.pidfd < 0:
            return Forked(Watched(self.number), self.forker, self.number, self.group)
        os_pid = os_pid_of(self.pidfd)
        pidfd, self.pidfd = self.pidfd, -1
        return Forked(Watched(os_pid, pidfd), self.forker, self.number, self.group)

    def give_up(self) -> None:
        """End what nobody watches, and have it waited for."""
        if self.pidfd >= 0:
            watched = Watched(0, self.pidfd)
            watched.kill()
            watched.close()
        self.forker.reap(self.number)


@dataclass(frozen=True, slots=True)
class Forked:
    """A program that was forked, and is watched."""

    watched: Watched
    forker: Forker
    number: int
    group: int = 0

    async def ended(self) -> None:
        """Return when it has ended."""
        await self.watched.ended()

    async def status(self) -> int:
        """How it ended, as sh has it: by the kernel, else by who waited for it."""
        status = self.watched.status()
        self.watched.close()
        answer = self.forker.reap(self.number)
        if status is None:
            raw = await self.forker.reaped(answer)
            status = shell_status(raw) if raw >= 0 else UNKNOWN_STATUS
        return status


def number(data: bytes) -> int:
    """The number that an answer begins with; 0 where there is none."""
    return int.from_bytes(data[:WORD], "little", signed=True)
