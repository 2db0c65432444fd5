"""`oneos kill`: a signal to programs, whichever host they run on."""

from __future__ import annotations

import signal
import sys

import click
from click.shell_completion import CompletionItem

from oneos.cli.display import print_json
from oneos.cli.options import json_option, socket_option
from oneos.errors import FileError, OneOSError, UserError
from oneos.local.address import default_socket
from oneos.local.client import Client


def parse_signal(text: str) -> int:
    """The number of a signal given as `TERM`, `SIGTERM`, `term` or `15`.

    Raises:
        UserError: there is none.
    """
    if text.isdecimal():
        if int(text) < signal.NSIG:
            return int(text)
    else:
        name = text.upper()
        try:
            return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"].value
        except KeyError:
            pass
    raise UserError(
        f"kill: no signal is called {text}",
        hint="write a name such as TERM, KILL or INT, or a number",
    )


def _complete_signal(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    names = (s.name.removeprefix("SIG") for s in signal.Signals)
    return [CompletionItem(name) for name in names if name.startswith(incomplete.upper())]


def complete_pid(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The programs whose PIDs begin so."""
    try:
        with Client(ctx.params.get("socket_path") or default_socket()) as client:
            processes = client.call("ps", False)
    except OneOSError:
        return []
    return [
        CompletionItem(str(p["pid"]), help=f"{p['command']} on {p['host']}")
        for p in processes
        if str(p["pid"]).startswith(incomplete)
    ]


@click.command("kill")
@click.option(
    "-s",
    "--signal",
    "name",
    default="TERM",
    show_default=True,
    metavar="SIGNAL",
    shell_complete=_complete_signal,
    help="Its name or number; 0 only tests whether the program is there.",
)
@click.argument("pids", metavar="PID...", type=int, nargs=-1, required=True)
@socket_option
@json_option
def command(name: str, pids: tuple[int, ...], socket_path: str, as_json: bool) -> int:
    """Send a signal to programs, on whichever host they run.

    \b
    Example:
      oneos kill 1042
      oneos kill -s INT 1042 1043
    """
    number = parse_signal(name)
    failures: dict[int, FileError] = {}
    with Client(socket_path) as client:
        for pid in pids:
            try:
                client.call("kill", pid, number)
            except FileError as error:
                # One program that is gone does not spare the others.
                failures[pid] = error
    for pid, failure in failures.items():
        named = UserError(f"kill {pid}: {failure.message}", hint=failure.hint)
        print(named.lines(), file=sys.stderr)
    if as_json:
        print_json(
            [
                {"pid": pid, "error": failures[pid].message if pid in failures else None}
                for pid in pids
            ]
        )
    return 1 if failures else 0
