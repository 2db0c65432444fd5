"""Frames are found however the bytes are cut, and bad ones never do more than end the link."""

import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.errors import (
    AuthError,
    ConfigError,
    Fenced,
    FileError,
    InternalError,
    NetworkError,
    OneOSError,
    Unknown,
    UserError,
)
from oneos.limits import FRAME_BYTES_MAX, LINK_RECEIVE_BYTES
from oneos.net.frames import (
    Call,
    Failure,
    FrameAssembler,
    Reply,
    decode,
    encode,
    error_of,
    failure_of,
)


def feed(assembler: FrameAssembler, data: bytes, cuts: list[int]) -> None:
    """Give the bytes in pieces of the given sizes, again and again, as a transport would."""
    position = turn = 0
    while position < len(data):
        room = assembler.get_buffer()
        assert len(room) > 0
        count = min(cuts[turn % len(cuts)], len(room), len(data) - position)
        room[:count] = data[position : position + count]
        assembler.received(count)
        position += count
        turn += 1


SIZES = st.one_of(
    st.integers(0, 300),
    st.integers(LINK_RECEIVE_BYTES - 20, LINK_RECEIVE_BYTES + 20),
    st.integers(LINK_RECEIVE_BYTES, 3 * LINK_RECEIVE_BYTES),
)
CUTS = st.lists(st.one_of(st.integers(1, 9), st.integers(1, 70_000)), min_size=1, max_size=8)


@given(sizes=st.lists(SIZES, max_size=6), cuts=CUTS)
def test_frames_arrive_whole_and_in_order_however_they_are_cut(
    sizes: list[int], cuts: list[int]
) -> None:
    if sum(sizes) > 5_000 and max(cuts) < 1000:
        cuts = [*cuts, 30_000]
    frames = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    received: list[bytes] = []
    assembler = FrameAssembler(lambda f: received.append(bytes(f)), FRAME_BYTES_MAX)
    feed(assembler, b"".join(len(f).to_bytes(4, "little") + f for f in frames), cuts)
    assert received == frames


def test_a_frame_too_long_is_refused_before_memory_is_taken() -> None:
    received: list[bytes | bytearray] = []
    assembler = FrameAssembler(received.append, 1000)
    with pytest.raises(NetworkError) as caught:
        feed(assembler, (1001).to_bytes(4, "little") + b"x", [5])
    assert caught.value.errno == errno.EMSGSIZE
    assert received == []


def test_a_message_too_long_is_refused_at_its_sender() -> None:
    with pytest.raises(UserError) as caught:
        encode(Reply(1, msgspec.Raw(msgspec.msgpack.encode(b"x" * FRAME_BYTES_MAX))))
    assert caught.value.errno == errno.EMSGSIZE


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_a_network_error(raw: bytes) -> None:
    try:
        decode(raw)
    except NetworkError:
        pass


@pytest.mark.parametrize(
    "raw", [b"\x91" * 100_000 + b"\x90", b"\x91\xa1\x80"], ids=["deep nesting", "no UTF-8"]
)
def test_what_msgpack_reads_in_vain_is_a_network_error(raw: bytes) -> None:
    with pytest.raises(NetworkError):
        decode(raw)


def test_a_call_is_read_as_it_was_sent() -> None:
    body = msgspec.Raw(msgspec.msgpack.encode({"a": [1, b"2"]}))
    frame = decode(encode(Call(7, "x.y", body))[4:])
    assert isinstance(frame, Call)
    assert (frame.id, frame.method, bytes(frame.body)) == (7, "x.y", bytes(body))


@pytest.mark.parametrize(
    "error",
    [
        UserError("a", errno=1, hint="h"),
        NetworkError("b"),
        AuthError("c"),
        Fenced("d"),
        Unknown("e"),
        InternalError("f"),
        FileError(errno.ENOENT, "/x/y", hint="look"),
        FileError(errno.ENOSPC),
    ],
)
def test_an_error_crosses_as_itself(error: OneOSError) -> None:
    frame = decode(encode(failure_of(1, error))[4:])
    assert isinstance(frame, Failure)
    other = error_of(frame)
    assert type(other) is type(error)
    assert (other.message, other.errno, other.hint) == (error.message, error.errno, error.hint)
    assert other.lines() == error.lines() and str(other) == str(error)


def test_an_error_of_a_class_the_other_end_lacks_crosses_as_its_parent() -> None:
    assert type(error_of(failure_of(1, ConfigError("x")))) is UserError
    assert type(error_of(failure_of(1, OneOSError("x")))) is InternalError
    assert type(error_of(Failure(1, 5, "m", "", "os.system"))) is InternalError
