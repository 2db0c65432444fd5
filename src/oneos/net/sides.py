"""A stream's two ends beyond its connections: what was read and is kept, what was delivered.

A connection may break while both hosts live, and an end may move to another host. So each end
counts the bytes of the program: the sender keeps what it has read until the receiver has it, and a
new connection goes on where the receiver is. Memory is one window a sender, and touched only as far
as the receiver lags behind.
"""

from __future__ import annotations

import mmap
import threading
from dataclasses import dataclass

from oneos.limits import STREAM_WINDOW_BYTES
from oneos.net.descriptors import ProgramEnd


@dataclass(frozen=True, slots=True)
class Kept:
    """What goes with a side to another host: data of the stream, and how much came before it.

    Of a sender: what the receiver does not have. Of a receiver: what its program has not read.
    """

    offset: int = 0
    data: bytes = b""


NOTHING_KEPT = Kept()


class Side:
    """What both sides share: the program's descriptor, which a pump may be using.

    Args:
        descriptor: of the program; owned from now on.
        writing: which way it is used.
        offset: bytes of the program that came before.
    """

    def __init__(self, descriptor: int, *, writing: bool, offset: int) -> None:
        self.program = ProgramEnd(descriptor, writing=writing)
        self.offset = offset
        """Read from the program, or written to it."""
        self._lock = threading.Lock()
        self._in_use = self._closing = False

    def begin(self) -> bool:
        """A pump begins to use it; False if it was closed."""
        with self._lock:
            self._in_use = not self._closing
            return self._in_use

    def finish(self) -> None:
        """The pump has ended."""
        with self._lock:
            self._in_use = False
            if self._closing:
                self.program.close()

    def close(self) -> None:
        """Close the descriptor, now or when the pump that uses it has ended. Any thread may."""
        with self._lock:
            self._closing = True
            if not self._in_use:
                self.program.close()


class Outgoing(Side):
    """What a program writes.

    Args:
        descriptor: open for reading; owned from now on.
        kept: what the program wrote on another host.

    Attributes:
        acknowledged: bytes that the receiver has.
        ended: whether the program has written its last.
    """

    def __init__(self, descriptor: int, kept: Kept = NOTHING_KEPT) -> None:
        super().__init__(descriptor, writing=False, offset=kept.offset + len(kept.data))
        # Not a bytearray, which is touched as it is made: pages that nobody uses cost nothing.
        size = STREAM_WINDOW_BYTES + len(kept.data)
        self._ring = memoryview(mmap.mmap(-1, size, mmap.MAP_PRIVATE))
        self._ring[: len(kept.data)] = kept.data
        self._base = kept.offset
        self.acknowledged = kept.offset
        self.ended = False

    def room(self) -> memoryview:
        """Where to read the next bytes; empty while the receiver has to catch up."""
        size = len(self._ring)
        if self.acknowledged == self.offset:
            # From the start again: the rest of the ring is never touched by those who are quick.
            self._base = self.offset
        free = size - (self.offset - self.acknowledged)
        at = (self.offset - self._base) % size
        return self._ring[at : min(size, at + free)]

    def kept(self, begin: int) -> memoryview:
        """What was read from an offset on, as far as it lies together; empty: there is nothing."""
        size = len(self._ring)
        at = (begin - self._base) % size
        return self._ring[at : min(size, at + self.offset - begin)]

    def rest(self) -> Kept:
        """All that the receiver does not have."""
        data = bytes(self.kept(self.acknowledged))
        return Kept(self.acknowledged, data + bytes(self.kept(self.acknowledged + len(data))))

    def acknowledge(self, offset: int) -> bool:
        """The receiver has all before `offset`; False if it cannot, or needs what is gone."""
        if not self.acknowledged <= offset <= self.offset:
            return False
        self.acknowledged = offset
        return True


class Incoming(Side):
    """What a program reads.

    Args:
        descriptor: open for writing; owned from now on.
        kept: what came on another host, and the program has not read.
    """

    def __init__(self, descriptor: int, kept: Kept = NOTHING_KEPT) -> None:
        super().__init__(descriptor, writing=True, offset=kept.offset)
        self._kept = kept

    @property
    def ahead(self) -> bytes:
        """What of `kept` the program is still to be given."""
        return self._kept.data[max(0, self.offset - self._kept.offset) :]

    @property
    def received(self) -> int:
        """Bytes that the sender need not keep."""
        return max(self.offset, self._kept.offset + len(self._kept.data))
