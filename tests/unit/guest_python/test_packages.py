"""Packages that were installed for a program stand in place of the host's own."""

import json
from pathlib import Path

from tests.unit.guest_python.conftest import World

PROGRAM = """
import json, os, sys
import plain
shown = [plain.value, plain.__file__, "ONEOS_ENVIRONMENT" in os.environ]
try:
    open(plain.__file__, "a")
except OSError as error:
    shown.append(error.strerror)
try:
    import only_on_this_host
except ImportError as error:
    shown.append(str(error))
shown.append(sys.path.index(os.path.dirname(plain.__file__)) == len(sys.path) - 1)
print(json.dumps(shown))
"""


def test_packages_are_found_and_cannot_be_changed(world: World, tmp_path: Path) -> None:
    packages = tmp_path / "environment"
    packages.mkdir()
    (packages / "plain.py").write_text("value = 1\n")
    world.write("main.py", PROGRAM)
    world.variables["ONEOS_ENVIRONMENT"] = str(packages)
    outcome = world.context(["main.py"])
    assert outcome.err == b""
    assert json.loads(outcome.out) == [
        1,
        str(packages / "plain.py"),
        False,
        "Read-only file system",
        "No module named 'only_on_this_host'",
        True,
    ]
