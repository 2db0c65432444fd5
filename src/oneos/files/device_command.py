"""Runs the command behind a device, once for each opener.

The command's own pipe is handed to the opener, so its bytes do not pass through the Runtime; only
where a rate is set are they read here and paced line by line. A command that is read ends with its
opener; one that is written to sees the end of its input and finishes by itself. It runs with the
signals every program expects, in a process group of its own, and is always reaped; a failure and
what it said last are logged.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable

from oneos.files.device_paths import unusable
from oneos.files.line_pacer import ReaderGone, pace_lines, readable, reader_gone
from oneos.limits import DEVICE_GRACE_S, DEVICE_LAST_WORDS_S, DEVICE_STDERR_BYTES_MAX

log = logging.getLogger(__name__)

_RESET = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD)


class Command:
    """One run of a device's command. Make it with `start`.

    `fd` is the opener's end of the pipe; who takes it closes it. `ended` is done when the process
    is reaped.
    """

    def __init__(self, shown: str, process: asyncio.subprocess.Process, fd: int) -> None:
        self.shown = shown
        self.fd = fd
        self._process = process
        self._last_words = b""
        self._stopping = False
        self.ended: asyncio.Task[int]

    @classmethod
    async def start(
        cls, words: list[str], directory: str, shown: str, write: bool, rate_hz: float
    ) -> Command:
        """Start the command.

        Args:
            words: the program and its arguments.
            directory: where it runs.
            shown: the device's name in the tree, for messages.
            write: the opener writes to it; otherwise reads from it.
            rate_hz: lines a second at most, or 0.

        Raises:
            FileError: it cannot be started.
        """
        outlet, inlet = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                cwd=directory or None,
                stdin=outlet if write else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL if write else inlet,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                preexec_fn=_reset_signals(),
            )
        except OSError as error:
            os.close(outlet)
            os.close(inlet)
            if not os.path.isdir(directory or "."):
                raise unusable(error, directory, shown) from None
            raise unusable(error, words[0], shown, "is it installed") from None
        self = cls(shown, process, inlet if write else outlet)
        if write:
            os.close(outlet)
            self.ended = asyncio.create_task(self._watch(None))
        elif rate_hz:
            # The command's pipe ends here, and the opener gets one that is paced.
            os.close(inlet)
            self.fd, paced = os.pipe()
            self.ended = asyncio.create_task(self._pace(outlet, paced, rate_hz))
        else:
            self.ended = asyncio.create_task(self._watch(inlet))
        return self

    async def stop(self) -> None:
        """End the command if it runs still, and wait until it is reaped."""
        if not self.ended.done():
            await self._terminate(self.ended)

    async def _watch(self, inlet: int | None) -> int:
        """Wait for the end; a reader that goes away ends the command.

        Args:
            inlet: our copy of the pipe's write end, by which a lost reader is seen; closed with
                the process, so that the end of the file comes then.
        """
        waiting = asyncio.create_task(self._reaped())
        if inlet is None:
            return await waiting
        gone = asyncio.create_task(reader_gone(inlet))
        try:
            await asyncio.wait([waiting, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            os.close(inlet)
        if not waiting.done():
            await self._terminate(waiting)
        return await waiting

    async def _pace(self, outlet: int, paced: int, rate_hz: float) -> int:
        """Pass the command's lines on at the rate, then wait for its end."""
        waiting = asyncio.create_task(self._reaped())
        os.set_blocking(outlet, False)

        async def read(size: int) -> bytes:
            while True:
                try:
                    return os.read(outlet, size)
                except BlockingIOError:
                    await readable(outlet)

        pacing = asyncio.create_task(pace_lines(read, paced, rate_hz))
        gone = asyncio.create_task(reader_gone(paced))
        try:
            await asyncio.wait([pacing, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pacing, gone):
                task.cancel()
            results = await asyncio.gather(pacing, gone, return_exceptions=True)
            os.close(outlet)
            os.close(paced)
        failure = results[0]
        if isinstance(failure, Exception) and not isinstance(failure, ReaderGone):
            log.error("%s: cannot pass its readings on: %s", self.shown, failure)
        # After the end of its readings the command may have things to do; nobody waits for them.
        if failure is not None and not waiting.done():
            await self._terminate(waiting)
        return await waiting

    async def _terminate(self, ending: asyncio.Task[int]) -> None:
        """Ask the command to end, then make it, and wait for `ending`."""
        self._stopping = True
        self._signal(signal.SIGTERM)
        done, _ = await asyncio.wait([ending], timeout=DEVICE_GRACE_S)
        if not done:
            self._signal(signal.SIGKILL)
            await asyncio.wait([ending])

    async def _reaped(self) -> int:
        """Keep the last words, wait for the end, and say if it was a bad one."""
        errors = self._process.stderr
        assert errors is not None
        listening = asyncio.create_task(self._listen(errors))
        status = await self._process.wait()
        # A grandchild may hold standard error open for ever; what is there now is enough.
        await asyncio.wait([listening], timeout=DEVICE_LAST_WORDS_S)
        listening.cancel()
        expected = self._stopping or status == -signal.SIGPIPE
        if status and not expected:
            how = f"signal {-status}" if status < 0 else f"status {status}"
            words = self._last_words.decode("utf-8", "replace").strip().replace("\n", " | ")
            log.warning("%s: its command ended with %s: %s", self.shown, how, words or "no message")
        return status

    async def _listen(self, errors: asyncio.StreamReader) -> None:
        while block := await errors.read(DEVICE_STDERR_BYTES_MAX):
            self._last_words = (self._last_words + block)[-DEVICE_STDERR_BYTES_MAX:]

    def _signal(self, number: signal.Signals) -> None:
        """Signal the command with all it started; a no-op once it is reaped."""
        if self._process.returncode is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass


def _reset_signals() -> Callable[[], None] | None:
    """What the child has to do before exec, so that no signal is ignored in it.

    A handler of ours is gone with exec, and Python restores SIGPIPE itself; only what the Runtime
    was started to ignore would be inherited. In the common case there is nothing, and the cheaper
    way to start a process can be taken.
    """
    ignored = [number for number in _RESET if signal.getsignal(number) is signal.SIG_IGN]
    if not ignored:
        return None

    def reset() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_DFL)

    return reset
