"""`oneos start`: the programs of a graph file."""

from __future__ import annotations

import sys
from typing import BinaryIO

import click

from oneos.cli.display import print_json, visible
from oneos.cli.graph import Graph
from oneos.cli.options import json_option, login_name, socket_option
from oneos.errors import OneOSError, UserError
from oneos.local.client import Client


@click.command("start")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--user", metavar="NAME", help="In whose name. Default: your login name.")
@click.option("--no-wait", is_flag=True, help="Fail if no host can run them now.")
@click.option("--dry-run", is_flag=True, help="Only say where they would run, and why.")
@socket_option
@json_option
def command(
    file: BinaryIO,
    user: str | None,
    no_wait: bool,
    dry_run: bool,
    socket_path: str,
    as_json: bool,
) -> int:
    """Start the programs of a graph FILE of this host (`-`: standard input).

    The network runs them from then on, joined as the file says, and starts them again where it
    says so. With `checkpoint` joined programs outlive the hosts that they run on: they go on
    together from the last moment of which all their states were kept, and what they wrote after
    it is written again.

    \b
    A graph file:
      checkpoint = "10s"
      [program.read]
      run = "python3 /srv/read.py"
      from = "/dev/sensor/1"
      to = "average"
      on = "device:sensor/1"
      [program.average]
      run = "python3 /srv/average.py"
      to = "/srv/averages.txt"

    \b
    Example:
      oneos start averages.toml
    """
    graph = Graph(file.read(), file.name)
    rows, status = list[dict[str, object]](), 0
    with Client(socket_path) as client:
        session = client.call("session", {"user": user or login_name()})
        environment = {k.encode(): v.encode() for k, v in dict(session["env"]).items()}
        specs = [
            {
                "sid": session["sid"],
                "stages": graph.stages(chain, session["home"], environment),
                "wait": not no_wait,
                "policy": graph.policy(chain),
            }
            for chain in graph.groups
        ]
        for chain, spec in zip(graph.groups, specs, strict=True):
            try:
                answers = client.call("plan" if dry_run else "spawn", spec)
            except OneOSError as error:
                raise UserError(
                    f'program "{chain[0]}": {error.message}', errno=error.errno, hint=error.hint
                ) from None
            for name, answer in zip(chain, answers, strict=True):
                if "errno" in answer:
                    print(f"{name}: {visible(answer['message'])}", file=sys.stderr)
                    status = status or int(answer["status"])
                else:
                    rows.append({"program": name, **answer})
    if as_json:
        print_json(rows)
        return status
    for row in rows:
        if dry_run:
            click.echo(f"{visible(str(row['program']))}:")
            for line in row["why"]:  # type: ignore[attr-defined]
                click.echo(f"  {visible(line)}")
        else:
            where = row["host"] or "it waits for a host"
            click.echo(f"{row['pid']} {visible(str(row['program']))}: {visible(str(where))}")
    return status
