"""`oneos down`: stop this host's Runtime."""

from __future__ import annotations

import os
from pathlib import Path

import click

from oneos.cli.display import print_json
from oneos.cli.options import directory_option, json_option
from oneos.errors import UserError
from oneos.local.starting import stop


@click.command("down")
@directory_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Stop this host's Runtime and the programs on it. Its data stays; `oneos up` starts it again.

    \b
    Example:
      oneos down
    """
    if not stop(directory):
        raise UserError(
            f"no Runtime runs from {directory}", hint="it may be stopped already; another: --dir"
        )
    if as_json:
        print_json({"directory": os.fspath(directory)})
    else:
        click.echo("stopped")
