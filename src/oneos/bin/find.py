#!/usr/bin/env python3
"""Usage: find [-HLP] [PATH]... [EXPRESSION]

Walk down from each PATH (the current directory), and write the names that the EXPRESSION picks.

  -name G, -iname G  the last part   -path G, -ipath G  the whole name   -type fdlpscb  kind
  -lname G, -ilname G  what a link says   -xtype  kind on the other side of a link
  -samefile F  another name of F
  -size [+-]N[cwbkMG]   -empty   -newer F   -mtime [+-]DAYS   -mmin [+-]MINUTES
  -perm [-/]MODE   -user U   -links N   -inum N   -true   -false
  -maxdepth N   -mindepth N   -depth
  -print   -print0   -printf FORMAT (%p %f %h %P %l %s %y %d %m %%)   -delete   -prune   -quit
  ! E, -not E   E F, E -a F   E -o F   ( E )
Names come sorted. Commands are not run: pipe the names into a shell loop in place of -exec.
"""

import fnmatch
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[["Entry"], bool]

KINDS = {
    0o100000: "f",
    0o040000: "d",
    0o120000: "l",
    0o010000: "p",
    0o140000: "s",
    0o020000: "c",
    0o060000: "b",
}
SIZES = {"c": 1, "w": 2, "b": 512, "k": 1024, "M": 1024**2, "G": 1024**3}


class Quit(Exception):
    """-quit: nothing more is looked at."""


class Entry:
    """One file that is looked at."""

    def __init__(self, path: str, start: str, depth: int, facts: os.stat_result) -> None:
        self.path = path
        self.start = start
        self.depth = depth
        self.facts = facts
        self.pruned = False

    @property
    def name(self) -> str:
        return self.path.rstrip("/").rpartition("/")[2] or "/"

    @property
    def kind(self) -> str:
        return KINDS.get(self.facts.st_mode & 0o170000, "?")


class Walk:
    """The options that hold for the whole walk, and whether it went well."""

    def __init__(self) -> None:
        self.follow = ""
        self.least, self.most = 0, 1 << 30
        self.depth_first = False
        self.acts = False
        self.failed = False
        self.now = time.time()

    def look(self, path: str, top: bool) -> os.stat_result:
        """What is at a path; links as -H, -L and -P say."""
        if self.follow == "L" or (self.follow == "H" and top):
            try:
                return os.stat(path)
            except FileNotFoundError:
                pass
        return os.lstat(path)

    def complain(self, path: str, error: OSError) -> None:
        flush()
        warn(f"'{path}': {error.strerror}")
        self.failed = True

    def visit(
        self, path: str, start: str, depth: int, check: "Check", above: "list[tuple[int, int]]"
    ) -> None:
        """Look at one file and, if it is a directory, at all below."""
        try:
            facts = self.look(path, not depth)
        except OSError as error:
            self.complain(path, error)
            return
        entry = Entry(path, start, depth, facts)
        within = depth >= self.least
        if within and not self.depth_first:
            check(entry)
        here = (facts.st_dev, facts.st_ino)
        if entry.kind == "d" and depth < self.most and not entry.pruned and here not in above:
            try:
                names = sorted(os.listdir(path), key=os.fsencode)
            except OSError as error:
                self.complain(path, error)
                names = []
            stem = path if path.endswith("/") else path + "/"
            for name in names:
                self.visit(stem + name, start, depth + 1, check, [*above, here])
        if within and self.depth_first:
            check(entry)


def compared(text: str, what: str) -> "tuple[str, int]":
    """`+N`, `-N` or `N`: the sign and the number."""
    sign = text[0] if text[:1] in ("+", "-") else ""
    if not text[len(sign) :].isdecimal():
        raise Failure(f"invalid argument '{text}' to '{what}'")
    return sign, int(text[len(sign) :])


def fits(value: int, sign: str, number: int) -> bool:
    return value > number if sign == "+" else value < number if sign == "-" else value == number


