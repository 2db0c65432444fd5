"""Which of a person's jobs is in the foreground: who has the keys, and so what the terminal is.

Jobs in the foreground are a stack: a script within a script, or this process itself, which reads a
line between two programs. Whoever was put there last has the keys: of its pseudo-terminals the
first at which a program reads keys and not lines, as a pager does, else the first that has
programs. With nobody there the terminal has its own modes. What was typed at a job and nobody has
read is kept for who reads next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oneos.local.line import Job, Line
from oneos.local.modes import Modes
from oneos.local.mover import Mover


class Front:
    """See the module.

    Args:
        modes: those of the person's terminal.
        mover: moves what is typed.
    """

    def __init__(self, modes: Modes, mover: Mover) -> None:
        self._modes = modes
        self._mover = mover
        self._changed = mover.changed
        self._jobs: list[Job] = []
        self._typed = b""
        self._paused = False

    def whole(self) -> Job | None:
        """The job in the foreground of which one that starts now is a part."""
        return next((job for job in self._jobs if job.keys), None)

    def enter(self, job: Job) -> None:
        """Put a job into the foreground."""
        with self._changed:
            self._jobs.append(job)
            self._give_keys(job)

    def choose(self, job: Job) -> None:
        """Give its keys to who is to have them by now."""
        with self._changed:
            if self._jobs[-1:] == [job] and not self._paused:
                self._give_keys(job)

    def pause(self, job: Job) -> bool:
        """No program has the keys until `leave`; whether this is the only job here."""
        with self._changed:
            self._paused = True
            for line in job.lines:
                line.raw = False
            self._mover.point(None)
            return self._jobs == [job]

    def leave(self, job: Job) -> None:
        """Take a job out of the foreground."""
        with self._changed:
            if job in self._jobs:
                self._jobs.remove(job)
            self._paused = False
            if self._jobs:
                self._give_keys(self._jobs[-1])
            else:
                self._modes.cooked()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While this process reads the terminal, with its own modes."""
        own = Job(0, keys=False)
        self.enter(own)
        try:
            yield
        finally:
            self.leave(own)

    def broken(self, line: Line) -> bool:
        """A pseudo-terminal is gone; whether a job here was at it."""
        with self._changed:
            lost = any(line in job.lines for job in self._jobs)
            if lost and all(each.broken for job in self._jobs for each in job.lines):
                # Ctrl-C is this process's again.
                self._modes.cooked()
            return lost

    def clear(self) -> None:
        """Nobody is in the foreground any more."""
        with self._changed:
            self._jobs.clear()
            self._mover.point(None)
            self._modes.cooked()

    def keep(self, typed: bytes) -> None:
        """Note what was typed and nobody has read."""
        self._typed += typed

    def take_typed(self, count: int | None = None) -> bytes:
        """What was typed and nobody has read, or so many bytes of it."""
        at = len(self._typed) if count is None else count
        typed, self._typed = self._typed[:at], self._typed[at:]
        return typed

    def _give_keys(self, job: Job) -> None:
        able = [line for line in job.lines[job.first :] if job.keys and not line.broken]
        target = next((line for line in able if line.raw), able[0] if able else None)
        if target is None:
            self._modes.cooked()
            self._mover.point(None)
        else:
            self._modes.raw()
            self._mover.point(target, self.take_typed())
