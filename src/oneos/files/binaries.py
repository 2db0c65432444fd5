"""The utilities as they are installed into the tree's /bin.

Each file of `oneos.bin` is a whole program, and its text is what /bin/NAME holds, byte for byte; a
name that shells know a utility by as well gets the same text. Writing them into the tree, with the
permission to run, is the business of whoever makes the tree.
"""

from __future__ import annotations

import functools
from importlib import resources

ALIASES = {"[": "test"}


@functools.cache
def utilities() -> dict[str, bytes]:
    """Name in /bin to the text of the program, in the names' order. Do not change the result."""
    texts: dict[str, bytes] = {}
    for file in resources.files("oneos.bin").iterdir():
        name, dot, suffix = file.name.rpartition(".")
        if suffix == "py" and dot and not name.startswith("_"):
            texts[name] = file.read_bytes()
    for alias, name in ALIASES.items():
        texts[alias] = texts[name]
    return dict(sorted(texts.items()))
