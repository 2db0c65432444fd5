"""`oneos cp`: files between this host and the tree, in either direction.

Decides what goes where; `copying` does it, and `local.transfer` copies each file.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence

import click

from oneos.cli.copying import Copying, Item, Shown, Sides
from oneos.cli.options import json_option, login_name, socket_option
from oneos.errors import OneOSError, UserError
from oneos.local.client import Client
from oneos.local.sides import HostSide, TreeSide


@click.command("cp")
@click.option("-r", "-R", "--recursive", is_flag=True, help="Directories with all in them.")
@click.option("-p", "--preserve", is_flag=True, help="Keep modes and times.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.option("--anew", is_flag=True, help="Copy all, also what is there already.")
@json_option
@socket_option
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... DEST", type=click.Path())
def command(
    recursive: bool,
    preserve: bool,
    quiet: bool,
    anew: bool,
    as_json: bool,
    socket_path: str,
    paths: tuple[str, ...],
) -> int:
    """Copy files between this host and the tree.

    A path that begins with a colon is the tree's: `:/srv/data`, or from your home there `:data`;
    the others are this host's (`./:x` for a name that begins with one). Given again after it was
    interrupted, the command goes on where it stopped: it compares what is there. Symbolic links are
    copied as links with -r.

    \b
    Examples:
      oneos cp report.csv :/home/alice/
      oneos cp -rp photos music :/srv/media
      oneos cp -r :/srv/media/photos .
    """
    if len(paths) < 2:
        raise UserError("cp: there is no DEST", hint="oneos cp SOURCE... DEST; :PATH is the tree's")
    *sources, dest = paths
    inward = _direction(sources, dest)
    with Client(socket_path) as client:
        home = _home(client) if any(p[0] == ":" and p[1:2] != "/" for p in paths if p) else b"/"
        tree = TreeSide(client)
        main = Sides(HostSide(), tree) if inward else Sides(tree, HostSide())
        copying = Copying(socket_path, main, inward, keep=preserve, anew=anew)
        raw = [_path(path, home) for path in paths]
        items = list(_planned(main, raw[:-1], raw[-1], recursive, copying))
        with Shown(copying, items, quiet or as_json):
            status = copying.run(items)
    if as_json:
        click.echo(json.dumps(copying.report()))
    return status


def _direction(sources: Sequence[str], dest: str) -> bool:
    """True: into the tree. Raises UserError where both sides are one."""
    inward = dest.startswith(":")
    for path in sources:
        if path.startswith(":") != inward:
            continue
        if inward:
            hint = "within the tree: oneos run cp ..."
            raise UserError(f"cp: {path} and {dest} are both in the tree", hint=hint)
        hint = "a path of the tree begins with a colon: oneos cp x :/home/alice/"
        raise UserError(f"cp: {path} and {dest} are both on this host", hint=hint)
    return inward


def _home(client: Client) -> bytes:
    home: bytes = client.call("session", {"user": login_name()})["home"]
    return home


def _path(path: str, home: bytes) -> bytes:
    if path.startswith(":"):
        return os.path.join(home, os.fsencode(path[1:]))
    return os.fsencode(path)


def _planned(
    sides: Sides, sources: Sequence[bytes], dest: bytes, recursive: bool, copying: Copying
) -> Iterator[Item]:
    """All there is to copy, a directory before what is in it."""
    shown = os.fsdecode(sides.dest.label + dest)
    into = sides.dest.look(dest, follow=True)
    is_directory = into is not None and into.is_directory
    if not is_directory and (len(sources) > 1 or (dest.endswith(b"/") and not recursive)):
        raise UserError(f"cp: {shown} is no directory", hint="make it first, or name a file")
    for old in sources:
        try:
            found = sides.source.look(old, follow=not recursive)
        except (OSError, OneOSError) as error:
            copying.failed(old, error)
            continue
        if found is None:
            copying.failed(old, UserError("No such file or directory"))
            continue
        if found.is_directory and not recursive:
            copying.failed(old, UserError("is a directory: copy it with -r"))
            continue
        if not recursive:
            old = sides.source.resolve(old)
        name = os.path.basename(old.rstrip(b"/"))
        inside = is_directory and name not in (b"", b".", b"..")
        new = os.path.join(dest, name) if inside else dest.rstrip(b"/") or b"/"
        yield from _below(sides, Item(old, new, found), copying)


def _below(sides: Sides, item: Item, copying: Copying) -> Iterator[Item]:
    kind = stat.S_IFMT(item.found.mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        copying.failed(item.old, UserError("is neither file, directory nor link: not copied"))
        return
    yield item
    if kind != stat.S_IFDIR:
        return
    try:
        names = list(sides.source.list(item.old))
    except (OSError, OneOSError) as error:
        copying.failed(item.old, error)
        return
    for name, found in names:
        yield from _below(
            sides, Item(os.path.join(item.old, name), os.path.join(item.new, name), found), copying
        )
