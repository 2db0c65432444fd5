#!/usr/bin/env python3
"""Usage: seq [-w] [-s STRING] [-f FORMAT] [FIRST [STEP]] LAST

Write the numbers from FIRST (1) to LAST in steps of STEP (1), each on a line.

  -s STRING  between the numbers, in place of a line end   -w  all of one width, with zeros before
  -f FORMAT  as printf's %g, %f or %e
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

STEP = 20_000
TYPE_CHECKING = False
if TYPE_CHECKING:
    from decimal import Decimal


def number(word: str) -> "Decimal":
    """A decimal number, exactly as it was written."""
    import decimal

    try:
        value = decimal.Decimal(word)
        if value.is_nan() or "_" in word:
            raise ValueError
        return value
    except (ArithmeticError, ValueError):
        raise Usage(f"invalid floating point argument: '{word}'") from None


def put_integers(first: int, step: int, last: int, separator: str, width: int) -> bool:
    """Whole numbers, quickly; whether there was any."""
    numbers = range(first, last + (1 if step > 0 else -1), step)
    for at in range(0, len(numbers), STEP):
        piece = numbers[at : at + STEP]
        if width:
            text = separator.join([f"{n:0{width}d}" for n in piece])
        else:
            text = separator.join(map(str, piece))
        put(os.fsencode((separator if at else "") + text))
    return len(numbers) > 0


def form_of(text: str) -> str:
    """A FORMAT that has exactly one directive, and one that can show a fraction."""
    bare = text.replace("%%", "")
    at = bare.find("%")
    end = at + 1
    while at >= 0 and end < len(bare) and bare[end] in "-+ 0#'.123456789":
        end += 1
    if at < 0:
        raise Failure(f"format '{text}' has no % directive")
    if bare[end : end + 1] not in tuple("eEfFgGaA"):
        raise Failure(f"format '{text}' has unknown %{bare[end : end + 1]} directive")
    if "%" in bare[end:]:
        raise Failure(f"format '{text}' has too many % directives")
    return text


def main(argv: list[str]) -> int:
    # A negative number is no option.
    at = 0
    while at < len(argv) and argv[at][:1] == "-" and argv[at][1:2] not in "0123456789.":
        if argv[at] == "--":
            break
        at += 2 if argv[at] in ("-s", "-f", "--separator", "--format") else 1
    found, _ = options(
        list(argv[:at]),
        "s:f:w",
        {"separator": "s", "format": "f", "equal-width": "w"},
    )
    given = dict(found)
    words = argv[at + (argv[at : at + 1] == ["--"]) :]
    if not words:
        raise Usage("missing operand")
    if len(words) > 3:
        raise Usage(f"extra operand '{words[3]}'")
    separator = given.get("s", "\n")
    if all(word.lstrip("-").isdecimal() for word in words) and "f" not in given:
        whole = [int(word) for word in words]
        first = whole[0] if len(whole) > 1 else 1
        step = whole[1] if len(whole) > 2 else 1
        if step == 0:
            raise Usage(f"invalid Zero increment value: '{words[1]}'")
        width = 0
        if "w" in given:
            width = max(len(str(first)), len(str(whole[-1])))
        some = put_integers(first, step, whole[-1], separator, width)
        put(b"\n" if some else b"")
        return 0
    values = [number(word) for word in words]
    one = number("1")
    start, pace, last = values[0] if len(values) > 1 else one, one, values[-1]
    if len(values) > 2:
        pace = values[1]
    if not pace:
        raise Usage(f"invalid Zero increment value: '{words[1]}'")
    exponents = [value.as_tuple().exponent for value in (start, pace)]
    digits = max(0, *[-e for e in exponents if isinstance(e, int)], 0)
    room = 0
    if "w" in given:
        ends = [f"{value:.{digits}f}" for value in (start, last) if value.is_finite()]
        room = max(map(len, ends))
    shown = form_of(given["f"]) if "f" in given else ""
    count = 0
    value = start
    while value <= last if pace > 0 else value >= last:
        put(os.fsencode(separator) if count else b"")
        text = shown % float(value) if shown else f"{value:.{digits}f}"
        if room:
            sign = text[: text.startswith("-")]
            text = sign + text[len(sign) :].rjust(room - len(sign), "0")
        put(os.fsencode(text))
        count += 1
        value = start + count * pace
    put(b"\n" if count else b"")
    return 0


if __name__ == "__main__":
    run()
