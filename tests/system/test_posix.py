"""System calls on the tree do and fail as natively (tests/conformance/posix has the cases).

What random operations do, one after the other, is the business of `test_same_as_a_disk.py`.
"""

import difflib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import conformance
from tests.system.support import HOME, Cluster
from tests.system.support_context import CARRIERS, cluster_of_both

CASES = Path(conformance.__file__).parent / "posix"
HOSTS = {"namespace": "host1", "instrumented": "host2"}
USERS = ["users"] if os.getuid() == 0 else []

LONGER = pytest.mark.nightly


@pytest.fixture(scope="module")
def both() -> Iterator[Cluster]:
    """A host for each way."""
    cluster = cluster_of_both(2, HOSTS, {})
    yield cluster
    cluster.close()


@pytest.mark.parametrize("carrier", CARRIERS)
def test_calls_fail_with_the_errno_of_posix_and_do_what_it_says(
    both: Cluster, carrier: str
) -> None:
    words = ["fifo", *(USERS if carrier == "namespace" else [])]
    program = CASES / "calls.py"
    with tempfile.TemporaryDirectory() as place:
        # Other users must be able to reach it.
        os.chmod(place, 0o755)
        command = [sys.executable, program, *words]
        native = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, check=True)
    both[1].put(f"{HOME}/calls.py", program.read_bytes())
    line = " ".join(["python3", f"{HOME}/calls.py", *words])
    place = f"{HOME}/{carrier}"
    ran = both[1].sh(f"mkdir {place}; cd {place}; on host:{HOSTS[carrier]} {line}").ok()
    lines = list(difflib.unified_diff(native.stdout.decode().splitlines(), ran.splitlines(), n=2))
    assert lines == [], "\n".join(lines)


@pytest.mark.parametrize(
    ("seed", "count"), [(0, 100), *(pytest.param(n, 1000, marks=LONGER) for n in range(1, 9))]
)
def test_random_operations_of_two_hosts_on_one_file_leave_it_whole(
    both: Cluster, seed: int, count: int
) -> None:
    both[1].put(f"{HOME}/exercise.py", (CASES / "exercise.py").read_bytes())
    both[1].put(f"{HOME}/exercised-{seed}", bytes(256 * 1024))
    one, other = (
        f"on host:{host} python3 exercise.py exercised-{seed} {seed}{at} {count} {at}/2"
        for at, host in enumerate(("host1", "host2"))
    )
    ran = both[1].sh(f"{one} & {other}; wait", timeout_s=300).ok()
    assert ran == "whole\nwhole\n"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_utility_whose_reader_goes_ends_by_the_signal_and_says_nothing(
    both: Cluster, carrier: str
) -> None:
    line = f"(on host:{HOSTS[carrier]} yes; echo $? > status) | head -1; cat status"
    # Twice: from the second on instrumented ones start warm.
    for _ in range(2):
        ran = both[1].sh(f"cd {HOME}; {line}")
        assert (ran.ok(), ran.err) == ("y\n141\n", "")
