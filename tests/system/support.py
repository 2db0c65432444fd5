"""Real clusters for the system tests: started with `oneos cluster`, asked as a person would ask.

A `Cluster` knows its hosts' directories, runs command lines at any of them, and can kill and start
single Runtimes by their process ids. All that is alive stands in `CLUSTERS`, so that a failed test
shows the ends of the logs, and nothing is left running.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import psutil

from oneos.errors import OneOSError
from oneos.local.client import Client, OpenFd, OpenRemote
from tests.support import hung

# What Runtimes build for moves is kept inside of the checkout.
os.environ["XDG_CACHE_HOME"] = str(Path(__file__).parents[2] / ".venv" / "cache")

EXAMPLES = Path(__file__).parents[2] / "examples"
ONEOS = [sys.executable, "-m", "oneos.cli.main"]
USER = "alice"
HOME = f"/home/{USER}"

COMMAND_S = 60.0
"""For one command line; a hang is a failure of its own."""

POLL_S = 0.02
LOG_TAIL_BYTES = 6000

T = TypeVar("T")

CLUSTERS: list[Cluster] = []


def wait_until(
    condition: Callable[[], T], timeout_s: float, what: str, poll_s: float = POLL_S
) -> T:
    """Poll until a condition holds; returns its value, or fails with what was waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last: {value!r}")
        time.sleep(poll_s)


