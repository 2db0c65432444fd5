"""What a client asks for with `spawn`, and whether it makes sense."""

from __future__ import annotations

import errno
import signal
from typing import Any

from msgspec import Struct

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import CHECKPOINT_LEAST_S, STAGES_MAX
from oneos.state import control_types as t

JOB_MAX = 2**31 - 1
"""A job's number is four bytes on the way to the leader of a terminal."""

# The arguments of each kind of end, as docs/guest-protocol.md lists them.
_ENDS: dict[str, tuple[type, ...]] = {
    "fd": (int,),
    "pipe": (int,),
    "file": (bytes, int, int),
    "log": (),
    "dup": (int,),
    "null": (),
    "tty": (),
}


class StageSpec(Struct, frozen=True):
    """One program of a `spawn` request, as the local protocol has it.

    `restore`: the file whose state it goes on from, which says all but where it runs and its ends.
    """

    argv: list[bytes]
    cwd: bytes
    io: dict[int, list[Any]]
    env: dict[bytes, bytes] = {}
    on: list[str] = []
    umask: int = 0o022
    ignored: list[int] = []
    cores: float = 0.0
    memory_bytes: int = 0
    restore: bytes = b""


class Job(Struct, frozen=True):
    """The job at the client's terminal that the programs of a `spawn` request belong to.

    `own`: the client is a program itself, at its own terminal: they are to be of its job there.
    """

    number: int
    foreground: bool
    modes: m.TerminalModes
    own: bool = False


class SpawnSpec(Struct, frozen=True):
    """A `spawn` request.

    `wait`: what can only be placed later waits. `policy`: the network starts the program, and
    again where the policy says so; nobody's descriptors or terminal are in it then.
    """

    sid: int
    stages: list[StageSpec]
    job: Job | None = None
    wait: bool = False
    policy: t.Policy | None = None


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
    if spec.policy is not None:
        _check_policy(spec, spec.policy)
    for stage in spec.stages:
        if stage.restore and spec.policy is not None:
            raise UserError("what goes on from a file is not started again by the network")
        if not stage.argv and not stage.restore:
            raise UserError("a program without a name")
        if spec.job is None and ["tty"] in stage.io.values():
            raise UserError("there is no terminal without a job")
        if spec.policy is None and ["log"] in stage.io.values():
            raise UserError("only programs that nobody waits for write into their log")
        if not (0 <= stage.cores < float("inf") and stage.memory_bytes >= 0):
            raise UserError("cores and memory_bytes are amounts")
        if not 0 <= stage.umask <= 0o777:
            raise UserError(f"{stage.umask:#o} is no umask")
        for number in stage.ignored:
            if number not in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
                raise UserError(f"signal {number} cannot be ignored")
        for number, end in stage.io.items():
            _check_end(number, end, fds)


def _check_policy(spec: SpawnSpec, policy: t.Policy) -> None:
    if policy.restart not in ("never", "on-failure", "always"):
        raise UserError(
            f"{policy.restart!r} is no restart policy", hint="never, on-failure or always"
        )
    if policy.restarts_max < 0 or not 0 < policy.window_s < float("inf"):
        raise UserError("a window and the restarts within it are positive numbers")
    if policy.checkpoint_s and not CHECKPOINT_LEAST_S <= policy.checkpoint_s < float("inf"):
        raise UserError(f"between checkpoints are at least {CHECKPOINT_LEAST_S:g} s")
    if spec.job is not None:
        raise UserError("what the network starts by itself has no terminal")
    for stage in spec.stages:
        for end in stage.io.values():
            if end and end[0] not in ("null", "file", "dup", "log", "pipe"):
                raise UserError(f"a program that the network starts by itself has no {end[0]!r}")


def _check_end(number: int, end: list[Any], fds: int) -> None:
    kinds = _ENDS.get(end[0]) if end and isinstance(end[0], str) else None
    if kinds is None or number not in (0, 1, 2):
        raise UserError(f"descriptor {number} cannot be {end!r}")
    if len(end) != len(kinds) + 1 or not all(map(isinstance, end[1:], kinds)):
        raise UserError(f"descriptor {number}: {end!r} is not as {end[0]!r} is written")
    if end[0] == "fd" and not 0 <= end[1] < fds:
        raise UserError(f"descriptor {end[1]} did not come with the request")
