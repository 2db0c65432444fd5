"""What is done for a program before it has a process: asking what it needs, and telling its user.

A program waits for neither: asking goes beside the opening of its ends, and a line that its
standard error has no room for is dropped. `agents.py` says when.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
from collections.abc import Coroutine
from typing import Any

from oneos.runtime.requirements import Requirements

HARMLESS = frozenset(
    (
        signal.SIGCHLD,
        signal.SIGCONT,
        signal.SIGURG,
        signal.SIGWINCH,
        signal.SIGSTOP,
        signal.SIGTSTP,
    )
)
"""Signals that do not end a process by themselves."""


class Meanwhile:
    """A context in which a coroutine runs beside; at its end that is over, and nobody's error."""

    def __init__(self, work: Coroutine[Any, Any, Requirements | None]) -> None:
        self._task = asyncio.create_task(work)

    async def __aenter__(self) -> asyncio.Task[Requirements | None]:
        return self._task

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.exception()


def say(fd: int, line: str) -> None:
    """A line on a program's standard error, unless that is full: nobody waits for it."""
    try:
        room = select.poll()
        room.register(fd, select.POLLOUT)
        if room.poll(0):
            os.write(fd, line.encode() + b"\n")
    except OSError:
        pass  # Its reader has gone.
