#!/usr/bin/env python3
"""Usage: head [-n [-]NUMBER] [-c [-]NUMBER] [-qvz] [FILE]...

Write the first 10 lines of each FILE, or of standard input.

  -n NUMBER  so many lines; with a `-` before it, all but the last so many   -NUMBER  the same
  -c NUMBER  so many bytes; with a `-` before it, all but the last so many
  -q  never a header with the name   -v  always   -z  NUL ends a line
NUMBER may end in b (512), K, M, G, T (powers of 1024) or kB, MB, GB, TB (powers of 1000).
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
    "lines": "n",
    "bytes": "c",
    "quiet": "q",
    "silent": "q",
    "verbose": "v",
    "zero-terminated": "z",
}


def number(text: str, what: str) -> int:
    """A count with its unit."""
    digits = text.rstrip("bkKMGTPEBi")
    unit = text[len(digits) :]
    power = "KMGTPE".find(unit[:1].upper()) + 1 if unit else 0
    scale = 512 if unit == "b" else 1000**power if unit[1:] == "B" else 1024**power
    if not digits.isdecimal() or (unit != "b" and unit not in ("", *UNITS)):
        raise Failure(f"invalid number of {what}: '{text}'")
    return int(digits) * scale


UNITS = [u + end for u in "KkMGTPE" for end in ("", "B", "iB")]


def first_bytes(fd: int, left: int) -> None:
    """Put that many bytes and take no more than them."""
    while left > 0 and (block := os.read(fd, min(BLOCK, left))):
        left -= len(block)
        send(block)


def first_lines(fd: int, left: int, end: bytes) -> None:
    """Put that many lines; what was read beyond them is given back where that can be."""
    while left > 0 and (block := os.read(fd, BLOCK)):
        lines = block.count(end)
        if lines < left:
            left -= lines
            send(block)
            continue
        at = -1
        for _ in range(left):
            at = block.index(end, at + 1)
        send(block[: at + 1])
        try:
            os.lseek(fd, at + 1 - len(block), os.SEEK_CUR)
        except OSError:
            pass  # A pipe: what is read is read.
        return


def but_last_bytes(fd: int, kept: int) -> None:
    """Put all but the last bytes, as soon as they are known not to be the last."""
    held = b""
    while block := os.read(fd, BLOCK):
        held += block
        if len(held) > kept:
            send(held[: len(held) - kept])
            held = held[len(held) - kept :]


def but_last_lines(fd: int, kept: int, end: bytes) -> None:
    """Put all but the last lines; a last one without an end counts as a line."""
    held: list[bytes] = []
    part = b""
    while block := os.read(fd, BLOCK):
        lines = (part + block).split(end)
        part = lines.pop()
        held += lines
        # The unfinished line is only known to be one when more of it has come.
        most = len(held) - kept + (1 if part else 0)
        if most > 0:
            most = min(most, len(held))
            put(b"".join([line + end for line in held[:most]]))
            del held[:most]
            flush()
    send(b"" if kept else part)


def main(argv: list[str]) -> int:
    if argv and argv[0][:1] == "-" and argv[0][1:2].isdecimal():
        # The form of old: -5, -5c, -5q.
        word = argv[0][1:]
        digits = word.rstrip("bcklmqv")
        letters = word[len(digits) :]
        way = "-c" if set(letters) & set("cbkm") else "-n"
        unit = next((u for u in letters if u in "bkm"), "").replace("k", "K").replace("m", "M")
        flags = [f"-{letter}" for letter in letters if letter in "qv"]
        argv = [way, digits + unit, *flags, *argv[1:]]
    found, names = options(argv, "n:c:qvz", LONG)
    way, count, header, end = "n", "10", "", b"\n"
    for key, value in found:
        if key in "nc":
            way, count = key, value
        elif key == "z":
            end = b"\0"
        else:
            header = key
    most = number(count.lstrip("-"), "lines" if way == "n" else "bytes")
    status = 0
    shown = False
    for name in names or ["-"]:
        try:
            fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            warn(f"cannot open '{name}' for reading: {error.strerror}")
            status = 1
            continue
        if header == "v" or (len(names) > 1 and header != "q"):
            title = "standard input" if name == "-" else name
            put(os.fsencode(f"{'' if not shown else chr(10)}==> {title} <==\n"))
            shown = True
        flush()
        try:
            if count.startswith("-"):
                but_last_bytes(fd, most) if way == "c" else but_last_lines(fd, most, end)
            elif way == "c":
                first_bytes(fd, most)
            else:
                first_lines(fd, most, end)
        except OSError as error:
            warn(f"error reading '{name}': {error.strerror}")
            status = 1
        if fd:
            os.close(fd)
    return status


if __name__ == "__main__":
    run()
