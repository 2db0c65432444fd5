#!/usr/bin/env python3
"""Usage: rm [-dfIirv] [FILE]...

Remove the FILEs.

  -f  no question, no error for what is not there   -r, -R  directories with all in them
  -i  ask before each   -I  ask once before many or a whole tree   -d  empty directories, too
  -v  say what was removed
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

LONG = {
    "force": "f",
    "recursive": "r",
    "dir": "d",
    "verbose": "v",
    "interactive": "interactive?",
    "preserve-root": "preserve?",
    "no-preserve-root": "all",
    "one-file-system": "x",
}


class Way:
    """How to remove, and whether everything went well so far."""

    def __init__(self, given: set[str]) -> None:
        self.force = "f" in given
        self.tree = "r" in given
        self.empty = "d" in given
        self.ask = "i" in given
        self.verbose = "v" in given
        self.ask_locked = not self.force and os.isatty(0)
        self.failed = False


def agrees(question: str) -> bool:
    """Whether the person at standard input says yes."""
    flush()
    os.write(2, os.fsencode(f"{NAME}: {question} "))
    answer = b""
    while not answer.endswith(b"\n") and (byte := os.read(0, 1)):
        answer += byte
    return answer[:1] in (b"y", b"Y")


def remove(path: str, way: Way) -> bool:
    """Remove one name with all below it; whether it is gone."""
    try:
        facts = os.lstat(path)
    except OSError as error:
        if way.force and isinstance(error, FileNotFoundError | NotADirectoryError):
            return True
        return complain(path, error, way)
    directory = facts.st_mode & 0o170000 == 0o040000
    if directory and not way.tree and not way.empty:
        warn(f"cannot remove '{path}': Is a directory")
        way.failed = True
        return False
    if directory and way.tree and not empty_out(path, way):
        return False
    locked = (
        facts.st_mode & 0o170000 != 0o120000 and way.ask_locked and not os.access(path, os.W_OK)
    )
    if (way.ask or locked) and not agrees(f"remove {kind(facts, locked)} '{path}'?"):
        return False
    try:
        if directory:
            os.rmdir(path)
        else:
            os.unlink(path)
    except OSError as error:
        return complain(path, error, way)
    if way.verbose:
        put(os.fsencode(f"removed {'directory ' if directory else ''}'{path}'\n"))
    return True


def empty_out(path: str, way: Way) -> bool:
    """Remove all in a directory; whether everything is gone."""
    try:
        names = os.listdir(path)
    except OSError:
        names = []  # One that cannot be read may yet be empty; removing it will tell.
    if names and way.ask and not agrees(f"descend into directory '{path}'?"):
        return False
    stem = path if path.endswith("/") else path + "/"
    gone = True
    for name in names:
        gone = remove(stem + name, way) and gone
    return gone


def kind(facts: os.stat_result, locked: bool) -> str:
    """What a question calls it."""
    name = {0o040000: "directory", 0o120000: "symbolic link", 0o020000: "character special file"}
    word = name.get(
        facts.st_mode & 0o170000, "regular file" if facts.st_size else "regular empty file"
    )
    return f"write-protected {word}" if locked else word


def complain(path: str, error: OSError, way: Way) -> bool:
    """Report why `path` is still there."""
    warn(f"cannot remove '{path}': {error.strerror}")
    way.failed = True
    return False


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    found, paths = options(argv, "dfIiRrvx", LONG)
    given: set[str] = set()
    for key, value in found:
        if key == "interactive":
            key = {"never": "f", "no": "f", "once": "I", "always": "i", "yes": "i", "": "i"}.get(
                value, ""
            )
            if not key:
                raise Usage(f"invalid argument '{value}' for '--interactive'")
        if key in ("f", "i", "I"):
            given -= {"f", "i", "I"}
        given.add("r" if key == "R" else key)
    if not paths:
        if "f" in given:
            return 0
        raise Usage("missing operand")
    way = Way(given)
    if "I" in given and (len(paths) > 3 or way.tree):
        what = f"{len(paths)} argument{'s' if len(paths) > 1 else ''}"
        if not agrees(f"remove {what}{' recursively' if way.tree else ''}?"):
            return 0
    for path in paths:
        last = path.rstrip("/").rpartition("/")[2]
        if way.tree and last in (".", ".."):
            warn(f"refusing to remove '.' or '..' directory: skipping '{path}'")
            way.failed = True
        elif way.tree and "all" not in given and os.path.realpath(path) == "/":
            warn(f"it is dangerous to operate recursively on '{path}'")
            warn("use --no-preserve-root to override this failsafe")
            way.failed = True
        else:
            remove(path, way)
    return 1 if way.failed else 0


if __name__ == "__main__":
    run()
