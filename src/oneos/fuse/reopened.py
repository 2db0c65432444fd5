"""The files that a program has open by number, opened again where it goes on.

Done by the child that then executes Node, since Node cannot choose a file's number. Node closes at
every execution what it was handed, but only up to the first number that nothing has: so all numbers
below the last one are taken, by files or by /dev/null, and the latter closed by Node's part of this
(`guest/node/moving/handed.js`). As the rest of `first.py` this runs in a bare interpreter.
"""

import os
import stat

CONTROL = 3
"""The socket of a program that can move."""

KEPT = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK | os.O_SYNC | os.O_DSYNC | os.O_NOATIME
"""Of a file's flags, those that say how it is used, and not how it was made."""

MEMORY_DEVICES = 1
"""The kernel's number of /dev/null, zero and their kind: device numbers, major."""


def reopen(files: "list[bytes]", first: int) -> None:
    """Have files open at their numbers; where one cannot be, say so on CONTROL and end.

    Args:
        files: for each its number, flags, position, inode (0: not known) and path, with spaces
            between. Without a path it is a copy of the number in the place of the position.
        first: the first number after those that are handed; what stands before replaces one.
    """
    numbers = {}
    try:
        last = max(first - 1, *(int(file.split(b" ", 1)[0]) for file in files))
        for file in files:
            number, fd = opened(file, first)
            if fd >= 0:
                numbers[number] = aside(fd, last + 1)
    except (OSError, ValueError) as error:
        refuse(f"a file that it has open cannot be opened here: {error}")
    for number in sorted(numbers.keys() & range(first)):
        os.dup2(numbers[number], number)
    for file in files:
        name, _, of, _, path = file.split(b" ", 4)
        if not path:
            os.dup2(int(of), int(name))
    null = aside(os.open(os.devnull, os.O_RDWR), last + 1)
    for number in range(first, last + 1):
        os.dup2(numbers.get(number, null), number)


def opened(file: bytes, first: int) -> "tuple[int, int]":
    """The number of a file, and the file; -1: it is a copy of another.

    Raises:
        OSError, ValueError: it is not to be had.
    """
    number, flags, position, inode, path = file.split(b" ", 4)
    if not path:
        return int(number), -1
    fd = os.open(path, int(flags) & KEPT | os.O_CLOEXEC)
    found = os.fstat(fd)
    is_memory = stat.S_ISCHR(found.st_mode) and os.major(found.st_rdev) == MEMORY_DEVICES
    shown = os.fsdecode(path)
    if not (stat.S_ISREG(found.st_mode) or is_memory or int(number) < first):
        raise ValueError(f"{shown} is no regular file")
    if int(inode) and found.st_ino != int(inode) and not is_memory:
        raise ValueError(f"{shown} is another file here")
    if stat.S_ISREG(found.st_mode):
        os.lseek(fd, int(position), os.SEEK_SET)
    return int(number), fd


def aside(fd: int, least: int) -> int:
    """`fd` at a number that is `least` or more."""
    return fd if fd >= least else aside(os.dup(fd), least)


def refuse(reason: str) -> None:
    """Say why the program cannot go on here, as Node would say it, and end."""
    import json  # Not before it is needed: it takes as long as a start.

    text = json.dumps({"reason": reason}).encode()
    os.write(CONTROL, b"n" + len(text).to_bytes(8, "little") + text)
    os._exit(1)
