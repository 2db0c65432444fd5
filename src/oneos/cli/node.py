"""`oneos node`: a Runtime in the foreground, for service managers and for looking at its log."""

from __future__ import annotations

from pathlib import Path

import click

from oneos.cli.options import directory_option


@click.command("node")
@directory_option
@click.option("--log", "to_file", is_flag=True, help="Log to DIR/runtime.log, not to stderr.")
def command(directory: Path, to_file: bool) -> int:
    """Run the Runtime of this host in the foreground until SIGTERM.

    \b
    Example (as a systemd service):
      ExecStart=/usr/local/bin/oneos node --dir /var/lib/oneos
    """
    from oneos.runtime.daemon import serve  # Loads everything a Runtime has.

    return serve(directory, to_file=to_file)
