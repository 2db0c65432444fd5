"""From words to text: tilde, parameters, substitutions, arithmetic, field splitting, file names.

A word becomes a run of pieces, each with two marks: whether its characters are quoted (literal
to patterns), and whether it came from an unquoted expansion (split at IFS). From the pieces come
fields (the arguments of a command), one text (an assignment, a file name), or a pattern. Commands
inside words run through the interpreter; setting variables (`${x:=y}`) happens in the state.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from oneos.errors import FileError
from oneos.shell import arith, glob, nodes
from oneos.shell import pattern as patterns
from oneos.shell.control import ShellError
from oneos.shell.state import Shell, encode, option_letters


class Piece(NamedTuple):
    """A stretch of text that was expanded one way. `between` marks the end of one positional
    parameter in `$@` or `$*`; its text is what joins them where fields are not made."""

    text: str
    quoted: bool
    split: bool
    between: bool = False


def fields(shell: Shell, words: Sequence[nodes.Word]) -> list[str]:
    """The arguments that words make: each may become none, one or several.

    Raises:
        ShellError: an expansion is an error, as `${x?}` of an unset variable.
    """
    out: list[str] = []
    for word in words:
        if len(word) == 1 and isinstance(word[0], nodes.Text) and not _has_special(word[0]):
            out.append(word[0].text)
            continue
        for found in _split(_pieces(shell, word), shell.separators()):
            out.extend(_file_names(shell, found))
    return out


def single(shell: Shell, word: nodes.Word, *, assignment: bool = False) -> str:
    """The one text a word makes: no splitting, no file names.

    Args:
        shell: the state.
        word: what to expand.
        assignment: a tilde counts after a colon too.
    """
    return "".join(piece.text for piece in _pieces(shell, word, assignment=assignment))


def pattern(shell: Shell, word: nodes.Word) -> str:
    """The pattern a word makes: what is quoted in it is literal."""
    return "".join(
        patterns.escape(piece.text) if piece.quoted else piece.text
        for piece in _pieces(shell, word)
    )


def tilde(shell: Shell, text: str) -> str:
    """The text with a `~` or `~user` at its beginning replaced."""
    name, slash, rest = text[1:].partition("/")
    home = shell.get("HOME") if not name else _home_of(shell, name)
    return text if home is None else home + slash + rest


# --- pieces ------------------------------------------------------------------------------------


def _has_special(part: nodes.Text) -> bool:
    return not part.quoted and (part.text.startswith("~") or any(c in part.text for c in "*?[\\"))


def _pieces(shell: Shell, word: nodes.Word, *, assignment: bool = False) -> list[Piece]:
    out: list[Piece] = []
    for index, part in enumerate(word):
        if isinstance(part, nodes.Text) and not part.quoted and "~" in part.text:
            last = index == len(word) - 1
            out.extend(_tildes(shell, part.text, index == 0, last, assignment))
        else:
            _part(shell, part, out)
    return out


def _tildes(shell: Shell, text: str, first: bool, last: bool, assignment: bool) -> list[Piece]:
    sections = text.split(":") if assignment else [text]
    out: list[Piece] = []
    for number, section in enumerate(sections):
        begins = first or number > 0
        # `~$x` is no name of a user: what follows must be known to end here.
        ends = last or number < len(sections) - 1 or "/" in section
        if number:
            out.append(Piece(":", False, False))
        if begins and ends and section.startswith("~"):
            home = tilde(shell, section)
            _, slash, rest = section.partition("/")
            if home != section:
                out.append(Piece(home[: len(home) - len(slash + rest)], True, False))
                section = slash + rest
        out.append(Piece(section, False, False))
    return out


def _home_of(shell: Shell, user: str) -> str | None:
    try:
        shell.client.call("stat", encode(f"/home/{user}"), True)
    except FileError:
        return None
    return f"/home/{user}"


def _part(shell: Shell, part: nodes.Part, out: list[Piece]) -> None:
    if isinstance(part, nodes.Text):
        out.append(Piece(part.text, part.quoted, False))
    elif isinstance(part, nodes.Quoted):
        if not part.parts:
            out.append(Piece("", True, False))
        for inner in part.parts:
            _part(shell, inner, out)
    elif isinstance(part, nodes.Parameter):
        _parameter(shell, part, out)
    elif isinstance(part, nodes.Substitution):
        text = shell.interpreter.substitute(shell, part.command)
        out.append(Piece(text, part.quoted, not part.quoted))
    else:
        expression = single(shell, part.expression)
        number = arith.evaluate(expression, _arithmetic_value(shell), shell.set)
        out.append(Piece(str(number), part.quoted, not part.quoted))


def _arithmetic_value(shell: Shell) -> Callable[[str], str]:
    def value(name: str) -> str:
        text = shell.get(name)
        if text is None and "u" in shell.options:
            raise ShellError(f"{name}: parameter not set")
        return text or ""

    return value


def _parameter(shell: Shell, part: nodes.Parameter, out: list[Piece]) -> None:
    name, operator = part.name, part.op
    if operator == "bad":
        raise ShellError(f"${{{name}...}}: bad substitution")
    value = _value(shell, name)
    is_set = value is not None and not (part.colon and value == "")
    if name in ("@", "*"):
        is_set = bool(shell.parameters) and not (part.colon and not any(shell.parameters))
    if operator == "-" and not is_set:
        _alternative(shell, part, out)
    elif operator == "+":
        if is_set:
            _alternative(shell, part, out)
        elif part.quoted:
            out.append(Piece("", True, False))
    elif operator == "=" and not is_set:
        if not _is_assignable(name):
            raise ShellError(f"{name}: cannot be assigned this way")
        assigned = single(shell, part.word, assignment=True)
        shell.set(name, assigned)
        out.append(Piece(assigned, part.quoted, not part.quoted))
    elif operator == "?" and not is_set:
        default = "parameter not set or null" if part.colon else "parameter not set"
        raise ShellError(f"{name}: {single(shell, part.word) or default}")
    elif operator in ("", "-", "=", "?"):
        if value is None and "u" in shell.options and name not in ("@", "*"):
            raise ShellError(f"{name}: parameter not set")
        _plain(shell, part, value or "", out)
    elif operator == "length":
        if value is None and "u" in shell.options:
            raise ShellError(f"{name}: parameter not set")
        length = len(shell.parameters) if name in ("@", "*") else len(value or "")
        out.append(Piece(str(length), part.quoted, not part.quoted))
    else:
        if value is None and "u" in shell.options:
            raise ShellError(f"{name}: parameter not set")
        trim = patterns.trim_prefix if operator[0] == "#" else patterns.trim_suffix
        trimmed = trim(value or "", pattern(shell, part.word), longest=len(operator) == 2)
        out.append(Piece(trimmed, part.quoted, not part.quoted))


def _alternative(shell: Shell, part: nodes.Parameter, out: list[Piece]) -> None:
    # The word stands in the parameter's place: unquoted characters of it are split like a value.
    pieces = _pieces(shell, part.word)
    if part.quoted and not pieces:
        out.append(Piece("", True, False))
    for piece in pieces:
        out.append(piece if piece.quoted or piece.between else piece._replace(split=True))


def _plain(shell: Shell, part: nodes.Parameter, value: str, out: list[Piece]) -> None:
    if part.name not in ("@", "*"):
        out.append(Piece(value, part.quoted, not part.quoted))
        return
    joint = " " if part.name == "@" and part.quoted else shell.separators()[:1]
    if part.name == "*" and part.quoted:
        out.append(Piece(joint.join(shell.parameters), True, False))
        return
    for index, parameter in enumerate(shell.parameters):
        if index:
            out.append(Piece(joint, part.quoted, False, between=True))
        out.append(Piece(parameter, part.quoted, not part.quoted))


def _is_assignable(name: str) -> bool:
    return name[:1].isalpha() or name[:1] == "_"


def _value(shell: Shell, name: str) -> str | None:
    if name in ("@", "*"):
        return " ".join(shell.parameters)
    if name == "#":
        return str(len(shell.parameters))
    if name == "?":
        return str(shell.status)
    if name == "$":
        return str(shell.interpreter.number)
    if name == "!":
        return None if shell.last_background is None else str(shell.last_background)
    if name == "-":
        return option_letters(shell)
    if name.isdigit():
        number = int(name)
        if number == 0:
            return shell.name
        return shell.parameters[number - 1] if number <= len(shell.parameters) else None
    return shell.get(name)


# --- fields ------------------------------------------------------------------------------------


def _split(pieces: list[Piece], separators: str) -> list[list[Piece]]:
    """Make fields of pieces. White space around a separator that is none belongs to it."""
    blanks = "".join(c for c in separators if c in " \t\n")
    done: list[list[Piece]] = []
    current: list[Piece] = []
    after_blank = False  # a field just ended at white space: a separator now is the same one

    def end_field() -> None:
        done.append(list(current))
        current.clear()

    for piece in pieces:
        if piece.between:
            if current:
                end_field()
            after_blank = False
            continue
        if not piece.split or not separators:
            if piece.text or piece.quoted:
                current.append(piece)
                after_blank = False
            continue
        start = 0
        text = piece.text
        for at, char in enumerate(text):
            if char not in separators:
                continue
            if at > start:
                current.append(piece._replace(text=text[start:at]))
                after_blank = False
            start = at + 1
            if char in blanks:
                if current:
                    end_field()
                    after_blank = True
            elif current or not after_blank:
                end_field()
                after_blank = False
            else:
                after_blank = False
        if start < len(text):
            current.append(piece._replace(text=text[start:]))
            after_blank = False
    if current:
        end_field()
    return done


def _file_names(shell: Shell, field: list[Piece]) -> list[str]:
    text = "".join(piece.text for piece in field)
    if "f" in shell.options or not any(
        c in piece.text for piece in field if not piece.quoted for c in "*?["
    ):
        return [text]
    wanted = "".join(patterns.escape(piece.text) if piece.quoted else piece.text for piece in field)
    if not patterns.is_magic(wanted):
        return [text]
    return glob.expand(shell.client, shell.cwd, wanted) or [text]
