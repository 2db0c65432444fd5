"""`oneos umount`: takes a mount of the tree away."""

from __future__ import annotations

import errno
import os

import click

from oneos.errors import UserError
from oneos.local.mounted import mounts


@click.command("umount")
@click.option("--lazy", is_flag=True, help="Also while programs use it: it is gone from sight.")
@click.argument("directory", metavar="DIR", type=click.Path())
def command(lazy: bool, directory: str) -> None:
    """End a mount that `oneos mount` made.

    \b
    Example:
      oneos umount /mnt/net
    """
    from oneos.fuse.mount import unmount

    # Without a look at what is there, which a dead mount does not answer.
    above, name = os.path.split(os.path.abspath(directory))
    directory = os.path.join(os.path.realpath(above), name)
    if not any(found.path == os.fsencode(directory) for found in mounts()):
        raise UserError(f"the tree is not mounted at {directory}")
    try:
        unmount(directory, lazily=lazy)
    except OSError as error:
        hint = "programs use it; see which: fuser -m DIR; or: oneos umount --lazy DIR"
        if error.errno != errno.EBUSY:
            hint = "do it as the user who mounted it"
        raise UserError(f"{directory}: {error.strerror}", hint=hint) from None
