"""Shell patterns: `*`, `?`, `[...]` and backslash, as in `case`, `${x%pattern}` and file names.

A pattern is a string in which a backslash makes the next character literal; quoted text is
turned into one by `escape`. What the pattern is matched against is the callers' business.
"""

import functools
import re

_MAGIC = re.compile(r"[*?\[]")
_SPECIAL = re.compile(r"([*?\[\]\\!^-])")
_CLASSES = {
    "alnum": r"^\W_",
    "alpha": r"^\W\d_",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": r"0-9",
    "graph": r"\x21-\x7e\x80-\U0010ffff",
    "lower": r"a-z",
    "print": r"\x20-\x7e\x80-\U0010ffff",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\s",
    "upper": r"A-Z",
    "xdigit": r"0-9A-Fa-f",
}


def escape(text: str) -> str:
    """The pattern that matches just this text."""
    return _SPECIAL.sub(r"\\\1", text)


def unescape(pattern: str) -> str:
    """The text of a pattern that has nothing magic in it."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)


def is_magic(pattern: str) -> bool:
    """Whether a character of the pattern, not made literal, could match several texts."""
    return _MAGIC.search(re.sub(r"\\.", "", pattern, flags=re.DOTALL)) is not None


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is matched."""
    return compiled(pattern).fullmatch(text) is not None


def trim_prefix(text: str, pattern: str, *, longest: bool) -> str:
    """The text less the shortest or longest beginning that the pattern matches."""
    found = compiled(pattern)
    ends = range(len(text), -1, -1) if longest else range(len(text) + 1)
    for end in ends:
        if found.fullmatch(text, 0, end):
            return text[end:]
    return text


def trim_suffix(text: str, pattern: str, *, longest: bool) -> str:
    """The text less the shortest or longest end that the pattern matches."""
    found = compiled(pattern)
    starts = range(len(text) + 1) if longest else range(len(text), -1, -1)
    for start in starts:
        if found.fullmatch(text, start):
            return text[:start]
    return text


@functools.lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression that does the same."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            # A run of stars is one: two in a row would make matching quadratic for nothing.
            if not out or out[-1] != ".*":
                out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "\\" and at < len(pattern):
            out.append(re.escape(pattern[at]))
            at += 1
        elif char == "[" and (bracket := _bracket(pattern, at)):
            expression, at = bracket
            out.append(expression)
        else:
            out.append(re.escape(char))
    return re.compile(_atomic(out), re.DOTALL)


def _atomic(parts: list[str]) -> str:
    """Join the parts; what follows a star, up to the next, is found at its first place only.

    That is enough, because a later star can take up the rest; and it keeps `*a*b*c` from
    trying every combination.
    """
    chunks: list[list[str]] = [[]]
    for part in parts:
        if part == ".*":
            chunks.append([])
        else:
            chunks[-1].append(part)
    if len(chunks) == 1:
        return "".join(chunks[0])
    middle = "".join(f"(?>.*?{''.join(chunk)})" for chunk in chunks[1:-1])
    return f"{''.join(chunks[0])}{middle}.*{''.join(chunks[-1])}"


def _bracket(pattern: str, at: int) -> tuple[str, int] | None:
    """A bracket expression that begins before `at`, and where it ends; None if it does not."""
    start = at
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    items: list[str] = []
    alternatives: list[str] = []
    first = at
    while at < len(pattern):
        char = pattern[at]
        if char == "]" and at > first:
            break
        if char == "[" and (named := re.compile(r"\[:(\w+):\]").match(pattern, at)):
            content = _CLASSES.get(named[1])
            if content is not None:
                # A negated class cannot stand inside another bracket: it is an alternative.
                alternatives.append(f"[{content}]")
            at = named.end()
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            char = pattern[at]
        at += 1
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            last = pattern[at + 1]
            at += 2
            if last == "\\" and at < len(pattern):
                last = pattern[at]
                at += 1
            if char <= last:
                items.append(f"{re.escape(char)}-{re.escape(last)}")
            continue
        items.append(re.escape(char))
    else:
        return None
    if start == at:
        return None
    if items:
        alternatives.append(f"[{''.join(items)}]")
    any_of = "|".join(alternatives) or "(?!)"
    return (f"(?:(?!{any_of}).)" if negated else f"(?:{any_of})"), at + 1
