#!/usr/bin/env python3
"""Usage: echo [-neE] [STRING]...

Write the STRINGs to standard output, separated by spaces, and a new line.

  -n  no new line at the end   -e  backslash escapes have their meaning   -E  they have none
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

ESCAPES = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}


def escaped(text: str) -> tuple[bytes, bool]:
    """The text with its escapes carried out, and whether `\\c` said to stop here."""
    done = bytearray()
    at = 0
    while (slash := text.find("\\", at)) >= 0 and slash + 1 < len(text):
        done += os.fsencode(text[at:slash])
        letter = text[slash + 1]
        at = slash + 2
        if letter == "c":
            return bytes(done), True
        if letter in ESCAPES:
            done += ESCAPES[letter].encode()
        elif letter in "01234567" or (letter == "x" and text[at : at + 1] in HEX):
            base, digits, most = (16, HEX, 2) if letter == "x" else (8, "01234567", 3)
            start = at - 1 if letter in "1234567" else at
            at = start
            while at < len(text) and at - start < most and text[at] in digits:
                at += 1
            done.append(int(text[start:at] or "0", base) & 255)
        else:
            done += os.fsencode("\\" + letter)
    return bytes(done + os.fsencode(text[at:])), False


HEX = tuple("0123456789abcdefABCDEF")


def main(argv: list[str]) -> int:
    if argv == ["--help"]:
        options(argv, "", {})
    escapes, end = False, b"\n"
    while argv and len(argv[0]) > 1 and argv[0][0] == "-" and not set(argv[0][1:]) - set("neE"):
        for letter in argv.pop(0)[1:]:
            if letter == "n":
                end = b""
            else:
                escapes = letter == "e"
    text = " ".join(argv)
    if escapes:
        data, stop = escaped(text)
        put(data if stop else data + end)
    else:
        put(os.fsencode(text) + end)
    return 0


if __name__ == "__main__":
    run()
