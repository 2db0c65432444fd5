"""Runs a script in our shell, against any Runtime, and in dash; both give an `Outcome`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from oneos.local.client import Client
from oneos.shell.descriptors import Descriptor
from oneos.shell.main import Source, new_shell, run_source
from oneos.shell.parse import Parser


@dataclass(frozen=True)
class Outcome:
    """What a script did."""

    output: str
    errors: str
    status: int


def run_ours(
    socket_path: str, parser: Parser, script: str, given: str, scratch: Path, user: str = "alice"
) -> Outcome:
    """Run a script in our shell, in this process, with files for its standard streams.

    Args:
        socket_path: of the Runtime.
        parser: made once, before there were threads.
        script: what to run, in the user's home directory.
        given: its standard input.
        scratch: a directory for the streams' files.
        user: whose session; one of its own gives an empty home directory.
    """
    names = _streams(scratch, given)
    flags = [os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND] * 2]
    with Client(socket_path) as client:
        shell = new_shell(client, parser, user)
        for fd, (name, flag) in enumerate(zip(names, flags, strict=True)):
            shell.descriptors[fd] = Descriptor(os.open(name, flag))
        try:
            status = run_source(shell, Source(text=script))
        finally:
            shell.close()
    return _outcome(names, status)


def run_dash(script: str, given: str, scratch: Path) -> Outcome:
    """Run a script in this machine's dash, in an empty home directory below `scratch`."""
    home = scratch / "native/home/alice"
    home.mkdir(parents=True)
    names = _streams(scratch, given)
    environment = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "USER": "alice"}
    with names[0].open() as stdin, names[1].open("w") as out, names[2].open("w") as err:
        process = subprocess.run(
            ["dash", "-c", script, "sh"],
            stdin=stdin,
            stdout=out,
            stderr=err,
            cwd=home,
            env=environment,
            timeout=60,
        )
    code = process.returncode
    return _outcome(names, 128 - code if code < 0 else code)


def _streams(scratch: Path, given: str) -> list[Path]:
    names = [scratch / name for name in ("in", "out", "err")]
    names[0].write_text(given)
    return names


def _outcome(names: list[Path], status: int) -> Outcome:
    output, errors = (name.read_bytes().decode("utf-8", "surrogateescape") for name in names[1:])
    return Outcome(output, errors, status)
