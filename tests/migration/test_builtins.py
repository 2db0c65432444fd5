"""Built-ins that call Python code do not hold up a move, however long they take."""

from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import MOVED, Subject
from tests.migration.python.interpreters import INTERPRETERS

ENDLESS = """
import functools, itertools

def count():
    number = 0
    while True:
        number += 1
        yield number

def zeros():
    for number in count():
        zero = number - number
        yield zero

def slow(number):
    for turn in range(10**9):
        number += turn
    return number

class Slow:
    def __init__(self, number):
        self.number = number

    def __lt__(self, other):
        return slow(self.number) < slow(other.number)

class Sequence:
    def __iter__(self):
        return zeros()

"""
CASES = (
    "sum(count())",
    "any(zeros())",
    "max(map(slow, (1, 2)))",
    "min((1, 2), key=slow)",
    "functools.reduce(max, zeros())",
    "tuple(zip(map(slow, count()), 'ab'))",
    "{*filter(None, zeros())}",
    "','.join(zeros())",
    "[].extend(zeros())",
    "frozenset(Sequence())",
    "1 in zeros()",
    "sorted((2, 1), key=slow)",
    "sorted([Slow(2), Slow(1)])",
    "[pair for pair in enumerate(map(slow, [1, 2]))]",
    "list(itertools.islice(zeros(), 10**12))",
)
NIGHTLY = (
    "all(one == 0 for one in zeros())",
    "set(zeros())",
    "dict((one, 1) for one in zeros())",
    "b''.join(zeros())",
    "[*zeros()]",
    "[2, 1].sort(key=slow)",
    "sorted([2, 1], key=functools.cmp_to_key(lambda a, b: slow(a)))",
    "next(filter(None, zeros()))",
    "next(itertools.dropwhile(lambda one: one < 1, zeros()))",
    "list(itertools.chain([1], zeros()))",
    "list(itertools.starmap(slow, [[1]]))",
    "sum(sum(zeros()) for one in count())",
    "tuple(Sequence())",
)


def captured(case: str, scratch: Path) -> None:
    extension = build(INTERPRETERS[0], scratch.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    program = scratch / "program.py"
    program.write_text(ENDLESS + case)
    run = Subject(INTERPRETERS[0], str(extension.path), program, scratch).start("--after", "0.1")
    assert run.status == MOVED, run.why


@pytest.mark.parametrize("case", CASES)
def test_a_program_can_move_while_a_builtin_runs_its_code(case: str, tmp_path: Path) -> None:
    captured(case, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("case", NIGHTLY)
def test_a_program_can_move_while_others_do(case: str, tmp_path: Path) -> None:
    captured(case, tmp_path)
