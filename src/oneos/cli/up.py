"""`oneos up`: start this host's Runtime; on a host that has none yet, make a network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from oneos.cli.configure import configuration_options, is_member, write_config
from oneos.cli.options import ask, directory_option
from oneos.local.starting import is_up, launch, socket_of, wait_until_up


@click.command("up")
@directory_option
@click.option("--network", default="oneos", show_default=True, help="The new network's name.")
@configuration_options
def command(directory: Path, network: str, **settings: object) -> None:
    """Start this host's Runtime in the background.

    On a host that is in no network yet this makes one, and prints the line that brings the next
    host into it.

    \b
    Examples:
      oneos up
      oneos up --name hub --tag rack1
      oneos up --config hub.toml
    """
    if is_up(directory):
        click.echo(f"the Runtime in {directory} is up already")
        return
    new = not is_member(directory)
    if new:
        config = write_config(directory, settings)
        from oneos.net.pki import create_network  # cryptography costs 60 ms.

        create_network(directory / "identity", network, config.name)
    elif any(settings.values()):
        raise click.UsageError(
            f"{directory} is a member already: its settings stand in {directory / 'oneos.toml'}"
        )
    wait_until_up(directory, launch(directory))
    status = ask(socket_of(directory), "status")
    click.echo(f"{status['host']} is up in network {status['network']}")
    if new:
        answer = ask(socket_of(directory), "token")
        click.echo("\nto bring in another host, paste this there (once, within a day):\n")
        click.echo(f"  {answer['join_line']}\n")
        click.echo("then, on any of them:  oneos status   and   oneos sh")
        if os.fspath(directory) != os.path.expanduser("~/.oneos"):
            click.echo(f"here:  export ONEOS_DIR={directory}")
