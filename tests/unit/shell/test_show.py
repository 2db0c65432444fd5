"""What `jobs` shows of a command is what was typed, as far as the syntax tree knows it."""

import pytest

from oneos.shell import show
from oneos.shell.parse import Parser


@pytest.mark.parametrize(
    "text",
    [
        "sleep 100",
        'x=1 echo "a b" $x',
        "sh -c 'echo \"$x\"; exit'",
        'echo "it\'s $x"',
        "yes | head -n 3",
        "true && (false; echo $(date))",
    ],
)
def test_a_command_is_shown_as_it_was_typed(text: str) -> None:
    parser = Parser()
    try:
        (parsed,) = parser.parse(text).commands
    finally:
        parser.close()
    assert show.command(parsed.node) == text
