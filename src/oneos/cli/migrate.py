"""`oneos migrate`: move a running program to another host."""

from __future__ import annotations

import click

from oneos.cli.display import print_json, visible
from oneos.cli.drain import complete_host
from oneos.cli.kill import complete_pid
from oneos.cli.options import ask, json_option, seconds_option, socket_option


@click.command("migrate")
@click.argument("pid", metavar="PID", type=int, shell_complete=complete_pid)
@click.argument("host", metavar="[HOST]", default="", shell_complete=complete_host)
@click.option(
    "--wait",
    "wait_s",
    metavar="TIME",
    default="5s",
    show_default=True,
    callback=seconds_option,
    help="How long to look for a point where it can move.",
)
@socket_option
@json_option
def command(pid: int, host: str, wait_s: float, socket_path: str, as_json: bool) -> None:
    """Move a running program to another host, in the middle of what it does.

    It keeps its PID, its state and its streams; what it is connected to notices nothing. Where
    something of it cannot move, it goes on where it is, and this says why. Without HOST it goes
    where it is best.

    \b
    Example:
      oneos migrate 1042 pi2
    """
    now = ask(socket_path, "migrate", pid, host, wait_s)
    if as_json:
        print_json({"pid": pid, "host": now})
        return
    click.echo(f"{pid} is on {visible(now)}")
