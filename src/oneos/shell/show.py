"""A command as text again, for `jobs`: enough to recognise it, on one line."""

from oneos.shell import nodes

_CHARS_MAX = 60
_KEYWORDS: list[tuple[type, str]] = [
    (nodes.If, "if ..."),
    (nodes.While, "while ..."),
    (nodes.For, "for ..."),
    (nodes.Case, "case ..."),
    (nodes.Function, "function ..."),
]


def command(node: nodes.Node) -> str:
    """The beginning of a command's text."""
    text = _command(node)
    return text if len(text) <= _CHARS_MAX else text[: _CHARS_MAX - 3] + "..."


def _command(node: nodes.Node) -> str:
    if isinstance(node, nodes.Simple):
        words = [f"{a.name}={_word(a.word)}" for a in node.assignments]
        return " ".join([*words, *(_word(word) for word in node.words)])
    if isinstance(node, nodes.Pipeline):
        return " | ".join(_command(stage) for stage in node.stages)
    if isinstance(node, nodes.Sequence):
        return "; ".join(_command(each) for each in node.body)
    if isinstance(node, nodes.AndOr):
        return f"{_command(node.left)} {'&&' if node.is_and else '||'} {_command(node.right)}"
    if isinstance(node, nodes.Not):
        return f"! {_command(node.body)}"
    if isinstance(node, nodes.Subshell):
        return f"({_command(node.body)})"
    if isinstance(node, nodes.Redirected | nodes.Background):
        return _command(node.body)
    return next(text for kind, text in _KEYWORDS if isinstance(node, kind))


def _word(word: nodes.Word) -> str:
    return "".join(_part(part) for part in word)


def _part(part: nodes.Part) -> str:
    if isinstance(part, nodes.Text):
        return part.text
    if isinstance(part, nodes.Quoted):
        text = _word(part.parts)
        plain = all(isinstance(each, nodes.Text) for each in part.parts)
        # The tree does not say which quotes stood there.
        single = plain and "'" not in text and any(mark in text for mark in '"$`\\')
        return f"'{text}'" if single else f'"{text}"'
    if isinstance(part, nodes.Parameter):
        if not part.op:
            return f"${part.name}"
        if part.op == "length":
            return f"${{#{part.name}}}"
        return f"${{{part.name}{':' if part.colon else ''}{part.op}{_word(part.word)}}}"
    if isinstance(part, nodes.Substitution):
        return f"$({_command(part.command)})"
    return f"$(({_word(part.expression)}))"
