"""A person's terminal, as a client has it: where the programs of a session are shown and typed to.

Programs run at pseudo-terminals, one for each host (docs/guest-protocol.md, "Terminals"). A thread
here moves bytes between them and the person's terminal, which is raw while a job is in the
foreground: editing a line, echo, Ctrl-C and Ctrl-Z are done by the line discipline where the
program runs. When the job ends or stops, a marker says that all it wrote has come; the terminal
gets its old modes back then, and also when this process ends by a signal.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import select
import signal
import struct
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from oneos.errors import OneOSError
from oneos.limits import STREAM_BUFFER_BYTES, TERMINAL_ANSWER_S
from oneos.local.client import Client

FROM_HOST = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ")
"""What of the host's environment a session gets: how to talk to the terminal, no more."""

FORGET, KEEP, SAVE = 0, 1, 2
"""What becomes of the modes that a job leaves; see docs/guest-protocol.md, `take_back`."""

_LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
_SIZE = struct.Struct("HHHH")


@dataclass
class Line:
    """One pseudo-terminal: where its keys go to and its screen comes from."""

    number: int
    host: str
    keys: int
    screen: int
    secret: bytes = field(default_factory=lambda: b"\x1b]7770;" + secrets.token_hex(8).encode())
    asked: int = 0
    seen: int = 0
    kept: bytes = b""
    broken: bool = False

    def marker(self) -> bytes:
        """A new marker, which `strip` then takes out of what is shown."""
        self.asked += 1
        return self.secret + b";%d\a" % self.asked

    def strip(self, data: bytes) -> bytes:
        """What is to be shown of what came. Its end may wait for what may be a marker."""
        data, self.kept = self.kept + data, b""
        while self.seen < self.asked:
            marker = self.secret + b";%d\a" % (self.seen + 1)
            at = data.find(marker)
            if at < 0:
                # What begins as a marker does stays back until it is one, or none.
                for count in range(min(len(marker) - 1, len(data)), 0, -1):
                    if data.endswith(marker[:count]):
                        data, self.kept = data[:-count], data[-count:]
                        break
                break
            self.seen += 1
            data = data[:at] + data[at + len(marker) :]
        return data


