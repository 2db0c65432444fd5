"""`oneos token`: a join token for one more host."""

from __future__ import annotations

import sys

import click

from oneos.cli.display import duration, print_json
from oneos.cli.options import ask, json_option, socket_option


@click.command("token")
@click.option("--bare", is_flag=True, help="Print only the token, for --token-file.")
@socket_option
@json_option
def command(bare: bool, socket_path: str, as_json: bool) -> None:
    """Make a join token: it lets one host in, once.

    Whoever has it can join, so hand it over as you would a password.

    \b
    Example:
      oneos token                  # prints the line to paste on the new host
      oneos token --bare > t       # only the token
    """
    token = ask(socket_path, "token")
    if as_json:
        print_json(token)
        return
    click.echo(token["token"] if bare else token["join_line"])
    # Not on the output: that is to be pasted or kept in a file.
    print(f"oneos: for one host, within {duration(token['expires_s'])}", file=sys.stderr)
