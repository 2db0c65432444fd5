"""The Session Kernel Agent: who is logged in, and what a login starts with."""

from __future__ import annotations

import errno
import re
from collections.abc import Awaitable, Callable

from oneos.actor.actor import Actor, Address
from oneos.errors import FileError, UserError
from oneos.ids import HostName, Incarnation, SessionId
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.state import control_types as t

MakeHome = Callable[[bytes], Awaitable[None]]
"""Makes a directory; FileError(EEXIST) when it is there."""

# As useradd(8) has it, so that a user's name can be a directory's and a login's.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class Sessions(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        control: where sessions are agreed on.
        make_home: makes a user's home directory in the tree.
    """

    def __init__(self, address: Address, control: ControlLog, make_home: MakeHome) -> None:
        super().__init__(address)
        self._control = control
        self._make_home = make_home

    def receive(self, message: m.SessionMessage, sender: HostName) -> Awaitable[object]:
        if isinstance(message, m.Login):
            return self._login(message, sender)
        return self._control.submit(t.CloseSession(SessionId(message.sid)))

    async def _login(self, message: m.Login, host: HostName) -> m.LoggedIn:
        if not _USER.fullmatch(message.user):
            raise UserError(
                f"{message.user!r} is not a user name",
                hint="letters, digits, . _ -, at most 32, and no digit first",
            )
        home = b"/home/" + message.user.encode()
        try:
            await self._make_home(home)
        except FileError as error:
            if error.errno != errno.EEXIST:
                raise
        sid = await self._control.submit(
            t.OpenSession(message.user, host, Incarnation(message.incarnation), now_ns())
        )
        env = {
            "HOME": home.decode(),
            "HOST": host,
            "LANG": "C.UTF-8",
            "LOGNAME": message.user,
            "PATH": "/bin",
            "SHELL": "/bin/sh",
            "USER": message.user,
        }
        return m.LoggedIn(sid, message.user, home, env)
