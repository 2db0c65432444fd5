"""From the syntax tree of dash's parser, which is C structures, to ours in nodes.py.

The binding that comes with libdash converts as well, but hands the wrong command to the second
of two substitutions in one word (`"$(a)"$(b)`) and takes every `~` for a home directory, so the
words are read here from dash's own notation: a string in which control characters mark quoting,
parameters, substitutions and arithmetic. Runs in the parser's process only.
"""

from collections.abc import Iterator
from typing import Any

from libdash import _dash

from oneos.shell import nodes

_ESC, _VAR, _END_VAR, _BACKQUOTE, _ARITH, _END_ARITH, _QUOTE = 129, 130, 131, 132, 134, 135, 136

_OPERATORS = ["bad", "", "-", "+", "?", "=", "%", "%%", "#", "##", "length"]
_COLON = 0x10

_FILE_KINDS: dict[int, Any] = {
    _dash.NTO: "write",
    _dash.NCLOBBER: "clobber",
    _dash.NFROM: "read",
    _dash.NFROMTO: "readwrite",
    _dash.NAPPEND: "append",
}


def convert(pointer: Any) -> nodes.Node:
    """The node at a C pointer, with all below it.

    Raises:
        NotImplementedError: dash made a node that this version does not know.
    """
    if not pointer:
        return nodes.Simple(0, [], [], [])
    n = pointer.contents
    kind = n.type
    if kind == _dash.NCMD:
        return nodes.Simple(
            n.ncmd.linno,
            [_assignment(word) for word in _words(n.ncmd.assign)],
            _words(n.ncmd.args),
            _redirections(n.ncmd.redirect),
        )
    if kind == _dash.NPIPE:
        stages = [convert(stage) for stage in _dash.nodelist(n.npipe.cmdlist)]
        return nodes.Pipeline(n.npipe.backgnd != 0, stages)
    if kind in (_dash.NREDIR, _dash.NSUBSHELL, _dash.NBACKGND):
        make: Any = {
            _dash.NREDIR: nodes.Redirected,
            _dash.NSUBSHELL: nodes.Subshell,
            _dash.NBACKGND: nodes.Background,
        }[kind]
        made: nodes.Node = make(convert(n.nredir.n), _redirections(n.nredir.redirect))
        return made
    if kind in (_dash.NAND, _dash.NOR):
        left, right = convert(n.nbinary.ch1), convert(n.nbinary.ch2)
        return nodes.AndOr(kind == _dash.NAND, left, right)
    if kind == _dash.NSEMI:
        return _sequence(pointer)
    if kind == _dash.NIF:
        otherwise = convert(n.nif.elsepart) if n.nif.elsepart else None
        return nodes.If(convert(n.nif.test), convert(n.nif.ifpart), otherwise)
    if kind in (_dash.NWHILE, _dash.NUNTIL):
        test, body = convert(n.nbinary.ch1), convert(n.nbinary.ch2)
        return nodes.While(kind == _dash.NUNTIL, test, body)
    if kind == _dash.NFOR:
        return nodes.For(_text(n.nfor.var), _words(n.nfor.args), convert(n.nfor.body))
    if kind == _dash.NCASE:
        subject = _word(n.ncase.expr.contents.narg)
        return nodes.Case(subject, list(_case_items(n.ncase.cases)))
    if kind == _dash.NDEFUN:
        return nodes.Function(_text(n.ndefun.text), convert(n.ndefun.body))
    if kind == _dash.NNOT:
        return nodes.Not(convert(n.nnot.com))
    raise NotImplementedError(f"a syntax node of kind {kind}")


def _sequence(pointer: Any) -> nodes.Sequence:
    # dash chains `a; b; c` to the left, as deep as the list is long: no recursion along it.
    body: list[nodes.Node] = []
    while pointer and pointer.contents.type == _dash.NSEMI:
        body.append(convert(pointer.contents.nbinary.ch2))
        pointer = pointer.contents.nbinary.ch1
    body.append(convert(pointer))
    body.reverse()
    return nodes.Sequence(body)


def _case_items(pointer: Any) -> Iterator[nodes.CaseItem]:
    for pattern, body in _dash.caselist(pointer):
        yield nodes.CaseItem(_words(pattern), convert(body) if body else None)


