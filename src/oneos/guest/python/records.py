"""Record streams: `sys.stdin.json`, `sys.stdout.segment` and their kind; see docs/records.md.

`json` is one JSON value a line, `segment` bytes behind a length of four bytes, the lowest first.
Readers read through the standard stream's own buffer. Writers write to its descriptor, after what
the program has written to the stream itself: the buffer would join small records and part long
ones. `recordlock.py` keeps the records of several writers apart. Loaded when a program first
touches one of them; `standard.py` is what stands there before.
"""

import json
import os
import select
import struct

from .failure import strip
from .recordlock import RecordLock
from .standard import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

RECORD_BYTES_MAX = 64 * 1024 * 1024
"""One record: a camera's picture fits; what is longer is a file, and would only fill the memory of
whoever reads it. `guest/node/limits.js` has the same."""

HEAD = struct.Struct("<I")


class RecordError(ValueError):
    """Input that is not what its format says.

    Attributes:
        number: of the line (`json`) or of the record (`segment`), from 1.
    """

    def __init__(self, what: str, number: int) -> None:
        super().__init__(what)
        self.number = number


class Reader(Record):
    """An iterator over the records of an input. One thread at a time reads from it."""

    def _open(self) -> None:
        self._buffer: Any = self._stream.buffer
        self._number = 0
        self._over = False

    def __iter__(self) -> "Iterator[Any]":
        return self

    def __next__(self) -> "Any":
        if self._over:
            raise StopIteration
        try:
            return self._next()
        except BaseException as error:
            # After a record that is none, nobody can say where the next begins.
            self._over = isinstance(error, StopIteration | RecordError)
            strip()
            raise

    def _next(self) -> "Any":
        raise NotImplementedError

    def _fail(self, what: str, kind: str) -> "NoReturn":
        raise RecordError(f"standard input: {kind} {self._number}: {what}", self._number)


class JsonReader(Reader):
    """Iterates over values: one JSON text a line; empty lines are passed over.

    Raises:
        RecordError: a line is not JSON, or longer than RECORD_BYTES_MAX.
    """

    def _next(self) -> "Any":
        while True:
            line = self._buffer.readline(RECORD_BYTES_MAX + 2)
            if not line:
                raise StopIteration
            self._number += 1
            if len(line.rstrip(b"\n")) > RECORD_BYTES_MAX:
                self._fail(too_long(len(line)), "line")
            if line.isspace():
                continue
            try:
                return json.loads(line.decode(), parse_constant=no_constant)
            except UnicodeDecodeError:
                self._fail("not UTF-8", "line")
            except (ValueError, RecursionError) as error:
                what = f"not JSON: {error}"
            self._fail(what, "line")


class SegmentReader(Reader):
    """Iterates over records, each `bytes`.

    Raises:
        RecordError: the last record is cut off, or one is longer than RECORD_BYTES_MAX.
    """

    def _next(self) -> bytes:
        head = self._buffer.read(HEAD.size)
        if not head:
            raise StopIteration
        self._number += 1
        size = HEAD.unpack(head)[0] if len(head) == HEAD.size else -1
        if size > RECORD_BYTES_MAX:
            self._fail(too_long(size), "record")
        data: bytes = self._buffer.read(max(size, 0))
        if len(data) != size:
            self._fail("cut off by the end of the input", "record")
        return data


class Writer(Record):
    """Writes records; any number of threads and processes may do so at a time."""

    def _open(self) -> None:
        self._fd: int = self._stream.fileno()
        self._lock = RecordLock(os.fstat(self._fd))

    def write(self, value: "Any", /) -> int:
        """Write one record, whole. Returns when the kernel has it.

        Args:
            value: what the format takes.

        Returns:
            How many bytes went out, the length or the line's end included.

        Raises:
            TypeError, ValueError: `value` is not of that kind, or longer than RECORD_BYTES_MAX.
            OSError: as for any write.
        """
        record = self._encode(value)
        # The text that the program wrote before comes before.
        self._stream.flush()
        with self._lock:
            rest = memoryview(record)
            while rest:
                try:
                    rest = rest[os.write(self._fd, rest) :]
                except BlockingIOError:
                    # Somebody made the pipe non-blocking, and it is full.
                    select.select([], [self._fd], [])
        return len(record)

    def __iter__(self) -> "NoReturn":
        raise TypeError("records are written to this stream, not read from it")

    __next__ = __iter__

    def _encode(self, value: "Any") -> bytes:
        raise NotImplementedError


class JsonWriter(Writer):
    """Takes what `json.dumps` takes, without NaN and the infinities, which JSON does not have."""

    def _encode(self, value: "Any") -> bytes:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
        if len(text) > RECORD_BYTES_MAX:  # It is ASCII: as many bytes.
            raise ValueError(too_long(len(text)))
        return text.encode("ascii") + b"\n"


class SegmentWriter(Writer):
    """Takes bytes, or anything that has a buffer of them."""

    def _encode(self, value: "Any") -> bytes:
        with memoryview(value) as view:
            if view.nbytes > RECORD_BYTES_MAX:
                raise ValueError(too_long(view.nbytes))
            return HEAD.pack(view.nbytes) + view.tobytes()


CLASSES = {
    ("stdin", "json"): JsonReader,
    ("stdin", "segment"): SegmentReader,
    ("stdout", "json"): JsonWriter,
    ("stdout", "segment"): SegmentWriter,
    ("stderr", "json"): JsonWriter,
}


def no_constant(name: str) -> "NoReturn":
    raise ValueError(f"{name} is not a JSON value")


def too_long(size: int) -> str:
    return f"a record of {size} bytes is too long, {RECORD_BYTES_MAX} is the most"
