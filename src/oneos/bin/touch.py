#!/usr/bin/env python3
"""Usage: touch [-achm] [-r FILE] [-d WHEN] [-t STAMP] FILE...

Set the times of each FILE to now; make it, empty, if it is not there.

  -a  only the time of last use   -m  only that of last change   -c  make nothing
  -h  of a link itself, and make nothing
  -r FILE  take its times   -t [[CC]YY]MMDDhhmm[.ss]
  -d WHEN  `now`, `@SECONDS`, or a date as ISO 8601 writes it: 2026-01-31, 2026-01-31T12:00:00Z
"""

import os
import sys
import time

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

LONG = {"no-create": "c", "reference": "r", "date": "d", "time": "time=", "no-dereference": "h"}


def moment(text: str) -> int:
    """Nanoseconds since 1970 that -d stands for."""
    try:
        if text == "now":
            return time.time_ns()
        if text.startswith("@"):
            whole, _, part = text[1:].partition(".")
            sign = -1 if whole.startswith("-") else 1
            return int(whole) * 10**9 + sign * int((part + "0" * 9)[:9])
        import datetime

        words = text.replace(" UTC", "Z").replace(" GMT", "Z")
        when = datetime.datetime.fromisoformat(words)
        return int(when.timestamp()) * 10**9 + when.microsecond * 1000
    except (ValueError, OverflowError):
        raise Failure(f"invalid date format '{text}'") from None


def stamp(text: str) -> int:
    """Nanoseconds since 1970 that -t stands for, in local time."""
    digits, dot, seconds = text.partition(".")
    if dot and (len(seconds) != 2 or not seconds.isdecimal()):
        raise Failure(f"invalid date format '{text}'")
    if not digits.isdecimal() or len(digits) not in (8, 10, 12):
        raise Failure(f"invalid date format '{text}'")
    if len(digits) == 8:
        year = time.localtime().tm_year
    elif len(digits) == 10:
        year = int(digits[:2]) + (1900 if int(digits[:2]) >= 69 else 2000)
    else:
        year = int(digits[:4])
    month, day, hour, minute = [int(digits[-8:][at : at + 2]) for at in (0, 2, 4, 6)]
    try:
        import datetime

        when = datetime.datetime(year, month, day, hour, minute, int(seconds or "0"))
        return int(when.timestamp()) * 10**9
    except ValueError:
        raise Failure(f"invalid date format '{text}'") from None


def touch(path: str, create: bool, use: int | None, change: int | None, follow: bool) -> None:
    """Set the times of one file; those that are not given stay."""
    try:
        if use is None or change is None:
            facts = os.stat(path, follow_symlinks=follow)
            use = facts.st_atime_ns if use is None else use
            change = facts.st_mtime_ns if change is None else change
        os.utime(path, ns=(use, change), follow_symlinks=follow)
    except FileNotFoundError:
        if not create:
            return
        if not follow:
            raise
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o666)
        os.close(fd)
        if use is not None or change is not None:
            facts = os.stat(path)
            os.utime(
                path,
                ns=(
                    facts.st_atime_ns if use is None else use,
                    facts.st_mtime_ns if change is None else change,
                ),
            )


def main(argv: list[str]) -> int:
    found, paths = options(argv, "acd:fhmr:t:", LONG)
    given = dict(found)
    which = {key for key, _ in found if key in ("a", "m")}
    for key, value in found:
        if key == "time":
            names = {"access": "a", "atime": "a", "use": "a", "modify": "m", "mtime": "m"}
            if value not in names:
                raise Usage(f"invalid argument '{value}' for '--time'")
            which.add(names[value])
    if not paths:
        raise Usage("missing file operand")
    if len(given.keys() & {"d", "r", "t"}) > 1 and "t" in given:
        raise Usage("cannot specify times from more than one source")
    use = change = time.time_ns()
    if "r" in given:
        try:
            facts = os.stat(given["r"])
        except OSError as error:
            message = f"failed to get attributes of '{given['r']}': {error.strerror}"
            raise Failure(message) from None
        use, change = facts.st_atime_ns, facts.st_mtime_ns
    if "d" in given:
        use = change = moment(given["d"])
    if "t" in given:
        use = change = stamp(given["t"])
    status = 0
    for path in paths:
        try:
            both = not which
            touch(
                path,
                "c" not in given,
                use if both or "a" in which else None,
                change if both or "m" in which else None,
                "h" not in given,
            )
        except OSError as error:
            warn(f"cannot touch '{path}': {error.strerror}")
            status = 1
    return status


if __name__ == "__main__":
    run()
