"""Requests about programs: of clients, and of programs that start others."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from oneos.errors import UserError
from oneos.files.tree import Tree
from oneos.ids import HostName
from oneos.limits import SAFE_POINT_MAX_S
from oneos.runtime.commands import which
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import Answer
from oneos.runtime.offspring import Offspring
from oneos.runtime.pipeline_spec import SpawnSpec
from oneos.runtime.requests.callers import Client, Who, agent
from oneos.runtime.system import System


class ProgramRequests:
    """See the module.

    Args:
        host: this host.
        tree, launcher, offspring, system: what they act on.
    """

    FOR_ALL = "kill ps"
    FOR_CLIENTS = "session spawn plan explain drain migrate checkpoint wait poll which commands"
    FOR_PROGRAMS = "child fork exec started reaped unborn pipe"

    def __init__(
        self, host: HostName, tree: Tree, launcher: Launcher, offspring: Offspring, system: System
    ) -> None:
        self.host = host
        self._tree = tree
        self._launcher = launcher
        self._offspring = offspring
        self._system = system

    async def op_kill(self, who: Who, pid: int, number: int) -> None:
        await self._system.kill(pid, number, final=isinstance(who.owner, Client))

    async def op_ps(self, who: Who, everything: bool = True) -> list[dict[str, Any]]:
        return await self._system.processes(everything)

    async def op_session(self, who: Who, wish: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(who.owner, Client)
        user = self._system.session_user(int(wish.get("sid") or 0))
        if user is not None:
            # One connection more of a session that another connection opened, and ends.
            who.caller = replace(who.caller, user=user)
            return {"sid": int(wish["sid"]), "user": user, "host": self.host}
        login = await self._system.login(str(wish.get("user") or "root"))
        who.owner.sessions[login.sid] = login.user
        who.caller = replace(who.caller, user=login.user)
        return {**msgspec.structs.asdict(login), "host": self.host}

    async def op_spawn(
        self, who: Who, fds: list[int], gone: Callable[[], Awaitable[None]], spec: Any
    ) -> list[dict[str, Any]]:
        try:
            request = msgspec.convert(spec, SpawnSpec, strict=False)
        except msgspec.ValidationError as error:
            for fd in fds:
                os.close(fd)
            raise UserError(f"spawn: {error}") from error
        caller = who.caller
        return await self._launcher.spawn(request, fds, caller.user, caller.pid, gone)

    async def op_plan(self, who: Who, spec: Any) -> list[dict[str, Any]]:
        try:
            request = msgspec.convert(spec, SpawnSpec, strict=False)
        except msgspec.ValidationError as error:
            raise UserError(f"plan: {error}") from error
        return await self._launcher.plan(request, who.caller.user)

    async def op_explain(self, who: Who, pid: int) -> dict[str, Any]:
        return self._system.explain(pid)

    async def op_drain(self, who: Who, host: str, on: bool) -> None:
        await self._system.drain(host, on)

    async def op_migrate(self, who: Who, pid: int, host: str = "", wait_s: float = 0.0) -> str:
        if not 0 <= wait_s <= SAFE_POINT_MAX_S:
            raise UserError(f"a safe point is looked for at most {SAFE_POINT_MAX_S:g} s")
        return await self._system.migrate(pid, host, wait_s)

    async def op_checkpoint(self, who: Who, pid: int, path: bytes) -> int:
        return await self._system.checkpoint(pid, path, who.caller.user)

    async def op_wait(self, who: Who, pids: list[int], stops: bool = False) -> Sequence[int | None]:
        children = self._launcher.children
        return await (children.wait_or_stop(pids) if stops else children.wait(pids))

    async def op_poll(self, who: Who, pids: list[int]) -> list[int | None]:
        return [self._launcher.children.state(pid) for pid in pids]

    async def op_which(self, who: Who, name: bytes, cwd: bytes) -> bytes:
        return await which(self._tree, name, cwd, who.caller, self._launcher.on_host)

    async def op_commands(self, who: Who, prefix: bytes) -> list[bytes]:
        return self._launcher.host_names(prefix)

    # --- programs that programs start -----------------------------------------------------------
    async def op_child(self, who: Who, spec: Any) -> dict[str, Any]:
        return await self._offspring.child(agent(who), spec)

    async def op_fork(self, who: Who) -> dict[str, Any]:
        return await self._offspring.fork(agent(who))

    async def op_exec(self, who: Who, spec: Any) -> dict[str, Any]:
        return await self._offspring.become(agent(who), spec)

    async def op_started(self, who: Who, pid: int, os_pid: int) -> None:
        self._offspring.started(agent(who), pid, os_pid)

    async def op_reaped(self, who: Who, pid: int, wait_status: int) -> None:
        await self._offspring.reaped(agent(who), pid, wait_status)

    async def op_unborn(self, who: Who, pid: int) -> None:
        self._offspring.unborn(agent(who), pid)

    async def op_pipe(self, who: Who, pid: int, number: int, offset: int, reading: bool) -> Any:
        fd = self._offspring.pipe(agent(who), pid, number, offset, reading)
        answer = {"path": f"/proc/{os.getpid()}/fd/{fd}"}
        return Answer(answer, [os.dup(fd)]) if who.fds else answer
