"""Programs over npm packages that nobody here wrote move and write what they write undisturbed."""

import hashlib
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.migration.node.moves import Ended, Program, undisturbed

PACKAGES = Path(__file__).parent / "packages"
SCRIPTS = sorted((PACKAGES / "scripts").iterdir())
QUICK = {"immutable", "async", "rxmodules"}
"""Those of `./do test`; the nightly run takes all, at more places."""
INSTALL_S = 300
SEED = 5


@pytest.fixture(scope="session")
def installed(request: pytest.FixtureRequest) -> Path:
    """A directory with the packages of package-lock.json and the scripts; skips without them."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here: install it with Node")
    lock = (PACKAGES / "package-lock.json").read_bytes()
    assert request.config.cache is not None
    place = Path(request.config.cache.mkdir("npm")) / hashlib.sha256(lock).hexdigest()[:16]
    if not (place / "installed").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PACKAGES / name, place / name)
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=place,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
        )
        if done.returncode != 0:
            pytest.skip(f"the packages cannot be had here: {done.stderr.strip()[-200:]}")
        (place / "installed").touch()
    for script in SCRIPTS:
        shutil.copy(script, place / script.name)
    return place


def moved(node: str, script: Path, lines: list[int]) -> None:
    """Moves the program after each of the numbers of lines, and compares."""
    plain = undisturbed(node, str(script))
    assert (plain.err, plain.status) == ("", 0)
    program = Program(node, str(script))
    moves = 0
    try:
        for count in lines:
            program.wait_for_lines(count)
            program.move()
            moves += 1
    except Ended:
        pass
    outcome = program.end()
    assert moves > 0
    assert (outcome.out, outcome.err, outcome.status) == (plain.out, "", 0), f"after {moves} moves"


@pytest.mark.parametrize("name", [script.name for script in SCRIPTS if script.stem in QUICK])
def test_a_program_over_packages_moves(node: str, installed: Path, name: str) -> None:
    moved(node, installed / name, [2, 5])


@pytest.mark.nightly
@pytest.mark.parametrize("name", [script.name for script in SCRIPTS])
@pytest.mark.parametrize("round", range(3))
def test_a_program_over_packages_moves_at_random_lines(
    node: str, installed: Path, name: str, round: int
) -> None:
    chance = random.Random(f"{SEED} {name} {round}")
    moved(node, installed / name, sorted(chance.randrange(0, 12) for _ in range(5)))
