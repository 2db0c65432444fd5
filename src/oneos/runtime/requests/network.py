"""Requests about the network, and about what a host keeps for programs."""

from __future__ import annotations

from typing import Any

from oneos.kernel import messages as m
from oneos.runtime.environments import Environments
from oneos.runtime.requests.callers import Who
from oneos.runtime.system import System


class NetworkRequests:
    """See the module.

    Args:
        system: what they act on.
        environments: the packages of programs.
    """

    FOR_ALL = FOR_PROGRAMS = ""
    FOR_CLIENTS = """
        status voters manifest token stop forget environments environment_remove collect
        fsck fsck_look fsck_end
    """

    def __init__(self, system: System, environments: Environments) -> None:
        self._system = system
        self._environments = environments

    async def op_status(self, who: Who) -> dict[str, Any]:
        return await self._system.status()

    async def op_voters(self, who: Who, count: int) -> dict[str, Any]:
        return await self._system.grow(count)

    async def op_manifest(self, who: Who) -> str:
        return self._system.manifest()

    async def op_token(self, who: Who) -> dict[str, Any]:
        return await self._system.token()

    async def op_stop(self, who: Who) -> None:
        self._system.stop()

    async def op_forget(self, who: Who, host: str) -> None:
        await self._system.forget(host)

    async def op_collect(self, who: Who) -> list[dict[str, Any]]:
        return await self._system.collect()

    async def op_fsck(self, who: Who, name: str, path: bytes, repair: bool, quick: bool) -> None:
        await self._system.check(m.CheckBegin(name, path, repair, quick))

    async def op_fsck_look(self, who: Who, name: str, after: int) -> dict[str, Any] | None:
        return await self._system.check(m.CheckLook(name, after))

    async def op_fsck_end(self, who: Who, name: str) -> None:
        await self._system.check(m.CheckEnd(name))

    async def op_environments(self, who: Who) -> list[dict[str, Any]]:
        return self._environments.list()

    async def op_environment_remove(self, who: Who, key: str) -> None:
        await self._environments.remove(key)
