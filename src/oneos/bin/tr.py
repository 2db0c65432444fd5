#!/usr/bin/env python3
"""Usage: tr [-cdst] SET1 [SET2]

Copy standard input to standard output, bytes of SET1 replaced by those of SET2.

  -d  take out those of SET1   -s  one of a run of those of the last set   -c  all but SET1
  -t  SET1 only as long as SET2
In a SET: a-z, [:alpha:] and the other classes, [=c=], [c*n], [c*], \\n \\t \\\\ \\NNN and so on.
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
LONG = {"complement": "c", "delete": "d", "squeeze-repeats": "s", "truncate-set1": "t"}
ESCAPES = {97: 7, 98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11, 92: 92}
UPPER, LOWER, DIGIT = range(65, 91), range(97, 123), range(48, 58)
CLASSES = {
    b"upper": [*UPPER],
    b"lower": [*LOWER],
    b"digit": [*DIGIT],
    b"alpha": [*UPPER, *LOWER],
    b"alnum": [*DIGIT, *UPPER, *LOWER],
    b"space": [9, 10, 11, 12, 13, 32],
    b"blank": [9, 32],
    b"punct": [c for c in range(33, 127) if not chr(c).isalnum()],
    b"print": [*range(32, 127)],
    b"graph": [*range(33, 127)],
    b"cntrl": [*range(32), 127],
    b"xdigit": [*DIGIT, *range(65, 71), *range(97, 103)],
}


def letters(text: bytes) -> list[tuple[int, bool]]:
    """The bytes of a SET, and whether each was escaped and so stands for itself."""
    done: list[tuple[int, bool]] = []
    at = 0
    while at < len(text):
        code = text[at]
        at += 1
        if code != 92 or at == len(text):
            done.append((code, False))
            continue
        end = at
        while end < len(text) and end < at + 3 and text[end] in b"01234567":
            end += 1
        if end > at:
            if int(text[at:end], 8) > 255:
                end -= 1
            done.append((int(text[at:end], 8), True))
            at = end
        else:
            done.append((ESCAPES.get(text[at], text[at]), True))
            at += 1
    return done


class Set:
    """A SET: its bytes in order, where `[c*]` may fill it up, and whether classes made it."""

    def __init__(self, text: bytes, second: bool) -> None:
        self.codes: list[int] = []
        self.fill = -1
        self.cases: dict[int, bytes] = {}
        signs = letters(text)
        raw = bytes([code for code, _ in signs])
        plain = bytes([0 if escaped else code for code, escaped in signs])
        at = 0
        while at < len(signs):
            if plain.startswith(b"[:", at) and (end := plain.find(b":]", at + 2)) >= 0:
                name = raw[at + 2 : end]
                if name not in CLASSES:
                    raise Failure(f"invalid character class '{os.fsdecode(name)}'")
                self.cases[len(self.codes)] = name
                self.codes += CLASSES[name]
                at = end + 2
            elif plain.startswith(b"[=", at) and plain.startswith(b"=]", at + 3):
                self.codes.append(raw[at + 2])
                at += 5
            elif (
                second
                and plain.startswith(b"[", at)
                and plain.startswith(b"*", at + 2)
                and (end := plain.find(b"]", at + 3)) >= 0
                and not plain[at + 3 : end].strip(b"0123456789")
            ):
                digits = plain[at + 3 : end].decode()
                count = int(digits, 8 if digits.startswith("0") else 10) if digits else 0
                if count:
                    self.codes += [raw[at + 1]] * count
                else:
                    self.fill = len(self.codes)
                    self.codes.append(raw[at + 1])
                at = end + 1
            elif plain.startswith(b"-", at + 1) and at + 2 < len(signs):
                low, high = raw[at], raw[at + 2]
                if high < low:
                    shown = os.fsdecode(bytes([low]) + b"-" + bytes([high]))
                    raise Failure(
                        f"range-endpoints of '{shown}' are in reverse collating sequence order"
                    )
                self.codes += range(low, high + 1)
                at += 3
            else:
                self.codes.append(raw[at])
                at += 1

    def stretch(self, size: int) -> None:
        """Make the set as long as the first one: by its `[c*]`, or else by its last byte."""
        if self.fill >= 0:
            code = self.codes[self.fill]
            self.codes[self.fill : self.fill + 1] = [code] * max(0, size - len(self.codes) + 1)
        elif self.codes:
            self.codes += [self.codes[-1]] * (size - len(self.codes))


def squeezed(data: bytes, codes: bytes, last: int) -> bytes:
    """The data with one byte for each run of one of the codes; `last` came before the data."""
    for code in codes:
        one = bytes([code])
        if one * 2 in data:
            # Halving the runs again and again costs less than looking at each byte.
            for length in (64, 8, 3, 2):
                while one * length in data:
                    data = data.replace(one * length, one)
    if data and data[0] == last and last in codes:
        data = data[1:]
    return data


def main(argv: list[str]) -> int:
    found, words = options(argv, "cCdst", LONG, permute=False)
    given = {"c" if key == "C" else key for key, _ in found}
    deletes, squeezes = "d" in given, "s" in given
    if not words:
        raise Usage("missing operand")
    needed = 2 if deletes == squeezes else 1
    if len(words) < needed:
        how = "deleting and squeezing repeats" if deletes else "translating"
        raise Usage(f"missing operand after '{words[-1]}'\nTwo strings must be given when {how}.")
    if len(words) > (1 if deletes and not squeezes else 2):
        raise Usage(f"extra operand '{words[-1]}'")
    first = Set(os.fsencode(words[0]), False)
    second = Set(os.fsencode(words[1]), True) if len(words) > 1 else None
    chosen = first.codes
    if "c" in given:
        inside = set(chosen)
        chosen = [code for code in range(256) if code not in inside]
    table = None
    removed = bytes(chosen) if deletes else b""
    if second is not None and not deletes:
        if not second.codes and "t" not in given:
            raise Failure("when not truncating set1, string2 must be non-empty")
        if "t" in given:
            chosen = chosen[: len(second.codes)]
        second.stretch(len(chosen))
        map_to = bytearray(range(256))
        for code, target in zip(chosen, second.codes, strict=False):
            map_to[code] = target
        table = bytes(map_to)
    runs = bytes(set(second.codes if second is not None else chosen)) if squeezes else b""
    last = -1
    try:
        while block := os.read(0, BLOCK):
            data = block.translate(table, removed)
            if runs and data:
                final = data[-1]
                data = squeezed(data, runs, last)
                last = final
            send(data)
    except OSError as error:
        raise Failure(f"read error: {error.strerror}") from None
    return 0


if __name__ == "__main__":
    run()
