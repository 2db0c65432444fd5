"""Tab completion: commands, paths of the tree, variables, and what `on` places by.

The word under the cursor is found by a small reading of the line, not by the parser, which
refuses half-typed lines. Names come from the Runtime at the moment of the Tab; where it does
not answer there is nothing to offer, and no error in the middle of a line.
"""

import re
import stat
from collections.abc import Iterable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from oneos.errors import FileError, OneOSError
from oneos.local.client import Client
from oneos.shell import expand
from oneos.shell.builtins import BUILTINS
from oneos.shell.pipeline import PLACES
from oneos.shell.state import Shell, decode, encode

_WORDS = re.compile(
    r"""(?:[^\s;|&()<>'"\\]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+|[;|&()<>]+""", re.DOTALL
)
_ENDS_COMMAND = re.compile(r"[;|&(]+")
_REDIRECTS = re.compile(r"[<>][<>&|]*")
_BEFORE_COMMAND = {
    "if",
    "then",
    "else",
    "elif",
    "while",
    "until",
    "do",
    "!",
    "{",
    "command",
    "exec",
}
_NEEDS_QUOTE = re.compile(r"""[\s;|&()<>'"\\$`*?\[#~]""")
_INTERPRETERS = ("python3", "node")


class TreeCompleter(Completer):
    """Completions for one shell; asks over a connection of its own."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._client: Client = shell.client.clone()

    def close(self) -> None:
        """Give its connection up; the next Tab would open another."""
        self._client.drop()

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What the word before the cursor could become."""
        try:
            yield from sorted(
                self._candidates(document.text_before_cursor), key=lambda each: each.text
            )
        except OneOSError:
            return

    def _candidates(self, line: str) -> Iterator[Completion]:
        before, word = split_line(line)
        if word.startswith("$") and "/" not in word:
            for name in self._shell.variables:
                if name.startswith(word[1:]):
                    yield Completion(f"${name}", -len(word), display=name)
            return
        constraints = constraints_before(before)
        if constraints and ":" in word:
            yield from self._places(word)
            return
        if constraints or command_expected(before):
            if constraints:
                for kind in PLACES:
                    if kind.startswith(word):
                        yield Completion(f"{kind}:", -len(word))
            if "/" not in word:
                yield from self._commands(word)
                return
        yield from self._paths(word)

    def _commands(self, word: str) -> Iterator[Completion]:
        names = {*BUILTINS, *self._shell.functions, *_INTERPRETERS, "on"}
        names.update(decode(name) for name, *_ in self._client.call("list", b"/bin"))
        if word:
            # Of the host there are thousands, which nobody wants to see all.
            names.update(map(decode, self._client.call("commands", encode(word))))
        for name in names:
            if name.startswith(word):
                yield Completion(f"{name} ", -len(word), display=name)

    def _places(self, word: str) -> Iterator[Completion]:
        kind, _, start = word.partition(":")
        members = self._client.call("status")["members"]
        if kind == "host":
            names = {member["name"] for member in members}
        else:
            key = {"tag": "tags", "device": "devices"}.get(kind, "")
            names = {name for member in members for name in member.get(key, ())}
        for name in names:
            if name.startswith(start):
                yield Completion(f"{kind}:{name} ", -len(word), display=name)

    def _paths(self, word: str) -> Iterator[Completion]:
        plain = unquote(word)
        directory, slash, start = plain.rpartition("/")
        place = directory + slash
        if place.startswith("~"):
            place = expand.tilde(self._shell, place)
        for raw, mode, *_ in self._client.call("list", self._shell.path(place or ".")):
            name = decode(raw)
            if not name.startswith(start) or (name.startswith(".") and not start):
                continue
            end = "/" if self._is_directory(place + name, mode) else " "
            typed = word[: word.rfind("/") + 1] if slash else ""
            yield Completion(typed + quote(name) + end, -len(word), display=name + end.strip())

    def _is_directory(self, path: str, mode: int) -> bool:
        if not stat.S_ISLNK(mode):
            return stat.S_ISDIR(mode)
        try:
            return stat.S_ISDIR(self._client.call("stat", self._shell.path(path), True)[0])
        except FileError:
            return False


def split_line(line: str) -> tuple[list[str], str]:
    """The words before the cursor's, and the cursor's (empty after a blank)."""
    found = list(_WORDS.finditer(line))
    last = found[-1][0] if found and found[-1].end() == len(line) else ""
    if last and not _ENDS_COMMAND.fullmatch(last) and not _REDIRECTS.fullmatch(last):
        return [each[0] for each in found[:-1]], last
    # A quote that is still open: everything from it on is the word.
    end = found[-1].end() if found else 0
    rest = line[end:].lstrip()
    return [each[0] for each in found], rest


def constraints_before(words: list[str]) -> bool:
    """Whether the next word stands right after `on` or a constraint of it."""
    at = len(words)
    while at and re.fullmatch(r"(host|tag|device|machine):.+", words[at - 1]):
        at -= 1
    return at > 0 and words[at - 1] == "on" and command_expected(words[: at - 1])


def command_expected(words: list[str]) -> bool:
    """Whether the next word is a command's name."""
    at = len(words)
    while at and re.fullmatch(r"[A-Za-z_]\w*=.*", words[at - 1], re.DOTALL):
        at -= 1
    return (
        at == 0 or words[at - 1] in _BEFORE_COMMAND or bool(_ENDS_COMMAND.fullmatch(words[at - 1]))
    )


def quote(name: str) -> str:
    """A file name as it must be typed."""
    return _NEEDS_QUOTE.sub(r"\\\g<0>", name)


def unquote(word: str) -> str:
    """What a half-typed word means: quotes and backslashes removed."""
    return re.sub(r"\\(.)|['\"]", lambda found: found[1] or "", word, flags=re.DOTALL)
