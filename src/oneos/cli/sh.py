"""`oneos sh`: the shell of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from oneos.cli.options import login_name, socket_option

if TYPE_CHECKING:
    from oneos.shell.main import Source


@click.command(
    "sh",
    context_settings={"allow_interspersed_args": False, "help_option_names": ["-h", "--help"]},
)
@click.option("-c", "command_text", is_flag=True, help="The first ARG is the commands to run.")
@click.option("-s", "standard_input", is_flag=True, help="Commands on standard input, with ARGs.")
@click.option("-e", "errexit", is_flag=True, help="End at the first command that fails.")
@click.option("-u", "nounset", is_flag=True, help="An unset variable is an error.")
@click.option("-x", "xtrace", is_flag=True, help="Print each command before it runs.")
@click.option("--user", metavar="NAME", help="Whose session. Default: your login name.")
@socket_option
@click.argument("arguments", metavar="[SCRIPT] [ARG]...", nargs=-1, type=click.UNPROCESSED)
def command(
    command_text: bool,
    standard_input: bool,
    errexit: bool,
    nounset: bool,
    xtrace: bool,
    user: str | None,
    socket_path: str,
    arguments: tuple[str, ...],
) -> int:
    """A shell for all hosts; also runs scripts and commands.

    Without arguments a prompt at a terminal, with job control (Ctrl-Z, jobs, fg, bg) for programs
    on any host; else commands on standard input. SCRIPT is a file
    of this host, or, where there is none, of the tree.

    \b
    Example:
      oneos sh
      oneos sh -c 'cat /dev/sensor/1 > sensor-1.log'
      oneos sh -c 'on host:pi1 python3 x.py | on tag:fast node y.js > out.txt'
      oneos sh script.sh first second
    """
    # Imported here: the other verbs need nothing of the shell.
    from oneos.shell.main import run

    source = _source(command_text, standard_input, arguments)
    letters = "e" * errexit + "u" * nounset + "x" * xtrace
    return run(socket_path, source, user=user or login_name(), options=letters)


sh = command


def _source(command_text: bool, standard_input: bool, arguments: tuple[str, ...]) -> Source:
    from oneos.shell.main import Source

    if command_text:
        if not arguments:
            raise click.UsageError("-c needs the commands: oneos sh -c 'ls /'")
        name = arguments[1] if len(arguments) > 1 else "sh"
        return Source(text=arguments[0], name=name, arguments=arguments[2:])
    if standard_input or not arguments:
        return Source(arguments=arguments)
    return Source(script=arguments[0], name=arguments[0], arguments=arguments[1:])
