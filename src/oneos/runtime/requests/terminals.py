"""Requests of a person's client about its terminals, which hosts lead."""

from __future__ import annotations

from oneos.errors import UserError
from oneos.runtime.launcher import Launcher
from oneos.runtime.local_server import Answer
from oneos.runtime.requests.callers import Who


def word(number: int) -> bytes:
    return number.to_bytes(4, "little", signed=True)


class TerminalRequests:
    """See the module.

    Args:
        launcher: whose terminals they are.
    """

    FOR_ALL = FOR_PROGRAMS = ""
    FOR_CLIENTS = "terminal go_on take_back mark raw resize"

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    async def op_terminal(self, who: Who, number: int) -> Answer:
        return Answer(None, self._launcher.terminals.take(number))

    async def op_go_on(
        self, who: Who, number: int, job: int, pids: list[int], foreground: bool
    ) -> None:
        for pid in pids:
            # What is heard of it from now on is new.
            self._launcher.children.stopped(pid, 0)
        await self._launcher.terminals.ask(number, b"G" + word(job) + word(foreground))

    async def op_take_back(
        self, who: Who, number: int, job: int, modes: int, marker: bytes
    ) -> bytes:
        request = b"H" + word(job) + word(modes) + marker
        return await self._launcher.terminals.ask(number, request)

    async def op_mark(self, who: Who, number: int, marker: bytes) -> None:
        await self._launcher.terminals.ask(number, b"M" + marker)

    async def op_raw(self, who: Who, number: int) -> bool:
        return await self._launcher.terminals.ask(number, b"Q") == b"1"

    async def op_resize(self, who: Who, number: int, size: bytes) -> None:
        if len(size) != 8:
            raise UserError("a terminal's size is a struct winsize of 8 bytes")
        await self._launcher.terminals.ask(number, b"W" + size)
