"""Which descriptors of this process a test left open, as far as they can be its own."""

import os


def open_ends(sockets: bool = False) -> set[str]:
    """The pipes, files and devices that are open now, each by what it is.

    A set and not a count: tests that ran before leave garbage whose descriptors the collector
    closes at any time. Sockets are left out where a client of the engine is about, which replaces
    its connection whenever a server was slow; pipes tell of a stream's connection all the same, it
    has one each.
    """
    ends = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            ends.add(f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:
            continue  # The one that the listing itself had open.
    return {end for end in ends if sockets or " socket:" not in end}
