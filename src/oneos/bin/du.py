#!/usr/bin/env python3
"""Usage: du [-abcDHhkLmPs] [-d N] [FILE]...

Write how much room each FILE takes, with all below it; the current directory by default.

  -a  of files, too, not only directories   -s  only the sums   -c  a total   -d N  so deep
  -h  for people   -k, -m  in units of 1024 bytes (default), of a mebibyte
  -L  what links lead to   -D, -H  what links on the command line lead to   -P  neither (default)
  -b  the bytes in the files, in place of the room they take   -0  NUL ends a line
"""

import os
import sys

# --- common part: the same in every utility; tests/unit/bin/test_common_part.py keeps it so ---
NAME = os.path.basename(sys.argv[0])
_out = bytearray()


class Usage(Exception):
    """The command line is wrong; the text says how."""


class Failure(Exception):
    """Nothing more can be done. The text says why; an exit status may follow it."""


class Helped(Exception):
    """--help was asked for and is written."""


class OutputFailed(Exception):
    """Standard output takes no more; the cause is its argument."""


def warn(text: str) -> None:
    """Say one line on standard error; a file name in it keeps its bytes, whatever the encoding."""
    try:
        os.write(2, os.fsencode(f"{NAME}: {text}\n"))
    except OSError:
        pass


def send(data: bytes | bytearray) -> None:
    """Write to standard output at once, past the buffer."""
    try:
        done = os.write(1, data)
        while done < len(data):
            done += os.write(1, data[done:])
    except OSError as error:
        raise OutputFailed(error) from None


def put(data: bytes) -> None:
    """Write to standard output through the buffer."""
    _out.extend(data)
    if len(_out) >= 65536:
        flush()


def flush() -> None:
    """Hand the buffer to the system."""
    if _out:
        data = bytes(_out)
        _out.clear()
        send(data)


def options(
    argv: list[str], short: str, long: dict[str, str], permute: bool = True
) -> tuple[list[tuple[str, str]], list[str]]:
    """Part options from operands as getopt_long(3) does.

    Args:
        short: the letters; one that takes a value is followed by a colon.
        long: long names and the letter each stands for, or a word of its own, which ends in `=`
            if it takes a value and in `?` if it may.
        permute: whether options may follow operands.
    """
    found: list[tuple[str, str]] = []
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if len(name) > 1 and "help".startswith(name):
                put((__doc__ or "").lstrip().encode())
                raise Helped
            near = [name] if name in long else [n for n in long if n.startswith(name)]
            if len({long[n] for n in near}) != 1:
                raise Usage(f"{'ambiguous' if near else 'unrecognized'} option '{word}'")
            key = long[near[0]]
            if not equals and (key[-1] == "=" or key + ":" in short):
                value = next(words, "\0")
                if value == "\0":
                    raise Usage(f"option '--{near[0]}' requires an argument")
            elif equals and key[-1] not in "=?" and key + ":" not in short:
                raise Usage(f"option '--{near[0]}' doesn't allow an argument")
            found.append((key.rstrip("=?"), value))
        elif len(word) > 1 and word[0] == "-":
            at = 1
            while at < len(word):
                letter = word[at]
                at += 1
                if letter == ":" or letter not in short:
                    raise Usage(f"invalid option -- '{letter}'")
                value = ""
                if letter + ":" in short:
                    value = word[at:] or next(words, "\0")
                    at = len(word)
                    if value == "\0":
                        raise Usage(f"option requires an argument -- '{letter}'")
                found.append((letter, value))
        else:
            rest.append(word)
            if not permute:
                break
    rest.extend(words)
    return found, rest


def run(trouble: int = 1) -> None:
    """Run `main` and end with its status; every failure becomes one line and a status.

    Args:
        trouble: the status of a usage error and of a failed write.
    """
    # Python ignores these. A C program does not, and nor does what it starts.
    import _signal

    for number in (_signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)
    status = trouble
    try:
        try:
            status = main(sys.argv[1:])
        except Helped:
            status = 0
        except Usage as error:
            warn(f"{error}\nTry '{NAME} --help' for more information.")
        except Failure as error:
            warn(error.args[0])
            status = error.args[1] if len(error.args) > 1 else trouble
        except MemoryError:
            warn("memory exhausted")
        except OSError as error:
            name = f"{os.fsdecode(error.filename)}: " if error.filename is not None else ""
            warn(f"{name}{error.strerror}")
        flush()
        try:
            # A write may fail as late as here: closing is what commits a file.
            os.close(1)
        except OSError as error:
            if error.errno != 9:  # EBADF: it was closed from the start, and nothing was written.
                raise OutputFailed(error) from None
    except OutputFailed as error:
        cause = error.args[0]
        if isinstance(cause, BrokenPipeError):
            die(13)
        warn(f"write error: {cause.strerror}")
        status = status or trouble
    except KeyboardInterrupt:
        die(2)
    sys.exit(status)


