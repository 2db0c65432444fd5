"""A program that moves writes what it writes undisturbed, whichever line it is moved at."""

import os
import random
from pathlib import Path

import pytest

from tests.migration.node.moves import Ended, Program, undisturbed

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.js"))
READERS = {"lines", "readline"}
DATA = (
    "".join(f"line {i} of what is read: \u00e9 {i * i}\n" for i in range(600)) + "rest"
).encode()
SEED = 20


class Feeder:
    """Writes what a program reads in equal parts, the next when the program has moved."""

    def __init__(self, parts: int) -> None:
        self.read_end, self._write_end = os.pipe()
        size = -(-len(DATA) // parts)
        self._parts = [DATA[at : at + size] for at in range(0, len(DATA), size)]

    def write(self) -> None:
        part = self._parts.pop(0)
        # In pieces that end within lines and characters.
        for at in range(0, len(part), 301):
            os.write(self._write_end, part[at : at + 301])
        if not self._parts:
            os.close(self._write_end)


def moved(node: str, path: Path, lines: list[int]) -> None:
    """Moves the program after each of the numbers of lines, and compares."""
    reads = path.stem in READERS
    plain = undisturbed(node, str(path), DATA if reads else b"")
    assert plain.err == ""
    feeder = Feeder(len(lines) + 1) if reads else None
    program = Program(node, str(path), stdin=feeder.read_end if feeder else None)
    moves = 0
    try:
        for count in lines:
            if feeder:
                feeder.write()
            # What is read at one time makes at least one line.
            program.wait_for_lines(min(count, moves + 1) if feeder else count)
            program.move()
            moves += 1
        if feeder:
            feeder.write()
    except Ended:
        pass
    outcome = program.end()
    if feeder:
        os.close(feeder.read_end)
    assert outcome.err == ""
    assert moves > 0
    assert (outcome.out, outcome.status) == (plain.out, plain.status), f"after {moves} moves"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_that_moves_twice_writes_what_it_writes_undisturbed(
    node: str, path: Path
) -> None:
    moved(node, path, [1, 4])


@pytest.mark.nightly
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("round", range(12))
def test_a_program_that_moves_at_random_lines_writes_what_it_writes_undisturbed(
    node: str, path: Path, round: int
) -> None:
    chance = random.Random(f"{SEED} {path.stem} {round}")
    moved(node, path, sorted(chance.randrange(0, 14) for _ in range(chance.randrange(1, 11))))
