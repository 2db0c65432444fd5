"""The system under test: three Runtimes of its own on free ports, and programs started on them.

A program is started as `oneos run` and the shell do it: one `spawn` over a connection that is open
already, with real descriptors, and one `wait`. What a command adds by its own start is measured by
its own row.
"""

from __future__ import annotations

import os
import shutil
import socket
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from bench.rounds import Say
from oneos.errors import OneOSError
from oneos.local.client import Client
from oneos.runtime import cluster

HOSTS = 3
STOP_S = 10.0


class Cluster:
    """Three hosts, from `with` to its end; they and their data are gone afterwards.

    Args:
        say: told of the progress.
        extra: text that is added to each host's configuration.
    """

    def __init__(self, say: Say, extra: str = "") -> None:
        self._say = say
        self._extra = extra
        # Sockets have short paths, so it is not below a directory that may be deep.
        self.directory = Path(tempfile.mkdtemp(prefix="oneos-bench-"))
        self.hosts: list[cluster.Host] = []
        self._session: Session | None = None

    def __enter__(self) -> Cluster:
        try:
            more = self.directory / "more.toml"
            more.write_text(self._extra, encoding="utf-8")
            names = [f"host{number}" for number in range(1, HOSTS + 1)]
            self.hosts = cluster.plan(
                self.directory, HOSTS, free_ports(), dict.fromkeys(names, more)
            )
            cluster.start(self.hosts, self._say)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        if self._session is not None:
            self._session.client.drop()
        runtimes = [psutil.Process(pid) for host in self.hosts if (pid := runtime_pid(host.socket))]
        # The engine's servers too: they write to the last, also into what is being removed.
        ours = runtimes + [child for runtime in runtimes for child in runtime.children()]
        try:
            cluster.stop(self.hosts, self._say)
        except OneOSError as error:
            self._say(f"{error}; it is killed")
        for process in psutil.wait_procs(ours, timeout=STOP_S)[1]:
            process.kill()
        psutil.wait_procs(ours, timeout=STOP_S)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def session(self) -> Session:
        """A user's session at the first host, opened once."""
        if self._session is None:
            self._session = Session(self.hosts[0].socket)
        return self._session

    def chunks(self) -> dict[str, int]:
        """How many chunks each host has on its disk."""
        stores = {host.name: host.directory / "chunks" for host in self.hosts}
        return {name: len(list(store.glob("??/*"))) for name, store in stores.items()}

    def holder(self, service: str) -> str:
        """The host that a service is placed on now."""
        with Client(self.hosts[0].socket) as client:
            services = client.call("status")["services"]
        return str(next(x["host"] for x in services if x["name"] == service))


class Session:
    """A user's connection to one host.

    Args:
        socket_path: of that host's Runtime.
    """

    def __init__(self, socket_path: str) -> None:
        self.client = Client(socket_path)
        login = self.client.call("session", {"user": "bench"})
        self.sid = login["sid"]
        self.home: bytes = login["home"]
        self._env = {k.encode(): v.encode() for k, v in login["env"].items()}

    def spawn(self, stages: Sequence[tuple[str, Sequence[str]]], fds: Sequence[int]) -> list[int]:
        """Start a pipeline; `fds` are its input, its output and where all errors go.

        Args:
            stages: for each program the host, and its words.

        Raises:
            OneOSError: a program did not start.
        """
        last = len(stages) - 1
        spec = {
            "sid": self.sid,
            "stages": [
                {
                    "argv": [os.fsencode(word) for word in words],
                    "env": self._env,
                    "cwd": self.home,
                    "on": [f"host:{host}"],
                    "io": {
                        0: ["fd", 0] if at == 0 else ["pipe", at - 1],
                        1: ["fd", 1] if at == last else ["pipe", at],
                        2: ["fd", 2],
                    },
                }
                for at, (host, words) in enumerate(stages)
            ],
        }
        started: list[dict[str, Any]] = self.client.call("spawn", spec, fds=fds)
        for answer in started:
            if "errno" in answer:
                raise OneOSError(answer["message"])
        return [answer["pid"] for answer in started]

    def wait(self, pids: Sequence[int]) -> None:
        """Wait until they have ended and their output is out. Raises OneOSError if one failed."""
        statuses = self.client.call("wait", list(pids))
        if any(statuses):
            raise OneOSError(f"programs ended with {statuses}")

    def run(self, stages: Sequence[tuple[str, Sequence[str]]]) -> bytes:
        """Run a pipeline and return what it wrote to its standard output."""
        read, write = os.pipe()
        try:
            with open(os.devnull, "rb") as null:
                pids = self.spawn(stages, (null.fileno(), write, 2))
        finally:
            os.close(write)
        with open(read, "rb") as output:
            data = output.read()
        self.wait(pids)
        return data


def runtime_pid(socket_path: str) -> int | None:
    """The process that answers at a local socket, as the kernel says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(socket_path)
        except OSError:
            return None
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[0])


def free_ports() -> int:
    """A port that is free together with all those that the cluster will use behind it."""
    span = HOSTS * cluster.PORTS_EACH
    for first in range(21000, 32000, span):
        try:
            for port in range(first, first + span):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise OneOSError("no free ports on loopback between 21000 and 32000")
