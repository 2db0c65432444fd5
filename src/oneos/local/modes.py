"""The modes of a person's terminal: raw while a job in the foreground has its keys, else its own.

It has its old modes again when nothing of ours is in the foreground, and also when this process
ends by a signal. Only the main thread can be told of signals, so only there are they watched.
"""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import termios
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_SIZE = struct.Struct("HHHH")


class Modes:
    """See the module.

    Args:
        resized: called in a signal handler when the window has changed its size.
    """

    def __init__(self, resized: Callable[[], None]) -> None:
        self._resized = resized
        self._device = os.fstat(0).st_rdev
        self._saved: list[Any] | None = None
        self._handlers: dict[int, Any] = {}

    def is_terminal(self, fd: int) -> bool:
        """Whether a descriptor of this process is the terminal."""
        return os.isatty(fd) and os.fstat(fd).st_rdev == self._device

    @property
    def are_raw(self) -> bool:
        """Whether a job in the foreground has the keys."""
        return self._saved is not None

    def own(self) -> list[Any]:
        """The terminal's own, whether it is raw or not; as tcgetattr(3) has them."""
        return self._saved or termios.tcgetattr(0)

    @staticmethod
    def window() -> bytes:
        """The size of the window, as a struct winsize."""
        return fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(_SIZE.size))

    def raw(self) -> None:
        """Have each key come as it is typed, for a job elsewhere."""
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

    def cooked(self) -> None:
        """Give the terminal its own modes back."""
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
        self._resized()

    def _on_end(self, number: int, _frame: FrameType | None) -> None:
        if self._saved is not None:
            termios.tcsetattr(0, termios.TCSANOW, self._saved)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
