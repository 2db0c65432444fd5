"""`oneos ps`: the process table of the network."""

from __future__ import annotations

from typing import Any

import click

from oneos.cli.display import print_json, print_table, since, visible
from oneos.cli.options import ask, json_option, socket_option


@click.command("ps")
@click.option("-a", "--all", "ended_too", is_flag=True, help="Also those that ended lately.")
@socket_option
@json_option
def command(ended_too: bool, socket_path: str, as_json: bool) -> None:
    """List the programs of the network, whichever host they run on.

    Of one that waits for a host it says for what, behind its command.

    \b
    Example:
      oneos ps
      oneos ps --all --json | jq '.[] | select(.status != 0)'
    """
    processes = ask(socket_path, "ps", ended_too)
    if as_json:
        print_json(processes)
        return
    heads = [">PID", ">PPID", "USER", "HOST", "STATE", ">AGE", "COMMAND"]
    rows = [
        [p["pid"], p["ppid"], p["user"], p["host"], p["state"], since(p["started"]), _what(p)]
        for p in processes
    ]
    if ended_too:
        heads.insert(5, ">STATUS")
        for row, process in zip(rows, processes, strict=True):
            row.insert(5, process["status"])
    print_table(heads, rows)


def _what(process: dict[str, Any]) -> str:
    command = visible(process["command"])
    return f"{command} ({visible(process['reason'])})" if process["state"] == "waiting" else command
