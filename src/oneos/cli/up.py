"""`oneos up`: start this host's Runtime; on a host that has none yet, make a network."""

from __future__ import annotations

import os
from pathlib import Path

import click

from oneos.cli.configure import Directory, configuration_options, is_member, write_config
from oneos.cli.display import print_json
from oneos.cli.options import ask, directory_option, json_option
from oneos.errors import OneOSError
from oneos.local.starting import is_up, launch, socket_of, wait_until_up


@click.command("up")
@directory_option
@click.option(
    "--network", metavar="NAME", default="oneos", show_default=True, help="The new network's name."
)
@configuration_options
@json_option
def command(directory: Path, network: str, as_json: bool, **settings: object) -> None:
    """Start this host's Runtime in the background.

    On a host that is in no network yet this makes one, and prints the line that brings the next
    host into it.

    \b
    Examples:
      oneos up
      oneos up --name hub --tag rack1
      oneos up --config hub.toml
    """
    new = False
    if not (already := is_up(directory)):
        if new := not is_member(directory):
            _make(directory, network, settings)
        elif any(settings.values()):
            raise click.UsageError(
                f"{directory} is a member already: its settings stand in {directory / 'oneos.toml'}"
            )
        else:
            wait_until_up(directory, launch(directory))
    status = ask(socket_of(directory), "status")
    answer = {
        "host": status["host"],
        "network": status["network"],
        "directory": os.fspath(directory),
        "new": new,
        "join_line": ask(socket_of(directory), "token")["join_line"] if new else None,
    }
    if as_json:
        print_json(answer)
        return
    click.echo(f"{answer['host']} is up{' already' * already} in network {answer['network']}")
    if new:
        click.echo("\nto bring in another host, paste this there (once, within a day):\n")
        click.echo(f"  {answer['join_line']}\n")
        click.echo("then, on any of them:  oneos status   and   oneos sh")
        if answer["directory"] != os.path.expanduser("~/.oneos"):
            click.echo(f"here:  export ONEOS_DIR={directory}")


def _make(directory: Path, network: str, settings: dict[str, object]) -> None:
    """Make a network with this as its first host, and start it."""
    making = Directory(directory)
    process = None
    try:
        config = write_config(directory, settings)
        from oneos.net.pki import create_network  # cryptography costs 60 ms.

        create_network(directory / "identity", network, config.name)
        process = launch(directory)
        wait_until_up(directory, process)
    except OneOSError:
        # A Runtime that never was up has nothing that anybody was told of; one that is merely
        # slow keeps what it has.
        if process is None or process.poll() is not None:
            making.undo()
        raise
