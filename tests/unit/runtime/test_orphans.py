"""Agents that outlived their Runtime are ended at its next start, and nothing else is."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.runtime.orphans import RunRecords
from tests.support.waiting import WAIT_S

SLEEP = ["sh", "-c", "sleep 60 & sleep 60"]


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEP, process_group=0)
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def test_orphan_is_killed_with_its_group(tmp_path: Path, process: subprocess.Popen[bytes]) -> None:
    RunRecords(tmp_path / "agents").note(7, process.pid)
    assert RunRecords(tmp_path / "agents").end_orphans() == [7]
    assert process.wait(timeout=WAIT_S) == -signal.SIGKILL
    assert list((tmp_path / "agents").iterdir()) == []


def test_agent_that_ended_is_not_looked_for(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    records = RunRecords(tmp_path)
    records.note(7, process.pid)
    records.forget(7)
    records.forget(7)
    assert records.end_orphans() == []
    assert process.poll() is None


def test_other_process_that_has_the_number_now_is_spared(
    tmp_path: Path, process: subprocess.Popen[bytes]
) -> None:
    RunRecords(tmp_path).note(7, process.pid)
    record = tmp_path / "7"
    number, boot, ticks = record.read_text().split()
    record.write_text(f"{number} {boot} {int(ticks) - 1}")
    assert RunRecords(tmp_path).end_orphans() == []
    record.write_text(f"{number} 00000000-another-boot {ticks}")
    assert RunRecords(tmp_path).end_orphans() == []
    assert process.poll() is None
    assert not record.exists()


@pytest.mark.parametrize("content", ["", "12", "x y z", "99999999 a b"])
def test_damaged_record_is_removed(tmp_path: Path, content: str) -> None:
    (tmp_path / "7").write_text(content)
    assert RunRecords(tmp_path).end_orphans() == []
    assert not (tmp_path / "7").exists()


def test_first_start_has_no_records(tmp_path: Path) -> None:
    assert RunRecords(tmp_path / "none").end_orphans() == []
