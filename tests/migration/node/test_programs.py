"""A program that moves writes what it writes undisturbed, whichever line it is moved at."""

import os
import random
import threading
from pathlib import Path

import pytest

from tests.migration.node.moves import Ended, Program, undisturbed

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.js"))
READERS = {"lines", "readline"}
WORDS = "".join(f"line {i} of what is read: \u00e9 {i * i}\n" for i in range(600)) + "rest"
SEED = 20


def feed(write_end: int, data: bytes) -> None:
    # In pieces that end within lines and characters.
    for at in range(0, len(data), 301):
        try:
            os.write(write_end, data[at : at + 301])
        except BrokenPipeError:
            break
    os.close(write_end)


def moved(node: str, path: Path, lines: list[int]) -> None:
    """Moves the program after each of the numbers of lines, and compares."""
    reads = path.stem in READERS
    data = WORDS.encode() if reads else b""
    plain = undisturbed(node, str(path), data)
    assert plain.err == ""
    stdin = None
    if reads:
        stdin, write_end = os.pipe()
        threading.Thread(target=feed, args=(write_end, data), daemon=True).start()
    program = Program(node, str(path), stdin=stdin)
    moves = 0
    try:
        for count in lines:
            program.wait_for_lines(count)
            program.move()
            moves += 1
    except Ended:
        pass
    outcome = program.end()
    if stdin is not None:
        os.close(stdin)
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
