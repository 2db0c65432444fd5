"""MessagePack, as much of it as the local protocol uses: nil, booleans, integers, strings, bytes,
lists and maps.

Programs run under the host's plain interpreter, where no MessagePack package can be relied on, and
a program must start in milliseconds; so the subset is written out here. Frames
(docs/guest-protocol.md) are cut in `channel`. tests/unit/guest_python/test_codec.py holds it
against msgspec.
"""

TYPE_CHECKING = False  # `typing` itself would cost more to import than all of this package.
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def encode(value: "Any") -> bytes:
    """The MessagePack form of `value`.

    Raises:
        TypeError: a type that the protocol does not use.
        OverflowError: an integer beyond 64 bits.
    """
    parts: list[bytes] = []
    _put(value, parts.append)
    return b"".join(parts)


def decode(data: bytes) -> "Any":
    """The value that `data` holds, whole.

    Raises:
        ValueError: not MessagePack, cut short, or with bytes left over.
    """
    try:
        value, end = _get(data, 0)
    except IndexError:
        raise ValueError("MessagePack value is cut short") from None
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes after a MessagePack value")
    return value


def _put(value: "Any", add: "Callable[[bytes], object]") -> None:
    kind = type(value)
    if kind is bytes:
        add(_head(len(value), None, 0xC4, 0xC5, 0xC6))
        add(value)
    elif kind is int:
        add(_integer(value))
    elif kind is str:
        raw = value.encode()
        size = len(raw)
        add(bytes((0xA0 | size,)) if size < 32 else _head(size, None, 0xD9, 0xDA, 0xDB))
        add(raw)
    elif kind is bool:
        add(b"\xc3" if value else b"\xc2")
    elif value is None:
        add(b"\xc0")
    elif kind is list or kind is tuple:
        size = len(value)
        add(bytes((0x90 | size,)) if size < 16 else _head(size, 0, 0, 0xDC, 0xDD))
        for item in value:
            _put(item, add)
    elif kind is dict:
        size = len(value)
        add(bytes((0x80 | size,)) if size < 16 else _head(size, 0, 0, 0xDE, 0xDF))
        for key, item in value.items():
            _put(key, add)
            _put(item, add)
    else:
        raise TypeError(f"the local protocol has no {kind.__name__}")


def _head(size: int, no_8_bit: int | None, tag_8: int, tag_16: int, tag_32: int) -> bytes:
    if no_8_bit is None and size < 0x100:
        return bytes((tag_8, size))
    if size < 0x10000:
        return bytes((tag_16, size >> 8, size & 0xFF))
    return bytes((tag_32,)) + size.to_bytes(4, "big")


def _integer(value: int) -> bytes:
    if 0 <= value < 0x80:
        return bytes((value,))
    if -0x20 <= value < 0:
        return bytes((value + 0x100,))
    if value >= 0:
        for tag, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4)):
            if value < 1 << (8 * size):
                return bytes((tag,)) + value.to_bytes(size, "big")
        return b"\xcf" + value.to_bytes(8, "big")
    for tag, size in ((0xD0, 1), (0xD1, 2), (0xD2, 4)):
        if value >= -(1 << (8 * size - 1)):
            return bytes((tag,)) + value.to_bytes(size, "big", signed=True)
    return b"\xd3" + value.to_bytes(8, "big", signed=True)


# How many bytes of length (or of integer) follow each tag that has them.
_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_STRING = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_LIST = {0xDC: 2, 0xDD: 4}
_MAP = {0xDE: 2, 0xDF: 4}
_CONSTANT = {0xC0: None, 0xC2: False, 0xC3: True}


def _get(data: bytes, at: int) -> "tuple[Any, int]":
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xE0:
        return tag - 0x100, at
    if tag in _UNSIGNED:
        return _number(data, at, _UNSIGNED[tag])
    if tag in _BYTES:
        size, at = _number(data, at, _BYTES[tag])
        return _slice(data, at, size)
    if 0x90 <= tag < 0xA0:
        return _items(data, at, tag & 0x0F)
    if 0xA0 <= tag < 0xC0 or tag in _STRING:
        size = tag & 0x1F
        if tag in _STRING:
            size, at = _number(data, at, _STRING[tag])
        raw, at = _slice(data, at, size)
        return raw.decode(), at
    if tag in _CONSTANT:
        return _CONSTANT[tag], at
    if tag in _SIGNED:
        size = _SIGNED[tag]
        raw, at = _slice(data, at, size)
        return int.from_bytes(raw, "big", signed=True), at
    if tag in _LIST:
        size, at = _number(data, at, _LIST[tag])
        return _items(data, at, size)
    if tag < 0x90 or tag in _MAP:
        size = tag & 0x0F
        if tag in _MAP:
            size, at = _number(data, at, _MAP[tag])
        flat, at = _items(data, at, 2 * size)
        return dict(zip(flat[::2], flat[1::2], strict=True)), at
    raise ValueError(f"the local protocol has no MessagePack tag {tag:#x}")


def _number(data: bytes, at: int, size: int) -> tuple[int, int]:
    raw, at = _slice(data, at, size)
    return int.from_bytes(raw, "big"), at


def _slice(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    end = at + size
    if end > len(data):
        raise IndexError
    return data[at:end], end


def _items(data: bytes, at: int, count: int) -> "tuple[list[Any], int]":
    items = []
    for _ in range(count):
        item, at = _get(data, at)
        items.append(item)
    return items, at
