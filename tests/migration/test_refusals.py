"""What cannot move is refused with a reason that names it, and the program goes on unharmed."""

from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import Subject
from tests.migration.python.interpreters import INTERPRETERS

WAITS = """
import sys, time
{}
for n in range(40):
    time.sleep(0.02)
print("unharmed", n)
"""
CASES = {
    "a child process": (
        "import os\nif os.fork() == 0:\n    time.sleep(0.6)\n    os._exit(0)",
        "child",
    ),
    "a database": ("import sqlite3\nheld = sqlite3.connect(':memory:')", "sqlite3.Connection"),
    "a pipe": ("import os\nheld = os.pipe()", "a pipe"),
    "a socket": ("import socket\nheld = socket.socketpair()", "socket"),
    "a hash": ("import hashlib\nheld = hashlib.sha256()", "HASH"),
    "a compressor": ("import zlib\nheld = zlib.compressobj()", "Compress"),
    "mapped memory": ("import mmap\nheld = mmap.mmap(-1, 4096)", "mmap"),
    "a pointer": ("import ctypes\nheld = ctypes.pointer(ctypes.c_int(5))", "ctypes"),
    "a deleted file": (
        "import tempfile\nheld = tempfile.TemporaryFile()",
        "a file without a name",
    ),
    "a directory under way": ("import os\nheld = os.scandir('/')\nnext(held)", "ScandirIterator"),
    "a weak proxy": (
        "import weakref\nclass A: pass\na = A()\nheld = weakref.proxy(a)",
        "",
    ),
    "a tracer": ("sys.settrace(lambda *_: None)", "debugger"),
}


@pytest.mark.parametrize("what", CASES)
def test_it_is_refused_by_name_and_the_program_is_unharmed(what: str, tmp_path: Path) -> None:
    python = INTERPRETERS[0]
    extension = build(python, tmp_path.parent / "extensions")
    if extension.path is None:
        pytest.skip(extension.reason)
    lines, named = CASES[what]
    program = tmp_path / "program.py"
    program.write_text(WAITS.format(lines))
    run = Subject(python, str(extension.path), program, tmp_path).start("--during", "0.1")
    assert run.output == b"unharmed 39\n", run.why
    assert named in run.report["refused"]
