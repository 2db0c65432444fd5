"""`oneos manifest`: the Initialization Manifest, as agreed on or as somebody wrote it."""

from __future__ import annotations

import click
import msgspec

from oneos.cli.display import print_json
from oneos.cli.options import ask, json_option, socket_option
from oneos.errors import UserError
from oneos.kernel.manifest import parse_manifest


@click.command("manifest")
@click.option(
    "--check",
    "path",
    type=click.Path(),
    metavar="FILE",
    help="Read FILE instead of asking the network, and say what is wrong with it.",
)
@socket_option
@json_option
def command(path: str | None, socket_path: str, as_json: bool) -> None:
    """Show the Initialization Manifest: the core services and the hosts each may run on.

    \b
    Example:
      oneos manifest > manifest.toml
      oneos manifest --check manifest.toml
    """
    if path is None:
        text, source = ask(socket_path, "manifest"), "the manifest of the network"
    else:
        text, source = _read(path), path
    if as_json or path is not None:
        manifest = parse_manifest(text, source)
        if as_json:
            print_json({"services": msgspec.to_builtins(manifest.services)})
        else:
            click.echo(f"{path}: {len(manifest.services)} services, nothing wrong")
        return
    click.echo(text, nl=not text.endswith("\n"))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8 text") from None
