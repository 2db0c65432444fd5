"""Warm starts: a program sees what it sees after a cold one, and its end is known all the same."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from oneos.errors import UserError
from oneos.guest.launch_python import command
from oneos.limits import ZYGOTE_REQUEST_BYTES_MAX, ZYGOTE_STARTS_MAX
from oneos.runtime.warmth import Warmth
from oneos.runtime.zygote import Zygote
from tests.support.interpreter import bare_python
from tests.support.treeserver import TreeServer
from tests.support.waiting import WAIT_S

PYTHON = bare_python()
OWN = {b"HOME": b"/root", b"LANG": b"C.UTF-8", b"GREETING": b"hello"}


class Starts:
    """Starts programs cold and warm, on the same tree.

    Attributes:
        noted: the PIDs that were told before a program ran.
    """

    def __init__(self, server: TreeServer) -> None:
        self.server = server
        self.warmth = Warmth()
        self.noted: list[int] = []
        self.python = PYTHON

    async def ready(self, own: dict[bytes, bytes] = OWN, after: int = 0) -> int:
        """Have a warm interpreter for these variables, another one than `after`; its PID."""
        await self.warm(["-c", "pass"], own)
        async with asyncio.timeout(WAIT_S):
            while True:
                zygote = self.warmth.zygote
                if zygote is not None and zygote.ready and zygote.os_pid != after:
                    return zygote.os_pid
                await asyncio.sleep(0.005)

    def _environment(self, own: dict[bytes, bytes]) -> dict[bytes, bytes]:
        ids = {"ONEOS_UID": str(os.getuid()), "ONEOS_GID": str(os.getgid())}
        given = {**self.server.environment("/home"), **ids}
        return {b"PATH": b"/usr/bin:/bin", **own} | {
            os.fsencode(name): os.fsencode(value) for name, value in given.items()
        }

    def cold(
        self, args: list[str], own: dict[bytes, bytes] = OWN, stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            command(self.python, args),
            input=stdin,
            capture_output=True,
            env=self._environment(own),
            cwd="/",
            timeout=60,
            process_group=0,
        )
        status = done.returncode if done.returncode >= 0 else 128 - done.returncode
        return status, done.stdout, done.stderr

    async def warm(
        self,
        args: list[str],
        own: dict[bytes, bytes] = OWN,
        stdin: bytes = b"",
        meanwhile: Callable[[int], None] = lambda os_pid: None,
        note: Callable[[int], None] | None = None,
        umask: int = 0o022,
    ) -> tuple[int, bytes, bytes] | None:
        """The status and output of a warm start; None where it would have started cold."""
        pipes = [os.pipe() for _ in range(3)]
        mine = [pipes[0][1], pipes[1][0], pipes[2][0]]
        theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
        try:
            try:
                warm = await self.warmth.start(
                    command(self.python, args),
                    own,
                    self._environment(own),
                    theirs,
                    umask,
                    note or self.noted.append,
                )
            finally:
                for fd in theirs:
                    os.close(fd)
            if warm is None:
                return None
            meanwhile(warm.watched.os_pid)
            if stdin:
                os.write(mine[0], stdin)
            os.close(mine.pop(0))
            out, err = await asyncio.gather(*(asyncio.to_thread(_read, fd) for fd in mine[-2:]))
            async with asyncio.timeout(WAIT_S):
                await warm.ended()
                return await warm.status(), out, err
        finally:
            for fd in mine:
                os.close(fd)


def _read(fd: int) -> bytes:
    parts = []
    while part := os.read(fd, 65536):
        parts.append(part)
    return b"".join(parts)


def _plain(out: bytes) -> list[str]:
    """Output without addresses and thread numbers."""
    return re.sub(r"0x[0-9a-f]+|started \d+", "...", out.decode(errors="replace")).splitlines()


@pytest.fixture
async def starts(tmp_path: Path, no_leak: None) -> AsyncIterator[Starts]:
    (tmp_path / "home").mkdir()
    with TreeServer(str(tmp_path)) as server, pytest.MonkeyPatch.context() as patch:
        # A busy machine is no reason to start cold here.
        patch.setattr(Zygote, "answer_s", WAIT_S)
        patch.setattr("oneos.runtime.zygote.ZYGOTE_READY_S", WAIT_S)
        patch.setattr("oneos.runtime.zygote.ZYGOTE_ANSWER_S", WAIT_S)
        made = Starts(server)
        yield made
        await made.warmth.close()


SEEN = """\
import sys
modules = sorted(sys.modules)
before = list(sys.modules)
import gc, os, signal, threading, time, _io, errno
print(modules)
print(sorted(vars(sys.modules["_oneos"])))
print(sys.argv, sys.orig_argv, sys.flags, sys.executable, sys.path, sys.prefix)
print(os.environ, os.environb)
print(sorted(globals()), __name__, __builtins__)
for stream in (sys.stdin, sys.stdout, sys.stderr):
    print(type(stream), stream.name, stream.mode, stream.encoding, stream.errors, stream.newlines,
          stream.line_buffering, stream.write_through, stream.fileno(), stream.closed,
          type(stream.buffer), type(stream.buffer.raw), stream.buffer.raw.name,
          stream.buffer.raw.mode, stream.buffer.raw.closefd)
