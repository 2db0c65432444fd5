"""A step kills where it is named, and costs nothing where none is."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from oneos import failpoints
from oneos.errors import UserError
from oneos.storage.index import SqliteNames

SOURCE = Path(failpoints.__file__).parent


def test_every_step_is_listed_and_every_listed_one_is_a_step() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")]
    reached = [name for text in texts for name in re.findall(r'\breach\("([^"]+)"\)', text)]
    assert set(reached) == failpoints.NAMES


@pytest.mark.parametrize("text", ["nonsense", "commit.cut:0", "commit.cut:x", ":3"])
def test_a_step_that_is_none_is_refused_at_the_start(text: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        failpoints.arm({failpoints.VARIABLE: text}, tmp_path)
    failpoints.arm({}, tmp_path)
    assert len(refused.value.lines().splitlines()) == 2


def run(body: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Lines of Python in a process of its own, which has `sys.argv[1:]`."""
    head = "import pathlib, sys\nfrom oneos import failpoints\n"
    command = [sys.executable, "-c", head + body, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


REACH = """
failpoints.arm({failpoints.VARIABLE: sys.argv[1]}, pathlib.Path(sys.argv[2]))
for number in range(5):
    print(number, flush=True)
    failpoints.reach("commit.begun")
    failpoints.reach("commit.cut")
    if number == 2:
        (pathlib.Path(sys.argv[2]) / "later").write_text("commit.cut:2")
"""


@pytest.mark.parametrize(
    ("text", "last"), [("commit.cut", 0), ("commit.cut:3", 2), ("@later", 4), ("", None)]
)
def test_the_process_dies_at_the_step_and_time_that_are_named(
    text: str, last: int | None, tmp_path: Path
) -> None:
    ran = run(REACH, text, tmp_path)
    assert ran.returncode == (0 if last is None else -signal.SIGKILL), ran.stderr
    assert ran.stdout.split()[-1] == str(4 if last is None else last)


RESTORE = """
from oneos.storage.index import SqliteNames
failpoints.arm({failpoints.VARIABLE: "snapshot.placed"}, pathlib.Path("."))
SqliteNames.restore(*sys.argv[1:])
"""


def test_an_index_that_is_being_replaced_is_whole_after_a_crash(tmp_path: Path) -> None:
    old, new = tmp_path / "index", tmp_path / "snapshot"
    SqliteNames.open(str(old)).close()
    other = SqliteNames.open(str(tmp_path / "other"))
    other.apply(7, [])
    other.snapshot(str(new))
    other.close()
    assert run(RESTORE, new, old).returncode == -signal.SIGKILL
    found = SqliteNames.open(str(old))
    assert found.applied_seq == 7
    found.close()
