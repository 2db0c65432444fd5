"""A person's terminal, as a client has it: where the programs of a session are shown and typed to.

Programs run at pseudo-terminals, one for each host (docs/guest-protocol.md, "Terminals"). A thread
moves bytes between them and the person's terminal (`mover.py`), which is raw while a job is in the
foreground (`modes.py`): editing a line, echo, Ctrl-C and Ctrl-Z are done by the line discipline
where the program runs. Who has the keys is kept in `front.py`. Here is what the Runtime is asked
for: terminals, what becomes of jobs, and a marker (`line.py`) that says that all they wrote has
come, when the terminal is taken back.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from oneos.errors import OneOSError
from oneos.limits import TERMINAL_LOOK_S
from oneos.local.client import Client
from oneos.local.front import Front
from oneos.local.line import Job, Line
from oneos.local.modes import Modes
from oneos.local.mover import Mover

FROM_HOST = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What of the host's environment a session gets: how to talk to the terminal, no more."""

FORGET, KEEP, SAVE = 0, 1, 2
"""What becomes of the modes that a job leaves; see docs/guest-protocol.md, `take_back`."""

_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")


class Console:
    """See the module.

    Args:
        client: of the session; connections of our own are made from it.
        complain: says one line about a terminal that is gone.
        environment: the session's, for the encodings of its programs.
    """

    def __init__(
        self, client: Client, complain: Callable[[str], None], environment: Mapping[str, str]
    ) -> None:
        self._client = client.clone()
        self._resizer = client.clone()
        self._complain = complain
        self._locale = {
            name.encode(): environment[name].encode() for name in _LOCALE if environment.get(name)
        }
        self._mover = Mover(self._resize, self._broken)
        self._changed = self._mover.changed
        self._modes = Modes(self._mover.window_changed)
        self._front = Front(self._modes, self._mover)
        self._last_job = 0
        self._size = b""
        self.shared = self._is_controlling()
        """Whether programs may be of this process's own job, where it is a program itself: not
        under job control."""

    @staticmethod
    def available() -> bool:
        """Whether this process talks to a person: input and output are a terminal, in front."""
        if not (os.isatty(0) and os.isatty(1)):
            return False
        try:
            return os.tcgetpgrp(0) == os.getpgrp()
        except OSError:
            return True  # It is nobody's controlling terminal: nothing keeps us from it.

    @staticmethod
    def _is_controlling() -> bool:
        try:
            return os.tcgetpgrp(0) == os.getpgrp()
        except OSError:
            return False

    def is_terminal(self, fd: int) -> bool:
        """Whether a descriptor of this process is the terminal."""
        return self._modes.is_terminal(fd)

    def new_job(self, *, foreground: bool) -> Job:
        """A job that is about to start, or, while one is in the foreground, a part of that."""
        with self._changed:
            whole = self._front.whole()
            if foreground and whole is not None:
                return Job(whole.number)
            self._last_job += 1
            return Job(self._last_job)

    def wire(self, job: Job, *, foreground: bool) -> dict[str, Any]:
        """A job as `spawn` has it."""
        with self._changed:
            modes = self._modes.own()
        characters = bytes(x[0] if isinstance(x, bytes) else x for x in modes[6])
        return {
            "number": job.number,
            "foreground": foreground,
            "own": self.shared,
            "modes": {
                "size": self._modes.window(),
                "flags": modes[:4],
                "characters": characters,
                "locale": self._locale,
            },
        }

    def join(self, job: Job, entries: Sequence[Mapping[str, Any]]) -> None:
        """Note what `spawn` answered: its programs, and terminals that are new."""
        for entry in entries:
            if "pid" not in entry:
                continue
            number = entry.get("terminal") or 0
            if not number:
                job.own = True
                continue
            job.pids[entry["pid"]] = number
            with self._changed:
                line = self._mover.lines.get(number)
            if line is None:
                line = self._take(number, entry["host"])
            if line is not None and line not in job.lines:
                job.lines.append(line)

    def _take(self, number: int, host: str) -> Line | None:
        try:
            keys, screen = self._client.take("terminal", number)
        except OneOSError as error:
            self._complain(f"no terminal at {host}: {error.message}")
            return None
        line = Line(number, host, keys, screen)
        self._mover.add(line)
        return line

    def enter(self, job: Job) -> None:
        """Put a job into the foreground: what is typed goes to it from now on."""
        self._front.enter(job)
        if self._size and self._size != self._modes.window():
            self._resize()
        self._size = self._modes.window()

    def wait(self, client: Client, job: Job) -> dict[int, int | None]:
        """Wait for a job in the foreground.

        Returns:
            Each program's status; minus the signal where it was stopped, None where it still runs.
        """
        pids = list(job.pids)
        with self._watched(job):
            found = dict(zip(pids, client.call("wait", pids, True), strict=True))
        stopped = {pid for pid, status in found.items() if status is not None and status < 0}
        if stopped:
            self._tell(client, job, signal.SIGTSTP, stopped)
        return found

    @contextmanager
    def _watched(self, job: Job) -> Iterator[None]:
        """While it lasts, a job on several hosts is looked at again and again."""
        if len(job.lines) < 2:
            yield
            return
        over = threading.Event()
        threading.Thread(target=self._watch, args=(job, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def _watch(self, job: Job, over: threading.Event) -> None:
        """Have the keys of a job on several hosts go where they are wanted, and Ctrl-C to all of
        them, whose kernels know nothing of each other."""
        told: set[signal.Signals] = set()
        with self._client.clone() as client:
            while not over.wait(TERMINAL_LOOK_S):
                try:
                    statuses = dict(zip(job.pids, client.call("poll", list(job.pids)), strict=True))
                    for number in {signal.SIGINT, signal.SIGQUIT} - told:
                        ended = {pid for pid, x in statuses.items() if x == 128 + number}
                        if ended:
                            told.add(number)
                            self._tell(client, job, number, ended)
                    self._look(client, job, statuses)
                except OneOSError:
                    return  # Whoever waits for the job learns of it.
                if not over.is_set():
                    self._front.choose(job)

    def _look(self, client: Client, job: Job, statuses: Mapping[int, int | None]) -> None:
        """Find out which terminals of a job have programs, and which read keys."""
        for line in job.lines[job.first :]:
            found = [statuses[pid] for pid in job.of(line)]
            ended = all(status is not None and status >= 0 for status in found)
            if not ended and not line.broken:
                line.raw = client.call("raw", line.number)
                continue
            line.raw = False
            if line is job.lines[job.first] and line is not job.lines[-1]:
                job.first += 1
                if not line.broken:
                    # What was typed here and not read is for who comes next.
                    self._flush(line, job, FORGET)

    def _tell(self, client: Client, job: Job, number: signal.Signals, known: set[int]) -> None:
        """Have a key reach the programs at the terminals where none of these programs is."""
        for line in job.lines:
            pids = job.of(line)
            for pid in pids[:1] if known.isdisjoint(pids) else ():
                try:
                    client.call("kill", -pid, int(number))
                except OneOSError:
                    pass  # It has ended.

    def leave(self, job: Job, modes: int) -> None:
        """Take the terminal back from a job, when all that it wrote has been shown.

        Args:
            modes: what becomes of those that it leaves.
        """
        last = self._front.pause(job)
        for line in job.lines:
            if not line.broken:
                self._flush(line, job, modes if last else None)
        self._front.leave(job)

    @contextmanager
    def reading(self, fd: int) -> Iterator[None]:
        """While this process reads a descriptor: if that is the terminal, it has its old modes and
        no program has its keys."""
        if not self.is_terminal(fd):
            yield
            return
        with self._front.reading():
            yield

    def _flush(self, line: Line, job: Job, modes: int | None) -> None:
        with self._changed:
            marker, asked = line.marker(), line.asked
        try:
            if modes is None:
                self._client.call("mark", line.number, marker)
            else:
                typed = self._client.call("take_back", line.number, job.number, modes, marker)
                self._front.keep(typed)
        except OneOSError:
            # Its host is gone, or the terminal: what it showed is all there is.
            self._mover.break_off(line)
            return
        self._mover.until_shown(line, asked)

    def resume(self, client: Client, job: Job) -> None:
        """Have a job that was stopped, or runs in the background, go on in the foreground."""
        self.enter(job)
        self.go_on(client, job, foreground=True)

    def go_on(self, client: Client, job: Job, *, foreground: bool) -> None:
        """Have a job that was stopped go on, where it is: `enter` gives it the keys."""
        for line in job.lines:
            try:
                client.call("go_on", line.number, job.number, job.of(line), foreground)
            except OneOSError:
                self._mover.break_off(line)

    def suspend(self, client: Client, job: Job) -> None:
        """Stop this process, as the job was; when it goes on, so does the job."""
        self.leave(job, SAVE)
        os.kill(0, signal.SIGTSTP)
        self.resume(client, job)

    def take_typed(self) -> bytes:
        """What was typed at programs that did not read it: it is for who reads next."""
        return self._front.take_typed()

    def keep_typed(self, typed: bytes) -> None:
        """Note what was typed and is for who reads next."""
        self._front.keep(typed)

    def read(self, fd: int) -> bytes:
        """One byte of a descriptor, which may be the terminal."""
        if not self.is_terminal(fd):
            return os.read(fd, 1)
        # What was typed while a line editor had the terminal came as the key is.
        return (self._front.take_typed(1) or os.read(fd, 1)).replace(b"\r", b"\n")

    def shown(self, fd: int, data: bytes) -> bytes:
        """What to write for `data` where a descriptor is the terminal: it may be raw."""
        if self._modes.are_raw and self.is_terminal(fd):
            return data.replace(b"\n", b"\r\n")
        return data

    def close(self) -> None:
        """Give the terminal back; the pseudo-terminals are hung up."""
        self._front.clear()
        self._mover.close()
        self._client.drop()
        self._resizer.drop()

    def _broken(self, line: Line) -> None:
        if self._front.broken(line):
            self._complain(f"the terminal at {line.host} is gone")

    def _resize(self) -> None:
        self._size = self._modes.window()
        with self._changed:
            numbers = list(self._mover.lines)
        for number in numbers:
            try:
                self._resizer.call("resize", number, self._size)
            except OneOSError:
                pass  # Its screen ends, too.
