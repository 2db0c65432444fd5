"""A program that moves writes what it writes undisturbed, whichever line it is moved at."""

import os
import random
from pathlib import Path

import pytest

from tests.migration.node.moves import Ended, Program, undisturbed

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.*js"))
READERS = {"lines", "readline"}
DATA = (
    "".join(f"line {i} of what is read: \u00e9 {i * i}\n" for i in range(600)) + "rest"
).encode()
SEED = 20
SLOWLY = """
const hash = { sum: 0, bytes: 0 };
let pieces = 0;
process.stdin.on('data', (piece) => {
  for (const byte of piece) hash.sum = (hash.sum * 31 + byte) >>> 0;
  hash.bytes += piece.length;
  if (hash.bytes >= pieces * 50000) console.log('so far', ++pieces);
  const until = Date.now() + 60;
  while (Date.now() < until);
});
process.stdin.on('end', () => console.log('end', hash.sum, hash.bytes));
"""


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
def test_a_program_that_moves_three_times_writes_what_it_writes_undisturbed(
    node: str, path: Path
) -> None:
    # At the first the program has hardly begun.
    moved(node, path, [0, 3, 6])


def test_standard_input_that_is_a_file_is_read_on_where_the_source_had_come(
    node: str, tmp_path: Path
) -> None:
    # Larger than what Node reads at a time, so that there is more to read at each move.
    text = tmp_path / "text"
    text.write_bytes(DATA * 20)
    script = tmp_path / "slowly.js"
    script.write_text(SLOWLY)
    plain = undisturbed(node, str(script), DATA * 20)
    descriptor = os.open(text, os.O_RDONLY)
    program = Program(node, str(script), stdin=descriptor)
    for line in (1, 3):
        program.wait_for_lines(line)
        program.move()
    outcome = program.end()
    os.close(descriptor)
    assert (outcome.out, outcome.err, outcome.status) == (plain.out, "", plain.status)


@pytest.mark.nightly
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
@pytest.mark.parametrize("round", range(12))
def test_a_program_that_moves_at_random_lines_writes_what_it_writes_undisturbed(
    node: str, path: Path, round: int
) -> None:
    chance = random.Random(f"{SEED} {path.stem} {round}")
    moved(node, path, sorted(chance.randrange(0, 7) for _ in range(chance.randrange(1, 11))))
