#!/usr/bin/env python3
"""Usage: realpath [-eELmPqsz] [--relative-to=DIR] [--relative-base=DIR] FILE...

Write the full name of each FILE, without links, `.` and `..`.

  -e  all of it must be there   -E  all but the last part (default)   -m  nothing need be there
  -L  `..` takes off a name, also that of a link   -P  takes off what the link led to (default)
  -s  leave links as they are   -q  no errors   -z  NUL ends a line
  --relative-to=DIR  as seen from there   --relative-base=DIR  the same for what is below it
"""

import errno
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

LONG = {
    "canonicalize": "E",
    "canonicalize-existing": "e",
    "canonicalize-missing": "m",
    "logical": "L",
    "physical": "P",
    "quiet": "q",
    "strip": "s",
    "no-symlinks": "s",
    "zero": "z",
    "relative-to": "relative-to=",
    "relative-base": "relative-base=",
}
NONE = "''"
MISSING = {"e": "none", "E": "last", "m": "any"}


def canonical(path: str, missing: str) -> str:
    """The absolute path without links, `.` and `..`.

    Args:
        missing: what need not be there: "none", "last" or "any".
    """
    todo = path.split("/")[::-1]
    at = "/" if path[:1] == "/" else os.getcwd()
    links = 0
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        full = at + name if at.endswith("/") else f"{at}/{name}"
        try:
            mode = os.lstat(full).st_mode & 0o170000
        except OSError as error:
            last = missing == "last" and error.errno == errno.ENOENT and not any(todo)
            if missing != "any" and not last:
                raise
            at = full
            continue
        if mode == 0o120000 and missing == "any" and links == 40:
            at = full
        elif mode == 0o120000:
            links += 1
            if links > 40:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(full)
            at = "/" if target[:1] == "/" else at
            todo += target.split("/")[::-1]
        elif mode != 0o040000 and todo and missing != "any":
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        else:
            at = full
    return at


class Way:
    """How names are resolved."""

    def __init__(self, found: list[tuple[str, str]]) -> None:
        given = {key for key, _ in found}
        self.missing = (
            MISSING[[key for key, _ in found if key in MISSING][-1:][0]]
            if (given & MISSING.keys())
            else "last"
        )
        kinds = [key for key, _ in found if key in ("L", "P", "s")]
        self.kind = kinds[-1] if kinds else "P"

    def resolve(self, path: str) -> str:
        """The full name; OSError where something is missing."""
        if not path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if self.kind == "P":
            return canonical(path, self.missing)
        plain = os.path.normpath(os.path.join(os.getcwd(), path))
        plain = "/" + plain.lstrip("/")
        # What is said of missing parts holds here, too.
        real = canonical(plain + ("/" if path.endswith("/") else ""), self.missing)
        return plain if self.kind == "s" else real


def below(path: str, base: str) -> bool:
    return base == "/" or path == base or path.startswith(base + "/")


def main(argv: list[str]) -> int:
    found, paths = options(argv, "eELmPqsz", LONG)
    given = dict(found)
    if not paths:
        raise Usage("missing operand")
    way = Way(found)
    places: dict[str, str] = {}
    for key in ("relative-to", "relative-base"):
        if key in given:
            try:
                places[key] = way.resolve(given[key])
            except OSError as error:
                raise Failure(f"{given[key]}: {error.strerror}") from None
            if way.missing == "none" and not os.path.isdir(places[key]):
                raise Failure(f"{given[key]}: {os.strerror(errno.ENOTDIR)}")
    base = places.get("relative-base")
    start = places.get("relative-to", base)
    if base is not None and start is not None and not below(start, base):
        start = base = None
    end = b"\0" if "z" in given else b"\n"
    status = 0
    for path in paths:
        try:
            full = way.resolve(path)
        except OSError as error:
            status = 1
            if "q" not in given:
                warn(f"{path or NONE}: {error.strerror}")
            continue
        if start is not None and (base is None or below(full, base)):
            full = os.path.relpath(full, start)
        put(os.fsencode(full) + end)
    return status


if __name__ == "__main__":
    run()
