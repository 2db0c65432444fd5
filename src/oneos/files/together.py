"""Small files that are committed together: one sweep of each disk, and one record for all.

Only what is cheap that way is done here; a file that is long, changes meanwhile or fails in any way
is left to be committed by itself, which tells what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oneos.files.copies import Copies
from oneos.files.home import Home, Stored
from oneos.limits import CHUNKS_AHEAD_BYTES_MAX, SMALL_FILE_BYTES_MAX
from oneos.storage.backing import BackingStore

TOGETHER_MAX = CHUNKS_AHEAD_BYTES_MAX // SMALL_FILE_BYTES_MAX
"""Files of one sweep: what is sent to another host at once, were all of them as long as may be."""


async def store_together(
    backing: BackingStore, copies: Copies, homes: Sequence[tuple[Home, int]]
) -> list[tuple[Home, int, Stored]]:
    """Cut files as they are now, and have enough hosts hold them.

    Args:
        homes: whose locks the caller holds, at most `TOGETHER_MAX`; and how many hosts shall hold
            each, 0 for as many as usual.

    Returns:
        Those for which this was done.

    Raises:
        OneOSError: the disk refuses.
    """
    stored = []
    for group in _by_targets(copies, homes):
        promise = copies.promise
        first = group[0]
        with copies.ahead(first.chooses, first.home.inode.copies, first.wanted) as ahead:
            cuts = await backing.cut_small([one.home.inode.ino for one in group], ahead.offer)
            for home, wanted, chooses in group:
                inode = home.inode
                cut = cuts.get(inode.ino)
                if cut is None:
                    continue
                held = await copies.spread(
                    chooses, cut.digests, inode.copies, ahead, promise, wanted
                )
                content = (cut.size, cut.mtime_ns, tuple(cut.digests))
                stored.append((home, wanted, Stored(*content, tuple(held), tuple(held.values()))))
    return stored


class _One(NamedTuple):
    """A file, how many hosts shall hold it, and the number by which they are chosen."""

    home: Home
    wanted: int
    chooses: int


def _by_targets(copies: Copies, homes: Iterable[tuple[Home, int]]) -> list[list[_One]]:
    """Files in groups that go to the same hosts. Those that nobody holds yet all go to one's."""
    groups: dict[tuple[str, ...], list[_One]] = {}
    new: dict[int, int] = {}
    for home, wanted in homes:
        inode = home.inode
        chooses = inode.ino if inode.copies else new.setdefault(wanted, inode.ino)
        targets = copies.first_targets(chooses, inode.copies, wanted)
        groups.setdefault(tuple(targets), []).append(_One(home, wanted, chooses))
    return list(groups.values())
