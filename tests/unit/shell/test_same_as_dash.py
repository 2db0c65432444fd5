"""Every script of the table does what dash makes of it."""

import shutil

import pytest

from tests.support.shell_cases import CASES, Case
from tests.unit.shell.conftest import Runner

pytestmark = pytest.mark.skipif(shutil.which("dash") is None, reason="dash is not installed")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_script_does_what_dash_does(case: Case, ours: Runner, dash: Runner) -> None:
    expected = dash(case.script, case.given)
    got = ours(case.script, case.given)
    assert got.output == expected.output, got.errors
    assert got.status == expected.status, got.errors
    if case.exact:
        assert got.errors == expected.errors
    else:
        assert bool(got.errors) == bool(expected.errors), (got.errors, expected.errors)
        assert "Traceback" not in got.errors


def test_table_is_whole() -> None:
    assert len(CASES) >= 150
    assert sum(case.exact for case in CASES.values()) >= 3
    assert sum(bool(case.given) for case in CASES.values()) >= 6
