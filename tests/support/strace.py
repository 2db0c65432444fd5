"""What programs name to the host's kernel, as strace sees it: the judge of what slips past.

It attaches to a Runtime and follows what that starts. A program is a process that has executed
something since, a child of the Runtime that was there before (a warm interpreter), and whatever
comes of those; the Runtime's own threads are none.
"""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AVAILABLE = shutil.which("strace") is not None

_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_RESULT = re.compile(r"\) += (-?\d+)")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_FORKS = {"clone", "clone3", "fork", "vfork"}
_ONE_PATH = ("execve", "readlink", "getcwd")
"""What follows the first string of these is no name: arguments and environment, an answer."""


@contextmanager
def traced(os_pids: list[int], output: Path) -> Iterator[None]:
    """Trace processes and all that they start, from the first line of the body to its last.

    Args:
        os_pids: their PIDs on this machine.
        output: where strace writes, for `names`.

    Raises:
        PermissionError: this user may not trace it.
    """
    calls = "trace=%file,%process"
    command = ["strace", "-f", "-s", "4096", "-e", calls, "-o", str(output)]
    command += [word for pid in os_pids for word in ("-p", str(pid))]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    try:
        for _ in os_pids:
            said = tracer.stderr.readline()
            if "attached" not in said:
                raise PermissionError(said.strip() or "strace ended")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate(timeout=30)


def names(output: Path, warm: list[int]) -> list[tuple[str, str]]:
    """What programs named to the kernel, in order: (system call, path).

    Args:
        output: of strace.
        warm: the PIDs of programs that were there before.
    """
    programs = set(warm)
    begun: dict[int, str] = {}
    found: list[tuple[str, str]] = []
    for line in output.read_text(errors="replace").splitlines():
        matched = _LINE.match(line)
        if matched is None:
            continue
        pid, text = int(matched[1]), matched[2]
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        if resumed := _RESUMED.match(text):
            text = begun.pop(pid, "") + resumed[2]
        call = _CALL.match(text)
        if call is None:
            continue
        name, rest = call[1], call[2]
        result = _RESULT.search(rest)
        if name.startswith("execve"):
            programs.add(pid)
        if pid not in programs:
            continue
        if name in _FORKS and result is not None and int(result[1]) > 0:
            programs.add(int(result[1]))
        paths = _STRING.findall(rest)
        if name.startswith(_ONE_PATH):
            del paths[1:]
        found += [(name, path) for path in paths]
    return found
