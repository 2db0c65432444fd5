"""The interpreters that are found here: the tests' own first, and one of each other version."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
ASK_S = 20


def runs(candidate: str, version: str) -> bool:
    """A shim of pyenv may exist and fail."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([candidate, "-c", asked], capture_output=True, timeout=ASK_S)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.stdout.decode().strip() == version


def find() -> list[str]:
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = [getattr(sys, "_base_executable", "") or sys.executable]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in VERSIONS:
        places = [shutil.which(f"python{version}") or ""]
        places += [str(one) for one in sorted(root.glob(f"{version}.*/bin/python3"))]
        fitting = [one for one in places if one and version != own and runs(one, version)]
        found += fitting[:1]
    return found


INTERPRETERS = find()
