"""What a client asks for with `spawn`, and whether it makes sense."""

from __future__ import annotations

import errno
import signal
from typing import Any

from msgspec import Struct

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import STAGES_MAX

JOB_MAX = 2**31 - 1
"""A job's number is four bytes on the way to the leader of a terminal."""

# The arguments of each kind of end, as docs/guest-protocol.md lists them.
_ENDS: dict[str, tuple[type, ...]] = {
    "fd": (int,),
    "pipe": (int,),
    "file": (bytes, int, int),
    "dup": (int,),
    "null": (),
    "tty": (),
}


class StageSpec(Struct, frozen=True):
    """One program of a `spawn` request, as the local protocol has it."""

    argv: list[bytes]
    cwd: bytes
    io: dict[int, list[Any]]
    env: dict[bytes, bytes] = {}
    on: list[str] = []
    umask: int = 0o022
    ignored: list[int] = []


class Job(Struct, frozen=True):
    """The job at the client's terminal that the programs of a `spawn` request belong to.

    `own`: the client is a program itself, at its own terminal: they are to be of its job there.
    """

    number: int
    foreground: bool
    modes: m.TerminalModes
    own: bool = False


class SpawnSpec(Struct, frozen=True):
    """A `spawn` request."""

    sid: int
    stages: list[StageSpec]
    job: Job | None = None


def check(spec: SpawnSpec, fds: int) -> None:
    """Refuse what cannot be started, before anything is.

    Args:
        fds: how many descriptors came with the request.

    Raises:
        UserError: what is wrong.
    """
    if not 0 < len(spec.stages) <= STAGES_MAX:
        raise UserError(f"a pipeline has 1 to {STAGES_MAX} programs", errno=errno.E2BIG)
    if spec.job is not None and not 0 < spec.job.number <= JOB_MAX:
        raise UserError(f"a job's number is 1 to {JOB_MAX}")
    for stage in spec.stages:
        if not stage.argv:
            raise UserError("a program without a name")
        if spec.job is None and ["tty"] in stage.io.values():
            raise UserError("there is no terminal without a job")
        if not 0 <= stage.umask <= 0o777:
            raise UserError(f"{stage.umask:#o} is no umask")
        for number in stage.ignored:
            if number not in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                raise UserError(f"signal {number} cannot be ignored")
        for number, end in stage.io.items():
            _check_end(number, end, fds)


def _check_end(number: int, end: list[Any], fds: int) -> None:
    kinds = _ENDS.get(end[0]) if end and isinstance(end[0], str) else None
    if kinds is None or number not in (0, 1, 2):
        raise UserError(f"descriptor {number} cannot be {end!r}")
    if len(end) != len(kinds) + 1 or not all(map(isinstance, end[1:], kinds)):
        raise UserError(f"descriptor {number}: {end!r} is not as {end[0]!r} is written")
    if end[0] == "fd" and not 0 <= end[1] < fds:
        raise UserError(f"descriptor {end[1]} did not come with the request")
