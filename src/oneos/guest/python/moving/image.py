"""What a program is while it is on its way: facts, heap and buffers, and how they are written.

    8 bytes    b"OneOSpy1"
    4 bytes    length of the facts; the facts, as JSON
    4 bytes    count of the buffers; 8 bytes each, their lengths
    8 bytes    length of the heap; the heap, as in `native/heap.h`
    the buffers, each from a multiple of 64 bytes on

All numbers are little endian. Nothing here knows the CPU: code is CPython's byte code.
"""

import json
import struct

from .files import Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAGIC = b"OneOSpy1"
ALIGNED = 64
FACTS_BYTES_MAX = 1 << 20
BUFFERS_MAX = 1 << 20


class Image:
    """A captured program.

    Attributes:
        facts: what is read before anything is made: `python` (version, magic number of its byte
            code), `hash_seed`, `hash_check`, `codes` (module, name and hash of each function of a
            package or of the standard library that is on a stack), `path`, `argv`, `cwd`,
            `environment` is in the heap.
        descriptors: the open ones.
        heap: the objects, and how many there are.
        buffers: large bytes, in the order in which the heap names them.
    """

    def __init__(
        self,
        facts: "dict[str, Any]",
        descriptors: list[Descriptor],
        heap: "bytes | memoryview",
        buffers: "list[Any]",
    ) -> None:
        self.facts, self.descriptors = facts, descriptors
        self.heap, self.buffers = heap, buffers

    def pieces(self) -> "Iterator[bytes | memoryview]":
        """The image as bytes, large ones uncopied."""
        named = [[getattr(one, name) for name in FIELDS] for one in self.descriptors]
        facts = json.dumps({**self.facts, "descriptors": named}).encode()
        views = [memoryview(one).cast("B") for one in self.buffers]
        head = [MAGIC, struct.pack("<I", len(facts)), facts, struct.pack("<I", len(views))]
        head += [struct.pack("<Q", len(view)) for view in views]
        head.append(struct.pack("<Q", len(self.heap)))
        start = b"".join(head)
        yield start
        yield self.heap
        at = len(start) + len(self.heap)
        for view in views:
            yield bytes(-at % ALIGNED)
            at += -at % ALIGNED + len(view)
            yield view

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces())

    @classmethod
    def read(cls, raw: "bytes | bytearray | memoryview") -> "Image":
        """
        Raises:
            ValueError: this is no image, or only a part of one.
        """
        view = memoryview(raw).cast("B")
        try:
            return cls._read(view)
        except (struct.error, KeyError, TypeError) as error:
            raise ValueError(f"the image is damaged: {error}") from None

    @classmethod
    def _read(cls, view: memoryview) -> "Image":
        if view[: len(MAGIC)] != MAGIC:
            raise ValueError("this is no image of a Python program, or of another version")
        at = len(MAGIC)
        (length,) = struct.unpack_from("<I", view, at)
        at += 4
        if length > FACTS_BYTES_MAX:
            raise ValueError("the image is damaged")
        facts = json.loads(bytes(view[at : at + length]))
        at += length
        (count,) = struct.unpack_from("<I", view, at)
        at += 4
        if count > BUFFERS_MAX:
            raise ValueError("the image is damaged")
        *lengths, heap_bytes = struct.unpack_from(f"<{count + 1}Q", view, at)
        at += 8 * (count + 1)
        heap = view[at : at + heap_bytes]
        at += heap_bytes
        buffers = []
        for length in lengths:
            at += -at % ALIGNED
            buffers.append(view[at : at + length])
            at += length
        if at > len(view):
            raise ValueError("the image is not whole")
        descriptors = [Descriptor(*one) for one in facts.pop("descriptors")]
        return cls(facts, descriptors, heap, buffers)


FIELDS = ("number", "kind", "path", "offset", "flags")
