"""The other hosts of the network, as calls need them: where each is, and whether it may call.

Both are answered by the control log alone. A host that left, died or was struck off has nothing to
say here until it arrives anew: what it still believes to hold is somebody else's. Its arrival may
be known to it before it is known here, so a call from a host that seems gone first waits for the
log, a little.
"""

from __future__ import annotations

import errno

from oneos.errors import Fenced, NetworkError
from oneos.ids import HostName
from oneos.kernel.control_log import ControlLog
from oneos.limits import PEER_NEWS_S


class Peers:
    """See the module."""

    def __init__(self, host: HostName, control: ControlLog) -> None:
        self.host = host
        self._control = control

    def resolve(self, host: HostName) -> tuple[str, int] | None:
        """Where a host's public port is, or None if no member has that name.

        Raises:
            NetworkError: it is a member and not up.
        """
        member = self._control.state.members.get(host)
        if member is None:
            return None
        if member.state != "alive":
            raise NetworkError(
                f"host {host} is not up: {member.state}",
                errno=errno.EHOSTDOWN,
                hint="wait for it to return; see: oneos status",
            )
        return member.facts.address, member.facts.port

    def knows(self, host: HostName) -> bool:
        """Whether a host may call this one, as far as is known here."""
        member = self._control.state.members.get(host)
        return host == self.host or (member is not None and member.state == "alive")

    async def admit(self, host: HostName) -> None:
        """Wait for the news of a host's arrival. Raises Fenced when none comes."""
        try:
            await self._control.wait_for(lambda: self.knows(host), PEER_NEWS_S)
        except NetworkError:
            member = self._control.state.members.get(host)
            state = member.state if member else "no member of this network"
            raise Fenced(
                f"host {host} is {state}, so {self.host} does not answer it",
                hint="it must start anew; see its log",
            ) from None
