"""The builtins that print and read: `echo`, `printf`, `read`.

`echo` interprets backslashes as dash's does. `printf` works on the formats of POSIX, with the
arguments reused until they are used up. `read` takes its input byte by byte, because what
follows the line belongs to the next command.
"""

import os
import re
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from oneos.limits import LINE_BYTES_MAX
from oneos.shell.control import ShellError
from oneos.shell.state import Shell, decode, encode, is_name

_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}
_DIRECTIVE = re.compile(r"%(?:%|([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z]))")
_HAS_PRECISION = re.compile(r"%[-+ #0]*(?:\*|\d+)?\.")


class _Stop(Exception):
    """`\\c`: nothing more is printed."""

    def __init__(self, before: str) -> None:
        self.before = before


def echo(shell: Shell, arguments: list[str]) -> int:
    """Print the arguments; `-n`: without a newline."""
    newline = "\n"
    if arguments[:1] == ["-n"]:
        newline, arguments = "", arguments[1:]
    text = " ".join(arguments)
    try:
        text = _unescape(text, octal_zero=True) + newline
    except _Stop as stop:
        text = stop.before
    shell.write(1, text)
    return 0


def _unescape(text: str, *, octal_zero: bool) -> str:
    """Replace backslash sequences.

    Args:
        text: what to read.
        octal_zero: octal numbers begin with an extra 0, as in `echo` and `%b`.

    Raises:
        _Stop: a `\\c` stands in it.
    """
    if "\\" not in text:
        return text
    out: list[str] = []
    at = 0
    number = re.compile(r"0[0-7]{0,3}|[1-7][0-7]{0,2}" if octal_zero else r"[0-7]{1,3}")
    while at < len(text):
        char = text[at]
        at += 1
        if char != "\\" or at == len(text):
            out.append(char)
            continue
        code = text[at]
        if code == "c" and octal_zero:
            raise _Stop(_joined(out))
        if code in _ESCAPES:
            out.append(_ESCAPES[code])
            at += 1
        elif digits := number.match(text, at):
            # One byte, which may be part of a character: `\303\251` is one letter.
            out.append(decode(bytes([int(digits[0], 8) & 0xFF])))
            at = digits.end()
        else:
            out.append("\\")
    return _joined(out)


def _joined(parts: list[str]) -> str:
    return decode(b"".join(encode(part) for part in parts))


# --- printf ------------------------------------------------------------------------------------


def printf(shell: Shell, arguments: list[str]) -> int:
    """Print by a format."""
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        raise ShellError("printf: usage: printf FORMAT [ARGUMENT...]")
    run = _Printf(shell, arguments[1:])
    try:
        text = "".join(run.rounds(arguments[0]))
    except _Stop as stop:
        text = stop.before
    shell.write(1, text)
    return run.status


class _Printf:
    def __init__(self, shell: Shell, arguments: list[str]) -> None:
        self._shell = shell
        self._left = arguments
        self._out: list[str] = []
        self.status = 0

    def rounds(self, format_text: str) -> list[str]:
        while True:
            before = len(self._left)
            self._round(format_text)
            if not self._left or len(self._left) == before:
                return self._out

    def _round(self, format_text: str) -> None:
        at = 0
        while at < len(format_text):
            start = format_text.find("%", at)
            literal = format_text[at:] if start < 0 else format_text[at:start]
            self._out.append(_unescape(literal, octal_zero=False))
            if start < 0:
                return
            found = _DIRECTIVE.match(format_text, start)
            if found is None:
                self._fail("%: a directive such as %s or %d is wanted")
                raise _Stop("".join(self._out))
            at = found.end()
            self._out.append("%" if found[0] == "%%" else self._directive(found))

    def _directive(self, found: re.Match[str]) -> str:
        flags, width, precision, kind = found.groups()
        if width == "*":
            number = self._integer(self._take("0"))
            flags, width = (flags + "-", str(-number)) if number < 0 else (flags, str(number))
        if precision == "*":
            number = self._integer(self._take("0"))
            precision = str(number) if number >= 0 else None
        elif precision is None and _HAS_PRECISION.match(found[0]):
            precision = "0"
        spec = f"%{flags}{width or ''}" + (f".{precision}" if precision is not None else "")
        if kind == "s":
            return self._padded(self._take(""), flags, width, precision)
        if kind == "b":
            return self._percent_b(flags, width, precision)
        if kind == "c":
            return self._padded(self._take("")[:1], flags, width, None)
        if kind in "di":
            return (spec + "d") % self._integer(self._take("0"))
        if kind in "ouxX":
            number = self._integer(self._take("0")) % (1 << 64)
            text = (spec + ("d" if kind == "u" else kind)) % number
            # C writes octal's prefix as 0, Python as 0o.
            return text.replace("0o", "0", 1) if kind == "o" else text
        if kind in "eEfFgG":
            return (spec + kind) % self._float(self._take("0"))
        self._fail(f"%{kind}: no such directive")
        raise _Stop("".join(self._out))

    def _percent_b(self, flags: str, width: str | None, precision: str | None) -> str:
        try:
            text = _unescape(self._take(""), octal_zero=True)
        except _Stop as stop:
            raise _Stop("".join([*self._out, stop.before])) from None
        return self._padded(text, flags, width, precision)

    @staticmethod
    def _padded(text: str, flags: str, width: str | None, precision: str | None) -> str:
        if precision is not None:
            text = text[: int(precision)]
        fill = " " * (int(width or 0) - len(text))
        return text + fill if "-" in flags else fill + text

    def _take(self, default: str) -> str:
        return self._left.pop(0) if self._left else default

    def _integer(self, text: str) -> int:
        if text[:1] in ("'", '"'):
            return ord(text[1]) if len(text) > 1 else 0
        found = re.match(r"\s*([-+]?)(0[xX][0-9a-fA-F]+|\d+)", text)
        if found is None:
            if text:
                self._fail(f"{text}: expected numeric value")
            return 0
        if found.end() < len(text):
            self._fail(f"{text}: not completely converted")
        digits = found[2]
        octal = digits[0] == "0" and digits.isdigit() and set(digits) <= set("01234567")
        number = int(digits, 8) if octal else int(digits, 0 if "x" in digits.lower() else 10)
        return -number if found[1] == "-" else number

    def _float(self, text: str) -> float:
        try:
            return float(text or "0")
        except ValueError:
            self._fail(f"{text}: expected numeric value")
            return 0.0

    def _fail(self, message: str) -> None:
        self._shell.complain(f"printf: {message}")
        self.status = 1


