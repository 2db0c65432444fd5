"""A child process on a disk of its own that is too small, where this machine allows one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import WAIT_S


def run_on_small_disk(tmp_path: Path, megabytes: int, script: str) -> None:
    """Run a Python script whose working directory is a file system of this size.

    Skips the test where an ordinary user may make no mount namespace.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f'mount -t tmpfs -o size={megabytes}m tmpfs "$1" && cd "$1"'
    unshare = ["unshare", "-Urm", "sh", "-c"]
    try:
        able = subprocess.run([*unshare, mount, "sh", disk], capture_output=True, timeout=WAIT_S)
    except OSError:
        pytest.skip("no unshare here")
    if able.returncode:
        pytest.skip("no mount namespace here")
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    command = [*unshare, mount + ' && exec "$2" -c "$3"', "sh", disk, sys.executable, script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert done.returncode == 0, done.stderr
