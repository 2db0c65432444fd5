"""Ctrl-C while the shell parses: it comes afterwards, and the parser goes on."""

import os
import signal

import pytest

from oneos.shell.parse import Parser
from oneos.shell.state import Foreground


def test_ctrl_c_in_the_middle_comes_at_the_end_and_the_parser_answers_the_next_line() -> None:
    foreground = Foreground()
    parser = Parser()

    def pressed(_number: int, _frame: object) -> None:
        foreground.interrupted = True
        foreground.late = foreground.deferred > 0

    before = signal.signal(signal.SIGINT, pressed)
    try:
        with pytest.raises(KeyboardInterrupt), foreground.unbroken():
            os.kill(os.getpid(), signal.SIGINT)
            assert parser.parse("echo one").commands
        foreground.interrupted = False
        with foreground.unbroken():
            assert parser.parse("echo two").commands
    finally:
        signal.signal(signal.SIGINT, before)
        parser.close()
