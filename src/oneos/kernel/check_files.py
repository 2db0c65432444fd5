"""One file in a check (`check.py`): who holds all of it, who lacks what, and is that repaired.

What is found is told in one line for each holder that lacks something and one for too few copies;
of a file that no live host has all of, only that, since nothing else helps whoever reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from oneos.errors import OneOSError
from oneos.ids import HostName
from oneos.kernel.audit import Auditor, Lacked
from oneos.kernel.digests import Digests
from oneos.state.names_types import Inode

log = logging.getLogger(__name__)


class FileCheck:
    """See the module.

    Args:
        auditor: what holders are asked and made whole by.
        held: by host, the chunks it has; hosts that could not be asked are not in it.
        repair: makes copies for a file that has too few; None to look only.
        found: is told what was found: the file, and kind, state, text and host of `m.Finding`.
    """

    def __init__(
        self,
        auditor: Auditor,
        held: Mapping[HostName, Digests],
        repair: Callable[[Inode], Awaitable[None]] | None,
        found: Callable[..., None],
    ) -> None:
        self._auditor = auditor
        self._held = held
        self._repair = repair
        self._found = found

    async def check(self, inode: Inode) -> None:
        """Say what is wrong with a file that has content, and repair it if that was asked."""
        names = set(inode.chunks)
        alive = self._auditor.alive()
        whole, lacked = [], {}
        for host in inode.copies:
            if host not in alive or host not in self._held:
                continue
            suspected = [digest for digest in names if digest not in self._held[host]]
            found = await self._restore(inode, host, suspected) if suspected else Lacked()
            if found.before:
                lacked[host] = found
            if not found.still:
                whole.append(host)
        if any(host in alive and host not in self._held for host in inode.copies):
            # That a host could not be asked is told already; what it has is not known.
            return
        if not whole and await self._no_whole_copy(inode, lacked):
            return
        listed = sum(host in alive for host in inode.copies)
        # What a holder lacks is told anyway; a repair may have to find another in its place.
        count, goal = len(whole), min(self._auditor.wanted_of(inode), len(alive))
        made_up = False
        if (listed if self._repair is None else count) < goal:
            made_up = await self._made_up(inode, goal, lacked)
            state = "repaired" if made_up else "left"
            self._found(inode.ino, "few", state, f"{count} of {goal} copies")
        for host, found in lacked.items():
            state = "left" if found.still and not made_up else "repaired"
            text = f"lacks {found.before} of {len(names)} chunks"
            self._found(inode.ino, "lacking", state, text, host)

    async def _restore(self, inode: Inode, host: HostName, suspected: list[bytes]) -> Lacked:
        try:
            return await self._auditor.restore(inode, host, suspected, self._repair is not None)
        except OneOSError as error:
            self._found(inode.ino, "unchecked", "left", str(error), host)
            return Lacked()

    async def _no_whole_copy(self, inode: Inode, lacked: dict[HostName, Lacked]) -> bool:
        """Whether that is all there is to say of a file that no live host has all of."""
        lacking = {digest for found in lacked.values() for digest in found.still}
        try:
            gone = await self._auditor.nowhere(lacking)
        except OneOSError as error:
            self._found(inode.ino, "unchecked", "left", str(error))
            return True
        away = ", ".join(name for name in inode.copies if name not in self._auditor.alive())
        if lacked and not gone:
            # Each chunk is somewhere: it reads right, and can be made whole.
            return False
        if away:
            self._found(inode.ino, "away", "left", f"its content is on {away}, which is away")
        else:
            text = f"{len(gone)} of {len(set(inode.chunks))} chunks are on no host any more"
            self._found(inode.ino, "lost", "left", f"no whole copy: {text}")
        return True

    async def _made_up(self, inode: Inode, goal: int, lacked: dict[HostName, Lacked]) -> bool:
        """Repair a file that has too few copies; whether it has enough now."""
        if self._repair is None:
            return False
        try:
            await self._repair(inode)
            alive = self._auditor.alive()
            able = [x for x in alive if x not in lacked or not lacked[x].still]
            return len(await self._auditor.holders(inode.ino, able)) >= goal
        except OneOSError as error:
            log.warning("file %d keeps too few copies for now: %s", inode.ino, error)
            return False
