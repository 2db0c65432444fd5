"""The syntax tree of a shell script, as the parser hands it to the executor.

Plain records without behaviour: they cross from the parser's process as they are. A word
is a list of parts; `quoted` says that a part's characters are literal and its expansion is not
split into fields. Runs of `;` are one flat `Sequence`, so that a long function body does not
nest as deep as it is long.
"""

from typing import Literal as OneOf

import msgspec


class Text(msgspec.Struct, frozen=True):
    """Literal characters."""

    text: str
    quoted: bool


class Parameter(msgspec.Struct, frozen=True):
    """`$name`, `${name}` or `${name OP word}`.

    `op` is empty, `-`, `+`, `?`, `=`, `%`, `%%`, `#`, `##`, `length`, or `bad` for what dash
    calls a bad substitution; `colon` says that an empty value counts as unset.
    """

    name: str
    op: str
    colon: bool
    word: "Word"
    quoted: bool


class Substitution(msgspec.Struct, frozen=True):
    """`$(command)` or backquotes."""

    command: "Node"
    quoted: bool


class Arithmetic(msgspec.Struct, frozen=True):
    """`$((expression))`."""

    expression: "Word"
    quoted: bool


class Quoted(msgspec.Struct, frozen=True):
    """What stands between double quotes; there even nothing makes a field."""

    parts: "Word"


Part = Text | Parameter | Substitution | Arithmetic | Quoted
Word = list[Part]


class Redirection(msgspec.Struct, frozen=True):
    """One redirection of descriptor `fd`.

    `here` takes the word's text as the input; `dup` takes a word that is a descriptor or `-`.
    """

    kind: OneOf["read", "write", "clobber", "readwrite", "append", "dup", "here"]
    fd: int
    word: Word


class Assignment(msgspec.Struct, frozen=True):
    name: str
    word: Word


class Simple(msgspec.Struct, frozen=True):
    """Assignments, words and redirections; any of them may be none."""

    line: int
    assignments: list[Assignment]
    words: list[Word]
    redirections: list[Redirection]


class Pipeline(msgspec.Struct, frozen=True):
    background: bool
    stages: list["Node"]


class Redirected(msgspec.Struct, frozen=True):
    """A compound command with redirections, as `{ ...; } > file`."""

    body: "Node"
    redirections: list[Redirection]


class Subshell(msgspec.Struct, frozen=True):
    body: "Node"
    redirections: list[Redirection]


class Background(msgspec.Struct, frozen=True):
    body: "Node"
    redirections: list[Redirection]


class AndOr(msgspec.Struct, frozen=True):
    """`left && right` where `is_and`, else `left || right`."""

    is_and: bool
    left: "Node"
    right: "Node"


class Not(msgspec.Struct, frozen=True):
    body: "Node"


class Sequence(msgspec.Struct, frozen=True):
    body: list["Node"]


class If(msgspec.Struct, frozen=True):
    test: "Node"
    then: "Node"
    otherwise: "Node | None"


class While(msgspec.Struct, frozen=True):
    """`until` where `until` is true."""

    until: bool
    test: "Node"
    body: "Node"


class For(msgspec.Struct, frozen=True):
    name: str
    words: list[Word]
    body: "Node"


class CaseItem(msgspec.Struct, frozen=True):
    patterns: list[Word]
    body: "Node | None"


class Case(msgspec.Struct, frozen=True):
    subject: Word
    items: list[CaseItem]


class Function(msgspec.Struct, frozen=True):
    name: str
    body: "Node"


Node = (
    Simple
    | Pipeline
    | Redirected
    | Subshell
    | Background
    | AndOr
    | Not
    | Sequence
    | If
    | While
    | For
    | Case
    | Function
)


class Parsed(msgspec.Struct, frozen=True):
    """One complete command of a script.

    `end_line` counts the lines of the text up to and with the command's last one. `at_end`
    says that the parser saw the end of the text while it read the command, so that more
    lines could still belong to it (an open here-document, for example).
    """

    node: Node
    end_line: int
    at_end: bool


class Script(msgspec.Struct, frozen=True):
    """All commands of a text, and why reading stopped early, if it did.

    `incomplete` says that the error is the text's end: with more lines it could be right.
    """

    commands: list[Parsed]
    error: str = ""
    error_line: int = 0
    incomplete: bool = False
