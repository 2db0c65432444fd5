#!/usr/bin/env python3
"""Usage: grep [OPTION]... PATTERN [FILE]...
   or: grep [OPTION]... -e PATTERN... | -f FILE [FILE]...

Write the lines of each FILE, or of standard input, that match a PATTERN.

  -G  basic regular expressions (default)   -E  extended   -F  plain strings   -P  Python's
  -e  a pattern; may be repeated   -f  patterns from a file, a line each   -i  either case
  -v  lines that do not match   -w  whole words   -x  whole lines   -o  only what matches
  -c  count lines   -l, -L  names of files with, without a match   -q  nothing, only the status
  -n  line numbers   -b  byte offsets   -H, -h  with, without file names   -m N  stop after N
  -A N, -B N, -C N  so many lines after, before, around   -s  no word on files that cannot be read
  -r, -R  all files below a directory (--include, --exclude, --exclude-dir)   -a  binary as text
  -z  NUL ends a line
Status 0 if a line matched, 1 if none did, 2 on trouble.

Patterns are run by Python's engine: of alternatives the first that fits is taken, not the longest,
which shows only with -o; collating symbols such as [[.a.]] are refused.
"""

import os
import re
import sys
from collections.abc import Iterator

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

BLOCK = 512 * 1024
LONG = {
    "basic-regexp": "G",
    "extended-regexp": "E",
    "fixed-strings": "F",
    "perl-regexp": "P",
    "regexp": "e",
    "file": "f",
    "ignore-case": "i",
    "no-ignore-case": "no-ignore-case",
    "invert-match": "v",
    "word-regexp": "w",
    "line-regexp": "x",
    "only-matching": "o",
    "count": "c",
    "files-with-matches": "l",
    "files-without-match": "L",
    "quiet": "q",
    "silent": "q",
    "line-number": "n",
    "byte-offset": "b",
    "with-filename": "H",
    "no-filename": "h",
    "max-count": "m",
    "after-context": "A",
    "before-context": "B",
    "context": "C",
    "no-messages": "s",
    "recursive": "r",
    "dereference-recursive": "R",
    "include": "include=",
    "exclude": "exclude=",
    "exclude-dir": "exclude-dir=",
    "text": "a",
    "null-data": "z",
    "null": "Z",
    "line-buffered": "line-buffered",
    "color": "color?",
    "colour": "color?",
    "label": "label=",
}
CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "0-9a-zA-Z",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r" \t\n\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "print": " -~",
    "graph": "!-~",
    "cntrl": r"\x00-\x1f\x7f",
    "xdigit": "0-9A-Fa-f",
}
# Letters beyond ASCII, roughly: the ranges of Unicode where little else is.
LETTERS = "\u00aa-\u02af\u0370-\u1fff\u2c00-\ud7ff\uf900-\ufdff"
BEYOND = {"alpha": LETTERS, "alnum": LETTERS, "print": "\u00a0-\ud7ff", "graph": "\u00a1-\ud7ff"}
GNU = {
    "w": r"\w",
    "W": r"[^\w\n]",
    "s": r"[^\S\n]",
    "S": r"\S",
    "b": r"\b",
    "B": r"\B",
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
    "`": "^",
    "'": "$",
}


def bracket(text: str, at: int, wide: bool) -> tuple[str, int]:
    """Python's form of the bracket expression whose `[` stands before `at`, and where it ends."""
    negated = text[at : at + 1] == "^"
    at += negated
    done = ""
    first = True
    while True:
        letter = text[at : at + 1]
        if not letter:
            raise Failure("Unmatched [, [^, [:, [., or [=")
        if letter == "]" and not first:
            break
        first = False
        if letter == "[" and text[at + 1 : at + 2] in (":", ".", "="):
            end = text.find(text[at + 1] + "]", at + 2)
            if end < 0:
                raise Failure("Unmatched [, [^, [:, [., or [=")
            name = text[at + 2 : end]
            if text[at + 1] == ":" and name in CLASSES:
                done += CLASSES[name] + (BEYOND.get(name, "") if wide else "")
            elif text[at + 1] != ":" and len(name) == 1:
                done += re.escape(name)
            else:
                what = "character class name" if text[at + 1] == ":" else "collation character"
                raise Failure(f"Invalid {what}")
            at = end + 2
            continue
        at += 1
        if letter == "-" and done and text[at : at + 1] not in ("]", ""):
            done += "-"
        else:
            done += "\\" + letter if letter in r"\[]^-&~|" else letter
    # A line feed never belongs to a line, though an inverted set would take it.
    return (f"[^{done}\n]" if negated else f"[{done}]"), at + 1


