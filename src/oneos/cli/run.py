"""`oneos run`: one program in the network, without a shell in between."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from oneos.cli import amounts
from oneos.cli.display import visible
from oneos.cli.options import login_name, seconds_option, socket_option
from oneos.errors import FileError, OneOSError, UserError
from oneos.local.client import Client
from oneos.local.console import FORGET, FROM_HOST, Console
from oneos.local.line import Job

NOT_FOUND = 127

_DETACHED = {0: ["null"], 1: ["log"], 2: ["dup", 1]}

_TELL_S = 0.5
"""After which a person is told that a program waits: longer than a start takes."""


def _size(_ctx: click.Context, _param: click.Parameter, text: str | None) -> int:
    try:
        return amounts.size(text or "0")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@contextlib.contextmanager
def _told_if_it_waits(socket_path: str, sid: int) -> Iterator[None]:
    """Tell a person why nothing happens, if a program waits for a host."""

    def tell() -> None:
        try:
            with Client(socket_path) as other:
                table = other.call("ps", False)
        except OneOSError:
            return  # Whoever started it says it better.
        for process in table:
            if process["state"] == "waiting" and process["sid"] == sid:
                _complain(f"{process['pid']} waits: {process['reason']} (Ctrl-C: do not)")

    timer = threading.Timer(_TELL_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@click.command("run", context_settings={"allow_interspersed_args": False})
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="WHERE",
    help="Where to run it: host:NAME, tag:NAME, device:NAME, machine:KIND, python:VERSION or "
    "node:VERSION; all have to fit. Default: here, unless its input is elsewhere.",
)
@click.option("--cores", type=click.FloatRange(min=0), default=0, help="Cores for it alone.")
@click.option(
    "--memory",
    "memory_bytes",
    metavar="SIZE",
    callback=_size,
    help="Memory for it, and the most it may have: 64M, 1.5G.",
)
@click.option(
    "-d", "--detach", is_flag=True, help="Do not wait: the network runs it, and keeps its output."
)
@click.option(
    "--restart",
    type=click.Choice(["never", "on-failure", "always"]),
    help="When the network starts it again, on any host that can run it; implies --detach.",
)
@click.option(
    "--restarts-max",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="It is given up when it was started again so often within the window.",
)
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=0.1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Of --restarts-max.",
)
@click.option(
    "--checkpoint",
    "checkpoint_s",
    metavar="TIME",
    callback=seconds_option,
    help="Keep its state so often (10s, 5m): it goes on from there when its host dies; implies "
    "--detach.",
)
@click.option(
    "--restore",
    metavar="FILE",
    help="Go on from a state that `oneos checkpoint` kept; there is no COMMAND then.",
)
@click.option("--no-wait", is_flag=True, help="Fail if no host can run it now.")
@click.option("--dry-run", is_flag=True, help="Only say where it would run, and why.")
@click.option("--cwd", metavar="PATH", help="Its working directory in the tree. Default: home.")
@click.option("--user", metavar="NAME", help="In whose name. Default: your login name.")
@socket_option
@click.argument("words", nargs=-1, metavar="COMMAND [ARGUMENT]...", type=click.UNPROCESSED)
def command(
    on: tuple[str, ...],
    cores: float,
    memory_bytes: int,
    detach: bool,
    restart: str | None,
    restarts_max: int,
    window_s: float,
    checkpoint_s: float,
    restore: str | None,
    no_wait: bool,
    dry_run: bool,
    cwd: str | None,
    user: str | None,
    socket_path: str,
    words: tuple[str, ...],
) -> int:
    """Run one program of the network; its standard streams are this command's.

    At a terminal (input and output) it has a terminal on its host, whichever that is.

    If no host can run it now that could later, it waits. With --detach it prints the PID and ends;
    what the program prints is in /var/log/programs/PID.log.

    Ends with the program's exit status, 128 and the signal's number if a signal ended it, 127 if
    there is none of that name.

    \b
    Examples:
      oneos run --on host:pi1 python3 /home/alice/read.py
      oneos run cat /dev/sensor/1 > here.log
      oneos run --restart always --on tag:camera python3 /srv/watch.py
      oneos run --checkpoint 10s python3 /srv/count.py
    """
    detach = detach or restart is not None or checkpoint_s > 0
    if restore is not None and (words or detach):
        raise click.UsageError("--restore takes no COMMAND, and the command waits for the program")
    if restore is None and not words:
        raise click.UsageError("Missing argument 'COMMAND'.")
    with Client(socket_path) as client:
        session = client.call("session", {"user": user or login_name()})
        environment = dict(session["env"])
        console = None
        if Console.available() and not detach and not dry_run:
            told = {name: os.environ[name] for name in FROM_HOST if os.environ.get(name)}
            environment = told | environment
            console = Console(client.join(session["user"], session["sid"]), _complain, told)
        stage = {
            "argv": [os.fsencode(word) for word in words],
            "env": {k.encode(): v.encode() for k, v in environment.items()},
            "cwd": (where := _directory(client, cwd, session["home"])),
            "on": list(on),
            "cores": cores,
            "memory_bytes": memory_bytes,
            "io": _DETACHED
            if detach
            else {
                fd: ["tty"] if console is not None and console.is_terminal(fd) else ["fd", fd]
                for fd in (0, 1, 2)
            },
        }
        if restore is not None:
            stage["restore"] = os.path.join(where, os.fsencode(restore))
            words = (f"--restore {restore}",)
        spec = {"sid": session["sid"], "stages": [stage], "wait": not no_wait}
        if detach:
            spec["policy"] = {
                "restart": restart or "never",
                "restarts_max": restarts_max,
                "window_s": window_s,
                "checkpoint_s": checkpoint_s,
            }
        if dry_run:
            (answer,) = client.call("plan", spec)
            if "errno" in answer:
                print(_refusal(words[0], answer).lines(), file=sys.stderr)
                return int(answer["status"])
            print("\n".join(visible(line) for line in answer["why"]))
            return 0
        job = None
        if console is not None:
            job = console.new_job(foreground=True)
            spec["job"] = console.wire(job, foreground=True)
        with _told_if_it_waits(socket_path, session["sid"]):
            (answer,) = client.call("spawn", spec, fds=() if detach else (0, 1, 2))
        if "errno" in answer:
            print(_refusal(words[0], answer).lines(), file=sys.stderr)
            if console is not None:
                console.close()
            return int(answer["status"])
        pid = answer["pid"]
        if detach:
            print(pid)
            return 0

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
