"""The connection to the Runtime: interruptions, forks, threads, and a Runtime that has gone."""

import signal
import subprocess
import threading

import pytest

from oneos.guest.launch_python import command
from tests.support.waiting import WAIT_S
from tests.unit.guest_python.conftest import World


def start(world: World, text: str) -> subprocess.Popen[bytes]:
    assert world.server is not None
    given = {**world.environment(), **world.server.environment(str(world.home))}
    return subprocess.Popen(
        command(world.python, ["-c", text]),
        env=given, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_interrupted_request_leaves_no_reply_behind(world: World) -> None:
    """The reply of the interrupted `mkdir` must not be taken for that of the next request."""
    assert world.server is not None
    (world.inside / "b").write_text("b" * 7)
    gate = world.server.hold["mkdir"] = threading.Event()
    running = start(
        world,
        "import os\ntry:\n    os.mkdir('a')\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
        "print(os.stat('b').st_size, os.listdir('.'))\n",
    )
    with running:
        assert running.stdout is not None
        assert world.server.wait_for("mkdir")
        running.send_signal(signal.SIGINT)
        assert world.server.wait_for("scan")
        out, _ = running.communicate(timeout=WAIT_S)
        gate.set()
    assert out == b"interrupted\n7 ['b']\n"


def test_signal_handler_may_use_files_while_a_request_waits(world: World) -> None:
    assert world.server is not None
    (world.inside / "a").write_text("from the handler")
    gate = world.server.hold["mkdir"] = threading.Event()
    running = start(
        world,
        "import os, signal\n"
        "signal.signal(signal.SIGUSR1, lambda *a: print(open('a').read(), flush=True))\n"
        "os.mkdir('d')\nprint(os.path.isdir('d'))\n",
    )
    with running:
        assert running.stdout is not None
        assert world.server.wait_for("mkdir")
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.readline() == b"from the handler\n"
        gate.set()
        assert running.stdout.readline() == b"True\n"
        assert running.wait(WAIT_S) == 0


@pytest.mark.parametrize("act", ["os.listdir('.')", "open('x')", "open('f.txt', 'w')", "f.close()"])
def test_runtime_that_has_gone_is_an_error_at_once(world: World, act: str) -> None:
    assert world.server is not None
    running = start(
        world,
        "import os\nf = open('w', 'w')\nprint('up', flush=True)\ninput()\n"
        f"try:\n    {act}\nexcept OSError as e:\n    print(e, flush=True)\nos._exit(0)",
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        world.server.disconnect()
        out, err = running.communicate(b"\n", timeout=WAIT_S)
    assert b"[Errno 5] the OneOS Runtime of this host has gone" in out, err


def test_runtime_that_goes_while_a_request_waits_is_an_error(world: World) -> None:
    assert world.server is not None
    world.server.hold["mkdir"] = threading.Event()
    running = start(world, "import os\ntry:\n    os.mkdir('d')\nexcept OSError as e:\n    print(e)")
    assert world.server.wait_for("mkdir")
    world.server.disconnect()
    out, _ = running.communicate(timeout=WAIT_S)
    assert out.startswith(b"[Errno 5] the OneOS Runtime")


def test_program_that_is_not_known_is_refused(world: World) -> None:
    assert world.server is not None
    world.server.token = "another"
    given = {**world.server.environment("/"), "ONEOS_TOKEN": "forged"}
    run = subprocess.run(
        command(world.python, ["-S", "-c", "open('x')"]),
        env={**world.environment(), **given}, capture_output=True, timeout=WAIT_S,
    )  # fmt: skip
    assert run.returncode == 1
    assert b"refuses this program: wrong PID or token" in run.stderr


def test_parent_and_child_talk_at_the_same_time(world: World) -> None:
    text = """
import os
children = []
for n in range(4):
    pid = os.fork()
    if pid == 0:
        try:
            for turn in range(50):
                with open(f"c{n}-{turn}", "w") as f:
                    f.write(str(n) * 100)
                assert os.stat(f"c{n}-{turn}").st_size == 100
            os._exit(0)
        finally:
            os._exit(1)
    children.append(pid)
for turn in range(50):
    assert os.path.isdir(".") and not os.path.exists("nope")
print([os.waitpid(pid, 0)[1] for pid in children], len(os.listdir(".")))
"""
    assert world.context(["-c", text]).out == b"[0, 0, 0, 0] 200\n"


def test_program_never_meets_the_connections(world: World) -> None:
    """Descriptors start at 3, and closing all there are does not cut the program off."""
    text = """
import os
os.stat(".")
print(os.open("w", os.O_CREAT), os.pipe())
for fd in range(3, 1024):
    try:
        os.close(fd)
    except OSError:
        pass
os.closerange(3, 4096)
print(os.listdir("."))
"""
    assert world.context(["-c", text]).out == b"3 (4, 5)\n['w']\n"


def test_program_that_dies_of_sigpipe_does_not_die_of_ours(world: World) -> None:
    assert world.server is not None
    running = start(
        world,
        "import os, signal\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\nos.stat('.')\n"
        "print('up', flush=True)\ninput()\n"
        "try:\n    os.mkdir('made')\nexcept OSError as e:\n    print(e.errno)",
    )
    with running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        world.server.disconnect()
        out, _ = running.communicate(b"\n", timeout=WAIT_S)
    assert (running.returncode, out) == (0, b"5\n")
