"""One opened file that several programs hold: what a program's children inherit.

The kernel's descriptor is shared by inheritance; this shares the Runtime's half of it, so that a
file counts as open, and is committed, until the last program that holds it has ended. A program
that closes it while others hold it gets what `close` promises for what is written so far.
"""

from __future__ import annotations

from typing import Any

from oneos.files.handles import Attributes


class Shared:
    """A handle with several holders.

    Args:
        file: the opened file; closed with the last holder.
    """

    def __init__(self, file: Any) -> None:
        self.file = file
        self.holders = 1
        self.kind: str = file.kind
        self.path: str = file.path

    @property
    def fd(self) -> int:
        return int(self.file.fd)

    @fd.setter
    def fd(self, value: int) -> None:
        self.file.fd = value

    async def close(self) -> None:
        """One holder less, who wants to know that all is kept. Raises what kept it from that."""
        self.holders -= 1
        if self.holders:
            await self.file.flush()
        else:
            await self.file.close()

    async def drop(self) -> None:
        """One holder less, who did not open it and waits for nothing: the others answer for it."""
        self.holders -= 1
        if not self.holders:
            await self.file.close()

    async def sync(self) -> None:
        await self.file.sync()

    async def flush(self) -> None:
        await self.file.flush()

    async def stat(self) -> Attributes:
        found: Attributes = await self.file.stat()
        return found


def share(handle: Any) -> Shared:
    """One holder more of a handle, which is made a shared one if it is not; put it in its place."""
    shared = handle if isinstance(handle, Shared) else Shared(handle)
    shared.holders += 1
    return shared
