"""The guest's own code as V8 compiled it is kept for the next program, and used only if whole."""

from pathlib import Path

import pytest

from tests.unit.guest_node.support import run_in_context

PROGRAM = """
const fs = require('fs');
fs.writeFileSync('made', __filename);
console.log(fs.readFileSync('made', 'utf8').endsWith('/case/main.js'), process.env.ONEOS_CODE);
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "main.js").write_text(PROGRAM)
    return directory


def _run(node: str, source: Path, base: str, kept: Path) -> str:
    extra = {"ONEOS_CODE": str(kept)}
    result = run_in_context(node, str(source), ["main.js"], base=base, extra=extra)
    assert (result.stderr, result.status) == ("", 0)
    return result.stdout


def test_the_first_program_keeps_it_and_the_next_one_uses_it(
    node: str, source: Path, base: str, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    assert _run(node, source, base, kept) == "true undefined\n"
    (file,) = kept.iterdir()
    before = file.stat()
    assert _run(node, source, base, kept) == "true undefined\n"
    after = file.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "spoil", [lambda b: b"", lambda b: b[:-100], lambda b: b[:9] + b"x" + b[10:]]
)
def test_what_is_not_whole_or_of_another_source_is_not_used(
    node: str, source: Path, base: str, tmp_path: Path, spoil: object
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    _run(node, source, base, kept)
    (file,) = kept.iterdir()
    assert callable(spoil)
    file.write_bytes(spoil(file.read_bytes()))
    assert _run(node, source, base, kept) == "true undefined\n"


def test_without_a_place_for_it_programs_run_all_the_same(
    node: str, source: Path, base: str, tmp_path: Path
) -> None:
    assert _run(node, source, base, tmp_path / "none") == "true undefined\n"
