"""`oneos sh`: the shell of the network."""

import getpass
import os
import sys
from typing import TYPE_CHECKING

import click

from oneos.errors import OneOSError

if TYPE_CHECKING:
    from oneos.shell.main import Source

_EPILOG = """\b
Examples:
  oneos sh                                     a prompt
  oneos sh -c 'cat /dev/sensor/1 > sensor-1.log'
  oneos sh -c 'on host:pi1 python3 x.py | node y.js > out.txt'
  oneos sh script.sh first second              a script of this host, else of the tree
  echo 'ls /runtime' | oneos sh                commands on standard input
"""


@click.command(
    "sh",
    epilog=_EPILOG,
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
)
@click.option("-c", "command", is_flag=True, help="Run the first ARG as commands; next is $0.")
@click.option("-e", "errexit", is_flag=True, help="End at the first command that fails.")
@click.option("-u", "nounset", is_flag=True, help="An unset variable is an error.")
@click.option("-x", "xtrace", is_flag=True, help="Print each command before it runs.")
@click.option("-s", "standard_input", is_flag=True, help="Commands on standard input, with ARGs.")
@click.option(
    "--socket",
    "socket_path",
    metavar="PATH",
    envvar="ONEOS_SOCKET",
    help="The Runtime's local socket (default: this host's Runtime).",
)
@click.option("--user", metavar="NAME", help="Whose session (default: your login name).")
@click.argument("arguments", metavar="[SCRIPT] [ARG]...", nargs=-1, type=click.UNPROCESSED)
def sh(
    command: bool,
    errexit: bool,
    nounset: bool,
    xtrace: bool,
    standard_input: bool,
    socket_path: str | None,
    user: str | None,
    arguments: tuple[str, ...],
) -> None:
    """Run the shell of the network: one shell for all hosts."""
    # Imported here: `oneos --help` and the other verbs need nothing of it.
    from oneos.local.address import default_socket
    from oneos.shell.main import run

    letters = "e" * errexit + "u" * nounset + "x" * xtrace
    source = _source(command, standard_input, arguments)
    try:
        status = run(
            socket_path or default_socket(),
            source,
            user=user or _login_name(),
            options=letters,
        )
    except OneOSError as error:
        click.echo(error.lines(), err=True)
        sys.exit(1)
    sys.exit(status)


def _source(command: bool, standard_input: bool, arguments: tuple[str, ...]) -> "Source":
    from oneos.shell.main import Source

    if command:
        if not arguments:
            raise click.UsageError("-c needs the commands as an argument: oneos sh -c 'ls /'")
        name = arguments[1] if len(arguments) > 1 else "sh"
        return Source(text=arguments[0], name=name, arguments=arguments[2:])
    if standard_input or not arguments:
        return Source(arguments=arguments)
    return Source(script=arguments[0], name=arguments[0], arguments=arguments[1:])


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