def die(signum: int) -> None:
    """End by a signal, as a C program would that never caught it."""
    import _signal

    _signal.signal(signum, _signal.SIG_DFL)
    _signal.raise_signal(signum)


# --- end of the common part -----------------------------------------------------------------

LONG = {
    "all": "a",
    "bytes": "b",
    "apparent-size": "apparent-size",
    "total": "c",
    "max-depth": "d",
    "human-readable": "h",
    "summarize": "s",
    "null": "0",
    "dereference": "L",
    "dereference-args": "D",
    "no-dereference": "P",
}


class Count:
    """How to count, and what has been counted."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given = given.keys()
        self.files = "a" in given
        self.apparent = "b" in given or "apparent-size" in given
        self.unit = 1 if "b" in given else 1024 * 1024 if "m" in given else 1024
        self.depth = 1 << 30
        if "d" in given:
            if not given["d"].isdecimal():
                raise Usage(f"invalid maximum depth '{given['d']}'")
            self.depth = int(given["d"])
        if "s" in given:
            self.depth = 0
        self.end = b"\0" if "0" in given else b"\n"
        links = [key for key in given if key in "DHLP"]
        self.follow = links[-1] if links else "P"
        self.failed = False
        # A file with several names takes its room once.
        self.seen: set[tuple[int, int]] = set()

    def show(self, size: int, path: str) -> None:
        """One line."""
        text = human(size) if "h" in self.given else str(-(-size // self.unit))
        put(os.fsencode(f"{text}\t{path}") + self.end)

    def count(self, path: str, depth: int) -> int:
        """Bytes that a path takes; shown as the options say."""
        try:
            follow = self.follow == "L" or (self.follow in "DH" and not depth)
            facts = os.stat(path) if follow else os.lstat(path)
        except OSError as error:
            warn(f"cannot access '{path}': {error.strerror}")
            self.failed = True
            return 0
        directory = facts.st_mode & 0o170000 == 0o040000
        if (not directory and facts.st_nlink > 1) or not depth or self.follow == "L":
            key = (facts.st_dev, facts.st_ino)
            if key in self.seen:
                return 0
            self.seen.add(key)
        size = facts.st_size if self.apparent else facts.st_blocks * 512
        if directory:
            try:
                names = os.listdir(path)
            except OSError as error:
                warn(f"cannot read directory '{path}': {error.strerror}")
                self.failed = True
                names = []
            stem = path if path.endswith("/") else path + "/"
            for name in names:
                size += self.count(stem + name, depth + 1)
        if depth <= self.depth and (directory or self.files or not depth):
            self.show(size, path)
        return size


def human(size: int) -> str:
    """A size for people: rounded up, at most three digits and a unit."""
    if size < 1024:
        return str(size)
    unit, scale = 0, 1024
    while size >= scale * 1024 and unit < 6:
        unit += 1
        scale *= 1024
    tenths = -(-size * 10 // scale)
    if tenths < 100:
        return f"{tenths // 10}.{tenths % 10}{'KMGTPEZ'[unit]}"
    whole = -(-size // scale)
    if whole >= 1024 and unit < 6:
        return f"1.0{'KMGTPEZ'[unit + 1]}"
    return f"{whole}{'KMGTPEZ'[unit]}"


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    found, paths = options(argv, "abcd:DHhkLmPs0", LONG)
    count = Count(dict(found))
    if {"a", "s"} <= count.given:
        raise Usage("cannot both summarize and show all entries")
    total = sum([count.count(path, 0) for path in paths or ["."]])
    if "c" in count.given:
        count.show(total, "total")
    return 1 if count.failed else 0


if __name__ == "__main__":
    run()
