"""What this version leaves out is refused in words, and nothing is done on the host instead."""

import os
import shutil
from pathlib import Path

import pytest

from oneos.net.pki import create_network
from tests.unit.guest_python.conftest import World

TRY = "\ntry:\n    print(act())\nexcept OSError as e:\n    print(type(e).__name__, e.errno, e)\n"


@pytest.mark.parametrize(
    ("act", "number"),
    [
        ("import os; act = lambda: os.symlink('a', '/usr/b')", 30),
        ("import os; act = lambda: os.link('a', '/usr/b')", 30),
        ("import os; act = lambda: os.link('/usr', 'b')", 18),
        ("import os; act = lambda: os.setxattr('/usr', 'user.x', b'1')", 30),
        ("import os; act = lambda: os.setxattr(os.open('/usr', 0), 'user.x', b'1')", 95),
        ("import os; act = lambda: os.chroot('/')", 1),
        ("import os; act = lambda: os.setuid(os.getuid() + 1)", 1),
        ("import os, stat; act = lambda: os.mknod('p', stat.S_IFBLK)", 1),
        ("import socket; s = socket.socket(socket.AF_UNIX); act = lambda: s.bind('/usr/x')", 30),
        ("import os; act = lambda: os.kill(-1, 0)", 1),
        ("import subprocess; act = lambda: subprocess.run(['./native'])", 8),
        ("import os; act = lambda: os.posix_spawn('native', ['native'], {})", 8),
        ("import os; act = lambda: os.execv('native', ['native'])", 8),
        ("import os, subprocess; act = lambda: subprocess.run(['ls'], user=os.getuid() + 1)", 1),
        (
            "import ssl; c = ssl.create_default_context(); "
            "act = lambda: c.load_verify_locations(capath='.')",
            95,
        ),
        (
            "import ssl; c = ssl.create_default_context(); "
            "act = lambda: setattr(c, 'keylog_filename', 'keys')",
            95,
        ),
        ("import ctypes; act = lambda: ctypes.CDLL('/home/libx.so')", 95),
        ("import ctypes; act = lambda: ctypes.CDLL('./libx.so')", 95),
        ("act = lambda: open('/usr/x', 'w')", 30),
        ("import os; act = lambda: os.mkdir('/usr/x')", 30),
        ("import os; act = lambda: os.unlink(os.__file__)", 30),
        ("import os; act = lambda: os.open(os.__file__, os.O_RDWR)", 30),
        ("import os; act = lambda: os.chmod('/usr', 0o777)", 30),
        ("import os; act = lambda: os.rename('a', '/usr/a')", 18),
    ],
)
def test_what_the_tree_has_not(world: World, act: str, number: int) -> None:
    (world.inside / "a").write_text("a")
    (world.inside / "native").write_bytes(b"\x7fELF\0\0")
    (world.inside / "native").chmod(0o755)
    outcome = world.context(["-c", act + TRY])
    assert f" {number} [Errno {number}] ".encode() in outcome.out, outcome
    assert sorted(os.listdir(world.inside)) == ["a", "native"]


@pytest.mark.parametrize(
    "act",
    [
        "connect('a.db')",
        "Connection('a.db')",
        "connect('file:a.db?mode=rwc', uri=True)",
        "connect(':memory:').execute('attach \"a.db\" as a')",
        "connect(':memory:').execute('attach ? as a', ['a.db'])",
        "connect(':memory:').execute('vacuum into \"a.db\"')",
    ],
)
def test_a_database_of_the_tree_is_refused_as_sqlite_refuses_one(world: World, act: str) -> None:
    outcome = world.context(["-c", f"import sqlite3\nsqlite3.{act}"])
    assert b"sqlite3." in outcome.err and b"Error: " in outcome.err, outcome
    assert os.listdir(world.inside) == []


def test_what_is_in_memory_only_is_allowed(world: World) -> None:
    text = """
import sqlite3, socket, mmap, ctypes, pwd, os
db = sqlite3.connect(":memory:")
db.execute("create table a (b)"); db.deserialize(db.serialize())
db.execute("attach ':memory:' as more"); db.set_authorizer(None); db.execute("vacuum")
print(db.execute("select 1").fetchone(), isinstance(db, sqlite3.Connection))
a, b = socket.socketpair()
a.send(b"x"); print(b.recv(1), type(a).__mro__[1].__module__)
server = socket.create_server(("127.0.0.1", 0)); server.close()
print(len(mmap.mmap(-1, 10)), ctypes.CDLL(None).getpid() > 0)
print(socket.gethostname(), os.uname().nodename, os.getpid(), pwd.getpwuid(os.getuid()).pw_dir)
"""
    out = world.context(["-c", text]).out.decode().splitlines()
    assert out[0] == "(1,) True"
    assert out[1] == "b'x' _socket"
    assert out[2] == "10 True"
    assert out[3] == f"pi1 pi1 4242 {world.home}"


def test_certificates_of_the_tree_are_used(world: World, tmp_path: Path) -> None:
    create_network(tmp_path / "network", "home", "pi1")
    for name in ("ca.pem", "host.pem", "host.key"):
        shutil.copy(tmp_path / "network" / name, world.inside)
    text = """
import os, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
free = os.dup(0)
context.load_cert_chain("host.pem", keyfile="host.key")
context.load_verify_locations(cafile="ca.pem")
print(len(context.get_ca_certs()), context.keylog_filename)
try:
    context.load_cert_chain("none.pem")
except FileNotFoundError as error:
    print(error)
print(os.dup(0) - free)
"""
    outcome = world.context(["-c", text])
    assert not outcome.err, outcome
    lines = outcome.out.decode().splitlines()
    assert lines == ["1 None", "[Errno 2] No such file or directory: 'none.pem'", "1"]


def test_remote_file_is_not_mapped(world: World) -> None:
    assert world.server is not None
    world.server.remote = ("*",)
    (world.inside / "a").write_text("a")
    act = "import mmap; f = open('a'); act = lambda: mmap.mmap(f.fileno(), 0)" + TRY
    assert b"another host into memory comes with a later version" in world.context(["-c", act]).out


def test_native_code_of_the_tree_is_not_loaded(world: World) -> None:
    (world.inside / "native.so").write_bytes(b"\x7fELF")
    outcome = world.context(["-c", "import native"])
    assert b"ImportError: loading native code from the tree" in outcome.err


def test_nothing_reaches_the_host(world: World) -> None:
    """The native directory of the same name stays as it was while a program works in the tree."""
    world.write("seen", "x")
    before = os.stat(world.home)
    text = "import os\nopen('made', 'w').close()\nos.mkdir('d')\nos.rename('seen', 'gone')"
    assert world.context(["-c", text]).status == 0
    assert os.listdir(world.home) == ["seen"]
    assert os.stat(world.home).st_mtime_ns == before.st_mtime_ns
    assert sorted(os.listdir(world.inside)) == ["d", "gone", "made"]
