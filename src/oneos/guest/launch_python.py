"""Turns `python3 [options] program arguments` into what the Runtime really executes.

The interpreter is the host's own; it is given the boot file of the context, which then runs the
program. Options that set up the interpreter stay with it; what names the program (`-c`, `-m`, a
script, standard input) goes to the boot file. Nothing is read here and nothing started.
"""

import os
from collections.abc import Sequence

BOOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python", "boot.py")

ALONE = frozenset("bBdEiIOPqRsuv")
"""Options that are one letter, and may be written together."""

WITH_VALUE = frozenset("WX")
OURS = frozenset("Sx")
"""`-S` is always given to the interpreter, and `-x` would skip a line of the boot file: so the boot
file is told of them."""


def command(interpreter: str, args: Sequence[str | bytes]) -> list[bytes]:
    """The arguments with which to execute `interpreter` for `python3 ARGS`.

    Args:
        interpreter: path of the host's interpreter.
        args: what follows the interpreter's name on the command line.

    Returns:
        The whole argument list, the interpreter first. Where no program is to run (`--version`,
        `--help`, an option that does not exist) it is the plain command line, and the interpreter
        answers.
    """
    plain = [os.fsencode(arg) for arg in args]
    taken = _split(plain)
    if taken is None:
        return [os.fsencode(interpreter), *plain]
    options, flags, program = taken
    boot = [os.fsencode(BOOT), flags.encode()]
    return [os.fsencode(interpreter), b"-S", *options, *boot, *program]


def script(args: Sequence[bytes]) -> bytes | None:
    """The script that `python3 ARGS` runs, as it is given; None where the program is no file."""
    taken = _split(args)
    first = taken[2][0] if taken and taken[2] else b"-"
    return None if first in (b"-", b"-c", b"-m") else first


def _split(plain: Sequence[bytes]) -> tuple[list[bytes], str, list[bytes]] | None:
    """Options for the interpreter, flags for the boot file, and the program with its arguments.

    None where no program is to run.
    """
    options: list[bytes] = []
    flags = ""
    at = 0
    program: list[bytes] | None = None
    while program is None and at < len(plain):
        word = plain[at]
        if word == b"--":
            at += 1
            break
        if word == b"--check-hash-based-pycs":
            options += plain[at : at + 2]
            at += 2
            continue
        if not word.startswith(b"-") or word == b"-":
            break
        if word.startswith(b"--"):
            return None
        at += 1
        letters = os.fsdecode(word[1:])
        for index, letter in enumerate(letters):
            rest = os.fsencode(letters[index + 1 :])
            if letter in "cm" or letter in WITH_VALUE:
                if not rest and at == len(plain):
                    return None  # Its value is missing.
                if not rest:
                    rest, at = plain[at], at + 1
                if letter in WITH_VALUE:
                    options += [b"-" + letter.encode(), rest]
                else:
                    program = [b"-" + letter.encode(), rest, *plain[at:]]
                break
            if letter in OURS:
                flags += letter
            elif letter in ALONE:
                options.append(b"-" + letter.encode())
            else:
                return None
    return options, flags, list(plain[at:]) if program is None else program
