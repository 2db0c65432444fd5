"""What the Scheduler is told of the programs of a pipeline: demands, neighbours, where input is."""

from __future__ import annotations

import errno
import secrets
import stat
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from oneos.errors import OneOSError, UserError
from oneos.files.names import Names
from oneos.kernel import messages as m
from oneos.limits import NEAR_LEAST_BYTES, TEMPLATE_BYTES_MAX
from oneos.runtime.pipeline_spec import SpawnSpec, StageSpec
from oneos.state import control_types as t


class Resolved(Protocol):
    """A program whose command was found."""

    @property
    def spec(self) -> StageSpec: ...
    @property
    def interpreter(self) -> str: ...
    @property
    def arguments(self) -> list[bytes]: ...
    @property
    def on(self) -> list[str]: ...


async def wishes_of(names: Names, spec: SpawnSpec, stages: Sequence[Resolved]) -> list[m.Wish]:
    """One wish for each program.

    Args:
        names: the File System, which knows where input is.
        spec: the request.
        stages: its programs, those that could not be found left out.

    Raises:
        UserError: E2BIG, the network would have to keep too much to start it again.
    """
    wishes: list[m.Wish] = []
    wrote: list[Any] = []
    key = secrets.token_bytes(16)
    for stage in stages:
        io = stage.spec.io
        begin = io.get(0, ["null"])
        wishes.append(
            m.Wish(
                stage.spec.argv,
                stage.spec.cwd,
                t.Demands(
                    stage.interpreter,
                    stage.on,
                    stage.spec.cores,
                    stage.spec.memory_bytes,
                    await _near(names, begin),
                    moves=spec.policy is not None and spec.policy.checkpoint_s > 0,
                ),
                follows=begin[0] == "pipe" and begin in wrote,
                from_asker=begin[0] in ("fd", "tty"),
                to_asker=any(io.get(n, ["null"])[0] in ("fd", "tty") for n in (1, 2)),
                template=_template(stage, spec.policy, key) if spec.policy is not None else None,
            )
        )
        wrote = [end for n, end in io.items() if n and end[0] == "pipe"]
    return wishes


async def _near(names: Names, end: list[Any]) -> list[t.Near]:
    """Where the content of a program's standard input is, if that is a file large enough."""
    if end[0] != "file":
        return []
    try:
        inode = await names.inode(end[1])
    except OneOSError:
        # It is no file of the index, or none at all: opening it says so.
        return []
    if not stat.S_ISREG(inode.mode) or inode.size < NEAR_LEAST_BYTES:
        return []
    hosts = [inode.home] if inode.home else list(inode.copies)
    return [t.Near(hosts, inode.size)] if hosts else []


def _template(stage: Resolved, policy: t.Policy, key: bytes) -> t.Template:
    streams = [_stream(stage.spec.io.get(number, ["null"])) for number in range(3)]
    made = t.Template(stage.arguments, stage.spec.env, streams, stage.spec.umask, policy, key)
    if len(msgspec.msgpack.encode(made)) > TEMPLATE_BYTES_MAX:
        raise UserError(
            f"arguments and environment are more than {TEMPLATE_BYTES_MAX} bytes",
            errno=errno.E2BIG,
            hint="every host keeps them, to start the program again: give it a file",
        )
    return made


def _stream(end: list[Any]) -> t.Stream:
    if end[0] == "file":
        return t.Stream("file", path=end[1], flags=end[2], mode=end[3])
    if end[0] in ("dup", "pipe"):
        return t.Stream(end[0], end[1])
    return t.Stream(end[0])
