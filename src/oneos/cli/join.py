"""`oneos join`: bring this host into a network, and start its Runtime."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from oneos.cli.configure import Directory, configuration_options, is_member, write_config
from oneos.cli.display import print_json
from oneos.cli.options import ask, directory_option, json_option
from oneos.errors import UserError
from oneos.limits import PORT_DEFAULT
from oneos.local.starting import launch, socket_of, wait_until_up


@click.command("join")
@click.argument("address")
@click.option(
    "--token-file",
    required=True,
    metavar="FILE",
    help="A file with the join token, or - for standard input. (Never an argument: those show in "
    "every process list.)",
)
@directory_option
@configuration_options
@json_option
def command(
    address: str, token_file: str, directory: Path, as_json: bool, **settings: object
) -> None:
    """Bring this host into the network that answers at ADDRESS (HOST or HOST:PORT).

    The token is printed by `oneos up` or `oneos token` on a host of the network; it is good once.

    \b
    Examples:
      oneos join hub:4100 --token-file t
      oneos join 10.0.0.5 --token-file t --edge --tag camera
    """
    if is_member(directory):
        raise UserError(
            f"{directory} belongs to a network already",
            errno=17,
            hint="start it with `oneos up`, or join from another directory (--dir)",
        )
    from oneos.net.token import read_token_file  # cryptography costs 60 ms.
    from oneos.runtime.facts import facts_of
    from oneos.runtime.joining import join

    where = parse_address(address)
    token = read_token_file(token_file)
    making = Directory(directory)
    try:
        config = write_config(directory, settings)
        asyncio.run(join(where, token, config.name, facts_of(config, [], {}, ""), directory))
    except BaseException:
        making.undo()
        raise
    wait_until_up(directory, launch(directory))
    if as_json:
        network = ask(socket_of(directory), "status")["network"]
        print_json({"host": config.name, "network": network, "directory": os.fspath(directory)})
        return
    click.echo(f"{config.name} is up; see who is there: oneos status")
    if directory != Path("~/.oneos").expanduser():
        click.echo(f"here:  export ONEOS_DIR={directory}")


def parse_address(text: str) -> tuple[str, int]:
    """HOST, HOST:PORT or [IPv6]:PORT. Raises UserError."""
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        host, port = text, str(PORT_DEFAULT)
    if not port.isdigit() or not 0 < int(port) < 65536 or not host.strip("[]"):
        raise UserError(f"{text!r} is no address", hint="HOST or HOST:PORT, as in hub:4100")
    return host.strip("[]"), int(port)
