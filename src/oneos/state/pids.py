"""Numbers of programs: which of them the log gives, and which a host's own kernel does.

The kernel knows numbers below 2^22. The log gives those below 2^20, one after the other. Of the
rest each host has a block, from which its kernel numbers what programs start without asking
anybody; so a number says by itself which host to ask for it. Pure, as all that the log decides.
"""

from __future__ import annotations

from collections.abc import Collection

from oneos.limits import PID_BLOCK, PID_BLOCKS, PID_FIRST, PID_LOGGED_END

NO_BLOCK = -1
"""Of a host that arrived before there were blocks, or that says it needs none."""


def next_free(wanted: int, used: Collection[int]) -> int:
    """The first number of the log's that is free, from `wanted` on and then from the start.

    Args:
        wanted: where to begin.
        used: fewer numbers than the log has to give.
    """
    while True:
        if not PID_FIRST <= wanted < PID_LOGGED_END:
            wanted = PID_FIRST
        if wanted not in used:
            return wanted
        wanted += 1


def free_block(taken: Collection[int]) -> int:
    """The lowest block that no host has; NO_BLOCK where all are taken."""
    return next((block for block in range(PID_BLOCKS) if block not in taken), NO_BLOCK)


def first_of(block: int) -> int:
    """The first number of a block."""
    return PID_LOGGED_END + block * PID_BLOCK


def block_of(pid: int) -> int:
    """The block that a number lies in; NO_BLOCK for the log's own, and for what is no number."""
    if not PID_LOGGED_END <= pid < first_of(PID_BLOCKS):
        return NO_BLOCK
    return (pid - PID_LOGGED_END) // PID_BLOCK
