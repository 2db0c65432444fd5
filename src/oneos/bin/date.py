#!/usr/bin/env python3
"""Usage: date [-u] [-d WHEN | -r FILE] [-I[SPEC] | -R | +FORMAT]

Write the time.

  -u  in UTC   -r FILE  when FILE was changed   -R  as in mail headers
  -I, -Ihours, -Iminutes, -Iseconds, -Ins  as ISO 8601   +FORMAT  as strftime(3); %N nanoseconds
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

LONG = {
    "utc": "u",
    "universal": "u",
    "date": "d",
    "reference": "r",
    "iso-8601": "iso?",
    "rfc-email": "R",
    "rfc-3339": "rfc-3339=",
}
ISO = {
    "": "%Y-%m-%d",
    "date": "%Y-%m-%d",
    "hours": "%Y-%m-%dT%H%:z",
    "minutes": "%Y-%m-%dT%H:%M%:z",
    "seconds": "%Y-%m-%dT%H:%M:%S%:z",
    "ns": "%Y-%m-%dT%H:%M:%S,%N%:z",
}


def moment(text: str, utc: bool) -> int:
    """Nanoseconds since 1970 that -d stands for."""
    try:
        if text == "now":
            return time.time_ns()
        if text.startswith("@"):
            whole, _, part = text[1:].partition(".")
            sign = -1 if whole.startswith("-") else 1
            return int(whole) * 10**9 + sign * int((part + "0" * 9)[:9])
        import datetime

        when = datetime.datetime.fromisoformat(text.replace(" UTC", "Z").replace(" GMT", "Z"))
        if utc and when.tzinfo is None:
            when = when.replace(tzinfo=datetime.UTC)
        return int(when.timestamp() // 1) * 10**9 + when.microsecond * 1000
    except (ValueError, OverflowError):
        raise Failure(f"invalid date '{text}'") from None


def shown(form: str, stamp_ns: int, utc: bool) -> str:
    """The time in a FORMAT; what GNU adds to strftime(3) is done here."""
    seconds, fraction = divmod(stamp_ns, 10**9)
    parts = time.gmtime(seconds) if utc else time.localtime(seconds)
    offset = 0 if utc else parts.tm_gmtoff
    sign, minutes = "-" if offset < 0 else "+", abs(offset) // 60
    done, at = [], 0
    while (percent := form.find("%", at)) >= 0:
        done.append(form[at:percent])
        end = percent + 1
        while end < len(form) and form[end] in "-_0^#:123456789":
            end += 1
        flags, letter = form[percent + 1 : end], form[end : end + 1]
        at = end + 1
        if letter == "N":
            width = int(flags.lstrip("0-_") or 9)
            done.append(f"{fraction:09d}"[:width])
        elif letter == "s":
            done.append(str(seconds))
        elif letter == "z":
            colon = ":" if ":" in flags else ""
            done.append(f"{sign}{minutes // 60:02d}{colon}{minutes % 60:02d}")
        elif letter == "Z":
            done.append("UTC" if utc else parts.tm_zone)
        elif letter == "P":
            done.append(time.strftime("%p", parts).lower())
        elif letter == "q":
            done.append(str((parts.tm_mon + 2) // 3))
        elif letter == "%":
            done.append("%")
        elif letter:
            text = time.strftime("%" + flags.replace(":", "") + letter, parts)
            done.append(text)
        else:
            done.append(form[percent:])
    return "".join(done) + form[at:]


def main(argv: list[str]) -> int:
    # -I takes its value without a space or not at all.
    argv = ["--iso-8601=" + word[2:] if word[:2] == "-I" else word for word in argv]
    found, words = options(argv, "ud:r:R", LONG)
    given = dict(found)
    utc = "u" in given
    if words and words[0][:1] != "+":
        if len(words) > 1:
            raise Usage(f"extra operand '{words[1]}'")
        raise Failure(f"invalid date '{words[0]}'; the clock is set by the host, not here")
    if len(words) > 1:
        raise Usage(f"extra operand '{words[1]}'")
    stamp_ns = time.time_ns()
    if "d" in given:
        stamp_ns = moment(given["d"], utc)
    elif "r" in given:
        try:
            stamp_ns = os.stat(given["r"]).st_mtime_ns
        except OSError as error:
            raise Failure(f"{given['r']}: {error.strerror}") from None
    form = "%a %b %e %H:%M:%S %Z %Y"
    if words:
        form = words[0][1:]
    elif "R" in given:
        form = "%a, %d %b %Y %H:%M:%S %z"
    elif "iso" in given:
        if given["iso"] not in ISO:
            raise Usage(f"invalid argument '{given['iso']}' for '--iso-8601'")
        form = ISO[given["iso"]]
    elif "rfc-3339" in given:
        form = ISO.get(given["rfc-3339"], "%Y-%m-%d").replace("T", " ").replace(",", ".")
    put(os.fsencode(shown(form, stamp_ns, utc)) + b"\n")
    return 0


if __name__ == "__main__":
    run()
