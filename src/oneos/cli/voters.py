"""`oneos voters`: how many hosts carry the log, and the move to another number."""

from __future__ import annotations

import sys

import click

from oneos.cli.display import print_json, visible
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import UserError


@click.command("voters")
@click.argument("number", type=int, required=False)
@socket_option
@json_option
def command(number: int | None, socket_path: str, as_json: bool) -> None:
    """Show which hosts carry the log; with NUMBER, move it to so many: 1, 3 or 5.

    One host may be lost with three voters, two with five, none with one. The log stands still for
    some seconds while it moves; pipes and open files go on.

    \b
    Example:
      oneos voters
      oneos voters 3
    """
    if number is None:
        status = ask(socket_path, "status")
        result = {"voters": status["voters"], "generation": status["generation"]}
    else:
        if number not in (1, 3, 5):
            # With two, the loss of either stops the network: worse than one.
            raise UserError(f"{number} voters are not possible", hint="choose 1, 3 or 5")
        print(f"oneos: moving the log to {number} voters, some seconds ...", file=sys.stderr)
        result = ask(socket_path, "voters", number)
    if as_json:
        print_json(result)
        return
    names = ", ".join(visible(name) for name in result["voters"])
    click.echo(f"log carried by: {names} (generation {result['generation']})")
