"""Waiting for a request to capture, and answering it, over one descriptor.

A thread of the extension waits there outside of the interpreter, so it costs nothing. A request is
one byte; the answer is a byte and eight bytes of length, and then so many bytes:

    C    capture: `I`, and the image; or `N`, and why it is not possible, as UTF-8
    G    after an image: the program goes on elsewhere: this process ends at once
    R    after an image: the program runs on here

While an image is on its way the program stands. The other end's loss means R: without an answer
the program is here and nowhere else.
"""

import os

import oneos_moving as native

from .capture import Held, capture
from .reasons import NotSafe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

CAPTURE, GONE, RUN_ON = b"CGR"
IMAGE, REFUSED = b"I", b"N"
GONE_STATUS = 0


def listen(descriptor: int, deadline_s: float, adapter: "Any") -> None:
    """Answer requests from now on, for as long as the other end is open.

    Args:
        descriptor: one end of a stream socket; the program knows nothing of it, so `adapter`
            has it among those that it ignores.
        deadline_s: how long a capture looks for a moment at which the program can move.
        adapter: as `reopening.ByPath`.

    Raises:
        OSError: no thread could be made.
    """

    def serve(byte: int) -> bool:
        if byte != CAPTURE:
            return True  # There is no image whose fate it could be.
        return answer(descriptor, deadline_s, adapter)

    native.listen(descriptor, serve)


def answer(descriptor: int, deadline_s: float, adapter: "Any") -> bool:
    """Take one image, send it, and do as the other end says; False at the other end's loss."""
    held: Held | None = None
    try:
        try:
            held = capture(deadline_s, adapter)
        except NotSafe as error:
            send(descriptor, REFUSED, [error.reason.encode(errors="replace")])
            return True
        send(descriptor, IMAGE, list(held.image.pieces()))
        fate = os.read(descriptor, 1)
        if fate and fate[0] == GONE:
            os._exit(GONE_STATUS)
        return bool(fate)
    except OSError:
        return False
    finally:
        if held is not None:
            held.go_on()


def send(descriptor: int, kind: bytes, pieces: "Iterable[Any]") -> None:
    whole = list(pieces)
    length = sum(len(piece) for piece in whole)
    for piece in (kind + length.to_bytes(8, "little"), *whole):
        view = memoryview(piece).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]
