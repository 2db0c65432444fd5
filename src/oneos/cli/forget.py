"""`oneos forget`: strikes a host that left or died off the network's list."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem

from oneos.cli.display import print_json
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import OneOSError
from oneos.local.address import default_socket


def _complete_host(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        status = ask(ctx.params.get("socket_path") or default_socket(), "status")
    except OneOSError:
        return []
    return [
        CompletionItem(m["name"], help=m["state"])
        for m in status["members"]
        if m["name"].startswith(incomplete) and m["state"] != "alive"
    ]


@click.command("forget")
@click.argument("host", shell_complete=_complete_host)
@socket_option
@json_option
def command(host: str, socket_path: str, as_json: bool) -> None:
    """Strike a host that left or died off the network's list; its name is free again.

    It cannot come back with what it knows: it has to join anew.

    \b
    Example:
      oneos forget pi3
    """
    ask(socket_path, "forget", host)
    if as_json:
        print_json({"host": host})
    else:
        print(f"oneos: {host} is no longer part of the network", file=sys.stderr)
