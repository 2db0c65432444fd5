"""What cannot move is refused with a reason that names it, and the program goes on unharmed."""

from pathlib import Path

import pytest

from oneos.runtime.extensions import build
from tests.migration.python.harness import Subject
from tests.migration.python.interpreters import INTERPRETERS

WAITS = """
import os, sys, time
{}
open("begun", "w").close()
while not os.path.exists("report"):
    time.sleep(0.02)
print("unharmed")
"""
HOLDS = """
class Shop:
    def __init__(self, held):
        self.rooms = {"store": [None, held]}
def numbers(held):
    while True:
        yield held
def closes_over(held):
    return lambda: held
class Slots:
    __slots__ = ("held",)
"""
CASES = {
    "a child process": (
        "import os\nif os.fork() == 0:\n    while not os.path.exists('report'):\n"
        "        time.sleep(0.02)\n    os._exit(0)",
        "child",
        "",
    ),
    "a child with an object": (
        "import subprocess\n"
        "wait = 'while ! [ -e report ]; do sleep 0.1; done'\n"
        "held = subprocess.Popen(['sh', '-c', wait])",
        "child",
        "__main__.held",
    ),
    "a database": (
        f"import sqlite3\n{HOLDS}\nshop = Shop(sqlite3.connect(':memory:'))",
        "sqlite3.Connection",
        "__main__.shop.rooms['store'][1]",
    ),
    "a cursor in slots": (
        f"import sqlite3\n{HOLDS}\nheld = Slots()\n"
        "held.held = sqlite3.connect(':memory:').cursor()",
        "sqlite3.Cursor",
        "__main__.held.held",
    ),
    "a pipe": (
        "import os\nheld = [os.fdopen(fd, 'rb') for fd in os.pipe()[:1]]",
        "a pipe",
        "__main__.held[0].raw",
    ),
    "a socket": ("import socket\nheld = socket.socketpair()", "socket", "__main__.held[0]"),
    "a listening socket": (
        f"import socket\n{HOLDS}\nheld = closes_over(socket.create_server(('127.0.0.1', 0)))",
        "socket",
        "held, a variable of __main__.held",
    ),
    "a hash": ("import hashlib\nheld = hashlib.sha256()", "HASH", "__main__.held"),
    "a compressor": (
        f"import zlib\n{HOLDS}\nheld = numbers(zlib.compressobj())\nnext(held)",
        "Compress",
        "held, a local variable of __main__.held",
    ),
    "mapped memory": ("import mmap\nheld = mmap.mmap(-1, 4096)", "mmap", "__main__.held"),
    "a pointer": (
        "import ctypes\nheld = ctypes.pointer(ctypes.c_int(5))",
        "ctypes",
        "__main__.held",
    ),
    "a callback for C": (
        "import ctypes\nheld = {1: ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 5)}",
        "CFunctionType",
        "__main__.held[1]",
    ),
    "a library": ("import ctypes\nheld = ctypes.CDLL(None).getpid", "_FuncPtr", "__main__.held"),
    "a deleted file": (
        "import tempfile\nheld = tempfile.TemporaryFile()",
        "a file without a name",
        "__main__.held.raw",
    ),
    "a directory under way": (
        "import os\nheld = os.scandir('/')\nnext(held)",
        "ScandirIterator",
        "__main__.held",
    ),
    "a weak proxy": (
        "import weakref\nclass A: pass\na = A()\nheld = weakref.proxy(a)",
        "",
        "",
    ),
    "a parser": (
        "import xml.parsers.expat\nheld = xml.parsers.expat.ParserCreate()",
        "pyexpat.xmlparser",
        "__main__.held",
    ),
    "a tracer": ("sys.settrace(lambda *_: None)", "debugger", ""),
}


def refused(program: Path, extension: str, scratch: Path) -> str:
    """Asks a program to move once it says that it has begun; answers why it does not."""
    program.write_text(f"import os\nos.chdir({str(scratch)!r})\n" + program.read_text())
    run = Subject(INTERPRETERS[0], extension, program, scratch).start(
        "--during", str(scratch / "begun")
    )
    assert run.output == b"unharmed\n", run.why
    return str(run.report["refused"])


@pytest.fixture
def extension(tmp_path: Path) -> str:
    found = build(INTERPRETERS[0], tmp_path.parent / "extensions")
    if found.path is None:
        pytest.skip(found.reason)
    return str(found.path)


@pytest.mark.parametrize("what", CASES)
def test_it_is_refused_by_name_and_the_program_is_unharmed(
    what: str, extension: str, tmp_path: Path
) -> None:
    lines, named, way = CASES[what]
    program = tmp_path / "program.py"
    program.write_text(WAITS.format(lines))
    said = refused(program, extension, tmp_path)
    assert named in said
    assert not way or said.endswith(f"it is {way}")


def test_a_local_variable_is_named_with_its_function_and_line(
    extension: str, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import time, zlib\n"
        "def packs():\n"
        "    box = [zlib.compressobj()]\n"
        "    open('begun', 'w').close()\n"
        "    while not os.path.exists('report'): time.sleep(0.02)\n"
        "    print('unharmed')\n"
        "packs()\n"
    )
    said = refused(program, extension, tmp_path)
    assert "it is box[0], a local variable of packs in line " in said


def test_python_that_c_calls_back_is_named_with_what_called_it(
    extension: str, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import ctypes, time\n"
        "@ctypes.CFUNCTYPE(ctypes.c_int)\n"
        "def called():\n"
        "    open('begun', 'w').close()\n"
        "    time.sleep(4)\n"
        "    return 0\n"
        "called()\n"
        "print('unharmed')\n"
    )
    said = refused(program, extension, tmp_path)
    assert said.endswith("CFunctionType is running, which calls called")
