#!/usr/bin/env python3
"""Usage: cut -b LIST | -c LIST | -f LIST [-d C] [-s] [OPTION]... [FILE]...

Write parts of the lines of each FILE, or of standard input.

  -b  bytes   -c  characters, which are bytes here as with cut(1)   -f  fields
  -d C  what parts fields (a tab)   -s  no line without a C   --complement  all but these
  --output-delimiter=STRING  between what is written   -z  NUL ends a line
A LIST is numbers and ranges: 1,3-5,-2,7-
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
    "bytes": "b",
    "characters": "c",
    "fields": "f",
    "delimiter": "d",
    "only-delimited": "s",
    "complement": "complement",
    "output-delimiter": "output-delimiter=",
    "zero-terminated": "z",
}
FAR = 1 << 62


def ranges(text: str, what: str) -> list[tuple[int, int]]:
    """The parts a LIST names, in order, from 0 and without the end; those that meet are one."""
    found = []
    for word in text.replace(" ", ",").split(","):
        low, dash, high = word.partition("-")
        if (low + high).strip("0123456789") or not low + high:
            kind = "byte/character position" if what == "byte" else "field value"
            if word == "-":
                raise Usage("invalid range with no endpoint: -")
            raise Usage(f"invalid {kind} '{word}'")
        first = int(low or 1)
        last = int(high) if high else FAR if dash else first
        if not first or not last:
            counted = "byte/character positions" if what == "byte" else "fields"
            raise Usage(f"{counted} are numbered from 1")
        if last < first:
            raise Usage("invalid decreasing range")
        found.append((first - 1, last))
    found.sort()
    merged = [found[0]]
    for low_at, high_at in found[1:]:
        # Ranges that touch stay apart, since a delimiter may come between them; overlaps do not.
        if low_at < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high_at, merged[-1][1]))
        else:
            merged.append((low_at, high_at))
    return merged


def inverted(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What the spans leave out."""
    done, at = [], 0
    for low, high in spans:
        if low > at:
            done.append((at, low))
        at = high
    return [*done, (at, FAR)] if at < FAR else done


def main(argv: list[str]) -> int:
    found, names = options(argv, "b:c:f:d:snz", LONG)
    given = dict(found)
    ways = given.keys() & {"b", "c", "f"}
    if not ways:
        raise Usage("you must specify a list of bytes, characters, or fields")
    if len([key for key, _ in found if key in ("b", "c", "f")]) > 1:
        raise Usage("only one list may be specified")
    way = ways.pop()
    if way != "f" and "d" in given:
        raise Usage("an input delimiter may be specified only when operating on fields")
    if way != "f" and "s" in given:
        raise Usage("suppressing non-delimited lines makes sense\n\tonly when operating on fields")
    mark = os.fsencode(given.get("d", "\t")) or b"\0"
    if len(mark) > 1:
        raise Usage("the delimiter must be a single character")
    spans = ranges(given[way], "field" if way == "f" else "byte")
    if "complement" in given:
        spans = inverted(spans)
    end = b"\0" if "z" in given else b"\n"
    joint = os.fsencode(given.get("output-delimiter", "")) if "output-delimiter" in given else None

    def fields(line: bytes) -> bytes | None:
        cells = line.split(mark)
        if len(cells) == 1:
            return None if "s" in given else line
        return (mark if joint is None else joint).join(
            [cell for low, high in spans for cell in cells[low:high]]
        )

    def octets(line: bytes) -> bytes:
        return (joint or b"").join([line[low:high] for low, high in spans if low < len(line)])

    part = fields if way == "f" else octets
    status = 0
    for name in names or ["-"]:
        rest = b""
        try:
            fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            while block := os.read(fd, BLOCK):
                lines = (rest + block).split(end)
                rest = lines.pop()
                cells = [cell for line in lines if (cell := part(line)) is not None]
                put(end.join(cells) + end if cells else b"")
                flush()
            if rest and (cell := part(rest)) is not None:
                put(cell + end)
            if fd:
                os.close(fd)
        except OSError as error:
            warn(f"{name}: {error.strerror}")
            status = 1
    return status


if __name__ == "__main__":
    run()
