"""What is executed for an agent: which command line, with which environment."""

from __future__ import annotations

import dataclasses
import os

from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.runtime.agent import Agent
from oneos.runtime.environments import Environment, searched
from oneos.runtime.interpreters import Interpreters
from oneos.runtime.namespace import NameSpace


class Execution:
    """See the module.

    Args:
        host: this host.
        interpreters: how programs of each language are started.
        namespace: where native programs are started.
        directory: for each agent's private staging directory.
        socket_path: where programs reach this Runtime.
    """

    def __init__(
        self,
        host: HostName,
        interpreters: Interpreters,
        namespace: NameSpace,
        directory: str,
        socket_path: str,
    ) -> None:
        self._host = host
        self._interpreters = interpreters
        self._namespace = namespace
        self._directory = directory
        self._socket_path = socket_path

    def context_of(self, interpreter: str) -> str:
        """How programs of a kind see the tree here."""
        return self._interpreters.context_of(interpreter)

    def inside(self, start: m.Start) -> list[bytes] | None:
        """What is executed in the name space; None: the program runs outside, instrumented."""
        return self._interpreters.inside(start.interpreter, start.arguments)

    async def prepare(self, start: m.Start) -> None:
        """Make what a program of this kind needs to run here. Raises OneOSError."""
        if self.inside(start) is not None:
            await self._namespace.ready()

    def command(self, agent: Agent) -> tuple[list[str | bytes], dict[bytes, bytes]]:
        """What to execute for an agent, and with which environment; `prepare` comes before.

        Raises:
            OneOSError: it cannot be executed here.
        """
        start = agent.start
        packages = packages_of(agent)
        inside = self.inside(start)
        if inside is not None:
            argv = self._namespace.command(start.pid, start.cwd, start.ignored, inside)
            return argv, self.environment_inside(agent)
        argv = self._interpreters.command(start.interpreter, start.arguments)
        environment = self._interpreters.environment(start.interpreter, start.env)
        environment |= {
            b"ONEOS_SOCK": os.fsencode(self._socket_path),
            b"ONEOS_PID": b"%d" % start.pid,
            b"ONEOS_PPID": b"%d" % start.ppid,
            b"ONEOS_TOKEN": agent.token.encode(),
            b"ONEOS_CWD": start.cwd,
            b"ONEOS_HOSTNAME": self._host.encode(),
            b"ONEOS_STAGE": os.fsencode(agent.stage),
            b"ONEOS_UID": b"%d" % agent.caller.uid,
            b"ONEOS_GID": b"%d" % agent.caller.gid,
        }
        if start.ignored:
            environment[b"ONEOS_IGNORED"] = b",".join(b"%d" % number for number in start.ignored)
        if start.interpreter == "node":
            # Cleared when a Runtime starts, like all that stands there.
            environment[b"ONEOS_CODE"] = os.fsencode(self._directory)
        if agent.parent is None:
            environment[b"ONEOS_LAUNCHED"] = b"1"
        if packages is not None:
            environment[b"ONEOS_ENVIRONMENT"] = os.fsencode(packages.path)
        return argv, environment

    def environment_inside(self, agent: Agent) -> dict[bytes, bytes]:
        """What a program of the name space sees."""
        packages, env = packages_of(agent), agent.start.env
        environment = self._namespace.environment(env)
        return environment | (self._searched(packages, env) if packages is not None else {})

    def _searched(self, packages: Environment, env: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Where a program of the name space finds its packages."""
        shown = dataclasses.replace(packages, path=self._namespace.inside(packages.path))
        return searched(shown, env)


def packages_of(agent: Agent) -> Environment | None:
    """What was installed for it, if it is a program of that kind."""
    packages = agent.environment
    return packages if packages and packages.kind == agent.start.interpreter else None
