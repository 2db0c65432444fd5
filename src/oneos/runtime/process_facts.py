"""What only a process's own host knows of it: where it works and which environment it was given.

Of a native program its kernel knows where it is now; of one outside of a name space the host knows
where it was started.
"""

from __future__ import annotations

import errno
import os

from oneos.errors import FileError, NetworkError, Unknown
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import ENVIRON_BYTES_MAX
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.runtime.agents import Agents
from oneos.state import control_types as t

_INSIDE = "/proc/self/"
"""So `Agents.directory` begins for what runs in the name space."""


def umask_of(os_pid: int) -> int:
    """The mask for new files' modes that a process has now."""
    try:
        with open(f"/proc/{os_pid}/status", encoding="ascii", errors="replace") as file:
            line = next(line for line in file if line.startswith("Umask:"))
        return int(line.split()[1], 8)
    except (OSError, StopIteration, ValueError):
        return 0o022


class ProcessFacts:
    """See the module."""

    def __init__(self, host: HostName, links: Links, agents: Agents) -> None:
        self._host = host
        self._links = links
        self._agents = agents

    def serve(self, routes: Routes) -> None:
        """Answer `agent.facts`."""
        routes.add("agent.facts", self._on_facts, m.OfProcess)

    async def _on_facts(self, peer: Peer, asked: m.OfProcess) -> m.ProcessFacts:
        return self._here(asked.pid)

    async def ask(self, process: t.Process) -> m.ProcessFacts:
        """What its host says. Raises FileError: ESRCH; EIO where it does not answer."""
        if process.host == self._host:
            return self._here(process.pid)
        try:
            found: m.ProcessFacts = await self._links.call(
                process.host, "agent.facts", m.OfProcess(process.pid), m.ProcessFacts
            )
        except (NetworkError, Unknown) as error:
            raise FileError(errno.EIO, hint=f"{process.host}: {error.message}") from error
        return found

    def _here(self, pid: int) -> m.ProcessFacts:
        directory, start = self._agents.directory(pid), self._agents.start_of(pid)
        inside = directory.startswith(_INSIDE)
        try:
            cwd = os.readlink(os.fsencode(directory) + b"/cwd") if inside else b""
            if start is not None:
                environ = b"".join(b"%s=%s\0" % pair for pair in start.env.items())
            else:
                environ = _read(directory + "/environ")
        except OSError as error:
            raise FileError(error.errno or errno.EIO) from error
        return m.ProcessFacts(cwd or (start.cwd if start is not None else b"/"), environ)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(ENVIRON_BYTES_MAX)
