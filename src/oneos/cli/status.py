"""`oneos status`: the hosts of the network, the services' places, the voters."""

from __future__ import annotations

from typing import Any

import click

from oneos.cli.display import print_json, print_table, since, size, visible
from oneos.cli.options import ask, json_option, socket_option


@click.command("status")
@socket_option
@json_option
def command(socket_path: str, as_json: bool) -> None:
    """Show the hosts of the network and what runs where, as this host sees it.

    \b
    Example:
      oneos status
      oneos status --json | jq -r '.members[] | select(.state == "alive") | .name'
    """
    status = ask(socket_path, "status")
    if as_json:
        print_json(status)
        return
    click.echo(f"network {visible(status['network'])}, seen from {visible(status['host'])}")
    click.echo()
    _print_members(status["members"])
    click.echo()
    print_table(
        ["SERVICE", "HOST", ">EPOCH", "STATE"],
        [[s["name"], s["host"], s["epoch"], s["state"]] for s in status["services"]],
    )
    click.echo()
    voters = ", ".join(visible(name) for name in status["voters"])
    click.echo(f"log carried by: {voters} (generation {status['generation']})")
    missing = status["under_replicated"]
    if missing is None or missing:
        # None: the Storage service, which counts them, did not answer.
        count = "unknown" if missing is None else missing
        click.echo(f"files with fewer copies than wanted: {count}")
    if status.get("lost"):
        click.echo(f"files without a whole copy: {status['lost']}; which ones: oneos fsck --quick")
    for m in status["members"]:
        if m.get("damaged"):
            name = visible(m["name"])
            click.echo(f"damaged chunks found on {name}: {m['damaged']}, repaired {m['repaired']}")
    for problem in status.get("problems", ()):
        click.echo(visible(problem))


def _print_members(members: list[dict[str, Any]]) -> None:
    heads = ["HOST", "STATE", "FOR", "ADDRESS", "CORE", "VOTER", ">CORES", ">MEMORY", ">LOAD"]
    heads += [">AGENTS", "TAGS"]
    rows = []
    for m in members:
        row = [m["name"], m["state"], since(m["since"]), m["address"], m["core"], m["voter"]]
        load = None if m["load"] is None else f"{m['load']:.2f}"
        row += [m["cores"], size(m["memory_bytes"]), load, m["agents"], m["tags"]]
        rows.append(row)
    print_table(heads, rows)
