"""`oneos env`: the packages that were installed for programs on this host."""

from __future__ import annotations

import sys

import click
from click.shell_completion import CompletionItem

from oneos.cli.display import print_json, print_table, since, size
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import OneOSError
from oneos.local.address import default_socket


@click.group("env")
def command() -> None:
    """Show or remove the packages installed for programs on this host.

    A program that says what it needs (requirements.txt, pyproject.toml, inline metadata,
    package.json) gets it installed once on each host where it runs.

    \b
    Example:
      oneos env ls
      oneos env rm --all
    """


@command.command("ls")
@socket_option
@json_option
def ls(socket_path: str, as_json: bool) -> None:
    """List the environments of this host, the last used first.

    \b
    Example:
      oneos env ls
    """
    environments = ask(socket_path, "environments")
    if as_json:
        print_json(environments)
        return
    print_table(
        ["KEY", "KIND", ">SIZE", ">USED", "IN USE", "FOR", "PACKAGES"],
        [
            [
                e["key"],
                e["kind"],
                size(e["bytes"]),
                since(e["used"]),
                e["in_use"],
                e["program"],
                e["packages"],
            ]
            for e in environments
        ],
    )


def _complete_key(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    try:
        known = ask(ctx.params.get("socket_path") or default_socket(), "environments")
    except OneOSError:
        return []
    return [
        CompletionItem(e["key"], help=e["program"])
        for e in known
        if e["key"].startswith(incomplete) and not e["in_use"]
    ]


@command.command("rm")
@click.argument("keys", metavar="[KEY]...", nargs=-1, shell_complete=_complete_key)
@click.option("--all", "every", is_flag=True, help="All that no program uses.")
@socket_option
@json_option
def rm(keys: tuple[str, ...], every: bool, socket_path: str, as_json: bool) -> None:
    """Remove environments of this host; a program that needs one gets it anew.

    \b
    Example:
      oneos env rm 3f2a9c0b11d4e8f7a6c5b4d3e2f1a0b9
      oneos env rm --all
    """
    if bool(keys) == every:
        raise click.UsageError("name environments by their keys, or --all")
    if every:
        keys = tuple(e["key"] for e in ask(socket_path, "environments") if not e["in_use"])
    for key in keys:
        ask(socket_path, "environment_remove", key)
    if as_json:
        print_json({"removed": list(keys)})
    else:
        print(f"oneos: environments removed: {len(keys)}", file=sys.stderr)
