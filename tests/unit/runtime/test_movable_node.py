"""With what a program of Node is started so that it can move, and which cannot."""

import os

import pytest

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import MOVE_FILE_NUMBER_MAX, MOVE_FILES_MAX
from oneos.runtime.control_node import check
from oneos.runtime.movable_node import hand, why_not

NODE = b"/usr/bin/node"


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (["x.js", "-r", "y"], "", ""),
        (["--max-old-space-size=100", "x.js"], "--stack-trace-limit=5", ""),
        (["-r", "y", "x.js"], "", "-r"),
        (["x.js"], "--no-warnings --require=y", "--require"),
        (["--inspect_brk", "x.js"], "", "--inspect-brk"),
        (["--cpu-prof", "x.js"], "", "--cpu-prof"),
        (["-e", "1"], "", "standard input"),
        ([], "", "standard input"),
    ],
)
def test_option_by_which_code_would_run_again_keeps_a_program_where_it_is(
    arguments: list[str], options: str, why: str
) -> None:
    said = why_not([word.encode() for word in arguments], {b"NODE_OPTIONS": options.encode()})
    assert why in said if why else said == ""


async def test_program_that_comes_keeps_its_options_and_its_script_is_not_run() -> None:
    image = os.memfd_create("image")
    files = [m.OpenFile(9, "/home/a b", 7, os.O_RDONLY, 12)]
    argv = [NODE, b"--title", b"x", b"main.js", b"y"]
    for fd in (-1, image):
        with hand(argv, fd, files if fd >= 0 else []) as handed:
            assert handed.argv[:2] == [NODE, b"--expose-internals"]
            assert b"--title" in handed.argv and len(handed.fds) == 2
            assert (b"main.js" in handed.argv) == (fd < 0)
            assert handed.files == ([b"9 0 7 12 /home/a b"] if fd >= 0 else [])
            handed.control.close()
    os.close(image)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ([m.OpenFile(9, "/.host/dev/null", 0, 0, 1), m.OpenFile(8, "/home/x", 0, 0, 1)], ""),
        ([m.OpenFile(9, "/dev/sensor/1", 0, 0, 1)], "no regular file"),
        ([m.OpenFile(9, "/topic/a", 0, 0, 1)], "no regular file"),
        ([m.OpenFile(MOVE_FILE_NUMBER_MAX + 1, "/home/x", 0, 0, 1)], "is over"),
        ([m.OpenFile(9, "/home/x", 0, 0, 1)] * (MOVE_FILES_MAX + 1), "files open"),
    ],
)
def test_only_files_that_are_the_same_elsewhere_are_opened_again(
    files: list[m.OpenFile], why: str
) -> None:
    if not why:
        check(files)
        return
    with pytest.raises(UserError, match=why):
        check(files)
