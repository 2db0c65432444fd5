"""The parser: what it says of good, broken and unfinished texts, and that it outlives them."""

import pytest

from oneos.errors import UserError
from oneos.shell import nodes
from oneos.shell.parse import Parser


def test_two_substitutions_of_one_word_are_two_commands(parser: Parser) -> None:
    # The converter that comes with libdash makes both of them the first.
    [command] = parser.parse('echo "$(a)"$(b)').commands
    assert isinstance(command.node, nodes.Simple)
    quoted, plain = command.node.words[1]
    assert isinstance(quoted, nodes.Quoted) and isinstance(plain, nodes.Substitution)
    [inner] = quoted.parts
    assert isinstance(inner, nodes.Substitution)
    names = [each.command.words[0][0].text for each in (inner, plain)]  # type: ignore[union-attr]
    assert names == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "if true\n",
        "echo 'a\n",
        'echo "a\n',
        "a |\n",
        "{ a\n",
        "f() {\n",
        "echo $(a\n",
        "case x in\n",
    ],
)
def test_unfinished_text_is_told_from_a_wrong_one(parser: Parser, text: str) -> None:
    script = parser.parse(text)
    assert script.error and script.incomplete


@pytest.mark.parametrize("text", ["fi\n", "echo )\n", "a | | b\n", "done; x\n", "case in in in\n"])
def test_wrong_text_is_an_error_at_once(parser: Parser, text: str) -> None:
    script = parser.parse(text)
    assert "yntax error" in script.error and not script.incomplete


@pytest.mark.parametrize("text", ["cat <<E\nbody\n", "echo a \\\n"])
def test_text_that_may_go_on_is_marked(parser: Parser, text: str) -> None:
    script = parser.parse(text)
    assert not script.error and script.commands[-1].at_end


@pytest.mark.parametrize("text", ["cat <<E\nbody\nE\n", "echo a\n", "{ a; }\n"])
def test_text_that_is_complete_is_not(parser: Parser, text: str) -> None:
    [command] = parser.parse(text).commands
    assert not command.at_end
    assert command.end_line == text.count("\n")


def test_commands_before_an_error_are_there(parser: Parser) -> None:
    script = parser.parse("a\nb\nc )\nd\n")
    assert len(script.commands) == 2
    assert script.error == 'Syntax error: ")" unexpected'
    assert script.error_line == 3


def test_parser_goes_on_after_errors(parser: Parser) -> None:
    for _ in range(5):
        assert parser.parse("(").error
        assert not parser.parse(f"echo {_}").error


@pytest.mark.parametrize("byte", range(0x80, 0x100))
def test_bytes_that_are_no_utf8_pass(parser: Parser, byte: int) -> None:
    text = b"a%cb" % byte
    for written in (b"echo %s", b"echo '%s'", b'echo "%s"'):
        script = parser.parse((written % text).decode("utf-8", "surrogateescape"))
        [command] = script.commands
        assert isinstance(command.node, nodes.Simple)
        [part] = command.node.words[1]
        inner = part.parts[0] if isinstance(part, nodes.Quoted) else part
        assert isinstance(inner, nodes.Text)
        assert inner.text.encode("utf-8", "surrogateescape") == text


def test_long_list_is_no_deep_tree(parser: Parser) -> None:
    body = "".join(f"echo {number}\n" for number in range(3000))
    [command] = parser.parse("f() {\n" + body + "}").commands
    assert isinstance(command.node, nodes.Function)
    assert isinstance(command.node.body, nodes.Sequence)
    assert len(command.node.body.body) == 3000


def test_nesting_without_an_end_is_refused(parser: Parser) -> None:
    script = parser.parse("(" * 100_000)
    assert script.error
    deep = parser.parse("{ " * 20_000 + ":" + "; }" * 20_000)
    assert deep.error or deep.commands
    assert not parser.parse("echo a").error


def test_nul_byte_is_refused(parser: Parser) -> None:
    with pytest.raises(UserError, match="NUL"):
        parser.parse("echo \0")
