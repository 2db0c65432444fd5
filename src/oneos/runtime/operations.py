"""Who may ask for what by the local protocol, and who does it: `requests` has what each request
does. docs/guest-protocol.md is the reference.

A program may ask what concerns files and processes, a client also what concerns sessions and the
network. Who asks is settled by `hello`: a program by the token that only it was given, a client by
the user it runs as.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from oneos.errors import OneOSError, UserError
from oneos.files.handles import Caller
from oneos.files.names import BY_KERNEL
from oneos.files.tree import Tree
from oneos.ids import HostName
from oneos.runtime.agent import Agent
from oneos.runtime.agents import Agents
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import Connection
from oneos.runtime.locking import Locking
from oneos.runtime.mounts import Mounts
from oneos.runtime.offspring import Offspring
from oneos.runtime.requests.callers import Client, Who, client_of
from oneos.runtime.requests.files import FileRequests
from oneos.runtime.requests.locks import LockRequests
from oneos.runtime.requests.names import NameRequests
from oneos.runtime.requests.network import NetworkRequests
from oneos.runtime.requests.programs import ProgramRequests
from oneos.runtime.requests.terminals import TerminalRequests
from oneos.runtime.system import System

Operation = Callable[..., Awaitable[Any]]

_CHANGES = "open mkdir rmdir unlink rename symlink link mknod setattr truncate pwrite ftruncate"
_CHANGES += " setxattr removexattr"
_ONCE = frozenset(_CHANGES.split())
"""What a client may ask for by `once`."""


class Requests(Protocol):
    """Some requests: a method `op_NAME` for each, by who may ask for it."""

    FOR_ALL: str
    FOR_CLIENTS: str
    FOR_PROGRAMS: str


class Operations:
    """See the module.

    Args:
        host: this host.
        store: a directory of the disk whose sizes `statvfs` shows as the tree's.
        tree, agents, offspring, launcher, system: what the requests act on.
        listen: takes the listening descriptor of a native program's filter; it stays the caller's.
        mounts: of the tree, on this host.
        touch: has this host's kernel tell who watches a path that its attributes changed.
    """

    FOR_ALL = FOR_PROGRAMS = ""
    FOR_CLIENTS = "once take_over"

    def __init__(
        self,
        host: HostName,
        store: str,
        tree: Tree,
        agents: Agents,
        offspring: Offspring,
        launcher: Launcher,
        system: System,
        listen: Callable[[int], None],
        mounts: Mounts,
        touch: Callable[[bytes, int], Awaitable[None]],
    ) -> None:
        self.host = host
        self._mounts = mounts
        self._listen = listen
        self._agents = agents
        self._offspring = offspring
        self._launcher = launcher
        self._system = system
        self._clients: dict[str, Client] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.locking = Locking(host)
        agents.ending = self.locking.ended
        self._operations: dict[str, Operation] = {}
        self._for_clients = {"next_drop"}
        self._for_programs: set[str] = set()
        for part in (
            self,
            NameRequests(tree, store),
            FileRequests(tree, self.locking, touch),
            LockRequests(self.locking, agents, system.note),
            ProgramRequests(host, tree, launcher, offspring, system),
            TerminalRequests(launcher),
            NetworkRequests(system, agents.environments),
        ):
            self._add(part)

    def _add(self, part: Requests) -> None:
        names = f"{part.FOR_ALL} {part.FOR_CLIENTS} {part.FOR_PROGRAMS}".split()
        self._operations.update((name, getattr(part, "op_" + name)) for name in names)
        self._for_clients.update(part.FOR_CLIENTS.split())
        self._for_programs.update(part.FOR_PROGRAMS.split())

    async def handle(self, connection: Connection, name: str, arguments: list[Any]) -> Any:
        """Do one request and return its result, or raise."""
        if name == "hello":
            return self._hello(connection, *arguments)
        who = connection.caller
        if not isinstance(who, Who):
            raise UserError("say hello first", errno=errno.EACCES)
        operation = self._operations.get(name)
        if operation is None and name != "next_drop":
            raise UserError(f"there is no request {name!r}", errno=errno.ENOSYS)
        if name in self._for_clients and not isinstance(who.owner, Client):
            raise UserError(f"a program may not ask for {name!r}", errno=errno.EPERM)
        if name in self._for_programs and not isinstance(who.owner, Agent):
            raise UserError(f"only a program may ask for {name!r}", errno=errno.EPERM)
        if isinstance(who.owner, Client) and who.owner.shared:
            BY_KERNEL.set(True)
        if operation is None:
            return await self._mounts.next(connection, *arguments)
        if name == "spawn":
            return await operation(who, connection.take_fds(), connection.gone, *arguments)
        return await operation(who, *arguments)

    def _hello(self, connection: Connection, claims: dict[str, Any]) -> dict[str, Any]:
        if connection.caller is not None:
            # What the first greeting's owner has open would be nobody's.
            raise UserError("hello was said already", errno=errno.EISCONN)
        fds = bool(claims.get("fds"))
        if claims.get("client"):
            if connection.uid not in (0, os.getuid()):
                raise UserError(
                    "this Runtime belongs to another user",
                    errno=errno.EACCES,
                    hint=f"use it as user {os.getuid()}, or start one of your own",
                )
            if claims.get("listener"):
                for fd in connection.fds:
                    self._listen(fd)
            pid = 0
            if claims.get("token"):
                # A shell that is a program: what it starts has it as its parent.
                agent = self._agents.find(int(claims.get("pid", 0)), str(claims["token"]))
                self._offspring.greeted(agent, connection.os_pid)
                pid = agent.start.pid
            caller = Caller("root", os.getuid(), os.getgid(), pid)
            owner = self._client(caller, str(claims.get("shared", "")))
            connection.caller = Who(owner, caller, fds, owner.generation)
            return {"host": self.host, "network": self._system.network}
        agent = self._agents.find(int(claims.get("pid", 0)), str(claims.get("token", "")))
        self._offspring.greeted(agent, connection.os_pid)
        connection.caller = Who(agent, agent.caller, fds)
        return {
            "host": self.host,
            "user": agent.caller.user,
            "uid": agent.caller.uid,
            "gid": agent.caller.gid,
        }

    def _client(self, caller: Caller, shared: str) -> Client:
        """Whose connection this is: a client's of its own, or one more of several."""
        if not shared:
            return Client(caller)
        client = self._clients.get(shared)
        if client is None:
            client = self._clients[shared] = Client(caller, shared)
        else:
            client.connections += 1
        return client

    async def ended(self, connection: Connection) -> None:
        """A connection is over: what a client had open ends with it."""
        who = connection.caller
        if not isinstance(who.owner, Client):
            return
        self._mounts.connection_ended(connection)
        who.owner.connections -= 1
        if who.owner.connections:
            return
        self._clients.pop(who.owner.shared, None)
        await self.locking.client_ended(who.owner.name)
        for number in list(who.owner.handles):
            await self._close_orphan(who.owner, number)
        for sid in who.owner.sessions:
            self._launcher.terminals.end(sid)
            await self._system.logout(sid)

    async def _close_orphan(self, client: Client, number: int) -> None:
        client.let_go(number)
        try:
            await client.handles.pop(number).close()
        except (OneOSError, OSError) as error:
            self._system.note(f"a client's file was not committed: {error}")

    # --- one process of a client after another --------------------------------------------------
    async def op_once(self, who: Who, number: int, name: str, *arguments: Any) -> Any:
        if name not in _ONCE:
            raise UserError(f"{name!r} is not done once", errno=errno.EINVAL)
        client = client_of(who)
        operation = self._operations[name]

        async def again(outcome: Any) -> Any:
            if name != "open":
                return outcome
            # It is there now, and the handle was that of the process that has ended.
            path, flags, *more = arguments
            return await operation(who, path, flags & ~(os.O_EXCL | os.O_TRUNC), *more)

        return await client.once.do(number, lambda: operation(who, *arguments), again)

    async def op_take_over(self, who: Who, handles: list[int]) -> None:
        """Another process of a client goes on with these; the others nobody knows any more."""
        client = client_of(who)
        client.generation += 1
        who.generation = client.generation
        for number in client.handles.keys() - set(handles):
            task = asyncio.ensure_future(self._close_orphan(client, number))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        await self.locking.call_back_all(client.name)
