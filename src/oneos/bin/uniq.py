#!/usr/bin/env python3
"""Usage: uniq [-cdDuiz] [-f N] [-s N] [-w N] [INPUT [OUTPUT]]

Write one of each run of equal lines that stand next to each other.

  -c  with how often   -d  only those that repeat   -D  all that repeat   -u  only those that do not
  -i  either case   -f N  without the first N fields   -s N  without N characters   -w N  only N
  -z  NUL ends a line
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

BLOCK = 256 * 1024
LONG = {
    "count": "c",
    "repeated": "d",
    "all-repeated": "D",
    "unique": "u",
    "ignore-case": "i",
    "skip-fields": "f",
    "skip-chars": "s",
    "check-chars": "w",
    "zero-terminated": "z",
}


class Runs:
    """The run that is being read, and what to write of it."""

    def __init__(self, given: dict[str, str]) -> None:
        self.given = given
        self.fields = amount(given, "f", "number of fields to skip")
        self.chars = amount(given, "s", "number of bytes to skip")
        self.width = amount(given, "w", "number of bytes to compare") if "w" in given else -1
        self.end = b"\0" if "z" in given else b"\n"
        self.plain = not given.keys() & {"f", "s", "w", "i"}
        self.line = b""
        self.value = b""
        self.count = 0

    def compared(self, line: bytes) -> bytes:
        """The part of a line that counts."""
        if self.plain:
            return line
        at = 0
        for _ in range(self.fields):
            while at < len(line) and line[at] in b" \t":
                at += 1
            while at < len(line) and line[at] not in b" \t":
                at += 1
        part = line[at + self.chars :]
        part = part[: self.width] if self.width >= 0 else part
        return part.lower() if "i" in self.given else part

    def take(self, line: bytes) -> None:
        """One line."""
        value = self.compared(line)
        if self.count and value == self.value:
            self.count += 1
            if "D" in self.given:
                if self.count == 2:
                    put(self.line + self.end)
                put(line + self.end)
            return
        self.finish()
        self.line, self.value, self.count = line, value, 1

    def finish(self) -> None:
        """Write the run that has ended."""
        if not self.count or "D" in self.given:
            return
        if ("d" in self.given and self.count == 1) or ("u" in self.given and self.count > 1):
            return
        put(b"%7d " % self.count if "c" in self.given else b"")
        put(self.line + self.end)


def amount(given: dict[str, str], key: str, what: str) -> int:
    text = given.get(key, "0")
    if not text.isdecimal():
        raise Failure(f"{text}: invalid {what}")
    return int(text)


def main(argv: list[str]) -> int:
    found, names = options(argv, "cdDuif:s:w:z", LONG)
    runs = Runs(dict(found))
    if len(names) > 2:
        raise Usage(f"extra operand '{names[2]}'")
    if {"c", "D"} <= runs.given.keys():
        raise Usage("printing all duplicated lines and repeat counts is meaningless")
    source = 0
    try:
        if names and names[0] != "-":
            source = os.open(names[0], os.O_RDONLY | os.O_CLOEXEC)
        if len(names) > 1 and names[1] != "-":
            target = os.open(names[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            os.dup2(target, 1)
            os.close(target)
    except OSError as error:
        raise Failure(f"{error.filename}: {error.strerror}") from None
    rest = b""
    try:
        while block := os.read(source, BLOCK):
            lines = (rest + block).split(runs.end)
            rest = lines.pop()
            for line in lines:
                runs.take(line)
    except OSError as error:
        raise Failure(f"error reading '{names[0] if names else '-'}': {error.strerror}") from None
    if rest:
        runs.take(rest)
    runs.finish()
    return 0


if __name__ == "__main__":
    run()
