"""Closing commits: when `close` is sent, how often, and what becomes of its error."""

import errno
import os
import threading

import pytest

from tests.support.treeserver import Failure
from tests.unit.guest_python.conftest import Outcome, World

TRY = "\ntry:\n    act()\nexcept OSError as e:\n    print(type(e).__name__, e.errno, e)\n"


def run(world: World, text: str) -> Outcome:
    outcome = world.context(["-c", text])
    assert b"Traceback" not in outcome.err, outcome.err
    return outcome


def closes(world: World) -> int:
    """Closes of files that the program made, whose names start with `w`."""
    assert world.server is not None
    return sum(request.op == "close" for request in world.server.requests)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("open('w', 'w').close()", 1),
        ("f = open('w', 'w'); f.close(); f.close()", 1),
        ("open('w', 'wb', 0).close()", 1),
        ("import os; os.close(os.open('w', os.O_CREAT | os.O_WRONLY))", 1),
        ("import os; fd = os.open('w', 66); d = os.dup(fd); os.close(fd); print('open')", 0),
        ("import os; fd = os.open('w', 66); d = os.dup(fd); os.close(fd); os.close(d)", 1),
        ("import os; fd = os.open('w', 66); os.dup2(fd, 50); os.close(fd); os.close(50)", 1),
        ("import os; fd = os.open('w', 66); os.dup2(os.open('/dev/null', 0), fd)", 1),
        ("import os; os.open('w', 66); os.closerange(3, 99)", 1),
        ("import os; f = os.fdopen(os.open('w', 66), 'w'); f.close()", 1),
        ("f = open('w', 'w'); g = open(f.fileno(), 'w', closefd=False); g.close()\nf.close()", 1),
        ("f = open('w', 'w'); del f", 1),
        ("f = open('w', 'w')", 1),
        ("import os; fd = os.open('w', 66)", 0),
        ("try:\n    open('w', 'w', encoding='nonsense')\nexcept LookupError: pass", 1),
        ("try:\n    open('.')\nexcept OSError: pass", 0),
        ("import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()", 0),
        ("import os; f = open('w', 'w')\nif os.fork() == 0:\n    f.close(); os._exit(0)\n"
         "os.wait()", 2),  # The child is a program of its own, which holds the file too.
    ],
)  # fmt: skip
def test_close_is_sent_once_for_each_open(world: World, text: str, count: int) -> None:
    run(world, text)
    assert closes(world) == count


def test_nobody_waits_for_a_close_that_commits_nothing_yet(world: World) -> None:
    assert world.server is not None
    world.server.later = True
    world.server.hold["close"] = threading.Event()
    outcome = run(world, "open('w', 'w').close(); print('on')")
    assert outcome.out == b"on\n"
    world.server.hold["close"].set()


def test_a_close_that_nobody_waits_for_comes_before_what_follows(world: World) -> None:
    assert world.server is not None
    world.server.later = True
    world.server.fail[("close", "*")] = Failure(errno.EIO, "told nobody", "")
    text = "import os\nfor n in range(99):\n    open('w', 'w').close(); os.chmod('w', 0o600)"
    run(world, text)
    ops = [one.op for one in world.server.requests if one.op in ("open", "close", "chmod")]
    assert ops[-297:] == ["open", "close", "chmod"] * 99


def test_descriptor_is_closed_before_close_is_sent(world: World) -> None:
    """What was written last is in the file when the Runtime commits it."""
    assert world.server is not None
    world.server.fail[("close", "*")] = Failure(errno.EIO, "looked", "")
    run(world, "f = open('w', 'w'); f.write('all of it')" + TRY.replace("act()", "f.close()"))
    assert (world.inside / "w").read_text() == "all of it"


@pytest.mark.parametrize(
    "act",
    [
        "f = open('w', 'w'); act = f.close",
        "import os; fd = os.open('w', 66); act = lambda: os.close(fd)",
        "def act():\n    with open('w', 'w') as f:\n        f.write('x')",
        "import pathlib; act = lambda: pathlib.Path('w').write_text('x')",
        "import os; f = os.fdopen(os.open('w', 66), 'w'); act = f.close",
        "import shutil; open('v', 'w').close; act = lambda: shutil.copyfile('v', 'w')",
    ],
)
@pytest.mark.parametrize("where", ["here", "remote"])
def test_error_of_the_commit_is_raised_by_close(world: World, act: str, where: str) -> None:
    assert world.server is not None
    world.server.remote = ("*",) if where == "remote" else ()
    world.server.fail[("close", "*")] = Failure(errno.ENOSPC, "no room on pi1 and pi2", "remove")
    if "copyfile" in act:
        (world.inside / "v").write_text("x")
    out = run(world, act + TRY).out
    assert out == b"OSError 28 [Errno 28] no room on pi1 and pi2 (remove)\n"


def test_error_of_the_commit_is_raised_by_fsync(world: World) -> None:
    assert world.server is not None
    world.server.fail[("sync", "*")] = Failure(errno.EHOSTUNREACH, "host pi2 is away", "wait")
    act = "import os; f = open('w', 'w'); act = lambda: os.fsync(f.fileno())"
    assert run(world, act + TRY).out == b"OSError 113 [Errno 113] host pi2 is away (wait)\n"


def test_reader_does_not_wait_for_its_close(world: World) -> None:
    assert world.server is not None
    for number in range(300):
        (world.inside / f"r{number}").write_text("text")
    text = "for n in range(300):\n    with open(f'r{n}') as f:\n        assert f.read() == 'text'"
    run(world, text)
    assert world.server.count("close") == 300
    assert world.server.handles == {}


def test_every_error_keeps_the_name_as_given(world: World) -> None:
    assert world.server is not None
    world.server.fail[("open", "*/dev/x")] = Failure(errno.EHOSTUNREACH, "host pi3 left", "wait")
    act = "import pathlib; act = lambda: open(pathlib.Path('dev/x'))"
    out = run(world, act + TRY).out
    assert out == b"OSError 113 [Errno 113] host pi3 left (wait): 'dev/x'\n"


def test_descriptor_may_come_by_path(world: World) -> None:
    """Where descriptors cannot be sent, the file is opened by the path the Runtime gives."""
    assert world.server is not None
    world.server.by_path = True
    text = "with open('w', 'w+') as f:\n    f.write('x')\n    f.seek(0)\n    print(f.read())"
    assert (
        run(world, text + "\nopen('w', 'a').write('y')\nprint(open('w').read())").out == b"x\nxy\n"
    )
    assert world.server.count("opened") == 3
    assert world.server.handles == {}


def test_stream_of_the_tree_is_read_as_it_comes(world: World) -> None:
    """A device or a pipe: the program has the kernel's own descriptor of it."""
    os.mkfifo(world.inside / "sensor")
    writer = threading.Thread(target=(world.inside / "sensor").write_text, args=("1\n2\n",))
    writer.start()
    text = "f = open('sensor')\nprint(f.seekable(), f.readline(), list(f))"
    assert run(world, text).out == b"False 1\n ['2\\n']\n"
    writer.join(10)
