"""`test` and `[`: conditions on strings, numbers and files of the tree.

With up to four arguments their number decides what they mean, as POSIX says; with more they are
parsed with `-a`, `-o`, `!` and parentheses. A file's attributes come from one `stat` request.
"""

import os
import stat
from collections.abc import Callable

from oneos.errors import FileError
from oneos.shell.control import ShellError
from oneos.shell.state import Shell

_STRINGS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}
_NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}
_FILE_PAIRS = ("-nt", "-ot", "-ef")
_BINARY = {*_STRINGS, *_NUMBERS, *_FILE_PAIRS}
_MODE = 0
_INODE, _DEVICE, _SIZE, _MTIME_NS = 1, 2, 6, 8
_ON_MODE: dict[str, Callable[[int], bool]] = {
    "-e": lambda mode: True,
    "-f": stat.S_ISREG,
    "-d": stat.S_ISDIR,
    "-b": stat.S_ISBLK,
    "-c": stat.S_ISCHR,
    "-p": stat.S_ISFIFO,
    "-S": stat.S_ISSOCK,
    "-h": stat.S_ISLNK,
    "-L": stat.S_ISLNK,
    "-r": lambda mode: bool(mode & 0o444),
    "-w": lambda mode: bool(mode & 0o222),
    "-x": lambda mode: bool(mode & 0o111),
    "-u": lambda mode: bool(mode & stat.S_ISUID),
    "-g": lambda mode: bool(mode & stat.S_ISGID),
    "-k": lambda mode: bool(mode & stat.S_ISVTX),
}
_UNARY = {*_ON_MODE, "-s", "-n", "-z", "-t"}


def test(shell: Shell, arguments: list[str]) -> int:
    """0 where the condition holds, 1 where not, 2 where it is none."""
    try:
        return int(not _Condition(shell, arguments).value())
    except ShellError as error:
        shell.complain(f"test: {error.message}")
        return 2


def bracket(shell: Shell, arguments: list[str]) -> int:
    """`test` with a closing bracket."""
    if arguments[-1:] != ["]"]:
        shell.complain("[: missing ]")
        return 2
    return test(shell, arguments[:-1])


class _Condition:
    def __init__(self, shell: Shell, arguments: list[str]) -> None:
        self._shell = shell
        self._words = arguments
        self._at = 0

    def value(self) -> bool:
        return self._by_count(self._words)

    def _by_count(self, words: list[str]) -> bool:
        count = len(words)
        if count == 0:
            return False
        if count == 1:
            return words[0] != ""
        if count == 3 and words[1] in _BINARY:
            return self._binary(*words)
        if count == 3 and words[1] in ("-a", "-o"):
            left, right = words[0] != "", words[2] != ""
            return left and right if words[1] == "-a" else left or right
        if count <= 4 and words[0] == "!":
            return not self._by_count(words[1:])
        if count in (3, 4) and words[0] == "(" and words[-1] == ")":
            return self._by_count(words[1:-1])
        if count == 2 and words[0] in _UNARY:
            return self._unary(*words)
        return self._parse()

    def _parse(self) -> bool:
        self._at = 0
        result = self._or()
        if self._at < len(self._words):
            raise ShellError(f"{self._words[self._at]}: unexpected operator")
        return result

    def _take(self) -> str:
        if self._at == len(self._words):
            raise ShellError("argument expected")
        self._at += 1
        return self._words[self._at - 1]

    def _next_is(self, word: str) -> bool:
        if self._words[self._at : self._at + 1] != [word]:
            return False
        self._at += 1
        return True

    def _or(self) -> bool:
        result = self._and()
        while self._next_is("-o"):
            result = self._and() or result
        return result

    def _and(self) -> bool:
        result = self._not()
        while self._next_is("-a"):
            result = self._not() and result
        return result

    def _not(self) -> bool:
        if self._next_is("!"):
            return not self._not()
        return self._term()

    def _term(self) -> bool:
        word = self._take()
        following = self._words[self._at : self._at + 1]
        if following and following[0] in _BINARY and self._at + 1 < len(self._words):
            operator = self._take()
            return self._binary(word, operator, self._take())
        if word == "(":
            result = self._or()
            if not self._next_is(")"):
                raise ShellError("closing paren expected")
            return result
        if word in _UNARY and following:
            return self._unary(word, self._take())
        return word != ""

    def _unary(self, operator: str, operand: str) -> bool:
        if operator == "-n":
            return operand != ""
        if operator == "-z":
            return operand == ""
        if operator == "-t":
            held = self._shell.descriptors.get(_integer(operand))
            return held is not None and os.isatty(held.fd)
        attributes = self._stat(operand, follow=operator not in ("-h", "-L"))
        if attributes is None:
            return False
        if operator == "-s":
            return attributes[_SIZE] > 0
        return _ON_MODE[operator](attributes[_MODE])

    def _binary(self, left: str, operator: str, right: str) -> bool:
        if operator in _STRINGS:
            return _STRINGS[operator](left, right)
        if operator in _NUMBERS:
            return _NUMBERS[operator](_integer(left), _integer(right))
        first, second = self._stat(left), self._stat(right)
        if operator == "-ef":
            if first is None or second is None:
                return False
            return (first[_INODE], first[_DEVICE]) == (second[_INODE], second[_DEVICE])
        if operator == "-ot":
            first, second = second, first
        if first is None or second is None:
            return first is not None and second is None
        return first[_MTIME_NS] > second[_MTIME_NS]

    def _stat(self, path: str, follow: bool = True) -> list[int] | None:
        if not path:
            return None
        try:
            attributes: list[int] = self._shell.client.call("stat", self._shell.path(path), follow)
        except FileError:
            return None
        return attributes


def _integer(text: str) -> int:
    try:
        return int(text.strip(), 10)
    except ValueError:
        raise ShellError(f"Illegal number: {text}") from None
