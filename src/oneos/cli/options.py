"""What verbs that ask a Runtime have in common: `--socket`, `--json`, and the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

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