# --- read --------------------------------------------------------------------------------------


def read(shell: Shell, arguments: list[str]) -> int:
    """Read a line into variables; 1 at the end of the input. `-r`: backslashes are literal; `-p
    TEXT`: says that at a terminal; `-s`: a terminal does not show what is typed."""
    raw = silent = False
    prompt = ""
    while arguments and arguments[0].startswith("-") and len(arguments[0]) > 1:
        option, arguments = arguments[0], arguments[1:]
        if option == "--":
            break
        for letter in option[1:]:
            if letter == "r":
                raw = True
            elif letter == "s":
                silent = True
            elif letter == "p" and arguments:
                prompt, arguments = arguments[0], arguments[1:]
            else:
                raise ShellError(f"read: -{letter}: no such option in this version")
    if not arguments:
        raise ShellError("read: the name of a variable is missing")
    for name in arguments:
        if not is_name(name):
            raise ShellError(f"read: {name}: bad variable name")
    held = shell.descriptors.get(0)
    if held is None:
        raise ShellError("read: 0: bad file descriptor", 1)
    console = shell.console
    with (
        shell.foreground.blocked(),
        console.reading(held.fd) if console else nullcontext(),
        _unseen(held.fd) if silent else nullcontext(),
    ):
        if prompt and os.isatty(held.fd):
            shell.write(2, prompt)
        characters, complete = _line(_reader(shell, held.fd), raw)
    for name, value in _assigned(arguments, characters, shell.separators()):
        shell.set(name, value)
    return 0 if complete else 1


@contextmanager
def _unseen(fd: int) -> Iterator[None]:
    """While it lasts a terminal does not show what is typed."""
    try:
        modes = termios.tcgetattr(fd)
    except termios.error:
        yield
        return
    quiet = [*modes[:3], modes[3] & ~termios.ECHO, *modes[4:]]
    termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, modes)


def _reader(shell: Shell, fd: int) -> Callable[[], bytes]:
    """Reads a byte at a time: what follows the line is for others."""
    if shell.console is None:
        return lambda: os.read(fd, 1)
    return partial(shell.console.read, fd)


def _line(read_byte: Callable[[], bytes], raw: bool) -> tuple[list[tuple[str, bool]], bool]:
    """One line as characters with a mark for those a backslash made literal, and whether the
    newline came."""
    data = bytearray()
    escaped: set[int] = set()
    after_backslash = False
    complete = False
    while byte := read_byte():
        if after_backslash:
            after_backslash = False
            if byte != b"\n":
                escaped.add(len(data))
                data += byte
            continue
        if byte == b"\n":
            complete = True
            break
        if byte == b"\\" and not raw:
            after_backslash = True
            continue
        if len(data) >= LINE_BYTES_MAX:
            raise ShellError(f"read: a line of over {LINE_BYTES_MAX} bytes", 1)
        if byte != b"\0":
            data += byte
    return list(_characters(bytes(data), escaped)), complete


def _characters(data: bytes, escaped: set[int]) -> Iterator[tuple[str, bool]]:
    at = 0
    for char in decode(data):
        yield char, at in escaped
        at += len(encode(char))


def _assigned(
    names: list[str], characters: list[tuple[str, bool]], separators: str
) -> Iterator[tuple[str, str]]:
    """Split as the shell splits fields; the last name gets the rest of the line."""
    blanks = "".join(c for c in separators if c in " \t\n")

    def separates(at: int) -> bool:
        return not characters[at][1] and characters[at][0] in separators

    def blank(at: int) -> bool:
        return not characters[at][1] and characters[at][0] in blanks

    end = len(characters)
    while end and blank(end - 1):
        end -= 1
    at = 0
    while at < end and blank(at):
        at += 1
    for name in names[:-1]:
        start = at
        while at < end and not separates(at):
            at += 1
        yield name, "".join(char for char, _ in characters[start:at])
        while at < end and blank(at):
            at += 1
        if at < end and separates(at):
            at += 1
            while at < end and blank(at):
                at += 1
    rest = characters[at:end]
    # One separator at the very end, and nothing else like it before, ends the last field.
    if rest and separates(end - 1) and sum(separates(i) for i in range(at, end)) == 1:
        rest = rest[:-1]
    yield names[-1], "".join(char for char, _ in rest)
