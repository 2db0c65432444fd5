"""The hand-written MessagePack agrees with msgspec on everything the protocol can carry."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.guest.python import codec
from tests.support.examples import examples

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(max_size=40)
    | st.binary(max_size=300)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=30,
)


@examples(50)
@given(values)
def test_each_side_reads_the_other(value: object) -> None:
    assert msgspec.msgpack.decode(codec.encode(value)) == value
    assert codec.decode(msgspec.msgpack.encode(value)) == value


@pytest.mark.parametrize("size", [31, 32, 255, 256, 65_535, 65_536])
def test_sizes_at_the_borders(size: int) -> None:
    for value in ("x" * size, b"x" * size, [1] * size, {str(n): n for n in range(size)}):
        assert codec.decode(codec.encode(value)) == value
        assert codec.encode(value) == msgspec.msgpack.encode(value)


@examples(50)
@given(values, st.data())
def test_what_is_cut_short_is_refused(value: object, data: st.DataObject) -> None:
    whole = codec.encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises((ValueError, UnicodeDecodeError)):
        codec.decode(whole[:cut])


def test_what_is_left_over_is_refused() -> None:
    with pytest.raises(ValueError, match="1 bytes after"):
        codec.decode(b"\x01\x02")


def test_what_the_protocol_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="0xcb"):
        codec.decode(msgspec.msgpack.encode(1.5))
    with pytest.raises(TypeError, match="float"):
        codec.encode(1.5)
    with pytest.raises(OverflowError):
        codec.encode(1 << 64)
