"""One warm interpreter, as the Runtime has it: asked to fork, and to wait for what it forked.

It answers in the order of the requests. Nothing waits for it without a bound: whoever gets no
answer ends it. A child of it waits for its identity, which the Runtime sends to it alone once it
is watched and written down; a start that is given up closes that socket instead, and the child ends
before it has done anything. So no program runs twice, and none unseen. Which programs start so,
and when there is a warm interpreter, is decided in `warmth.py`.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import os
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from oneos.guest import launch_python
from oneos.limits import ZYGOTE_ANSWER_S, ZYGOTE_READY_S

log = logging.getLogger(__name__)

_READY, _FORK, _REAP = b"+", b"F", b"R"
_WORD = 4
_ANSWER_BYTES = 8192
"""The longest answer is what was typed at a terminal and not read: 4 KiB at most."""


class Zygote:
    """See the module.

    Args:
        interpreter: path of the host's interpreter.
        environment: with which it is executed.
        lost: called once when it has ended or was ended.
        terminal: of the session that it is to lead; -1: none. Stays open here.

    Raises:
        OSError: it could not be started.
    """

    answer_s = ZYGOTE_ANSWER_S

    def __init__(
        self,
        interpreter: bytes,
        environment: Mapping[bytes, bytes],
        lost: Callable[[Zygote], None],
        terminal: int = -1,
    ) -> None:
        self._lost = lost
        self._children = 0
        self._retired = False
        self._answers: deque[tuple[bytes, asyncio.Future[bytes]]] = deque()
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._sock.setblocking(False)
            given = [theirs.fileno()] if terminal < 0 else [theirs.fileno(), terminal]
            # As programs are started, so that a child finds signals, mask and directory the same.
            self._process = subprocess.Popen(
                launch_python.warm_command(interpreter, *given),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                cwd="/",
                process_group=0 if terminal < 0 else None,
                start_new_session=terminal >= 0,
                restore_signals=True,
                pass_fds=given,
            )
        except BaseException:
            self._sock.close()
            raise
        finally:
            theirs.close()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), self._readable)
        self._ready = self._expect(_READY)

    @property
    def os_pid(self) -> int:
        """The host's PID of it."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        done = self._ready.done() and not self._ready.cancelled()
        return not self.over and done and self._ready.exception() is None

    @property
    def over(self) -> bool:
        """Whether it has ended or was ended."""
        return self._sock.fileno() < 0

    async def until_ready(self) -> None:
        """Return when it can be asked. Raises OSError; then it has ended."""
        await self._answer(self._ready, ZYGOTE_READY_S)

    async def fork(self, fds: Sequence[int], private: int, words: bytes = b"") -> tuple[int, int]:
        """Have it fork.

        Args:
            fds: the child's standard descriptors.
            private: the child's end of the socket through which it learns who it is.
            words: of one that leads a session: the job that the child belongs to.

        Returns:
            The child's PID on this host, and that of its process group. It is there until `reap`,
            dead or alive.

        Raises:
            OSError: it could not, or did not answer; in the latter case it has ended.
        """
        rights = array.array("i", [*fds, private])
        answer = self._ask(_FORK + words, _FORK, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        try:
            data = await self._answer(answer, self.answer_s)
        except asyncio.CancelledError:
            answer.add_done_callback(self._unwanted)
            raise
        pid = _number(data)
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        self._children += 1
        return pid, _number(data[_WORD:])

    def _unwanted(self, answer: asyncio.Future[bytes]) -> None:
        """A child nobody waits for any more: its private socket has ended, and so it will."""
        if not answer.cancelled() and answer.exception() is None and _number(answer.result()) > 0:
            self._children += 1
            self.reap(_number(answer.result()))

    def reap(self, pid: int) -> asyncio.Future[bytes] | None:
        """Have it wait for a child that has ended, or is about to; the answer is for `reaped`."""
        self._children -= 1
        try:
            return self._ask(_REAP + pid.to_bytes(_WORD, "little"), _REAP)
        except OSError:
            return None
        finally:
            self._end_when_idle()

    async def reaped(self, answer: asyncio.Future[bytes] | None) -> int:
        """The status of wait(2) that `reap` brought, or -1: nobody knows it any more."""
        if answer is None:
            return -1
        try:
            return _number(await self._answer(answer, self.answer_s))
        except OSError:
            return -1

    # --- asking ---------------------------------------------------------------------------------
    def _ask(
        self,
        request: bytes,
        kind: bytes,
        ancillary: Sequence[tuple[int, int, array.array[int]]] = (),
    ) -> asyncio.Future[bytes]:
        if self.over:
            raise ConnectionError("the warm interpreter has ended")
        # When its socket is full it hangs, which is for the next one that waits for it to see.
        self._sock.sendmsg([request], ancillary)
        return self._expect(kind)

    def _expect(self, kind: bytes) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answers.append((kind, answer))
        return answer

    async def _answer(self, answer: asyncio.Future[bytes], timeout_s: float) -> bytes:
        try:
            # Shielded: the answer comes in any case, and has to be known as this one's.
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            log.warning("the warm interpreter (process %d) hangs: ending it", self.os_pid)
            self.end()
            raise

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and self._heard(data):
            return
        if not data or not self._answers or self._answers[0][0] != data[:1]:
            self.end()
            return
        _, answer = self._answers.popleft()
        if not answer.done():
            answer.set_result(data[1:])
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
        """End it; what it forked goes on. Whoever waits for an answer gets ConnectionError."""
        if self.over:
            return
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
        self._process.kill()
        # A process that was killed is gone in a moment; only the kernel's own waits hold it up.
        self._loop.run_in_executor(None, self._process.wait)
        while self._answers:
            _, answer = self._answers.popleft()
            if not answer.done():
                answer.set_exception(ConnectionError("the warm interpreter has ended"))
                # Nobody may be waiting for it.
                answer.exception()
        self._lost(self)

    async def closed(self) -> None:
        """Return when its process is gone; `end` comes before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ZYGOTE_ANSWER_S):
                await asyncio.to_thread(self._process.wait)


def _number(answer: bytes) -> int:
    return int.from_bytes(answer[:_WORD], "little", signed=True)