class Parser:
    """Builds one function out of the words of the EXPRESSION."""

    def __init__(self, words: list[str], walk: Walk) -> None:
        self.words = words
        self.at = 0
        self.walk = walk

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def value(self, what: str) -> str:
        """The word after an operator."""
        self.at += 1
        if self.at > len(self.words):
            raise Failure(f"missing argument to '{what}'")
        return self.words[self.at - 1]

    def either(self) -> "Check":
        checks = [self.both()]
        while self.peek() in ("-o", "-or"):
            self.at += 1
            checks.append(self.both())
        return checks[0] if len(checks) == 1 else lambda e: any(check(e) for check in checks)

    def both(self) -> "Check":
        checks = [self.term()]
        while self.peek() not in (None, "-o", "-or", ")"):
            if self.peek() in ("-a", "-and"):
                self.at += 1
            checks.append(self.term())
        return checks[0] if len(checks) == 1 else lambda e: all(check(e) for check in checks)

    def term(self) -> "Check":
        word = self.peek()
        if word is None:
            raise Failure("expected an expression after '" + self.words[self.at - 1] + "'")
        self.at += 1
        if word in ("!", "-not"):
            inner = self.term()
            return lambda e: not inner(e)
        if word == "(":
            inner = self.either()
            if self.peek() != ")":
                raise Failure("invalid expression; expected to find a ')'")
            self.at += 1
            return inner
        return self.primary(word)

    def primary(self, word: str) -> "Check":
        """One test or action."""
        walk = self.walk
        match word:
            case "-name" | "-iname" | "-path" | "-wholename" | "-ipath":
                return self.glob(word, self.value(word))
            case "-type":
                kinds = set(self.value(word).split(","))
                if not kinds or kinds - set(KINDS.values()):
                    raise Failure(f"Unknown argument to -type: {','.join(sorted(kinds))}")
                return lambda e: e.kind in kinds
            case "-size":
                text = self.value(word)
                unit = SIZES.get(text[-1:], 0)
                sign, number = compared(text[:-1] if unit else text, word)
                scale = unit or 512
                return lambda e: fits(-(-e.facts.st_size // scale), sign, number)
            case "-empty":
                return empty
            case "-newer":
                try:
                    moment = os.stat(self.value(word)).st_mtime_ns
                except OSError as error:
                    raise Failure(f"'{error.filename}': {error.strerror}") from None
                return lambda e: e.facts.st_mtime_ns > moment
            case "-mtime" | "-mmin":
                sign, number = compared(self.value(word), word)
                seconds = 86400 if word == "-mtime" else 60
                if word == "-mtime":
                    return lambda e: fits(
                        int((walk.now - e.facts.st_mtime) // seconds), sign, number
                    )
                return lambda e: fits(-int((e.facts.st_mtime - walk.now) // seconds), sign, number)
            case "-perm":
                return permissions(self.value(word))
            case "-user":
                user = self.value(word)
                number = int(user) if user.isdecimal() else user_number(user)
                return lambda e: e.facts.st_uid == number
            case "-links":
                sign, number = compared(self.value(word), word)
                return lambda e: fits(e.facts.st_nlink, sign, number)
            case "-lname" | "-ilname":
                form = self.value(word)
                return lambda e: says(e, form, word == "-ilname")
            case "-xtype":
                beyond = set(self.value(word).split(","))
                if beyond - set(KINDS.values()):
                    raise Failure(f"Unknown argument to -xtype: {','.join(sorted(beyond))}")
                return lambda e: across(e, walk) in beyond
            case "-samefile":
                name = self.value(word)
                try:
                    one = walk.look(name, True)
                except OSError as error:
                    raise Failure(f"'{name}': {error.strerror}") from None
                return lambda e: os.path.samestat(e.facts, one)
            case "-inum":
                sign, number = compared(self.value(word), word)
                return lambda e: fits(e.facts.st_ino, sign, number)
            case "-true":
                return lambda e: True
            case "-false":
                return lambda e: False
            case "-maxdepth" | "-mindepth":
                text = self.value(word)
                if not text.isdecimal():
                    raise Failure(f"Expected a positive decimal integer argument to {word}")
                if word == "-maxdepth":
                    walk.most = int(text)
                else:
                    walk.least = int(text)
                return lambda e: True
            case "-depth" | "-d":
                walk.depth_first = True
                return lambda e: True
            case "-prune":
                return prune
        return self.action(word)

    def glob(self, word: str, form: str) -> "Check":
        """A test of the name; in find's forms a `*` also stands for `/` and a leading dot."""
        if word.startswith("-i"):
            form = form.lower()
        if word.endswith("name") and word != "-wholename":
            if word == "-iname":
                return lambda e: fnmatch.fnmatchcase(e.name.lower(), form)
            return lambda e: fnmatch.fnmatchcase(e.name, form)
        if word == "-ipath":
            return lambda e: fnmatch.fnmatchcase(e.path.lower(), form)
        return lambda e: fnmatch.fnmatchcase(e.path, form)

    def action(self, word: str) -> "Check":
        """What is to be done with a file."""
        self.walk.acts = True
        match word:
            case "-print":
                return shown
            case "-print0":
                return lambda e: written(os.fsencode(e.path) + b"\0")
            case "-printf":
                form = self.value(word)
                return lambda e: written(os.fsencode(filled(form, e)))
            case "-delete":
                self.walk.depth_first = True
                return self.delete
            case "-quit":
                return leave
            case "-exec" | "-execdir" | "-ok" | "-okdir":
                raise Failure(f"{word} is not known here: pipe the names into a shell loop")
        raise Failure(f"unknown predicate '{word}'")

    def delete(self, entry: Entry) -> bool:
        """Remove the file; a failure is reported."""
        if entry.path in (".", ".."):
            return True
        try:
            if entry.kind == "d":
                os.rmdir(entry.path)
            else:
                os.unlink(entry.path)
        except OSError as error:
            flush()
            warn(f"cannot delete '{entry.path}': {error.strerror}")
            self.walk.failed = True
            return False
        return True


def written(data: bytes) -> bool:
    put(data)
    return True


def shown(entry: Entry) -> bool:
    return written(os.fsencode(entry.path) + b"\n")


def prune(entry: Entry) -> bool:
    entry.pruned = True
    return True


def leave(entry: Entry) -> bool:
    raise Quit


def empty(entry: Entry) -> bool:
    """Whether a file has no bytes or a directory no names."""
    if entry.kind == "d":
        try:
            return not os.listdir(entry.path)
        except OSError:
            return False
    return entry.kind == "f" and entry.facts.st_size == 0


def permissions(text: str) -> "Check":
    """-perm: exactly these bits, with `-` all of them, with `/` any."""
    way = text[:1] if text[:1] in ("-", "/") else ""
    digits = text[len(way) :]
    if not digits or digits.strip("01234567"):
        raise Failure(f"invalid mode '{text}': octal digits are known here")
    bits = int(digits, 8)
    if way == "-":
        return lambda e: e.facts.st_mode & bits == bits
    if way == "/":
        return lambda e: bool(e.facts.st_mode & bits) or not bits
    return lambda e: e.facts.st_mode & 0o7777 == bits


def user_number(name: str) -> int:
    """The number of a user by the tree's own /etc/passwd."""
    try:
        with open("/etc/passwd", "rb") as table:
            for row in table:
                cells = os.fsdecode(row).split(":")
                if cells[0] == name and len(cells) > 2 and cells[2].isdecimal():
                    return int(cells[2])
    except OSError:
        pass
    raise Failure(f"'{name}' is not the name of a known user")


def link_text(entry: Entry) -> str:
    """What a link says; nothing for what is none, or has gone."""
    try:
        return os.readlink(entry.path) if entry.kind == "l" else ""
    except OSError:
        return ""


def says(entry: Entry, form: str, fold: bool) -> bool:
    """Whether it is a link whose text is of the form."""
    text = link_text(entry)
    if fold:
        text, form = text.lower(), form.lower()
    return bool(text) and fnmatch.fnmatchcase(text, form)


def across(entry: Entry, walk: Walk) -> str:
    """The kind on the other side: where a link leads; of the link itself where links were
    followed on the way here, or where it leads to nothing."""
    try:
        facts = os.lstat(entry.path) if walk.follow == "L" else os.stat(entry.path)
    except FileNotFoundError:
        return entry.kind
    except OSError as error:
        walk.complain(entry.path, error)
        return ""
    return KINDS.get(facts.st_mode & 0o170000, "?")


def filled(form: str, entry: Entry) -> str:
    """The FORMAT of -printf filled in."""
    pairs = {"n": "\n", "t": "\t", "\\": "\\", "0": "\0", "r": "\r"}
    done, at = "", 0
    while at < len(form):
        letter = form[at : at + 1]
        follow = form[at + 1 : at + 2]
        if letter == "\\" and follow in pairs and follow:
            done += pairs[follow]
            at += 2
        elif letter == "%" and follow:
            values = {
                "p": entry.path,
                "f": entry.name,
                "h": entry.path.rpartition("/")[0] or ("." if "/" not in entry.path else "/"),
                "P": entry.path[len(entry.start) :].lstrip("/"),
                "l": link_text(entry),
                "s": str(entry.facts.st_size),
                "y": entry.kind,
                "d": str(entry.depth),
                "m": f"{entry.facts.st_mode & 0o7777:o}",
                "%": "%",
            }
            if follow not in values:
                raise Failure(f"-printf: %{follow} is not known here")
            done += values[follow]
            at += 2
        else:
            done += letter
            at += 1
    return done


def main(argv: list[str]) -> int:
    sys.setrecursionlimit(10_000)
    if argv == ["--help"] or argv == ["-help"]:
        options(["--help"], "", {})
    walk = Walk()
    at = 0
    while at < len(argv) and argv[at] in ("-H", "-L", "-P"):
        walk.follow = argv[at][1]
        at += 1
    paths = []
    while (
        at < len(argv)
        and argv[at] not in ("(", "!")
        and not (argv[at][:1] == "-" and argv[at] != "-")
    ):
        paths.append(argv[at])
        at += 1
    parser = Parser(argv[at:], walk)
    check: Check = lambda entry: True  # noqa: E731 - the empty expression.
    if parser.words:
        check = parser.either()
        if (left := parser.peek()) is not None:
            raise Failure(
                f"paths must precede expression: '{left}'"
                if left != ")"
                else "you have too many ')'"
            )
    if not walk.acts:
        picked = check
        check = lambda entry: picked(entry) and shown(entry)  # noqa: E731
    try:
        for path in paths or ["."]:
            walk.visit(path, path, 0, check, [])
    except Quit:
        pass
    return 1 if walk.failed else 0


if __name__ == "__main__":
    run()
