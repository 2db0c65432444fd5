"""What travels on a link, and how it is cut out of the stream of bytes.

A frame is a 4-byte little-endian length and a MessagePack array whose first element tells its kind.
`FrameAssembler` finds the frames in what arrives without copying long ones; `encode` makes one
buffer a frame, so that it goes out in one write. Errors cross by the name of their class and are
rebuilt as the same class; what is not one of ours becomes an InternalError. Tests feed it every
cut of a stream and random bytes.
"""

import errno
from collections.abc import Callable

import msgspec

from oneos.errors import (
    AuthError,
    Fenced,
    FileError,
    InternalError,
    NetworkError,
    OneOSError,
    Unknown,
    UserError,
)
from oneos.limits import FRAME_BYTES_MAX, LINK_RECEIVE_BYTES
from oneos.unreadable import UNREADABLE

PREAMBLE_CALLS = b"ONEOSRPC"
PREAMBLE_STREAM = b"ONEOSSTR"
PREAMBLE_BYTES = 8

WIRE_VERSION = 1
HEADER_BYTES = 4


class Hello(msgspec.Struct, array_like=True, tag="h", frozen=True):
    """The server's first frame: only with it does the client know that it was let in."""

    version: int
    network: str
    host: str


class Call(msgspec.Struct, array_like=True, tag="c", frozen=True):
    """Please do `method` with this argument. The id is unique on the link."""

    id: int
    method: str
    body: msgspec.Raw


class Cancel(msgspec.Struct, array_like=True, tag="x", frozen=True):
    """Nobody waits for that call any more."""

    id: int


class Reply(msgspec.Struct, array_like=True, tag="r", frozen=True):
    """The call succeeded."""

    id: int
    body: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, tag="f", frozen=True):
    """The call failed; `kind` names the class of the error."""

    id: int
    errno: int
    message: str
    hint: str
    kind: str


class Heartbeat(msgspec.Struct, array_like=True, tag="b", frozen=True):
    """I am here."""


Frame = Hello | Call | Cancel | Reply | Failure | Heartbeat

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)

_KINDS: dict[str, type[OneOSError]] = {
    kind.__name__: kind
    for kind in (UserError, NetworkError, AuthError, Fenced, Unknown, FileError, InternalError)
}


def encode(frame: Frame) -> bytearray:
    """The frame with its length, ready for one write.

    Raises:
        UserError: it is longer than FRAME_BYTES_MAX (EMSGSIZE).
    """
    buffer = bytearray(HEADER_BYTES)
    _encoder.encode_into(frame, buffer, HEADER_BYTES)
    length = len(buffer) - HEADER_BYTES
    if length > FRAME_BYTES_MAX:
        raise UserError(
            f"a message of {length} bytes is longer than {FRAME_BYTES_MAX}", errno=errno.EMSGSIZE
        )
    buffer[:HEADER_BYTES] = length.to_bytes(HEADER_BYTES, "little")
    return buffer


def decode(raw: bytes | bytearray) -> Frame:
    """The frame in `raw` (without its length).

    Raises:
        NetworkError: it is not one (EPROTO).
    """
    try:
        return _decoder.decode(raw)
    except UNREADABLE as error:
        raise NetworkError(f"a frame is damaged: {error}", errno=errno.EPROTO) from None


class FrameAssembler:
    """Cuts frames out of bytes that arrive in pieces of any size.

    Use as an asyncio BufferedProtocol does: write into `get_buffer()`, then tell `received()` how
    much. Each frame goes to `deliver` as an object of its own.

    Args:
        deliver: called with each whole frame, in order.
        frame_bytes_max: longer ones are refused before any memory is set aside for them.
    """

    def __init__(self, deliver: Callable[[bytes | bytearray], None], frame_bytes_max: int) -> None:
        self._deliver = deliver
        self._frame_bytes_max = frame_bytes_max
        self._buffer = bytearray(LINK_RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._end = 0
        self._long: bytearray | None = None
        self._long_filled = 0

    def get_buffer(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._long is not None:
            return memoryview(self._long)[self._long_filled :]
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """Take note of `count` new bytes in the buffer, and deliver what is whole.

        Raises:
            NetworkError: a frame is longer than allowed (EMSGSIZE).
        """
        if self._long is not None:
            self._long_filled += count
            if self._long_filled == len(self._long):
                frame, self._long = self._long, None
                self._deliver(frame)
            return
        end = self._end + count
        start = 0
        while end - start >= HEADER_BYTES:
            begin = start + HEADER_BYTES
            length = int.from_bytes(self._view[start:begin], "little")
            if length > self._frame_bytes_max:
                raise NetworkError(
                    f"a frame of {length} bytes is longer than {self._frame_bytes_max}",
                    errno=errno.EMSGSIZE,
                )
            if end - begin >= length:
                start = begin + length
                self._deliver(bytes(self._view[begin:start]))
                continue
            if length + HEADER_BYTES > LINK_RECEIVE_BYTES:
                self._long = bytearray(length)
                self._long_filled = end - begin
                self._long[: self._long_filled] = self._view[begin:end]
                start = end
            break
        # What is left is the beginning of one frame: at most one move a call.
        if start and start < end:
            self._buffer[: end - start] = self._buffer[start:end]
        self._end = end - start


def failure_of(call_id: int, error: OneOSError) -> Failure:
    """The error as it crosses: by the nearest class of `errors` that both ends know."""
    kind = next((c.__name__ for c in type(error).__mro__ if c.__name__ in _KINDS), "InternalError")
    return Failure(call_id, error.errno, error.message, error.hint, kind)


def error_of(failure: Failure) -> OneOSError:
    """The error as it was raised at the other end. A kind we do not know is an InternalError."""
    kind = _KINDS.get(failure.kind, InternalError)
    # FileError builds its message from an errno and a path; here the message is there already.
    error = kind.__new__(kind)
    OneOSError.__init__(error, failure.message, errno=failure.errno, hint=failure.hint)
    return error
