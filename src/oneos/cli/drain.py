"""`oneos drain`: take the programs off a host."""

from __future__ import annotations

import errno
import signal
import sys
import time
from typing import Any

import click
from click.shell_completion import CompletionItem

from oneos.cli.display import print_json, visible
from oneos.cli.options import json_option, socket_option
from oneos.errors import OneOSError
from oneos.local.address import default_socket
from oneos.local.client import Client

LOOK_S = 0.2
"""Between two looks at what still runs there."""


def complete_host(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The hosts whose names begin so."""
    try:
        with Client(ctx.params.get("socket_path") or default_socket()) as client:
            members = client.call("status")["members"]
    except OneOSError:
        return []
    return [CompletionItem(x["name"]) for x in members if x["name"].startswith(incomplete)]


@click.command("drain")
@click.argument("host", metavar="HOST", shell_complete=complete_host)
@click.option("--undo", is_flag=True, help="Place programs there again.")
@click.option("--stop", is_flag=True, help="End programs that cannot go elsewhere.")
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    help="Give up after that long. Default: wait until nothing runs there any more.",
)
@socket_option
@json_option
def command(
    host: str, undo: bool, stop: bool, wait_s: float | None, socket_path: str, as_json: bool
) -> int:
    """Take the programs off a host, and place no more there.

    Programs that can move go on elsewhere with their state; those that the network starts again
    (`oneos run --restart`) end there and start elsewhere; the others are waited for, or ended with
    --stop. Kernel Agents move where another host may run them. The host stays a member, and keeps
    its files and devices.

    \b
    Examples:
      oneos drain pi1 --stop --wait 60
      oneos drain pi1 --undo
    """
    with Client(socket_path) as client:
        client.call("drain", host, not undo)
        left = [] if undo else _empty(client, host, stop, wait_s, quiet=as_json)
    if as_json:
        print_json({"host": host, "draining": not undo, "left": [p["pid"] for p in left]})
        return 1 if left else 0
    for process in left:
        what = f"{process['pid']} {visible(process['command'])}"
        print(f"oneos: still on {visible(host)}: {what}", file=sys.stderr)
    return 1 if left else 0


def _empty(
    client: Client, host: str, stop: bool, wait_s: float | None, quiet: bool
) -> list[dict[str, Any]]:
    """Wait until nothing runs there; what still does in the end."""
    end_s = None if wait_s is None else time.monotonic() + wait_s
    told: set[int] = set()
    while True:
        running = [
            p for p in client.call("ps", False) if p["host"] == host and p["state"] == "running"
        ]
        for process in running:
            if process["pid"] not in told:
                told.add(process["pid"])
                _begin(client, process, stop, quiet)
        if not running or (end_s is not None and time.monotonic() >= end_s):
            return running
        time.sleep(LOOK_S)


def _begin(client: Client, process: dict[str, Any], stop: bool, quiet: bool) -> None:
    """Do to a program what becomes of it, and say so."""
    pid, what = process["pid"], "starts again elsewhere"
    try:
        if not client.call("explain", pid).get("outlives_host", False):
            what = _move(client, pid, stop)
    except OneOSError as error:
        if error.errno != errno.ESRCH:
            raise
        return  # It has ended by itself.
    if not quiet:
        print(f"{pid} {visible(process['command'])}: {what}", file=sys.stderr)


def _move(client: Client, pid: int, stop: bool) -> str:
    """Move a program with its state, or else end it or not; what was done."""
    try:
        return f"is on {client.call('migrate', pid, '')} now"
    except OneOSError as error:
        if error.errno == errno.ESRCH:
            raise
        reason = error.message.partition("it did not move: ")[2] or error.message
    if not stop:
        return f"is waited for ({reason})"
    client.call("kill", pid, int(signal.SIGTERM))
    return f"is ended ({reason})"
