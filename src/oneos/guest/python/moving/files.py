"""Open files: descriptors by number, and the streams on them with what they have read ahead.

Nothing is flushed, read or sought: bytes that a stream has read ahead, or has not written yet, go
with the image. Whoever restores opens the descriptors again, by an adapter (`reopening.py`).
"""

import _io
import os
import stat
import sys

import oneos_moving as native

from .reaching import has_descriptor
from .reasons import cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .heap import Description, Heap

STANDARD = (0, 1, 2)
FILE, DEVICE, PIPE, SOCKET, OTHER = "file", "device", "pipe", "socket", "other"


class Descriptor:
    """One open descriptor: what it takes to open it again under its number."""

    __slots__ = ("flags", "kind", "number", "offset", "path")

    def __init__(self, number: int, kind: str, path: str, offset: int, flags: int) -> None:
        self.number, self.kind, self.path = number, kind, path
        self.offset, self.flags = offset, flags


class Files:
    """The program's descriptors during one capture."""

    def __init__(self) -> None:
        self.remade: set[int] = set()
        """Numbers of descriptors that objects of the heap open by themselves (`polls.py`)."""

    def open_now(self, ignored: "frozenset[int]" = frozenset()) -> "list[Descriptor]":
        """All descriptors of this process but those ignored.

        Raises:
            NotSafe: one is of a kind that cannot be opened again.
        """
        found = []
        for number in sorted(map(int, os.listdir("/proc/self/fd"))):
            if number in ignored or number in self.remade:
                continue
            try:
                found.append(look_at(number))
            except FileNotFoundError:
                continue  # The listing's own.
        return found


def look_at(number: int) -> Descriptor:
    path = os.readlink(f"/proc/self/fd/{number}")
    mode = os.fstat(number).st_mode
    kind = OTHER
    for known, test in (
        (FILE, stat.S_ISREG),
        (FILE, stat.S_ISDIR),
        (DEVICE, stat.S_ISCHR),
        (PIPE, stat.S_ISFIFO),
        (SOCKET, stat.S_ISSOCK),
    ):
        if test(mode):
            kind = known
            break
    # Both from one place, without asking for a move.
    with open(f"/proc/self/fdinfo/{number}", "rb") as file:
        facts = dict(line.split(b":", 1) for line in file.read().splitlines() if b":" in line)
    return Descriptor(number, kind, path, int(facts[b"pos"]), int(facts[b"flags"], 8))


def check_descriptors(descriptors: "list[Descriptor]", takes: "Any") -> None:
    """Refuse what cannot be opened again.

    Args:
        takes: whether the adapter has a way of its own for a descriptor.
    """
    for one in descriptors:
        if one.number in STANDARD or takes(one):
            continue
        if one.kind == FILE and not one.path.endswith(" (deleted)"):
            continue
        if one.kind == DEVICE and one.path in ("/dev/null", "/dev/zero", "/dev/urandom"):
            continue
        what = {PIPE: "a pipe", SOCKET: "a socket", DEVICE: "a device"}.get(one.kind, "open")
        if one.kind == FILE:
            what = "a file without a name"
        text = f"descriptor {one.number} ({one.path}) is {what}, which cannot move"
        raise cannot(text, has_descriptor(one.number))


# --- streams ------------------------------------------------------------------------------------
def describe_raw(heap: "Heap", one: "Any") -> "Description":
    if one.closed:
        return "closed_raw", (one.mode,), 0
    name = getattr(one, "name", None)
    return "raw", (one.fileno(), one.mode, one.closefd, name), 0


def describe_buffered(heap: "Heap", one: "Any") -> "Description":
    try:
        raw = one.raw
    except ValueError:
        raise cannot("a detached stream cannot move") from None
    if one.closed:
        return "closed_stream", (type(one).__name__, raw), 0
    ahead, pending, size = native.buffer_state(one)
    arguments = (type(one).__name__, raw, size)
    return "buffered", arguments, 0, "fill_buffered", (ahead, pending)


def describe_pair(heap: "Heap", one: "Any") -> "Description":
    raise cannot("a stream of two descriptors cannot move")


def describe_text(heap: "Heap", one: "Any") -> "Description":
    try:
        buffer = one.buffer
    except ValueError:
        raise cannot("a detached stream cannot move") from None
    if one.closed:
        return "closed_stream", ("TextIOWrapper", buffer), 0
    arguments = (
        *(buffer, one.encoding, one.errors, native.text_state(one)[2]),
        *(one.line_buffering, one.write_through, getattr(one, "mode", None)),
    )
    return "text", arguments, 0, "fill_text", text_state(one)


def text_state(one: "Any") -> "tuple[Any, ...]":
    fields, decoder, _newline = native.text_state(one)
    state = decoder.getstate() if decoder is not None else None
    pending = fields[3]
    if isinstance(pending, list):
        pending = list(pending)
    return (*fields[:3], pending, *fields[4:]), state


def standard_specials() -> "list[tuple[Any, Any]]":
    """The standard streams, which exist where the program goes on: they get their state there."""
    found: list[tuple[Any, Any]] = []
    for name in ("__stdin__", "__stdout__", "__stderr__"):
        text = getattr(sys, name)
        if type(text) not in (_io.TextIOWrapper, native.LineReader):
            continue
        try:
            buffer = text.buffer
            raw = buffer.raw
        except (ValueError, AttributeError):
            continue
        if text.closed or type(raw) is not _io.FileIO:
            closing = ("standard", (name,), 0, "close_standard", None)
            found.append((text, closing))
            continue
        ahead, pending, _ = native.buffer_state(buffer)
        gathered = native.gathered() if type(buffer) is native.ByteReader else b""
        state = text_state(text), ahead, pending, gathered
        found += [
            (text, ("standard", (name,), 0, "fill_standard", state)),
            (buffer, ("standard_buffer", (name,), 0)),
            (raw, ("standard_raw", (name,), 0)),
        ]
    return found


BY_TYPE: "dict[type, Any]" = {
    _io.FileIO: describe_raw,
    _io.BufferedReader: describe_buffered,
    _io.BufferedWriter: describe_buffered,
    _io.BufferedRandom: describe_buffered,
    _io.BufferedRWPair: describe_pair,
    _io.TextIOWrapper: describe_text,
}
