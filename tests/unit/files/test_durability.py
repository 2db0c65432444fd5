"""What storage.toml may say, what holds for a path, and which words a wrong file gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneos.errors import ConfigError
from oneos.files.durability import STRICT, Durability, Rules, parse_rules, read_rules
from oneos.limits import STORAGE_RULES_MAX


def of(text: str, path: bytes) -> Durability:
    return parse_rules(text, "storage.toml").of(path)


def rule(path: str, *lines: str) -> str:
    return "\n".join(["[[directory]]", f'path = "{path}"', *lines, ""])


def test_without_a_word_tmp_is_async_and_all_else_commits() -> None:
    rules = parse_rules("", "storage.toml")
    assert rules.of(b"/tmp/a/b") == Durability(later=True)
    for path in (b"/srv/a", b"/tmp", b"/tmpfoo/a", b"/home/tmp/a", b"/a", b""):
        assert rules.of(path) == STRICT == Durability(later=False, copies=0)


def test_the_nearest_directory_counts_for_each_of_the_two() -> None:
    text = (
        rule("/", 'durability = "async"', "copies = 3")
        + rule("/srv", 'durability = "commit"')
        + rule("/srv/a/b", "copies = 1")
        + rule("/tmp", 'durability = "commit"')
    )
    assert of(text, b"/x") == Durability(True, 3)
    assert of(text, b"/srv/x") == Durability(False, 3)
    assert of(text, b"/srv/a/x") == Durability(False, 3)
    assert of(text, b"/srv/a/b/c/x") == Durability(False, 1)
    assert of(text, b"/tmp/x") == Durability(False, 3)
    assert of(text, b"") == STRICT


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[directory]]\ndurability = 'async'\n", "path: is missing (line 1)"),
        (rule("srv", "copies = 2"), 'path: "srv" is no plain absolute path (line 2)'),
        (rule("/srv/", "copies = 2"), "no plain absolute path"),
        (rule("/a/../b", "copies = 2"), "no plain absolute path"),
        (rule("/srv"), "says nothing"),
        (rule("/srv", 'durability = "soon"'), '"soon" is none of commit, async (line 3)'),
        (rule("/srv", "copies = 0"), "copies: expected a whole number from 1 to 16, got 0"),
        (rule("/srv", "copy = 2"), "copy: unknown key, did you mean copies? (line 3)"),
        (rule("/srv", "copies = 2") * 2, 'path: "/srv" has a rule already (line 5)'),
        ("[directory]\npath = '/srv'\n", "expected tables [[directory]]"),
        ("[[directory]\n", "line 1: "),
        ("dirctory = 1\n", "dirctory: unknown key, did you mean directory? (line 1)"),
        ("[[directory]]\n" * (STORAGE_RULES_MAX + 1), "at most"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "storage.toml")
    assert said in caught.value.message and "\n" not in caught.value.message
    assert caught.value.message.startswith("storage.toml: ")


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        read_rules(b"# a\n# \xff\n", "storage.toml")


NAMES = st.lists(st.sampled_from([b"a", b"b", b"tmp"]), max_size=4)


@given(st.dictionaries(NAMES.map(tuple), st.booleans(), max_size=5), NAMES)
def test_any_path_has_what_the_nearest_directory_above_it_says(
    said: dict[tuple[bytes, ...], bool], names: list[bytes]
) -> None:
    text = "".join(
        rule(
            "/" + b"/".join(at).decode(),
            f'durability = "{"async" if later else "commit"}"',
        )
        for at, later in said.items()
    )
    above = names[:]
    expected = False
    while True:
        if tuple(above) in said:
            expected = said[tuple(above)]
            break
        if above == [b"tmp"]:
            expected = True
            break
        if not above:
            break
        above.pop()
    path = b"/" + b"/".join([*names, b"file"])
    assert of(text, path).later == expected
    assert Rules().of(path).later == (names[:1] == [b"tmp"])
