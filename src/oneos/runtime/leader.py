"""The leader of a terminal's session, as the Runtime has it: a warm interpreter with a terminal.

All programs of the terminal are started through it, Python ones as forks of it where they may be,
others by exec in a child of it. It puts jobs into the foreground and takes the terminal back, and
says which program was stopped. What it does is decided in `guest/python/leader.py`.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Mapping, Sequence

from oneos.guest import launch_python
from oneos.limits import TERMINAL_ANSWER_S, ZYGOTE_REQUEST_BYTES_MAX
from oneos.local.file_process import TERMINALS
from oneos.runtime.forker import WORD, Forked, number
from oneos.runtime.warmth import Kind, identity_of, start_by
from oneos.runtime.zygote import Zygote

_STOPPED, _PRESSED = b"Z", b"I"
_WORDS = struct.Struct("<ii")


class Leader(Zygote):
    """See the module.

    Args:
        kind: the interpreter, and for which programs it stands.
        environment: with which it is executed.
        lost: called once when it has ended or was ended.
        terminal: the terminal; stays open here.
        stopped: told the host's PID of a program that was stopped, and the signal; 0: it goes on.
        pressed: told the signal of a key that was meant for programs without a process.

    Raises:
        OSError: it could not be started.
    """

    answer_s = TERMINAL_ANSWER_S

    def __init__(
        self,
        kind: Kind,
        environment: Mapping[bytes, bytes],
        lost: Callable[[Zygote], None],
        terminal: int,
        stopped: Callable[[int, int], None],
        pressed: Callable[[int], None],
    ) -> None:
        self.kind = kind
        self._stopped = stopped
        self._pressed = pressed
        super().__init__(kind.interpreter, environment, lost, terminal)

    async def start(
        self,
        argv: Sequence[bytes],
        own: Mapping[bytes, bytes] | None,
        kind: Kind | None,
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        umask: int,
        job: tuple[int, bool],
        note: Callable[[int], None],
    ) -> Forked | None:
        """Start a program of the terminal.

        Args:
            argv, environment: what is executed in a cold start.
            own: of a Python program, the environment that it is to see.
            kind: what a warm interpreter for it has to stand for.
            fds: its standard descriptors.
            umask: its mask for new files' modes.
            job: its number, and whether it is in the foreground.
            note: told its PID on this host before it runs; it runs only if that returns.

        Returns:
            None where its arguments do not fit: it can be no program of this session then.

        Raises:
            OSError: it could not be started.
            OneOSError: from `note`.
        """
        foreign = own is None or kind != self.kind or not launch_python.may_be_warm(argv, own)
        identity = identity_of(argv, environment, umask, foreign)
        if len(identity) > ZYGOTE_REQUEST_BYTES_MAX:
            return None
        return await start_by(self, identity, fds, note, *job)

    async def start_inside(
        self,
        argv: Sequence[bytes],
        place: tuple[int, bytes, bytes, bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        umask: int,
        job: tuple[int, bool],
        note: Callable[[int], None],
    ) -> Forked | None:
        """Start a program of the terminal in the name space, as `start`.

        Args:
            argv, environment: what is executed there.
            place: its number there, which name space that is, its directory there, and the
                signals that it begins with ignored (numbers, with commas between).

        Returns:
            None where its arguments do not fit, or the host's Python cannot enter a name space.
        """
        own, where, cwd, ignored = place
        identity = identity_of(argv, environment, umask, [cwd, os.fsencode(TERMINALS), ignored])
        if len(identity) > ZYGOTE_REQUEST_BYTES_MAX:
            return None
        try:
            return await start_by(self, identity, fds, note, *job, own, where=where)
        except OSError as error:
            if error.errno != errno.ENOSYS:
                raise
            return None

    async def adopt(self, job: tuple[int, bool], os_pid: int) -> int:
        """Have a program in a job that a warm interpreter of the name space forked; its group.

        Raises:
            OSError: it cannot be in it.
        """
        numbers = b"".join(int(x).to_bytes(WORD, "little", signed=True) for x in (*job, os_pid))
        group = number(await self.ask(b"A" + numbers))
        if not group:
            raise ProcessLookupError(errno.ESRCH, "the terminal is gone")
        self._children += 1
        return group

    async def ask(self, request: bytes) -> bytes:
        """Have it do something with the terminal; its answer. Raises OSError: it has ended."""
        return (await self._answer(self._ask(request, request[:1]), self.answer_s))[0]

    def _heard(self, data: bytes) -> bool:
        if data[:1] == _STOPPED:
            self._stopped(*_WORDS.unpack(data[1:]))
        elif data[:1] == _PRESSED:
            self._pressed(number(data[1:]))
        else:
            return False
        return True
