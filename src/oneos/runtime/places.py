"""Where in the tree the network keeps what is of programs."""

LOGS = b"/var/log/programs"
"""The output of programs that nobody waits for, a file each."""

CHECKPOINTS = b"/var/lib/oneos/checkpoints"
"""The states that programs go on from, a file each."""


def log_of(pid: int) -> bytes:
    """The log of a program that nobody waits for."""
    return LOGS + b"/%d.log" % pid


def checkpoint_of(pid: int, name: str) -> bytes:
    """The file with a program's part of a checkpoint."""
    return CHECKPOINTS + b"/%d.%s" % (pid, name.encode())
