"""What verbs that ask a Runtime have in common: `--socket`, `--json`, and the connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from oneos.cli import amounts
from oneos.local.address import default_socket
from oneos.local.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def socket_option(function: F) -> F:
    """Adds `--socket PATH`, the argument `socket_path`."""
    return click.option(
        "--socket",
        "socket_path",
        metavar="PATH",
        default=default_socket,
        type=click.Path(),
        help="The local socket of the Runtime to ask. Default: $ONEOS_SOCKET, else this host's.",
    )(function)


def json_option(function: F) -> F:
    """Adds `--json`, the argument `as_json`; docs/cli.md says what each verb prints."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON of a stable form (docs/cli.md)."
    )(function)


def ask(socket_path: str, op: str, *arguments: Any) -> Any:
    """One request to the Runtime.

    Raises:
        OneOSError: no Runtime answers, or it refuses.
    """
    with Client(socket_path) as client:
        return client.call(op, *arguments)


def seconds_option(_ctx: click.Context, _param: click.Parameter, text: str | None) -> float:
    """The callback of an option whose value is a time, as `10s` or `5m`; none is 0."""
    try:
        return amounts.seconds(text or "0")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def directory_option(function: F) -> F:
    """Adds `--dir DIR`, the argument `directory`: where a Runtime keeps everything."""
    return click.option(
        "--dir",
        "directory",
        metavar="DIR",
        default=_default_directory,
        type=click.Path(path_type=Path),
        callback=lambda _ctx, _param, value: value.absolute(),
        help="Where the Runtime keeps its data. Default: $ONEOS_DIR, else ~/.oneos.",
    )(function)


def _default_directory() -> Path:
    from oneos.config import default_directory  # What reads TOML is not needed to ask a Runtime.

    return default_directory()


def login_name() -> str:
    """Who uses this command: the login name on this host."""
    import getpass  # It brings termios and pwd, which most verbs do without.

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"
