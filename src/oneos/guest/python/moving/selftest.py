"""Whether the extension fits this very interpreter: a known frame is saved, and goes on.

The layouts that the extension reads are those of the headers that it was built with. Where they
differ from the interpreter that runs, as a distributor's patch may have it, this shows it before
any program depends on it. It takes a millisecond, in a process that can be lost.
"""

import io
import os

import oneos_moving as native

from .depth import shape_of
from .entry import resume
from .extension import Unusable
from .frames import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def check() -> None:
    """
    Raises:
        Unusable: the extension does not fit.
    """
    for test in (frame_goes_on, generator_is_read, stream_is_read, heap_is_read):
        try:
            fits = test()
        except Exception as error:
            raise Unusable(f"the extension does not fit this interpreter: {error!r}") from error
        if not fits:
            raise Unusable(f"the extension does not fit this interpreter ({test.__name__})")


def _known(a: int, b: int) -> int:
    made = [a, b]
    return sum(made) * 2


def frame_goes_on() -> bool:
    """A frame made by us, which stands where it has made its list, gives the sum of ours."""
    code = _known.__code__
    shape = shape_of(code)
    place = next(
        one.at
        for one in shape.instructions.values()
        if one.name == "STORE_FAST" and code.co_varnames[one.argument] == "made"
    )
    record = Record()
    record.code, record.function, record.generator = code, _known, None
    record.globals, record.space, record.closure = globals(), None, None
    record.slots = [3, 4, native.Nothing, [20, 1]]
    from .boundary import STEP_BACK

    record.index = place - STEP_BACK
    record.handled, record.boundary, record.frame = native.Nothing, None, None
    record.works = record.link = None
    return bool(resume([record], lambda: None) == 42)


def _numbers() -> "Any":
    kept = "kept"
    yield 1
    yield kept


def generator_is_read() -> bool:
    one = _numbers()
    next(one)
    slots = native.slots(one.gi_frame, 1)
    shape = shape_of(one.gi_code)
    return slots == ["kept"] and shape.locals == 1


def stream_is_read() -> bool:
    first, second = os.pipe()
    os.write(second, b"one\ntwo\nthree\n")
    os.close(second)
    with io.TextIOWrapper(io.BufferedReader(io.FileIO(first)), "utf-8") as text:
        line = text.readline()
        (ahead, used, *_), _decoder, _newline = native.text_state(text)
        fits = line == "one\n" and ahead is not None and ahead[used:] == "two\nthree\n"
    return fits and native.buffer_state(io.BufferedReader(io.BytesIO(b"xy"), 64))[2] == 64


def heap_is_read() -> bool:
    shared = [1, -(2**80), 2.5, "é", b"b", None, True]
    whole = {"a": shared, "b": (shared, {1, 2}), "c": frozenset(["x"])}
    raw, buffers, count = native.encode(whole, repr, bool, [])
    again = native.decode(raw, count, buffers, {})
    return again == whole and again["a"] is again["b"][0]
