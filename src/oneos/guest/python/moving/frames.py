"""From a stopped thread to records of its frames, which `rehydrating.c` makes frames of again."""

import oneos_moving as native

from .boundary import STEP_BACK, Boundary
from .depth import SINCE_13, Shape, shape_of
from .reasons import NotSafe
from .works import between, through

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

    from .waits import Wait

OWN = (lambda: None).__code__.co_filename.rpartition("/")[0] + "/"
"""Where our own code says that it comes from."""

FRAMES_MAX = 20_000
"""Each frame restored takes half a KiB of the C stack, of which there are usually 8 MiB."""

roots: "set[CodeType]" = set()
"""Code of frames outside of the program, which call it (`entry.py`)."""


class Facts:
    """What the extension knows of a frame."""

    __slots__ = (
        *("frame", "code", "function", "globals", "space", "index", "top", "from_c"),
        *("generator", "waiting", "return_offset", "constructed"),
    )
    frame: "FrameType"
    code: "CodeType"
    function: "Any"
    index: int
    """In code units: the instruction that is next or under way."""
    top: int
    """The slots in use, or -1 where only the interpreter's registers know."""
    from_c: bool
    generator: "Any"
    globals: "dict[str, Any]"
    space: "Any"
    return_offset: int
    constructed: "Any"
    waiting: "Record | None"
    """Of a restored frame that waits for its inner one."""

    def __init__(self, frame: "FrameType") -> None:
        self.frame = frame
        for name, value in zip(self.__slots__[1:], native.frame(frame), strict=True):
            setattr(self, name, value)


class Inner:
    """The next inner frame, as whoever called it sees it."""

    def __init__(self, facts: Facts, slots: "list[Any]") -> None:
        self.code, self.function, self.generator = facts.code, facts.function, facts.generator
        self.slots = slots

    def argument(self, at: int) -> "Any":
        """An argument that the frame still has; None if it has not."""
        value = self.slots[at] if at < len(self.slots) else None
        if isinstance(value, CELL):
            try:
                value = value.cell_contents
            except ValueError:
                value = None
        return None if value is native.Nothing else value


CELL = type((lambda x: lambda: x)(0).__closure__[0])  # type: ignore[index]


class Record:
    """A frame as it is written: the attributes that `rehydrating.c` reads."""

    __slots__ = (
        *("code", "function", "generator", "globals", "space", "closure"),
        *("slots", "index", "handled", "boundary", "frame", "works", "link"),
    )
    code: "CodeType"
    function: "Any"
    generator: "Any"
    globals: "dict[str, Any]"
    space: "Any"
    """The names of a module or class body, where they are not in slots."""
    closure: "tuple[Any, ...] | None"
    slots: "list[Any]"
    index: int
    handled: "Any"
    boundary: "Boundary | None"
    frame: "Any"
    works: "list[Any] | None"
    """Built-ins between this frame and the next inner one, the outermost first (`works.py`)."""
    link: "Boundary | None"
    """What the innermost of them does with the inner frame's result."""

    @property
    def context(self) -> "Any":
        """The context that C code entered for the inner frame, if it did."""
        boundary = self.boundary
        if boundary is None:
            return None
        if boundary.kind == "task step":
            return boundary.extra[0]
        return boundary.extra if boundary.kind == "context" else None


def walk(
    frame: "FrameType", ident: int, wait: "Wait | None", main: bool
) -> "tuple[list[Record], list[Any]]":
    """Record a thread's frames from its innermost one to the program's outermost.

    Args:
        frame: the innermost.
        ident: the thread.
        main: whether it is the main thread, whose outermost frames are not the program's.
        wait: what the innermost frame waits for in C code, to be begun again.

    Returns:
        The records and their frame objects, the outermost first.

    Raises:
        NotSafe: not at this moment.
    """
    stack = program_frames(frame)
    if not stack or (main and stack[-1].frame.f_back is None):
        raise NotSafe("the program has not begun, or has ended")
    handled = native.handled(ident)
    records: list[Record] = []
    inner: Inner | None = None
    for at, facts in enumerate(stack):
        shape = shape_of(facts.code)
        if inner is None:
            record = innermost(facts, shape, wait)
        else:
            record = outer(facts, shape, inner, stack[at - 1])
        last = at == len(stack) - 1
        record.handled = native.Nothing
        if facts.generator is not None or last:
            # Each generator, and the thread, keeps the exception that it handles.
            record.handled = handled.pop(0) if handled else native.Nothing
        inner = Inner(facts, record.slots)
        records.append(record)
    records.reverse()
    return records, [facts.frame for facts in reversed(stack)]


