"""Where a file process notes what its successor needs, in memory that the Runtime keeps.

Nothing is sent and nothing waited for: a few hundred bytes are copied for each request that leaves
something behind, and one number then says that they count. So all notes of a request and its
answer are there, or none, wherever a kill comes between: the kernel sends a request again that was
not answered, and the successor gives the answer that is here or does it anew. There are two halves:
when one is full enough, the state that its notes make is written to the other.
"""

from __future__ import annotations

import logging
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from oneos.fuse.succession import Note, State
from oneos.limits import FUSE_JOURNAL_BYTES_MAX, FUSE_JOURNAL_FOLD_BYTES, FUSE_WORKERS_MAX

log = logging.getLogger(__name__)

_HEAD_BYTES = 65_536
"""A page, also where these are large."""
_BYTES = _HEAD_BYTES + 2 * FUSE_JOURNAL_BYTES_MAX
_END = 0
"""The word that says up to where notes count, and with that in which half; 0: none do."""
_MARKS = 8
"""The word from which on each thread has two: the request it has begun, and what it noted."""
_LENGTH_BYTES = 4

_SLOTS = 1024
"""The word from which on each slot has one; see `slot`."""
_SLOTS_MAX = 4096

_Batch = tuple[int, int, bytes, list[Note]]


class _Local(threading.local):
    """What a thread has noted of the request that it serves, and which thread it is."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.freed: list[int] = []
        self.thread = -1


class Journal:
    """See the module. Any thread may call.

    Args:
        memory: a descriptor of memory (memfd_create(2)), empty or a predecessor's.
    """

    def __init__(self, memory: int) -> None:
        if os.fstat(memory).st_size < _BYTES:
            os.ftruncate(memory, _BYTES)
        self._map = mmap.mmap(memory, _BYTES)
        # Numbers are stored whole, so that a kill finds the old or the new.
        self._words = memoryview(self._map).cast("Q")
        self._lock = threading.Lock()
        self._local = _Local()
        self._threads = 0
        self._free = list(range(_SLOTS_MAX - 1, -1, -1))
        self._encode = msgspec.msgpack.Encoder().encode
        self._end = self._words[_END]
        self._fold_at = 0
        self.serving = 0
        """The number of the request that is answered without another thread."""
        self.earlier = State()
        """What the predecessor left."""
        self.in_slots: dict[int, int] = {}
        """The numbers in its slots, by the openings that had them."""

    def begin(self) -> None:
        """There was nobody before."""
        self._write(State(), _HEAD_BYTES)

    def inherit(self) -> State:
        """Take over what a predecessor left.

        Raises:
            ValueError: it left nothing.
        """
        if not self._end:
            raise ValueError("what the file process knew did not fit into its journal")
        state = self._read()
        marks = range(_MARKS, _MARKS + 2 * _THREADS_MAX, 2)
        words = self._words
        state.inherited({words[at]: words[at + 1] for at in marks if words[at]})
        self._write(state, self._other())
        for at in marks:
            words[at] = 0
        self.earlier = state
        slots = {left.slot: number for number, left in state.openings.items() if left.slot >= 0}
        self._free = [slot for slot in self._free if slot not in slots]
        self.in_slots = {number: words[_SLOTS + slot] for slot, number in slots.items()}
        return state

    def note(self, *note: object) -> None:
        """Something that the successor has to know, as soon as `commit` is called."""
        self._local.notes.append(note)

    def commit(self, request: int = 0, answer: bytes = b"") -> None:
        """What this thread has noted counts from now on.

        Args:
            request: the kernel's number of the request whose notes these are, if of one.
            answer: to it.
        """
        if self._local.notes:
            self.answer(request, answer)

    def answer(self, request: int, answer: bytes) -> None:
        """As `commit`, where the answer alone is worth noting."""
        local = self._local
        notes, local.notes = local.notes, []
        self._append((self._thread(), request, answer, notes))
        if local.freed:
            # Not before: whoever had it would be taken for whoever has it next.
            self._free += local.freed
            local.freed.clear()

    @contextmanager
    def begun(self, request: int, mark: int = 0) -> Iterator[None]:
        """Around what may not be done twice, and what then must be answered or given up.

        Args:
            mark: what a successor needs to see whether it was done.
        """
        at = _MARKS + 2 * self._thread()
        words = self._words
        words[at + 1] = mark
        words[at] = request
        try:
            yield
        except BlockingIOError:
            words[at] = 0
            raise

    # --- slots ----------------------------------------------------------------------------------
    def slot(self) -> int:
        """A place for one number, which costs nothing to set; -1: there are no more.

        For what comes and goes with most requests. It is 0 at first.
        """
        try:
            slot = self._free.pop()
        except IndexError:
            return -1
        self._words[_SLOTS + slot] = 0
        return slot

    def set(self, slot: int, number: int) -> None:
        """Set a slot's number, which a successor finds."""
        self._words[_SLOTS + slot] = number

    def give_back(self, slot: int) -> None:
        """Nobody uses a slot any more, once what this thread has noted of that counts."""
        self._local.freed.append(slot)

    def _thread(self) -> int:
        local = self._local
        if local.thread < 0:
            with self._lock:
                local.thread = self._threads
                self._threads += 1
        return local.thread

    def _append(self, batch: _Batch) -> None:
        data = self._encode(batch)
        with self._lock:
            if not self._end:
                return
            if self._end + len(data) > self._fold_at:
                self._write(self._read(), self._other())
            end = self._end + _LENGTH_BYTES + len(data)
            if end > self._half() + FUSE_JOURNAL_BYTES_MAX:
                log.warning("the journal is full: nobody can take over from this file process")
                self._words[_END] = self._end = 0
                return
            self._map[self._end : end] = len(data).to_bytes(_LENGTH_BYTES, "little") + data
            self._words[_END] = self._end = end

    # --- halves ---------------------------------------------------------------------------------
    def _half(self) -> int:
        """Where the half begins that counts."""
        second = _HEAD_BYTES + FUSE_JOURNAL_BYTES_MAX
        return second if self._end > second else _HEAD_BYTES

    def _other(self) -> int:
        return 2 * _HEAD_BYTES + FUSE_JOURNAL_BYTES_MAX - self._half()

    def _read(self) -> State:
        state, decode = State(), msgspec.msgpack.Decoder().decode
        at = self._half()
        while at < self._end:
            start = at + _LENGTH_BYTES
            at = start + int.from_bytes(self._map[at:start], "little")
            state.apply(*decode(self._map[start:at]))
        return state

    def _write(self, state: State, half: int) -> None:
        data = self._encode((0, 0, b"", state.notes()))
        end = half + _LENGTH_BYTES + len(data)
        old = self._half() if self._end else 0
        if end > half + FUSE_JOURNAL_BYTES_MAX // 2:
            log.warning("the journal is full: nobody can take over from this file process")
            end = 0
        else:
            self._map[half:end] = len(data).to_bytes(_LENGTH_BYTES, "little") + data
        self._words[_END] = self._end = end
        self._fold_at = end + len(data) + FUSE_JOURNAL_FOLD_BYTES
        if old and old != half:
            self._map.madvise(mmap.MADV_REMOVE, old, FUSE_JOURNAL_BYTES_MAX)


_THREADS_MAX = FUSE_WORKERS_MAX + 8
"""Those that serve the kernel, and the few that do something by themselves."""