print(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__)
print([signal.getsignal(number) for number in sorted(signal.valid_signals())])
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), os.umask(0o22), os.getcwd())
print(os.getpid(), os.getppid(), os.getsid(0), os.getpgrp() == os.getpid())
print(os.getuid(), os.uname().nodename)
print(gc.get_freeze_count(), gc.isenabled(), gc.get_threshold(), sys.getrecursionlimit())
print(sorted(sys.path_importer_cache), sys.meta_path, sys.path_hooks)
print(sys.warnoptions, sys._xoptions)
print(time.process_time() < 5, os.times().user < 5, os.times().children_user)
print(threading.current_thread(), threading.active_count(), time.tzname)
descriptors = []
for fd in range(64):
    try:
        os.fstat(fd)
    except OSError:
        continue
    descriptors.append((fd, os.get_inheritable(fd)))
print(descriptors)
pipe = os.pipe()
print(pipe)
print(len(gc.get_objects()) > 1000, sys.stdin.read())
"""


@pytest.mark.parametrize(
    "own",
    [
        OWN,
        {},
        {b"LC_ALL": b"C"},
        {b"LC_CTYPE": b"POSIX", b"TZ": b"Asia/Tokyo"},
        {b"LANG": b"no_such", b"ODD": b"\xff\xfe"},
    ],
)
async def test_a_warm_program_sees_what_a_cold_one_sees(
    starts: Starts, own: dict[bytes, bytes]
) -> None:
    await starts.ready(own)
    args = ["-c", SEEN, "a b", "\udcff", ""]
    status, out, err = starts.cold(args, own, b"input")
    assert (status, err) == (0, b"")
    warm = await starts.warm(args, own, b"input")
    assert warm is not None
    assert _plain(warm[1]) == _plain(out)
    assert (warm[0], warm[2]) == (0, b"")


ENDS = {
    "status": "import sys; print('x'); sys.exit(3)",
    "text": "raise SystemExit('no\\u20ac')",
    "error": "def f(n):\n    return 1 / n\nf(0)",
    "syntax": "def f(:\n  pass",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "interrupted": "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "aborted": "import os; os.abort()",
    "pipe": "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL);"
    "r, w = os.pipe(); os.close(r); os.write(w, b'x')",
    "at exit": "import atexit, sys, threading; atexit.register(print, 'bye');"
    "threading.Thread(target=lambda: print('thread')).start(); sys.stdout.write('unflushed')",
    "child": "import subprocess, sys; print(subprocess.run([sys.executable, '-c',"
    "'import sys; sys.exit(4)']).returncode)",
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_warm_program_ends_as_a_cold_one(starts: Starts, name: str) -> None:
    await starts.ready()
    expected = starts.cold(["-c", ENDS[name]])
    assert await starts.warm(["-c", ENDS[name]]) == expected


async def test_scripts_and_modules_of_the_tree_run_warm(starts: Starts, tmp_path: Path) -> None:
    source = "import sys\nprint(sys.argv, sys.path[0], __file__, __name__)\n1 / 0\n"
    (tmp_path / "home/script.py").write_text(source)
    await starts.ready()
    for args in (["script.py", "a"], ["/home/script.py"], ["-m", "script", "b"], ["none.py"]):
        assert await starts.warm(args) == starts.cold(args)


async def test_nothing_of_a_program_stays_in_the_warm_interpreter(starts: Starts) -> None:
    os_pid = await starts.ready()
    own = {**OWN, b"SECRET": b"k7Jq" * 8}
    assert await starts.warm(["-c", "import os; os.environ['X'] = 'y'", "n2Wb" * 8], own)
    out = await starts.warm(["-c", "import os; print(*sorted(os.environ))"])
    assert out is not None
    assert out[1].split() == [b"GREETING", b"HOME", b"LANG", b"PATH"]
    with open(f"/proc/{os_pid}/maps") as maps, open(f"/proc/{os_pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if "rw" in line:
                memory.seek(start)
                content = memory.read(end - start)
                assert b"k7Jq" * 8 not in content
                assert b"n2Wb" * 8 not in content
    with open(f"/proc/{os_pid}/stat") as stat:
        assert stat.read().split()[2] != "Z"
    assert len(os.listdir(f"/proc/{os_pid}/fd")) == 4


async def test_a_program_runs_only_once_it_is_noted(starts: Starts) -> None:
    await starts.ready()

    def refuse(os_pid: int) -> None:
        starts.noted.append(os_pid)
        raise UserError("stopping")

    with pytest.raises(UserError):
        await starts.warm(["-c", "open('/home/ran', 'w')"], note=refuse)
    # The next one is answered after that one was waited for.
    assert await starts.warm(["-c", "import os; print(os.listdir('/home'))"]) == (0, b"[]\n", b"")
    assert not os.path.exists(f"/proc/{starts.noted[0]}")


async def test_programs_go_on_when_the_warm_interpreter_is_killed(starts: Starts) -> None:
    zygote = await starts.ready()
    text = "import os, sys; sys.stdin.read(); print(os.getppid()); sys.exit(7)"
    got = await starts.warm(["-c", text], meanwhile=lambda _: os.kill(zygote, signal.SIGKILL))
    assert got is not None
    # Linux before 6.15 tells only the parent, which is gone.
    assert got[0] in (7, 128)
    assert got[1:] == (b"1\n", b"")
    # Another one was started meanwhile.
    assert await starts.ready(after=zygote)
    assert await starts.warm(["-c", "print(1)"]) == (0, b"1\n", b"")


async def test_a_hanging_warm_interpreter_is_replaced_and_the_program_starts_cold(
    starts: Starts, monkeypatch: pytest.MonkeyPatch
) -> None:
    zygote = await starts.ready()
    monkeypatch.setattr(starts.warmth.zygote, "_answer_s", 0.2)
    os.kill(zygote, signal.SIGSTOP)
    assert await starts.warm(["-c", "pass"]) is None
    monkeypatch.undo()
    assert await starts.ready(after=zygote)


async def test_a_changed_interpreter_is_noticed(starts: Starts, tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    starts.python = shutil.copy(PYTHON, tmp_path / "venv/bin/python3")
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {os.path.dirname(PYTHON)}\n")
    zygote = await starts.ready()
    assert await starts.warm(["-c", "print(1)"]) == (0, b"1\n", b"")
    os.utime(starts.python)
    assert await starts.warm(["-c", "print(1)"]) is None
    assert await starts.ready(after=zygote)


async def test_a_program_has_the_umask_it_was_given_and_no_other(starts: Starts) -> None:
    await starts.ready()
    program = ["-c", "import os; print(oct(os.umask(0)))"]

    assert await starts.warm(program, umask=0o77) == (0, b"0o77\n", b"")
    assert await starts.warm(program) == (0, b"0o22\n", b"")


async def test_pth_files_run_as_often_as_natively(starts: Starts, tmp_path: Path) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = tmp_path / "venv/lib" / version / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "venv/bin").mkdir()
    (tmp_path / "venv/bin/python3").symlink_to(PYTHON)
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = {os.path.dirname(PYTHON)}\n")
    (packages / "count.pth").write_text("import sys; sys.count = getattr(sys, 'count', 0) + 1\n")
    starts.python = str(tmp_path / "venv/bin/python3")
    await starts.ready()
    program = ["-c", "import sys; print(sys.count)"]
    natively = await asyncio.to_thread(subprocess.check_output, [starts.python, *program])

    assert starts.cold(program) == (0, natively, b"")
    assert await starts.warm(program) == (0, natively, b"")


async def test_restarts_are_bounded(starts: Starts) -> None:
    for _ in range(ZYGOTE_STARTS_MAX):
        os.kill(await starts.ready(), signal.SIGKILL)
        zygote = starts.warmth.zygote
        async with asyncio.timeout(WAIT_S):
            while zygote is starts.warmth.zygote:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    assert await starts.warm(["-c", "pass"]) is None
    assert starts.warmth.zygote is None


async def test_what_is_too_long_starts_cold(starts: Starts) -> None:
    await starts.ready()
    assert await starts.warm(["-c", "pass", "x" * ZYGOTE_REQUEST_BYTES_MAX]) is None


RUNTIME = """\
import asyncio, os, signal, sys
from oneos.runtime.zygote import Zygote
async def main():
    zygote = Zygote(os.fsencode(sys.executable), {}, lambda zygote: None)
    await zygote.until_ready()
    print(zygote.os_pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""


async def test_it_ends_with_a_killed_runtime() -> None:
    # It has this pipe as its standard error, so the pipe ends when it does.
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", RUNTIME], capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    assert int(done.stdout) > 0
