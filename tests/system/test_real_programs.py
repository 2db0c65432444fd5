"""Programs that nobody here wrote move between three hosts at random times, with equal output."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import pytest

from oneos.errors import OneOSError
from tests.migration.pyperformance import PROGRAMS, Benchmark, NotHere, fetch, files, undisturbed
from tests.system.support import HOME, Cluster, wait_until
from tests.system.test_migration import SOON_S, found, hosts, pytestmark

__all__ = ["hosts", "pytestmark"]

PAUSE_S = 0.3
RUN_S = 300.0


@pytest.fixture(scope="session")
def programs() -> None:
    try:
        fetch()
    except NotHere as error:
        pytest.skip(str(error))


def moved(hosts: Cluster, benchmark: Benchmark) -> tuple[int, set[str]]:
    """Moves it until it ends, and compares; how often it moved, and why it did not."""
    expected = undisturbed(benchmark, shutil.which("python3") or sys.executable)
    place = f"{HOME}/{benchmark.name}"
    hosts[1].sh(f"mkdir -p {place}/data").ok()
    for name, content in files(benchmark).items():
        hosts[1].put(f"{place}/{name}", content)
    settings = " ".join(f"{name}='{value}'" for name, value in benchmark.settings.items())
    line = f"cd {place}; {settings} python3 run_benchmark.py"
    rng, moves, reasons = random.Random(benchmark.name), 0, set()
    with hosts[2].shell(line) as program:
        pid = wait_until(lambda: found(hosts[2], "run_benchmark.py"), SOON_S, "it runs")
        while program.poll() is None:
            try:
                hosts[2].ask("migrate", pid, f"host{rng.randrange(1, 4)}")
                moves += 1
            except OneOSError as error:
                reasons.add(error.message)
            with suppress(subprocess.TimeoutExpired):
                program.wait(rng.uniform(0, PAUSE_S))
        out, err = program.communicate(timeout=RUN_S)
    assert (program.returncode, err.decode(), out.decode()) == (0, "", expected), reasons
    return moves, reasons


@pytest.mark.nightly
@pytest.mark.parametrize("benchmark", PROGRAMS, ids=lambda x: x.name)
def test_any_program_of_others_moves_at_random_times(
    hosts: Cluster,
    programs: None,
    benchmark: Benchmark,
    record_property: Callable[[str, object], None],
) -> None:
    moves, reasons = moved(hosts, benchmark)
    record_property("moves", moves)
    print(benchmark.name, moves, reasons)