def _redirections(pointer: Any) -> list[nodes.Redirection]:
    found = []
    while pointer:
        n = pointer.contents
        kind = n.type
        if kind in _FILE_KINDS:
            word = _word(n.nfile.fname.contents.narg)
            found.append(nodes.Redirection(_FILE_KINDS[kind], n.nfile.fd, word))
        elif kind in (_dash.NTOFD, _dash.NFROMFD):
            if n.ndup.vname:
                word = _word(n.ndup.vname.contents.narg)
            else:
                text = "-" if n.ndup.dupfd == -1 else str(n.ndup.dupfd)
                word = [nodes.Text(text, False)]
            found.append(nodes.Redirection("dup", n.ndup.fd, word))
        elif kind in (_dash.NHERE, _dash.NXHERE):
            word = _word(n.nhere.doc.contents.narg, here=True)
            found.append(nodes.Redirection("here", n.nhere.fd, word))
        else:
            raise NotImplementedError(f"a redirection of kind {kind}")
        pointer = n.nfile.next
    return found


def _words(pointer: Any) -> list[nodes.Word]:
    found = []
    while pointer:
        found.append(_word(pointer.contents.narg))
        pointer = pointer.contents.narg.next
    return found


def _assignment(word: nodes.Word) -> nodes.Assignment:
    first = word[0]
    assert isinstance(first, nodes.Text)
    name, _, rest = first.text.partition("=")
    value = [nodes.Text(rest, first.quoted), *word[1:]] if rest else word[1:]
    return nodes.Assignment(name, value)


def _word(narg: Any, *, here: bool = False) -> nodes.Word:
    # A here-document is one quoted text, without the marks that double quotes leave.
    reader = _WordReader(narg.text or b"", _dash.nodelist(narg.backquote))
    return reader.parts(quoted=here)


class _WordReader:
    """Reads one word in dash's notation, front to back."""

    def __init__(self, data: bytes, substitutions: list[Any]) -> None:
        self._data = data
        self._at = 0
        # One position for the whole word, however deep the substitutions are nested in it.
        self._substitutions = iter(substitutions)

    def parts(self, *, quoted: bool, until: int | None = None) -> nodes.Word:
        parts: nodes.Word = []
        text = bytearray()
        text_quoted = quoted

        def flush() -> None:
            if text:
                parts.append(nodes.Text(_text(bytes(text)), text_quoted))
                text.clear()

        data = self._data
        while self._at < len(data):
            byte = data[self._at]
            self._at += 1
            if byte == until:
                break
            if byte in (_VAR, _BACKQUOTE, _ARITH) or (byte == _QUOTE and until != _QUOTE):
                flush()
                parts.append(self._marked(byte, quoted))
                continue
            escaped = byte == _ESC
            if escaped:
                byte = data[self._at]
                self._at += 1
            # dash also escapes bytes of a character that look like its marks: no quoting.
            char_quoted = quoted or (escaped and byte < 0x80)
            if char_quoted != text_quoted and byte < 0x80:
                flush()
                text_quoted = char_quoted
            text.append(byte)
        flush()
        return parts

    def _marked(self, mark: int, quoted: bool) -> nodes.Part:
        if mark == _QUOTE:
            return nodes.Quoted(self.parts(quoted=True, until=_QUOTE))
        if mark == _ARITH:
            return nodes.Arithmetic(self.parts(quoted=True, until=_END_ARITH), quoted)
        if mark == _BACKQUOTE:
            return nodes.Substitution(convert(next(self._substitutions)), quoted)
        kind = self._data[self._at]
        end = self._data.index(b"=", self._at + 1)
        name = _text(self._data[self._at + 1 : end])
        self._at = end + 1
        operator = _OPERATORS[kind & 0xF]
        word: nodes.Word = []
        if operator == "length":
            self._at += 1  # the end mark
        elif operator:
            # A pattern stays one within double quotes, unlike the word of a default value.
            pattern = operator in ("%", "%%", "#", "##")
            word = self.parts(quoted=quoted and not pattern, until=_END_VAR)
        return nodes.Parameter(name, operator, bool(kind & _COLON), word, quoted)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
