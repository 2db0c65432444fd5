"""`oneos explain`: why a program is where it is."""

from __future__ import annotations

import click

from oneos.cli.display import print_json, visible
from oneos.cli.kill import complete_pid
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import FileError, UserError


@click.command("explain")
@click.argument("pid", metavar="PID", type=int, shell_complete=complete_pid)
@socket_option
@json_option
def command(pid: int, socket_path: str, as_json: bool) -> None:
    """Say why a program runs where it does, or why it does not run.

    Where a program would run is shown by `oneos run --dry-run`.

    \b
    Example:
      oneos explain 1042
    """
    try:
        told = ask(socket_path, "explain", pid)
    except FileError as error:
        raise UserError(
            f"explain {pid}: {error.message}", errno=error.errno, hint="which there are: oneos ps"
        ) from None
    if as_json:
        print_json(told)
        return
    for line in told["why"]:
        click.echo(visible(line))
    if told["state"] == "waiting":
        click.echo(f"waits: {visible(told['reason'])}")
    elif told["state"] == "ended":
        click.echo(f"has ended: {visible(told['reason'] or 'by itself')}")
    if told.get("restart", "never") != "never":
        click.echo(f"starts again: {told['restart']}; has ended {told['ends']} times so far")