@dataclass
class Job:
    """Programs that are one job at the terminal.

    Args:
        number: of the job; parts of one that are started apart have the same.
        keys: whether what is typed goes to it; else this process itself reads the terminal.
    """

    number: int
    keys: bool = True
    lines: list[Line] = field(default_factory=list)
    pids: dict[int, int] = field(default_factory=dict)
    """The terminal's number of each program, in the order of the pipeline."""

    def of(self, line: Line) -> list[int]:
        """Its programs at one terminal."""
        return [pid for pid, number in self.pids.items() if number == line.number]


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
        self._device = os.fstat(0).st_rdev
        self._lines: dict[int, Line] = {}
        self._gone: list[Line] = []
        self._front: list[Job] = []
        self._target: Line | None = None
        self._unsent = b""
        self._last_job = 0
        self._saved: list[Any] | None = None
        self._size = b""
        self._typed = b""
        self._handlers: dict[int, Any] = {}
        self._changed = threading.Condition(threading.RLock())
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._thread: threading.Thread | None = None
        self._over = False

    @staticmethod
    def available() -> bool:
        """Whether this process talks to a person: input and output are a terminal, in front."""
        if not (os.isatty(0) and os.isatty(1)):
            return False
        try:
            return os.tcgetpgrp(0) == os.getpgrp()
        except OSError:
            return True  # It is nobody's controlling terminal: nothing keeps us from it.

    def is_terminal(self, fd: int) -> bool:
        """Whether a descriptor of this process is the terminal."""
        return os.isatty(fd) and os.fstat(fd).st_rdev == self._device

    # --- jobs -----------------------------------------------------------------------------------
    def new_job(self, *, foreground: bool) -> Job:
        """A job that is about to start, or, while one is in the foreground, a part of that."""
        with self._changed:
            whole = next((job for job in self._front if job.keys), None)
            if foreground and whole is not None:
                return Job(whole.number)
            self._last_job += 1
            return Job(self._last_job)

    def wire(self, job: Job, *, foreground: bool) -> dict[str, Any]:
        """A job as `spawn` has it."""
        with self._changed:
            modes = self._saved or termios.tcgetattr(0)
        characters = bytes(x[0] if isinstance(x, bytes) else x for x in modes[6])
        return {
            "number": job.number,
            "foreground": foreground,
            "modes": {
                "size": self._winsize(),
                "flags": modes[:4],
                "characters": characters,
                "locale": self._locale,
            },
        }

    def join(self, job: Job, entries: Sequence[Mapping[str, Any]]) -> None:
        """Note what `spawn` answered: its programs, and terminals that are new."""
        for entry in entries:
            number = entry.get("terminal") or 0
            if "pid" not in entry or not number:
                continue
            job.pids[entry["pid"]] = number
            with self._changed:
                line = self._lines.get(number)
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
        os.set_blocking(keys, False)
        line = Line(number, host, keys, screen)
        with self._changed:
            self._lines[number] = line
            if self._thread is None:
                self._thread = threading.Thread(target=self._move, name="console", daemon=True)
                self._thread.start()
        self._awake()
        return line

    def enter(self, job: Job) -> None:
        """Put a job into the foreground: what is typed goes to it from now on."""
        with self._changed:
            self._front.append(job)
            self._give_keys(job, job.lines)
        if self._size and self._size != self._winsize():
            self._resize()
        self._size = self._winsize()

    def wait(self, client: Client, job: Job) -> dict[int, int | None]:
        """Wait for a job in the foreground; keys go to the first terminal of it that has programs.

        Returns:
            Each program's status; minus the signal where it was stopped, None where it still runs.
        """
        found: dict[int, int | None] = {}
        for line in job.lines:
            with self._changed:
                if self._front[-1:] == [job]:
                    self._give_keys(job, job.lines[job.lines.index(line) :])
            pids = job.of(line)
            found |= zip(pids, client.call("wait", pids, True), strict=True)
            if any(status is None or status < 0 for status in found.values()):
                self._tell_others(client, job, line, signal.SIGTSTP)
                break
            for number in (signal.SIGINT, signal.SIGQUIT):
                if 128 + number in found.values():
                    self._tell_others(client, job, line, number)
            if line is not job.lines[-1] and not line.broken:
                # What was typed here and not read is for who comes next.
                self._flush(line, job, FORGET)
        rest = [pid for pid in job.pids if pid not in found]
        if rest and all(status is not None and status >= 0 for status in found.values()):
            found |= zip(rest, client.call("wait", rest, True), strict=True)
        return {pid: found.get(pid) for pid in job.pids}

    def _tell_others(self, client: Client, job: Job, told: Line, number: signal.Signals) -> None:
        """Have a key reach the programs at other terminals, which are of the same job."""
        for line in job.lines:
            if line is told:
                continue
            for pid in job.of(line)[:1]:
                try:
                    client.call("kill", -pid, int(number))
                except OneOSError:
                    pass  # It has ended.

    def leave(self, job: Job, modes: int) -> None:
        """Take the terminal back from a job, when all that it wrote has been shown.

        Args:
            modes: what becomes of those that it leaves.
        """
        with self._changed:
            self._target = None
            last = self._front == [job]
        self._awake()
        for line in job.lines:
            if not line.broken:
                self._flush(line, job, modes if last else None)
        with self._changed:
            self._drop(job)

    def _drop(self, job: Job) -> None:
        if job in self._front:
            self._front.remove(job)
        if self._front:
            self._give_keys(self._front[-1], self._front[-1].lines)
        else:
            self._cooked()

    @contextmanager
    def reading(self, fd: int) -> Iterator[None]:
        """While this process reads a descriptor: if that is the terminal, it has its old modes and
        no program has its keys."""
        if not self.is_terminal(fd):
            yield
            return
        own = Job(0, keys=False)
        with self._changed:
            self._front.append(own)
            self._give_keys(own, [])
        try:
            yield
        finally:
            with self._changed:
                self._drop(own)

    def _flush(self, line: Line, job: Job, modes: int | None) -> None:
        with self._changed:
            marker, asked = line.marker(), line.asked
        try:
            if modes is None:
                self._client.call("mark", line.number, marker)
            else:
                typed = self._client.call("take_back", line.number, job.number, modes, marker)
                self._typed += typed
        except OneOSError:
            # Its host is gone, or the terminal: what it showed is all there is.
            self._break(line)
            return
        with self._changed:
            self._changed.wait_for(lambda: line.broken or line.seen >= asked, TERMINAL_ANSWER_S)

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
                self._break(line)

    def suspend(self, client: Client, job: Job) -> None:
        """Stop this process, as the job was; when it goes on, so does the job."""
        self.leave(job, SAVE)
        os.kill(0, signal.SIGTSTP)
        self.resume(client, job)

    def take_typed(self) -> bytes:
        """What was typed at programs that did not read it: it is for who reads next."""
        typed, self._typed = self._typed, b""
        return typed

    def read(self, fd: int) -> bytes:
        """One byte of a descriptor, which may be the terminal."""
        if self._typed and self.is_terminal(fd):
            byte, self._typed = self._typed[:1], self._typed[1:]
            return byte
        return os.read(fd, 1)

    def shown(self, fd: int, data: bytes) -> bytes:
        """What to write for `data` where a descriptor is the terminal: it may be raw."""
        if self._saved is not None and self.is_terminal(fd):
            return data.replace(b"\n", b"\r\n")
        return data

    def close(self) -> None:
        """Give the terminal back; the pseudo-terminals are hung up."""
        with self._changed:
            self._front.clear()
            self._target = None
            self._cooked()
            self._over = True
        self._awake()
        if self._thread is not None:
            self._thread.join()
        for line in list(self._lines.values()):
            self._break(line)
        self._close_gone()
        os.close(self._wake)
        os.close(self._wake_read)
        self._client.drop()
        self._resizer.drop()

    # --- the terminal's modes ---------------------------------------------------------------------
    def _raw(self) -> None:
        if self._saved is not None:
            return
        saved = termios.tcgetattr(0)
        raw = [*saved[:6], list(saved[6])]
        raw[0] &= ~(termios.BRKINT | termios.PARMRK | termios.INPCK | termios.ISTRIP)
        raw[0] &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
        raw[1] &= ~termios.OPOST
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        # Before, so that a signal in between finds what to restore.
        self._saved = saved
        self._catch()
        termios.tcsetattr(0, termios.TCSADRAIN, raw)

    def _cooked(self) -> None:
        saved, self._saved = self._saved, None
        if saved is not None:
            try:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
            except termios.error:
                pass  # It was hung up.
        self._let_go()

    def _catch(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._on_size)
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, self._on_end)

    def _let_go(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def _on_size(self, _number: int, _frame: FrameType | None) -> None:
        self._awake(b"s")

    def _on_end(self, number: int, _frame: FrameType | None) -> None:
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSANOW, self._saved)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    @staticmethod
    def _winsize() -> bytes:
        return fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(_SIZE.size))

    def _resize(self) -> None:
        self._size = self._winsize()
        with self._changed:
            numbers = list(self._lines)
        for number in numbers:
            try:
                self._resizer.call("resize", number, self._size)
            except OneOSError:
                pass  # Its screen ends, too.

    # --- moving bytes -----------------------------------------------------------------------------
    def _awake(self, why: bytes = b"w") -> None:
        try:
            os.write(self._wake, why)
        except OSError:
            pass  # It has been woken often enough.

    def _give_keys(self, job: Job, lines: Sequence[Line]) -> None:
        """Have what is typed go to the first of these terminals of a job that is there."""
        target = next((line for line in lines if job.keys and not line.broken), None)
        if target is None:
            self._cooked()
        else:
            self._raw()
        if target is not self._target:
            self._unsent = b""
        self._target = target
        if target is not None:
            self._unsent += self.take_typed()
        self._awake()

    def _move(self) -> None:
        while True:
            with self._changed:
                if self._over:
                    return
                # By this thread alone: it may be polling them.
                self._close_gone()
                lines = {line.screen: line for line in self._lines.values()}
                target, unsent = self._target, self._unsent
            poll = select.poll()
            poll.register(self._wake_read, select.POLLIN)
            for fd in lines:
                poll.register(fd, select.POLLIN)
            if target is not None and unsent:
                poll.register(target.keys, select.POLLOUT)
            elif target is not None:
                poll.register(0, select.POLLIN)
            ready = dict(poll.poll())
            if self._wake_read in ready and b"s" in os.read(self._wake_read, 1024):
                # Apart: a host that is away must not hold up the others' output.
                threading.Thread(target=self._resize, daemon=True).start()
            # What was shown before a key comes before what the key does.
            for fd in ready.keys() & lines.keys():
                self._show(lines[fd])
            if target is not None and target.keys in ready and unsent:
                self._send()
            elif target is not None and 0 in ready:
                self._read_keys()

    def _show(self, line: Line) -> None:
        try:
            data = os.read(line.screen, STREAM_BUFFER_BYTES)
        except OSError:
            data = b""  # EIO: nobody has the other side open.
        if not data:
            self._break(line)
            return
        with self._changed:
            shown = line.strip(data)
        _write(shown)
        with self._changed:
            self._changed.notify_all()

    def _read_keys(self) -> None:
        with self._changed:
            # Not one key more than is typed while a job is in the foreground.
            if self._target is None:
                return
            try:
                data = os.read(0, STREAM_BUFFER_BYTES)
            except OSError:
                data = b""
            if not data:
                # It was hung up; SIGHUP says so, too.
                self._target = None
                return
            self._unsent += data
            self._send()

    def _send(self) -> None:
        with self._changed:
            if self._target is None:
                return
            try:
                sent = os.write(self._target.keys, self._unsent)
                self._unsent = self._unsent[sent:]
            except BlockingIOError:
                pass
            except OSError:
                self._unsent = b""

    def _break(self, line: Line) -> None:
        """A terminal is gone: with its host, or with its leader."""
        with self._changed:
            if line.broken:
                return
            line.broken = True
            self._lines.pop(line.number, None)
            lost = any(line in job.lines for job in self._front)
            if self._target is line:
                self._target = None
            if lost and all(each.broken for job in self._front for each in job.lines):
                # Ctrl-C is this process's again.
                self._cooked()
            self._gone.append(line)
            self._changed.notify_all()
        self._awake()
        if lost:
            self._complain(f"the terminal at {line.host} is gone")

    def _close_gone(self) -> None:
        for line in self._gone:
            os.close(line.keys)
            os.close(line.screen)
        self._gone.clear()


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BlockingIOError:
            # Somebody else has made it non-blocking.
            select.select([], [1], [])
        except OSError:
            return  # It was hung up.
