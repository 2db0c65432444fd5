"""`oneos down`: stop this host's Runtime."""

from __future__ import annotations

from pathlib import Path

import click

from oneos.cli.options import directory_option
from oneos.errors import UserError
from oneos.local.starting import stop


@click.command("down")
@directory_option
def command(directory: Path) -> None:
    """Stop this host's Runtime and the programs on it. Its data stays; `oneos up` starts it again.

    \b
    Example:
      oneos down
    """
    if not stop(directory):
        raise UserError(f"no Runtime runs from {directory}", hint="it may be stopped already")
    click.echo("stopped")
