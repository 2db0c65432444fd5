"""Programs that programs start, as far as the tests of the contexts need them: a process table.

`Processes` is the part of a `TreeServer` that answers `child`, `fork`, `exec`, `started`, `reaped`
and `unborn`. Python and Node programs of the tree get their contexts; `sh` is this machine's own,
which serves to see that a line reaches it whole and its status comes back.
"""

import errno
import os
import re
import shutil
import sys
import threading
from dataclasses import dataclass
from typing import Any

from oneos.guest import launch_node, launch_python

_NAMES = {"python": re.compile(r"python(3(\.\d+)?)?"), "node": re.compile(r"node(js)?")}
_BIN = ("/bin", "/usr/bin", "/usr/local/bin")


@dataclass
class Process:
    """One program that another one started.

    Attributes:
        os_pid: as its parent named it; 0 until then.
        status: as its parent told it (of wait(2)); None until then.
        handles: the files that it inherits.
        born: false once its parent has said that it could not be started.
    """

    pid: int
    ppid: int
    token: str
    argv: list[bytes]
    cwd: bytes
    handles: list[int]
    os_pid: int = 0
    status: int | None = None
    born: bool = True


class Processes:
    """The process table; a part of `TreeServer`."""

    python = sys.executable
    node = shutil.which("node") or "node"

    def __init__(self) -> None:
        self.processes: dict[int, Process] = {}
        self._table_lock = threading.Lock()

    # What the whole server has.
    def _host(self, path: bytes) -> bytes:
        raise NotImplementedError

    def environment(self, cwd: str = "/", stage: str = "") -> dict[str, str]:
        raise NotImplementedError

    def keep(self, handles: list[int]) -> None:
        raise NotImplementedError

    def token_of(self, pid: int) -> str | None:
        """The token of a process that was started here."""
        process = self.processes.get(pid)
        return process.token if process is not None else None

    def do_child(self, connection: Any, spec: dict[str, Any]) -> dict[str, Any]:
        argv = self._command(spec)
        process = self._enter(connection.pid, spec["argv"], spec["cwd"], spec["handles"])
        env = self._environment(process, spec, argv)
        return {"pid": process.pid, "token": process.token, "argv": argv, "env": env}

    def do_fork(self, connection: Any) -> dict[str, Any]:
        process = self._enter(connection.pid, [b"(fork)"], b"/", [])
        return {"pid": process.pid, "token": process.token}

    def do_exec(self, connection: Any, spec: dict[str, Any]) -> dict[str, Any]:
        argv = self._command(spec)
        own = self.processes.get(connection.pid)
        if own is None:
            own = Process(connection.pid, 0, self.environment()["ONEOS_TOKEN"], [], b"/", [])
        own.argv, own.cwd = spec["argv"], spec["cwd"]
        return {"argv": argv, "env": self._environment(own, spec, argv)}

    def do_started(self, connection: Any, pid: int, os_pid: int) -> None:
        self._own(connection, pid).os_pid = os_pid

    def do_reaped(self, connection: Any, pid: int, status: int) -> None:
        self._own(connection, pid).status = status

    def do_unborn(self, connection: Any, pid: int) -> None:
        self._own(connection, pid).born = False

    def _own(self, connection: Any, pid: int) -> Process:
        process = self.processes.get(pid)
        if process is None or process.ppid != connection.pid:
            raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
        return process

    def _enter(self, ppid: int, argv: list[bytes], cwd: bytes, handles: list[int]) -> Process:
        self.keep(handles)
        with self._table_lock:
            pid = 50_000_000 + len(self.processes)  # Above what any kernel gives out.
            process = Process(pid, ppid, f"token-{pid}", argv, cwd, handles)
            self.processes[pid] = process
        return process

    def _environment(self, process: Process, spec: dict[str, Any], argv: list[Any]) -> list[bytes]:
        env: dict[bytes, bytes] = dict(entry.split(b"=", 1) for entry in spec["env"])
        if os.fsencode(argv[0]) == os.fsencode(self.node):
            env = launch_node.environment(env)
        own = self.environment(os.fsdecode(spec["cwd"])) | {
            "ONEOS_PID": str(process.pid),
            "ONEOS_PPID": str(process.ppid),
            "ONEOS_TOKEN": process.token,
            "ONEOS_UID": str(os.getuid()),
            "ONEOS_GID": str(os.getgid()),
        }
        if process.ppid:
            del own["ONEOS_LAUNCHED"]
        env |= {os.fsencode(name): os.fsencode(value) for name, value in own.items()}
        return [name + b"=" + value for name, value in env.items()]

    def _command(self, spec: dict[str, Any]) -> list[Any]:
        refused: OSError | None = None
        missing: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        for file in spec["files"]:
            try:
                return self._command_of(os.fsdecode(file), spec["argv"][1:])
            except (FileNotFoundError, NotADirectoryError) as error:
                missing = error
            except OSError as error:
                refused = refused or error
        raise refused or missing

    def _command_of(self, path: str, arguments: list[bytes]) -> list[Any]:
        place, _, name = path.rpartition("/")
        if path in (self.python, os.path.realpath(self.python)):
            return launch_python.command(self.python, arguments)
        if path in (self.node, os.path.realpath(self.node)):
            return launch_node.command(self.node, arguments)
        if place in _BIN:
            if _NAMES["python"].fullmatch(name):
                return launch_python.command(self.python, arguments)
            if _NAMES["node"].fullmatch(name):
                return launch_node.command(self.node, arguments)
            if name == "sh":
                return ["/bin/sh", *arguments]
            path = f"/bin/{name}"
        real = self._host(os.fsencode(path))
        if os.path.isdir(real):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        with open(real, "rb") as file:
            head = file.read(256)
        if not os.access(real, os.X_OK) or not os.stat(real).st_mode & 0o111:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if b"\0" in head:
            raise OSError(errno.ENOEXEC, "native programs need a later version")
        first = head.split(b"\n", 1)[0]
        if b"python" in first:
            return launch_python.command(self.python, [path, *arguments])
        if b"node" in first:
            return launch_node.command(self.node, [path, *arguments])
        return ["/bin/sh", os.fsdecode(real), *arguments]
