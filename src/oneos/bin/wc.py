#!/usr/bin/env python3
"""Usage: wc [-clmwL] [FILE]...

Count lines, words and bytes of each FILE or of standard input, and the total of several.

  -c  bytes   -m  characters   -l  lines   -w  words   -L  length of the longest line
Words are parted by ASCII white space. A character is what UTF-8 takes for one.
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
LONG = {"bytes": "c", "chars": "m", "lines": "l", "words": "w", "max-line-length": "L"}
CONTINUATION = bytes(range(0x80, 0xC0))
SPACE = b" \t\n\v\f\r"


def width(line: bytes) -> int:
    """Columns of a line, with a stop each eight for tabs."""
    if b"\t" not in line:
        return len(line.translate(None, CONTINUATION)) - sum(line.count(c) for c in (b"\r", b"\0"))
    text = line.decode("utf-8", "replace").replace("\r", "").replace("\0", "")
    return len(text.expandtabs(8))


def count(fd: int, wanted: set[str]) -> dict[str, int]:
    """The wanted counts of everything that `fd` yields."""
    sums = dict.fromkeys("lwmcL", 0)
    in_word = False
    line = b""
    if wanted == {"c"} and (size := size_left(fd)) is not None:
        sums["c"] = size
        return sums
    while block := os.read(fd, BLOCK):
        sums["c"] += len(block)
        if "l" in wanted:
            sums["l"] += block.count(b"\n")
        if "w" in wanted:
            sums["w"] += len(block.split()) - (in_word and block[0] not in SPACE)
            in_word = block[-1] not in SPACE
        if "m" in wanted:
            sums["m"] += len(block) if block.isascii() else len(block.translate(None, CONTINUATION))
        if "L" in wanted:
            first, *others = block.replace(b"\f", b"\n").split(b"\n")
            for part in (line + first, *others):
                sums["L"] = max(sums["L"], width(part))
            line = others[-1] if others else line + first
    return sums


def size_left(fd: int) -> int | None:
    """Bytes between here and the end of a regular file; nothing for what has no size to trust."""
    facts = os.fstat(fd)
    # The files of /proc say that they are empty, and are not.
    if facts.st_mode & 0o170000 != 0o100000 or facts.st_size == 0:
        return None
    return max(0, facts.st_size - os.lseek(fd, 0, os.SEEK_CUR))


def main(argv: list[str]) -> int:
    found, names = options(argv, "clmwL", LONG)
    wanted = {key for key, _ in found} or {"l", "w", "c"}
    status = 0
    rows: list[tuple[dict[str, int], str]] = []
    digits = 1
    streams = False
    for name in names or [""]:
        sums = dict.fromkeys("lwmcL", 0)
        try:
            fd = 0 if name in ("", "-") else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            warn(f"{name}: {error.strerror}")
            status = 1
            continue
        try:
            facts = os.fstat(fd)
            streams = streams or facts.st_mode & 0o170000 != 0o100000
            digits = max(digits, facts.st_size)
            sums = count(fd, wanted)
        except OSError as error:
            warn(f"{name or '-'}: {error.strerror}")
            status = 1
        if fd:
            os.close(fd)
        rows.append((sums, name))
    if len(names) > 1:
        total = {key: sum(sums[key] for sums, _ in rows) for key in "lwmc"}
        total["L"] = max((sums["L"] for sums, _ in rows), default=0)
        rows.append((total, "total"))
        digits = max(digits, total["c"])
    # GNU's columns: as wide as the sum of the sizes, or seven where sizes are not known.
    single = len(wanted) == 1 and len(names) <= 1
    columns = 1 if single else max(len(str(digits)), 7 if streams else 1)
    for sums, name in rows:
        cells = [f"{sums[key]:{columns}d}" for key in "lwmcL" if key in wanted]
        put(os.fsencode(" ".join([*cells, name] if name else cells)) + b"\n")
    return status


if __name__ == "__main__":
    run()