def interval(text: str, at: int, end: str) -> tuple[str, int] | None:
    """The {n,m} that begins at `at`, past its brace, and where it ends; nothing if it is none."""
    stop = text.find(end, at)
    body = text[at:stop] if stop >= 0 else ""
    low, comma, high = body.partition(",")
    if not body or (low + high).strip("0123456789") or not (low or comma):
        return None
    if (low and int(low) > 32767) or (high and int(high) > 32767):
        raise Failure("Regular expression too big")
    if low and high and int(low) > int(high):
        raise Failure("Invalid content of \\{\\}")
    return f"{{{low or '0'}{comma}{high}}}", stop + len(end)


def repeat(done: list[str], sign: str) -> None:
    """Add a sign of repetition; one after another needs a group in Python, or is one sign."""
    if done[-1] in ("*", "+", "?") and sign in ("*", "+", "?"):
        done[-1] = sign if sign == done[-1] else "*"
        return
    if done[-1] in ("*", "+", "?") or (done[-1][0] == "{" and len(done[-1]) > 1):
        start = len(done) - 2
        depth = 0
        for start in range(len(done) - 2, -1, -1):
            depth += (done[start] == ")") - (done[start] == "(")
            if not depth:
                break
        done[start:] = ["(?:" + "".join(done[start:]) + ")"]
    done.append(sign)


def ends_here(text: str, at: int) -> bool:
    """Whether a basic expression's `$` here is the end of it or of a group."""
    return at == len(text) or text.startswith(("\\)", "\\|"), at)


def translated(text: str, extended: bool, wide: bool) -> str:
    """Python's form of a POSIX regular expression with GNU's additions.

    Args:
        extended: as -E.
        wide: whether letters beyond ASCII are to be found.
    """
    done: list[str] = []
    at = groups = 0
    # Whether nothing stands here yet that could be repeated.
    fresh = True
    while at < len(text):
        letter = text[at]
        at += 1
        escaped = letter == "\\"
        if escaped:
            if at == len(text):
                raise Failure("Trailing backslash")
            letter = text[at]
            at += 1
        special = escaped != extended
        was_fresh, fresh = fresh, False
        if letter == "[" and not escaped:
            piece, at = bracket(text, at, wide)
            done.append(piece)
        elif letter == "(" and special:
            done.append("(")
            groups += 1
            fresh = True
        elif letter == ")" and special and (groups or not extended):
            if not groups:
                raise Failure("Unmatched ) or \\)")
            groups -= 1
            done.append(")")
        elif letter == "|" and special:
            done.append("|")
            fresh = True
        elif letter == "{" and special:
            found = interval(text, at, "}" if extended else "\\}")
            if found is None and not extended:
                here = "\\}" in text[at:]
                raise Failure("Invalid content of \\{\\}" if here else "Unmatched \\{")
            if found is None or was_fresh:
                done.append(r"\{")
            else:
                repeat(done, found[0])
                at = found[1]
        elif (letter == "*" and not escaped) or (letter in "+?" and special):
            if not was_fresh:
                repeat(done, letter)
            elif extended:
                fresh = True  # GNU takes it for a repetition of nothing.
            else:
                done.append("\\" + letter)
        elif letter == "." and not escaped:
            done.append(".")
        elif letter == "^" and not escaped and (extended or was_fresh):
            done.append("^")
            fresh = True
        elif letter == "$" and not escaped and (extended or ends_here(text, at)):
            done.append("$")
        elif escaped and letter in "123456789":
            done.append(f"(?:\\{letter})")
        elif escaped and letter in GNU:
            done.append(GNU[letter])
            fresh = letter in "b<>B`'" and was_fresh
        else:
            done.append(re.escape(letter))
    if groups:
        raise Failure("Unmatched ( or \\(")
    return "".join(done)


def decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class Finder:
    """What to look for, in the forms that are fast for the lines at hand.

    Args:
        patterns: all of them; a line that one of them matches is found.
        given: the options.
    """

    def __init__(self, patterns: list[str], given: set[str]) -> None:
        kind = next((k for k in ("F", "E", "P", "G") if k in given), "G")
        signs = set("\\[]*.^$+?{}|()")
        self.plain = kind == "F" or all(not set(pattern) & signs for pattern in patterns)
        self.literal = b""
        if self.plain and len(patterns) == 1 and not given & {"i", "w", "x"}:
            self.literal = os.fsencode(patterns[0])
        text = self.body(patterns, kind, given, True)
        flags = re.MULTILINE | (re.IGNORECASE if "i" in given else 0)
        try:
            self.text = re.compile(text, flags)
            # Most lines are ASCII, and need no decoding to be searched.
            raw = self.body(patterns, kind, given, False)
            self.raw = re.compile(raw.encode(), flags) if raw.isascii() else None
        except (re.error, OverflowError, RecursionError) as error:
            raise Failure(f"invalid pattern: {error}") from None

    def body(self, patterns: list[str], kind: str, given: set[str], wide: bool) -> str:
        """One expression for all patterns."""
        forms = []
        for pattern in patterns:
            if self.plain:
                forms.append(re.escape(pattern))
            elif kind == "P":
                forms.append(pattern)
            else:
                forms.append(translated(pattern, kind == "E", wide))
        # Groups are numbered through: back-references only work for a pattern of its own.
        whole = forms[0] if len(forms) == 1 else "|".join(f"(?:{form})" for form in forms)
        if not patterns:
            return "(?!)"
        if "x" in given:
            return f"^(?:{whole})$"
        if "w" in given:
            return rf"(?<!\w)(?:{whole})(?!\w)"
        return whole

    def lines(self, block: bytes, end: bytes, invert: bool) -> tuple[list[bytes], list[int]]:
        """The lines of a block, and the indices of those wanted; no lines where none is."""
        usual = end == b"\n" and not invert
        if self.literal:
            literal = self.literal
            if usual and literal not in block:
                return [], []
            lines = parted(block, end)
            return lines, [at for at, line in enumerate(lines) if (literal in line) != invert]
        if self.raw and block.isascii():
            search = self.raw.search
            if usual and not search(block):
                return [], []
            lines = parted(block, end)
            return lines, [at for at, line in enumerate(lines) if (not search(line)) == invert]
        look = self.text.search
        text = decoded(block)
        if usual and not look(text):
            return [], []
        texts = text.removesuffix(end.decode()).split(end.decode())
        return parted(block, end), [
            at for at, line in enumerate(texts) if (not look(line)) == invert
        ]

    def parts(self, line: bytes) -> list[tuple[int, bytes]]:
        """What matches in a line, each with its place in bytes; empty matches are left out."""
        text = decoded(line)
        return [
            (len(os.fsencode(text[: match.start()])), os.fsencode(match.group()))
            for match in self.text.finditer(text)
            if match.group()
        ]


def parted(block: bytes, end: bytes) -> list[bytes]:
    """The lines of a block without their ends."""
    return block.removesuffix(end).split(end)


def blocks(fd: int, end: bytes) -> Iterator[bytes]:
    """Everything that `fd` yields, as it comes, in blocks of whole lines."""
    rest: list[bytes] = []
    while data := os.read(fd, BLOCK):
        cut = data.rfind(end) + 1
        if cut:
            yield b"".join([*rest, data[:cut]])
            rest = []
        if cut < len(data):
            rest.append(data[cut:])
    if rest:
        yield b"".join(rest)


