"""`oneos run`: one program in the network, without a shell in between."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from types import FrameType
from typing import Any

import click

from oneos.cli.options import login_name, socket_option
from oneos.errors import FileError, UserError
from oneos.local.client import Client
from oneos.local.console import FORGET, FROM_HOST, Console
from oneos.local.line import Job

NOT_FOUND = 127


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="WHERE",
    help="Where to run it: host:NAME, tag:NAME, device:NAME or machine:KIND; all have to fit. "
    "Default: here.",
)
@click.option("--cwd", metavar="PATH", help="Its working directory in the tree. Default: home.")
@click.option("--user", metavar="NAME", help="In whose name. Default: your login name.")
@socket_option
@click.argument(
    "words", nargs=-1, required=True, metavar="COMMAND [ARGUMENT]...", type=click.UNPROCESSED
)
def command(
    on: tuple[str, ...], cwd: str | None, user: str | None, socket_path: str, words: tuple[str, ...]
) -> int:
    """Run one program of the network; its standard streams are this command's.

    At a terminal (input and output) it has a terminal on its host, whichever that is.

    Ends with the program's exit status, 128 and the signal's number if a signal ended it, 127 if
    there is none of that name.

    \b
    Examples:
      oneos run --on host:pi1 python3 /home/alice/read.py
      oneos run cat /dev/sensor/1 > here.log
    """
    with Client(socket_path) as client:
        session = client.call("session", {"user": user or login_name()})
        environment = dict(session["env"])
        console = None
        if Console.available():
            told = {name: os.environ[name] for name in FROM_HOST if os.environ.get(name)}
            environment = told | environment
            console = Console(client.join(session["user"], session["sid"]), _complain, told)
        stage = {
            "argv": [os.fsencode(word) for word in words],
            "env": {k.encode(): v.encode() for k, v in environment.items()},
            "cwd": _directory(client, cwd, session["home"]),
            "on": list(on),
            "io": {
                fd: ["tty"] if console is not None and console.is_terminal(fd) else ["fd", fd]
                for fd in (0, 1, 2)
            },
        }
        spec = {"sid": session["sid"], "stages": [stage]}
        job = None
        if console is not None:
            job = console.new_job(foreground=True)
            spec["job"] = console.wire(job, foreground=True)
        (answer,) = client.call("spawn", spec, fds=(0, 1, 2))
        if "errno" in answer:
            print(_refusal(words[0], answer).lines(), file=sys.stderr)
            if console is not None:
                console.close()
            return int(answer["status"])
        pid = answer["pid"]

        def forward(number: int, _frame: FrameType | None) -> None:
            with Client(socket_path) as other:
                # As a terminal does it: Ctrl-C is for what the program started too.
                other.call("kill", -pid if number == signal.SIGINT else pid, number)

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        if console is not None and job is not None:
            console.join(job, [answer])
            status = _at_terminal(console, client, job)
        else:
            (status,) = client.call("wait", [pid])
    sys.stdout.flush()
    return int(status)


def _at_terminal(console: Console, client: Client, job: Job) -> int:
    """Wait for a program that has the terminal; Ctrl-Z stops this command with it."""
    try:
        console.enter(job)
        while True:
            (status,) = console.wait(client, job).values()
            if status is not None and status >= 0:
                return status
            console.suspend(client, job)
    finally:
        console.leave(job, FORGET)
        console.close()


def _complain(message: str) -> None:
    print(f"oneos: {message}", file=sys.stderr)


def _directory(client: Client, cwd: str | None, home: bytes) -> bytes:
    """The working directory; a relative one starts at home. Raises UserError."""
    path = os.path.join(home, os.fsencode(cwd or ""))
    try:
        mode = client.call("stat", path, True)[0]
        # Without links, as a kernel would call it: what `os.getcwd` says of it.
        real: bytes = client.call("realpath", path)
    except FileError as error:
        raise UserError(f"--cwd: {error.message}", errno=error.errno, hint=error.hint) from None
    if not stat.S_ISDIR(mode):
        raise UserError(f"--cwd: {os.fsdecode(path)}: Not a directory", errno=errno.ENOTDIR)
    return real


def _refusal(name: str, answer: dict[str, Any]) -> UserError:
    if answer["status"] == NOT_FOUND:
        return UserError(f"{name}: not found", hint="see what there is: oneos run ls /bin")
    # The Runtime may name the command, too.
    message = answer["message"].removeprefix(f"{name}: ")
    return UserError(f"{name}: {message}", hint=answer.get("hint", ""))
