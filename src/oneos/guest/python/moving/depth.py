"""What is on the value stack before each instruction of a code object.

The interpreter keeps the top of a running frame's stack in a register, so it has to be found from
the code: each instruction has a fixed effect, and an exception handler starts at a fixed depth.
Where the interpreter did save it, `frames.py` compares the two.
"""

import sys
from _opcode import stack_effect
from opcode import EXTENDED_ARG, HAVE_ARGUMENT, hasjrel, opmap, opname

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

try:
    from opcode import _inline_cache_entries as _caches  # type: ignore[attr-defined]
except ImportError:  # 3.14 is not certain to keep it there.
    from dis import _inline_cache_entries as _caches  # type: ignore[attr-defined]

SINCE_12 = sys.version_info >= (3, 12)
SINCE_13 = sys.version_info >= (3, 13)
SINCE_14 = sys.version_info >= (3, 14)

if isinstance(_caches, dict):
    CACHES = [_caches.get(name, 0) for name in opname]
else:
    CACHES = [*_caches] + [0] * (len(opname) - len(_caches))

JUMPS = frozenset(hasjrel)
ENDS = frozenset(
    opmap[name]
    for name in (
        "RETURN_VALUE",
        "RETURN_CONST",
        "RAISE_VARARGS",
        "RERAISE",
        "JUMP_FORWARD",
        "JUMP_BACKWARD",
        "JUMP_BACKWARD_NO_INTERRUPT",
        "INTERPRETER_EXIT",
    )
    if name in opmap
)


class Instruction:
    """One instruction; positions in code units."""

    __slots__ = ("argument", "at", "name", "next", "opcode", "target")

    def __init__(self, at: int, opcode: int, argument: int) -> None:
        self.at, self.opcode, self.argument = at, opcode, argument
        self.name = opname[opcode]
        self.next = at + 1 + CACHES[opcode]
        """Where execution goes on."""
        self.target = -1
        if opcode in JUMPS:
            self.target = self.next + (-argument if "BACKWARD" in self.name else argument)


class Shape:
    """A code object's instructions, and the depth of the stack before each."""

    __slots__ = ("depths", "instructions", "locals")

    def __init__(self, code: "CodeType") -> None:
        self.instructions = {one.at: one for one in instructions(code)}
        self.depths: dict[int, int] = {}
        self.locals = slots_below_stack(code)
        self._follow(0, 0)
        for _start, _end, target, depth, lasti in exception_table(code):
            self._follow(target, depth + 1 + lasti)

    def _follow(self, at: int, depth: int) -> None:
        work = [(at, depth)]
        while work:
            at, depth = work.pop()
            while at not in self.depths and at in self.instructions:
                self.depths[at] = depth
                one = self.instructions[at]
                fall, jump = effects(one)
                if one.target >= 0:
                    work.append((one.target, depth + jump))
                if one.opcode in ENDS:
                    break
                at, depth = one.next, depth + fall


def effects(one: Instruction) -> tuple[int, int]:
    """What an instruction does to the stack's depth: going on, and jumping."""
    if one.name == "PRECALL":
        return 0, 0
    if one.name == "CALL" and not SINCE_12:
        return -(one.argument + 1), 0
    if one.name == "RETURN_GENERATOR":
        return 1, 0
    argument = one.argument if one.opcode >= HAVE_ARGUMENT else None
    fall = stack_effect(one.opcode, argument, jump=False)
    jump = stack_effect(one.opcode, argument, jump=True) if one.target >= 0 else 0
    return fall, jump


def instructions(code: "CodeType") -> "Iterator[Instruction]":
    raw = code.co_code
    at = extended = 0
    while at < len(raw) // 2:
        opcode = raw[2 * at]
        argument = raw[2 * at + 1] | extended
        one = Instruction(at, opcode, argument)
        yield one
        extended = argument << 8 if opcode == EXTENDED_ARG else 0
        at = one.next


def exception_table(code: "CodeType") -> "Iterator[tuple[int, int, int, int, int]]":
    """(start, end, target, depth, whether the position is pushed too) of each entry."""
    raw = iter(code.co_exceptiontable)

    def number() -> int:
        byte = next(raw)
        value = byte & 63
        while byte & 64:
            byte = next(raw)
            value = value << 6 | byte & 63
        return value

    while True:
        try:
            start = number()
        except StopIteration:
            return
        length, target, both = number(), number(), number()
        yield start, start + length, target, both >> 1, both & 1


def slots_below_stack(code: "CodeType") -> int:
    """Locals, cells and free variables; a cell that is an argument too has one slot."""
    names = code.co_varnames
    cells = sum(name not in names for name in code.co_cellvars)
    return len(names) + cells + len(code.co_freevars)


_shapes: "dict[CodeType, Shape]" = {}
SHAPES_MAX = 4096
"""More than a program has frames of; beyond it they are found anew."""


def shape_of(code: "CodeType") -> Shape:
    shape = _shapes.get(code)
    if shape is None:
        if len(_shapes) >= SHAPES_MAX:
            _shapes.clear()
        shape = _shapes[code] = Shape(code)
    return shape
