"""Moves bytes between a person's terminal and the pseudo-terminals of a session, in a thread.

What any of them shows goes to the person's; what is typed goes to one of them, the target, or is
left for this process to read. Which one is the target, and when the person's terminal is raw, is
decided in `console.py`; all they share is guarded by `changed`.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

from oneos.limits import STREAM_BUFFER_BYTES, TERMINAL_ANSWER_S
from oneos.local.line import Line


class Mover:
    """See the module.

    Args:
        resize: called in a thread of its own after `window_changed`.
        broken: told of a pseudo-terminal that is gone.
    """

    def __init__(self, resize: Callable[[], None], broken: Callable[[Line], None]) -> None:
        self._resize = resize
        self._broken = broken
        self.changed = threading.Condition(threading.RLock())
        self.lines: dict[int, Line] = {}
        """Those that are there, by their numbers."""
        self._gone: list[Line] = []
        self._target: Line | None = None
        self._unsent = b""
        self._wake_read, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._thread: threading.Thread | None = None
        self._over = False

    def add(self, line: Line) -> None:
        """Show what a pseudo-terminal shows from now on."""
        os.set_blocking(line.keys, False)
        with self.changed:
            self.lines[line.number] = line
            if self._thread is None:
                self._thread = threading.Thread(target=self._move, name="console", daemon=True)
                self._thread.start()
        self._awake()

    def point(self, target: Line | None, typed: bytes = b"") -> None:
        """Have what is typed go to a pseudo-terminal from now on; None: nothing is read.

        Args:
            typed: what was typed for it before.
        """
        with self.changed:
            if target is not self._target:
                self._unsent = b""
            self._target = target
            self._unsent += typed
        self._awake()

    def until_shown(self, line: Line, asked: int) -> None:
        """Return when the marker of that number has come, or a while has passed."""
        with self.changed:
            self.changed.wait_for(lambda: line.broken or line.seen >= asked, TERMINAL_ANSWER_S)

    def window_changed(self) -> None:
        """The person's window has another size; may be called by a signal handler."""
        self._awake(b"s")

    def break_off(self, line: Line) -> None:
        """A pseudo-terminal is gone: with its host, or with its leader."""
        with self.changed:
            if line.broken:
                return
            line.broken = True
            self.lines.pop(line.number, None)
            if self._target is line:
                self._target = None
            self._gone.append(line)
            self.changed.notify_all()
        self._awake()
        self._broken(line)

    def close(self) -> None:
        """Hang the pseudo-terminals up."""
        with self.changed:
            self._target = None
            self._over = True
        self._awake()
        if self._thread is not None:
            self._thread.join()
        for line in list(self.lines.values()):
            self.break_off(line)
        self._close_gone()
        os.close(self._wake)
        os.close(self._wake_read)

    # --- the thread -------------------------------------------------------------------------------
    def _awake(self, why: bytes = b"w") -> None:
        try:
            os.write(self._wake, why)
        except OSError:
            pass  # It has been woken often enough.

    def _move(self) -> None:
        while True:
            with self.changed:
                if self._over:
                    return
                # By this thread alone: it may be polling them.
                self._close_gone()
                lines = {line.screen: line for line in self.lines.values()}
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
            self.break_off(line)
            return
        with self.changed:
            shown = line.strip(data)
        _write(shown)
        with self.changed:
            self.changed.notify_all()

    def _read_keys(self) -> None:
        with self.changed:
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
        with self.changed:
            if self._target is None:
                return
            try:
                sent = os.write(self._target.keys, self._unsent)
                self._unsent = self._unsent[sent:]
            except BlockingIOError:
                pass
            except OSError:
                self._unsent = b""

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
