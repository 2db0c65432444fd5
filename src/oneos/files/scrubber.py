"""Reads all chunks of this host again and again, little by little, to find what has rotted.

What is due when, `storage.scrub` says; this reads it in one thread whose turn at the disk comes
last, and keeps the place in a file. A damaged chunk is put aside by whoever finds it, here or in
any other read; the Storage service is then asked to compare what this host holds with the index,
and has it fetch the chunk from another host (`kernel.audit`). A check that a person waits for reads
chunks here, too.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import psutil

from oneos.errors import FileError, OneOSError
from oneos.kernel import messages as m
from oneos.limits import SCRUB_STEP_S, SCRUB_STEP_S_MIN, SERVICE_RETRY_S
from oneos.net.routes import Peer, Routes
from oneos.storage.chunks import ChunkStore
from oneos.storage.scrub import Progress, key, pause_s

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

DAY_S = 86_400.0
STEPS = 10_000
"""Of a pass, where that makes them longer than the shortest and shorter than the longest."""


class Scrubber:
    """See the module.

    Args:
        chunks: the chunks on this host's disk.
        path: of the file that keeps the place.
        days: in which all are read once; 0 for never.
        report: asks the Storage service to look at this host.
    """

    def __init__(
        self, chunks: ChunkStore, path: str, days: float, report: Callable[[], Awaitable[object]]
    ) -> None:
        self._chunks = chunks
        self._path = path
        self._period_s = days * DAY_S
        self._report = report
        self._thread = ThreadPoolExecutor(1, "scrub", initializer=_idle)
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._saved: tuple[int, int, int, int] | None = None
        self._saved_s = time.monotonic()
        self.progress = Progress.load(path, time.time())
        damage = chunks.damage
        # Before anything is read, so that nothing found since is lost.
        damage.found += self.progress.found
        damage.repaired += self.progress.repaired

    @property
    def damage(self) -> tuple[int, int]:
        """How many chunks were found damaged here ever, and how many of them made good."""
        return self._chunks.damage.found, self._chunks.damage.repaired

    def serve(self, routes: Routes) -> None:
        """Answer a check's `chunk.*`."""
        routes.add("chunk.verify", self._on_verify, m.ChunkList)
        routes.add("chunk.leftovers", self._on_leftovers, m.ChunkLeftovers, finish=True)

    def start(self) -> None:
        """Begin, or go on where the last life ended."""
        loop = asyncio.get_running_loop()

        def found() -> None:
            try:
                loop.call_soon_threadsafe(self._news.set)
            except RuntimeError:
                # The loop has ended, and all is looked at when the next life arrives.
                pass

        self._chunks.damage.on_found = found
        self._task = asyncio.create_task(self._run(), name="scrub")

    async def close(self) -> None:
        """Stop, and keep the place."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        self._thread.shutdown(wait=True)
        try:
            self._save()
        except OSError as error:
            log.warning("how far reading chunks again has come is not kept: %s", error)

    # --- reading ------------------------------------------------------------------------------
    async def _run(self) -> None:
        step_s = min(max(self._period_s / STEPS, SCRUB_STEP_S_MIN), SCRUB_STEP_S)
        while True:
            try:
                if self._period_s:
                    await self._read_due()
                await self._tell()
                await self._in_thread(self._save)
            except OSError as error:
                # The disk is gone, or full: the next step looks again.
                log.warning("chunks are not read again for now: %s", error)
            except Exception:
                log.exception("a step of reading chunks again failed")
            try:
                async with asyncio.timeout(step_s if self._period_s else SCRUB_STEP_S):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _read_due(self) -> None:
        low, high = self.progress.window(self._period_s, time.time())
        if low == high:
            return
        for first in range(low >> 24, (high - 1 >> 24) + 1):
            for digest in await self._in_thread(self._names, first):
                if not low <= key(digest) < high:
                    continue
                size, taken_s = await self._in_thread(self._check, digest)
                self.progress.place = key(digest)
                await asyncio.sleep(pause_s(size, taken_s))
                await self._tell()
                if time.monotonic() - self._saved_s > SCRUB_STEP_S:
                    await self._in_thread(self._save)
        self.progress.done(high, time.time())

    def _names(self, first: int) -> list[bytes]:
        return list(self._chunks.digests(first))

    def _check(self, digest: bytes) -> tuple[int, float]:
        began = time.monotonic()
        size = 0
        try:
            size = self._chunks.check(digest)
        except FileError as error:
            if error.errno != errno.ENOENT:
                log.error("reading chunks again: %s", error)
        return size, time.monotonic() - began

    async def _in_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        work = functools.partial(call, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- telling ------------------------------------------------------------------------------
    async def _tell(self) -> None:
        """Have what was found damaged made good, whoever found it."""
        if not self._news.is_set():
            return
        self._news.clear()
        await self._in_thread(self._save)
        try:
            await self._report()
        except OneOSError as error:
            log.info("the damage found here is reported later: %s", error)
            asyncio.get_running_loop().call_later(SERVICE_RETRY_S, self._news.set)

    def _save(self) -> None:
        found, repaired = self.damage
        now = (self.progress.place, self.progress.passes, found, repaired)
        self.progress.found, self.progress.repaired = found, repaired
        self._saved_s = time.monotonic()
        if now != self._saved:
            self.progress.save(self._path)
            self._saved = now

    # --- for a check --------------------------------------------------------------------------
    async def _on_verify(self, peer: Peer, message: m.ChunkList) -> list[bytes]:
        """Those of them that are damaged, or cannot be read; they are put aside."""

        def verify() -> list[bytes]:
            damaged = []
            for digest in message.digests:
                try:
                    self._chunks.check(digest)
                except FileError as error:
                    if error.errno == errno.EIO:
                        damaged.append(digest)
                    elif error.errno != errno.ENOENT:
                        raise
            return damaged

        return await asyncio.to_thread(verify)

    async def _on_leftovers(self, peer: Peer, message: m.ChunkLeftovers) -> tuple[int, int]:
        found = await asyncio.to_thread(self._chunks.leftovers, message.remove)
        return found.chunks, found.bytes


def _idle() -> None:
    """This thread's turn at the disk comes when nobody else wants one.

    Its turn at the processor is as ever: it holds the interpreter's lock now and then, and the
    whole Runtime would wait for it.
    """
    try:
        # To the kernel a thread is a process as far as its priorities are concerned.
        psutil.Process(threading.get_native_id()).ionice(psutil.IOPRIO_CLASS_IDLE)
    except (AttributeError, OSError, psutil.Error):
        # Another system than Linux: the pace alone has to do.
        pass
