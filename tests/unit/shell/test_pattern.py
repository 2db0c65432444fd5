"""Patterns match what sh's match."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.shell import pattern


@pytest.mark.parametrize(
    ("wanted", "matching", "other"),
    [
        ("*", ["", "a", "a\nb"], []),
        ("a?c", ["abc", "a/c"], ["ac", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[!a-c]", ["d", "-"], ["a", ""]),
        ("[^a]", ["b"], ["a"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[!]a]", ["b"], ["]", "a"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("[", ["["], ["a"]),
        ("[a", ["[a"], ["a"]),
        ("\\*", ["*"], ["a", ""]),
        ("[\\]]", ["]"], ["\\"]),
        ("[[:digit:]]*", ["1", "1a"], ["a1"]),
        ("[![:space:]]", ["a"], [" ", "\t"]),
        ("[[:alpha:]_]", ["a", "_", "é"], ["1", "-"]),
        ("[z-a]", [], ["z", "a", "-"]),
        ("*a*b*c", ["abc", "xaxbxc", "aabbcc"], ["acb", "abcd"]),
    ],
)
def test_pattern_matches(wanted: str, matching: list[str], other: list[str]) -> None:
    assert [text for text in matching if not pattern.matches(wanted, text)] == []
    assert [text for text in other if pattern.matches(wanted, text)] == []


@given(st.text(alphabet="ab*?[]!-\\ ", max_size=8))
def test_escaped_text_matches_itself_alone(text: str) -> None:
    escaped = pattern.escape(text)
    assert pattern.matches(escaped, text)
    assert not pattern.is_magic(escaped)
    assert pattern.unescape(escaped) == text
    assert not pattern.matches(escaped, text + "x")


@given(st.text(alphabet="ab*?", max_size=6), st.text(alphabet="ab", max_size=8))
def test_stars_match_as_in_fnmatch(wanted: str, text: str) -> None:
    assert pattern.matches(wanted, text) == fnmatch.fnmatchcase(text, wanted)


@given(st.text(alphabet="ab*?", max_size=5), st.text(alphabet="ab", max_size=8))
def test_trimming_takes_the_shortest_or_longest(wanted: str, text: str) -> None:
    heads = [text[:n] for n in range(len(text) + 1) if fnmatch.fnmatchcase(text[:n], wanted)]
    assert pattern.trim_prefix(text, wanted, longest=False) == text[len(min(heads, default="")) :]
    assert (
        pattern.trim_prefix(text, wanted, longest=True) == (text[max(map(len, heads), default=0) :])
    )
    tails = [text[n:] for n in range(len(text) + 1) if fnmatch.fnmatchcase(text[n:], wanted)]
    shortest, longest = (f(map(len, tails), default=0) for f in (min, max))
    assert pattern.trim_suffix(text, wanted, longest=False) == text[: len(text) - shortest]
    assert pattern.trim_suffix(text, wanted, longest=True) == text[: len(text) - longest]


def test_many_stars_do_not_take_forever() -> None:
    started = time.process_time()
    assert not pattern.matches("*a" * 30 + "b", "a" * 2000)
    assert time.process_time() - started < 2
