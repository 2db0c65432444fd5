"""Whole programs: modules of all kinds, command lines, standard input, how they end.

Each file of programs/ is one: the command line, then the files of its directory, each after a line
`-- name --`. It runs natively and in the context, and everything it shows must be the same byte for
byte: standard output, standard error with its stack traces, and the exit status.
"""

import os
import re
import shlex

import pytest

from tests.unit.guest_node.support import Result, run_in_context, run_native

PROGRAMS = os.path.join(os.path.dirname(__file__), "programs")
NAMES = sorted(name.removesuffix(".txt") for name in os.listdir(PROGRAMS))

STDIN = {
    "script": (["-", "a"], b"console.log(__filename, process.argv); null.x"),
    "module": (["--input-type=module"], b"console.log(import.meta.url, process.argv)"),
    "filter": (["-e", "process.stdin.pipe(process.stdout)"], b"line\n" * 50_000),
    "read_at_once": (["-p", "fs.readFileSync(0).length + fs.readFileSync('/dev/stdin')"], b"text"),
}


def _unpack(name: str, base: str) -> tuple[list[str], str]:
    """The command line of a program, and the directory its files are written to."""
    with open(os.path.join(PROGRAMS, f"{name}.txt"), encoding="utf-8") as file:
        head, *parts = re.split(r"^-- (.+) --\n", file.read(), flags=re.MULTILINE)
    source = os.path.join(base, "source")
    for path, text in zip(parts[::2], parts[1::2], strict=True):
        whole = os.path.join(source, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)
    prompt, *args = shlex.split(head)[1:]
    assert prompt == "node"
    return args, source


def _comparable(result: Result) -> Result:
    # The PID in Node's own warnings is the network's: nothing else may differ.
    stderr = re.sub(r"\(node:\d+\)", "(node:PID)", result.stderr)
    return Result(result.stdout, stderr, result.status)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_shows_the_same_as_natively(node: str, base: str, name: str) -> None:
    args, source = _unpack(name, base)
    native = run_native(node, source, args, base=base)
    assert native.stdout or native.stderr or native.status, "a program that shows nothing"
    assert _comparable(run_in_context(node, source, args, base=base)) == _comparable(native)


@pytest.mark.parametrize("name", STDIN)
def test_standard_input_is_the_programs_own(node: str, base: str, name: str) -> None:
    args, stdin = STDIN[name]
    os.mkdir(os.path.join(base, "source"))
    source = os.path.join(base, "source")
    native = run_native(node, source, args, stdin, base)
    assert run_in_context(node, source, args, stdin, base) == native