class Search:
    """What is to be written of what is found, and what came of it so far."""

    def __init__(self, finder: Finder, given: dict[str, str], named: bool) -> None:
        self.finder = finder
        self.given = given
        self.invert = "v" in given
        self.end = b"\0" if "z" in given else b"\n"
        self.named = named
        self.most = amount(given["m"], "max count") if "m" in given else -1
        around = amount(given.get("C", "0"), "context length argument")
        self.after = amount(given.get("A", str(around)), "context length argument")
        self.before = amount(given.get("B", str(around)), "context length argument")
        self.silent = bool(given.keys() & {"q", "l", "L", "c"})
        self.context = (self.after or self.before) and not self.silent and "o" not in given
        self.matched = False
        self.failed = False
        # What context needs to remember: lines before, lines still owed after, the last one shown.
        self.held: list[tuple[int, int, bytes]] = []
        self.owed = 0
        self.last = -1
        self.shown = False

    def file(self, fd: int, title: str) -> None:
        """Search one file."""
        name = os.fsencode(title)
        count, number, offset = 0, 1, 0
        self.held, self.owed, self.last = [], 0, -1
        for block in blocks(fd, self.end) if self.most else ():
            lines, chosen = self.finder.lines(block, self.end, self.invert)
            if self.most >= 0:
                chosen = chosen[: self.most - count]
            count += len(chosen)
            if not self.silent and chosen:
                fine = self.readable(block, lines, chosen)
                self.show(lines, fine, number, offset, name)
                if len(fine) < len(chosen):
                    flush()
                    warn(f"{title}: binary file matches")
                    break
            elif self.context:
                self.show(parted(block, self.end), [], number, offset, name)
            if (count and self.given.keys() & {"q", "l", "L"}) or count == self.most:
                break
            if "n" in self.given or self.context:
                number += len(lines) or block.count(self.end)
            offset += len(block)
            flush()
        self.matched = self.matched or bool(count)
        after_name = b"\0" if "Z" in self.given else b""
        if "q" not in self.given:
            if ("l" in self.given and count) or ("L" in self.given and not count):
                put(name + (after_name or b"\n"))
            elif "c" in self.given and not self.given.keys() & {"l", "L"}:
                put(name + (after_name or b":") if self.named else b"")
                put(b"%d\n" % count)
        flush()

    def readable(self, block: bytes, lines: list[bytes], chosen: list[int]) -> list[int]:
        """Those of the chosen lines that stand before anything a terminal should not be shown."""
        if "a" in self.given or (block.isascii() and b"\0" not in block):
            return chosen
        if b"\0" in block and self.end == b"\n":
            return []
        for place, at in enumerate(chosen):
            try:
                lines[at].decode()
            except UnicodeDecodeError:
                return chosen[:place]
        return chosen

    def show(
        self, lines: list[bytes], chosen: list[int], first: int, offset: int, name: bytes
    ) -> None:
        """Write the chosen lines in the way that was asked for."""
        if "o" in self.given:
            self.show_parts(lines, chosen, first, offset, name)
        elif self.context:
            self.show_context(lines, chosen, first, offset, name)
        elif self.named or self.given.keys() & {"n", "b"}:
            places = self.places(lines, offset) if "b" in self.given else []
            for at in chosen:
                place = places[at] if places else 0
                put(self.prefix(name, first + at, place, b":") + lines[at] + self.end)
        else:
            put(self.end.join([lines[at] for at in chosen]))
            put(self.end if chosen else b"")

    def places(self, lines: list[bytes], offset: int) -> list[int]:
        """Where each line begins in the file."""
        found = []
        for line in lines:
            found.append(offset)
            offset += len(line) + 1
        return found

    def prefix(self, name: bytes, number: int, offset: int, mark: bytes) -> bytes:
        """What stands before a line."""
        done = b""
        if self.named:
            done += name + (b"\0" if "Z" in self.given else mark)
        if "n" in self.given:
            done += b"%d" % number + mark
        if "b" in self.given:
            done += b"%d" % offset + mark
        return done

    def show_parts(
        self, lines: list[bytes], chosen: list[int], first: int, offset: int, name: bytes
    ) -> None:
        """Write what matches, each on a line."""
        if self.invert:
            return
        places = self.places(lines, offset)
        for at in chosen:
            for place, part in self.finder.parts(lines[at]):
                put(self.prefix(name, first + at, places[at] + place, b":") + part + self.end)

    def show_context(
        self, lines: list[bytes], chosen: list[int], first: int, offset: int, name: bytes
    ) -> None:
        """Write the chosen lines with those around them, which may lie in other blocks."""
        wanted = set(chosen)
        places = self.places(lines, offset)
        for at, line in enumerate(lines):
            number = first + at
            if at in wanted:
                start = self.held[0][0] if self.held else number
                if self.shown and start != self.last + 1:
                    put(b"--\n")
                for row in self.held:
                    put(self.prefix(name, row[0], row[1], b"-") + row[2] + self.end)
                put(self.prefix(name, number, places[at], b":") + line + self.end)
                self.held = []
                self.owed, self.last, self.shown = self.after, number, True
            elif self.owed:
                put(self.prefix(name, number, places[at], b"-") + line + self.end)
                self.owed -= 1
                self.last = number
            elif self.before:
                self.held = [
                    *self.held[1 - self.before or len(self.held) :],
                    (number, places[at], line),
                ]


def amount(text: str, what: str) -> int:
    """A count of lines."""
    if not text.isdecimal():
        raise Failure(f"{text}: invalid {what}")
    return int(text)