def program_frames(frame: "FrameType | None") -> list[Facts]:
    stack: list[Facts] = []
    while frame is not None and frame.f_code not in roots:
        name = frame.f_code.co_filename
        if name.startswith(OWN):
            raise NotSafe("the program is being restored")
        if name.startswith("<frozen importlib"):
            raise NotSafe("a module is being imported")
        if len(stack) >= FRAMES_MAX:
            raise NotSafe(f"more than {FRAMES_MAX} calls are under way")
        facts = Facts(frame)
        stack.append(facts)
        frame = frame.f_back
    return stack


def innermost(facts: Facts, shape: Shape, wait: "Wait | None") -> Record:
    if wait is not None:
        again = wait.again
        record = record_of(facts, shape.locals + shape.depths[again], again - STEP_BACK)
        name = shape.instructions[again].name
        top = record.slots[-1] if record.slots else None
        if name == "BEFORE_WITH" and getattr(top, "__name__", "") == "__exit__":
            # 3.11 has replaced the manager on the stack by its bound `__exit__`.
            record.slots[-1] = top.__self__  # type: ignore[union-attr]
        if wait.slot >= 0:
            record.slots[wait.slot] = wait.value
        return record
    if facts.index not in shape.depths:
        raise NotSafe(f"{facts.code.co_qualname} is between two instructions")
    before = shape.instructions.get(facts.index - 1)
    if before is not None and before.name == "EXTENDED_ARG":
        raise NotSafe(f"{facts.code.co_qualname} is inside an instruction")
    if shape.instructions[facts.index].name in ("PRECALL", "CALL") and named_arguments(
        shape, facts.index
    ):
        raise NotSafe(f"{facts.code.co_qualname} has begun a call")
    top = shape.locals + shape.depths[facts.index]
    if facts.top >= 0 and facts.top != top:
        raise NotSafe(f"{facts.code.co_qualname} has {facts.top} slots at {facts.index}, not {top}")
    return record_of(facts, top, facts.index - STEP_BACK)


def named_arguments(shape: Shape, at: int) -> bool:
    """Whether KW_NAMES came before, whose names are in a variable of the interpreter."""
    at -= 1
    while at >= 0 and at not in shape.instructions:
        at -= 1
    if at < 0:
        return False
    name = shape.instructions[at].name
    return name == "KW_NAMES" or (name == "PRECALL" and named_arguments(shape, at))


def outer(facts: Facts, shape: Shape, inner: Inner, callee: Facts) -> Record:
    works = native.works(facts.frame)
    if facts.waiting is not None:  # Restored, and waiting in the hook as it did before.
        record = record_of(facts, facts.top, facts.index)
        record.boundary = facts.waiting.boundary
        if works:
            record.works, record.link = through(works, inner)
        return record
    if callee.from_c:
        keep, boundary, works, link = between(facts, shape, inner, works)
        # The position is also where an exception of the callee comes from.
        record = record_of(facts, keep, facts.index + (1 if SINCE_13 else 0))
        record.boundary = boundary
        if works:
            record.works, record.link = works, link
        return record
    if facts.top < 0:
        raise NotSafe(f"{facts.code.co_qualname} is about to call")
    record = record_of(facts, facts.top, facts.index)
    onward = facts.index + (facts.return_offset if SINCE_13 else 0)
    if callee.constructed is not None:
        record.boundary = Boundary("init", onward, callee.constructed)
    elif callee.generator is not None:
        ended = facts.index + facts.return_offset
        on_yield = facts.index + (2 if SINCE_13 else 0)
        record.boundary = Boundary("inlined generator", on_yield, ended)
    elif SINCE_13:
        record.boundary = Boundary("push", onward)
    return record


def record_of(facts: Facts, keep: int, index: int) -> Record:
    record = Record()
    record.code, record.function, record.generator = facts.code, facts.function, facts.generator
    record.globals, record.space = facts.globals, facts.space
    record.slots = native.slots(facts.frame, keep)
    record.index = index
    record.boundary = record.frame = record.works = record.link = None
    free = len(facts.code.co_freevars)
    below = shape_of(facts.code).locals
    record.closure = None
    if facts.space is not None and free:
        record.closure = tuple(record.slots[below - free : below])
    return record
