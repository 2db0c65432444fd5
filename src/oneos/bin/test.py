#!/usr/bin/env python3
"""Usage: test EXPRESSION
   or: [ EXPRESSION ]

Say by the status whether the EXPRESSION holds: 0 if so, 1 if not, 2 if it is none.

  -n S  S is not empty   -z S  S is empty   S = T, S != T, S < T, S > T  strings
  N -eq M, -ne, -lt, -le, -gt, -ge  whole numbers
  -e F  it is there   -f file  -d directory  -b -c device  -p FIFO  -L -h link  -S socket
  -s F  it is not empty   -r -w -x F  may be read, written, run   -u -g -k F  mode bits
  -O -G F  is ours   -N F  changed since read   F -nt G newer, -ot older, -ef same   -t N  terminal
  ! E  not   E -a F  and   E -o F  or   ( E )
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

KINDS = {
    "f": 0o100000,
    "d": 0o040000,
    "b": 0o060000,
    "c": 0o020000,
    "p": 0o010000,
    "S": 0o140000,
}
NUMBERS = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"}
BINARY = {"=", "==", "!=", "<", ">", "-nt", "-ot", "-ef"} | NUMBERS
UNARY = {"-" + letter for letter in "nzefdbcpLhSsrwxugkOGNt"}


def integer(word: str) -> int:
    """A whole number, as test(1) takes it."""
    text = word.strip(" \t\n")
    bare = text[1:] if text[:1] in ("-", "+") else text
    if not bare.isdecimal() or not bare.isascii():
        raise Failure(f"invalid integer '{word}'", 2)
    return int(text)


def facts_of(path: str, follow: bool = True) -> os.stat_result | None:
    try:
        return os.stat(path) if follow else os.lstat(path)
    except OSError:
        return None


def unary(sign: str, word: str) -> bool:
    """What an operator says of one word."""
    letter = sign[1]
    if letter in "nz":
        return bool(word) == (letter == "n")
    if letter == "t":
        return os.isatty(integer(word)) if integer(word) < 1 << 31 else False
    if letter in "rwx":
        return os.access(word, {"r": os.R_OK, "w": os.W_OK, "x": os.X_OK}[letter])
    facts = facts_of(word, letter not in "Lh")
    if facts is None:
        return False
    if letter in KINDS:
        return facts.st_mode & 0o170000 == KINDS[letter]
    match letter:
        case "L" | "h":
            return facts.st_mode & 0o170000 == 0o120000
        case "s":
            return facts.st_size > 0
        case "u" | "g" | "k":
            return bool(facts.st_mode & {"u": 0o4000, "g": 0o2000, "k": 0o1000}[letter])
        case "O":
            return facts.st_uid == os.geteuid()
        case "G":
            return facts.st_gid == os.getegid()
        case "N":
            return facts.st_mtime_ns > facts.st_atime_ns
    return True


def binary(one: str, sign: str, two: str) -> bool:
    """What an operator says of two words."""
    if sign in ("=", "=="):
        return one == two
    if sign == "!=":
        return one != two
    if sign in ("<", ">"):
        first, second = os.fsencode(one), os.fsencode(two)
        return first < second if sign == "<" else first > second
    if sign in NUMBERS:
        low, high = integer(one), integer(two)
        return {
            "-eq": low == high,
            "-ne": low != high,
            "-lt": low < high,
            "-le": low <= high,
            "-gt": low > high,
            "-ge": low >= high,
        }[sign]
    left, right = facts_of(one), facts_of(two)
    if sign == "-ef":
        return left is not None and right is not None and os.path.samestat(left, right)
    before, after = (left, right) if sign == "-ot" else (right, left)
    if after is None:
        return False
    return before is None or after.st_mtime_ns > before.st_mtime_ns


class Parser:
    """An expression of more than four words: POSIX leaves it open, GNU's grammar is taken."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.at = 0

    def peek(self, ahead: int = 0) -> str | None:
        at = self.at + ahead
        return self.words[at] if at < len(self.words) else None

    def take(self) -> str:
        if self.at >= len(self.words):
            raise Failure(f"missing argument after '{self.words[-1]}'", 2)
        self.at += 1
        return self.words[self.at - 1]

    def either(self) -> bool:
        value = self.both()
        while self.peek() == "-o":
            self.at += 1
            value = self.both() or value
        return value

    def both(self) -> bool:
        value = self.term()
        while self.peek() == "-a":
            self.at += 1
            value = self.term() and value
        return value

    def term(self) -> bool:
        if self.peek() == "!":
            self.at += 1
            return not self.term()
        if self.peek(1) in BINARY and self.peek(2) is not None:
            one, sign, two = self.take(), self.take(), self.take()
            return binary(one, sign, two)
        if self.peek() == "(":
            self.at += 1
            value = self.either()
            if self.peek() != ")":
                raise Failure("')' expected", 2)
            self.at += 1
            return value
        word = self.take()
        if word in UNARY and self.peek() is not None:
            return unary(word, self.take())
        return word != ""


def holds(words: list[str]) -> bool:
    """The value of an expression: up to four words as POSIX says."""
    if not words:
        return False
    if len(words) == 1:
        return words[0] != ""
    if words[0] == "!" and len(words) in (2, 3, 4) and not (len(words) == 3 and words[1] in BINARY):
        return not holds(words[1:])
    if len(words) == 2:
        if words[0] not in UNARY:
            raise Failure(f"'{words[0]}': unary operator expected", 2)
        return unary(words[0], words[1])
    if len(words) == 3:
        if words[1] in BINARY:
            return binary(words[0], words[1], words[2])
        if words[1] == "-a":
            return words[0] != "" and words[2] != ""
        if words[1] == "-o":
            return words[0] != "" or words[2] != ""
        if words[0] == "(" and words[2] == ")":
            return words[1] != ""
        raise Failure(f"'{words[1]}': binary operator expected", 2)
    if len(words) == 4 and words[0] == "(" and words[3] == ")":
        return holds(words[1:3])
    parser = Parser(words)
    value = parser.either()
    if parser.peek() is not None:
        raise Failure(f"extra argument '{parser.peek()}'", 2)
    return value


def main(argv: list[str]) -> int:
    if NAME == "[":
        if argv == ["--help"]:
            options(argv, "", {})
        if argv[-1:] != ["]"]:
            raise Failure("missing ']'", 2)
        argv = argv[:-1]
    return 0 if holds(argv) else 1


if __name__ == "__main__":
    run(2)
