"""`oneos mount`: the tree on this host, for any program of it."""

from __future__ import annotations

import errno
import os
import stat
import sys

import click

from oneos.cli.options import socket_option
from oneos.errors import UserError
from oneos.local.mounted import mounts


@click.command("mount")
@click.option("--read-only", is_flag=True, help="Nothing can be changed through it.")
@socket_option
@click.argument("directory", metavar="DIR", type=click.Path())
def command(read_only: bool, socket_path: str, directory: str) -> int:
    """Show the tree in a directory of this host, for any program, until Ctrl-C or `oneos umount`.

    It takes /dev/fuse and root, or the program fusermount3. When the Runtime stops, the mount goes.

    \b
    Example:
      oneos mount /mnt/net &
      gimp /mnt/net/home/alice/photo.jpg
    """
    from oneos.fuse import mount as fuse  # What serves a kernel is not needed to say no.

    above, name = os.path.split(os.path.abspath(directory))
    directory = os.path.join(os.path.realpath(above), name)
    _make_free(directory)

    def ready() -> None:
        how = " read-only" if read_only else ""
        print(f"the tree is at {directory}{how}; Ctrl-C or `oneos umount {directory}` ends it")
        sys.stdout.flush()

    why = fuse.serve(os.path.abspath(socket_path), directory, read_only, ready)
    if why is not None:
        raise UserError(f"{directory} is unmounted: {why}", hint="oneos up, and mount it again")
    return 0


def _make_free(directory: str) -> None:
    """See that it is a directory, and without what a killed mount has left. Raises UserError."""
    from oneos.fuse import mount as fuse

    try:
        is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise UserError(f"{directory}: {error.strerror}", hint=f"mkdir {directory}") from None
        fuse.unmount(directory, lazily=True)
        is_directory = os.path.isdir(directory)
    if not is_directory:
        raise UserError(f"{directory}: Not a directory")
    if any(found.path == os.fsencode(os.path.realpath(directory)) for found in mounts()):
        hint = f"unmount it first: oneos umount {directory}"
        raise UserError(f"the tree is mounted at {directory} already", hint=hint)
