"""A million lines through three programs on three hosts, each of which moves every two seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from oneos.errors import OneOSError
from tests.system.support import HOME, Cluster, wait_until
from tests.system.test_migration import SOON_S, found, hosts, pytestmark

__all__ = ["hosts", "pytestmark"]

LINES = 1_000_000
EVERY_S = 2.0
RUN_S = 600.0

# It pauses, so that there is time for moves on a quick machine as well.
NUMBERS = f"""
import time
for n in range({LINES}):
    print(n, n * n % 7919)
    if n % 1000 == 0:
        time.sleep(0.02)
"""
SUMS = """
import sys
total = 0
for line in sys.stdin:
    n, square = map(int, line.split())
    total += square
    print(n, total)
"""
MARKS = """
import sys
last = {}
for line in sys.stdin:
    n, total = line.split()
    last[int(n) % 1000] = total
    print(n, hash(int(total)) % 9973, len(last))
"""
STAGES = (("numbers", NUMBERS), ("sums", SUMS), ("marks", MARKS))


def on_one_machine(directory: Path) -> bytes:
    python = shutil.which("python3") or sys.executable
    for name, text in STAGES:
        (directory / f"{name}.py").write_text(text)
    line = " | ".join(f"'{python}' {name}.py" for name, _ in STAGES)
    return subprocess.run(
        ["sh", "-c", line], cwd=directory, capture_output=True, check=True, timeout=RUN_S
    ).stdout


@pytest.mark.nightly
def test_a_million_lines_come_whole_through_programs_that_move_all_the_time(
    hosts: Cluster, tmp_path: Path
) -> None:
    expected = on_one_machine(tmp_path)
    for name, text in STAGES:
        hosts[1].put(f"{HOME}/{name}.py", text.encode())
    stages = enumerate((name for name, _ in STAGES), 1)
    line = " | ".join(f"on host:host{at} python3 {name}.py" for at, name in stages)
    moves, turn = 0, 0
    reasons: set[str] = set()
    with hosts[1].shell(f"{line} > lines.out") as pipeline:
        wait_until(lambda: found(hosts[1], "marks.py"), SOON_S, "it runs")
        while pipeline.poll() is None:
            turn += 1
            for at, (name, _) in enumerate(STAGES):
                pid = found(hosts[1], f"{name}.py")
                try:
                    hosts[1].ask("migrate", pid, f"host{(at + turn) % 3 + 1}")
                    moves += 1
                except OneOSError as error:
                    reasons.add(error.message)
            with suppress(subprocess.TimeoutExpired):
                pipeline.wait(EVERY_S)
        out, err = pipeline.communicate(timeout=RUN_S)
    assert (pipeline.returncode, out, err) == (0, b"", b""), reasons
    assert hosts[2].get(f"{HOME}/lines.out") == expected, (moves, reasons)
    assert moves > len(STAGES), reasons
    print(f"{moves} moves; {reasons}")