@dataclass(frozen=True)
class Outcome:
    """What a command line gave."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    def ok(self) -> str:
        """The output of a command that must have succeeded without a word of complaint."""
        assert self.status == 0 and not self.err, self
        return self.text


def one_line_error(outcome: Outcome) -> str:
    """The complaint of a command that must have failed as a person wants it: briefly."""
    assert outcome.status != 0, outcome
    assert "Traceback" not in outcome.err + outcome.text, outcome
    lines = outcome.err.splitlines()
    # What, and indented below it what to try.
    assert lines and all(line.startswith("  ") for line in lines[1:]), outcome
    assert len(lines) <= 2, outcome
    return lines[0]


def _runtimes() -> list[psutil.Process]:
    found = (host.runtime() for cluster in CLUSTERS for host in cluster.hosts)
    return [runtime for runtime in found if runtime is not None]


def oneos(
    *arguments: str | Path,
    stdin: bytes = b"",
    timeout_s: float = COMMAND_S,
    env: dict[str, str] | None = None,
) -> Outcome:
    """Run `oneos ARGUMENTS`."""
    process = subprocess.Popen(
        [*ONEOS, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    with process:
        try:
            out, err = process.communicate(stdin, timeout=timeout_s)
        except BaseException as error:
            if isinstance(error, subprocess.TimeoutExpired):
                # While it hangs: it takes what it started with it.
                error.add_note(hung.describe(_runtimes()))
            process.kill()
            raise
    return Outcome(process.returncode, out, err.decode("utf-8", "replace"))


def read_line(stream: IO[bytes] | None, timeout_s: float = 60.0) -> bytes:
    """The next line of a process's output; what there is at its end, or fails after the time."""
    assert stream is not None
    line = b""
    deadline = time.monotonic() + timeout_s
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise AssertionError(f"no line within {timeout_s:g} s; so far {line!r}")
        byte = os.read(stream.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


@dataclass
class Host:
    """One Runtime of a cluster."""

    name: str
    directory: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {"ONEOS_DIR": str(self.directory)}

    @property
    def socket(self) -> str:
        return str(self.directory / "run" / "local.sock")

    # --- command lines ----------------------------------------------------------------------
    def run(self, *arguments: str, stdin: bytes = b"", timeout_s: float = COMMAND_S) -> Outcome:
        """`oneos ARGUMENTS` at this host."""
        return oneos(*arguments, stdin=stdin, timeout_s=timeout_s, env=self.env)

    def sh(self, script: str, *, stdin: bytes = b"", timeout_s: float = COMMAND_S) -> Outcome:
        """`oneos sh -c SCRIPT` at this host."""
        return self.run("sh", "--user", USER, "-c", script, stdin=stdin, timeout_s=timeout_s)

    @contextlib.contextmanager
    def begin(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """`oneos ARGUMENTS` meanwhile; it ends with the block at the latest."""
        process = subprocess.Popen(
            [*ONEOS, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.env},
            # So that `read_line` takes no more than its line.
            bufsize=0,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait()

    # --- the local protocol -----------------------------------------------------------------
    def shell(self, script: str) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """A script that runs meanwhile; its shell ends with the block at the latest."""
        return self.begin("sh", "--user", USER, "-c", script)

    def ask(self, op: str, *arguments: Any) -> Any:
        """One request, as clients send it."""
        with Client(self.socket) as client:
            return client.call(op, *arguments)

    def status(self) -> dict[str, Any]:
        """`oneos status --json`, without the start of an interpreter."""
        found: dict[str, Any] = self.ask("status")
        return found

    def processes(self) -> list[dict[str, Any]]:
        """`oneos ps --all --json` likewise."""
        found: list[dict[str, Any]] = self.ask("ps", True)
        return found

    def running(self, command: str) -> list[dict[str, Any]]:
        """The running programs whose command line begins so."""
        return [
            p
            for p in self.processes()
            if p["state"] == "running" and p["command"].startswith(command)
        ]

    def member(self, name: str) -> dict[str, Any]:
        """What this host knows of another one."""
        return next((x for x in self.status()["members"] if x["name"] == name), {})

    def put(self, path: str, content: bytes) -> None:
        """Write a file of the tree."""
        with Client(self.socket) as client:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            opened = client.open(path.encode(), flags, 0o644)
            assert isinstance(opened, OpenFd) and opened.handle is not None, opened
            with open(opened.fd, "wb") as file:
                file.write(content)
            client.close(opened.handle)

    def get(self, path: str) -> bytes:
        """The content of a file of the tree."""
        with Client(self.socket) as client:
            opened = client.open(path.encode(), os.O_RDONLY)
            if isinstance(opened, OpenRemote):
                # A program on another host has it open.
                content = b""
                while piece := client.call("pread", opened.handle, len(content), 1 << 20):
                    content += piece
            else:
                assert isinstance(opened, OpenFd), opened
                with open(opened.fd, "rb") as file:
                    content = file.read()
            if opened.handle is not None:
                client.close(opened.handle)
            return content

    def names(self, path: str) -> list[str]:
        """The names in a directory of the tree."""
        return [os.fsdecode(entry[0]) for entry in self.ask("list", path.encode())]

    # --- the process ------------------------------------------------------------------------
    def runtime(self) -> psutil.Process | None:
        """The OS process of its Runtime, found by the directory it was given."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            ours = "oneos.cli.main" in words and "node" in words and "--dir" in words
            if ours and words[words.index("--dir") + 1] == str(self.directory):
                return process
        return None

    def kill(self) -> list[psutil.Process]:
        """kill -9 of the Runtime; returns once it and its engine's server are gone.

        Returns: the agents it left behind, if any.
        """
        runtime = self.runtime()
        assert runtime is not None, f"{self.name} does not run"
        children = runtime.children(recursive=True)
        runtime.send_signal(signal.SIGKILL)
        servers = [x for x in children if _name(x) == "nats-server"]
        psutil.wait_procs([runtime, *servers], timeout=60)
        left = [x for x in children if alive(x)]
        assert not [x for x in left if x in servers], "a server outlived its Runtime"
        return left

    def start(self) -> None:
        """`oneos up`, for a host that is in a network already."""
        outcome = self.run("up")
        assert outcome.status == 0, outcome

    def log_tail(self) -> str:
        """The end of its log, for the report of a failed test."""
        text = ""
        for name in ("start.err", "runtime.log"):
            path = self.directory / name
            if path.exists():
                with path.open("rb") as file:
                    file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
                    text += f"--- {self.name} {name}\n" + file.read().decode("utf-8", "replace")
        return text


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def alive(process: psutil.Process) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Cluster:
    """Several Runtimes on this machine, in a fresh directory.

    Args:
        count: hosts that `oneos cluster` starts; with 0 the test makes its own by `add`.
        extra: host names to text that is added to their configuration.
    """

    def __init__(self, count: int, extra: dict[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="oneos-test-"))
        self.port = free_ports()
        self.hosts = [Host(f"host{n + 1}", self.directory / f"host{n + 1}") for n in range(count)]
        self._count = count
        CLUSTERS.append(self)
        words: list[str] = []
        for name, text in (extra or {}).items():
            path = self.directory / f"{name}.extra"
            path.write_text(text, encoding="utf-8")
            words += ["--with", f"{name}={path}"]
        if count:
            try:
                self.up(*words)
                # The first session of a user makes the home directory.
                self[1].sh("true").ok()
            except BaseException:
                self.close()
                raise

    def add(self, name: str) -> Host:
        """A host that the test itself brings up."""
        self.hosts.append(Host(name, self.directory / name))
        return self.hosts[-1]

    def __getitem__(self, number: int) -> Host:
        """Host 1, 2, ..."""
        return self.hosts[number - 1]

    def up(self, *words: str) -> Outcome:
        """`oneos cluster N`: makes it, or starts it again."""
        where = ["--dir", str(self.directory), "--port", str(self.port)]
        outcome = oneos("cluster", str(self._count), *where, *words, timeout_s=120)
        assert outcome.status == 0, f"{outcome.err}\n{self.log_tails()}"
        return outcome

    def stop(self) -> Outcome:
        """`oneos cluster stop`."""
        outcome = oneos("cluster", "stop", "--dir", str(self.directory), timeout_s=120)
        assert outcome.status == 0, outcome
        return outcome

    def kill_all(self) -> None:
        """kill -9 of every Runtime, one right after the other."""
        runtimes = [host.runtime() for host in self.hosts]
        found = [x for x in runtimes if x is not None]
        children = [x for runtime in found for x in runtime.children(recursive=True)]
        for runtime in found:
            runtime.send_signal(signal.SIGKILL)
        servers = [x for x in children if _name(x) == "nats-server"]
        _, left = psutil.wait_procs([*found, *servers], timeout=60)
        assert not left, f"still there after kill -9: {left}"

    def log_tails(self) -> str:
        return "\n".join(host.log_tail() for host in self.hosts)

    def close(self) -> None:
        """End whatever still runs here, and remove the directory."""
        if self in CLUSTERS:
            CLUSTERS.remove(self)
        runtimes = [x for host in self.hosts if (x := host.runtime()) is not None]
        for runtime in runtimes:
            runtime.terminate()
        _, stubborn = psutil.wait_procs(runtimes, timeout=20)
        for runtime in stubborn:
            for child in runtime.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            runtime.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def free_ports(hosts: int = 4) -> int:
    """A base port with ten ports free for each host, below what the kernel gives to clients."""
    for _ in range(100):
        base = random.randrange(10_000, 30_000, 50)
        if all(
            _free(port) for n in range(hosts) for port in range(base + n * 10, base + n * 10 + 5)
        ):
            return base
    raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reachable(host: Host) -> bool:
    """Whether a Runtime answers and has arrived."""
    try:
        status = host.status()
    except OneOSError:
        return False
    return bool(status["ready"])


def local_sh(script: str, directory: Path, stdin: bytes = b"") -> bytes:
    """What plain `sh` gives for the same line."""
    # Unbuffered output, which some test environments ask for, would make it ten times slower.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        ["sh", "-c", script], input=stdin, cwd=directory, check=True, capture_output=True, env=env
    ).stdout
