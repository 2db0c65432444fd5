"""Every way of naming a program, and every way of its ending, is as with plain Python."""

import os
import signal
import subprocess
import time
import zipfile

import pytest

from oneos.guest.launch_python import command
from tests.support.waiting import WAIT_S
from tests.unit.guest_python.conftest import World, each_interpreter, version

ARGV = "import sys; print(sys.argv, sys.path[0], __name__, __spec__, sorted(globals()))"
FAILS = """\
import functools
def outer(n):
    return inner(n)
def inner(n):
    raise ValueError(f"bad {n}")
functools.reduce(lambda a, b: outer(b), [1, 2])
"""
ENDINGS = {
    "status": "import sys; sys.exit(41)",
    "message": "import sys; sys.exit('a reason')",
    "none": "import sys; sys.exit(None)",
    "big": "raise SystemExit(300)",
    "tuple": "raise SystemExit((1, 2))",
    "hard": "import os; print('lost', end=''); os._exit(9)",
    "error": FAILS,
    "missing": "open('nope.txt')",
    "deep": "import json\njson.load(open('nope.json'))",
    "chained": "try:\n    open('nope')\nexcept OSError as e:\n    raise RuntimeError('why') from e",
    "context": "try:\n    1/0\nexcept ZeroDivisionError:\n    open('nope')",
    "no context": "try:\n    open('nope')\nexcept OSError as e:\n    print(e.__context__)",
    "path": "import pathlib; pathlib.Path('nope').read_text()",
    "rmtree": "import shutil; shutil.rmtree('nope')",
    "syntax": "x = (\n1 = 2\n",
    "indent": "if 1:\nx",
    "encoding": "# coding: latin-1\nprint('ok')",
    "import": "import nothing_of_that_name",
    "interrupt": "raise KeyboardInterrupt",
    "hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[:2], a[2].tb_lineno)\n1/0",
    "no hook": "import sys\ndel sys.excepthook\n1/0",
    "group": "raise ExceptionGroup('g', [ValueError(1), OSError(2, 'x')])",
    "note": "e = ValueError('x'); e.add_note('noted'); raise e",
    "atexit": "import atexit\natexit.register(lambda: print(globals().get('__file__')))\n1/0",
    "thread": "import threading\nt = threading.Thread(target=open, args=('nope',), name='T')\n"
    "t.start()\nt.join()",
    "unraisable": "class A:\n    def __del__(self): open('nope')\nA()",
    "trace": "import traceback\ntry:\n    open('nope')\nexcept OSError:\n    traceback.print_exc()",
    "logging": "import logging\ntry:\n    open('nope')\nexcept OSError: logging.exception('x')",
    "last": "import sys, atexit\n"
    "atexit.register(lambda: print(sys.last_value, sys.last_traceback.tb_lineno))\n1/0",
    "warn": "import warnings; warnings.warn('careful')",
    "with": "with open('f', 'w') as f:\n    f.write('kept')\n    raise ValueError",
    "closed": "print(1, flush=True)\nimport os\nos.close(1)\nprint(2)",
    "recursion": "def f(): f()\ntry:\n    f()\nexcept RecursionError as e:\n    print(e)",
}


@pytest.mark.parametrize("name", ENDINGS)
def test_script_ends_the_same(world: World, name: str) -> None:
    world.write("dir/program.py", ENDINGS[name])
    world.same(["dir/program.py"])


@pytest.mark.parametrize("python", each_interpreter(), ids=version)
@pytest.mark.parametrize("name", ["error", "missing", "chained", "syntax", "hook", "interrupt"])
@pytest.mark.parametrize("kind", ["-c", "stdin"])
def test_command_and_stdin_end_the_same(world: World, python: str, name: str, kind: str) -> None:
    world.python = python
    if kind == "-c":
        world.same(["-c", ENDINGS[name], "arg"])
    else:
        world.same(["-", "arg"], stdin=ENDINGS[name].encode())


