#!/usr/bin/env python3
"""Usage: sha256sum [-btz] [FILE]...
   or: sha256sum -c [--quiet | --status] [--ignore-missing] [-w] [FILE]...

Write the SHA-256 of each FILE, or of standard input; with -c, check those that a FILE lists.

  -b  mark as binary   -t  as text (default)   -z  NUL ends a line   -w  warn of wrong lines
"""

import hashlib
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

BLOCK = 1024 * 1024
LONG = {
    "binary": "b",
    "text": "t",
    "check": "c",
    "zero": "z",
    "quiet": "quiet",
    "status": "status",
    "ignore-missing": "ignore-missing",
    "warn": "w",
    "tag": "tag",
    "strict": "strict",
}


def digest(name: str) -> str:
    """The SHA-256 of a file in hex. Raises OSError."""
    fd = 0 if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    try:
        state = hashlib.sha256()
        while block := os.read(fd, BLOCK):
            state.update(block)
        return state.hexdigest()
    finally:
        if fd:
            os.close(fd)


def check(listing: str, given: set[str]) -> bool:
    """Check the files of a listing; whether all are as they should be."""
    source = "standard input" if listing == "-" else listing
    try:
        fd = 0 if listing == "-" else os.open(listing, os.O_RDONLY | os.O_CLOEXEC)
        data = b""
        while block := os.read(fd, BLOCK):
            data += block
    except OSError as error:
        warn(f"{source}: {error.strerror}")
        return False
    wrong = missing = bad = good = 0
    for number, line in enumerate(os.fsdecode(data).splitlines(), 1):
        said, _, name = line.partition(" ")
        if len(said) != 64 or name[:1] not in (" ", "*") or said.strip("0123456789abcdefABCDEF"):
            bad += 1
            if "w" in given:
                warn(f"{source}: {number}: improperly formatted SHA256 checksum line")
            continue
        name = name[1:]
        try:
            fine = digest(name) == said.lower()
        except FileNotFoundError as error:
            if "ignore-missing" in given:
                continue
            warn(f"{name}: {error.strerror}")
            missing += 1
            put(os.fsencode(f"{name}: FAILED open or read\n") if "status" not in given else b"")
            continue
        except OSError as error:
            warn(f"{name}: {error.strerror}")
            missing += 1
            put(os.fsencode(f"{name}: FAILED open or read\n") if "status" not in given else b"")
            continue
        good += fine
        wrong += not fine
        if "status" not in given and not (fine and "quiet" in given):
            put(os.fsencode(f"{name}: {'OK' if fine else 'FAILED'}\n"))
    if good + wrong + missing == 0 and "ignore-missing" not in given:
        warn(f"{source}: no properly formatted checksum lines found")
        return False
    if "status" not in given:
        flush()
        if bad:
            warn(f"WARNING: {bad} line{'s are' if bad > 1 else ' is'} improperly formatted")
        if missing:
            warn(f"WARNING: {missing} listed file{'s' if missing > 1 else ''} could not be read")
        if wrong:
            warn(f"WARNING: {wrong} computed checksum{'s' if wrong > 1 else ''} did NOT match")
    if "ignore-missing" in given and not good and not wrong:
        warn(f"{source}: no file was verified")
        return False
    return not wrong and not missing and not (bad and "strict" in given)


def main(argv: list[str]) -> int:
    found, names = options(argv, "btczw", LONG)
    given = {key for key, _ in found}
    names = names or ["-"]
    if "c" in given:
        return 0 if all([check(name, given) for name in names]) else 1  # noqa: C419 - check all.
    status = 0
    for name in names:
        try:
            value = digest(name)
        except OSError as error:
            warn(f"{name}: {error.strerror}")
            status = 1
            continue
        if "tag" in given:
            line = f"SHA256 ({name}) = {value}"
        else:
            shown, mark = name, ""
            if "z" not in given and ("\n" in name or "\\" in name):
                shown = name.replace("\\", "\\\\").replace("\n", "\\n")
                mark = "\\"
            line = f"{mark}{value} {'*' if 'b' in given else ' '}{shown}"
        put(os.fsencode(line) + (b"\0" if "z" in given else b"\n"))
    return status


if __name__ == "__main__":
    run()
