"""`oneos run`: one program in the network, without a shell in between."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

from oneos.cli.options import login_name, socket_option


@click.command(
    "run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.option("--on", "on", multiple=True, metavar="host:NAME|tag:NAME", help="Where to run it.")
@click.option("--cwd", default=None, help="Its working directory in the tree. Default: home.")
@click.option("--user", default=None, help="In whose name. Default: who you are here.")
@socket_option
@click.argument("words", nargs=-1, required=True, metavar="COMMAND [ARGUMENT]...")
def command(
    on: tuple[str, ...], cwd: str | None, user: str | None, socket_path: str, words: tuple[str, ...]
) -> int:
    """Run one program of the network; its standard streams are this command's.

    \b
    Examples:
      oneos run --on host:pi1 python3 /home/alice/read.py
      oneos run cat /dev/sensor/1 > here.log
    """
    from oneos.local.client import Client

    with Client(socket_path) as client:
        session = client.call("session", {"user": user or login_name()})
        stage = {
            "argv": [os.fsencode(word) for word in words],
            "env": {k.encode(): v.encode() for k, v in session["env"].items()},
            "cwd": os.fsencode(cwd) if cwd else session["home"],
            "on": list(on),
            "io": {0: ["fd", 0], 1: ["fd", 1], 2: ["fd", 2]},
        }
        spec = {"sid": session["sid"], "stages": [stage]}
        (answer,) = client.call("spawn", spec, fds=(0, 1, 2))
        if "errno" in answer:
            hint = f"\n       {answer['hint']}" if answer.get("hint") else ""
            click.echo(f"oneos: {words[0]}: {answer['message']}{hint}", err=True)
            return int(answer["status"])
        pid = answer["pid"]

        def forward(number: int, _frame: FrameType | None) -> None:
            with Client(socket_path) as other:
                other.call("kill", pid, number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        (status,) = client.call("wait", [pid])
    sys.stdout.flush()
    return int(status)
