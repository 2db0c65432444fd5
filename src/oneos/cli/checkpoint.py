"""`oneos checkpoint`: keep the state of a running program in a file."""

from __future__ import annotations

import os

import click

from oneos.cli.display import print_json, visible
from oneos.cli.kill import complete_pid
from oneos.cli.options import ask, json_option, login_name, socket_option


@click.command("checkpoint")
@click.argument("pid", metavar="PID", type=int, shell_complete=complete_pid)
@click.argument("file", metavar="FILE")
@socket_option
@json_option
def command(pid: int, file: str, socket_path: str, as_json: bool) -> None:
    """Keep the state of a running program in FILE, a path in the tree.

    The program stands for a moment, and runs on. Another one goes on from its state with
    `oneos run --restore FILE`, on any host that has the same version of its interpreter, as often
    as it is wanted. FILE holds what the program held in memory; only its owner may read it.

    To have this done every so often, so that a program outlives its host: `run --checkpoint 10s`.

    \b
    Example:
      oneos checkpoint 1042 /home/alice/before-lunch
    """
    path = os.path.join(f"/home/{login_name()}".encode(), os.fsencode(file))
    size = ask(socket_path, "checkpoint", pid, path)
    if as_json:
        print_json({"pid": pid, "file": os.fsdecode(path), "bytes": size})
        return
    click.echo(f"{visible(os.fsdecode(path))}: {size} bytes")
