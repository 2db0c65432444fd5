"""One warm interpreter, as the Runtime has it.

A child of it waits for its identity, which the Runtime sends to it alone once it is watched and
written down; a start that is given up closes that socket instead, and the child ends before it has
done anything. So no program runs twice, and none unseen. Which programs start so, and when there is
a warm interpreter, is decided in `warmth.py`; how it is asked, in `forker.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Callable, Mapping

from oneos.guest import launch_python
from oneos.limits import ZYGOTE_ANSWER_S, ZYGOTE_READY_S
from oneos.runtime.forker import READY, Forker


class Zygote(Forker):
    """See the module.

    Args:
        interpreter: path of the host's interpreter.
        environment: with which it is executed.
        lost: called once when it has ended or was ended.
        terminal: the one whose session it leads; it stays open here. -1: none.

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
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
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
            ours.close()
            raise
        finally:
            theirs.close()
        name = f"the warm interpreter (process {self.os_pid})"
        super().__init__(ours, name, self.answer_s, lambda: lost(self))
        self._ready = self._expect(READY)

    @property
    def os_pid(self) -> int:
        """The host's PID of it."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        done = self._ready.done() and not self._ready.cancelled()
        return not self.over and done and self._ready.exception() is None

    async def until_ready(self) -> None:
        """Return when it can be asked. Raises OSError; then it has ended."""
        await self._answer(self._ready, ZYGOTE_READY_S)

    def _kill(self) -> None:
        """What it forked goes on."""
        self._process.kill()
        # A process that was killed is gone in a moment; only the kernel's own waits hold it up.
        self._loop.run_in_executor(None, self._process.wait)

    async def closed(self) -> None:
        """Return when its process is gone; `end` comes before."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ZYGOTE_ANSWER_S):
                await asyncio.to_thread(self._process.wait)
