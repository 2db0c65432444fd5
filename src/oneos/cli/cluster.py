"""`oneos cluster`: several Runtimes on this machine, for trying things out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oneos.cli.display import print_json
from oneos.cli.options import json_option
from oneos.config import PORT_MAX
from oneos.errors import UserError
from oneos.limits import PORT_DEFAULT
from oneos.local.starting import is_up

if TYPE_CHECKING:
    from oneos.runtime.cluster import Host


@click.command("cluster")
@click.argument("action", metavar="N|stop|status|rm")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=lambda: Path(os.environ.get("ONEOS_CLUSTER_DIR") or "~/.oneos-cluster").expanduser(),
    help="Where the cluster lives. Default: $ONEOS_CLUSTER_DIR, else ~/.oneos-cluster.",
)
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, PORT_MAX),
    default=PORT_DEFAULT,
    show_default=True,
    help="The first host's port; the next host has one that is 10 higher.",
)
@click.option(
    "--with",
    "extra",
    multiple=True,
    metavar="HOST=FILE",
    help="Add a file's text (tags, devices) to a new host's configuration; repeatable.",
)
@click.option("--shell", is_flag=True, help="Open a shell, and stop the cluster at its end.")
@json_option
def command(
    action: str, directory: Path, port: int, extra: tuple[str, ...], shell: bool, as_json: bool
) -> int | None:
    """Run N Runtimes on this machine, each a host of its own: host1, host2, ...

    The same command starts a stopped cluster again, with its data.

    \b
    Examples:
      oneos cluster 3
      oneos cluster 3 --with host2=devices.toml
      oneos cluster status
      oneos cluster stop
      oneos cluster rm                # stops it and removes its data
    """
    from oneos.runtime import cluster

    directory = directory.absolute()
    if action.isdigit():
        hosts = cluster.plan(directory, int(action), port, _extra(extra))
        cluster.start(hosts, lambda text: click.echo(text, err=True))
        if shell:
            return _shell(directory)
        if as_json:
            _print_json(hosts)
            return None
        click.echo(f"use it:  export ONEOS_DIR={hosts[0].directory}  and  oneos sh")
        click.echo(f"stop it: oneos cluster stop{_at(directory)}")
        return None
    hosts = cluster.hosts_of(directory)
    if action not in ("stop", "status", "rm"):
        raise click.UsageError(f"{action!r} is neither a number of hosts nor stop, status, rm")
    if not hosts:
        raise UserError(f"there is no cluster in {directory}", hint="make one: oneos cluster 3")
    if action == "status":
        if as_json:
            _print_json(hosts)
            return None
        for host in hosts:
            state = "up" if is_up(host.directory) else "down"
            click.echo(f"{host.name}  {state}  127.0.0.1:{host.port}  {host.directory}")
        return None
    cluster.stop(hosts, lambda text: click.echo(text, err=True))
    if action == "rm":
        for host in hosts:
            shutil.rmtree(host.directory)
        click.echo(f"removed {len(hosts)} hosts from {directory}", err=True)
    if as_json:
        _print_json([] if action == "rm" else hosts)
    return None


def _print_json(hosts: list[Host]) -> None:
    print_json(
        [
            {
                "name": host.name,
                "state": "up" if is_up(host.directory) else "down",
                "address": f"127.0.0.1:{host.port}",
                "directory": os.fspath(host.directory),
            }
            for host in hosts
        ]
    )


def _shell(directory: Path) -> int:
    from oneos.runtime.cluster import hosts_of, stop

    hosts = hosts_of(directory)
    words = [sys.executable, "-m", "oneos.cli.main", "sh", "--socket", hosts[0].socket]
    try:
        return subprocess.call(words)
    finally:
        stop(hosts, lambda text: click.echo(text, err=True))


def _at(directory: Path) -> str:
    default = Path("~/.oneos-cluster").expanduser()
    return "" if directory == default else f" --dir {directory}"


def _extra(words: tuple[str, ...]) -> dict[str, Path]:
    extra = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals:
            raise click.UsageError(f"--with {word}: write HOST=FILE")
        if not Path(path).is_file():
            raise UserError(f"--with {word}: there is no file {path}", errno=2)
        extra[name] = Path(path)
    return extra
