"""Every case of cases/*.js answers in the context exactly as it does natively."""

import json
import os
import re
from functools import cache
from tempfile import TemporaryDirectory

import pytest

from tests.unit.guest_node.support import run_in_context, run_native

CASES = os.path.join(os.path.dirname(__file__), "cases")
FILES = sorted(name for name in os.listdir(CASES) if name.endswith(".js") and name != "run.js")


def _names() -> list[tuple[str, str]]:
    found = []
    for file in FILES:
        with open(os.path.join(CASES, file), encoding="utf-8") as source:
            names = re.findall(r"^  (?:async )?(\w+)\(", source.read(), re.MULTILINE)
        found += [(file, name) for name in names]
    return found


@cache
def _answers(node: str, file: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What all cases of a file say, natively and in the context."""
    with TemporaryDirectory(prefix="oneos-n-") as base:
        args = ["run.js", file]
        both = (
            run_native(node, CASES, args, base=base),
            run_in_context(node, CASES, args, base=base),
        )
    answers = []
    for result in both:
        assert (result.stderr, result.status) == ("", 0)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        answers.append({line["name"]: line["lines"] for line in lines})
    return answers[0], answers[1]


@pytest.mark.parametrize(("file", "name"), _names())
def test_a_program_cannot_tell_the_tree_from_a_disk(node: str, file: str, name: str) -> None:
    native, context = _answers(node, file)
    assert native[name] == context[name]
    assert native[name], "a case that says nothing proves nothing"


def test_there_are_enough_cases() -> None:
    assert len(_names()) >= 60