def below(place: str, filters: list[tuple[str, str]], report: Search) -> Iterator[str]:
    """The regular files below a directory that the filters let through, sorted."""
    import fnmatch

    try:
        names = sorted(os.listdir(place or "."), key=os.fsencode)
    except OSError as error:
        complain(report, place, error)
        return
    for name in names:
        path = place + name if not place or place.endswith("/") else f"{place}/{name}"
        try:
            kind = (os.stat(path) if "R" in report.given else os.lstat(path)).st_mode & 0o170000
        except OSError as error:
            complain(report, path, error)
            continue
        if kind == 0o040000:
            if not any(k == "exclude-dir" and fnmatch.fnmatchcase(name, g) for k, g in filters):
                yield from below(path, filters, report)
        elif kind == 0o100000 and passes(name, filters):
            yield path


def passes(name: str, filters: list[tuple[str, str]]) -> bool:
    """Whether --include and --exclude let a file through; the last that fits decides."""
    import fnmatch

    verdict = not any(key == "include" for key, _ in filters[:1])
    for key, form in filters:
        if key != "exclude-dir" and fnmatch.fnmatchcase(name, form):
            verdict = key == "include"
    return verdict


def complain(search: Search, title: str, error: OSError) -> None:
    """Report a file that cannot be searched."""
    search.failed = True
    if "s" not in search.given:
        warn(f"{title}: {error.strerror}")


def is_output(fd: int) -> bool:
    """Whether what we write would come back to us through `fd`."""
    source, target = os.fstat(fd), os.fstat(1)
    return source.st_mode & 0o170000 == 0o100000 and os.path.samestat(source, target)


def patterns_of(found: list[tuple[str, str]]) -> list[str]:
    """The patterns of -e and -f."""
    patterns: list[str] = []
    for key, value in found:
        if key == "e":
            patterns += value.split("\n")
        elif key == "f":
            try:
                fd = 0 if value == "-" else os.open(value, os.O_RDONLY | os.O_CLOEXEC)
                data = b""
                while block := os.read(fd, BLOCK):
                    data += block
            except OSError as error:
                raise Failure(f"{value}: {error.strerror}") from None
            if data:
                patterns += decoded(data.removesuffix(b"\n")).split("\n")
    return patterns


def main(argv: list[str]) -> int:
    # -5 stands for -C 5.
    argv = ["-C" + word[1:] if word[:1] == "-" and word[1:].isdecimal() else word for word in argv]
    found, names = options(argv, "GEFPe:f:ivwxoclLqsnbHhm:A:B:C:rRyazZUI", LONG)
    given = dict(found)
    if "y" in given:
        given["i"] = ""
    if "e" in given or "f" in given:
        patterns = patterns_of(found)
    elif names:
        patterns = names.pop(0).split("\n")
    else:
        raise Usage("no pattern")
    kinds = [key for key, _ in found if key in ("G", "E", "F", "P")]
    switches = (given.keys() - {"G", "E", "F", "P"}) | set(kinds[-1:])
    if kinds and kinds[-1] != "F" and "" in patterns and len(patterns) > 1:
        patterns = ["", *[p for p in patterns if p]]
    finder = Finder(patterns, switches)
    tree = bool(given.keys() & {"r", "R"})
    titles = [key for key, _ in found if key in ("H", "h")]
    named = titles[-1] == "H" if titles else len(names) > 1 or tree
    search = Search(finder, given, named)
    filters = [(key, value) for key, value in found if key in ("include", "exclude", "exclude-dir")]
    sys.setrecursionlimit(10_000)
    for name in names or ([""] if tree else ["-"]):
        if tree and (not name or os.path.isdir(name)):
            paths = below(name, filters, search)
        else:
            paths = iter([name] if name == "-" or passes(name, filters) else [])
        for path in paths:
            title = given.get("label", "(standard input)") if path == "-" else path
            try:
                fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                complain(search, title, error)
                continue
            try:
                if not search.silent and is_output(fd):
                    warn(f"{title}: input file is also the output")
                    search.failed = True
                else:
                    search.file(fd, title)
            except OSError as error:
                complain(search, title, error)
            if fd:
                os.close(fd)
            if "q" in given and search.matched:
                return 0
    return 2 if search.failed else 0 if search.matched else 1


if __name__ == "__main__":
    run(2)
