"""Opening a moved program's files again: descriptors first, by an adapter, then their streams.

The adapter is the only thing here that the Runtime replaces, which opens files of the network.
"""

import _io
import os
import sys

import oneos_moving as native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .files import Descriptor

NOT_AGAIN = os.O_CREAT | os.O_EXCL | os.O_TRUNC


class ByPath:
    """The adapter for files that have the same path where the program goes on.

    A Runtime's own one has the same methods. Errors of `open` end the restore, so the program goes
    on where it was.
    """

    ignored: "frozenset[int]" = frozenset()
    """Numbers of descriptors that are not the program's."""

    def takes(self, one: "Descriptor") -> bool:
        """While capturing: whether `open` will do with a descriptor that is no plain file."""
        return False

    def open(self, one: "Descriptor") -> int | None:
        """While restoring: a descriptor to put in this one's place; None if it is there already."""
        if one.number <= 2:
            return None  # Whoever starts the process gives it its standard descriptors.
        fd = os.open(one.path, one.flags & ~NOT_AGAIN)
        if one.kind == "file" and one.offset:
            os.lseek(fd, one.offset, os.SEEK_SET)
        return fd


def open_all(descriptors: "list[Descriptor]", adapter: "Any") -> None:
    """Have each descriptor open under its number.

    Raises:
        OSError: a file is not there, or may not be opened.
    """
    wanted = {one.number for one in descriptors}
    for one in descriptors:
        if one.number <= 2 and one.kind == "pipe" and one.flags & os.O_NONBLOCK:
            os.set_blocking(one.number, False)
        fd = adapter.open(one)
        if fd is None or fd == one.number:
            continue
        if fd in wanted:  # Another belongs there.
            aside = os.dup(fd)
            while aside in wanted:
                aside = os.dup(aside)  # The ones before are written over below.
            os.close(fd)
            fd = aside
        os.dup2(fd, one.number, inheritable=not one.flags & os.O_CLOEXEC)
        os.close(fd)


# --- streams, made by the heap ------------------------------------------------------------------
def raw(number: int, mode: str, closefd: bool, name: "Any") -> "Any":
    one = _io.FileIO(number, mode.replace("x", "w"), closefd)
    if name is not None and name != number:
        one.name = name
    return one


def closed_raw(mode: str) -> "Any":
    one = _io.FileIO(os.open("/dev/null", os.O_RDWR), mode.replace("x", "w"))
    one.close()
    return one


def buffered(kind: str, of: "Any", size: int) -> "Any":
    return getattr(_io, kind)(of, size)


def closed_stream(kind: str, of: "Any") -> "Any":
    one = _io.BytesIO()
    made: Any = _io.TextIOWrapper(one) if kind == "TextIOWrapper" else one
    made.close()
    return made


def fill_buffered(one: "Any", state: "tuple[bytes, bytes]") -> None:
    native.set_buffer_state(one, *state)


def text(
    of: "Any",
    encoding: str,
    errors: str,
    newline: "str | None",
    lines: bool,
    through: bool,
    mode: "str | None",
) -> "Any":
    one = _io.TextIOWrapper(of, encoding, errors, newline, lines, through)
    if mode is not None:
        one.mode = mode  # type: ignore[misc]
    return one


def fill_text(one: "Any", state: "tuple[Any, Any]") -> None:
    fields, decoder_state = state
    decoder = native.text_state(one)[1]
    if decoder is not None and decoder_state is not None:
        decoder.setstate(decoder_state)
    native.set_text_state(one, fields)


def standard(name: str) -> "Any":
    return getattr(sys, name)


def standard_buffer(name: str) -> "Any":
    return getattr(sys, name).buffer


def standard_raw(name: str) -> "Any":
    return getattr(sys, name).buffer.raw


def fill_standard(one: "Any", state: "tuple[Any, bytes, bytes, bytes]") -> None:
    text_state, ahead, pending, gathered = state
    fill_text(one, text_state)
    native.set_buffer_state(one.buffer, ahead, pending)
    if gathered:
        if type(one.buffer) is not native.ByteReader:
            raise ValueError("standard input is no pipe here")
        native.set_gathered(gathered)


def close_standard(one: "Any", _: None) -> None:
    one.close()


HELPERS: "dict[str, Any]" = {
    one.__name__: one
    for one in (
        *(raw, closed_raw, buffered, closed_stream, fill_buffered, text, fill_text, standard),
        *(standard_buffer, standard_raw, fill_standard, close_standard),
    )
}
