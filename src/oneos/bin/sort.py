#!/usr/bin/env python3
"""Usage: sort [OPTION]... [FILE]...

Write the lines of all FILEs, or of standard input, in order. All lines are held in memory.

  -r  downwards   -u  one of equal lines   -o FILE  write there; it may be one of those read
  -n  by number   -g  by floating-point number   -h  by size, as 2K and 1G   -M  by month
  -V  by version   -f  as capitals   -b  without leading blanks   -d  blanks, letters, digits
  -i  only what prints   -s  leave equal lines as they came   -m  merge sorted files   -z  NUL ends
  -t C  fields are parted by C   -k F[.C][OPTS][,F[.C][OPTS]]  by this part of a line; repeatable
  -c, -C  do not sort, say whether the lines are in order; -C says it by the status alone
Bytes are compared as numbers, as in the C locale.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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

BLOCK = 1024 * 1024
LONG = {
    "reverse": "r",
    "unique": "u",
    "output": "o",
    "numeric-sort": "n",
    "general-numeric-sort": "g",
    "human-numeric-sort": "h",
    "month-sort": "M",
    "version-sort": "V",
    "ignore-case": "f",
    "ignore-leading-blanks": "b",
    "dictionary-order": "d",
    "ignore-nonprinting": "i",
    "stable": "s",
    "merge": "m",
    "zero-terminated": "z",
    "field-separator": "t",
    "key": "k",
    "check": "check?",
    "buffer-size": "S",
    "temporary-directory": "T",
    "parallel": "parallel=",
}
BLANKS = b" \t"
MONTHS = {
    name: at
    for at, name in enumerate(b"JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)
}
NOT_DICTIONARY = bytes(
    c for c in range(256) if not (chr(c).isalnum() and c < 128) and c not in b" \t"
)
NOT_PRINTING = bytes(c for c in range(256) if not 32 <= c < 127)
UNITS = b"KMGTPEZY"


def number(text: bytes) -> "Any":
    """The number that a text begins with; 0 if it begins with none. Exact, whatever its length."""
    text = text.lstrip(b" \t\n\v\f\r")
    negative = text[:1] == b"-"
    at = start = 1 if negative else 0
    while at < len(text) and 48 <= text[at] <= 57:
        at += 1
    whole = text[start:at]
    if text[at : at + 1] != b".":
        return -int(whole or 0) if negative else int(whole or 0)
    end = at + 1
    while end < len(text) and 48 <= text[end] <= 57:
        end += 1
    import decimal

    return decimal.Decimal(
        ("-" if negative else "")
        + (whole or b"0").decode()
        + "."
        + (text[at + 1 : end] or b"0").decode()
    )


def general(text: bytes) -> tuple[int, float]:
    """A floating-point number; what is none comes first, then what is not a number."""
    words = text.split(None, 1)
    word = words[0] if words else b""
    for end in range(min(len(word), 64), 0, -1):
        try:
            if b"_" in word[:end]:
                continue
            value = float(word[:end])
            return (1, 0.0) if value != value else (2, value)
        except ValueError:
            continue
    return (0, 0.0)


def human(text: bytes) -> "tuple[int, int, Any]":
    """A size with its unit: first by sign, then by unit, then by number."""
    text = text.lstrip(b" \t")
    at = 1 if text[:1] == b"-" else 0
    while at < len(text) and text[at] in b"0123456789.":
        at += 1
    value = number(text[:at])
    unit = UNITS.find(text[at : at + 1].upper()) + 1 if at < len(text) else 0
    sign = 0 if not value else -1 if text[:1] == b"-" else 1
    return sign, sign * unit, value


def month(text: bytes) -> int:
    """The number of a month, 0 for what is none."""
    return MONTHS.get(text.lstrip(b" \t")[:3].upper(), 0)


def version(text: bytes) -> "tuple[Any, ...]":
    """A version: runs of digits are numbers, letters come before other signs, `~` before all."""
    parts: list[Any] = []
    at = 0
    while at < len(text) or not parts:
        signs = []
        while at < len(text) and not 48 <= text[at] <= 57:
            code = text[at]
            letter = 65 <= code <= 90 or 97 <= code <= 122
            signs.append(-1 if code == 126 else code if letter else code + 256)
            at += 1
        start = at
        while at < len(text) and 48 <= text[at] <= 57:
            at += 1
        parts += [(*signs, 0), int(text[start:at] or 0)]
    # The end of a text comes before every sign but `~`.
    return (*parts, (0,))


WAYS = {"n": number, "g": general, "h": human, "M": month, "V": version}


class Key:
    """One key: which part of a line, compared in which way.

    Args:
        text: as after -k; empty for the whole line.
        default: the options of the command line, which hold for keys without their own.
    """

    def __init__(self, text: str, default: set[str]) -> None:
        self.whole = not text
        first, comma, last = text.partition(",")
        self.field, self.char, flags = position(first or "1", text, 1)
        self.last_field, self.last_char, last_flags = (
            position(last, text, 0) if comma else (0, 0, set())
        )
        own = flags | last_flags
        self.skip_start = "b" in (flags if own else default)
        self.skip_end = "b" in (last_flags if own else default)
        self.flags = own or default
        self.reverse = "r" in self.flags
        ways = [letter for letter in "nghMV" if letter in self.flags]
        if len(ways) > 1:
            raise Failure(f"options '-{''.join(sorted(ways))}' are incompatible")
        self.way = WAYS[ways[0]] if ways else None

    def part(self, line: bytes, separator: bytes) -> bytes:
        """The part of the line that is compared."""
        if self.whole:
            return line.lstrip(BLANKS) if "b" in self.flags else line
        spans = fields(line, separator)
        if self.field > len(spans):
            return b""
        start = spans[self.field - 1][0]
        if self.skip_start:
            start = past_blanks(line, start)
        start += self.char - 1
        end = len(line)
        if self.last_field and self.last_field <= len(spans):
            low, end = spans[self.last_field - 1]
            if self.last_char:
                low = past_blanks(line, low) if self.skip_end else low
                end = min(len(line), low + self.last_char)
        return line[start:end]

    def value(self, line: bytes, separator: bytes) -> "Any":
        """What Python is to compare."""
        part = self.part(line, separator)
        if self.way:
            return self.way(part)
        if "f" in self.flags:
            part = part.upper()
        if "d" in self.flags:
            part = part.translate(None, NOT_DICTIONARY)
        elif "i" in self.flags:
            part = part.translate(None, NOT_PRINTING)
        return part

    def sort(self, lines: list[bytes], separator: bytes) -> None:
        """Put the lines in the order of this key; equal ones stay as they are."""
        lines.sort(key=lambda line: self.value(line, separator), reverse=self.reverse)


def position(text: str, key: str, usual_char: int) -> tuple[int, int, set[str]]:
    """F[.C][OPTS]: field, character and options."""
    numbers = text.rstrip("bdfgiMhnrV")
    flags = set(text[len(numbers) :])
    field, dot, char = numbers.partition(".")
    if not field.isdecimal() or (dot and not char.isdecimal()):
        raise Failure(f"invalid field specification '{key}'")
    if int(field) == 0:
        raise Failure(f"field number is zero: invalid field specification '{key}'")
    return int(field), int(char) if dot else usual_char, flags


def fields(line: bytes, separator: bytes) -> list[tuple[int, int]]:
    """Where each field begins and ends. Without a separator, blanks before a field are its own."""
    spans = []
    start = 0
    if separator:
        while (end := line.find(separator, start)) >= 0:
            spans.append((start, end))
            start = end + 1
        return [*spans, (start, len(line))]
    while start < len(line):
        at = past_blanks(line, start)
        while at < len(line) and line[at] not in BLANKS:
            at += 1
        spans.append((start, at))
        start = at
    return spans or [(0, 0)]


def past_blanks(line: bytes, at: int) -> int:
    while at < len(line) and line[at] in BLANKS:
        at += 1
    return at


def read(names: list[str]) -> bytes:
    """All bytes of all files; each ends with a line end."""
    parts: list[bytes] = []
    for name in names:
        try:
            fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise Failure(f"cannot read: {name}: {error.strerror}") from None
        try:
            last = END
            while block := os.read(fd, BLOCK):
                parts.append(block)
                last = block[-1:]
            if last != END:
                parts.append(END)
        except OSError as error:
            raise Failure(f"read failed: {name}: {error.strerror}") from None
        if fd:
            os.close(fd)
    return b"".join(parts)


END = b"\n"


def plain_integers(data: bytes) -> bool:
    """Whether each line is a whole number in its only form, so that equal ones are equal lines."""
    zeros = data.startswith(b"0") or END + b"0" in data
    return (
        not zeros
        and END * 2 not in data
        and data[:1] != END
        and not data.translate(None, b"0123456789" + END)
    )


def write(lines: list[bytes], place: str | None) -> None:
    """Write the lines to a file, or to standard output, in large blocks."""
    step = 65536
    if place is None:
        for at in range(0, len(lines), step):
            put(END.join(lines[at : at + step]) + END)
            flush()
        return
    try:
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Failure(f"open failed: {place}: {error.strerror}") from None
    try:
        for at in range(0, len(lines), step):
            block = END.join(lines[at : at + step]) + END
            while block:
                block = block[os.write(fd, block) :]
        # The result is only there when this went well.
        os.close(fd)
    except OSError as error:
        raise Failure(f"write failed: {place}: {error.strerror}") from None


def check(lines: list[bytes], keys: list[Key], given: set[str], separator: bytes, name: str) -> int:
    """Whether the lines are in order; the first that is not is named."""
    strict = "u" in given
    last_resort = not strict and "s" not in given
    for at in range(1, len(lines)):
        verdict = compare(lines[at - 1], lines[at], keys, separator)
        if not verdict and last_resort:
            verdict = (lines[at - 1] > lines[at]) - (lines[at - 1] < lines[at])
            verdict = -verdict if "r" in given else verdict
        if verdict > 0 or (strict and verdict == 0):
            if "C" not in given:
                warn(f"{name}:{at + 1}: disorder: {os.fsdecode(lines[at])}")
            return 1
    return 0


def compare(one: bytes, two: bytes, keys: list[Key], separator: bytes) -> int:
    """As strcmp(3), by the keys."""
    for key in keys:
        first, second = key.value(one, separator), key.value(two, separator)
        if first != second:
            return -1 if (first < second) != key.reverse else 1
    return 0


def unique(lines: list[bytes], keys: list[Key], separator: bytes) -> list[bytes]:
    """The first of each run of lines whose keys are equal."""
    done: list[bytes] = []
    last: list[Any] | None = None
    for line in lines:
        values = [key.value(line, separator) for key in keys]
        if values != last:
            done.append(line)
            last = values
    return done


def main(argv: list[str]) -> int:
    global END
    sys.set_int_max_str_digits(0)
    found, names = options(argv, "bdfgiMhnrVcCmo:st:uzk:S:T:", LONG)
    given = {key for key, _ in found}
    for key, value in found:
        if key == "check":
            if value not in ("", "diagnose-first", "quiet", "silent"):
                raise Usage(f"invalid argument '{value}' for '--check'")
            given.add("C" if value in ("quiet", "silent") else "c")
    single = dict(found)
    separator = single.get("t", "")
    if "t" in single:
        separator = "\0" if separator == "\\0" else separator
        if not separator:
            raise Failure("empty tab")
        if len(os.fsencode(separator)) > 1:
            raise Failure(f"multi-character tab '{separator}'")
    cut = os.fsencode(separator)
    if "z" in given:
        END = b"\0"
    default = given & set("bdfgiMhnrV")
    keys = [Key(value, default) for key, value in found if key == "k"] or [Key("", default)]
    if given & {"c", "C"} and len(names) > 1:
        raise Failure(f"extra operand '{names[1]}' not allowed with -c")
    data = read(names or ["-"])
    lines = data.split(END)
    lines.pop()
    integers = "n" in default and plain_integers(data)
    del data
    if given & {"c", "C"}:
        return check(lines, keys, given, cut, names[0] if names else "-")
    down = "r" in given
    simple = len(keys) == 1 and keys[0].whole and keys[0].way is None and not default - {"r"}
    if simple:
        if "u" in given:
            lines = list(set(lines))
        lines.sort(reverse=down)
    elif integers and len(keys) == 1 and keys[0].whole:
        # The common case, several times as fast: each line is a number, and Python converts it.
        lines.sort(key=int, reverse=down)
        if "u" in given:
            lines = unique(lines, keys, cut)
    else:
        if not given & {"u", "s"}:
            # Equal keys: then the whole line decides. What is sorted last counts first.
            lines.sort(reverse=down)
        for part in reversed(keys):
            part.sort(lines, cut)
        if "u" in given:
            lines = unique(lines, keys, cut)
    write(lines, single.get("o"))
    return 0


if __name__ == "__main__":
    run(2)