@pytest.mark.parametrize("python", each_interpreter(), ids=version)
def test_every_way_of_naming_a_program(world: World, python: str) -> None:
    world.python = python
    world.write("p/__init__.py", "print('init', __name__)")
    world.write("p/__main__.py", ARGV + "\nprint(__file__)")
    world.write("p/m.py", ARGV + "\nprint(__file__)\n" + FAILS)
    world.write("d/__main__.py", ARGV + "\nimport beside\nprint(__file__, beside.x)")
    world.write("d/beside.py", "x = 1")
    world.write("__main__.py", ARGV + "\nprint(__file__)")
    world.write("s.py", "#!/usr/bin/env python3\n" + ARGV + "\nprint(__file__, __loader__.path)")
    world.write("first.py", "this is not python\nprint('second line')\n1/0")
    world.write("empty.py", "")
    world.write("bytes.py", b"\xef\xbb\xbfprint('with a BOM')\r\nprint('and CRLF')\r\n")
    world.write("bad.py", b"print('\xff')\n")
    world.write("nul.py", b"print(1)\n\0\n")
    world.write("no_main/x.py", "")
    for place in (world.home, world.inside):
        with zipfile.ZipFile(place / "z.zip", "w") as z:
            z.writestr("__main__.py", ARGV + "\nimport inside\nprint(__file__, inside.x)")
            z.writestr("inside.py", "x = 2")
    ways: list[list[str]] = [
        ["s.py", "a", "-x"], ["./s.py"], ["../home/s.py"], [str(world.home / "s.py")],
        ["-m", "p"], ["-m", "p.m", "a"], ["-m", "nope"], ["-m", "p.nope"],
        ["-m", "json.tool", "--help"],
        ["d", "a"], ["d/"], ["."], ["./"], ["z.zip", "a"], ["no_main"], ["nope.py"], ["s.py/"],
        ["-c", ARGV, "a", "-c"], ["-x", "first.py"], ["empty.py"], ["bytes.py"],
        ["bad.py"], ["nul.py"], ["-u", "s.py"], ["-O", "-c", "assert 0; print(__debug__)"],
        ["-OO", "-c", "print(__debug__)"],
        ["-W", "error", "-c", "import warnings; warnings.warn('w')"],
        ["-Wignore", "-c", "import warnings; warnings.warn('w')"],
        ["-X", "utf8=0", "-c", "import sys; print(sys.flags.utf8_mode, sys._xoptions)"],
        ["-I", "-c", "import sys; print(sys.flags.isolated, sys.path[0])"],
        ["-P", "s.py"], ["-E", "-s", "-B", "-c", "import sys; print(sys.flags[3:6])"],
        ["-S", "-c", "import sys; print('site' in sys.modules)"],
        ["-bb", "-c", "b'' == ''"], ["-uBc", "print('grouped')"], ["--", "s.py"],
        ["--version"], ["-V"], ["-Z"], ["-c"], ["-m"], ["-q", "s.py"],
        ["-c", "import sys; print(sys.orig_argv[1:])", "-a"], ["-"], [],
    ]  # fmt: skip
    different = []
    for way in ways:
        try:
            world.same(way, stdin=ARGV.encode() + b"; print(__file__)")
        except AssertionError as error:
            different.append(f"{way}: {error}")
        world.home.with_name("native-done").rename(world.home)
    assert not different, "\n".join(different)


def test_interrupt_ends_by_the_signal(world: World) -> None:
    assert world.server is not None
    given = {**world.environment(), **world.server.environment("/")}
    program = "import os, signal; print('up', flush=True); signal.pause()"
    running = subprocess.Popen(
        command(world.python, ["-c", program]),
        env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with running:
        try:
            assert running.stdout is not None and running.stderr is not None
            assert running.stdout.readline() == b"up\n"
            running.send_signal(signal.SIGINT)
            assert running.wait(10) == -signal.SIGINT
            assert b"KeyboardInterrupt" in running.stderr.read()
        finally:
            # Where the tests run in the background, it may have begun with the signal ignored.
            running.kill()


@pytest.mark.parametrize("text", ["print('x')", "print('x' * 100000)", "while True: print('y')"])
def test_closed_pipe_is_met_the_same(world: World, text: str) -> None:
    """The reader is gone before the program writes."""
    assert world.server is not None
    results = []
    given = {**world.environment(), **world.server.environment("/")}
    for argv, env in (
        ([world.python, "-c", text], world.environment()),
        (command(world.python, ["-c", text]), given),
    ):
        r, w = os.pipe()
        os.close(r)
        run = subprocess.run(argv, env=env, stdout=w, stderr=subprocess.PIPE, timeout=WAIT_S)
        os.close(w)
        results.append((run.returncode, run.stderr))
    assert results[0] == results[1]


def test_nothing_but_the_program_in_main(world: World) -> None:
    out = world.same(["-c", "print([k for k in globals() if 'one' in k.lower()])"]).out
    assert out == b"[]\n"


def test_start_is_refused_without_a_runtime(world: World) -> None:
    run = subprocess.run(
        command(world.python, ["-c", "print(1)"]), env={}, capture_output=True, timeout=WAIT_S
    )
    assert run.returncode == 1
    assert run.stderr.count(b"\n") == 1 and b"ONEOS_SOCK" in run.stderr


def test_program_does_not_wait_for_the_runtime_to_start(world: World) -> None:
    """A print and nothing else asks the Runtime for a handful of things only."""
    assert world.server is not None
    world.write("hi.py", "print('hi')")
    started = time.monotonic()
    assert world.context(["hi.py"]).out == b"hi\n"
    assert time.monotonic() - started < 20
    assert len(world.server.requests) <= 8
