"""What the kernel is told of a file that it would serve by itself."""

import stat

from oneos.fuse import wire


def test_fifo_of_a_program_is_the_kernels_and_a_topic_is_not() -> None:
    fifo = stat.S_IFIFO | 0o644
    assert wire.shown_mode(fifo, 5) == fifo
    assert wire.shown_mode(fifo, wire.FACTS_SINCE) == stat.S_IFREG | 0o644
    assert wire.shown_mode(stat.S_IFCHR | 0o600, 5) == stat.S_IFREG | 0o600


def test_times_before_1970_reach_the_kernel() -> None:
    attributes = [stat.S_IFREG, 5, 1, 1, 0, 0, 0, -1, -wire.NANO, 3, 0, 0]
    fields = wire.ATTR.unpack(wire.pack_attr(attributes))
    assert fields[3:9] == (-1, -1, 0, wire.NANO - 1, 0, 3)
