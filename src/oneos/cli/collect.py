"""`oneos collect`: frees the disks of what no file has any more."""

from __future__ import annotations

import click

from oneos.cli.display import print_json, print_table, size
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import NetworkError


@click.command("collect")
@socket_option
@json_option
def command(socket_path: str, as_json: bool) -> None:
    """Remove content that no file has any more from the disks of all hosts.

    That happens by itself every ten minutes; this does it now, as when a disk is full. The status
    is 1 if some host could not be asked.

    \b
    Example:
      oneos collect
    """
    done = ask(socket_path, "collect")
    if as_json:
        print_json(done)
    else:
        rows = [[e["host"], e["chunks"], size(e["bytes"]), e["error"]] for e in done]
        print_table(["HOST", ">CHUNKS", ">FREED", "ERROR"], rows)
    failed = [e["host"] for e in done if e["error"]]
    if failed:
        raise NetworkError(
            f"not collected: {', '.join(failed)}", hint="see who is there: oneos status"
        )
