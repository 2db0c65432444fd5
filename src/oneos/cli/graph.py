"""Graph files: programs that the network runs, and how they are joined.

A graph file is TOML, with a table for each program:

    checkpoint = "10s"

    [program.read]
    run = "python3 /srv/read.py"
    from = "/dev/sensor/1"
    to = "average"
    on = "device:sensor/1"

    [program.average]
    run = ["python3", "/srv/average.py"]
    to = "/srv/averages.txt"

Programs that are joined are started again and fall back together, so they have one policy.
"""

from __future__ import annotations

import os
import shlex
from typing import Any

import msgspec
from msgspec import Struct, field

from oneos.cli.amounts import seconds, size
from oneos.errors import UserError
from oneos.limits import STAGES_MAX

_READ = os.O_RDONLY
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Policy(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What becomes of programs that end, or whose host dies; see `oneos run --help`."""

    restart: str | None = None
    restarts_max: int | None = None
    window: str | None = None
    checkpoint: str | None = None


class Program(Struct, frozen=True, forbid_unknown_fields=True):
    """A program of a graph.

    Args:
        run: command and arguments; a text is split as sh does.
        input: `from` in the file: a path of the tree. Without it nothing, or what another program
            sends.
        output: `to` in the file: another program's name, or a path of the tree, which begins with
            `/` or `./` (from home); `>>` before it appends. Without it the program's log.
        errors: likewise, for standard error; without it the program's log.
    """

    run: str | list[str]
    input: str | None = field(default=None, name="from")
    output: str | None = field(default=None, name="to")
    errors: str | None = None
    on: str | list[str] = []
    cores: float = 0.0
    memory: str = "0"
    cwd: str | None = None
    env: dict[str, str] = {}
    restart: str | None = None
    restarts_max: int | None = None
    window: str | None = None
    checkpoint: str | None = None


class _File(Policy, frozen=True, forbid_unknown_fields=True):
    program: dict[str, Program] = {}


class Graph:
    """What a graph file says.

    Args:
        text: the file.
        name: of the file, for errors.

    Raises:
        UserError: something in it is wrong; it says what and where.
    """

    def __init__(self, text: bytes, name: str) -> None:
        try:
            self._file = msgspec.toml.decode(text, type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{name}: {error}") from None
        self._name = name
        if not self._file.program:
            raise UserError(
                f"{name}: there are no programs in it", hint="write a table [program.NAME] for each"
            )
        self.groups = self._chains()
        """The names of programs that are joined, from the first to the last of each chain."""

    def _chains(self) -> list[list[str]]:
        programs = self._file.program
        follows = dict[str, str]()
        for name, program in programs.items():
            to = program.output
            if to is None or to.startswith(("/", "./", ">>")):
                continue
            if to not in programs:
                raise self._wrong(
                    name, f'to = "{to}" is no program here, and a path begins with / or ./'
                )
            if programs[to].input is not None:
                raise self._wrong(to, f'it reads {programs[to].input}, and what "{name}" sends')
            if to in follows.values():
                raise self._wrong(to, "two programs send to it")
            follows[name] = to
        chains = []
        for first in programs.keys() - set(follows.values()):
            chain = [first]
            while chain[-1] in follows:
                chain.append(follows[chain[-1]])
            if len(chain) > STAGES_MAX:
                raise self._wrong(first, f"more than {STAGES_MAX} programs are joined")
            chains.append(chain)
        left = programs.keys() - {name for chain in chains for name in chain}
        if left:
            raise self._wrong(min(left), "it sends to itself, by way of others or not")
        order = list(programs)
        return sorted(chains, key=lambda chain: order.index(chain[0]))

    def stages(
        self, chain: list[str], home: bytes, env: dict[bytes, bytes]
    ) -> list[dict[str, Any]]:
        """The programs of a chain, as the local protocol has them.

        Args:
            home: where relative paths begin.
            env: what programs have in their environment, beside what the file says.
        """
        stages = []
        for at, name in enumerate(chain):
            program = self._file.program[name]
            words = shlex.split(program.run) if isinstance(program.run, str) else program.run
            if not words:
                raise self._wrong(name, "run is empty")
            io: dict[int, list[Any]] = {0: ["null"], 1: ["log"], 2: ["log"]}
            if at:
                io[0] = ["pipe", at]
            elif program.input is not None:
                io[0] = ["file", os.path.join(home, os.fsencode(program.input)), _READ, 0]
            if at + 1 < len(chain):
                io[1] = ["pipe", at + 1]
            elif program.output is not None:
                io[1] = _written(program.output, home)
            if program.errors is not None:
                io[2] = _written(program.errors, home)
            elif io[1] == ["log"]:
                io[2] = ["dup", 1]
            try:
                memory_bytes = size(program.memory)
            except ValueError as error:
                raise self._wrong(name, f"memory: {error}") from None
            stages.append(
                {
                    "argv": [os.fsencode(word) for word in words],
                    "env": env | {k.encode(): v.encode() for k, v in program.env.items()},
                    "cwd": os.path.join(home, os.fsencode(program.cwd or "")),
                    "on": [program.on] if isinstance(program.on, str) else program.on,
                    "cores": program.cores,
                    "memory_bytes": memory_bytes,
                    "io": io,
                }
            )
        return stages

    def policy(self, chain: list[str]) -> dict[str, Any]:
        """The policy of a chain, as the local protocol has it."""
        said: dict[str, tuple[str, Any]] = {}
        for name in chain:
            for key in Policy.__struct_fields__:
                value = getattr(self._file.program[name], key)
                if value is None:
                    continue
                if key in said and said[key][1] != value:
                    raise self._wrong(
                        name, f'{key} differs from that of "{said[key][0]}", which it is joined to'
                    )
                said[key] = name, value
        chosen = {
            key: said[key][1] if key in said else getattr(self._file, key)
            for key in Policy.__struct_fields__
        }
        policy: dict[str, Any] = {"restart": chosen["restart"] or "never"}
        if chosen["restarts_max"] is not None:
            policy["restarts_max"] = chosen["restarts_max"]
        try:
            if chosen["window"] is not None:
                policy["window_s"] = seconds(chosen["window"])
            policy["checkpoint_s"] = seconds(chosen["checkpoint"] or "0")
        except ValueError as error:
            raise self._wrong(chain[0], str(error)) from None
        return policy

    def _wrong(self, name: str, what: str) -> UserError:
        return UserError(f'{self._name}: program "{name}": {what}')


def _written(text: str, home: bytes) -> list[Any]:
    appends = text.startswith(">>")
    path = os.fsencode(text.removeprefix(">>").strip())
    return [
        "file",
        os.path.normpath(os.path.join(home, path)),
        _APPEND if appends else _WRITE,
        0o666,
    ]
